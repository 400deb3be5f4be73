package client

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/vault"
)

// tells has a member say something, which is in the room then.
func (x *table) tells(m *member, r dialogue.Room, text string) {
	x.t.Helper()
	if _, err := m.c.Say(context.Background(), m.id, Draft{Room: r, Text: text}); err != nil {
		x.t.Fatal(err)
	}
	x.sync(m)
	if l := x.mine(m, r); len(l) == 0 || !strings.HasPrefix(l[len(l)-1], text) {
		x.t.Fatalf("%q is not in the room", text)
	}
}

// mine lists what a member said in a room, with whom it may not have reached.
// The lines in memory have to be those of the vault.
func (x *table) mine(m *member, r dialogue.Room) (l []string) {
	x.t.Helper()
	for _, q := range []Query{{Room: r}, {Room: r, After: 1}} {
		list, err := m.c.Messages(m.id, q)
		if err != nil {
			x.t.Fatal(err)
		}
		var these []string
		for _, msg := range list {
			if msg.Mine && msg.State == StateRoom && msg.Notice == nil {
				these = append(these, msg.Text+strings.Join(append([]string{""}, msg.Missed...), " !"))
			}
		}
		if l != nil && !slices.Equal(l, these) {
			x.t.Errorf("the vault has %q, the memory %q", l, these)
		}
		l = these
	}
	return l
}

// reached checks mine.
func (x *table) reached(m *member, r dialogue.Room, want ...string) {
	x.t.Helper()
	if l := x.mine(m, r); !slices.Equal(l, want) {
		x.t.Errorf("%s said %q", m.c.Profile().Name, l)
	}
}

// TestMayNotHaveReached: who comes back may have missed what was said since it
// last showed how far it had read. What it read before, and what is said
// afterwards, is not counted.
func TestMayNotHaveReached(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.tells(ruth, 0, "One.")
	x.sync(corin)
	x.tells(corin, 0, "Heard.")
	x.sync(ruth, halden)
	x.loses(corin, LossMissed)
	x.tells(ruth, 0, "Two.")
	x.tells(halden, 0, "Aye.")
	x.reached(ruth, 0, "One.", "Two.")
	told := &subscriber{wake: make(chan struct{}, 1), quit: make(chan struct{})}
	ruth.c.hub.mu.Lock()
	ruth.c.hub.subs = map[*subscriber]bool{told: true}
	ruth.c.hub.mu.Unlock()
	x.sync(corin, ruth, corin, halden, corin, ruth, halden)
	if corin.acct.Standing != StandingIn {
		t.Fatalf("Corin is %s", corin.acct.Standing)
	}
	if !slices.Contains(told.take(), Change{Dialogue: ruth.id, Room: dialogue.Plenary, Older: true}) {
		t.Error("faces are not told that older lines changed")
	}
	x.tells(ruth, 0, "Three.")
	want := []string{"One.", "Two. !Corin", "Three."}
	x.reached(ruth, 0, want...)
	x.reached(halden, 0, "Aye. !Corin")
	x.reached(corin, 0, "Heard.")
	known := maps.Clone(ruth.reached)
	if err := ruth.reload(); err != nil {
		t.Fatal(err)
	}
	if len(known) != 2 || !maps.Equal(known, ruth.reached) {
		t.Errorf("of %v the vault has %v", known, ruth.reached)
	}
	x.reached(ruth, 0, want...)

	// Once more: what was noted is noted once. What Corin had not read when he
	// wrote, and stands before it in the log, he has not shown to have read.
	x.sync(ruth, corin)
	x.writes(corin, "Heard, too.")
	x.tells(ruth, 0, "Four.")
	if err := corin.push(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.sync(ruth)
	x.loses(corin, LossMissed)
	x.sync(corin, ruth, corin, halden, corin, ruth, halden)
	x.reached(ruth, 0, append(want, "Four. !Corin")...)
}

// writes has a member make a message that is not posted yet.
func (x *table) writes(m *member, text string) {
	x.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.update(func(sp *vault.Space) error {
		if err := m.queueEvent(sp, dialogue.KindSay, dialogue.Say{Text: text}); err != nil {
			return err
		}
		return m.make(sp)
	}); err != nil {
		x.t.Fatal(err)
	}
}

// TestFalseHeaderShowsNothing: only a header that agrees with what one has read
// oneself shows how far its maker had read.
func TestFalseHeaderShowsNothing(t *testing.T) {
	x := newTable(t)
	ruth, _, corin := x.seated()
	ruth.mu.Lock()
	defer ruth.mu.Unlock()
	before := ruth.reached[reach{0, corin.acct.Me}]
	for _, against := range []channel.Contradiction{channel.ShowsMore, channel.OtherBox, channel.OtherPast, channel.Agrees} {
		got := &channel.Got{Place: ruth.log.Here(), Author: corin.acct.Me[:], Seen: 4000, Against: against}
		if err := ruth.update(func(sp *vault.Space) error { return ruth.entry(sp, got, nil) }); err != nil {
			t.Fatal(err)
		}
		if after := ruth.reached[reach{0, corin.acct.Me}]; (after == before) != (against != channel.Agrees) {
			t.Errorf("contradiction %d: %v, then %v", against, before, after)
		}
	}
}

// TestMayNotHaveReachedWhoWasNeverHeard: who was let in, and could not come, may
// have missed all since, and nothing before.
func TestMayNotHaveReachedWhoWasNeverHeard(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	x.tells(ruth, 0, "One.")
	x.sync(corin)
	x.tells(corin, 0, "Heard.")
	x.sync(ruth, halden)
	x.loses(corin, LossMissed)
	x.tells(ruth, 0, "Two.")
	x.sync(corin)
	epoch := ruth.state.Epoch
	x.steps(ruth, func() bool { return ruth.state.Epoch > epoch })
	x.withhold(ruth)
	x.sync(ruth, halden, corin, ruth)
	x.tells(ruth, 0, "Three.")
	x.reached(ruth, 0, "One.", "Two. !Corin", "Three.")
	x.pass(25 * time.Hour)
	x.sync(corin, ruth, halden)
	for range 3 {
		x.sync(halden, ruth, corin)
	}
	x.pass(time.Minute) // others have their turns
	for range 3 {
		x.sync(halden, ruth, corin)
	}
	if corin.acct.Standing != StandingIn {
		t.Fatalf("Corin is %s", corin.acct.Standing)
	}
	x.reached(ruth, 0, "One.", "Two. !Corin", "Three. !Corin")
}

// TestMayNotHaveReachedNewcomers: nobody missed what was said before it came,
// nor after it was removed.
func TestMayNotHaveReachedNewcomers(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin := x.seated()
	x.tells(ruth, 0, "One.")
	_, mira := x.joins(ruth, 1, "Mira")
	x.sync(mira, ruth, halden, corin)
	x.approve(mira, halden, corin)
	x.sync(ruth, mira)
	x.tells(ruth, 0, "Two.")
	if mira.acct.Standing != StandingIn {
		t.Fatalf("Mira is %s", mira.acct.Standing)
	}
	x.loses(mira, LossMissed) // before she was heard
	x.sync(mira, ruth, halden, corin, mira, ruth, halden)
	x.sync(mira, ruth, halden)
	if mira.acct.Standing != StandingIn {
		t.Fatalf("Mira is %s", mira.acct.Standing)
	}
	x.reached(ruth, 0, "One.", "Two. !Mira")
	x.tells(ruth, 0, "Three.")
	if err := ruth.c.Remove(ctx, ruth.id, corin.acct.Me); err != nil {
		t.Fatal(err)
	}
	x.sync(ruth, halden, ruth)
	if s := ruth.state.Seat(corin.acct.Me); s.Status != dialogue.Removed {
		t.Fatalf("Corin has status %d", s.Status)
	}
	x.reached(ruth, 0, "One.", "Two. !Mira", "Three.")
	for k := range ruth.reached {
		if k.seat == corin.acct.Me {
			t.Error("a removed seat is kept")
		}
	}
}

// TestMayNotHaveReachedTheLostComputer: a new card has read nothing of what was
// said before; what the lost computer showed to have read was read.
func TestMayNotHaveReachedTheLostComputer(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, old := x.seated()
	x.tells(ruth, 0, "One.")
	x.sync(old)
	x.tells(old, 0, "Heard.")
	x.sync(ruth, halden)
	x.tells(ruth, 0, "Two.")
	x.sync(old)
	corin := x.newCardFor(ruth, old.acct.Me)
	x.sync(halden)
	post := halden.state.Seat(old.acct.Me).Replacements[0].Post
	if err := halden.c.ApproveNew(ctx, halden.id, old.acct.Me, post); err != nil {
		t.Fatal(err)
	}
	x.sync(halden, ruth)
	x.reached(ruth, 0, "One.", "Two.")
	if err := ruth.c.ApproveNew(ctx, ruth.id, old.acct.Me, post); err != nil {
		t.Fatal(err)
	}
	ruth.mu.Lock() // it makes the event, and does not go on to the commit
	err := ruth.update(ruth.make)
	ruth.mu.Unlock()
	if err != nil || ruth.push(ctx) != nil {
		t.Fatal(err)
	}
	x.plays(old, dialogue.KindSay, dialogue.Say{Text: "I have read all."}) // whoever has it now
	x.sync(ruth, halden, corin, ruth, corin, halden)
	if corin.acct.Standing != StandingIn {
		t.Fatalf("Corin is %s", corin.acct.Standing)
	}
	x.tells(ruth, 0, "Three.")
	x.reached(ruth, 0, "One.", "Two. !Corin", "Three.")
}

// TestMayNotHaveReachedWhoSleeps: nor has who was away until it slept. While it
// sleeps it is among nobody's readers.
func TestMayNotHaveReachedWhoSleeps(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden)
	x.tells(ruth, 0, "One.")
	for range int(ruth.state.Rules.SleepDays) + 1 {
		x.pass(24 * time.Hour)
		x.sync(ruth, halden, ruth)
	}
	x.sync(halden, ruth, halden, ruth)
	if s := ruth.state.Seat(corin.acct.Me).Status; s != dialogue.Asleep {
		t.Fatalf("Corin has status %d", s)
	}
	x.tells(ruth, 0, "Two.")
	x.reached(ruth, 0, "One. !Corin", "Two.")
}

// TestMayNotHaveReachedInASideRoom: a side room that somebody can't follow is
// judged by itself.
func TestMayNotHaveReachedInASideRoom(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	_, mira := x.joins(halden, 1, "Mira")
	x.sync(halden)
	x.approve(mira, halden, corin)
	x.sync(halden, corin, ruth, halden, mira, halden, mira, halden, ruth)
	if len(halden.members(1)) != 2 || !mira.log.In(1) {
		t.Fatal("Mira is not in the side room")
	}
	x.tells(halden, 0, "To all.")
	x.tells(halden, 1, "One.")
	x.sync(mira)
	x.tells(mira, 1, "Heard.")
	x.sync(halden)
	x.tells(halden, 1, "Two.")
	mira.mu.Lock()
	mira.acct.SideLost = sideLost{}
	err := mira.update(func(sp *vault.Space) error { return mira.loseSideRoom(sp, 1, dialogue.SeatID{}) })
	mira.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	x.tells(halden, 1, "Three.")
	x.sync(mira, halden, mira, halden, mira, halden)
	if !mira.log.In(1) || !halden.log.In(1) {
		t.Fatal("Mira is not back in the side room")
	}
	x.tells(halden, 1, "Four.")
	x.reached(halden, 1, "One.", "Two. !Mira", "Three. !Mira", "Four.")
	x.reached(halden, 0, "To all.")
}

// TestMayNotHaveReachedWhoIsLetInAgain: in a side room that goes on without who
// lost it, what was said until that one was let in again is counted, too.
func TestMayNotHaveReachedWhoIsLetInAgain(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	var north []*member
	for _, name := range []string{"Mira", "Nora"} {
		_, m := x.joins(halden, 1, name)
		x.sync(halden)
		x.approve(m, halden, corin)
		x.sync(halden, corin, ruth, halden, m, halden, m, halden, ruth)
		north = append(north, m)
	}
	mira, nora := north[0], north[1]
	x.sync(mira, nora, halden, mira, nora)
	if len(halden.members(1)) != 3 || !mira.log.In(1) || !nora.log.In(1) {
		t.Fatal("not all of North are in the side room")
	}
	x.tells(halden, 1, "One.")
	x.sync(mira)
	x.tells(mira, 1, "Heard.")
	x.sync(halden, nora)
	x.tells(halden, 1, "Two.")
	mira.mu.Lock()
	mira.acct.SideLost = sideLost{}
	err := mira.update(func(sp *vault.Space) error { return mira.loseSideRoom(sp, 1, dialogue.SeatID{}) })
	mira.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	x.sync(mira)
	x.tells(halden, 1, "Three.") // made before it reads that Mira can't read it
	x.sync(mira, halden, nora, mira, halden)
	if !mira.log.In(1) || len(halden.members(1)) != 3 {
		t.Fatal("Mira is not back in the side room")
	}
	x.tells(halden, 1, "Four.")
	x.reached(halden, 1, "One.", "Two. !Mira", "Three. !Mira", "Four.")
}

// TestMayNotHaveReachedMeanwhile: who was out of the room itself learns from what
// it is told whether another was out, too.
func TestMayNotHaveReachedMeanwhile(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.tells(halden, 0, "One.")
	x.sync(ruth)
	x.tells(ruth, 0, "Heard.")
	x.sync(halden, ruth)
	x.loses(halden, LossMissed)
	x.loses(corin, LossMissed)
	x.sync(corin, ruth, corin, ruth, corin)
	x.sync(halden, ruth, halden, corin, halden)
	for _, m := range []*member{halden, corin} {
		if m.acct.Standing != StandingIn {
			t.Fatalf("%s is %s", m.c.Profile().Name, m.acct.Standing)
		}
	}
	x.reached(halden, 0, "One. !Corin")
	x.reached(ruth, 0, "Heard. !Corin !Halden")
}

// TestMayNotHaveReachedWhoFoundedAgain: in a room that is founded again everybody
// but its founder was out. It is said once the founding can't be given up.
func TestMayNotHaveReachedWhoFoundedAgain(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin, nora := x.four()
	x.tells(ruth, 0, "One.")
	x.sync(halden, corin, nora)
	x.tells(corin, 0, "Heard.")
	x.sync(ruth, halden, nora)
	x.tells(ruth, 0, "Two.")
	x.sync(corin, nora)
	x.leftOut(halden, ruth, corin, nora)
	x.founds(ruth)
	x.sync(ruth)
	x.tells(ruth, 0, "Three.")
	x.reached(ruth, 0, "One.", "Two.", "Three.")
	x.accepts(corin, ruth)
	x.sync(corin, ruth, corin, ruth)
	want := []string{"One. !Nora", "Two. !Corin !Nora", "Three."}
	x.reached(ruth, 0, want...)
	x.accepts(nora, ruth)
	x.sync(nora, ruth, corin, nora, ruth, corin)
	x.reached(corin, 0, "Heard. !Nora") // Ruth had shown that she read it
	x.tells(ruth, 0, "Four.")
	x.sync(corin)
	x.tells(corin, 0, "Heard, too.")
	x.sync(ruth)
	x.loses(corin, LossMissed)
	x.sync(corin, ruth, corin, nora, corin, ruth, nora)
	if corin.acct.Standing != StandingIn {
		t.Fatalf("Corin is %s", corin.acct.Standing)
	}
	x.reached(ruth, 0, append(want, "Four.")...)
}

// TestMarks: places are ordered as one came by them.
func TestMarks(t *testing.T) {
	l := []mark{
		{Epoch: 9, Part: 9, Position: 9}, {Log: 1, Position: 5}, {Log: 1, Position: 6}, {Log: 1, Part: 1}, {Log: 1, Epoch: 1}, {Log: 2},
	}
	for i, a := range l {
		for j, b := range l {
			if c := a.compare(b); (c < 0) != (i < j) || (c == 0) != (i == j) {
				t.Errorf("%v and %v: %d", a, b, c)
			}
		}
	}
	m := &member{acct: account{Logs: 3}}
	if at := m.mark(channel.Place{Epoch: 2, Part: 1, Position: 7}); at != (mark{Log: 3, Epoch: 2, Part: 1, Position: 7}) {
		t.Errorf("%v", at)
	}
}
