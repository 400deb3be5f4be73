package storetest

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"parley/internal/wire"
	"parley/relay"
)

// A twin is a store without a disk, without speed and without doubt.
type twin struct{ boxes map[relay.BoxID]*twinBox }

type twinBox struct {
	proof relay.Proof
	dead  bool
	low   int
	cells []int // numbers; those below low have expired
	hours []int
	last  int
}

func newTwin() *twin { return &twin{map[relay.BoxID]*twinBox{}} }

func (w *twin) clone() *twin {
	c := newTwin()
	for id, b := range w.boxes {
		again := *b
		again.cells, again.hours = slices.Clone(b.cells), slices.Clone(b.hours)
		c.boxes[id] = &again
	}
	return c
}

func (w *twin) open(p relay.Proof, hour int) error {
	b := w.boxes[p.ID()]
	switch {
	case b == nil:
		w.boxes[p.ID()] = &twinBox{proof: p, last: hour}
	case b.dead:
		return relay.ErrGone
	}
	return nil
}

func (w *twin) append(id relay.BoxID, n, hour int) (int, error) {
	b := w.boxes[id]
	switch {
	case b == nil:
		return 0, relay.ErrNoBox
	case b.dead:
		return 0, relay.ErrGone
	}
	if i := slices.Index(b.cells[b.low:], n); i >= 0 {
		return b.low + i, nil
	}
	if len(b.cells) >= wire.BoxCapacity {
		return 0, relay.ErrFull
	}
	b.last = max(hour, b.last)
	b.cells, b.hours = append(b.cells, n), append(b.hours, b.last)
	return len(b.cells) - 1, nil
}

func (w *twin) destroy(id relay.BoxID, hour int) error {
	b := w.boxes[id]
	if b == nil || b.dead {
		return nil
	}
	if b.proof.Idle > 0 && hour-b.last <= 24*int(b.proof.Idle) {
		return relay.ErrNotIdle
	}
	b.dead = true
	return nil
}

func (w *twin) expire(hour int) {
	for id, b := range w.boxes {
		old := func(arrival int) bool { return hour-arrival > 24*int(b.proof.Retention) }
		for b.low < len(b.cells) && old(b.hours[b.low]) {
			b.low++
		}
		if len(b.cells) == 0 && !b.dead && old(b.last) {
			delete(w.boxes, id)
		}
	}
}

// differs tells how the store differs from the twin, or "". Each box may be as
// in the twin or as in the other one, if there is another. An open box without
// cells is as good as none: a crash may take it.
func (w *twin) differs(t testing.TB, s relay.Store, ids []relay.BoxID, other ...*twin) string {
	for _, id := range ids {
		p, err := s.Read(t.Context(), id, 0, wire.BoxCapacity)
		d := w.boxes[id].differs(p, err)
		for _, o := range other {
			if d != "" {
				d = o.boxes[id].differs(p, err)
			}
		}
		if d != "" {
			return d
		}
	}
	return ""
}

// differs tells how a box differs from what was read of the whole of it, or "".
// A nil box is not there.
func (b *twinBox) differs(p relay.Page, err error) string {
	if b == nil {
		b = &twinBox{}
	}
	switch {
	case b.dead && errors.Is(err, relay.ErrGone):
		return ""
	case b.dead:
		return "a destroyed box lives"
	case err != nil:
		return "reading: " + err.Error()
	case p.Next != uint64(len(b.cells)) || len(p.Cells) != len(b.cells)-b.low || p.First != uint64(b.low):
		return "another number of cells"
	}
	for i := range p.Cells {
		if numberOf(&p.Cells[i]) != b.cells[b.low+i] || int(p.Hours[i]) != b.hours[b.low+i] {
			return "another cell or hour"
		}
	}
	return ""
}

// A step is one random call.
type step struct {
	kind, box, cell, hour int
}

// randomSteps gives n steps, and the boxes that they are about: a few at a time,
// ever new ones, for boxes get destroyed. Time goes on by about an hour a step;
// retentions are short, and idle days differ.
func randomSteps(rng *rand.Rand, n int) (steps []step, proofs []relay.Proof, ids []relay.BoxID) {
	const atATime = 5
	for i := range atATime + n/20 {
		b := newBox(nil, nil, i, uint16(1+i%2), uint16(i%3))
		proofs, ids = append(proofs, b.proof), append(ids, b.id)
	}
	steps = make([]step, n)
	hour := now
	for i := range steps {
		hour += rng.IntN(3)
		steps[i] = step{rng.IntN(40), i/20 + rng.IntN(atATime), rng.IntN(30), hour}
	}
	return steps, proofs, ids
}

// run makes one step on the store and on the twin, and tells whether both say
// the same. A nil store stands for the twin alone.
func (st step) run(t testing.TB, s relay.Store, w *twin, p relay.Proof) (same bool) {
	ctx, hour := t.Context(), uint32(st.hour)
	var err, want error
	var position uint64
	var wantPosition int
	switch {
	case st.kind < 4:
		want = w.destroy(p.ID(), st.hour)
		if s != nil {
			err = s.Destroy(ctx, p.ID(), hour)
		}
	case st.kind < 7:
		w.expire(st.hour)
		if s != nil {
			err = s.Expire(ctx, hour)
		}
	default:
		if want = w.open(p, st.hour); want == nil {
			wantPosition, want = w.append(p.ID(), st.cell, st.hour)
		}
		if s != nil {
			if err = s.Open(ctx, p, hour); err == nil {
				position, err = s.Append(ctx, p.ID(), cellOf(st.cell), hour)
			}
		}
	}
	return s == nil || errors.Is(err, want) && position == uint64(wantPosition)
}

func newRand(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// testTwin compares the store with its twin over random calls and restarts.
func testTwin(t *testing.T, m Machine) {
	rng := newRand(t)
	s, w := m.Open(t), newTwin()
	steps, proofs, ids := randomSteps(rng, 1500)
	for i, st := range steps {
		if !st.run(t, s, w, proofs[st.box]) {
			t.Fatalf("step %d, %+v: another result", i, st)
		}
		if i%10 == 0 {
			if d := w.differs(t, s, ids); d != "" {
				t.Fatalf("after step %d, %+v: %s", i, st, d)
			}
		}
		if rng.IntN(150) == 0 {
			must(t, s.Close())
			s = m.Open(t)
		}
	}
	must(t, s.Close())
}
