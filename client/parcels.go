package client

import (
	"context"
	"errors"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/relay"
	"parley/vault"
)

// Cards' boxes and doors are boxes of parcels. Whoever knows one can fill it, so
// where it is full, or destroyed, it goes on in another, for writers and readers
// alike.

// maxMore is in how many further boxes one goes on at most: more than a
// gigabyte of noise for each box is not read or written through.
const maxMore = 64

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
	return key.Box(p.Days, p.Days)
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

// goesOn has the rest of a parcel go to the next box, where one refuses it.
func (it *item) goesOn(err error) bool {
	if it.Kind != itemParcel || it.part == maxMore || !errors.Is(err, relay.ErrFull) && !errors.Is(err, relay.ErrGone) {
		return false
	}
	it.part++
	return true
}

// A parcelBox is a box of parcels as one reads it, from its beginning.
type parcelBox struct {
	of   parcelItem
	part uint32
	box  *relay.Box
	from uint64 // position in box
	un   *channel.Unwrapper
}

func newParcelBox(of parcelItem) *parcelBox {
	b := &parcelBox{of: of}
	b.rewind()
	return b
}

// rewind goes back to the beginning.
func (b *parcelBox) rewind() {
	b.goTo(0)
	b.un = channel.NewUnwrapper(boxKey(b.of.Box))
}

func (b *parcelBox) goTo(part uint32) { b.part, b.from, b.box = part, 0, b.of.at(part) }

// cells counts those that lie before where one reads.
func (b *parcelBox) cells() uint64 { return uint64(b.part)*wire.BoxCapacity + b.from }

// read gives what is new to take. Where wait is not zero it waits for the first
// cell. After an error of take's the box is read again from the beginning.
func (b *parcelBox) read(ctx context.Context, r *relay.Client, wait time.Duration, take func(*channel.Parcel) error) error {
	gone, mode := false, relay.Mode8
	if b.cells() > 0 {
		mode = relay.Mode1 // mostly there is nothing new
	}
	for {
		page, err := r.Do(ctx, relay.Exchange{Box: b.box, From: b.from, Mode: mode, Wait: wait})
		switch {
		case errors.Is(err, relay.ErrGone) && b.part < maxMore:
			gone = true
			b.goTo(b.part + 1)
			continue
		case errors.Is(err, relay.ErrGone):
			b.rewind()
			return nil
		case err != nil:
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
		case more >= uint64(relay.Mode64): // somebody fills it
			mode = relay.Mode64
		case more > 1:
			mode = relay.Mode8
		}
		switch {
		case b.from >= wire.BoxCapacity && b.part < maxMore:
			b.goTo(b.part + 1)
		case len(page.Cells) == 0 || b.from >= page.Next:
			if gone && b.from == 0 {
				b.rewind() // a relay may say so falsely, and better later
			}
			return nil
		}
	}
}
