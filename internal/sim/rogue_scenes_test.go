//go:build rogue

package sim

import (
	"context"
	"slices"
	"testing"
	"time"

	"parley/channel"
	"parley/client"
	"parley/dialogue"
	"parley/mls"
)

// quiet: nobody but a rogue is blamed, and nobody has lost anything.
func (w *World) quiet(r *rogue) {
	w.T.Helper()
	for _, p := range w.People {
		if p == r.Person {
			continue
		}
		d := p.Dialogue()
		if d.Standing != client.StandingIn || d.Stopped {
			w.T.Errorf("%s is %s, stopped: %v", p.Name, d.Standing, d.Stopped)
		}
		for _, a := range d.Alarms {
			if a.Seat.Name != r.Name {
				w.T.Errorf("%s is shown an alarm %q against %q", p.Name, a.Kind, a.Seat.Name)
			}
		}
	}
}

// haveJust: these lines and no others are in the plenary, for all of them.
func (w *World) haveJust(lines []string, people ...*Person) {
	w.T.Helper()
	for _, p := range people {
		if l := p.said(0); !slices.Equal(l, lines) {
			w.T.Errorf("%s reads %q", p.Name, l)
		}
	}
}

// removes asks for a rogue's removal.
func (p *Person) removes(r *rogue) {
	p.W.T.Helper()
	if err := p.Remove(context.Background(), p.ID(), p.Seat(r.Name).ID); err != nil {
		p.W.T.Fatal(err)
	}
}

// gone: a rogue was removed, for all who stay, and they go on.
func (w *World) gone(r *rogue, stay ...*Person) {
	w.T.Helper()
	for _, p := range stay {
		w.Until(p.Name+" sees it gone", func() bool { return p.Seat(r.Name).Status == dialogue.Removed })
	}
	w.told(stay[len(stay)-1], "It has gone.", stay[:len(stay)-1]...)
	w.quiet(r)
}

// TestForgedGenerations: a member speaks on another's next generations, whose
// keys it can derive. Nobody is shown that, and what the other says after it
// arrives.
func TestForgedGenerations(t *testing.T) {
	play(t, 70, func(w *World) {
		ruth, halden, corin := table(w)
		r := halden.turn(client.Ways{})
		w.told(ruth, "Before.", halden, corin)
		for range 5 {
			w.Until("it is forged", func() bool {
				return r.moves().Forge(context.Background(), dialogue.Plenary, corin.Dialogue().Me.ID, "Never said.") == nil
			})
		}
		w.told(corin, "Mine.", ruth, halden)
		w.haveJust([]string{"Ruth: Before.", "Corin: Mine."}, ruth, corin)
		w.quiet(r)
	})
}

// TestSealedAgain: a member seals others' messages once more, in this box and in
// the next. They are shown once, and nobody is blamed.
func TestSealedAgain(t *testing.T) {
	play(t, 71, func(w *World) {
		ruth, halden, corin := table(w)
		r := halden.turn(client.Ways{})
		w.told(ruth, "Once.", halden, corin)
		again := func() {
			for i := range 20 {
				w.Until("it is sealed again", func() bool { return r.moves().Again(context.Background(), i) == nil })
			}
		}
		again()
		mira := w.Invite(ruth, 1, "Mira") // another box
		again()
		w.told(corin, "After all that.", ruth, halden, mira)
		w.haveJust([]string{"Ruth: Once.", "Corin: After all that."}, ruth, corin)
		w.quiet(r)
	})
}

// TestFalseHeader: one seat's false header is held against that seat alone, by
// all, and stops nobody.
func TestFalseHeader(t *testing.T) {
	for _, lie := range []channel.Contradiction{channel.ShowsMore, channel.OtherBox, channel.OtherPast} {
		t.Run([]string{"", "more", "other box", "other past"}[lie], func(t *testing.T) {
			play(t, 72, func(w *World) {
				ruth, halden, corin := table(w)
				r := halden.turn(client.Ways{})
				w.told(ruth, "Before.", halden, corin)
				w.Until("it lies", func() bool { return r.moves().Lie(dialogue.Plenary, "A lie.", lie) == nil })
				w.told(corin, "After.", ruth, halden)
				for _, p := range []*Person{ruth, corin} {
					if !p.alarmed(client.AlarmContradicted, "Halden") {
						t.Errorf("%s is not told", p.Name)
					}
				}
				w.quiet(r)
			})
		})
	}
}

// TestWelcomesThatDoNotOpen: whoever commits first sends a newcomer a Welcome
// that does not open, or none. Somebody else lets it in.
func TestWelcomesThatDoNotOpen(t *testing.T) {
	for name, ways := range map[string]client.Ways{
		"garbage": {First: true, Spoil: func(dialogue.Room, func(dialogue.SeatID) []mls.LeafIndex) mls.Spoil { return mls.Spoil{Welcome: true} }},
		"none":    {First: true, Withhold: true},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, 73, func(w *World) {
				ruth, halden, corin := table(w)
				w.told(halden, "All are here.", ruth, corin)
				r := ruth.turn(ways)
				card, seat, err := halden.Client.Invite(context.Background(), halden.ID(), client.InviteOptions{Side: 1, Name: "Mira"})
				if err != nil {
					t.Fatal(err)
				}
				mira := w.Person("Mira")
				w.Until("Mira joins", func() bool { return first2(mira.Join(context.Background(), card)) == nil })
				for range 20 {
					for _, p := range []*Person{halden, corin} {
						if s := p.Seat("Mira"); s.ID == seat && s.MayDo.Approve {
							if err := p.Approve(context.Background(), p.ID(), seat); err != nil {
								t.Fatal(err)
							}
						}
					}
					if mira.Dialogue().Standing == client.StandingIn {
						break
					}
					time.Sleep(time.Minute)
				}
				// After a day without a Welcome she asks at her door; the rogue may take up what lies there once more.
				for n := 0; n < 5 && mira.Dialogue().Standing != client.StandingIn; n++ {
					w.night()
					time.Sleep(time.Minute)
				}
				w.standing(mira, client.StandingIn)
				w.told(mira, "Here.", halden, corin)
				w.agree(halden, corin, mira)
				w.quiet(r)
			})
		})
	}
}

// TestAheadOfItsRemoval: whose removal is due commits first, and again and
// again, for nothing or to remove another. It goes all the same, and is shown to
// have tried.
func TestAheadOfItsRemoval(t *testing.T) {
	play(t, 74, func(w *World) {
		ruth, halden, corin := table(w)
		w.told(halden, "All are here.", ruth, corin)
		r := halden.turn(client.Ways{First: true})
		w.Until("it runs ahead", func() bool { return r.moves().Commit(dialogue.Plenary, corin.Dialogue().Me.ID) == nil })
		w.Until("both are told of the attempt", func() bool {
			return ruth.alarmed(client.AlarmAttempt, "Halden") && corin.alarmed(client.AlarmAttempt, "Halden")
		})
		ruth.removes(r)
		for range 10 {
			r.moves().Commit(dialogue.Plenary) // refused once it is out
			time.Sleep(time.Second)
		}
		w.gone(r, ruth, corin)
	})
}

// TestNamesInMasses: one seat says again and again that others left it out. They
// go on committing: it takes two to bar one.
func TestNamesInMasses(t *testing.T) {
	play(t, 75, func(w *World) {
		ruth, halden, corin := table(w)
		w.told(halden, "All are here.", ruth, corin)
		r := halden.turn(client.Ways{})
		accused := []dialogue.SeatID{ruth.Dialogue().Me.ID, corin.Dialogue().Me.ID}
		w.Until("it accuses", func() bool { return r.moves().Accuse(append(accused, accused...)...) == nil })
		for range 20 {
			time.Sleep(time.Minute)
			r.moves().Accuse(accused...) // refused while it is out
		}
		ruth.removes(r)
		w.gone(r, ruth, corin)
	})
}

// TestTwin: of two messages under one id everybody is shown the same one.
func TestTwin(t *testing.T) {
	play(t, 76, func(w *World) {
		ruth, halden, corin := table(w)
		w.told(ruth, "Before.", halden, corin)
		r := halden.turn(client.Ways{})
		w.Until("it says both", func() bool { return r.moves().Twin(dialogue.Plenary, "One.", "Other.") == nil })
		for _, p := range []*Person{ruth, corin} {
			w.Until(p.Name+" reads one", func() bool { return len(p.said(0)) == 2 })
		}
		w.told(corin, "After.", ruth, halden)
		w.haveJust([]string{"Ruth: Before.", "Halden: One.", "Corin: After."}, ruth, corin)
		w.quiet(r)
	})
}

// TestDestroyer: a member asks the relay to destroy boxes that others have not
// read. It refuses, and who was away reads all.
func TestDestroyer(t *testing.T) {
	play(t, 77, func(w *World) {
		ruth, halden, corin := table(w)
		w.told(ruth, "One.", halden, corin)
		r := halden.turn(client.Ways{})
		back := corin.away()
		ruth.say(0, "Two.")
		w.Until("it is read", func() bool { return len(halden.said(0)) == 2 })
		w.Until("it destroys", func() bool { return r.moves().Destroy(context.Background()) == nil })
		back()
		w.reads(corin, 0, "Ruth: One.", "Ruth: Two.")
		w.quiet(r)
	})
}
