//go:build rogue

package sim

import (
	"context"
	"slices"
	"testing"
	"time"

	"parley/client"
	"parley/dialogue"
)

// set changes what the liar does.
func (l *liar) set(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// TestDropped: the relay takes a cell, says where it lies, and keeps nothing. Its
// author sees that another's lies there, and the message goes in with the next box.
func TestDropped(t *testing.T) {
	play(t, 91, func(w *World) {
		l := w.lie()
		ruth, halden, corin := table(w)
		w.told(ruth, "One.", halden, corin)
		w.idle()
		v := l.views[0]
		l.set(func() { v.drops = true })
		corin.say(0, "Two.")
		time.Sleep(time.Minute)
		l.set(func() { v.drops = false })
		w.told(halden, "Three.", ruth)
		w.Until("Corin is alarmed", func() bool { return corin.alarmed(client.AlarmOther, "") })
		if len(ruth.Dialogue().Alarms)+len(halden.Dialogue().Alarms) != 0 {
			t.Error("others are alarmed, of whom nothing was dropped")
		}
		w.night()
		w.night()
		for _, p := range w.People {
			w.reads(p, 0, "Ruth: One.", "Halden: Three.", "Corin: Two.")
		}
	})
}

// TestRemovalThroughALateRelay: the relay gives everything of the one who is to be
// removed its place at once, and lets all others wait; and that one commits as
// often as it can. It is removed all the same.
func TestRemovalThroughALateRelay(t *testing.T) {
	play(t, 92, func(w *World) {
		l := w.lie()
		ruth, halden, corin := table(w)
		w.told(halden, "All are here.", ruth, corin)
		w.idle()
		r := halden.turn(client.Ways{First: true})
		r.moves()
		l.fork(halden)
		l.set(func() {
			l.copies = func(x, y *view) bool { return true }
			l.views[0].late = 20 * time.Second
		})
		if err := ruth.Remove(context.Background(), ruth.ID(), ruth.Seat("Halden").ID); err != nil {
			t.Fatal(err)
		}
		committed := 0
		w.Until("it is removed", func() bool {
			if r.moves().Commit(dialogue.Plenary) == nil {
				committed++
			}
			return ruth.Seat("Halden").Status == dialogue.Removed && corin.Seat("Halden").Status == dialogue.Removed
		})
		if committed < 3 {
			t.Errorf("it committed %d times", committed)
		}
		l.set(func() { l.views[0].late = 0 })
		w.told(ruth, "Among ourselves.", corin)
		time.Sleep(time.Minute)
		if slices.Contains(r.said(0), "Ruth: Among ourselves.") {
			t.Error("who was removed reads on")
		}
	})
}

// TestConvenorAway: the convenor's computer is off for good, and a seat makes
// garbage for one. A newcomer is seated, who lost the room is back, the liar is
// removed, and everybody is heard.
func TestConvenorAway(t *testing.T) {
	several(t, 930, func(w *World) {
		ruth, halden, corin := table(w)
		mira := w.Invite(ruth, 1, "Mira")
		nora := w.Invite(ruth, 2, "Nora")
		olaf := w.Invite(ruth, 1, "Olaf")
		w.told(mira, "All are here.", ruth, halden, corin, nora, olaf)
		w.idle()
		ruth.end()
		w.People = w.People[1:] // nobody asks her any more
		guest := w.Invite(halden, 1, "Guest")
		w.told(guest, "Good morning.", halden, corin, nora)
		r := mira.garble(dialogue.Plenary, corin)
		if err := halden.Remove(context.Background(), halden.ID(), halden.Seat("Olaf").ID); err != nil {
			t.Fatal(err)
		}
		w.Until("Corin has been left out and let in", func() bool {
			return slices.ContainsFunc(halden.notices(dialogue.NoteReturned), func(n client.Notice) bool { return n.Seat == "Corin" })
		})
		w.standing(corin, client.StandingIn)
		w.told(corin, "Here.", halden, nora, guest)
		if err := halden.Remove(context.Background(), halden.ID(), halden.Seat("Mira").ID); err != nil {
			t.Fatal(err)
		}
		honest := []*Person{halden, corin, nora, guest}
		for _, p := range honest {
			w.Until(p.Name+" sees it removed", func() bool { return p.Seat("Mira").Status == dialogue.Removed })
		}
		for _, p := range honest {
			w.told(p, p.Name+" after.", honest...)
		}
		if slices.Contains(r.said(0), "Halden: Halden after.") {
			t.Error("who was removed reads on")
		}
		w.People = append(w.People, ruth)
		ruth.Restart()
		w.Until("Ruth knows who is there", func() bool {
			return ruth.Seat("Guest").Status == dialogue.In && ruth.Seat("Mira").Status == dialogue.Removed
		})
		w.told(ruth, "I was away.", honest...)
	})
}
