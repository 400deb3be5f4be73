//go:build rogue

package sim

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"parley/client"
	"parley/dialogue"
)

// garbage has somebody make a commit that is garbage for people: it lets Mira
// in, whose computer is off by then. Each of them finds at the doors of the
// others that they have lost the room, too.
func (w *World) garbage(by *Person, side dialogue.SideID, people ...*Person) {
	w.T.Helper()
	by.garble(dialogue.Plenary, people...)
	w.letsMiraIn(by, side, people...)
}

// letsMiraIn is garbage where by is a rogue already, for people and maybe others.
func (w *World) letsMiraIn(by *Person, side dialogue.SideID, people ...*Person) {
	w.T.Helper()
	ctx := context.Background()
	card, seat, err := by.Client.Invite(ctx, by.ID(), client.InviteOptions{Side: side, Name: "Mira"})
	if err != nil {
		w.T.Fatal(err)
	}
	mira := w.Person("Mira")
	w.Until("Mira joins", func() bool { _, _, err := mira.Join(ctx, card); return err == nil })
	w.Until("Mira's post is there", func() bool { return by.Seat("Mira").Status == dialogue.Arrived })
	mira.stop()
	w.People = slices.DeleteFunc(w.People, func(p *Person) bool { return p == mira })
	w.Until("they let Mira in", func() bool {
		for _, p := range append([]*Person{by}, people...) {
			if i := slices.IndexFunc(p.Dialogue().Seats, func(s client.Seat) bool { return s.ID == seat && s.MayDo.Approve }); i >= 0 {
				if err := p.Approve(ctx, p.ID(), seat); err != nil {
					w.T.Fatal(err)
				}
			}
		}
		return by.Seat("Mira").Status == dialogue.In
	})
	w.leftOut(people...)
}

// leftOut waits until people have lost the room, and each found at the doors of
// the others that they did, too.
func (w *World) leftOut(people ...*Person) {
	w.T.Helper()
	for _, p := range people {
		w.Until(p.Name+" sees who else has lost the room", func() bool {
			d := p.Dialogue()
			return d.Standing == client.StandingLost && d.Lost != nil && len(d.Lost.Said) == len(people)-1
		})
	}
}

// found founds the room again.
func (p *Person) found() {
	p.W.T.Helper()
	if err := p.FoundAgain(context.Background(), p.ID()); err != nil && !errors.Is(err, client.ErrOffline) {
		p.W.T.Fatalf("%s founds: %v", p.Name, err)
	}
}

// founding is a founding by somebody as a person sees it; nil where there is
// none.
func (p *Person) founding(by *Person) *client.Founding {
	l := p.Dialogue().Foundings
	i := slices.IndexFunc(l, func(f client.Founding) bool { return f.Founder.Name == by.Name })
	if i < 0 {
		return nil
	}
	return &l[i]
}

// accepts has a person hear the words of a founding, and accept it.
func (w *World) accepts(p, founder *Person) {
	w.T.Helper()
	w.Until(p.Name+" finds the founding", func() bool { return p.founding(founder) != nil })
	f := p.founding(founder)
	read, err := founder.FoundingWords(context.Background(), founder.ID(), founder.Seat(founder.Name).ID)
	if err != nil {
		w.T.Fatal(err)
	}
	follow, err := p.FoundingWords(context.Background(), p.ID(), f.Founder.ID)
	if err != nil || len(read) != 6 || !slices.Equal(follow, read[:5]) {
		w.T.Fatalf("%s reads %q, %s follows %q, %v", founder.Name, read, p.Name, follow, err)
	}
	if err := p.AcceptFounding(context.Background(), p.ID(), f.Founder.ID, "wrong"); !errors.Is(err, dialogue.ErrWord) {
		w.T.Fatalf("a wrong word: %v", err)
	}
	if p.founding(founder).Taken {
		w.T.Fatal("a wrong word is taken")
	}
	if err := p.AcceptFounding(context.Background(), p.ID(), f.Founder.ID, read[5]); err != nil && !errors.Is(err, client.ErrOffline) {
		w.T.Fatalf("%s accepts: %v", p.Name, err)
	}
}

// talk has everybody speak, and everybody read all of it.
func (w *World) talk(people ...*Person) {
	w.T.Helper()
	for _, p := range people {
		w.Until(p.Name+" can write", func() bool { return len(p.Dialogue().Rooms) > 0 && p.Dialogue().Rooms[0].CanWrite })
		p.say(0, p.Name+" is here again.")
	}
	for _, p := range people {
		for _, q := range people {
			w.Until(p.Name+" reads "+q.Name, func() bool { return slices.Contains(p.said(0), q.Name+": "+q.Name+" is here again.") })
		}
	}
}

// sideRoom waits until people have a side room and read each other there.
func (w *World) sideRoom(side dialogue.Room, people ...*Person) {
	w.T.Helper()
	for _, p := range people {
		w.Until(p.Name+" has a side room", func() bool { return len(p.Dialogue().Rooms) == 2 && p.Dialogue().Rooms[1].CanWrite })
	}
	for _, p := range people {
		p.say(side, p.Name+" aside.")
	}
	for _, p := range people {
		for _, q := range people {
			w.Until(p.Name+" reads "+q.Name+" there", func() bool { return slices.Contains(p.said(side), q.Name+": "+q.Name+" aside.") })
		}
	}
}

// TestFoundedAgain: a head's commit is garbage for all. The convenor founds the
// room again; each enters after comparing words; all talk, and side rooms work.
func TestFoundedAgain(t *testing.T) {
	play(t, 60, func(w *World) {
		ruth, halden, corin := table(w)
		nora := w.Invite(ruth, 2, "Nora")
		ruth.say(0, "Before.")
		w.reads(nora, 0, "Ruth: Before.")
		w.garbage(halden, 1, ruth, corin, nora)
		if l := ruth.Dialogue().Lost; !l.MayFound || l.By.Name != "Halden" || len(l.Founders) != 2 || len(l.Silent) != 1 || l.Silent[0].Name != "Mira" {
			t.Errorf("Ruth sees %+v", l)
		}
		if l := nora.Dialogue().Lost; l.MayFound {
			t.Error("who is not head may found")
		}
		if err := nora.FoundAgain(context.Background(), nora.ID()); err == nil {
			t.Error("who is not head founds")
		}
		ruth.found()
		for _, p := range []*Person{corin, nora} {
			w.Until(p.Name+" finds it", func() bool { return p.founding(ruth) != nil })
			if f := p.founding(ruth); !f.Same || f.Taken || f.Without.Name != "Halden" || len(f.Members) != 2 || len(f.Later) != 1 {
				t.Errorf("%s sees %+v", p.Name, f)
			}
			w.accepts(p, ruth)
		}
		w.talk(ruth, corin, nora)
		w.agree(ruth, corin, nora)
		w.sideRoom(2, corin, nora)
		if s := ruth.Seat("Halden"); s.Status != dialogue.Removed || s.GoneBy != "Ruth" {
			t.Errorf("Halden: %+v", s)
		}
		// Words match: the log is one, from its first cell on.
		if err := ruth.ReadWords(context.Background(), ruth.ID()); err != nil {
			t.Fatal(err)
		}
		w.Until("Nora hears the words", func() bool {
			words, _, err := ruth.Words(context.Background(), ruth.ID(), ruth.Seat("Ruth").ID)
			return err == nil && nora.Heard(context.Background(), nora.ID(), nora.Seat("Ruth").ID, words[5]) == nil
		})
		w.Until("all see it", func() bool { return slices.Equal(corin.Seat("Ruth").VerifiedBy, []string{"Nora"}) })
		// Mira, whom only Halden's commit let in, never came: her seat can go, and another come.
		if err := ruth.Remove(context.Background(), ruth.ID(), ruth.Seat("Mira").ID); err != nil {
			t.Fatal(err)
		}
		olaf := w.Invite(ruth, 1, "Olaf")
		w.talk(ruth, corin, nora, olaf)
		if l := ruth.Dialogue().Foundings; len(l) != 0 {
			t.Errorf("the founding is not over: %+v", l)
		}
	})
}

// TestFoundedByAHead: the convenor's commit is garbage for all. A head founds
// the room again without the convenor.
func TestFoundedByAHead(t *testing.T) {
	play(t, 61, func(w *World) {
		ruth, halden, corin := table(w)
		nora := w.Invite(ruth, 2, "Nora")
		halden.say(0, "Before.")
		w.reads(corin, 0, "Halden: Before.")
		w.garbage(ruth, 1, halden, corin, nora)
		if err := ruth.FoundAgain(context.Background(), ruth.ID()); !errors.Is(err, client.ErrNotLost) {
			t.Errorf("who left the others out founds the room again: %v", err)
		}
		corin.found()
		w.accepts(halden, corin)
		w.accepts(nora, corin)
		w.talk(halden, corin, nora)
		w.agree(halden, corin, nora)
		w.sideRoom(2, corin, nora)
		if s := halden.Seat("Ruth"); s.Status != dialogue.Removed || s.GoneBy != "Corin" {
			t.Errorf("Ruth: %+v", s)
		}
	})
}

// TestFoundedMeanwhile: who was offline when the commit came that nobody can
// follow, and when the room was founded again, finds both, hears the words, and
// comes in by its door.
func TestFoundedMeanwhile(t *testing.T) {
	play(t, 62, func(w *World) {
		ruth, halden, corin := table(w)
		nora := w.Invite(ruth, 2, "Nora")
		ruth.say(0, "Before.")
		w.reads(nora, 0, "Ruth: Before.")
		halden.garble(dialogue.Plenary, ruth, corin, nora)
		back := nora.away()
		w.letsMiraIn(halden, 1, ruth, corin)
		ruth.found()
		w.accepts(corin, ruth)
		w.talk(ruth, corin)
		back()
		w.Until("the others have brought Nora back", func() bool {
			return slices.ContainsFunc(ruth.notices(dialogue.NoteReturned), func(n client.Notice) bool { return n.Seat == "Nora" })
		})
		if d := nora.Dialogue(); d.Standing != client.StandingLost || !slices.Equal(ruth.founding(ruth).Unheard, []string{"Nora", "Mira"}) {
			t.Fatalf("Nora is %s; Ruth waits for %q", d.Standing, ruth.founding(ruth).Unheard)
		}
		w.accepts(nora, ruth)
		w.talk(ruth, corin, nora)
		w.agree(ruth, corin, nora)
		w.sideRoom(2, corin, nora)
	})
}

// TestFoundedTwice: a convenor and a head found the room again at once. One
// goes to one, another to the other; then they agree on one.
func TestFoundedTwice(t *testing.T) {
	play(t, 63, func(w *World) {
		ruth, halden, corin := table(w)
		nora := w.Invite(ruth, 2, "Nora")
		w.garbage(halden, 1, ruth, corin, nora)
		ruth.found()
		corin.found()
		w.Until("all see both", func() bool {
			return !slices.ContainsFunc([]*Person{ruth, corin, nora}, func(p *Person) bool { return len(p.Dialogue().Foundings) != 2 })
		})
		w.accepts(nora, ruth)
		w.Until("Nora is in", func() bool { return nora.Dialogue().Standing == client.StandingIn && nora.founding(ruth).Taken })
		w.accepts(corin, ruth)
		w.talk(ruth, corin, nora)
		w.agree(ruth, corin, nora)
		w.sideRoom(2, corin, nora)
	})
}

// TestFoundedInTroubles: while the network and computers fail, a room is founded
// again, and all come in.
func TestFoundedInTroubles(t *testing.T) {
	several(t, 500, func(w *World) {
		ruth, halden, corin := table(w)
		w.garbage(halden, 1, ruth, corin)
		w.Faults(Faults{Refuse: 20, Cut: 20, Delay: 50, Repeat: 50})
		troubles := func() {
			for range 4 {
				time.Sleep(time.Duration(w.Rand.IntN(2000)) * time.Millisecond)
				if n := w.Rand.IntN(5); n < 4 {
					[]*Person{ruth, corin}[n%2].Crash()
				} else {
					w.CrashRelay()
				}
			}
		}
		troubles()
		w.Until("Ruth may found", func() bool { l := ruth.Dialogue().Lost; return l != nil && l.MayFound })
		ruth.found()
		troubles()
		w.accepts(corin, ruth)
		troubles()
		w.Faults(Faults{})
		w.talk(ruth, corin)
		w.agree(ruth, corin)
	})
}
