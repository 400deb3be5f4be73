package client

import (
	"errors"
	"slices"
	"testing"

	"parley/dialogue"
	"parley/relay"
	"parley/vault"
)

// told has Mira come in on Corin's side, while Halden, who is first to tell her
// the past, tells a false one: other rules, and a seat that nobody has.
func (x *table) told() (ruth, halden, corin, mira *member) {
	x.t.Helper()
	ctx := x.t.Context()
	ruth, halden, corin = x.seated()
	_, mira = x.joins(ruth, 2, "Mira")
	x.sync(ruth, halden, corin)
	for _, m := range []*member{halden, corin} {
		if err := m.c.Approve(ctx, m.id, mira.acct.Me); err != nil {
			x.t.Fatal(err)
		}
		if err := m.push(ctx); err != nil {
			x.t.Fatal(err)
		}
	}
	for i := 0; !halden.state.Seated(mira.acct.Me); i++ {
		if i == 20 {
			x.t.Fatal("Mira is not seated")
		}
		if err := errors.Join(ruth.turn(ctx, 0), ruth.push(ctx), halden.readOn()); err != nil {
			x.t.Fatal(err)
		}
	}
	halden.mu.Lock()
	err := halden.update(func(sp *vault.Space) error {
		key := numbered(keySkeleton, halden.log.Epoch())
		s, err := skeletonAt(sp, key)
		if err != nil {
			return err
		}
		s.Rules.RetentionDays = 1
		s.Seats = append(s.Seats, dialogue.Seat{ID: dialogue.NewSeatID(), Side: 1, Name: "Ghost", Status: dialogue.In})
		return sp.Put(key, s.Marshal())
	})
	halden.mu.Unlock()
	if err != nil {
		x.t.Fatal(err)
	}
	x.sync(halden, mira, ruth, corin, mira, ruth, halden, corin, mira)
	if mira.acct.Standing != StandingIn || mira.state.Rules.RetentionDays != 1 {
		x.t.Fatalf("Mira is %s and was not told the false past first", mira.acct.Standing)
	}
	return ruth, halden, corin, mira
}

// readOn reads without doing anything.
func (m *member) readOn() error {
	m.mu.Lock()
	q := m.question()
	m.mu.Unlock()
	r, err := m.relay()
	if err != nil {
		return err
	}
	page, err := r.Do(m.c.base, relay.Exchange{Box: q.box, From: q.from, Mode: q.mode})
	if err != nil {
		return err
	}
	_, err = m.take(q.box, page)
	return err
}

// TestTwoPasts: a newcomer who is told two pasts is shown who told which, and in
// what they differ, and stays unconfirmed until its person chooses. What was
// said meanwhile counts in the past chosen, also after a crash.
func TestTwoPasts(t *testing.T) {
	x := newTable(t)
	ctx := t.Context()
	ruth, halden, corin, mira := x.told()
	if _, err := corin.c.Say(ctx, corin.id, Draft{Text: "Good morning."}); err != nil {
		t.Fatal(err)
	}
	x.sync(corin, mira, ruth, halden)
	d := mira.show()
	if len(d.Charters) != 2 || !d.Charters[0].Taken || !slices.Equal(d.Charters[0].Parties, []string{"North"}) {
		t.Fatalf("Mira is shown %+v", d.Charters)
	}
	other := d.Charters[1]
	want := []Difference{{Kind: DifferenceRules}, {Kind: DifferenceLess, Name: "Ghost", Side: "North"}}
	if other.Taken || !other.Told || other.Parties[0] != "" || !slices.Equal(other.Differences, want) {
		t.Errorf("the other past: %+v", other)
	}
	if len(d.Unconfirmed) == 0 {
		t.Error("Mira is not told that it is unconfirmed")
	}
	if err := mira.c.ChooseCharter(mira.id, 5); err != ErrNoCharter {
		t.Errorf("a party that told nothing: %v", err)
	}
	if err := mira.reload(); err != nil {
		t.Fatal(err)
	}
	if err := mira.c.ChooseCharter(mira.id, other.Party); err != nil {
		t.Fatal(err)
	}
	if d := mira.show(); len(d.Charters)+len(d.Unconfirmed) != 0 {
		t.Errorf("after the choice: %+v, %q", d.Charters, d.Unconfirmed)
	}
	if err := mira.c.ChooseCharter(mira.id, other.Party); err != ErrNoCharter {
		t.Errorf("a second choice: %v", err)
	}
	x.sync(mira, ruth, halden, corin, mira)
	x.agree(ruth, mira)
	if l, err := mira.c.Messages(mira.id, Query{}); err != nil || spoken(l) != 1 {
		t.Errorf("%d messages, %v", spoken(l), err)
	}
}

// TestStayWithThePast: who chooses the past taken goes on with it.
func TestStayWithThePast(t *testing.T) {
	x := newTable(t)
	_, _, _, mira := x.told()
	was := mira.state.Digest()
	if err := mira.c.ChooseCharter(mira.id, 1); err != nil {
		t.Fatal(err)
	}
	if d := mira.show(); mira.state.Digest() != was || len(d.Charters)+len(d.Unconfirmed) != 0 {
		t.Errorf("%+v, %q", d.Charters, d.Unconfirmed)
	}
}

// TestConfirmedKeepsNothing: once two parties told the same, what another past
// would need is gone.
func TestConfirmedKeepsNothing(t *testing.T) {
	x := newTable(t)
	_, _, corin := x.seated()
	if !corin.acct.Settled {
		t.Fatal("two parties told the same, and it is not settled")
	}
	err := corin.view(func(sp *vault.Space) error {
		held, err := corin.heldEntries(sp)
		if len(held) > 0 {
			t.Errorf("%d entries are kept", len(held))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
