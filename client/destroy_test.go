package client

import (
	"errors"
	"testing"
	"time"

	"parley/dialogue"
	"parley/relay"
	"parley/vault"
)

// read asks the relay for a box.
func (x *table) read(m *member, box *relay.Box) error {
	x.t.Helper()
	r, err := m.relay()
	if err != nil {
		x.t.Fatal(err)
	}
	_, err = r.Do(x.t.Context(), relay.Exchange{Box: box})
	return err
}

func (x *table) destroy(m *member, box *relay.Box) error {
	x.t.Helper()
	r, err := m.relay()
	if err != nil {
		x.t.Fatal(err)
	}
	return r.Destroy(x.t.Context(), box)
}

// day lets a day pass on which everybody's computer is on.
func (x *table) day(l ...*member) {
	x.t.Helper()
	x.pass(24 * time.Hour)
	x.sync(append(append([]*member{}, l...), l...)...)
	x.sync(l...)
}

func oldBoxes(t *testing.T, m *member) (n int) {
	t.Helper()
	err := m.view(func(sp *vault.Space) error {
		for _, err := range scan(sp, []byte(keyOld), scanOptions{}) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestOldBoxesAreDestroyed: a box that all have read is there for its idle days,
// whoever would have it otherwise, and gone after them.
func TestOldBoxesAreDestroyed(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	all := []*member{ruth, halden, corin}
	x.clocks(all...)
	box := ruth.log.Box()
	if err := x.destroy(halden, box); !errors.Is(err, relay.ErrNotIdle) {
		t.Fatalf("a member destroys the box that all read: %v", err)
	}
	x.day(all...)
	if ruth.log.Box().ID() == box.ID() {
		t.Fatal("the chain did not move on")
	}
	before := oldBoxes(t, ruth)
	idle := int(ruth.acct.Terms.Idle)
	for range idle - 1 {
		x.day(all...)
	}
	if err := x.destroy(halden, box); !errors.Is(err, relay.ErrNotIdle) {
		t.Errorf("a member destroys a box before its idle days are over: %v", err)
	}
	if err := x.read(corin, box); err != nil {
		t.Errorf("the box can't be read any more: %v", err)
	}
	if err := ruth.reload(); err != nil { // a crash
		t.Fatal(err)
	}
	x.day(all...)
	x.day(all...)
	if err := x.read(corin, box); !errors.Is(err, relay.ErrGone) {
		t.Errorf("the box is still there: %v", err)
	}
	for _, m := range all {
		if n := oldBoxes(t, m); n > before+idle {
			t.Errorf("%s knows %d old boxes", m.c.Profile().Name, n)
		}
		if m.acct.Standing != StandingIn || len(m.show().Alarms) > 0 {
			t.Errorf("%s is %s, %+v", m.c.Profile().Name, m.acct.Standing, m.show().Alarms)
		}
	}
	x.agree(all...)
}

// TestNoiseDelaysDestroying: who has the key of an old box can keep it from
// being destroyed, for as long as what members wrote there is kept anyhow.
func TestNoiseDelaysDestroying(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	box := ruth.log.Box()
	x.day(ruth, halden, corin)
	x.pass(time.Duration(ruth.acct.Terms.Idle) * 24 * time.Hour)
	noise := new(relay.Cell)
	x.append(halden, box, *noise)
	n := oldBoxes(t, ruth)
	destroy := func() {
		t.Helper()
		if err := ruth.destroy(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	destroy()
	if oldBoxes(t, ruth) == 0 || oldBoxes(t, ruth) > n {
		t.Fatalf("%d old boxes of %d: one in use is forgotten", oldBoxes(t, ruth), n)
	}
	if due, _, err := ruth.dueToDestroy(); err != nil || len(due) != 0 {
		t.Errorf("%d are tried again at once, %v", len(due), err)
	}
	x.pass(destroyEvery)
	if due, _, err := ruth.dueToDestroy(); err != nil || len(due) != 1 {
		t.Errorf("%d are tried again after an hour, %v", len(due), err)
	}
	x.pass(time.Duration(ruth.acct.Terms.Retention) * 24 * time.Hour)
	x.append(halden, box, relay.Cell{1})
	destroy()
	if n := oldBoxes(t, ruth); n != 0 {
		t.Errorf("%d boxes in which nothing but noise can lie are remembered", n)
	}
}

// TestRelayAwayWhileDestroying: a relay that can't be reached puts it off.
func TestRelayAwayWhileDestroying(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	x.day(ruth, halden, corin)
	x.pass(time.Duration(ruth.acct.Terms.Idle) * 24 * time.Hour)
	n := oldBoxes(t, ruth)
	r, err := ruth.relay()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if err := ruth.destroy(t.Context()); !relay.Retryable(err) {
		t.Fatalf("without a relay: %v", err)
	}
	if oldBoxes(t, ruth) != n {
		t.Error("a box is forgotten that is not destroyed")
	}
}

// TestBoxIsGone: a box to be read that is destroyed means, after its idle days,
// that this computer was off for too long; before, that the relay lies, and then
// nothing is given up.
func TestBoxIsGone(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	q := corin.question()
	if err := corin.boxGone(q); !errors.Is(err, ErrUnfaithful) || corin.acct.Standing != StandingIn {
		t.Errorf("gone before its time: %v, %s", err, corin.acct.Standing)
	}
	if a := corin.show().Alarms; len(a) != 1 || a[0].Kind != AlarmVanished {
		t.Errorf("%+v", a)
	}
	for range int(ruth.acct.Terms.Idle) + 2 { // Corin is away
		x.day(ruth, halden)
		x.pass(time.Minute)
		x.sync(ruth, halden)
	}
	if err := x.read(ruth, q.box); !errors.Is(err, relay.ErrGone) {
		t.Fatalf("the box that Corin stands in: %v", err)
	}
	if err := corin.c.Sync(t.Context(), corin.id, 0); err != nil {
		t.Fatal(err)
	}
	if corin.acct.Standing != StandingLost || corin.acct.Away.Reason != LossMissed {
		t.Errorf("Corin, who was away, is %s", corin.acct.Standing)
	}
}

// TestRemovedForgetsOldBoxes: who was removed destroys nothing.
func TestRemovedForgetsOldBoxes(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	x.day(ruth, halden, corin)
	if err := ruth.c.Remove(t.Context(), ruth.id, corin.acct.Me); err != nil {
		t.Fatal(err)
	}
	x.sync(ruth, halden, ruth, corin)
	if corin.acct.Standing != StandingRemoved || oldBoxes(t, corin) != 0 {
		t.Errorf("Corin is %s, with %d old boxes", corin.acct.Standing, oldBoxes(t, corin))
	}
	if ruth.state.Seat(corin.acct.Me).Status != dialogue.Removed {
		t.Error("Corin is not removed")
	}
}
