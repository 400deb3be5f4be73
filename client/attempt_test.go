package client

import (
	"context"
	"testing"

	"parley/channel"
	"parley/dialogue"
	"parley/mls"
	"parley/relay"
	"parley/vault"
)

// attempts counts the commits that somebody is shown as attempts of another.
func attempts(m *member, name string) (n int) {
	for _, a := range m.show().Alarms {
		if a.Kind == AlarmAttempt && a.Seat.Name == name {
			n++
		}
	}
	return n
}

// attempt posts a commit that carries out nothing, whatever was read.
func attempt(t *testing.T, m *member) {
	t.Helper()
	change := func(f func(*vault.Space) error) {
		t.Helper()
		m.mu.Lock()
		defer m.mu.Unlock()
		if err := m.update(f); err != nil {
			t.Fatal(err)
		}
	}
	change(func(sp *vault.Space) error {
		// What this computer would do.
		if err := m.dropAll(sp, func(it *item) bool { return it.Kind == itemCommit }); err != nil {
			return err
		}
		return m.stage(sp, dialogue.Plenary, mls.CommitContent{})
	})
	if err := m.push(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := m.relay()
	if err != nil {
		t.Fatal(err)
	}
	page, err := r.Do(t.Context(), relay.Exchange{Box: m.log.Box(), From: m.log.Position(), Mode: relay.Mode64})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.take(m.log.Box(), page); err != nil {
		t.Fatal(err)
	}
	change(m.make)
	if err := m.push(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestHonestLosersAreNoAttempt: a commit is voided by a departure that its
// maker could not yet see. One made after reading it is an attempt.
func TestHonestLosersAreNoAttempt(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin := x.seated()
	_, mira := x.joins(ruth, 1, "Mira")
	x.sync(ruth, halden, corin, ruth)
	seat := mira.acct.Me
	for _, m := range []*member{halden, corin} {
		if err := m.c.Approve(ctx, m.id, seat); err != nil {
			t.Fatal(err)
		}
		if err := m.push(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for len(ruth.out) == 0 { // until her commit is made, with Mira in it
		if err := ruth.turn(ctx, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := ruth.push(ctx); err != nil { // its chunks
		t.Fatal(err)
	}
	for ruth.out[0].Stage != stageHead {
		if err := ruth.turn(ctx, 0); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 { // Corin reads to the end before he leaves
		if err := corin.turn(ctx, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := corin.c.Leave(ctx, corin.id); err != nil {
		t.Fatal(err)
	}
	if err := corin.push(ctx); err != nil {
		t.Fatal(err)
	}
	before := ruth.log.Epoch()
	if err := ruth.push(ctx); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 10 && (ruth.log.Epoch() == before || mira.acct.Standing != StandingIn || halden.log.Epoch() != ruth.log.Epoch()); i++ {
		x.sync(halden, ruth, mira)
	}
	if ruth.state.Seat(corin.acct.Me).Status != dialogue.Left || mira.acct.Standing != StandingIn {
		t.Fatalf("Corin stands as %d, Mira as %s", ruth.state.Seat(corin.acct.Me).Status, mira.acct.Standing)
	}
	for _, m := range []*member{ruth, halden, mira} {
		if a := m.show().Alarms; len(a) != 0 {
			t.Errorf("%s is shown an honest loser: %+v", m.c.Profile().Name, a)
		}
	}
	// Mira asks to leave; Halden has read it and commits something else.
	if err := mira.c.Leave(ctx, mira.id); err != nil {
		t.Fatal(err)
	}
	if err := mira.push(ctx); err != nil {
		t.Fatal(err)
	}
	if err := halden.turn(ctx, 0); err != nil {
		t.Fatal(err)
	}
	if !halden.state.Seat(seat).Due {
		t.Fatal("Halden did not read that Mira leaves")
	}
	attempt(t, halden)
	x.sync(ruth)
	if n := attempts(ruth, "Halden"); n != 1 {
		t.Errorf("Ruth is shown %d attempts of Halden: %+v", n, ruth.show().Alarms)
	}
}

// TestCouldSee: what a refused commit's maker had read decides, for each
// reason, and a change in another box counts as seen.
func TestCouldSee(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	here := ruth.log.Here()
	ruth.mu.Lock()
	defer ruth.mu.Unlock()
	after := *ruth.state
	after.Seats = append([]dialogue.Seat(nil), ruth.state.Seats...)
	after.Seat(corin.acct.Me).Due = true
	place := here
	place.Position = 7
	ruth.noteChanges(ruth.state, &after, place)
	before := ruth.state
	ruth.state = &after
	defer func() { ruth.state = before }()
	by := func(author dialogue.SeatID, c dialogue.Commit) dialogue.Entry {
		return dialogue.Entry{Author: author, Commit: &c}
	}
	me, they := halden.acct.Me, corin.acct.Me
	for _, c := range []struct {
		name string
		e    dialogue.Entry
		why  dialogue.Reason
		seen uint64
		want bool
	}{
		{"the author is due, unseen", by(they, dialogue.Commit{}), dialogue.ReasonNotSeated, 7, false},
		{"the author is due, seen", by(they, dialogue.Commit{}), dialogue.ReasonNotSeated, 8, true},
		{"a removal left out, unseen", by(me, dialogue.Commit{}), dialogue.ReasonDueFirst, 7, false},
		{"a removal left out, seen", by(me, dialogue.Commit{}), dialogue.ReasonDueFirst, 8, true},
		{"somebody whom nobody removes", by(me, dialogue.Commit{Removes: []dialogue.SeatID{they, ruth.acct.Me}}), dialogue.ReasonNotYours, 0, true},
		{"an add that changed, unseen", by(me, dialogue.Commit{Adds: []dialogue.Added{{Seat: they}}}), dialogue.ReasonNotReady, 7, false},
		{"an add that changed, seen", by(me, dialogue.Commit{Adds: []dialogue.Added{{Seat: they}}}), dialogue.ReasonNotReady, 8, true},
		{"an add that never was ready", by(me, dialogue.Commit{Adds: []dialogue.Added{{Seat: me}}}), dialogue.ReasonNotReady, 0, true},
		{"who was named, with something unseen", by(me, dialogue.Commit{}), dialogue.ReasonNamed, 7, false},
		{"who was named, with all seen", by(me, dialogue.Commit{}), dialogue.ReasonNamed, 8, true},
		{"too soon", by(me, dialogue.Commit{}), dialogue.ReasonTooSoon, 0, true},
	} {
		if got := ruth.couldSee(place, c.seen, c.e, c.why); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	next := place
	next.Part++
	if !ruth.couldSee(next, 0, by(they, dialogue.Commit{}), dialogue.ReasonNotSeated) {
		t.Error("what changed in a box before was not to be seen in this one")
	}
}

// TestReturnsAreNews: a post at a door that takes another's place, and a seat
// that is named, are what the maker of a commit may not have seen.
func TestReturnsAreNews(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	ruth.mu.Lock()
	defer ruth.mu.Unlock()
	place := ruth.log.Here()
	place.Position = 7
	adds := dialogue.Entry{Author: halden.acct.Me, Commit: &dialogue.Commit{Adds: []dialogue.Added{{Seat: corin.acct.Me}}}}
	ruth.acct.Changes = changes{}
	if !ruth.couldSee(place, 0, adds, dialogue.ReasonNotReady) {
		t.Fatal("nothing has changed")
	}
	for name, change := range map[string]func(*dialogue.Seat){
		"a post": func(s *dialogue.Seat) { s.Back = &dialogue.Returning{Package: dialogue.Hash{1}} },
		"a name": func(s *dialogue.Seat) { s.NamedBy = []dialogue.SeatID{halden.acct.Me} },
	} {
		after := *ruth.state
		after.Seats = append([]dialogue.Seat(nil), ruth.state.Seats...)
		change(after.Seat(corin.acct.Me))
		ruth.acct.Changes = changes{}
		ruth.noteChanges(ruth.state, &after, place)
		if ruth.couldSee(place, 7, adds, dialogue.ReasonNotReady) || !ruth.couldSee(place, 8, adds, dialogue.ReasonNotReady) {
			t.Errorf("%s is no news", name)
		}
	}
}

// TestVoidCommitIsGivenUp: a commit whose chunks are posted is not finished
// once something was read that voids it. Its head would say that it was read.
func TestVoidCommitIsGivenUp(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin := x.seated()
	_, mira := x.joins(ruth, 1, "Mira")
	x.sync(ruth, halden, corin, ruth)
	for _, m := range []*member{halden, corin} {
		if err := m.c.Approve(ctx, m.id, mira.acct.Me); err != nil {
			t.Fatal(err)
		}
		if err := m.push(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for len(ruth.out) == 0 {
		if err := ruth.turn(ctx, 0); err != nil {
			t.Fatal(err)
		}
	}
	if ruth.out[0].Stage != stageChunks {
		t.Fatalf("stage %d", ruth.out[0].Stage)
	}
	epoch := ruth.log.Epoch()
	for range 4 { // Halden reads to the end
		if err := halden.turn(ctx, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := halden.c.Revoke(ctx, halden.id, mira.acct.Me); err != nil {
		t.Fatal(err)
	}
	if err := halden.push(ctx); err != nil {
		t.Fatal(err)
	}
	if err := ruth.push(ctx); err != nil {
		t.Fatal(err)
	}
	x.sync(ruth, halden, corin)
	if len(ruth.out) != 0 || ruth.log.Pending(channel.Plenary) || ruth.log.Epoch() != epoch || ruth.state.Seat(mira.acct.Me).Status != dialogue.Revoked {
		t.Errorf("the commit goes on: %s", ruth.c.Outbox(ruth.id))
	}
	if ruth.acct.Bad+halden.acct.Bad+corin.acct.Bad > 0 || attempts(halden, "Ruth")+attempts(corin, "Ruth") > 0 {
		t.Error("something of it was read")
	}
}
