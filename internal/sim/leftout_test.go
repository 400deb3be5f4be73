//go:build rogue

package sim

import (
	"slices"
	"testing"
	"time"

	"parley/client"
	"parley/dialogue"
)

// TestLeftOut: a commit that is garbage for one leaves it out. It says whose
// that was, comes back by its door, without a person's help, is still
// verified, and what it had written goes out.
func TestLeftOut(t *testing.T) {
	play(t, 40, func(w *World) {
		ruth, halden, corin := table(w)
		ruth.say(0, "Before.")
		w.reads(corin, 0, "Ruth: Before.")
		ruth.garble(dialogue.Plenary, corin)
		mira := w.Invite(ruth, 1, "Mira")
		w.Until("Corin has been lost", func() bool {
			return len(corin.notices(dialogue.NoteReturned)) > 0 || corin.reason() == client.LossLeftOut
		})
		w.standing(corin, client.StandingIn)
		corin.say(0, "Here again.")
		for _, p := range []*Person{ruth, halden} {
			w.reads(p, 0, "Ruth: Before.", "Corin: Here again.")
			if l := p.notices(dialogue.NoteReturning); len(l) != 1 || l[0].By == "" || l[0].Seat != "Corin" {
				t.Errorf("%s is told %+v", p.Name, l)
			}
		}
		w.reads(corin, 0, "Ruth: Before.", "Corin: Here again.")
		w.reads(mira, 0, "Corin: Here again.")
		w.agree(ruth, halden, corin, mira)
		w.Until("Corin has a side room again", func() bool { return len(corin.Dialogue().Rooms) == 2 && corin.Dialogue().Rooms[1].CanWrite })
	})
}

// TestMayNotHaveReached: who was left out while it was away may have missed what
// was said until it was back; its authors are told, and nobody else is named.
func TestMayNotHaveReached(t *testing.T) {
	play(t, 46, func(w *World) {
		ruth, halden, corin := table(w)
		mira := w.Invite(ruth, 1, "Mira")
		for _, p := range []*Person{ruth, halden, mira} {
			p.say(0, p.Name+" is here.")
			w.Until("Corin reads "+p.Name, func() bool { return slices.Contains(corin.said(0), p.Name+": "+p.Name+" is here.") })
		}
		corin.say(0, "So I see.")
		w.Until("Ruth reads it", func() bool { return slices.Contains(ruth.said(0), "Corin: So I see.") })
		back := corin.away()
		ruth.garble(dialogue.Plenary, corin)
		if err := ruth.Remove(t.Context(), ruth.ID(), mira.Dialogue().Me.ID); err != nil {
			t.Fatal(err)
		}
		w.Until("Mira is removed", func() bool { return halden.Seat("Mira").Status == dialogue.Removed })
		halden.say(0, "Meanwhile.")
		w.Until("Ruth reads it", func() bool { return slices.Contains(ruth.said(0), "Halden: Meanwhile.") })
		back()
		w.Until("Corin has been left out", func() bool { return len(halden.notices(dialogue.NoteReturned)) == 1 })
		w.standing(corin, client.StandingIn)
		for _, p := range []*Person{ruth, halden} {
			p.Crash()
			p.say(0, "Welcome back.")
			w.Until("Corin reads "+p.Name, func() bool { return slices.Contains(corin.said(0), p.Name+": Welcome back.") })
		}
		if slices.Contains(corin.said(0), "Halden: Meanwhile.") {
			t.Error("Corin has read it")
		}
		for _, p := range w.People {
			for _, m := range p.lines(0) {
				if missed := m.Mine && m.Text == "Meanwhile."; missed != slices.Equal(m.Missed, []string{"Corin"}) || !missed && len(m.Missed) > 0 {
					t.Errorf("%s sees %q of %s, which may not have reached %q", p.Name, m.Text, m.Name, m.Missed)
				}
			}
		}
	})
}

// TestLostSideRoom: who can't follow its side room is let in again there.
func TestLostSideRoom(t *testing.T) {
	play(t, 43, func(w *World) {
		ruth, halden, _ := table(w)
		mira := w.Invite(ruth, 1, "Mira")
		nora := w.Invite(ruth, 1, "Nora")
		for _, p := range []*Person{mira, nora} {
			w.Until(p.Name+" is in the side room", func() bool { return len(p.Dialogue().Rooms) == 2 && p.Dialogue().Rooms[1].CanWrite })
		}
		halden.garble(1, mira)
		olaf := w.Invite(ruth, 1, "Olaf")
		w.Until("Mira said so", func() bool {
			l, err := halden.Messages(halden.ID(), client.Query{Room: 1})
			return err == nil && slices.ContainsFunc(l, func(m client.Message) bool {
				return m.Notice != nil && m.Notice.Kind == dialogue.NoteRoomLost && m.Notice.Seat == "Mira"
			})
		})
		for _, p := range []*Person{halden, mira, nora, olaf} {
			w.Until(p.Name+" can write in the side room", func() bool { return len(p.Dialogue().Rooms) == 2 && p.Dialogue().Rooms[1].CanWrite })
		}
		mira.say(1, "Here again.")
		for _, p := range []*Person{halden, nora, olaf} {
			w.Until(p.Name+" reads it", func() bool { return slices.Contains(p.said(1), "Mira: Here again.") })
		}
	})
}

// TestReturnsInTroubles: while the network and computers fail, one is left
// out, one works with an older copy, and all come back.
func TestReturnsInTroubles(t *testing.T) {
	several(t, 300, func(w *World) {
		ruth, halden, corin := table(w)
		restore := halden.copyVault()
		halden.say(0, "Newer.")
		w.Until("it is there", func() bool { return len(ruth.said(0)) == 1 })
		w.Faults(Faults{Refuse: 20, Cut: 20, Delay: 50, Repeat: 50})
		restore()
		ruth.garble(dialogue.Plenary, corin)
		for range 20 {
			time.Sleep(time.Duration(w.Rand.IntN(4000)) * time.Millisecond)
			switch n := w.Rand.IntN(8); {
			case n < 5:
				w.People[n%3].Crash()
			case n == 5:
				w.CrashRelay()
			}
		}
		w.Faults(Faults{})
		w.Until("all are back", func() bool {
			return !slices.ContainsFunc(w.People, func(p *Person) bool { return p.Dialogue().Standing != client.StandingIn }) &&
				len(ruth.notices(dialogue.NoteReturned)) >= 1
		})
		for _, p := range w.People {
			p.say(0, p.Name+" is here.")
		}
		for _, p := range w.People {
			for _, q := range w.People {
				w.Until(p.Name+" reads "+q.Name, func() bool { return slices.Contains(p.said(0), q.Name+": "+q.Name+" is here.") })
			}
		}
		w.agree(w.People...)
	})
}
