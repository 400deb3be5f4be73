package client

import (
	"context"
	"testing"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/mls"
	"parley/relay"
)

// TestUnfitPackageHoldsUpNobody: somebody with two cards posts the same
// signature key with both, which no tree can hold.
func TestUnfitPackageHoldsUpNobody(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin := x.seated()
	sig, err := mls.GenerateSignatureKey(Suite)
	if err != nil {
		t.Fatal(err)
	}
	var seats []dialogue.SeatID
	for _, name := range []string{"Mira", "Nora"} {
		card, seat, err := halden.c.Invite(ctx, halden.id, InviteOptions{Side: 1, Name: name})
		if err != nil {
			t.Fatal(err)
		}
		x.postAs(halden, card, sig)
		seats = append(seats, seat)
	}
	x.sync(halden, ruth, corin, halden)
	for _, seat := range seats {
		for _, m := range []*member{halden, corin} {
			if err := m.c.Approve(ctx, m.id, seat); err != nil {
				t.Fatal(err)
			}
			x.sync(m, ruth, halden, corin)
		}
	}
	x.sync(halden, ruth, corin, halden, ruth, corin)
	if a, b := ruth.state.Seat(seats[0]).Status, ruth.state.Seat(seats[1]).Status; a != dialogue.In || b != dialogue.Arrived {
		t.Errorf("the first is %d, the second %d", a, b)
	}
	if _, err := corin.c.Say(ctx, corin.id, Draft{Text: "Shall we go on?"}); err != nil {
		t.Fatal(err)
	}
	x.sync(corin, halden)
	if l, err := halden.c.Messages(halden.id, Query{}); err != nil || spoken(l) != 1 {
		t.Errorf("%d messages, %v", spoken(l), err)
	}
}

// TestVaultOpensWhileChoresWait: what a chore that waits for its turn is called
// is text, which the vault can read again.
func TestVaultOpensWhileChoresWait(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.joins(halden, 1, "Mira")
	for _, m := range []*member{ruth, corin} { // whose turn comes after Halden's
		x.sync(m)
		if len(m.acct.Due) == 0 {
			t.Errorf("%s has no chore that waits", m.c.Profile().Name)
		}
		if err := m.reload(); err != nil {
			t.Error(err)
		}
	}
}

// postAs posts for a card, with a signature key of the caller's choice.
func (x *table) postAs(m *member, text string, sig *mls.SignatureKey) {
	x.t.Helper()
	k, err := parseCard(text)
	if err != nil {
		x.t.Fatal(err)
	}
	kp, _, err := mls.NewKeyPackage(Suite, k.seat[:], sig, lifetime(m.c.opt.Now()))
	if err != nil {
		x.t.Fatal(err)
	}
	p := dialogue.Post{Seat: k.seat, KeyPackage: hashOf(kp.Marshal()), Rules: m.state.RulesHash()}
	box := k.boxKey()
	key, err := relay.BoxKeyFrom(box[:])
	if err != nil {
		x.t.Fatal(err)
	}
	cells, err := channel.Wrap(key, channel.ParcelPost, wire.Marshal(posted{Signed: p.Sign(k.signer()), Package: kp.Marshal()}))
	if err != nil {
		x.t.Fatal(err)
	}
	x.append(m, newParcelBox(inCardBox(box)).box, cells...)
}

// append puts cells into a box.
func (x *table) append(m *member, box *relay.Box, cells ...relay.Cell) {
	x.t.Helper()
	r, err := m.relay()
	if err != nil {
		x.t.Fatal(err)
	}
	for i := range cells {
		if _, err := r.Do(context.Background(), relay.Exchange{Box: box, Append: &cells[i], Mode: relay.Mode1}); err != nil {
			x.t.Fatal(err)
		}
	}
}

// TestTurns: who is first in a chore's order does it at once, the next once it
// is due for as long as a turn takes, and who is not in it never.
func TestTurns(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	order := []dialogue.SeatID{{1}, {2}, {3}}
	for i, me := range append(order, dialogue.SeatID{4}) {
		m := &member{c: &Client{opt: Options{Now: func() time.Time { return now }}}, acct: account{Me: me}, seen: map[string]bool{}}
		for turn := range order {
			if mine, want := m.myTurn("chore", order, 0), i < len(order) && turn >= i; mine != want {
				t.Errorf("seat %d after %d turns: %v", i, turn, mine)
			}
			now = now.Add(turnWait)
		}
	}
}
