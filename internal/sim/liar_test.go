package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/client"
	"parley/dialogue"
)

// alarmed tells whether somebody is shown an alarm of a kind, against who ("":
// nobody in particular).
func (p *Person) alarmed(k client.AlarmKind, who string) bool {
	return slices.ContainsFunc(p.Dialogue().Alarms, func(a client.Alarm) bool { return a.Kind == k && a.Seat.Name == who })
}

// told has somebody say something and waits until people have read it, that
// person included.
func (w *World) told(by *Person, text string, readers ...*Person) {
	w.T.Helper()
	by.say(0, text)
	line := by.Name + ": " + text
	for _, p := range append(readers, by) {
		w.Until(p.Name+" reads "+line, func() bool { return slices.Contains(p.said(0), line) })
	}
}

// idle waits until nobody's computer has had anything to write for ten minutes:
// what a newcomer causes (its side's room, for one) has been done.
func (w *World) idle() {
	w.T.Helper()
	since := time.Now()
	for time.Since(since) < 10*time.Minute {
		if slices.ContainsFunc(w.People, func(p *Person) bool { return !strings.Contains(p.Outbox(p.ID()), "outbox: []") }) {
			since = time.Now()
		}
		time.Sleep(time.Second)
	}
}

// sixth is the sixth word of somebody's reading, as another's vault has it.
func (w *World) sixth(p *Person, reader string) (word string) {
	w.T.Helper()
	w.Until(p.Name+" has the words of "+reader, func() (ok bool) {
		var err error
		word, err = p.LastWord(p.ID(), p.Seat(reader).ID)
		return err == nil
	})
	return word
}

// TestForkStopsWriting: the relay shows Halden and Corin another log than Ruth
// and Mira, and copies what those two write. One contradiction is shown, two
// stop; words differ across the fork, and match within it, which starts again.
func TestForkStopsWriting(t *testing.T) {
	play(t, 50, func(w *World) {
		ctx := context.Background()
		l := w.lie()
		ruth, halden, corin := table(w)
		mira := w.Invite(ruth, 1, "Mira")
		w.told(mira, "All are here.", ruth, halden, corin)
		w.idle()
		l.fork(halden, corin)
		w.told(halden, "In one view only.", corin)
		l.copies = func(from, _ *view) bool { return from == l.views[0] }

		// What was made before its author read anything else is nobody's lie.
		w.told(ruth, "At the same time.", mira, halden, corin)
		for _, p := range w.People {
			if a := p.Dialogue().Alarms; len(a) > 0 {
				t.Fatalf("%s: %+v", p.Name, a)
			}
		}
		w.told(ruth, "After it.", mira, halden, corin)
		w.told(ruth, "And again.", mira, halden, corin)
		for _, p := range []*Person{halden, corin} {
			if a := p.Dialogue().Alarms; len(a) != 1 || !p.alarmed(client.AlarmContradicted, "Ruth") || p.Dialogue().Stopped {
				t.Fatalf("%s, one contradiction: %+v", p.Name, a)
			}
		}
		w.told(mira, "I say so, too.", ruth, halden, corin)
		halden.Crash()
		for _, p := range []*Person{halden, corin} {
			d := p.Dialogue()
			if len(d.Alarms) != 3 || !p.alarmed(client.AlarmContradicted, "Mira") || !p.alarmed(client.AlarmStopped, "") || !d.Stopped || d.Rooms[0].Why != client.WhyStopped {
				t.Fatalf("%s, two contradictions: stopped %v, %+v", p.Name, d.Stopped, d.Alarms)
			}
		}
		for _, p := range []*Person{ruth, mira} {
			if a := p.Dialogue().Alarms; len(a) > 0 {
				t.Errorf("%s, whom nothing reached: %+v", p.Name, a)
			}
		}
		halden.say(0, "Is anybody there?")
		if err := halden.ReadWords(ctx, halden.ID()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if m := halden.lines(0); m[len(m)-1].State != client.StateWaiting {
			t.Errorf("what was said while stopped is %+v", m[len(m)-1])
		}

		// Across the fork the words differ.
		if err := ruth.ReadWords(ctx, ruth.ID()); err != nil {
			t.Fatal(err)
		}
		theirs := w.sixth(ruth, "Ruth")
		mine := w.sixth(halden, "Ruth")
		if mine == theirs {
			t.Error("on two histories the words are the same")
		}
		if err := halden.Heard(ctx, halden.ID(), halden.Seat("Ruth").ID, theirs); !errors.Is(err, dialogue.ErrWord) {
			t.Errorf("Halden hears Ruth: %v", err)
		}

		// On one side of it they match. That ends the stop, on both ends.
		word := w.sixth(halden, "Halden")
		w.Until("Corin hears Halden", func() bool {
			return corin.Heard(ctx, corin.ID(), corin.Seat("Halden").ID, word) == nil
		})
		for _, p := range []*Person{halden, corin} {
			w.Until(p.Name+" goes on", func() bool { return !p.Dialogue().Stopped && !p.alarmed(client.AlarmStopped, "") })
		}
		w.Until("Corin reads what waited", func() bool { return slices.Contains(corin.said(0), "Halden: Is anybody there?") })
		// The fork is still there. In this box both were counted already.
		w.told(mira, "Are you there?", ruth, halden)
		if d := halden.Dialogue(); d.Stopped || len(d.Alarms) != 2 {
			t.Errorf("after the words: stopped %v, %+v", d.Stopped, d.Alarms)
		}
	})
}

// TestWordsOfOnesOwnSideAreNotEnough: a host that shows each side another log
// is found out by the other sides' words alone.
func TestWordsOfOnesOwnSideAreNotEnough(t *testing.T) {
	play(t, 51, func(w *World) {
		ctx := context.Background()
		l := w.lie()
		ruth, halden, corin := table(w)
		mira := w.Invite(ruth, 1, "Mira")
		w.told(mira, "All are here.", ruth, halden, corin)
		w.idle()
		l.fork(halden, mira)
		w.told(halden, "In one view only.", mira)
		l.copies = func(from, _ *view) bool { return from == l.views[0] }
		w.told(ruth, "At the same time.", corin, halden)
		w.told(ruth, "After it.", corin, halden)
		w.told(corin, "I, too.", ruth, halden, mira)
		if err := halden.ReadWords(ctx, halden.ID()); err != nil {
			t.Fatal(err)
		}
		word := w.sixth(halden, "Halden")
		w.Until("Mira hears Halden", func() bool { return mira.Heard(ctx, mira.ID(), mira.Seat("Halden").ID, word) == nil })
		w.Until("Halden learns of it", func() bool { return slices.Contains(halden.Seat("Halden").VerifiedBy, "Mira") })
		for _, p := range []*Person{halden, mira} {
			if !p.Dialogue().Stopped {
				t.Errorf("%s goes on after words of the own side", p.Name)
			}
		}
	})
}

// TestHiddenTail: the relay keeps from Halden whatever others write. After a
// day it is said that nothing was heard of them; whatever is let through tells
// of the rest.
func TestHiddenTail(t *testing.T) {
	play(t, 52, func(w *World) {
		l := w.lie()
		ruth, halden, corin := table(w)
		w.told(ruth, "Before.", halden, corin)
		l.fork(halden)
		w.told(ruth, "Hidden.", corin)
		w.told(corin, "Hidden, too.", ruth)
		l.copies = func(from, _ *view) bool { return from == l.views[0] }
		w.told(corin, "Let through.", ruth, halden)
		if a := halden.Dialogue().Alarms; len(a) != 1 || !halden.alarmed(client.AlarmContradicted, "Corin") {
			t.Errorf("a message after a hidden tail: %+v", a)
		}
		l.copies = nil
		w.told(ruth, "Hidden again.", corin)
		time.Sleep(23 * time.Hour)
		if !halden.Seat("Ruth").SilentSince.IsZero() {
			t.Error("silence is said before a day is over")
		}
		time.Sleep(90 * time.Minute)
		if halden.Seat("Ruth").SilentSince.IsZero() || halden.Seat("Corin").SilentSince.IsZero() || !halden.Seat("Halden").SilentSince.IsZero() {
			t.Errorf("%+v", halden.Dialogue().Seats)
		}
		w.told(halden, "Nobody but me.")
		w.told(ruth, "A day later.", corin)
		w.told(corin, "Yes.", ruth)
		if d := halden.Dialogue(); d.StillSince.IsZero() || d.StillBy != 1 || !halden.Seat("Halden").SilentSince.IsZero() {
			t.Errorf("one party alone speaks: still since %v, by %d", d.StillSince, d.StillBy)
		}
		if d := ruth.Dialogue(); !d.StillSince.IsZero() || !ruth.Seat("Corin").SilentSince.IsZero() {
			t.Errorf("Ruth, who hears Corin: still since %v", d.StillSince)
		}
	})
}

// TestRelayTakesBack: less than before, something else than before, something
// gone before its time: each alarms against the relay, and nothing that a vault
// has changes. When the relay is itself again, all goes on.
func TestRelayTakesBack(t *testing.T) {
	for kind, harm := range map[client.AlarmKind]func(*shelf){
		client.AlarmShorter:  func(s *shelf) { s.cells = s.cells[:len(s.cells)-1]; s.hours = s.hours[:len(s.cells)] },
		client.AlarmOther:    func(s *shelf) { s.cells[len(s.cells)-1][7] ^= 1 },
		client.AlarmVanished: func(s *shelf) { s.add(&s.cells[0], s.hours[0]); s.first = len(s.cells) },
	} {
		t.Run(string(kind), func(t *testing.T) {
			play(t, 53, func(w *World) {
				l := w.lie()
				ruth, halden, corin := table(w)
				w.told(ruth, "One.", halden, corin)
				w.told(halden, "Two.", ruth, corin)
				time.Sleep(2 * time.Minute)
				v := l.views[0]
				box := v.lives()
				l.mu.Lock()
				whole := v.boxes[box].clone()
				l.mu.Unlock()
				at := corin.Outbox(corin.ID())
				corin.stop()
				v.change(box, harm)
				corin.Restart()
				w.Until("Corin is alarmed", func() bool { return corin.alarmed(kind, "") })
				time.Sleep(5 * time.Minute)
				d := corin.Dialogue()
				if len(d.Alarms) != 1 || d.Standing != client.StandingIn || !errors.Is(d.Problem, client.ErrUnfaithful) {
					t.Errorf("%s, %v, %+v", d.Standing, d.Problem, d.Alarms)
				}
				if l := corin.said(0); !slices.Equal(l, []string{"Ruth: One.", "Halden: Two."}) {
					t.Errorf("Corin has %q", l)
				}
				v.change(box, func(s *shelf) { *s = *whole })
				w.told(corin, "Three.", ruth, halden)
				if d := corin.Dialogue(); d.Problem != nil || len(d.Alarms) != 1 {
					t.Errorf("%v, %+v; stood at %s", d.Problem, d.Alarms, at)
				}
				if a := ruth.Dialogue().Alarms; kind == client.AlarmOther && len(a) != 0 {
					t.Errorf("Ruth, who did not ask again: %+v", a)
				}
			})
		})
	}
}

// TestReplay: old cells, of this box and of those before, are put into the box
// that lives. Nothing is shown twice, and nobody is blamed.
func TestReplay(t *testing.T) {
	play(t, 54, func(w *World) {
		l := w.lie()
		ruth, halden, corin := table(w)
		w.told(ruth, "Once.", halden, corin)
		w.told(halden, "Only.", ruth, corin)
		l.views[0].change(l.views[0].lives(), func(s *shelf) {
			for _, old := range l.views[0].boxes {
				for i := range slices.Clone(old.cells) {
					s.add(&old.cells[i], old.hours[i])
				}
			}
		})
		w.told(corin, "After all that.", ruth, halden)
		for _, p := range w.People {
			if l := p.said(0); !slices.Equal(l, []string{"Ruth: Once.", "Halden: Only.", "Corin: After all that."}) {
				t.Errorf("%s reads %q", p.Name, l)
			}
			if d := p.Dialogue(); d.Standing != client.StandingIn || len(d.Alarms) > 0 {
				t.Errorf("%s: %s, %+v", p.Name, d.Standing, d.Alarms)
			}
		}
	})
}

// TestOrderOfTheRelay: a relay that holds cells and orders them as it likes is
// within its rights, and nobody is blamed.
func TestOrderOfTheRelay(t *testing.T) {
	several(t, 300, func(w *World) {
		l := w.lie()
		table(w)
		l.hold = 8 * time.Second
		chatter(w, 30, func(int) {})
	})
}

// TestForks: the relay splits people at random and copies at random. Whoever
// is shown a message whose author had read what this reader was not given is
// told so.
func TestForks(t *testing.T) {
	several(t, 400, forks)
}

func forks(w *World) {
	l := w.lie()
	ruth, halden, corin := table(w)
	mira := w.Invite(ruth, 1, "Mira")
	w.told(mira, "All are here.", ruth, halden, corin)
	w.idle()
	groups := [2][]*Person{}
	for i, j := range w.Rand.Perm(len(w.People)) {
		g := i % 2
		if i == 2 && w.Rand.IntN(2) == 0 {
			g = 1
		}
		groups[g] = append(groups[g], w.People[j])
	}
	l.fork(groups[1]...)
	var passes bool
	l.copies = func(_, _ *view) bool { return passes }
	var mine [2]bool // a group has read something that the other has not, since the fork
	blamed := map[string]bool{}
	for i := range 12 {
		g := w.Rand.IntN(2)
		p := groups[g][w.Rand.IntN(len(groups[g]))]
		if p.Dialogue().Stopped {
			continue
		}
		passes = w.Rand.IntN(2) == 0
		text := fmt.Sprint("line ", i)
		if passes {
			w.told(p, text, w.People...)
		} else {
			w.told(p, text, groups[g]...)
		}
		for _, q := range groups[1-g] {
			if passes && (mine[0] || mine[1]) {
				blamed[q.Name+" blames "+p.Name] = mine[g] || blamed[q.Name+" blames "+p.Name]
			}
		}
		switch {
		case !passes:
			mine[g] = true
		case mine[0] || mine[1]:
			mine = [2]bool{true, true} // each reads it where the other has something else
		}
	}
	for _, q := range w.People {
		for _, p := range w.People {
			if q == p {
				continue
			}
			want := blamed[q.Name+" blames "+p.Name]
			if got := q.alarmed(client.AlarmContradicted, p.Name); got != want {
				w.T.Errorf("%s blames %s: %v, not %v", q.Name, p.Name, got, want)
			}
		}
	}
}
