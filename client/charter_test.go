package client

import (
	"context"
	"fmt"
	"testing"

	"parley/channel"
	"parley/dialogue"
	"parley/vault"
)

// TestNewcomerAndAVoidCommit: a commit that a departure before it voids stands
// in the box that a newcomer reads first. Without its charter the newcomer can't
// tell that it does not count, so no commit may come before the charter.
func TestNewcomerAndAVoidCommit(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin := x.seated()
	for i := range 15 { // the charter of a large dialogue does not fit in one cell
		if _, _, err := ruth.c.Invite(ctx, ruth.id, InviteOptions{Side: 2, Name: fmt.Sprint("Adviser ", i)}); err != nil {
			t.Fatal(err)
		}
	}
	x.sync(ruth, halden, corin)
	_, mira := x.joins(halden, 1, "Mira")
	x.joins(halden, 1, "Nora")
	x.sync(halden, ruth, corin, halden)
	consent := func(m *member, name string) {
		t.Helper()
		s, err := m.c.FindSeat(m.id, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.c.Approve(ctx, m.id, s.ID); err != nil {
			t.Fatal(err)
		}
	}
	turn := func(m *member, n int) {
		t.Helper()
		for range n {
			if err := m.turn(ctx, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	post := func(m *member) {
		t.Helper()
		if err := m.push(ctx); err != nil {
			t.Fatal(err)
		}
	}
	consent(halden, "Mira")
	consent(halden, "Nora")
	x.sync(halden, corin)
	consent(corin, "Mira")
	x.sync(corin)
	for len(halden.out) == 0 { // until Mira's commit is made
		turn(halden, 1)
	}
	for corin.state.Epoch == halden.state.Epoch && corin.state.Seat(mira.acct.Me).Status != dialogue.In {
		post(halden)
		if halden.out[0].Stage == stageChunks {
			turn(halden, 1)
		}
		turn(corin, 1)
	}
	// Corin lets Nora in, in the new box, and Halden's computer, reading that,
	// makes all it has to make. Before any of it goes out, Corin leaves.
	turn(corin, 1)
	consent(corin, "Nora")
	post(corin)
	for halden.state.Epoch < corin.state.Epoch || !halden.caughtUp {
		turn(halden, 1)
	}
	if err := corin.c.Leave(ctx, corin.id); err != nil {
		t.Fatal(err)
	}
	post(corin)
	post(halden)
	x.sync(mira, halden, mira, ruth, mira, halden, ruth, mira, halden, ruth, mira)
	if mira.acct.Standing != StandingIn || mira.log.Epoch() != halden.log.Epoch() || ruth.log.Epoch() != halden.log.Epoch() {
		t.Errorf("Mira is %s; epochs %d, Halden %d, Ruth %d", mira.acct.Standing, mira.log.Epoch(), halden.log.Epoch(), ruth.log.Epoch())
	}
	l, err := halden.c.Messages(halden.id, Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, msg := range l {
		if msg.Notice != nil && msg.Notice.Kind == dialogue.NoteReturned {
			t.Errorf("%s came back by the door: it had followed a commit that does not count", msg.Notice.Seat)
		}
	}
}

// TestFalseCharter: a seat that tells newcomers another past than the log's is
// named to everybody, and does not count as confirming anything.
func TestFalseCharter(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	corin.mu.Lock()
	base := corin.acct.Base
	corin.acct.Vouched, corin.acct.Settled = nil, false // as if nobody had confirmed it yet
	corin.mu.Unlock()
	halden.mu.Lock()
	err := halden.update(func(sp *vault.Space) error {
		return halden.queueEvent(sp, dialogue.KindCharter, dialogue.Charter{Base: base, Hash: dialogue.Hash{1}})
	})
	halden.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	x.sync(halden, ruth, corin)
	for _, m := range []*member{ruth, corin} {
		alarms := m.show().Alarms
		if len(alarms) != 1 || alarms[0].Kind != AlarmCharter || alarms[0].Seat.Name != "Halden" {
			t.Errorf("%s is shown %+v", m.c.Profile().Name, alarms)
		}
	}
	if l := corin.show().Unconfirmed; len(l) != 2 {
		t.Errorf("a false charter confirms: only %q is awaited", l)
	}
}

// TestCharterFirst: what is due is committed once those whom the last commit
// added have their charter, one's own party's word on it too, and not before.
func TestCharterFirst(t *testing.T) {
	x := newTable(t)
	ruth, _, corin := x.seated()
	ruth.mu.Lock()
	defer ruth.mu.Unlock()
	ruth.state.Seat(corin.acct.Me).Due = true
	for _, c := range []struct {
		given    bool
		answered []dialogue.SideID
		want     bool
	}{{false, nil, false}, {false, []dialogue.SideID{1, 0}, false}, {true, []dialogue.SideID{1}, false}, {true, []dialogue.SideID{1, 0}, true}} {
		ruth.state.Charters = []dialogue.CharterState{{Base: ruth.state.Epoch, For: []dialogue.SeatID{corin.acct.Me}, Given: c.given, Answered: c.answered}}
		ruth.seen = map[string]bool{}
		if err := ruth.update(ruth.commitDue); err != nil {
			t.Fatal(err)
		}
		if staged := ruth.log.Pending(channel.Plenary); staged != c.want {
			t.Errorf("the charter is given: %v, answered by %v; a commit is staged: %v", c.given, c.answered, staged)
		}
	}
}
