package client

import (
	"context"
	"errors"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/vault"
)

// A readingRecord is what the words of a reading are made of.
type readingRecord struct {
	_             struct{} `cbor:",toarray"`
	Reader        dialogue.SeatID
	Authenticator []byte
	Position      uint64
	Running       dialogue.Hash
	Chain         dialogue.Hash
	Nonce         [16]byte
	Words         []string // once computed
}

func readingKey(id dialogue.EventID) []byte { return append([]byte(keyReading), id[:]...) }

// reading keeps a reading that began. A newcomer that was not there yet, or
// that was told of it by the charter only, can't take part in it.
func (m *member) reading(sp *vault.Space, n dialogue.Note, b dialogue.Verify, place channel.Place) error {
	if m.log == nil || place.Epoch != m.log.Epoch() || !place.Known {
		return nil
	}
	r := readingRecord{
		Reader: n.By, Authenticator: m.log.Authenticator(), Position: place.Position, Running: place.Running,
		Chain: place.Chain, Nonce: b.Nonce,
	}
	return sp.Put(readingKey(n.Event), wire.Marshal(r))
}

// ReadWords begins a reading: one reads five words aloud, the others type the
// sixth.
func (c *Client) ReadWords(ctx context.Context, id ID) error {
	nonce := [16]byte(dialogue.NewEventID())
	return c.do(id, dialogue.KindVerify, dialogue.Verify{Nonce: nonce})
}

// wordsOf gives a reading's six words, computing them the first time, which
// takes some tenths of a second.
func (m *member) wordsOf(id dialogue.EventID) ([]string, error) {
	var r readingRecord
	m.mu.Lock()
	language := ""
	if m.state != nil {
		language = m.state.Rules.Language
	}
	err := m.view(func(sp *vault.Space) error { return loadReading(sp, id, &r) })
	m.mu.Unlock()
	if err != nil || r.Words != nil {
		return r.Words, err
	}
	r.Words = dialogue.Reading{
		Authenticator: r.Authenticator, Position: r.Position, Running: r.Running, Chain: r.Chain, Nonce: r.Nonce,
	}.Words(language)
	m.mu.Lock()
	defer m.mu.Unlock()
	return r.Words, m.update(func(sp *vault.Space) error { return sp.Put(readingKey(id), wire.Marshal(r)) })
}

func loadReading(sp *vault.Space, id dialogue.EventID, r *readingRecord) error {
	b, err := sp.Get(readingKey(id))
	if errors.Is(err, vault.ErrNotFound) {
		return ErrNoReading
	}
	if err != nil {
		return err
	}
	return wire.Unmarshal(b, r, 1<<12)
}

// latest finds the newest reading, of one seat or of anybody, that this vault
// can compute.
func (m *member) latest(reader dialogue.SeatID) (*dialogue.VerifyState, *readingRecord) {
	for i := len(m.state.Readings) - 1; i >= 0; i-- {
		v := m.state.Readings[i]
		if !reader.IsZero() && v.Reader != reader {
			continue
		}
		var r readingRecord
		if m.view(func(sp *vault.Space) error { return loadReading(sp, v.ID, &r) }) == nil {
			return &v, &r
		}
	}
	return nil, nil
}

// Words gives the words of the latest reading by a seat (by anybody, for the
// zero SeatID), and its reader: all six to the reader, and five to who listens,
// who has to hear the sixth.
func (c *Client) Words(ctx context.Context, id ID, reader dialogue.SeatID) (words []string, by dialogue.SeatID, err error) {
	m, err := c.member(id)
	if err != nil {
		return nil, by, err
	}
	m.mu.Lock()
	if err := m.seated(); err != nil {
		m.mu.Unlock()
		return nil, by, err
	}
	v, _ := m.latest(reader)
	m.mu.Unlock()
	if v == nil {
		return nil, by, ErrNoReading
	}
	all, err := m.wordsOf(v.ID)
	if err != nil {
		return nil, by, err
	}
	return m.visible(all, v.Reader), v.Reader, nil
}

// visible are the words of a reading that this person sees.
func (m *member) visible(all []string, reader dialogue.SeatID) []string {
	if reader == m.seatID() {
		return all
	}
	return all[:len(all)-1]
}

// seatID is one's own.
func (m *member) seatID() dialogue.SeatID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.acct.Me
}

// Heard says whose voice read the words, and gives the last word, which the
// reader did not read. dialogue.ErrWord says that it is not the word.
func (c *Client) Heard(ctx context.Context, id ID, reader dialogue.SeatID, last string) error {
	m, err := c.member(id)
	if err != nil {
		return err
	}
	m.mu.Lock()
	if err := m.seated(); err != nil {
		m.mu.Unlock()
		return err
	}
	v, _ := m.latest(reader)
	m.mu.Unlock()
	if v == nil {
		return ErrNoReading
	}
	words, err := m.wordsOf(v.ID)
	if err != nil {
		return err
	}
	if !dialogue.SameWord(last, words[len(words)-1]) {
		return dialogue.ErrWord
	}
	return c.do(id, dialogue.KindHeard, dialogue.Heard{Verify: v.ID, Reader: reader})
}
