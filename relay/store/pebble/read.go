package pebble

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"parley/internal/wire"
	"parley/relay"
)

// Read reads from a box (relay.Store).
func (s *Store) Read(ctx context.Context, id relay.BoxID, from uint64, max int) (relay.Page, error) {
	if err := s.begin(ctx); err != nil {
		return relay.Page{}, err
	}
	defer s.end()
	rec, exists, err := s.load(id)
	for {
		if err != nil {
			return relay.Page{}, err
		}
		if !exists {
			return relay.Page{First: from, Appended: relay.NotAppended}, nil
		}
		if rec.dead {
			return relay.Page{}, relay.ErrGone
		}
		// After the record, so that it covers what the record shows.
		head := min(rec.next, s.synced(id))
		page, broken := s.page(id, rec, head, from, max)
		if broken == nil {
			return page, nil
		}
		// Cells can have expired or been destroyed meanwhile. Otherwise the store is
		// damaged.
		before := rec
		rec, exists, err = s.load(id)
		if err == nil && exists && rec.slot == before.slot && rec.low == before.low && !rec.dead {
			return relay.Page{}, fmt.Errorf("relay store: %w", broken)
		}
	}
}

// page reads the cells that rec promises.
func (s *Store) page(id relay.BoxID, rec record, head uint32, from uint64, most int) (p relay.Page, err error) {
	p.First, p.Next, p.Appended = max(from, uint64(rec.low)), uint64(head), relay.NotAppended
	if p.First >= p.Next || most <= 0 {
		return p, nil
	}
	count := min(most, int(p.Next-p.First))
	seal, err := s.sealer(id, rec.slot)
	if err != nil {
		return p, err
	}
	first := uint32(p.First)
	it, err := s.db.NewIter(&pebble.IterOptions{
		LowerBound: cellKey(id, first),
		UpperBound: cellKey(id, first+uint32(count)),
	})
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	p.Cells, p.Hours = make([]relay.Cell, count), make([]uint32, count)
	ok := it.First()
	for i := range p.Cells {
		if !ok || string(it.Key()) != string(cellKey(id, first+uint32(i))) {
			return p, fmt.Errorf("a cell is missing: %w", wire.ErrMalformed)
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return p, err
		}
		if p.Hours[i], err = seal.open(value, first+uint32(i), &p.Cells[i]); err != nil {
			return p, err
		}
		ok = it.Next()
	}
	return p, nil
}
