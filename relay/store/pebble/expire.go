package pebble

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"parley/relay"
)

// Expire deletes what is past its retention (relay.Store). Its deletions are
// durable when it returns; keys of boxes that became empty are overwritten then.
func (s *Store) Expire(ctx context.Context, hour uint32) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	var due []relay.BoxID
	err := s.eachBox(func(id relay.BoxID, rec record) error {
		if rec.counts() && rec.expired(rec.firstHour, hour) {
			due = append(due, id)
		}
		return ctx.Err()
	})
	var freed []uint32
	for _, id := range due {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			break
		}
		var slot uint32
		if slot, err = s.expireBox(id, hour); err == nil && slot != noSlot {
			freed = append(freed, slot)
		}
	}
	if len(due) == 0 {
		return err
	}
	// One sync for all, and the keys only after it.
	if err2 := s.db.LogData(nil, pebble.Sync); err2 != nil {
		return errors.Join(err, err2)
	}
	if len(freed) > 0 {
		err = errors.Join(err, s.keys.erase(freed...))
	}
	if err != nil {
		return fmt.Errorf("relay store: expiry: %w", err)
	}
	return nil
}

// expireBox expires cells of one box, and returns the slot of its key if that
// is not needed any more. Nothing is synced.
func (s *Store) expireBox(id relay.BoxID, hour uint32) (freed uint32, err error) {
	a, err := s.enter(id)
	if err != nil {
		return noSlot, err
	}
	defer s.leave(id, a)
	defer a.mu.Unlock()
	old := a.rec
	if !a.exists || !old.counts() || !old.expired(old.firstHour, hour) {
		return noSlot, nil // used, or destroyed, since it was listed
	}
	rec := old
	b := s.db.NewBatch()
	switch {
	case old.next == 0: // opened, never used
		err = b.Delete(boxKey(id), nil)
	case old.expired(old.lastHour, hour):
		rec.low, rec.slot = rec.next, noSlot
		err = errors.Join(b.Set(boxKey(id), rec.encode(), nil), deleteAll(b, id))
	default:
		if rec.low, rec.firstHour, err = s.expireCells(b, id, old, hour); err == nil {
			err = b.Set(boxKey(id), rec.encode(), nil)
		}
	}
	if err == nil {
		err = s.db.Apply(b, pebble.NoSync)
	}
	if err = errors.Join(err, b.Close()); err != nil {
		return noSlot, err
	}
	a.rec, a.exists = rec, old.next != 0
	s.cells.Add(-int64(rec.low - old.low))
	if rec.slot == old.slot && a.exists {
		return noSlot, nil
	}
	a.seal = nil
	s.boxes.Add(-1)
	return old.slot, nil
}

// expireCells deletes the expired cells at the start of a box that keeps
// others. It returns the first position kept, and when that cell arrived.
func (s *Store) expireCells(b *pebble.Batch, id relay.BoxID, rec record, hour uint32) (low, first uint32, err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: cellKey(id, rec.low), UpperBound: cellKey(id, rec.next)})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	low = rec.low
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return 0, 0, err
		}
		arrival, t, err := valueHead(value)
		if err != nil {
			return 0, 0, err
		}
		if !rec.expired(arrival, hour) {
			return low, arrival, b.DeleteRange(cellKey(id, rec.low), cellKey(id, low), nil)
		}
		if err := b.Delete(tagKey(id, t), nil); err != nil {
			return 0, 0, err
		}
		low++
	}
	return 0, 0, errors.New("cells are missing")
}
