package sim

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"parley/client"
	"parley/dialogue"
)

// copyVault keeps what the vault holds now, and gives a way to put it back.
func (p *Person) copyVault() (restore func()) {
	p.end()
	kept := p.keepVault()
	p.Restart()
	return func() {
		p.end()
		p.putBack(kept)
		p.Restart()
	}
}

// end ends a person's client in order.
func (p *Person) end() {
	p.cancel()
	if err := p.Client.Close(); err != nil {
		p.W.T.Fatal(err)
	}
}

// keepVault copies the vault of somebody whose client has ended.
func (p *Person) keepVault() (dir string) {
	dir, err := os.MkdirTemp(p.W.dir, p.Name)
	if err == nil {
		err = os.CopyFS(dir, os.DirFS(p.dir))
	}
	if err != nil {
		p.W.T.Fatal(err)
	}
	return dir
}

// putBack puts a copy in the vault's place.
func (p *Person) putBack(dir string) {
	if err := errors.Join(os.RemoveAll(p.dir), os.CopyFS(p.dir, os.DirFS(dir))); err != nil {
		p.W.T.Fatal(err)
	}
}

// away stops a person's client for a while; back starts it again.
func (p *Person) away() (back func()) {
	p.end()
	return p.Restart
}

func (w *World) standing(p *Person, s client.Standing) {
	w.T.Helper()
	w.Until(fmt.Sprintf("%s is %s", p.Name, s), func() bool { return p.Dialogue().Standing == s })
}

func (p *Person) reason() client.LossReason {
	var lost *client.LostError
	if errors.As(p.Dialogue().Problem, &lost) {
		return lost.Reason
	}
	return 0
}

// agree holds everybody's seat plan against the first one's.
func (w *World) agree(people ...*Person) {
	w.T.Helper()
	plan := func(p *Person) (l []string) {
		for _, s := range p.Dialogue().Seats {
			l = append(l, fmt.Sprint(s.Name, s.Side, s.Status, s.Head, s.GoneBy, s.VerifiedBy))
		}
		return l
	}
	w.Until("all have one plan", func() bool {
		return !slices.ContainsFunc(people, func(p *Person) bool { return !slices.Equal(plan(people[0]), plan(p)) })
	})
}

func (p *Person) notices(k dialogue.NoteKind) (l []client.Notice) {
	all, err := p.Messages(p.ID(), client.Query{})
	if err != nil {
		p.W.T.Fatal(err)
	}
	for _, m := range all {
		if m.Notice != nil && m.Notice.Kind == k {
			l = append(l, *m.Notice)
		}
	}
	return l
}

// TestOlderCopy: a vault that is an older copy writes nothing before it has
// come back with fresh keys.
func TestOlderCopy(t *testing.T) {
	play(t, 41, func(w *World) {
		ruth, halden, corin := table(w)
		restore := corin.copyVault()
		corin.say(0, "From the newer one.")
		w.reads(ruth, 0, "Corin: From the newer one.")
		restore()
		w.Until("it finds out", func() bool { return corin.reason() == client.LossOlder })
		w.standing(corin, client.StandingIn)
		corin.say(0, "From the older one.")
		for _, p := range []*Person{ruth, halden} {
			w.reads(p, 0, "Corin: From the newer one.", "Corin: From the older one.")
		}
		w.agree(ruth, halden, corin)
	})
}

// TestSleep: all are away for longer than the rules' days. Who comes back in
// time to say so does not sleep, whoever speaks first; who does not, does. Its
// side's next is head, and it comes back by its door.
func TestSleep(t *testing.T) {
	play(t, 42, func(w *World) {
		ruth, halden, corin := table(w)
		mira := w.Invite(ruth, 1, "Mira")
		w.Until("Mira is in her side room", func() bool { return len(mira.Dialogue().Rooms) == 2 && mira.Dialogue().Rooms[1].CanWrite })
		time.Sleep(time.Minute)
		back := halden.away()
		var others []func()
		for _, p := range []*Person{ruth, corin, mira} {
			others = append(others, p.away())
		}
		time.Sleep(8 * 24 * time.Hour)
		for _, f := range others {
			f()
		}
		ruth.say(0, "Anybody?")
		w.reads(corin, 0, "Ruth: Anybody?")
		corin.say(0, "Yes.")
		w.reads(mira, 0, "Ruth: Anybody?", "Corin: Yes.")
		for range 10 {
			time.Sleep(10 * time.Minute)
		}
		for _, p := range []*Person{ruth, corin, mira} {
			w.Until(p.Name+" sees Halden sleep", func() bool { return p.Seat("Halden").Status == dialogue.Asleep && p.Seat("Mira").Head })
			if l := p.notices(dialogue.NoteAsleep); len(l) != 1 || len(p.Dialogue().Alarms) != 0 {
				t.Errorf("%s is told %+v, %+v", p.Name, l, p.Dialogue().Alarms)
			}
		}
		back()
		w.Until("Halden is back", func() bool { return len(ruth.notices(dialogue.NoteReturned)) == 1 })
		w.standing(halden, client.StandingIn)
		halden.say(0, "Good morning.")
		w.reads(ruth, 0, "Ruth: Anybody?", "Corin: Yes.", "Halden: Good morning.")
		w.Until("Halden is in the side room again", func() bool { return len(halden.Dialogue().Rooms) == 2 && halden.Dialogue().Rooms[1].CanWrite })
		w.agree(ruth, halden, corin, mira)
	})
}

// TestTwoCopies: when an older copy has come back, the newer one is told that
// its place is taken, and stays out.
func TestTwoCopies(t *testing.T) {
	play(t, 44, func(w *World) {
		ruth, halden, corin := table(w)
		older := corin.copyVault()
		corin.say(0, "From the newer one.")
		w.reads(ruth, 0, "Corin: From the newer one.")
		w.reads(corin, 0, "Corin: From the newer one.")
		newer := corin.copyVault()
		older()
		w.Until("it finds out", func() bool { return corin.reason() == client.LossOlder })
		w.standing(corin, client.StandingIn)
		again := corin.copyVault()
		newer()
		w.Until("the newer one is told", func() bool { return corin.reason() == client.LossReplaced })
		for range 20 {
			time.Sleep(time.Minute)
		}
		if l := ruth.notices(dialogue.NoteReturned); len(l) != 1 || corin.Dialogue().Standing != client.StandingLost {
			t.Errorf("%d returns, %s", len(l), corin.Dialogue().Standing)
		}
		again()
		w.standing(corin, client.StandingIn)
		corin.say(0, "The one in use.")
		w.reads(halden, 0, "Corin: From the newer one.", "Corin: The one in use.")
	})
}

// TestMissed: for whom the relay kept nothing long enough, it comes back and
// reads on from there.
func TestMissed(t *testing.T) {
	play(t, 45, func(w *World) {
		rules := dialogue.Preset(dialogue.TrackTwo)
		rules.RetentionDays = 1
		ruth, halden, corin := tableOf(w, rules)
		w.agree(ruth, halden, corin)
		back := corin.away()
		ruth.say(0, "Of this Corin reads nothing.")
		w.reads(halden, 0, "Ruth: Of this Corin reads nothing.")
		others := []func(){ruth.away(), halden.away()}
		time.Sleep(3 * 24 * time.Hour)
		back()
		w.Until("Corin is told", func() bool { return corin.reason() == client.LossMissed })
		for _, f := range others {
			f()
		}
		w.standing(corin, client.StandingIn)
		corin.say(0, "Here again.")
		w.Until("it is read", func() bool { return slices.Contains(ruth.said(0), "Corin: Here again.") })
		w.reads(corin, 0, "Corin: Here again.")
		w.agree(ruth, halden, corin)
	})
}
