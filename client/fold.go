package client

import (
	"bytes"
	"errors"
	"fmt"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/vault"
)

// A record is a line of a room as the vault keeps it: what is shown, not the
// signed original.
type record struct {
	_       struct{} `cbor:",toarray"`
	ID      dialogue.EventID
	Nonce   [16]byte // of one's own words
	Seat    dialogue.SeatID
	Note    dialogue.NoteKind // NoteSaid: somebody's words
	About   dialogue.SeatID
	What    dialogue.Kind
	Reason  dialogue.Reason
	Text    string
	ReplyTo dialogue.EventID
	File    *dialogue.File
	Time    uint64 // its author's claim, minutes since 1970
	LogTime uint64
	Read    uint64 // when this vault read it, by its own clock

	// Of one's own words: where they stand, and whom they may not have reached.
	At     *mark
	Missed []dialogue.SeatID
}

// fold applies an entry and keeps what came of it.
func (m *member) fold(sp *vault.Space, place channel.Place, e dialogue.Entry) error {
	next, notes := dialogue.Apply(m.state, e)
	if next == nil {
		m.acct.Bad++
		return nil
	}
	if attempted(notes) {
		m.refused(e.Room)
	}
	if err := m.keep(sp, next, notes, place, e); err != nil || e.Commit == nil || attempted(notes) {
		return err
	}
	return m.leaves(sp, place, e)
}

// keep makes next the state and acts on the notes.
func (m *member) keep(sp *vault.Space, next *dialogue.State, notes []dialogue.Note, place channel.Place, e dialogue.Entry) error {
	before := m.state
	m.state = next
	if err := m.holdOn(sp, place, e); err != nil {
		return err
	}
	// Most entries of one minute leave the skeleton as it is.
	if b := next.Marshal(); !bytes.Equal(b, m.stored) {
		if err := sp.Put([]byte(keyState), b); err != nil {
			return err
		}
		m.stored = b
		m.noteChanges(before, next, place)
	}
	for _, n := range notes {
		if err := m.act(sp, n, place, e); err != nil {
			return err
		}
	}
	m.changed(e.Room)
	return nil
}

// act does what a note asks for, and records it where people should see it.
func (m *member) act(sp *vault.Space, n dialogue.Note, place channel.Place, e dialogue.Entry) error {
	if m.c.opt.Read != nil {
		m.c.opt.Read(Passage{Note: n, Place: place, Stay: m.stay()})
	}
	switch b := n.Body.(type) {
	case dialogue.Say:
		return m.said(sp, n, b, place, e)
	case dialogue.KeyPackage:
		return sp.Put(packageKey(b.Room, n.By), b.Package)
	case dialogue.Welcome:
		return m.welcomed(sp, n, b, place)
	case dialogue.Verify:
		m.began(n.Event)
		return m.reading(sp, n, b, place)
	case dialogue.Charter:
		return m.charterGiven(sp, n, b, e)
	case dialogue.Found:
		if err := m.founded(sp, n, b); err != nil {
			return err
		}
	case dialogue.SignedPost:
		if n.Kind == dialogue.NoteArrived || n.Kind == dialogue.NoteReplaceUsed {
			m.watchSoon(n.Seat)
		}
	case dialogue.Invite:
		m.toLook.ring()
	case dialogue.Replace:
		m.toLook.ring()
	case dialogue.Door:
		if n.By == m.acct.Me {
			m.acct.Door = b.Key
		}
		return nil
	case dialogue.Return:
		return m.returning(sp, n, b, e)
	case dialogue.RoomLost:
		return m.roomLost(sp, n, b, place, e)
	case dialogue.Room:
		return m.roomOver(sp, n, b, e)
	}
	if n.Kind == dialogue.NoteVerified {
		if h, ok := decodeBody[dialogue.Heard](*e.Event); ok {
			if err := m.matched(sp, n.By, h); err != nil {
				return err
			}
		}
	}
	switch n.Kind {
	case dialogue.NoteRefused, dialogue.NoteUnknown:
		if err := m.toldOtherwise(sp, n, e); err != nil {
			return err
		}
		if n.Reason == dialogue.ReasonStrangers || n.By != m.acct.Me && n.Reason == dialogue.ReasonState {
			return nil // a race that somebody lost
		}
	case dialogue.NoteHello:
		return m.greeted(sp, n)
	case dialogue.NoteFounded:
		return nil
	case dialogue.NoteAttempt:
		if n.By == m.acct.Me || n.Reason == dialogue.ReasonWoke {
			return nil
		}
	case dialogue.NoteReturned, dialogue.NoteReplaced:
		if err := m.isBack(sp, n.Seat); err != nil {
			return err
		}
	case dialogue.NoteReplaceAsked, dialogue.NoteReplaceOver, dialogue.NoteReplaceDue:
		if err := m.forgetPosts(sp, n.Seat); err != nil {
			return err
		}
	case dialogue.NoteRemoved, dialogue.NoteLeft, dialogue.NoteAsleep:
		if err := m.owedWelcome(sp, n); err != nil {
			return err
		}
	}
	return m.record(sp, n, record{ID: n.Event}, e)
}

// said keeps a message, unless it has been shown: an event keeps its id when
// it is made again.
func (m *member) said(sp *vault.Space, n dialogue.Note, b dialogue.Say, place channel.Place, e dialogue.Entry) error {
	key := indexKey(n.Room, n.Event)
	if shown, err := has(sp, key); shown || err != nil {
		return err
	}
	if err := sp.Put(key, wire.AppendU64(nil, m.acct.NextSeq)); err != nil {
		return err
	}
	if n.By != m.acct.Me && m.unread[n.Room] < maxUnread {
		m.unread[n.Room]++
	}
	r := record{ID: n.Event, Text: b.Text, ReplyTo: b.ReplyTo, File: b.File}
	if n.By == m.acct.Me {
		at := m.mark(place)
		r.Nonce, r.At = e.Event.Nonce, &at
	}
	return m.record(sp, n, r, e)
}

func (m *member) record(sp *vault.Space, n dialogue.Note, r record, e dialogue.Entry) error {
	r.Seat, r.About, r.Note, r.What, r.Reason = n.By, n.Seat, n.Kind, n.What, n.Reason
	if r.ID == (dialogue.EventID{}) {
		r.ID = dialogue.NewEventID()
	}
	if e.Event != nil {
		r.Time = e.Event.Time
	} else if e.Commit != nil {
		r.Time = e.Commit.Time
	}
	r.Read = m.c.minute()
	if m.state != nil {
		r.LogTime = m.state.LogTime
	}
	seq := m.acct.NextSeq
	m.acct.NextSeq++
	if alarmKinds[n.Kind] != "" {
		err := errors.Join(sp.Put(numbered(keyAlarm, seq), wire.Marshal(r)), sp.Put(indexKey(n.Room, r.ID), wire.AppendU64(nil, seq)))
		if err != nil {
			return err
		}
		m.alarmed(r)
	}
	m.remember(n.Room, line{seq, &r})
	return sp.Put(messageKey(n.Room, seq), wire.Marshal(r))
}

// deleteLine deletes a line and what finds it.
func deleteLine(sp *vault.Space, r dialogue.Room, seq uint64, id dialogue.EventID) error {
	return errors.Join(sp.Delete(messageKey(r, seq)), sp.Delete(indexKey(r, id)))
}

func messageKey(r dialogue.Room, seq uint64) []byte {
	return wire.AppendU64([]byte{keyMessage[0], byte(r)}, seq)
}

func indexKey(r dialogue.Room, id dialogue.EventID) []byte {
	return append([]byte{keyIndex[0], byte(r)}, id[:]...)
}

func packageKey(r dialogue.Room, seat dialogue.SeatID) []byte {
	return append([]byte{keyPackages[0], byte(r)}, seat[:]...)
}

// findMessage finds a message by its event id, in any room one sits in.
func (m *member) findMessage(sp *vault.Space, id dialogue.EventID) (dialogue.Room, uint64, *record, error) {
	for r := range dialogue.Room(maxRooms) {
		b, err := sp.Get(indexKey(r, id))
		if errors.Is(err, vault.ErrNotFound) {
			continue
		}
		if err != nil {
			return 0, 0, nil, err
		}
		seq := wire.NewReader(b).U64()
		rec, err := m.message(sp, r, seq)
		return r, seq, rec, err
	}
	return 0, 0, nil, ErrNoMessage
}

func (m *member) message(sp *vault.Space, r dialogue.Room, seq uint64) (*record, error) {
	b, err := sp.Get(messageKey(r, seq))
	if errors.Is(err, vault.ErrNotFound) {
		return nil, ErrNoMessage
	}
	if err != nil {
		return nil, err
	}
	return parseRecord(b)
}

func parseRecord(b []byte) (*record, error) {
	rec := new(record)
	if err := wire.Unmarshal(b, rec, wire.MaxMessage); err != nil {
		return nil, fmt.Errorf("a stored message: %w", err)
	}
	return rec, nil
}
