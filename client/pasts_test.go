package client

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/relay"
	"parley/vault"
)

// told has Mira come in on Corin's side, while Halden, who is first to tell her
// the past, tells a false one: other rules, and a seat that nobody has.
func (x *table) told() (ruth, halden, corin, mira *member) {
	x.t.Helper()
	ruth, halden, corin, mira = x.toldThat(func(s *dialogue.State) {
		s.Seats[0].Name = "Somebody else"
		s.Seats = append(s.Seats, dialogue.Seat{ID: dialogue.NewSeatID(), Side: 1, Name: "Ghost", Status: dialogue.Asleep})
	})
	if mira.state.Seats[0].Name != "Somebody else" {
		x.t.Fatal("Mira was not told the false past first")
	}
	return ruth, halden, corin, mira
}

// toldThat is told where Halden's past is false by what change makes of it.
func (x *table) toldThat(change func(*dialogue.State)) (ruth, halden, corin, mira *member) {
	x.t.Helper()
	ruth, halden, corin, mira = x.toldBy(change)
	x.sync(ruth, corin, mira, ruth, halden, corin, mira)
	if mira.acct.Standing != StandingIn {
		x.t.Fatalf("Mira is %s", mira.acct.Standing)
	}
	return ruth, halden, corin, mira
}

// toldBy is toldThat before anybody else answers.
func (x *table) toldBy(change func(*dialogue.State)) (ruth, halden, corin, mira *member) {
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
		change(s)
		return sp.Put(key, s.Marshal())
	})
	halden.mu.Unlock()
	if err != nil {
		x.t.Fatal(err)
	}
	x.sync(halden)
	if err := errors.Join(ruth.readOn(), ruth.push(ctx)); err != nil { // the Welcome
		x.t.Fatal(err)
	}
	x.sync(mira)
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

// readOn has members who are in the room read on, so far that a page which ends
// early ends nothing.
func (x *table) readOn(l ...*member) {
	x.t.Helper()
	for _, m := range l {
		for range 3 {
			if m.acct.Standing != StandingIn {
				x.t.Fatalf("%s is %s", m.c.Profile().Name, m.acct.Standing)
			}
			if err := m.readOn(); err != nil {
				x.t.Fatal(err)
			}
		}
	}
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
	want := []Difference{{Kind: DifferenceSeat, Name: "Ruth"}, {Kind: DifferenceSeat, Name: "Ghost", Side: "North"}}
	if other.Taken || !other.Told || other.Parties[0] != "" || !slices.Equal(other.Differences, want) {
		t.Errorf("the other past: %+v", other)
	}
	if len(d.Unconfirmed) == 0 {
		t.Error("Mira is not told that it is unconfirmed")
	}
	if len(d.Alarms) == 0 || slices.ContainsFunc(d.Alarms, func(a Alarm) bool { return a.Seat.Name == "Halden" }) {
		t.Errorf("before the choice: %+v", d.Alarms)
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
	for _, when := range []string{"after the choice", "after a crash"} {
		if a := mira.show().Alarms; len(a) != 1 || a[0].Kind != AlarmCharter || a[0].Seat.Name != "Halden" {
			t.Errorf("%s: %+v", when, a)
		}
		if err := mira.reload(); err != nil {
			t.Fatal(err)
		}
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

// TestChosenTooLate: by the false past a newcomer refused a commit that counted.
// When its person chooses the other, it has lost the room, and comes back by its
// door, to where the others are.
func TestChosenTooLate(t *testing.T) {
	x := newTable(t)
	ctx := t.Context()
	ruth, halden, corin, mira := x.toldThat(func(s *dialogue.State) {
		s.Seats[0].NamedBy = []dialogue.SeatID{s.Seats[1].ID, s.Seats[2].ID}
	})
	if len(mira.state.Seats[0].NamedBy) == 0 {
		t.Fatal("Mira was not told the false past first")
	}
	if err := ruth.c.Remove(ctx, ruth.id, corin.acct.Me); err != nil {
		t.Fatal(err)
	}
	epoch := mira.log.Epoch()
	x.sync(ruth, mira)
	if ruth.state.Epoch == epoch || mira.log.Epoch() != epoch {
		t.Fatalf("Ruth is in epoch %d, Mira in %d", ruth.state.Epoch, mira.log.Epoch())
	}
	if err := mira.c.ChooseCharter(mira.id, 0); err != nil {
		t.Fatal(err)
	}
	if mira.acct.Standing != StandingLost || mira.acct.Away.Reason != LossCharter {
		t.Fatalf("Mira is %s", mira.acct.Standing)
	}
	for range 3 {
		x.sync(mira, halden, ruth)
	}
	if mira.acct.Standing != StandingIn {
		t.Fatalf("Mira is %s", mira.acct.Standing)
	}
	x.agree(ruth, mira)
}

// TestChosenWhileOthersCame: somebody else came in while a newcomer went by a
// false past. Once it has chosen the other, it blames nobody for what they told
// the one who came later.
func TestChosenWhileOthersCame(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin, mira := x.told()
	_, nora := x.joins(ruth, 2, "Nora")
	x.sync(ruth)
	x.approve(nora, halden, corin)
	x.sync(ruth, nora, ruth, halden, corin, mira, nora, mira)
	if a := mira.show().Alarms; !slices.ContainsFunc(a, func(a Alarm) bool { return a.Seat.Name == "Corin" }) || mira.log.Epoch() != ruth.log.Epoch() {
		t.Fatalf("before the choice: %+v", a)
	}
	if err := mira.c.ChooseCharter(mira.id, 0); err != nil {
		t.Fatal(err)
	}
	for _, a := range mira.show().Alarms {
		if a.Seat.Name != "Halden" {
			t.Errorf("an alarm against %s", a.Seat.Name)
		}
	}
	x.sync(ruth, mira)
	x.agree(ruth, mira)
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

// TestPastThatDoesNotFit: a past is not taken that can't be that of the epoch
// which the newcomer joined, by the tree that it sees and the card that it took.
// Who tells it is named.
func TestPastThatDoesNotFit(t *testing.T) {
	for name, change := range map[string]func(*dialogue.State){
		"somebody sits without a leaf": func(s *dialogue.State) {
			s.Seats = append(s.Seats, dialogue.Seat{ID: dialogue.NewSeatID(), Side: 1, Name: "Ghost", Status: dialogue.In})
		},
		"somebody with a leaf does not sit": func(s *dialogue.State) { s.Seats[2].Status = dialogue.Asleep },
		"somebody has another key":          func(s *dialogue.State) { s.Seats[2].Key = make([]byte, 32) },
		"a removal is due":                  func(s *dialogue.State) { s.Seats[0].Due = true },
		"the rules are others":              func(s *dialogue.State) { s.Rules.RetentionDays++ },
	} {
		t.Run(name, func(t *testing.T) {
			x := newTable(t)
			ruth, halden, corin, mira := x.toldBy(change)
			if mira.acct.Standing == StandingIn {
				t.Fatal("Mira took it")
			}
			x.sync(ruth, mira)
			if d := mira.show(); d.Standing != StandingIn || len(d.Charters) > 0 {
				t.Errorf("%s, %d pasts to choose from", d.Standing, len(d.Charters))
			}
			x.sync(ruth, corin, mira, ruth, halden, corin, mira)
			d := mira.show()
			if d.Standing != StandingIn || len(d.Charters) > 0 || len(d.Alarms) != 1 || d.Alarms[0].Kind != AlarmCharter || d.Alarms[0].Seat.Name != "Halden" {
				t.Errorf("%s, %d pasts, alarms %+v", d.Standing, len(d.Charters), d.Alarms)
			}
			x.sync(ruth, mira)
			x.agree(ruth, mira)
		})
	}
}

// TestLeftInDoubt: by a false past that nobody has confirmed a newcomer refuses
// a commit that counts. It makes none itself, leaves soon, and comes back by its
// door, where the false past is not held against the true one, nor anybody blamed
// by it.
func TestLeftInDoubt(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin, mira := x.toldBy(func(s *dialogue.State) {
		s.Seats[1].NamedBy = []dialogue.SeatID{s.Seats[0].ID, s.Seats[2].ID}
	})
	x.clocks(ruth, halden, corin, mira)
	if mira.acct.Standing != StandingIn {
		t.Fatalf("Mira is %s, %v, %v, log %v", mira.acct.Standing, mira.show().Problem, mira.log != nil, halden.state.Charters)
	}
	for range 2 {
		x.pass(25 * time.Hour)
		x.sync(halden)
		if err := errors.Join(ruth.readOn(), ruth.chore(ruth.renew), ruth.push(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	epoch := mira.log.Epoch()
	for i := 0; halden.state.Epoch == epoch; i++ {
		if i == 5 {
			t.Fatal("Halden makes no commit")
		}
		x.pass(time.Minute)
		x.sync(halden)
	}
	x.sync(mira)
	if mira.log.Epoch() != epoch || !mira.inDoubt() || !mira.holdsBack() {
		t.Fatalf("Mira is in epoch %d after %d, in doubt: %v", mira.log.Epoch(), epoch, mira.inDoubt())
	}
	x.pass((doubtWait + 1) * time.Minute)
	x.sync(mira)
	if mira.acct.Standing != StandingLost || mira.acct.Away.Reason != LossCharter {
		t.Fatalf("Mira is %s", mira.acct.Standing)
	}
	for range 4 {
		x.sync(ruth, corin, mira, halden)
	}
	d := mira.show()
	if d.Standing != StandingIn {
		t.Fatalf("Mira is %s, %v", d.Standing, d.Problem)
	}
	for _, a := range d.Alarms {
		if a.Kind != AlarmCharter || a.Seat.Name != "Halden" {
			t.Errorf("an alarm %s against %s", a.Kind, a.Seat.Name)
		}
	}
	x.agree(ruth, mira)
}

// chore does one of the chores.
func (m *member) chore(do func(*vault.Space) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = map[string]bool{}
	return m.update(do)
}

// TestKeysOfAFalseBranch: who follows commits by a past that nobody confirmed
// keeps the keys of the epochs before: they sign its post, should that be false.
func TestKeysOfAFalseBranch(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin, mira := x.toldBy(func(*dialogue.State) {})
	x.clocks(ruth, halden, corin, mira)
	was := mira.log.SignatureKey(channel.Plenary)
	x.pass(25 * time.Hour)
	if err := errors.Join(mira.chore(mira.renew), mira.push(t.Context())); err != nil {
		t.Fatal(err)
	}
	for epoch := mira.log.Epoch(); halden.state.Epoch == epoch; x.pass(time.Minute) {
		x.sync(halden)
	}
	x.sync(mira)
	if !mira.undecided() || bytes.Equal(mira.log.SignatureKey(channel.Plenary), was) {
		t.Fatal("Mira has the same key, or doubts nothing")
	}
	x.loses(mira, LossCharter)
	var r dialogue.Return
	if err := wire.Unmarshal(mira.acct.Away.Posts[len(mira.acct.Away.Posts)-1].Content, &r, wire.MaxMessage); err != nil {
		t.Fatal(err)
	}
	if !r.Signed.Verify(was) {
		t.Error("the key of the epoch before does not sign")
	}
}

// TestRemovedByAFalsePast: who is removed by a past that nobody confirmed has
// not been removed for all it knows: at its door it shows.
func TestRemovedByAFalsePast(t *testing.T) {
	for name, backed := range map[string]bool{"confirmed": true, "not confirmed": false} {
		t.Run(name, func(t *testing.T) {
			x := newTable(t)
			ruth, _, corin, mira := x.toldBy(func(*dialogue.State) {})
			if backed {
				x.sync(ruth, corin, mira)
			}
			mira.mu.Lock()
			defer mira.mu.Unlock()
			keys := mira.log.Signers(channel.Plenary)
			if err := mira.update(func(sp *vault.Space) error { return mira.gone(sp, dialogue.Plenary, &dialogue.Commit{}, keys) }); err != nil {
				t.Fatal(err)
			}
			want := map[bool]Standing{true: StandingRemoved, false: StandingLost}[backed]
			if mira.acct.Standing != want {
				t.Errorf("Mira is %s", mira.acct.Standing)
			}
		})
	}
}

// TestToldOtherwiseByWhoHasNoSay: by a false past who knows better may have no
// say. What such a seat tells of the past counts all the same.
func TestToldOtherwiseByWhoHasNoSay(t *testing.T) {
	x := newTable(t)
	_, _, corin, mira := x.toldBy(func(*dialogue.State) {})
	hears := func(hash dialogue.Hash) int {
		t.Helper()
		e := dialogue.NewEvent(dialogue.KindCharter, mira.c.minute(), dialogue.Charter{Base: mira.acct.Base, Hash: hash})
		n := dialogue.Note{Kind: dialogue.NoteRefused, By: corin.acct.Me, What: dialogue.KindCharter}
		mira.mu.Lock()
		defer mira.mu.Unlock()
		if err := mira.update(func(sp *vault.Space) error {
			return mira.act(sp, n, mira.log.Here(), dialogue.Entry{Author: corin.acct.Me, Event: &e})
		}); err != nil {
			t.Fatal(err)
		}
		return len(mira.acct.Pasts)
	}
	var same dialogue.Hash
	if err := mira.view(func(sp *vault.Space) error {
		b, err := toTell(sp, mira.acct.Base)
		same = hashOf(b)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if n := hears(same); n != 0 {
		t.Error("the same past differs")
	}
	if n := hears(dialogue.Hash{1}); n != 1 || !slices.Equal(mira.acct.Pasts[0].Parties, []dialogue.SideID{2}) || !mira.contested() {
		t.Errorf("%d other pasts", n)
	}
}

// TestTakenUpInDoubt: who is let in once more, by a post that still lay at its
// door, while it goes by a past that nobody else has confirmed, blames nobody by
// that past afterwards.
func TestTakenUpInDoubt(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin, mira := x.told()
	if len(mira.show().Alarms) == 0 {
		t.Fatal("Mira blames nobody by the false past")
	}
	mira.mu.Lock()
	err := mira.update(func(sp *vault.Space) error {
		mira.acct.Away = &away{Since: mira.c.minute()}
		mira.acct.Away.holdKeys(mira.log.Signers(channel.Plenary))
		err := mira.postReturn(sp)
		mira.acct.Spare, mira.acct.Away = mira.acct.Away.Posts, nil
		return err
	})
	mira.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	x.sync(mira)
	post := mira.acct.Spare[0]
	x.takeUp(ruth, post)
	for range 3 {
		x.sync(ruth, mira)
	}
	if mira.acct.Place.Package != post.pkg() {
		t.Fatalf("Mira was not let in once more, and is %s, %v", mira.acct.Standing, mira.lostError())
	}
	x.sync(ruth, halden, corin, mira, ruth, halden, corin, mira)
	d := mira.show()
	if d.Standing != StandingIn || len(d.Unconfirmed) > 0 {
		t.Fatalf("Mira is %s, unconfirmed by %q", d.Standing, d.Unconfirmed)
	}
	if len(d.Alarms) > 0 {
		t.Errorf("Mira blames by a past that she goes by no more: %+v", d.Alarms)
	}
}

// TestOwnPartyConfirms: where everybody else but the one who told the past came in
// together with oneself, one's own party has to confirm it.
func TestOwnPartyConfirms(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	_, mira := x.joins(ruth, 1, "Mira")
	x.sync(ruth)
	x.approve(mira, halden, corin)
	x.sync(ruth, mira, ruth, halden, corin, mira)
	mira.mu.Lock()
	defer mira.mu.Unlock()
	i := slices.IndexFunc(mira.state.Charters, func(c dialogue.CharterState) bool { return c.Base == mira.acct.Base })
	if i < 0 || !mira.acct.Settled {
		t.Fatal("Mira has not come in")
	}
	mira.acct.Settled, mira.acct.Vouched = false, []dialogue.SideID{2}
	mira.state.Charters[i].For = append(mira.state.Charters[i].For, ruth.acct.Me)
	if l := mira.unconfirmed(); !slices.Equal(l, []dialogue.SideID{1}) {
		t.Errorf("parties %d have to confirm what Corin told", l)
	}
	mira.acct.Vouched = append(mira.acct.Vouched, 1)
	if l := mira.unconfirmed(); len(l) > 0 {
		t.Errorf("parties %d have to confirm what Corin and Halden told", l)
	}
}
