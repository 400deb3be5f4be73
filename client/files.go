package client

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/relay"
	"parley/vault"
)

// A file's content lies in the vault, part by part, before any of it leaves,
// and after all of it came. Its message goes out when the whole file is in its
// box, so readers never wait for a sender.

// A fileItem is the file of a message that waits.
type fileItem struct {
	_    struct{} `cbor:",toarray"`
	File dialogue.File
	Sent uint32 // parts that the relay has
}

func (f *fileItem) parts() int { return channel.FileParts(f.File.Size) }
func (f *fileItem) sent() bool { return int(f.Sent) == f.parts() }

func partKey(id dialogue.EventID, i int) []byte {
	return wire.AppendU32(append([]byte(keyFile), id[:]...), uint32(i))
}

func fileBox(k dialogue.Key, t terms) (*relay.Box, relay.BoxKey) {
	key := boxKey(k)
	return key.Box(t.Retention, t.Retention), key
}

// storeFile reads a file into the vault, in several transactions, none of
// which shows before the message is in the outbox.
func (m *member) storeFile(id dialogue.EventID, name string, r io.Reader) (*dialogue.File, error) {
	if err := dialogue.CheckFileName(name); err != nil {
		return nil, err
	}
	f := &dialogue.File{Name: name, Box: dialogue.Key(relay.NewBoxKey().Bytes())}
	hash := sha256.New()
	in := io.TeeReader(io.LimitReader(r, wire.MaxFile+1), hash)
	// r may be slow, so the vault is asked only when some of it is there.
	some := make([]byte, 64*channel.FilePart)
	for done := false; !done; {
		n, err := io.ReadFull(in, some)
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			done, err = true, nil
		}
		if err == nil {
			err = m.storeSome(id, channel.FileParts(f.Size), some[:n])
			f.Size += uint64(n)
		}
		if err == nil && f.Size > wire.MaxFile {
			err = ErrFileSize
		}
		if err == nil && done && f.Size == 0 {
			err = ErrFileEmpty
		}
		if err != nil {
			return nil, errors.Join(err, m.dropHalf(id))
		}
	}
	hash.Sum(f.Hash[:0])
	return f, nil
}

// storeSome keeps parts of a file, from part i on.
func (m *member) storeSome(id dialogue.EventID, i int, some []byte) error {
	return m.c.write(func(tx *vault.Tx) error {
		sp, err := tx.Dialogue(m.vid)
		if err != nil {
			return err
		}
		if i == 0 {
			if err := sp.Put(halfKey(id), []byte{}); err != nil {
				return err
			}
		}
		for part := range slices.Chunk(some, channel.FilePart) {
			if err := sp.Put(partKey(id, i), part); err != nil {
				return err
			}
			i++
		}
		return nil
	})
}

// dropHalf deletes a file whose message did not get into the outbox.
func (m *member) dropHalf(id dialogue.EventID) error {
	return m.c.write(func(tx *vault.Tx) error {
		sp, err := tx.Dialogue(m.vid)
		if err != nil {
			return err
		}
		if half, err := has(sp, halfKey(id)); !half {
			return err
		}
		return forgetFile(sp, id)
	})
}

func halfKey(id dialogue.EventID) []byte { return append([]byte(keyHalf), id[:]...) }

func forgetFile(sp *vault.Space, id dialogue.EventID) error {
	return errors.Join(sp.Delete(halfKey(id)), sp.DeletePrefix(append([]byte(keyFile), id[:]...)))
}

// dropHalves deletes what a crash left of files that were being taken in.
func (m *member) dropHalves() error {
	var halves []dialogue.EventID
	err := m.view(func(sp *vault.Space) error {
		for p, err := range scan(sp, []byte(keyHalf), scanOptions{}) {
			if err != nil {
				return err
			}
			var id dialogue.EventID
			copy(id[:], p.Key[len(keyHalf):])
			halves = append(halves, id)
		}
		return nil
	})
	for _, id := range halves {
		err = errors.Join(err, m.dropHalf(id))
	}
	return err
}

// filesOnce uploads what waits, then waits for more.
func (m *member) filesOnce(ctx context.Context) error {
	if err := m.filesStep(ctx); err != nil {
		return err
	}
	m.toMove.wait(ctx, 0)
	return nil
}

// fileWaiting finds the first file that is not all in its box.
func (m *member) fileWaiting() *item {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, it := range m.out {
		if it.File != nil && !it.File.sent() && !it.Back && !m.held(it) {
			return it
		}
	}
	return nil
}

// filesStep uploads every file that waits.
func (m *member) filesStep(ctx context.Context) error {
	for it := m.fileWaiting(); it != nil; it = m.fileWaiting() {
		if err := m.uploadPart(ctx, it); err != nil {
			return err
		}
	}
	return nil
}

// saveEvery is after how many parts the vault learns how far an upload is:
// what was sent twice, the relay has once.
const saveEvery = 32

func (m *member) uploadPart(ctx context.Context, it *item) error {
	event, err := dialogue.ParseEvent(it.Event)
	if err != nil {
		return err
	}
	box, key := fileBox(it.File.File.Box, m.terms())
	i, cell, err := m.filePartCell(it, event.ID(m.acct.Me), key)
	if err != nil || cell == nil {
		return err
	}
	r, err := m.relay()
	if err != nil {
		return err
	}
	page, err := r.Do(ctx, relay.Exchange{Box: box, Append: cell, Mode: relay.Mode1})
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.out, it) || int(it.File.Sent) != i {
		return nil // taken back meanwhile, or another loop was faster
	}
	if page.Appended != uint64(i) {
		return fmt.Errorf("%w: part %d of a file lies at %d", relay.ErrCorrupt, i, page.Appended)
	}
	it.File.Sent++
	m.changed(it.Room)
	if it.File.sent() || it.File.Sent%saveEvery == 0 {
		if err := m.update(func(sp *vault.Space) error { return m.saveItem(sp, it) }); err != nil {
			return err
		}
	}
	if it.File.sent() && m.caughtUp && m.log != nil {
		if err := m.update(m.make); err != nil {
			return err
		}
		m.toPost.ring()
	}
	return nil
}

// filePartCell makes the cell of the next part: the same each time, so that one
// which goes again after a crash or a lost answer is known to the relay. It is
// nil where the file does not wait any more.
func (m *member) filePartCell(it *item, id dialogue.EventID, key relay.BoxKey) (i int, cell *relay.Cell, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.out, it) || it.File.sent() {
		return 0, nil, nil
	}
	i = int(it.File.Sent)
	err = m.view(func(sp *vault.Space) error {
		part, err := sp.Get(partKey(id, i))
		if err != nil {
			return err
		}
		cell, err = channel.SealFilePart(key, i, part)
		return err
	})
	return i, cell, err
}

// OpenFile writes a file's content to w, fetching what is not here yet. It
// writes nothing before the whole content is here and its hash is right.
func (c *Client) OpenFile(ctx context.Context, id ID, event dialogue.EventID, w io.Writer) error {
	m, err := c.member(id)
	if err != nil {
		return err
	}
	f, err := m.fileOf(event)
	if err != nil {
		return err
	}
	if err := m.fetch(ctx, event, f); err != nil {
		return offline(err)
	}
	// w may be slow, and while a View lasts it keeps others from the vault.
	var content []byte
	err = m.view(func(sp *vault.Space) error {
		for i := range channel.FileParts(f.Size) {
			part, err := sp.Get(partKey(event, i))
			if err != nil {
				return err
			}
			content = append(content, part...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if hashOf(content) != f.Hash {
		return ErrFileDamaged
	}
	_, err = w.Write(content)
	return err
}

// fileOf is the file of a message in a room, or of one that waits.
func (m *member) fileOf(event dialogue.EventID) (f *dialogue.File, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, it := range m.out {
		if e, err := dialogue.ParseEvent(it.Event); err == nil && it.File != nil && e.ID(m.acct.Me) == event {
			return &it.File.File, nil
		}
	}
	err = m.view(func(sp *vault.Space) error {
		_, _, rec, err := m.findMessage(sp, event)
		if err == nil && rec.File == nil {
			err = ErrNoFile
		}
		if err == nil {
			f = rec.File
		}
		return err
	})
	return f, err
}

// here counts the parts of a file that are in the vault: they come in order.
func here(sp *vault.Space, event dialogue.EventID) (int, error) {
	prefix := append([]byte(keyFile), event[:]...)
	for p, err := range scan(sp, prefix, scanOptions{Reverse: true, Limit: 1}) {
		if err != nil {
			return 0, err
		}
		return int(binary.BigEndian.Uint32(p.Key[len(prefix):])) + 1, nil
	}
	return 0, nil
}

// fetch brings what is missing of a file into the vault, a page a transaction.
func (m *member) fetch(ctx context.Context, event dialogue.EventID, f *dialogue.File) error {
	box, key := fileBox(f.Box, m.terms())
	r, err := m.relay()
	if err != nil {
		return err
	}
	for {
		var have int
		err := m.view(func(sp *vault.Space) (err error) { have, err = here(sp, event); return err })
		if err != nil || have == channel.FileParts(f.Size) {
			return err
		}
		page, err := r.Do(ctx, relay.Exchange{Box: box, From: uint64(have), Mode: relay.Mode64})
		if err != nil {
			return err
		}
		if page.First != uint64(have) || len(page.Cells) == 0 {
			return ErrFileDamaged
		}
		if err := m.storeParts(event, f, key, have, page.Cells); err != nil {
			return err
		}
	}
}

func (m *member) storeParts(event dialogue.EventID, f *dialogue.File, key relay.BoxKey, from int, cells []relay.Cell) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.changed(dialogue.Plenary)
	return m.update(func(sp *vault.Space) error {
		for i := range cells {
			n := from + i
			if n == channel.FileParts(f.Size) {
				return nil
			}
			part, err := channel.OpenFilePart(key, n, &cells[i])
			if err != nil {
				return errors.Join(ErrFileDamaged, err)
			}
			if err := sp.Put(partKey(event, n), part); err != nil {
				return err
			}
		}
		return nil
	})
}
