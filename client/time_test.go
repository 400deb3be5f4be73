package client

import (
	"errors"
	"testing"
	"time"

	"parley/dialogue"
)

// TestDateIn2099: one seat's false date moves neither log time nor anybody's
// expiry, and with it gone, all is as before.
func TestDateIn2099(t *testing.T) {
	x := newTable(t)
	ctx := t.Context()
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	if _, err := ruth.c.Say(ctx, ruth.id, Draft{Text: "To be kept."}); err != nil {
		t.Fatal(err)
	}
	x.sync(ruth, halden, corin)
	was := ruth.state.LogTime
	right := corin.c.opt.Now
	corin.c.opt.Now = func() time.Time { return time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC) }
	if _, err := corin.c.Say(ctx, corin.id, Draft{Text: "From 2099."}); err != nil {
		t.Fatal(err)
	}
	if err := corin.push(ctx); err != nil { // his own copies may go: it is his own clock
		t.Fatal(err)
	}
	x.sync(ruth, halden, ruth, halden)
	for _, m := range []*member{ruth, halden} {
		if m.state.LogTime > was+1 || !m.show().LogTime.Before(right().Add(time.Hour)) {
			t.Errorf("%s: log time moves from %d to %d", m.c.Profile().Name, was, m.state.LogTime)
		}
		if err := m.expire(); err != nil {
			t.Fatal(err)
		}
		if l, err := m.c.Messages(m.id, Query{}); err != nil || spoken(l) != 2 {
			t.Errorf("%s has %d lines, %v", m.c.Profile().Name, spoken(l), err)
		}
		if since, _ := m.standstill(); !since.IsZero() {
			t.Errorf("%s is told that log time stands still since %v", m.c.Profile().Name, since)
		}
	}
	epoch := ruth.log.Epoch()
	x.day(ruth, halden) // the commit of the day comes, and not before its day
	if ruth.log.Epoch() != epoch+1 {
		t.Errorf("%d commits in a day", ruth.log.Epoch()-epoch)
	}
}

// TestClockStandsStill: a seat whose clock stands still holds up neither log
// time, nor the day's commit, nor the others' expiry, and deletes nothing early.
func TestClockStandsStill(t *testing.T) {
	x := newTable(t)
	ctx := t.Context()
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	stopped := corin.c.opt.Now()
	corin.c.opt.Now = func() time.Time { return stopped }
	if _, err := ruth.c.Say(ctx, ruth.id, Draft{Text: "For a month."}); err != nil {
		t.Fatal(err)
	}
	x.sync(ruth, halden, corin)
	was, epoch := ruth.state.LogTime, ruth.log.Epoch()
	x.day(ruth, halden, corin)
	if ruth.state.LogTime < was+dialogue.MinutesPerDay || ruth.log.Epoch() != epoch+1 || corin.log.Epoch() != epoch+1 {
		t.Errorf("log time from %d to %d, epochs from %d to %d and %d", was, ruth.state.LogTime, epoch, ruth.log.Epoch(), corin.log.Epoch())
	}
	x.pass(time.Duration(ruth.state.Rules.RetentionDays) * 24 * time.Hour)
	x.sync(ruth, halden, ruth)
	for m, want := range map[*member]int{ruth: 0, corin: 1} {
		if err := m.expire(); err != nil {
			t.Fatal(err)
		}
		if l, err := m.c.Messages(m.id, Query{}); err != nil || spoken(l) != want {
			t.Errorf("%s has %d lines, %v", m.c.Profile().Name, spoken(l), err)
		}
	}
}

// TestJoinWithWrongClock: a newcomer whose clock is more than a day off the
// dialogue's time does not come in, is told why, and comes in once it is set.
func TestJoinWithWrongClock(t *testing.T) {
	for name, off := range map[string]time.Duration{"behind": -50 * time.Hour, "ahead": 49 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			x := newTable(t)
			ctx := t.Context()
			ruth, halden, corin := x.seated()
			c, mira := x.joins(ruth, 1, "Mira")
			c.opt.Now = func() time.Time { return time.Now().Add(off) }
			x.sync(ruth, halden, corin)
			for _, m := range []*member{halden, corin} {
				if err := m.c.Approve(ctx, m.id, mira.acct.Me); err != nil {
					t.Fatal(err)
				}
				x.sync(m)
			}
			x.sync(ruth)
			for range 2 {
				if err := c.Sync(ctx, mira.id, 0); err != nil && !errors.Is(err, ErrClock) {
					t.Fatalf("with a wrong clock: %v", err)
				}
				x.sync(ruth, halden, corin)
			}
			if d := mira.show(); d.Standing != StandingWaiting || !errors.Is(d.Problem, ErrClock) || len(mira.out) > 0 {
				t.Fatalf("%s, %v, %d to write", d.Standing, d.Problem, len(mira.out))
			}
			if err := mira.reload(); err != nil {
				t.Fatal(err)
			}
			c.opt.Now = time.Now
			x.sync(mira, ruth, mira)
			if d := mira.show(); d.Standing != StandingIn || d.Problem != nil {
				t.Errorf("with the right clock: %s, %v", d.Standing, d.Problem)
			}
			if ruth.state.Seat(mira.acct.Me).Heard == 0 {
				t.Error("her Hello is not there")
			}
		})
	}
}

// TestJoinWhileTimeStandsStill: log time stands still while one party alone is
// there. Who comes in then, with a right clock, does not wait for the others.
func TestJoinWhileTimeStandsStill(t *testing.T) {
	x := newTable(t)
	ctx := t.Context()
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	c, mira := x.joins(ruth, 1, "Mira")
	c.opt.Now = halden.c.opt.Now
	x.sync(ruth, halden, corin)
	for _, m := range []*member{halden, corin} {
		if err := m.c.Approve(ctx, m.id, mira.acct.Me); err != nil {
			t.Fatal(err)
		}
		x.sync(m)
	}
	x.pass(72 * time.Hour)
	for range 3 {
		x.pass(time.Hour) // whose turn it is is away
		x.sync(halden)
	}
	if s := halden.state; s.LogTime+2*dialogue.MinutesPerDay > halden.c.minute() {
		t.Fatalf("log time moved to %d by Halden alone", s.LogTime)
	}
	x.sync(mira, halden, mira)
	if d := mira.show(); d.Standing != StandingIn || d.Problem != nil {
		t.Errorf("%s, %v", d.Standing, d.Problem)
	}
}

// TestCardUsedTooLate: whose card expires while they wait is told what that can
// mean. Who was seen in time is still let in; who was not never is, the seat says
// so, and another card seats them.
func TestCardUsedTooLate(t *testing.T) {
	for name, seen := range map[string]bool{"seen in time": true, "seen by nobody": false} {
		t.Run(name, func(t *testing.T) {
			x := newTable(t)
			ruth, halden, corin := x.seated()
			c, mira := x.joins(ruth, 1, "Mira")
			x.clocks(ruth, halden, corin, mira)
			if d := mira.show(); d.Problem != nil {
				t.Fatal(d.Problem)
			}
			if seen {
				x.sync(ruth, halden, corin)
			}
			x.pass(73 * time.Hour)
			if d := mira.show(); d.Standing != StandingWaiting || !errors.Is(d.Problem, ErrCardLate) {
				t.Fatalf("%s, %v", d.Standing, d.Problem)
			}
			x.sync(ruth, halden, corin)
			if seat := ruth.seat(ruth.state.Seat(mira.acct.Me)); seat.Expired == seen {
				t.Errorf("the inviter is shown: expired %v", seat.Expired)
			}
			if !seen {
				var m *member
				if c, m = x.joins(ruth, 1, "Mira again"); m.show().Problem != nil {
					t.Fatal(m.show().Problem)
				}
				mira = m
				x.clocks(mira)
				x.sync(ruth, halden, corin)
			}
			x.approve(mira, halden, corin)
			x.sync(ruth, mira)
			if d := mira.show(); d.Standing != StandingIn || d.Problem != nil {
				t.Errorf("%s is %s, %v", c.Profile().Name, d.Standing, d.Problem)
			}
		})
	}
}
