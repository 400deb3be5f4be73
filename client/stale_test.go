package client

import (
	"context"
	"testing"
)

// TestStaleMessageGoesAgain: a message in a side room that a removal came
// before has no effect there; its author's client makes it again.
func TestStaleMessageGoesAgain(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin := x.seated()
	_, mira := x.joins(halden, 1, "Mira")
	x.sync(halden)
	x.approve(mira, halden, corin)
	x.sync(halden, corin, ruth, halden, mira, halden, mira, halden)
	if len(halden.members(1)) != 2 {
		t.Fatal("Mira is not in the side room")
	}
	if err := ruth.c.Remove(ctx, ruth.id, mira.acct.Me); err != nil {
		t.Fatal(err)
	}
	if _, err := halden.c.Say(ctx, halden.id, Draft{Room: 1, Text: "Among ourselves."}); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*member{ruth, halden} { // the removal arrives first
		if err := m.push(ctx); err != nil {
			t.Fatal(err)
		}
	}
	x.sync(halden, ruth, halden, mira, halden)
	if l, err := halden.c.Messages(halden.id, Query{Room: 1}); err != nil || spoken(l) != 1 {
		t.Errorf("Halden has %d messages, %v", spoken(l), err)
	}
	if l, err := mira.c.Messages(mira.id, Query{Room: 1}); err != nil || spoken(l) != 0 {
		t.Errorf("Mira, who was removed, reads %d, %v", spoken(l), err)
	}
}
