package client

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"parley/dialogue"
	"parley/relay"
	"parley/vault"
)

// TestSyncBesideRun: what a person asks for goes well with the loops, and all
// of it ends with Close.
func TestSyncBesideRun(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin := x.seated()
	for _, m := range []*member{ruth, halden, corin} {
		go m.c.Run(ctx)
	}
	x.joins(halden, 1, "Mira")
	for range 5 {
		if _, err := halden.c.Say(ctx, halden.id, Draft{Text: "Well?"}); err != nil {
			t.Fatal(err)
		}
		x.sync(halden, ruth, corin)
	}
	x.sync(ruth, corin)
	for _, m := range []*member{ruth, halden, corin} {
		if l, err := m.c.Messages(m.id, Query{}); err != nil || spoken(l) != 5 {
			t.Errorf("%s has %d messages, %v", m.c.Profile().Name, spoken(l), err)
		}
	}
}

// TestSyncWaitsQuietly: while the relay does not show what it took, a Sync asks
// for it and waits, rather than asking all the time.
func TestSyncWaitsQuietly(t *testing.T) {
	x := newTable(t)
	ruth, _, _ := x.seated()
	ruth.mu.Lock()
	err := ruth.update(func(sp *vault.Space) error { return ruth.queueEvent(sp, dialogue.KindHello, dialogue.Hello{}) })
	ruth.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if err := ruth.proceed(); err != nil {
		t.Fatal(err)
	}
	ruth.mu.Lock()
	for _, it := range ruth.out {
		for i := range it.Cells {
			it.Cells[i].posted = true // the relay says so, and has nothing
		}
	}
	ruth.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var asked, waited atomic.Int32
	count := func(q *relay.Request) {
		n := asked.Add(1)
		if q.Wait > 0 {
			waited.Add(1)
		}
		if waited.Load() == 2 || n == 40 {
			cancel()
		}
	}
	x.asked.Store(&count)
	if err := ruth.c.Sync(ctx, ruth.id, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("Sync: %v", err)
	}
	if n, w := asked.Load(), waited.Load(); w < 2 || n >= 40 {
		t.Errorf("of %d requests %d waited for an answer", n, w)
	}
}

// TestAnswersHaveRoomForWhatIsNew: who has a box to read asks for a few cells, and
// for many only once it knows that there are.
func TestAnswersHaveRoomForWhatIsNew(t *testing.T) {
	x := newTable(t)
	ruth, _, corin := x.seated()
	x.sync(ruth, corin)
	x.fill(ruth, ruth.log.Box(), 40)
	corin.mu.Lock()
	corin.caughtUp = false
	box := corin.log.Box().ID()
	corin.mu.Unlock()
	modes := make(chan relay.Mode, 8)
	see := func(q *relay.Request) {
		if q.Op == relay.OpRead && q.Box == box {
			modes <- q.Mode
		}
	}
	x.asked.Store(&see)
	for range 2 {
		if err := corin.turn(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	if first, then := <-modes, <-modes; first != relay.Mode8 || then != relay.Mode64 || !corin.caughtUp {
		t.Errorf("it asked for %d cells, then for %d, and has read to the end: %v", first, then, corin.caughtUp)
	}
}
