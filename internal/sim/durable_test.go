//go:build rogue

package sim

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"parley/client"
	"parley/dialogue"
)

var stride = flag.Int("stride", 1, "of durable steps, one in how many is played")

// TestEveryDurableStep plays one story as often as somebody's vault is written
// to in it. Each time that vault is thrown back to another of these moments:
// once as by a crash, of which nothing that came later has left, and once as an
// older copy, after more was written with the newer. The story ends well every time.
func TestEveryDurableStep(t *testing.T) {
	var copies, older atomic.Int32
	t.Cleanup(func() {
		if n, of := older.Load(), copies.Load(); !t.Failed() && *stride == 1 && n < of/2 {
			t.Errorf("of %d copies, %d went on as older ones", of, n)
		}
	})
	for _, who := range []string{"Ruth", "Corin"} {
		n := 0
		if !t.Run(who+" without a fault", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := New(t, *seedFlag)
				defer w.Close()
				s := newStory(w, who)
				s.play()
				n = s.count
			})
		}) {
			return
		}
		if n < 40 {
			t.Fatalf("%s writes %d times only", who, n)
		}
		t.Logf("%s writes %d times", who, n)
		for at := 1; at <= n; at += *stride {
			for how, copied := range map[string]bool{"crash": false, "older copy": true} {
				t.Run(fmt.Sprintf("%s, %s at %d", who, how, at), func(t *testing.T) {
					play(t, uint64(at), func(w *World) {
						s := newStory(w, who)
						s.at, s.copied = at, copied
						s.play()
						if copied {
							copies.Add(1)
						}
						if s.older {
							older.Add(1)
						}
					})
				})
			}
		}
	}
}

// A story is a short dialogue with everything in it: cards, consents, texts long
// and short, a night, a return, a removal. People in it want something, and try
// until it is so, as a person would whose program stopped in between.
type story struct {
	*World
	ruth, halden, corin *Person
	victim              *Person

	mu     sync.Mutex
	count  int    // durable steps of the victim so far
	at     int    // at which of them it is thrown back; 0: never
	copied bool   // as an older copy
	kept   string // the vault as it was then
	done   bool   // it was thrown back
	older  bool   // to a copy that went on as an older one
}

func newStory(w *World, who string) *story {
	s := &story{World: w}
	s.ruth, s.halden, s.corin = w.Person("Ruth"), w.Person("Halden"), w.Person("Corin")
	s.victim = map[string]*Person{"Ruth": s.ruth, "Corin": s.corin}[who]
	s.victim.stored = s.stored
	s.victim.away()()
	s.count = 0
	return s
}

// stored counts the victim's steps. At the one that matters it keeps the vault
// as it is, and in a crash nothing goes out any more.
func (s *story) stored() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count++; s.count != s.at || s.kept != "" {
		return
	}
	dir, err := os.MkdirTemp(s.dir, "step")
	if err == nil {
		err = os.CopyFS(dir, os.DirFS(s.victim.dir))
	}
	if err != nil {
		s.T.Error(err)
	}
	s.kept = dir
	if !s.copied {
		s.victim.net.Store(new(network)) // where nobody listens
		s.net.drop()
	}
}

// throwBack carries out what is due.
func (s *story) throwBack() {
	s.mu.Lock()
	due := s.kept != "" && !s.done
	s.done = s.done || due
	s.mu.Unlock()
	if !due {
		return
	}
	p := s.victim
	if !s.copied {
		p.cancel()
		p.Client.Abandon()
		p.putBack(s.kept)
		p.net.Store(s.net)
		p.Restart()
		return
	}
	time.Sleep(10 * time.Second)
	now, in := p.Insight()
	p.end()
	newer := p.keepVault()
	p.putBack(s.kept)
	p.Restart()
	// One that is not seated yet, or has a key that was replaced, can't go on by
	// itself: that takes a new card.
	if was, ok := p.Insight(); !ok || !in || was.Key != now.Key || !now.Quiet {
		p.end()
		p.putBack(newer)
		p.Restart()
		return
	}
	s.older = true
}

// until has people do what they want until a thing is so, and a day if need be.
func (s *story) until(what string, each time.Duration, ok func() bool) {
	s.T.Helper()
	for range 2000 {
		s.throwBack()
		s.people()
		if ok() {
			return
		}
		time.Sleep(each)
	}
	s.Until(what, func() bool { return false }) // says how all stand
}

// people do what they are asked.
func (s *story) people() {
	for _, p := range s.People {
		if len(p.Dialogues()) > 0 {
			p.doTasks(p.Dialogue().Tasks)
		}
	}
}

// wants has somebody say a text in the plenary, unless they have.
func (s *story) wants(p *Person, text string) {
	x := p.Dialogue()
	if x.Standing != client.StandingIn || len(x.Rooms) == 0 || !x.Rooms[0].CanWrite {
		return
	}
	if !slices.ContainsFunc(p.lines(0), func(m client.Message) bool { return m.Mine && m.Text == text }) {
		p.Say(context.Background(), p.ID(), client.Draft{Text: text})
	}
}

// seats brings somebody in by a card of Ruth's.
func (s *story) seats(p *Person, side dialogue.SideID) {
	ctx := context.Background()
	s.until(p.Name+" is in", 200*time.Millisecond, func() bool {
		if len(s.ruth.Dialogues()) == 0 {
			s.ruth.Client.Start(ctx, client.StartOptions{
				Title: "The Orva Waters", Rules: dialogue.Preset(dialogue.TrackTwo), Sides: []string{"North", "South"}, Relay: s.Address(),
			})
			return false
		}
		x := s.ruth.Dialogue()
		i := slices.IndexFunc(x.Seats, func(y client.Seat) bool { return y.Name == p.Name })
		switch {
		case !x.Me.Me:
		case i < 0:
			s.ruth.Client.Invite(ctx, s.ruth.ID(), client.InviteOptions{Side: side, Name: p.Name})
		case len(p.Dialogues()) == 0:
			if card, err := s.ruth.Client.Card(s.ruth.ID(), x.Seats[i].ID); err == nil {
				p.Join(ctx, card)
			}
		default:
			return p.Dialogue().Standing == client.StandingIn && p.Dialogue().Me.Me
		}
		return false
	})
}

func (s *story) says(p *Person, text string) {
	s.until(p.Name+" says "+text[:4], 200*time.Millisecond, func() bool {
		s.wants(p, text)
		return !slices.ContainsFunc(s.People, func(q *Person) bool {
			misses := s.copied && s.done && q == s.victim // what was said before it was back
			return !misses && q.Dialogue().Standing != client.StandingRemoved && !slices.Contains(q.said(0), p.Name+": "+text)
		})
	})
}

func (s *story) play() {
	ctx := context.Background()
	s.seats(s.halden, 1)
	s.seats(s.corin, 2)
	s.says(s.ruth, "One.")
	s.says(s.corin, "Two. "+strings.Repeat("And so on. ", 900)) // takes chunks
	epoch := s.halden.authenticator()
	s.throwBack()
	var on []func()
	for _, p := range s.People {
		on = append(on, p.away())
	}
	time.Sleep(25 * time.Hour)
	for _, back := range on {
		back()
	}
	s.until("the day's keys are gathered", time.Second, func() bool { return s.halden.authenticator() != epoch })
	s.says(s.corin, "Three.")

	// Corin's computer goes on with what it had before that, and comes back.
	kept := ""
	s.until("Corin is there", time.Second, func() bool {
		if x, ok := s.corin.Insight(); !ok || !x.Quiet {
			return false
		}
		s.corin.end()
		kept = s.corin.keepVault()
		s.corin.Restart()
		return true
	})
	s.says(s.corin, "Four.")
	s.corin.end()
	s.corin.putBack(kept)
	s.corin.Restart()
	s.until("Corin is back", time.Second, func() bool {
		return len(s.halden.notices(dialogue.NoteReturned)) > 0 && s.corin.Dialogue().Standing == client.StandingIn
	})
	s.says(s.corin, "Five.")

	s.until("Halden is removed", time.Second, func() bool {
		for _, x := range s.ruth.Dialogue().Seats {
			if x.Name == "Halden" && !x.Due && x.MayDo.Remove {
				s.ruth.Remove(ctx, s.ruth.ID(), x.ID)
			}
		}
		return s.halden.Dialogue().Standing == client.StandingRemoved
	})
	s.says(s.corin, "Six.")
	s.judge()
}

// authenticator is that of the plenary's epoch; empty while the person is out.
func (p *Person) authenticator() string {
	x, _ := p.Insight()
	return x.Authenticator
}

// judge: all was said in one order, and once, but for what somebody said again
// who had lost it; who are left agree; nobody is alarmed.
func (s *story) judge() {
	s.until("both are in", time.Second, func() bool {
		return s.ruth.Dialogue().Standing == client.StandingIn && s.corin.Dialogue().Standing == client.StandingIn
	})
	s.agree(s.ruth, s.corin)
	var first []string // as Halden has it, who loses nothing
	for _, l := range s.halden.said(0) {
		if again := slices.Contains(first, l); !again {
			first = append(first, l)
		} else if !s.copied || !strings.HasPrefix(l, s.victim.Name) {
			s.T.Errorf("%.20q was said twice", l)
		}
	}
	if len(first) != 5 {
		s.T.Errorf("Halden has %.20q", first)
	}
	all := append(s.halden.said(0), "Corin: Six.")
	for _, p := range []*Person{s.ruth, s.corin} {
		lost := 0
		if p == s.corin {
			lost = 1 // its Four
		}
		mine := p.said(0)
		if s.copied && p == s.victim {
			lost = len(all) - len(mine)
		}
		if len(mine) != len(all)-lost || !within(mine, all) {
			s.T.Errorf("%s has %.20q, Halden %.20q", p.Name, mine, all)
		}
	}
	for _, p := range s.People {
		if l := p.Dialogue().Alarms; len(l) > 0 {
			s.T.Errorf("%s is alarmed: %+v", p.Name, l)
		}
	}
}

// within tells whether lines stand in all in their order.
func within(lines, all []string) bool {
	for _, l := range all {
		if len(lines) > 0 && lines[0] == l {
			lines = lines[1:]
		}
	}
	return len(lines) == 0
}
