package client

import (
	"context"
	"errors"
	"testing"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/vault"
)

// withhold loses the Welcomes that a member made.
func (x *table) withhold(m *member) {
	x.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.update(func(sp *vault.Space) error {
		return m.dropAll(sp, func(it *item) bool { return it.Kind == itemParcel })
	}); err != nil {
		x.t.Fatal(err)
	}
}

// steps takes one step after another until something is so, with nothing left
// out and nothing posted that a test wants to lose.
func (x *table) steps(m *member, ok func() bool) {
	x.t.Helper()
	for i := 0; !ok(); i++ {
		if i == 30 {
			x.t.Fatal("in vain")
		}
		for _, step := range []func() error{
			func() error { return m.readDoors(context.Background(), true) }, m.proceed,
			func() error { return m.push(context.Background()) }, func() error { return m.turn(context.Background(), 0) },
		} {
			if err := step(); err != nil {
				x.t.Fatal(err)
			}
			if ok() {
				return
			}
		}
	}
}

// TestKnocksWithFreshKeys: somebody takes up the post of one who is away, and
// sends no Welcome. The room has that post's key now, so the next is signed by
// it, too, and another lets it in.
func TestKnocksWithFreshKeys(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	x.loses(corin, LossMissed)
	x.sync(corin)
	epoch := ruth.state.Epoch
	x.steps(ruth, func() bool { return ruth.state.Epoch > epoch })
	x.withhold(ruth)
	x.sync(ruth, halden, corin)
	if corin.acct.Standing != StandingLost {
		t.Fatalf("Corin is %s", corin.acct.Standing)
	}
	x.pass(25 * time.Hour)
	x.sync(corin, ruth, halden)
	if s := halden.state.Seat(corin.acct.Me); s.Back == nil {
		t.Fatal("the room does not take the second post")
	}
	for range 3 {
		x.sync(halden, ruth, corin)
	}
	x.pass(time.Minute) // others have their turns
	for range 3 {
		x.sync(halden, ruth, corin)
	}
	if corin.acct.Standing != StandingIn || ruth.state.Seat(corin.acct.Me).AddedBy != halden.acct.Me {
		t.Errorf("Corin is %s, let in by %v", corin.acct.Standing, ruth.state.Seat(corin.acct.Me).AddedBy)
	}
}

// TestPostLeftAtTheDoor: who came in while another post of its still lay at its
// door is let in once more by that one, and takes nobody else for the holder of
// its seat.
func TestPostLeftAtTheDoor(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	x.losesWithTwoPosts(corin)
	first := corin.acct.Away.Posts[0]
	x.sync(corin)
	x.takeUp(ruth, first)
	for range 6 {
		x.sync(ruth, halden, corin)
		x.pass(6 * time.Minute)
	}
	if corin.acct.Standing != StandingIn {
		t.Fatalf("Corin is %s: %v", corin.acct.Standing, corin.lostError())
	}
	for _, m := range []*member{ruth, corin} { // who wrote last may have been another
		if err := m.readOn(); err != nil {
			t.Fatal(err)
		}
	}
	if ruth.state.Digest() != corin.state.Digest() {
		t.Error("other skeletons")
	}
}

// TestPostAtADoorThatMoved: the Welcome for a post lies where that lay, though
// who put it there has another door since.
func TestPostAtADoorThatMoved(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	second := x.comesWithTheFirst(corin, ruth)
	corin.mu.Lock()
	err := corin.update(func(sp *vault.Space) error { return corin.enqueue(sp, &item{Kind: itemEvent, Event: corin.newDoor()}) })
	corin.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; corin.acct.Door == second.post().Door; i++ {
		if i == 9 || corin.acct.Standing != StandingIn {
			t.Fatalf("Corin is %s, and the door has not moved", corin.acct.Standing)
		}
		if err := errors.Join(corin.chore(corin.make), corin.push(t.Context()), corin.readOn()); err != nil {
			t.Fatal(err)
		}
	}
	x.takeUp(ruth, second)
	x.sync(corin, ruth, corin)
	if corin.acct.Standing != StandingIn || len(corin.posts()) != 0 {
		t.Errorf("Corin is %s: %v", corin.acct.Standing, corin.lostError())
	}
}

// TestPostThatNobodyElseTakesUp: who came in while the room knows of another post
// of its own lets others in meanwhile, and leaves itself alone.
func TestPostThatNobodyElseTakesUp(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	second := x.comesWithTheFirst(corin, ruth)
	x.tellsOf(ruth, second)
	if err := ruth.push(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := corin.readOn(); err != nil {
		t.Fatal(err)
	}
	if me := corin.state.Seat(corin.acct.Me); me.Back == nil || me.Back.Package != second.pkg() {
		t.Fatal("the room does not know of the second post")
	}
	x.loses(halden, LossMissed)
	x.sync(halden)
	for range 10 { // nobody but Corin and Halden is there
		x.sync(corin, halden)
		x.pass(6 * time.Minute)
	}
	if halden.acct.Standing != StandingIn || corin.acct.Standing != StandingIn {
		t.Errorf("Halden is %s, Corin %s", halden.acct.Standing, corin.acct.Standing)
	}
}

// losesWithTwoPosts is loses with another post at the door, signed by the first
// one's key, too.
func (x *table) losesWithTwoPosts(m *member) {
	x.t.Helper()
	x.loses(m, LossMissed)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.update(m.postReturn); err != nil {
		x.t.Fatal(err)
	}
}

// comesWithTheFirst has a member with two posts at its door let in by the first.
// It gives the second.
func (x *table) comesWithTheFirst(m, by *member) doorPost {
	x.t.Helper()
	x.losesWithTwoPosts(m)
	first, second := m.acct.Away.Posts[0], m.acct.Away.Posts[1]
	x.sync(m)
	x.takeUp(by, first)
	x.sync(m)
	return second
}

// tellsOf has somebody tell the room of one post, whatever else lies there.
func (x *table) tellsOf(by *member, p doorPost) {
	x.t.Helper()
	var r dialogue.Return
	if err := wire.Unmarshal(p.Content, &r, wire.MaxMessage); err != nil {
		x.t.Fatal(err)
	}
	by.mu.Lock()
	defer by.mu.Unlock()
	if err := by.do(dialogue.KindReturn, r); err != nil {
		x.t.Fatal(err)
	}
}

// takeUp has somebody tell the room of one post, and let in whose it is.
func (x *table) takeUp(by *member, p doorPost) {
	x.t.Helper()
	x.tellsOf(by, p)
	epoch := by.state.Epoch
	for by.state.Epoch == epoch {
		if err := by.push(context.Background()); err != nil {
			x.t.Fatal(err)
		}
		if err := by.turn(context.Background(), 0); err != nil {
			x.t.Fatal(err)
		}
	}
	x.sync(by)
}

// TestContestedMakesNoCommit: who was told two pasts commits nothing before it
// has chosen: by the wrong one that would be an attempt.
func TestContestedMakesNoCommit(t *testing.T) {
	x := newTable(t)
	_, _, _, mira := x.told()
	mira.mu.Lock()
	defer mira.mu.Unlock()
	due := *mira.state
	due.Seats = append([]dialogue.Seat(nil), mira.state.Seats...)
	due.Seat(due.Plan(dialogue.Plenary)[1]).Due = true
	mira.state = &due
	commits := func() bool {
		if mira.acct.Due == nil {
			mira.acct.Due = map[string]uint64{}
		}
		for range 2 { // all others have had their turn
			if err := mira.update(mira.commitDue); err != nil {
				t.Fatal(err)
			}
			for key := range mira.acct.Due {
				mira.acct.Due[key] = 1
			}
			mira.seen = map[string]bool{}
		}
		return mira.log.Pending(channel.Plenary)
	}
	mira.seen, mira.acct.Told = map[string]bool{}, 0 // it is days since
	if commits() {
		t.Error("a commit by a past that is contested")
	}
	mira.acct.Settled = true
	if !commits() {
		t.Error("no commit by one that is not")
	}
}

// TestSideRoomIsLostSlowly: a seat whose side room it can't follow says so once,
// and again only after a while, however often it happens.
func TestSideRoomIsLostSlowly(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	x.sync(halden)
	loses := func() (said int) {
		halden.mu.Lock()
		defer halden.mu.Unlock()
		if err := halden.update(func(sp *vault.Space) error { return halden.loseSideRoom(sp, 1, dialogue.SeatID{}) }); err != nil {
			t.Fatal(err)
		}
		for _, it := range halden.out {
			if e, err := dialogue.ParseEvent(it.Event); err == nil && (e.Kind == dialogue.KindRoomLost || e.Kind == dialogue.KindKeyPackage) {
				said++
			}
		}
		return said
	}
	x.pass(time.Hour)
	if n := loses(); n != 1 {
		t.Fatalf("said %d times", n)
	}
	for range 3 {
		if n := loses(); n != 1 {
			t.Errorf("said %d times at once", n)
		}
	}
	halden.mu.Lock()
	defer halden.mu.Unlock()
	if halden.owesLost() || !halden.acct.SideLost.Owed {
		t.Error("it is to be said again, and not yet")
	}
	x.pass(sayLostEvery * time.Minute)
	if !halden.owesLost() {
		t.Error("it is not said again")
	}
	if err := halden.update(halden.sayLost); err != nil || halden.acct.SideLost.Owed {
		t.Errorf("it is owed still: %v", err)
	}
}
