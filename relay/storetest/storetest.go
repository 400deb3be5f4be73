package storetest

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"parley/internal/wire"
	"parley/relay"
)

// A Machine is a place where one store lies, empty at first.
type Machine interface {
	// Open opens the store that lies there. It fails the test if it can't.
	Open(t testing.TB) relay.Store

	// Cut gives the machine as it would start again if its power failed now:
	// of what was written and not synced, keepPercent survives, chosen by rng.
	// The machine itself goes on.
	Cut(keepPercent int, rng *rand.Rand) Machine

	// OnWrite makes the machine call f just before each write or sync to its
	// disk, from any goroutine; nil ends that.
	OnWrite(f func())
}

// Run runs the whole suite. newMachine gives an empty machine.
func Run(t *testing.T, newMachine func(t testing.TB) Machine) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Machine)
	}{
		{"Order", testOrder},
		{"Paging", testPaging},
		{"MissingBox", testMissingBox},
		{"Open", testOpen},
		{"Retry", testRetry},
		{"Full", testFull},
		{"Restart", testRestart},
		{"ExpireSome", testExpireSome},
		{"ExpireAll", testExpireAll},
		{"ExpireUnused", testExpireUnused},
		{"ClockGoesBack", testClockGoesBack},
		{"Destroy", testDestroy},
		{"DestroyNotIdle", testDestroyNotIdle},
		{"Totals", testTotals},
		{"Cancelled", testCancelled},
		{"Twin", testTwin},
		{"ConcurrentAppends", testConcurrentAppends},
		{"ConcurrentRetries", testConcurrentRetries},
		{"ReadersSeeNoLostCell", testReadersSeeNoLostCell},
		{"EveryWriteFails", testEveryWriteFails},
		{"CrashUnderLoad", testCrashUnderLoad},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, newMachine(t)) })
	}
}

// now is the hour at which most tests take place.
const now = 500_000

// A box that a test uses, with a store to make it shorter.
type box struct {
	t     testing.TB
	store relay.Store
	proof relay.Proof
	id    relay.BoxID
}

// newBox makes the n-th box of a test.
func newBox(t testing.TB, s relay.Store, n int, retention, idle uint16) *box {
	p := relay.Proof{Retention: retention, Idle: idle}
	binary.BigEndian.PutUint64(p.Read[:], uint64(n))
	return &box{t, s, p, p.ID()}
}

func (b *box) open() *box {
	b.t.Helper()
	must(b.t, b.store.Open(b.t.Context(), b.proof, now))
	return b
}

func (b *box) append(n, hour int) uint64 {
	b.t.Helper()
	p, err := b.store.Append(b.t.Context(), b.id, cellOf(n), uint32(hour))
	must(b.t, err)
	return p
}

func (b *box) read(from uint64, max int) relay.Page {
	b.t.Helper()
	p, err := b.store.Read(b.t.Context(), b.id, from, max)
	must(b.t, err)
	checkPage(b.t, p, from, max)
	return p
}

// numbers reads the whole box, and gives the numbers of its cells.
func (b *box) numbers() []int {
	b.t.Helper()
	var ns []int
	for from := uint64(0); ; {
		p := b.read(from, int(relay.MaxMode))
		if len(p.Cells) == 0 {
			return ns
		}
		for i := range p.Cells {
			ns = append(ns, numberOf(&p.Cells[i]))
		}
		from = p.First + uint64(len(p.Cells))
	}
}

// checkPage checks what every page keeps.
func checkPage(t testing.TB, p relay.Page, from uint64, max int) {
	t.Helper()
	if len(p.Cells) > max || len(p.Cells) != len(p.Hours) || p.First < from || p.Appended != relay.NotAppended ||
		len(p.Cells) > 0 && p.First+uint64(len(p.Cells)) > p.Next {
		t.Fatalf("from %d, at most %d: first %d, %d cells, %d hours, next %d, appended %d",
			from, max, p.First, len(p.Cells), len(p.Hours), p.Next, p.Appended)
	}
}

// cellOf is the n-th cell: its number, then bytes that follow from it.
func cellOf(n int) *relay.Cell {
	var c relay.Cell
	binary.BigEndian.PutUint64(c[:], uint64(n))
	for i := 8; i < len(c); i++ {
		c[i] = byte(i*7 + n)
	}
	return &c
}

// numberOf is the number of a cell that cellOf made, or -1.
func numberOf(c *relay.Cell) int {
	n := int(binary.BigEndian.Uint64(c[:]))
	if n < 0 || *c != *cellOf(n) {
		return -1
	}
	return n
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

func wantNumbers(t testing.TB, got []int, want ...int) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d cells %v, want %v", len(got), got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func openStore(t testing.TB, m Machine) relay.Store {
	s := m.Open(t)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func testOrder(t *testing.T, m Machine) {
	s := openStore(t, m)
	a, b := newBox(t, s, 1, 30, 0).open(), newBox(t, s, 2, 30, 0).open()
	for i := range 20 {
		if p := a.append(i, now+i); p != uint64(i) {
			t.Fatalf("cell %d went to position %d", i, p)
		}
		b.append(100+i, now)
	}
	p := a.read(0, 64)
	for i := range 20 {
		if numberOf(&p.Cells[i]) != i || p.Hours[i] != uint32(now+i) {
			t.Errorf("position %d has cell %d of hour %d", i, numberOf(&p.Cells[i]), p.Hours[i])
		}
	}
	if p.Next != 20 || len(b.numbers()) != 20 {
		t.Errorf("next %d, %d cells in the other box", p.Next, len(b.numbers()))
	}
}

func testPaging(t *testing.T, m Machine) {
	b := newBox(t, openStore(t, m), 1, 30, 0).open()
	for i := range 70 {
		b.append(i, now)
	}
	for _, test := range []struct {
		from uint64
		max  int
		want int
	}{{0, 1, 1}, {0, 64, 64}, {10, 8, 8}, {69, 8, 1}, {70, 8, 0}, {71, 8, 0}, {4096, 64, 0}, {5, 0, 0}} {
		p := b.read(test.from, test.max)
		if len(p.Cells) != test.want || p.First != test.from || p.Next != 70 {
			t.Errorf("from %d at most %d: first %d, %d cells, next %d", test.from, test.max, p.First, len(p.Cells), p.Next)
		}
		for i := range p.Cells {
			if numberOf(&p.Cells[i]) != int(test.from)+i {
				t.Errorf("from %d: cell %d at %d", test.from, numberOf(&p.Cells[i]), i)
			}
		}
	}
}

func testMissingBox(t *testing.T, m Machine) {
	s := openStore(t, m)
	b := newBox(t, s, 1, 30, 0)
	if p := b.read(3, 8); p.First != 3 || p.Next != 0 || len(p.Cells) != 0 {
		t.Errorf("reading gave %+v", p)
	}
	_, err := s.Append(t.Context(), b.id, cellOf(1), now)
	wantErr(t, err, relay.ErrNoBox)
	must(t, s.Destroy(t.Context(), b.id, now))
	b.open().append(1, now) // destroying nothing killed nothing
}

func testOpen(t *testing.T, m Machine) {
	s := openStore(t, m)
	b := newBox(t, s, 1, 30, 0).open()
	b.append(1, now)
	b.open()
	wantNumbers(t, b.numbers(), 1)
	other := newBox(t, s, 1, 31, 0)
	_, err := s.Append(t.Context(), other.id, cellOf(1), now)
	wantErr(t, err, relay.ErrNoBox) // other terms are another box
}

func testRetry(t *testing.T, m Machine) {
	s := openStore(t, m)
	a, b := newBox(t, s, 1, 30, 0).open(), newBox(t, s, 2, 30, 0).open()
	for i := range 5 {
		a.append(i, now)
	}
	for i := range 5 {
		if p := a.append(i, now+1); p != uint64(i) {
			t.Errorf("cell %d again went to %d", i, p)
		}
	}
	if p := b.append(3, now); p != 0 {
		t.Errorf("the same cell in another box went to %d", p)
	}
	wantNumbers(t, a.numbers(), 0, 1, 2, 3, 4)
}

func testFull(t *testing.T, m Machine) {
	s := openStore(t, m)
	b := newBox(t, s, 1, 1, 0).open()
	const writers = 64
	var g sync.WaitGroup
	for w := range writers {
		g.Go(func() {
			for i := w; i < wire.BoxCapacity; i += writers {
				if _, err := s.Append(t.Context(), b.id, cellOf(i), now); err != nil {
					t.Error(err)
				}
			}
		})
	}
	g.Wait()
	_, err := s.Append(t.Context(), b.id, cellOf(wire.BoxCapacity), now)
	wantErr(t, err, relay.ErrFull)
	if p := b.append(17, now); p >= wire.BoxCapacity || numberOf(&b.read(p, 1).Cells[0]) != 17 {
		t.Errorf("a cell that is there went to %d", p)
	}
	if p := b.read(wire.BoxCapacity-3, 64); len(p.Cells) != 3 || p.Next != wire.BoxCapacity {
		t.Errorf("the end: %d cells, next %d", len(p.Cells), p.Next)
	}
	must(t, s.Expire(t.Context(), now+25))
	_, err = s.Append(t.Context(), b.id, cellOf(1), now+25)
	wantErr(t, err, relay.ErrFull) // expiry makes no room
}

func testRestart(t *testing.T, m Machine) {
	s := m.Open(t)
	b := newBox(t, s, 1, 30, 0).open()
	for i := range 10 {
		b.append(i, now)
	}
	must(t, s.Close())
	must(t, s.Close()) // again does no harm
	if _, err := s.Append(t.Context(), b.id, cellOf(10), now); err == nil {
		t.Error("a closed store appends")
	}
	b.store = openStore(t, m)
	if p := b.append(4, now); p != 4 {
		t.Errorf("an old cell again went to %d", p)
	}
	if p := b.append(10, now); p != 10 {
		t.Errorf("a new cell went to %d", p)
	}
	wantNumbers(t, b.numbers(), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
}

func testExpireSome(t *testing.T, m Machine) {
	s := m.Open(t)
	b := newBox(t, s, 1, 1, 0).open()
	for i := range 10 {
		b.append(i, now+i)
	}
	must(t, s.Expire(t.Context(), now+24)) // a day exactly is not more than a day
	wantNumbers(t, b.numbers(), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	must(t, s.Expire(t.Context(), now+24+4))
	must(t, s.Expire(t.Context(), now+24+4))
	for range 2 {
		p := b.read(0, 64)
		if p.First != 4 || len(p.Cells) != 6 || p.Next != 10 {
			t.Fatalf("first %d, %d cells, next %d", p.First, len(p.Cells), p.Next)
		}
		if p := b.read(7, 64); p.First != 7 || len(p.Cells) != 3 {
			t.Fatalf("from 7: first %d, %d cells", p.First, len(p.Cells))
		}
		must(t, s.Close())
		s = m.Open(t)
		b.store = s
	}
	if p := b.append(2, now+28); p != 10 {
		t.Errorf("a cell that had expired went to %d", p)
	}
	if p := b.append(5, now+28); p != 5 {
		t.Errorf("a cell that had not went to %d", p)
	}
	must(t, s.Close())
}

func testExpireAll(t *testing.T, m Machine) {
	s := m.Open(t)
	b := newBox(t, s, 1, 1, 0).open()
	for i := range 3 {
		b.append(i, now+i)
	}
	must(t, s.Expire(t.Context(), now+2+25))
	for range 2 {
		if p := b.read(0, 64); p.First != 3 || len(p.Cells) != 0 || p.Next != 3 {
			t.Fatalf("first %d, %d cells, next %d", p.First, len(p.Cells), p.Next)
		}
		if got := s.Totals(); got != (relay.Totals{}) {
			t.Errorf("totals %+v", got)
		}
		must(t, s.Close())
		s = m.Open(t)
		b.store = s
	}
	// No position is given twice, and the box lives on.
	if p := b.open().append(0, now+30); p != 3 {
		t.Errorf("the next cell went to %d", p)
	}
	p := b.read(0, 64)
	if p.First != 3 || len(p.Cells) != 1 || numberOf(&p.Cells[0]) != 0 || p.Hours[0] != now+30 {
		t.Errorf("first %d, %d cells", p.First, len(p.Cells))
	}
	must(t, s.Expire(t.Context(), now+30+24))
	wantNumbers(t, b.numbers(), 0)
	must(t, s.Expire(t.Context(), now+30+25))
	wantNumbers(t, b.numbers())
	must(t, s.Close())
}

func testExpireUnused(t *testing.T, m Machine) {
	s := openStore(t, m)
	b := newBox(t, s, 1, 1, 0).open()
	if got := s.Totals(); got != (relay.Totals{Boxes: 1}) {
		t.Errorf("totals %+v", got)
	}
	must(t, s.Expire(t.Context(), now+25))
	if got := s.Totals(); got != (relay.Totals{}) {
		t.Errorf("totals %+v", got)
	}
	_, err := s.Append(t.Context(), b.id, cellOf(1), now+25)
	wantErr(t, err, relay.ErrNoBox)
	if p := b.open().append(1, now+25); p != 0 {
		t.Errorf("the first cell went to %d", p)
	}
}

func testClockGoesBack(t *testing.T, m Machine) {
	s := openStore(t, m)
	b := newBox(t, s, 1, 1, 0).open()
	b.append(0, now+5)
	b.append(1, now+2)
	if p := b.read(0, 8); p.Hours[0] != now+5 || p.Hours[1] != now+5 {
		t.Errorf("hours %v", p.Hours)
	}
	must(t, s.Expire(t.Context(), now-100))
	wantNumbers(t, b.numbers(), 0, 1)
	must(t, s.Expire(t.Context(), now+5+25))
	wantNumbers(t, b.numbers())
}

func testDestroy(t *testing.T, m Machine) {
	s := m.Open(t)
	b, other := newBox(t, s, 1, 30, 0).open(), newBox(t, s, 2, 30, 0).open()
	b.append(0, now)
	other.append(0, now)
	must(t, s.Destroy(t.Context(), b.id, now))
	must(t, s.Destroy(t.Context(), b.id, now))
	for range 2 {
		_, err := s.Read(t.Context(), b.id, 0, 8)
		wantErr(t, err, relay.ErrGone)
		_, err = s.Append(t.Context(), b.id, cellOf(0), now)
		wantErr(t, err, relay.ErrGone)
		wantErr(t, s.Open(t.Context(), b.proof, now), relay.ErrGone)
		must(t, s.Expire(t.Context(), now+24*1000))
		must(t, s.Close())
		s = m.Open(t)
	}
	must(t, s.Close())
}

func testDestroyNotIdle(t *testing.T, m Machine) {
	s := openStore(t, m)
	b := newBox(t, s, 1, 30, 2).open()
	b.append(0, now)
	b.append(1, now+10)
	wantErr(t, s.Destroy(t.Context(), b.id, now+10+48), relay.ErrNotIdle)
	wantNumbers(t, b.numbers(), 0, 1)
	must(t, s.Destroy(t.Context(), b.id, now+10+49))
	_, err := s.Read(t.Context(), b.id, 0, 8)
	wantErr(t, err, relay.ErrGone)
}

func testTotals(t *testing.T, m Machine) {
	s := m.Open(t)
	a, b := newBox(t, s, 1, 1, 0).open(), newBox(t, s, 2, 30, 0).open()
	for i := range 4 {
		a.append(i, now+i)
		b.append(i, now)
		b.append(i, now)
	}
	want := func(boxes, cells uint64) {
		t.Helper()
		if got := s.Totals(); got != (relay.Totals{Boxes: boxes, Cells: cells}) {
			t.Errorf("totals %+v, want %d and %d", got, boxes, cells)
		}
	}
	want(2, 8)
	must(t, s.Expire(t.Context(), now+26))
	want(2, 6)
	must(t, s.Close())
	s = m.Open(t)
	want(2, 6)
	must(t, s.Destroy(t.Context(), a.id, now+26))
	want(1, 4)
	must(t, s.Destroy(t.Context(), b.id, now+26))
	want(0, 0)
	must(t, s.Close())
}

func testCancelled(t *testing.T, m Machine) {
	s := openStore(t, m)
	b := newBox(t, s, 1, 30, 0).open()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Append(ctx, b.id, cellOf(0), now)
	wantErr(t, err, context.Canceled)
	_, err = s.Read(ctx, b.id, 0, 1)
	wantErr(t, err, context.Canceled)
	wantErr(t, s.Open(ctx, b.proof, now), context.Canceled)
	wantErr(t, s.Destroy(ctx, b.id, now), context.Canceled)
	wantErr(t, s.Expire(ctx, now), context.Canceled)
	wantNumbers(t, b.numbers())
}
