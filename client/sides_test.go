package client

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/mls"
	"parley/vault"
)

// TestSideRoomWaitsForItsWelcome: who joins a side room reads from its Welcome
// on. What the others say between the commit and the Welcome would never reach
// them, and another commit there would leave them behind for good.
func TestSideRoomWaitsForItsWelcome(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin := x.seated()
	_, mira := x.joins(halden, 1, "Mira")
	x.sync(halden)
	x.approve(mira, halden, corin)
	x.sync(halden, corin, ruth, halden, mira)
	for len(halden.members(1)) < 2 {
		if err := halden.turn(ctx, 0); err != nil {
			t.Fatal(err)
		}
		if len(halden.members(1)) == 2 {
			break
		}
		if err := halden.push(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := halden.c.Say(ctx, halden.id, Draft{Room: 1, Text: "Welcome, Mira."}); err != nil {
		t.Fatal(err)
	}
	if d, _ := halden.c.Dialogue(halden.id); d.Rooms[1].Why != WhyChanging {
		t.Errorf("one can write before the Welcome is there: %q", d.Rooms[1].Why)
	}
	x.sync(halden, mira, halden, mira)
	if l, err := mira.c.Messages(mira.id, Query{Room: 1}); err != nil || spoken(l) != 1 {
		t.Errorf("Mira reads %d messages, %v", spoken(l), err)
	}
	// Should the one who owes the Welcome be removed, the room goes on without it.
	halden.mu.Lock()
	defer halden.mu.Unlock()
	halden.acct.Adding[1] = addition{By: dialogue.NewSeatID(), Seats: []dialogue.SeatID{mira.acct.Me}}
	if halden.adding(1) || !slices.Contains(halden.members(1), mira.acct.Me) {
		t.Error("the room waits for somebody who has gone")
	}
}

// TestPlenaryKeyInASideRoom: who leaves a key for its side room that served, or
// serves, in the plenary is not let in with it, and nobody makes a commit for it
// that would count for nothing.
func TestPlenaryKeyInASideRoom(t *testing.T) {
	x := newTable(t)
	_, _, corin, nora := x.four()
	const south = dialogue.Room(2)
	if len(corin.members(south)) != 2 {
		t.Fatal("Nora is not in her side's room")
	}
	kp, _, err := mls.NewKeyPackage(Suite, nora.acct.Me[:], nora.log.Signers(channel.Plenary)[0], lifetime(nora.c.opt.Now()))
	if err != nil {
		t.Fatal(err)
	}
	x.plays(nora, dialogue.KindRoomLost, dialogue.RoomLost{Room: south, Package: kp.Marshal()})
	x.turns(corin)
	if corin.state.Founded(south) == nil || len(corin.members(south)) != 1 {
		t.Fatalf("the room has the members %v", corin.members(south))
	}
	if slices.ContainsFunc(corin.out, func(it *item) bool { return it.Kind == itemCommit }) {
		t.Error("Corin makes a commit that lets her in")
	}
}

// TestNobodyLetsOneIn: whoever is alone in a side room and lets in nobody does
// not keep its side from having one: who waited for an hour says so, and the room
// is founded anew.
func TestNobodyLetsOneIn(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin, mira := x.inNorth()
	x.clocks(ruth, halden, corin, mira)
	halden.mu.Lock() // it comes back to the plenary, and Mira's computer does nothing for it
	err := halden.update(func(sp *vault.Space) error { return halden.dropRoom(sp, north) })
	halden.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	group := bytes.Clone(halden.state.Founded(north).Group)
	x.sync(halden, corin)
	x.pass((letInWithin - 1) * time.Minute)
	x.sync(halden, corin)
	if s := halden.state.Founded(north); s == nil || !bytes.Equal(s.Group, group) {
		t.Fatal("the room is over before an hour")
	}
	x.pass(time.Minute)
	x.sync(halden, corin, halden)
	if s := corin.state.Founded(north); s == nil || bytes.Equal(s.Group, group) {
		t.Error("the room is not founded anew")
	}
}
