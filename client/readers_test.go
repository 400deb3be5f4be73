package client

import (
	"context"
	"strings"
	"testing"

	"parley/channel"
	"parley/dialogue"
)

// TestReaderWithANewCard: what was written for a seat's holder comes back when
// another has the seat by then. Who came back by its door is the one whom the
// author was shown.
func TestReaderWithANewCard(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, old := x.seated()
	seat := old.acct.Me
	says := func(text string) { // without reading on
		t.Helper()
		halden.mu.Lock()
		halden.caughtUp = false
		halden.mu.Unlock()
		if _, err := halden.c.Say(ctx, halden.id, Draft{Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	state := func() State {
		t.Helper()
		l, err := halden.c.Messages(halden.id, Query{})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range l {
			if m.Mine && m.Kind == KindMessage && m.State != StateRoom {
				return m.State
			}
		}
		return StateRoom
	}

	x.loses(old, LossMissed)
	x.sync(old, ruth)
	says("For Corin.")
	x.sync(ruth, old, ruth, halden)
	if s := state(); s != StateRoom || halden.state.Seat(seat).Cards != 0 {
		t.Errorf("after a return the message is %q", s)
	}

	anew := x.newCardFor(ruth, seat)
	x.sync(halden)
	post := halden.state.Seat(seat).Replacements[0].Post
	for _, m := range []*member{halden, ruth} {
		if err := m.c.ApproveNew(ctx, m.id, seat, post); err != nil {
			t.Fatal(err)
		}
		if m == halden {
			x.sync(halden)
			says("For Corin alone.")
		}
	}
	x.sync(ruth, ruth, anew, ruth, halden)
	if s := state(); s != StateBack || halden.state.Seat(seat).Cards != 1 || len(halden.log.Members(channel.Plenary)) != 3 {
		t.Errorf("after a new card the message is %q, %+v", s, halden.state.Seat(seat))
	}
	l, err := halden.c.Messages(halden.id, Query{})
	if err != nil {
		t.Fatal(err)
	}
	if err := halden.c.SendAgain(ctx, halden.id, l[len(l)-1].ID, l[len(l)-1].Shown); err != nil {
		t.Fatal(err)
	}
	x.sync(halden, anew)
	if l, err := anew.c.Messages(anew.id, Query{}); err != nil || spoken(l) != 1 {
		t.Errorf("sent again, it is read as %+v, %v", l, err)
	}
}

func TestParseReader(t *testing.T) {
	id := dialogue.NewSeatID()
	r := Reader{Seat: id, Cards: 12}
	if got, ok := ParseReader(r.String()); !ok || got != r {
		t.Errorf("%v is read as %v", r, got)
	}
	for _, s := range []string{"", id.String(), id.String() + ".", id.String() + ".01", id.String() + ".-1", "x" + id.String() + ".1", strings.ToUpper("ab"+id.String()[2:]) + ".1"} {
		if got, ok := ParseReader(s); ok || got != (Reader{}) && s != "" && ok {
			t.Errorf("%q is read as %v", s, got)
		}
	}
}

// TestAgainToThoseShown: a message that came back goes again to those whom its
// author was shown with it. Where others have come since, it comes back again.
func TestAgainToThoseShown(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, _, _ := x.seated()
	ruth.mu.Lock()
	shown := ruth.readers(dialogue.Plenary)
	ruth.mu.Unlock()
	id, err := ruth.c.Say(ctx, ruth.id, Draft{Text: "For Halden.", Readers: shown[:1]})
	if err != nil {
		t.Fatal(err)
	}
	state := func() State {
		l, err := ruth.c.Messages(ruth.id, Query{})
		if err != nil {
			t.Fatal(err)
		}
		return l[len(l)-1].State
	}
	for i, to := range [][]Reader{shown[:1], shown[1:], {}, shown} {
		if s := state(); s != StateBack {
			t.Fatalf("before it is sent again to %v it is %q", to, s)
		}
		if err := ruth.c.SendAgain(ctx, ruth.id, id, to); err != nil {
			t.Fatal(i, err)
		}
	}
	x.sync(ruth)
	if s := state(); s != StateRoom {
		t.Errorf("sent to all who were shown it is %q", s)
	}
}
