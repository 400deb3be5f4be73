package client

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/relay"
	"parley/vault"
)

// Cards' boxes and doors are boxes of parcels. Whoever knows one can fill it, so
// where it is full it goes on in another, for writers and readers alike.

const (
	// maxMore is in how many further boxes one goes on at most: more than a
	// gigabyte of noise is not written or read through.
	maxMore = 64

	// parcelIdle are the idle days of a box of parcels: no member can destroy it
	// before others have read it.
	parcelIdle = 1<<16 - 1

	// parcelCells is how many cells one reads at a time: other boxes wait.
	parcelCells = wire.BoxCapacity
)

// A parcelItem goes to the box of a card, or to a door.
type parcelItem struct {
	_    struct{} `cbor:",toarray"`
	Box  dialogue.Key
	Days uint16 // that the box keeps it
}

// at is the box itself, for part 0, or the one that continues it for the part-th
// time.
func (p *parcelItem) at(part uint32) *relay.Box {
	key := boxKey(p.Box)
	if part > 0 {
		key = key.More(part)
	}
	return key.Box(p.Days, parcelIdle)
}

func boxKey(k dialogue.Key) relay.BoxKey {
	key, err := relay.BoxKeyFrom(k[:])
	if err != nil {
		panic(err) // a Key has the size of a box key
	}
	return key
}

// queueParcel puts a parcel into a box, through the outbox.
func (m *member) queueParcel(sp *vault.Space, to parcelItem, kind channel.ParcelKind, content []byte) error {
	cells, err := channel.Wrap(boxKey(to.Box), kind, content)
	if err != nil {
		return err
	}
	it := &item{Kind: itemParcel, Stage: stageHead, Parcel: &to}
	if err := m.enqueue(sp, it); err != nil {
		return err
	}
	if err := m.addCells(sp, it, cells...); err != nil {
		return err
	}
	return m.saveItem(sp, it)
}

// refused tells whether a parcel's cell is to go to another box, because the one
// that it was sent to is full. Several send at once, and may be told so twice.
func (it *item) refused(box *relay.Box, err error) bool {
	if it.Kind != itemParcel || !errors.Is(err, relay.ErrFull) {
		return false
	}
	if box.ID() != it.Parcel.at(it.part).ID() {
		return true
	}
	if it.part == maxMore {
		return false
	}
	it.part++
	return true
}

// A parcelBox is a box of parcels as one reads it, from its beginning.
type parcelBox struct {
	of     parcelItem
	next   time.Time     // when it is to be read; the member's mutex guards it
	behind atomic.Bool   // there is more than was read at a time
	busy   chan struct{} // full while one reads

	part uint32
	box  *relay.Box
	from uint64 // position in box
	un   *channel.Unwrapper
}

func newParcelBox(of parcelItem) *parcelBox {
	b := &parcelBox{of: of, busy: make(chan struct{}, 1)}
	b.rewind()
	return b
}

// rewind goes back to the beginning.
func (b *parcelBox) rewind() {
	b.goTo(0)
	b.un = channel.NewUnwrapper(boxKey(b.of.Box))
}

func (b *parcelBox) goTo(part uint32) { b.part, b.from, b.box = part, 0, b.of.at(part) }

// due tells whether it is to be read by now.
func (b *parcelBox) due(now time.Time) bool { return b.behind.Load() || !now.Before(b.next) }

// cells counts those that lie before where one reads. Only who alone reads may ask.
func (b *parcelBox) cells() uint64 { return uint64(b.part)*wire.BoxCapacity + b.from }

// read gives what is new to take, so many cells at a time. Where wait is not zero
// it waits for the first cell. After an error of take's the box is read again from
// the beginning.
func (b *parcelBox) read(ctx context.Context, r *relay.Client, wait time.Duration, take func(*channel.Parcel) error) error {
	select {
	case b.busy <- struct{}{}:
		defer func() { <-b.busy }()
	case <-ctx.Done():
		return ctx.Err()
	}
	mode := relay.Mode8
	if b.cells() > 0 {
		mode = relay.Mode1 // mostly there is nothing new
	}
	for end := b.cells() + parcelCells; b.cells() < end; {
		page, err := r.Do(ctx, relay.Exchange{Box: b.box, From: b.from, Mode: mode, Wait: wait})
		if err != nil {
			return err
		}
		wait = 0
		for i := range page.Cells {
			p, err := b.un.Add(&page.Cells[i])
			if err != nil || p == nil {
				continue
			}
			if err := take(p); err != nil {
				b.rewind()
				return err
			}
		}
		b.from = max(b.from, page.First+uint64(len(page.Cells)))
		switch more := max(page.Next, b.from) - b.from; {
		case b.from >= wire.BoxCapacity && b.part < maxMore:
			b.goTo(b.part + 1)
		case len(page.Cells) == 0 || more == 0:
			b.behind.Store(false)
			return nil
		case more >= uint64(relay.Mode64): // somebody fills it
			mode = relay.Mode64
		case more > 1:
			mode = relay.Mode8
		}
	}
	b.behind.Store(true)
	return nil
}
