package client

import (
	"context"
	"errors"
	"slices"
	"testing"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/mls"
	"parley/vault"
)

// newCardFor has by ask for a new card for a seat, and somebody use it.
func (x *table) newCardFor(by *member, seat dialogue.SeatID) *member {
	x.t.Helper()
	ctx := context.Background()
	card, err := by.c.Replace(ctx, by.id, seat, 0)
	if err != nil {
		x.t.Fatal(err)
	}
	x.sync(by)
	c := x.person("Anew")
	if _, _, err := c.Join(ctx, card); err != nil {
		x.t.Fatal(err)
	}
	x.sync(c.all()[0], by, by)
	return c.all()[0]
}

// plays queues an event that the rules do not allow, as a client that was
// altered would.
func (x *table) plays(m *member, k dialogue.Kind, body any) {
	x.t.Helper()
	m.mu.Lock()
	err := m.update(func(sp *vault.Space) error {
		if err := m.queueEvent(sp, k, body); err != nil {
			return err
		}
		return m.make(sp)
	})
	m.mu.Unlock()
	if err != nil {
		x.t.Fatal(err)
	}
	if err := m.push(context.Background()); err != nil {
		x.t.Fatal(err)
	}
}

// TestThiefWithTheOldComputer: from the second approval on, whoever has the old
// computer writes nothing, approves nothing, gives nothing up, commits nothing,
// and does not come back by its door: neither before the commit nor after.
func TestThiefWithTheOldComputer(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, thief := x.seated()
	_, mira := x.joins(ruth, 1, "Mira")
	x.sync(mira, ruth, halden, thief)
	x.approve(mira, halden, thief)
	x.sync(ruth, mira, ruth, halden, thief, mira, ruth)
	corin := x.newCardFor(ruth, thief.acct.Me)
	x.sync(halden, thief)

	// Before it, the thief has no say in it, and is the seat in all else.
	post := ruth.state.Seat(thief.acct.Me).Replacements[0].Post
	for _, try := range []error{
		thief.c.ApproveNew(ctx, thief.id, thief.acct.Me, post),
		thief.c.Revoke(ctx, thief.id, thief.acct.Me),
	} {
		if e := new(RuleError); !errors.As(try, &e) || e.Reason != dialogue.ReasonNotYours {
			t.Errorf("the thief tries: %v", try)
		}
	}
	if err := halden.c.ApproveNew(ctx, halden.id, thief.acct.Me, post); err != nil {
		t.Fatal(err)
	}
	x.sync(halden, ruth, thief)
	if err := ruth.c.ApproveNew(ctx, ruth.id, thief.acct.Me, post); err != nil {
		t.Fatal(err)
	}
	ruth.mu.Lock() // it makes the event, and does not go on to the commit
	err := ruth.update(ruth.make)
	ruth.mu.Unlock()
	if err != nil || ruth.push(ctx) != nil {
		t.Fatal(err)
	}

	// The thief has not read it, or says so: all it makes stands behind it in the log.
	x.plays(thief, dialogue.KindSay, dialogue.Say{Text: "Trust me."})
	x.plays(thief, dialogue.KindLeave, dialogue.Leave{})
	x.plays(thief, dialogue.KindRemove, dialogue.Remove{Seat: mira.acct.Me})
	thief.mu.Lock()
	err = thief.update(func(sp *vault.Space) error { return thief.stage(sp, dialogue.Plenary, mls.CommitContent{}) })
	thief.mu.Unlock()
	if err != nil || thief.push(ctx) != nil {
		t.Fatal(err)
	}
	x.sync(mira, halden)
	for _, m := range []*member{halden, mira} {
		l, err := m.c.Messages(m.id, Query{})
		if err != nil || spoken(l) != 0 {
			t.Errorf("%s reads %d messages, %v", m.c.Profile().Name, spoken(l), err)
		}
	}

	x.sync(ruth, halden, mira, ruth, corin, ruth, halden, mira, corin)
	if s := ruth.state.Seat(thief.acct.Me); s.Status != dialogue.In || s.Replacing || corin.acct.Standing != StandingIn {
		t.Fatalf("the new card: %s, %+v", corin.acct.Standing, s)
	}
	if s := ruth.state.Seat(mira.acct.Me); s.Due || len(s.Removers) > 0 {
		t.Errorf("the thief had Mira removed: %+v", s)
	}

	// By its door, with each key that it ever had.
	keys := thief.log.Signers(channel.Plenary)
	x.sync(thief)
	if thief.acct.Away == nil || thief.acct.Away.Reason != LossNewCard || len(thief.acct.Away.Posts) != 0 {
		t.Fatalf("the old computer: %s, %+v", thief.acct.Standing, thief.acct.Away)
	}
	thief.mu.Lock()
	thief.acct.Away.holdKeys(keys)
	err = thief.update(thief.postReturn)
	thief.mu.Unlock()
	if err != nil || thief.push(ctx) != nil {
		t.Fatal(err)
	}
	x.sync(ruth, halden, mira, corin, ruth, halden)
	for _, m := range []*member{ruth, halden, mira, corin} {
		if s := m.state.Seat(thief.acct.Me); s.Back != nil || m.state.Digest() != ruth.state.Digest() {
			t.Errorf("%s: %+v", m.c.Profile().Name, s)
		}
	}
}

// TestNewCardBehindTheFirst: who came in after a new card was used finds its
// key package in the card's box, and can carry it out; posts of cards that are
// void are forgotten.
func TestNewCardBehindTheFirst(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.newCardFor(halden, corin.acct.Me)
	x.sync(ruth, halden)
	anew := x.newCardFor(halden, corin.acct.Me)
	x.sync(ruth, halden)
	posts := func(m *member) (n int) {
		if err := m.view(func(sp *vault.Space) error {
			for p, err := range scan(sp, append([]byte(keyPost), corin.acct.Me[:]...), scanOptions{}) {
				var q posted
				if err != nil || wire.Unmarshal(p.Value, &q, wire.MaxMessage) != nil || q.Signed.Post.Hash() == (dialogue.Hash{}) {
					t.Error("a post is none")
				}
				n++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := posts(ruth); n != 1 && n != 2 { // the first card's, and the latest new one's
		t.Errorf("%d posts", n)
	}
	if l := ruth.state.Seat(corin.acct.Me).Replacements; len(l) != 1 || l[0].Post != anew.acct.Joining.Post {
		t.Fatalf("%+v", l)
	}
	for _, m := range []*member{ruth, halden} {
		if err := m.c.Approve(context.Background(), m.id, corin.acct.Me); err != nil {
			t.Fatal(err)
		}
		if err := m.c.Approve(context.Background(), m.id, corin.acct.Me); err != nil { // there is nothing more to approve
			t.Fatal(err)
		}
		m.mu.Lock()
		err := m.update(m.make)
		m.mu.Unlock()
		if err != nil || m.push(context.Background()) != nil {
			t.Fatal(err)
		}
		if m == ruth {
			x.sync(halden)
		}
	}
	x.sync(ruth, halden, ruth, anew, ruth, halden, anew)
	if anew.acct.Standing != StandingIn {
		t.Errorf("the new card is %s", anew.acct.Standing)
	}
	if n := posts(ruth); n > 1 {
		t.Errorf("%d posts are kept", n)
	}
}

// TestCardShownAgain: a new card can be shown again until it is used or taken
// back, by who made it.
func TestCardShownAgain(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin := x.seated()
	card, err := ruth.c.Replace(ctx, ruth.id, corin.acct.Me, 0)
	if err != nil {
		t.Fatal(err)
	}
	again := func() (string, error) { return ruth.c.Card(ruth.id, corin.acct.Me) }
	if text, err := again(); text != card || err != nil {
		t.Errorf("before it was announced: %v", err)
	}
	x.sync(ruth, halden)
	if text, err := again(); text != card || err != nil {
		t.Errorf("before it was used: %v", err)
	}
	if _, err := halden.c.Card(halden.id, corin.acct.Me); !errors.Is(err, ErrNoSeat) {
		t.Errorf("for another: %v", err)
	}
	if err := halden.c.Approve(ctx, halden.id, corin.acct.Me); !errors.Is(err, ErrWaiting) {
		t.Errorf("approved before it was used: %v", err)
	}
	if err := ruth.c.Revoke(ctx, ruth.id, corin.acct.Me); err != nil {
		t.Fatal(err)
	}
	x.sync(ruth)
	if _, err := again(); !errors.Is(err, ErrCardUsed) {
		t.Errorf("after it was taken back: %v", err)
	}
	if _, err := ruth.c.Replace(ctx, ruth.id, ruth.acct.Me, 0); err == nil {
		t.Error("a new card for one's own seat")
	}
	if s := halden.show().Seats; slices.ContainsFunc(s, func(s Seat) bool { return s.Me && s.MayDo.Replace }) {
		t.Error("one is offered a new card for one's own seat")
	}
}

// TestOldLeafInASideRoom: while a side room still has the leaf of a seat that
// came in again, nothing is written there.
func TestOldLeafInASideRoom(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	_, mira := x.joins(ruth, 1, "Mira")
	x.sync(mira, ruth, halden, corin)
	x.approve(mira, halden, corin)
	x.sync(ruth, mira, ruth, halden, corin, mira, halden, mira, halden)
	if why := halden.canWrite(1); why != WhyNone {
		t.Fatalf("the side room: %q", why)
	}
	halden.mu.Lock()
	defer halden.mu.Unlock()
	next := *halden.state
	next.Rooms = slices.Clone(next.Rooms)
	next.Rooms[0].Lost = []dialogue.SeatID{mira.acct.Me}
	halden.state = &next
	if why := halden.canWrite(1); why != WhyChanging {
		t.Errorf("with the old leaf: %q", why)
	}
}
