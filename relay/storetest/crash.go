package storetest

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// testConcurrentAppends lets many writers append to few boxes.
func testConcurrentAppends(t *testing.T, m Machine) {
	s := openStore(t, m)
	const boxes, writers, each = 3, 8, 20
	var g sync.WaitGroup
	for w := range writers {
		g.Go(func() {
			for i := range each {
				b := newBox(t, s, i%boxes, 30, 0)
				if err := s.Open(t.Context(), b.proof, now); err != nil {
					t.Error(err)
				}
				if _, err := s.Append(t.Context(), b.id, cellOf(w*each+i), now); err != nil {
					t.Error(err)
				}
			}
		})
	}
	g.Wait()
	var all []int
	for i := range boxes {
		numbers := newBox(t, s, i, 30, 0).numbers()
		for w := range writers { // each writer's own order is kept
			mine := slices.DeleteFunc(slices.Clone(numbers), func(n int) bool { return n/each != w })
			if !slices.IsSorted(mine) {
				t.Errorf("box %d has the cells of writer %d as %v", i, w, mine)
			}
		}
		all = append(all, numbers...)
	}
	slices.Sort(all)
	if len(all) != writers*each || len(slices.Compact(all)) != writers*each {
		t.Errorf("%d cells, %d appended", len(all), writers*each)
	}
}

// testConcurrentRetries appends the same cells from many sides at once.
func testConcurrentRetries(t *testing.T, m Machine) {
	s := openStore(t, m)
	b := newBox(t, s, 1, 30, 0).open()
	const writers, cells = 8, 25
	var g sync.WaitGroup
	positions := make([][cells]uint64, writers)
	for w := range writers {
		g.Go(func() {
			for i := range cells {
				p, err := s.Append(t.Context(), b.id, cellOf(i), now)
				if err != nil {
					t.Error(err)
				}
				positions[w][i] = p
			}
		})
	}
	g.Wait()
	for w := range positions {
		if positions[w] != positions[0] {
			t.Errorf("writers were told %v and %v", positions[0], positions[w])
		}
	}
	numbers := b.numbers()
	slices.Sort(numbers)
	if len(numbers) != cells || len(slices.Compact(numbers)) != cells {
		t.Errorf("the box has %v", numbers)
	}
}

// A place is where a cell was seen or acknowledged.
type place struct {
	box, position, cell int
}

// A record collects places, and can be asked for those so far.
type record struct {
	mu     sync.Mutex
	places []place
}

func (r *record) add(p ...place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.places = append(r.places, p...)
}

func (r *record) soFar() []place {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.places)
}

// holds checks that the store of a machine has all places, and no gap.
func holds(t testing.TB, m Machine, places []place, boxes int) {
	t.Helper()
	s := m.Open(t)
	defer func() { must(t, s.Close()) }()
	content := make([][]int, boxes)
	for i := range content {
		content[i] = newBox(t, s, i, 30, 0).numbers()
		if slices.Contains(content[i], -1) {
			t.Fatalf("box %d has a cell that nobody wrote", i)
		}
	}
	for _, p := range places {
		if p.position >= len(content[p.box]) || content[p.box][p.position] != p.cell {
			t.Fatalf("%+v is lost: the box has %d cells", p, len(content[p.box]))
		}
	}
	for _, p := range places {
		at, err := s.Append(t.Context(), newBox(t, s, p.box, 30, 0).id, cellOf(p.cell), now)
		must(t, err)
		if at != uint64(p.position) {
			t.Fatalf("%+v again went to %d", p, at)
		}
	}
}

// testReadersSeeNoLostCell cuts the power at each write while somebody appends
// and somebody reads: what was read before must be there afterwards.
func testReadersSeeNoLostCell(t *testing.T, m Machine) {
	rng := newRand(t)
	s := m.Open(t)
	b := newBox(t, s, 0, 30, 0).open()
	var seen record
	type cut struct {
		m      Machine
		places []place
	}
	var cuts []cut
	var mu sync.Mutex
	writes := 0
	m.OnWrite(func() {
		// Read here, where what is in the log is not synced yet.
		p, err := s.Read(t.Context(), b.id, 0, 64)
		if err != nil {
			t.Error(err)
		}
		for i := range p.Cells {
			seen.add(place{0, int(p.First) + i, numberOf(&p.Cells[i])})
		}
		mu.Lock()
		defer mu.Unlock()
		if writes++; writes%4 == 0 {
			places := seen.soFar()
			cuts = append(cuts, cut{m.Cut(0, rng), places})
		}
	})
	var g sync.WaitGroup
	for w := range 4 {
		g.Go(func() {
			for i := range 10 {
				if _, err := s.Append(t.Context(), b.id, cellOf(w*10+i), now); err != nil {
					t.Error(err)
				}
			}
		})
	}
	g.Wait()
	m.OnWrite(nil)
	must(t, s.Close())
	if len(cuts) == 0 {
		t.Fatal("the machine never called OnWrite")
	}
	for _, c := range cuts {
		holds(t, c.m, c.places, 1)
	}
}

// testEveryWriteFails cuts the power before each write of random calls, made
// one after the other: once with all that was not synced lost, once with all of
// it kept, once with some. Each time every box must be as it was after the last
// call that returned, or after the one under way; and a repeated call must do
// what it would have done. (Expire is not one whole: it goes box by box.)
func testEveryWriteFails(t *testing.T, m Machine) {
	rng := newRand(t)
	s := m.Open(t)
	steps, proofs, ids := randomSteps(rng, 60)
	type cut struct {
		m    Machine
		done int
	}
	var mu sync.Mutex
	var cuts []cut
	var done atomic.Int64
	m.OnWrite(func() {
		mu.Lock()
		defer mu.Unlock()
		before := int(done.Load())
		for _, keep := range []int{0, 100, 50} {
			cuts = append(cuts, cut{m.Cut(keep, rng), before})
		}
	})
	twins := []*twin{newTwin()}
	for i, st := range steps {
		next := twins[i].clone()
		if !st.run(t, s, next, proofs[st.box]) {
			t.Fatalf("step %d, %+v: another result", i, st)
		}
		twins = append(twins, next)
		done.Add(1)
	}
	m.OnWrite(nil)
	must(t, s.Close())
	if len(cuts) < len(steps) {
		t.Fatalf("only %d writes were seen", len(cuts)/3)
	}
	for _, c := range cuts {
		after := c.m.Open(t)
		before, next := twins[c.done], twins[min(c.done+1, len(steps))]
		if d := before.differs(t, after, ids, next); d != "" {
			t.Fatalf("cut in step %d, %+v: %s", c.done, steps[min(c.done, len(steps)-1)], d)
		}
		if c.done < len(steps) {
			st := steps[c.done]
			st.run(t, after, before.clone(), proofs[st.box])
			if d := next.differs(t, after, ids); d != "" {
				t.Fatalf("step %d again after a cut, %+v: %s", c.done, st, d)
			}
		}
		must(t, after.Close())
	}
}

// testCrashUnderLoad cuts the power now and then while many append.
func testCrashUnderLoad(t *testing.T, m Machine) {
	const boxes, writers, each = 5, 16, 25
	rng := newRand(t)
	choices := make([]*rand.Rand, writers) // rng itself is for the cuts
	for w := range choices {
		choices[w] = rand.New(rand.NewPCG(rng.Uint64(), 0))
	}
	s := m.Open(t)
	for i := range boxes {
		newBox(t, s, i, 30, 0).open()
	}
	var acknowledged record
	type cut struct {
		m      Machine
		places []place
	}
	var cuts []cut
	var mu sync.Mutex
	writes := 0
	m.OnWrite(func() {
		mu.Lock()
		defer mu.Unlock()
		if writes++; writes%7 != 0 {
			return
		}
		places := acknowledged.soFar()
		cuts = append(cuts, cut{m.Cut([]int{0, 30, 100}[len(cuts)%3], rng), places})
	})
	var g sync.WaitGroup
	for w := range writers {
		g.Go(func() {
			for i := range each {
				n, b := w*each+i, choices[w].IntN(boxes)
				p, err := s.Append(t.Context(), newBox(t, s, b, 30, 0).id, cellOf(n), now)
				if err != nil {
					t.Error(err)
				}
				acknowledged.add(place{b, int(p), n})
			}
		})
	}
	g.Wait()
	m.OnWrite(nil)
	must(t, s.Close())
	for _, c := range cuts {
		holds(t, c.m, c.places, boxes)
	}
	if got := len(acknowledged.soFar()); got != writers*each {
		t.Errorf("%d of %d were acknowledged", got, writers*each)
	}
	holds(t, m, acknowledged.soFar(), boxes)
}
