package pebble

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"parley/internal/wire"
	"parley/relay"
)

// Open makes a box (relay.Store).
func (s *Store) Open(ctx context.Context, p relay.Proof, hour uint32) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	id := p.ID()
	a, err := s.enter(id)
	if err != nil {
		return err
	}
	defer s.leave(id, a)
	defer a.mu.Unlock()
	switch {
	case a.exists && a.rec.dead:
		return relay.ErrGone
	case a.exists:
		return nil
	}
	rec := record{slot: noSlot, firstHour: hour, lastHour: hour, retention: p.Retention, idle: p.Idle}
	// Not synced: the first append does it.
	if err := s.db.Set(boxKey(id), rec.encode(), pebble.NoSync); err != nil {
		return err
	}
	a.rec, a.exists = rec, true
	s.boxes.Add(1)
	return nil
}

// Append appends a cell (relay.Store). The box is locked while the append takes
// its place in the log, not while it waits for the disk.
func (s *Store) Append(ctx context.Context, id relay.BoxID, cell *relay.Cell, hour uint32) (uint64, error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	defer s.end()
	a, err := s.enter(id)
	if err != nil {
		return 0, err
	}
	defer s.leave(id, a)
	position, wait, err := s.place(id, a, cell, hour)
	a.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if err := wait(); err != nil {
		return 0, err
	}
	// The log is synced in order, so everything before is durable as well.
	for {
		old := a.durable.Load()
		if old > int64(position) || a.durable.CompareAndSwap(old, int64(position)+1) {
			return uint64(position), nil
		}
	}
}

// place gives a cell its position, and the function that waits until that is
// durable. The box is locked.
func (s *Store) place(id relay.BoxID, a *active, cell *relay.Cell, hour uint32) (uint32, func() error, error) {
	switch {
	case !a.exists:
		return 0, nil, relay.ErrNoBox
	case a.rec.dead:
		return 0, nil, relay.ErrGone
	}
	if a.rec.hasCells() {
		position, found, err := s.find(id, a, cell)
		if err != nil {
			return 0, nil, err
		}
		if found && a.durable.Load() > int64(position) {
			return position, func() error { return nil }, nil
		}
		if found {
			return position, s.sync, nil
		}
	}
	if a.rec.next >= wire.BoxCapacity {
		if a.durable.Load() >= wire.BoxCapacity {
			return 0, nil, relay.ErrFull
		}
		// Who is told so goes on in another box: it has to be so after a crash, too.
		return 0, func() error {
			if err := s.sync(); err != nil {
				return err
			}
			return relay.ErrFull
		}, nil
	}
	if err := s.checkSpace(); err != nil {
		return 0, nil, err
	}
	return s.write(id, a, cell, hour)
}

// sync makes durable whatever was written before.
func (s *Store) sync() error { return s.db.LogData(nil, pebble.Sync) }

// find looks for a cell that the box has.
func (s *Store) find(id relay.BoxID, a *active, cell *relay.Cell) (uint32, bool, error) {
	if a.seal == nil {
		var err error
		if a.seal, err = s.sealer(id, a.rec.slot); err != nil {
			return 0, false, err
		}
	}
	value, closer, err := s.db.Get(tagKey(id, a.seal.tag(cell.Hash())))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	defer closer.Close()
	if len(value) != 4 {
		return 0, false, fmt.Errorf("place of a cell: %w", wire.ErrMalformed)
	}
	return binary.BigEndian.Uint32(value), true, nil
}

// write puts a new cell into the log.
func (s *Store) write(id relay.BoxID, a *active, cell *relay.Cell, hour uint32) (uint32, func() error, error) {
	rec, seal := a.rec, a.seal
	hour = max(hour, rec.lastHour)
	if !rec.hasCells() {
		slot, err := s.keys.take()
		if err != nil {
			return 0, nil, fmt.Errorf("relay store: new key: %w", err)
		}
		if seal, err = s.sealer(id, slot); err != nil {
			return 0, nil, err
		}
		rec.slot, rec.firstHour = slot, hour
	}
	position := rec.next
	rec.next, rec.lastHour = position+1, hour
	t := seal.tag(cell.Hash())

	b := s.db.NewBatchWithSize(valueSize + 512)
	err := errors.Join(
		b.Set(boxKey(id), rec.encode(), nil),
		b.Set(cellKey(id, position), seal.value(position, hour, t, cell), nil),
		b.Set(tagKey(id, t), wire.AppendU32(nil, position), nil))
	if err == nil {
		err = s.db.ApplyNoSyncWait(b, pebble.Sync)
	}
	if err != nil {
		return 0, nil, err
	}
	if !a.rec.counts() {
		s.boxes.Add(1) // empty by expiry until now
	}
	s.cells.Add(1)
	a.rec, a.seal = rec, seal
	return position, func() error { return errors.Join(b.SyncWait(), b.Close()) }, nil
}

// checkSpace looks now and then whether the disk has room: an engine that runs
// out of it stops.
func (s *Store) checkSpace() error {
	const often = 1024 // appends, 4 MiB
	if s.appends.Add(1)%often != 1 && !s.full.Load() {
		return nil
	}
	usage, err := s.fs.GetDiskUsage(s.dir)
	full := err == nil && usage.AvailBytes < s.minFree // an in-memory file system can't tell
	s.full.Store(full)
	if full {
		return ErrDiskFull
	}
	return nil
}

// Destroy ends a box (relay.Store).
func (s *Store) Destroy(ctx context.Context, id relay.BoxID, hour uint32) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	a, err := s.enter(id)
	if err != nil {
		return err
	}
	defer s.leave(id, a)
	defer a.mu.Unlock()
	if !a.exists || a.rec.dead {
		return nil
	}
	if a.rec.idle > 0 && !older(a.rec.lastHour, hour, a.rec.idle) {
		return relay.ErrNotIdle
	}
	old := a.rec
	b := s.db.NewBatch()
	rec := record{dead: true, slot: noSlot, retention: old.retention, idle: old.idle}
	err = errors.Join(b.Set(boxKey(id), rec.encode(), nil), deleteAll(b, id))
	if err == nil {
		err = s.db.Apply(b, pebble.Sync)
	}
	if err = errors.Join(err, b.Close()); err != nil {
		return err
	}
	a.rec, a.seal = rec, nil
	s.boxes.Add(-count(old.counts()))
	s.cells.Add(-int64(old.next - old.low))
	if old.slot == noSlot {
		return nil
	}
	// If this fails or the machine stops before it, opening the store does it.
	if err := s.keys.erase(old.slot); err != nil {
		return fmt.Errorf("relay store: erasing a key: %w", err)
	}
	return nil
}

// deleteAll deletes the cells of a box and their tags.
func deleteAll(b *pebble.Batch, id relay.BoxID) error {
	cells, cellsEnd := all(prefixCell, id)
	tags, tagsEnd := all(prefixTag, id)
	return errors.Join(b.DeleteRange(cells, cellsEnd, nil), b.DeleteRange(tags, tagsEnd, nil))
}

func count(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
