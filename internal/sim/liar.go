package sim

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"parley/internal/wire"
	"parley/relay"
	"parley/relay/server"
)

// A liar is a relay that lies: it shows groups of people views of their own,
// and copies between them what it likes. It holds no keys.
type liar struct {
	w     *World
	views []*view

	mu     sync.Mutex
	rand   *rand.Rand
	copies func(from, to *view) bool     // whether what arrives in one view goes to another, too
	hold   time.Duration                 // how long at most it holds a cell before it gives it a place
	first  func(*relay.Cell) *relay.Cell // what it lays before a cell that arrives, or nil
}

// A view is what the liar shows some people: a store, in memory.
type view struct {
	l     *liar
	net   *network
	relay *server.Relay
	boxes map[relay.BoxID]*shelf
	live  relay.BoxID   // where the last cell went
	late  time.Duration // how long every cell has to wait for its place
	drops bool          // what arrives is given a place, and is not kept
}

// A shelf is a box of a view.
type shelf struct {
	cells []relay.Cell
	hours []uint32
	first int // what lies before is not given
}

func (s *shelf) clone() *shelf {
	return &shelf{slices.Clone(s.cells), slices.Clone(s.hours), s.first}
}

// lie puts a liar in the honest relay's place. It has to come before anything
// is in a box.
func (w *World) lie() *liar {
	w.StopRelay()
	l := &liar{w: w, rand: rand.New(rand.NewPCG(w.Rand.Uint64(), 3))}
	v := l.open(w.net, map[relay.BoxID]*shelf{})
	w.relay = v.relay
	return l
}

func (l *liar) open(n *network, boxes map[relay.BoxID]*shelf) *view {
	v := &view{l: l, net: n, boxes: boxes}
	l.mu.Lock()
	l.views = append(l.views, v)
	l.mu.Unlock()
	var err error
	if v.relay, err = server.Embedded(server.Options{Listener: n.listen(), Store: l.w.steps.tap(v)}); err != nil {
		l.w.T.Fatal(err)
	}
	return v
}

// fork shows people from now on a view of their own, which begins like the
// first.
func (l *liar) fork(people ...*Person) *view {
	l.mu.Lock()
	boxes := l.views[0].clone()
	l.mu.Unlock()
	v := l.open(&network{rand: rand.New(rand.NewPCG(l.w.Rand.Uint64(), 4))}, boxes)
	v.live = l.views[0].live
	l.w.others = append(l.w.others, v.relay)
	for _, p := range people {
		p.net.Store(v.net)
	}
	l.views[0].net.drop()
	return v
}

func (v *view) clone() map[relay.BoxID]*shelf {
	boxes := maps.Clone(v.boxes)
	for id, s := range boxes {
		boxes[id] = s.clone()
	}
	return boxes
}

// lives is the box that lives now.
func (v *view) lives() relay.BoxID {
	v.l.mu.Lock()
	defer v.l.mu.Unlock()
	return v.live
}

// change does something to a box, out of order.
func (v *view) change(id relay.BoxID, f func(*shelf)) {
	v.l.mu.Lock()
	f(v.boxes[id])
	v.l.mu.Unlock()
	v.net.drop() // whoever waits asks again
}

func (s *shelf) add(c *relay.Cell, hour uint32) uint64 {
	s.cells, s.hours = append(s.cells, *c), append(s.hours, hour)
	return uint64(len(s.cells) - 1)
}

func (v *view) shelf(id relay.BoxID) *shelf {
	if v.boxes[id] == nil {
		v.boxes[id] = new(shelf)
	}
	return v.boxes[id]
}

// Open makes a box.
func (v *view) Open(_ context.Context, p relay.Proof, _ uint32) error {
	v.l.mu.Lock()
	defer v.l.mu.Unlock()
	v.shelf(p.ID())
	return nil
}

// Append lays something before a cell, holds it for a while, and gives it a place.
func (v *view) Append(_ context.Context, id relay.BoxID, c *relay.Cell, hour uint32) (uint64, error) {
	v.l.mu.Lock()
	hold := v.late
	if v.l.hold > 0 {
		hold += time.Duration(v.l.rand.Int64N(int64(v.l.hold)))
	}
	first := v.l.first
	v.l.mu.Unlock()
	if first != nil {
		if before := first(c); before != nil {
			v.place(id, before, hour)
			hold += 5 * time.Second // others' come between
		}
	}
	time.Sleep(hold)
	return v.place(id, c, hour)
}

// place gives a cell its place and copies it.
func (v *view) place(id relay.BoxID, c *relay.Cell, hour uint32) (uint64, error) {
	v.l.mu.Lock()
	defer v.l.mu.Unlock()
	s := v.boxes[id]
	switch {
	case s == nil:
		return 0, relay.ErrNoBox
	case slices.Contains(s.cells, *c):
		return uint64(slices.Index(s.cells, *c)), nil
	case len(s.cells) == wire.BoxCapacity:
		return 0, relay.ErrFull
	case v.drops && len(s.cells) > 0:
		return uint64(len(s.cells) - 1), nil // where another's lies
	}
	for _, to := range v.l.views {
		if to != v && v.l.copies != nil && v.l.copies(v, to) {
			to.shelf(id).add(c, hour)
			to.live = id
		}
	}
	v.live = id
	return s.add(c, hour), nil
}

// Read shows what this view has.
func (v *view) Read(_ context.Context, id relay.BoxID, from uint64, n int) (relay.Page, error) {
	v.l.mu.Lock()
	defer v.l.mu.Unlock()
	p := relay.Page{First: from, Appended: relay.NotAppended}
	s := v.boxes[id]
	if s == nil {
		return p, nil
	}
	p.First, p.Next = max(from, uint64(s.first)), uint64(len(s.cells))
	if p.First < p.Next {
		end := min(p.First+uint64(n), p.Next)
		p.Cells, p.Hours = slices.Clone(s.cells[p.First:end]), slices.Clone(s.hours[p.First:end])
	}
	return p, nil
}

// Destroy, Expire, Totals and Close: a liar keeps everything.
func (v *view) Destroy(context.Context, relay.BoxID, uint32) error { return nil }

// Expire does nothing.
func (v *view) Expire(context.Context, uint32) error { return nil }

// Totals says nothing.
func (v *view) Totals() relay.Totals { return relay.Totals{} }

// Close does nothing: the disk was never there.
func (v *view) Close() error { return nil }
