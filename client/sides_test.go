package client

import (
	"context"
	"slices"
	"testing"

	"parley/dialogue"
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
