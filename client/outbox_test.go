package client

import (
	"context"
	"errors"
	"testing"

	"parley/channel"
	"parley/dialogue"
	"parley/vault"
)

// TestLostVaultPostsNothing: what was made before a vault turned out to be an
// older copy, or lost the room, has no box any more.
func TestLostVaultPostsNothing(t *testing.T) {
	x := newTable(t)
	ruth, halden, _ := x.seated()
	if _, err := ruth.c.Say(context.Background(), ruth.id, Draft{Text: "Never to be sent."}); err != nil {
		t.Fatal(err)
	}
	ruth.mu.Lock()
	err := ruth.update(func(sp *vault.Space) error { return ruth.lose(sp, LossOlder, dialogue.SeatID{}) })
	ruth.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if err := ruth.push(context.Background()); err != nil {
		t.Fatal(err)
	}
	x.sync(halden)
	if l, err := halden.c.Messages(halden.id, Query{}); err != nil || spoken(l) != 0 {
		t.Errorf("%d messages, %v", spoken(l), err)
	}
}

func spoken(l []Message) (n int) {
	for _, m := range l {
		if m.Kind != KindNotice && m.State == StateRoom {
			n++
		}
	}
	return n
}

// TestFullOutboxLetsReadingGoOn: what a person wrote offline fills the outbox;
// what the protocol has to say still fits, or reading would stop for good.
func TestFullOutboxLetsReadingGoOn(t *testing.T) {
	x := newTable(t)
	ruth, _, _ := x.seated()
	e := dialogue.NewEvent(dialogue.KindSay, 1, dialogue.Say{Text: "x"})
	ruth.mu.Lock()
	err := ruth.update(func(sp *vault.Space) error {
		for len(ruth.out) < maxOutbox {
			if err := ruth.enqueue(sp, &item{Kind: itemEvent, Event: e.Marshal(), Readers: []Reader{}}); err != nil {
				return err
			}
		}
		return ruth.queueEvent(sp, dialogue.KindHello, dialogue.Hello{})
	})
	ruth.mu.Unlock()
	if err != nil {
		t.Fatalf("a full outbox has no room for the protocol's own: %v", err)
	}
	if _, err := ruth.c.Say(context.Background(), ruth.id, Draft{Text: "One more."}); !errors.Is(err, ErrOutbox) {
		t.Errorf("a person's message: %v", err)
	}
	if err := ruth.c.ReadWords(context.Background(), ruth.id); !errors.Is(err, ErrOutbox) {
		t.Errorf("a person's act: %v", err)
	}
}

// TestRemovedOwesWelcome: who seated somebody and is removed before the Welcome
// went out still sends it, since nobody else can.
func TestRemovedOwesWelcome(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin := x.seated()
	_, mira := x.joins(halden, 1, "Mira")
	x.sync(halden)
	x.approve(mira, halden, corin)
	x.sync(ruth)
	for i := 0; ruth.state.Seat(mira.acct.Me).Status != dialogue.In; i++ {
		if i == 20 {
			t.Fatal("Halden seats nobody")
		}
		if !halden.log.Pending(channel.Plenary) || halden.out[0].Stage == stageChunks {
			if err := halden.turn(ctx, 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(halden.push(ctx), ruth.turn(ctx, 0)); err != nil {
			t.Fatal(err)
		}
	}
	x.sync(ruth)
	if err := ruth.c.Remove(ctx, ruth.id, halden.acct.Me); err != nil {
		t.Fatal(err)
	}
	x.sync(ruth)
	for i := 0; halden.acct.Standing == StandingIn; i++ {
		if i == 20 {
			t.Fatal("Halden is not removed")
		}
		if err := halden.turn(ctx, 0); err != nil {
			t.Fatal(err)
		}
	}
	if mira.acct.Standing != StandingWaiting {
		t.Fatalf("Mira is %s already", mira.acct.Standing)
	}
	x.sync(halden, mira, ruth, mira)
	if mira.acct.Standing != StandingIn {
		t.Errorf("Mira is %s", mira.acct.Standing)
	}
}

// TestReportsOnlyWhatCounts: what the fold would refuse is not told to the
// log, where it would be refused again and again.
func TestReportsOnlyWhatCounts(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.joins(halden, 1, "Mira")
	x.sync(ruth, corin)
	// The card's maker leaves, and reads the card's box only then.
	if err := halden.c.Leave(context.Background(), halden.id); err != nil {
		t.Fatal(err)
	}
	if err := halden.push(context.Background()); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		if err := halden.turn(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
		if err := halden.watchCards(context.Background(), true); err != nil {
			t.Fatal(err)
		}
	}
	if halden.me() == nil || !halden.me().Due {
		t.Fatal("Halden's leaving is not there")
	}
	if halden.outHas(dialogue.KindArrive, func(dialogue.Event) bool { return true }) {
		t.Error("who leaves reports an arrival, in vain")
	}
}

// TestReadIsKept: what a person has read is written with what is written next,
// or at the end.
func TestReadIsKept(t *testing.T) {
	x := newTable(t)
	ruth, _, corin := x.seated()
	say := func() {
		if _, err := corin.c.Say(context.Background(), corin.id, Draft{Text: "Has anybody read this?"}); err != nil {
			t.Fatal(err)
		}
		x.sync(corin, ruth)
	}
	unread := func() int { // as somebody finds it who opens the vault now
		ruth.mu.Lock()
		defer ruth.mu.Unlock()
		if err := ruth.reloadLocked(); err != nil {
			t.Fatal(err)
		}
		return ruth.unread[dialogue.Plenary]
	}
	read := func() {
		if err := ruth.c.MarkRead(ruth.id, dialogue.Plenary); err != nil || ruth.unread[dialogue.Plenary] != 0 {
			t.Fatalf("%d unread, %v", ruth.unread[dialogue.Plenary], err)
		}
	}
	say()
	if unread() != 1 {
		t.Fatal("nothing to read")
	}
	read()
	if err := ruth.save(); err != nil || unread() != 0 {
		t.Errorf("saved, and %d unread (%v)", unread(), err)
	}
	say()
	read()
	say()
	if unread() != 1 {
		t.Errorf("read one of two, and %d unread", unread())
	}
}
