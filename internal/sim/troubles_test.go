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

// A drama is a dialogue in which everything happens at once: talk in all rooms,
// cards, consents, removals, departures, crashes, on a bad network.
type drama struct {
	*World
	guests
	said map[string]string // who said a line
	gone map[string]bool   // who left, or is to be removed
}

func TestTroubles(t *testing.T) {
	several(t, 200, func(w *World) {
		table(w)
		d := &drama{World: w, guests: guests{cards: map[string]string{}}, said: map[string]string{}, gone: map[string]bool{}}
		w.Faults(Faults{Refuse: 20, Cut: 20, Corrupt: 10, Delay: 50, Repeat: 50})
		for i := range 60 {
			d.step(i)
			time.Sleep(time.Duration(w.Rand.IntN(4000)) * time.Millisecond)
		}
		w.Faults(Faults{})
		d.settle()
		d.judge()
	})
}

// in lists who sits.
func (d *drama) in() []*Person {
	return slices.DeleteFunc(slices.Clone(d.People), func(p *Person) bool {
		return len(p.Dialogues()) == 0 || p.Dialogue().Standing != client.StandingIn
	})
}

func (d *drama) anybody() *Person { l := d.in(); return l[d.Rand.IntN(len(l))] }

func (d *drama) step(i int) {
	ctx := context.Background()
	d.chores(ctx)
	switch n := d.Rand.IntN(20); {
	case n < 9:
		d.speak(i)
	case n < 12 && d.invited < 4:
		d.inviteTo(d.anybody(), dialogue.SideID(1+d.Rand.IntN(2))) // chores has the card used
	case n == 12:
		d.remove(ctx)
	case n == 13:
		d.leave(ctx)
	case n < 18:
		d.People[d.Rand.IntN(len(d.People))].Crash()
	default:
		d.CrashRelay()
	}
}

func (d *drama) speak(i int) {
	p := d.anybody()
	rooms := p.Dialogue().Rooms
	r := rooms[d.Rand.IntN(len(rooms))].Room
	text := fmt.Sprintf("%s %d", p.Name, i)
	if d.Rand.IntN(3) == 0 { // one that takes chunks
		text += strings.Repeat(".", 6000)
	}
	if _, err := p.Say(context.Background(), p.ID(), client.Draft{Room: r, Text: text}); err == nil {
		d.said[text] = p.Name
	} else if re := new(client.RuleError); !errors.As(err, &re) && !errors.Is(err, client.ErrNoRoom) {
		d.T.Errorf("%s says: %v", p.Name, err)
	}
}

// chores is what people do whenever they are asked.
func (d *drama) chores(ctx context.Context) {
	for _, p := range d.People {
		d.useCard(p)
		if len(p.Dialogues()) == 0 {
			continue
		}
		for _, t := range p.Dialogue().Tasks {
			switch t.Kind {
			case client.TaskApprove:
				if err := p.Approve(ctx, p.ID(), t.Seat.ID); err != nil && d.isAsked(p, t) {
					d.T.Errorf("%s approves: %v", p.Name, err)
				}
			case client.TaskBack:
				if errs := p.sendAgain(); len(errs) > 0 && d.isAsked(p, t) {
					d.T.Errorf("%s sends again: %v", p.Name, errors.Join(errs...))
				}
			}
		}
	}
}

// isAsked tells whether a person has still to do a thing. What they were shown a
// moment ago, another may have done since; and who is to go may be gone.
func (d *drama) isAsked(p *Person, t client.Task) bool {
	return !d.gone[p.Name] && slices.ContainsFunc(p.Dialogue().Tasks, func(x client.Task) bool { return x.Kind == t.Kind && x.Seat.ID == t.Seat.ID })
}

// spare tells whether somebody may go: a side with nobody left could agree to
// nothing any more.
func (d *drama) spare(side dialogue.SideID) bool {
	n := 0
	for _, p := range d.in() {
		if p.Dialogue().Me.Side == side && !d.gone[p.Name] {
			n++
		}
	}
	return side != 0 && n > 1
}

// remove has a head or the convenor remove somebody.
func (d *drama) remove(ctx context.Context) {
	p := d.anybody()
	for _, s := range p.Dialogue().Seats {
		if s.MayDo.Remove && d.spare(s.Side) && !d.gone[s.Name] {
			if err := p.Remove(ctx, p.ID(), s.ID); err == nil {
				d.gone[s.Name] = true
			} else if !d.gone[p.Name] && slices.ContainsFunc(p.Dialogue().Seats, func(x client.Seat) bool { return x.ID == s.ID && x.MayDo.Remove }) {
				d.T.Errorf("%s removes: %v", p.Name, err)
			}
			return
		}
	}
}

func (d *drama) leave(ctx context.Context) {
	if p := d.anybody(); d.spare(p.Dialogue().Me.Side) && !d.gone[p.Name] {
		if err := p.Leave(ctx, p.ID()); err != nil {
			d.T.Errorf("%s leaves: %v", p.Name, err)
		}
		d.gone[p.Name] = true
	}
}

// settle waits until nothing is under way any more.
func (d *drama) settle() {
	d.T.Helper()
	quiet := 0
	d.Until("all settles", func() bool {
		d.chores(context.Background())
		quiet++
		for _, p := range d.in() {
			x := p.Dialogue()
			if !strings.Contains(p.Outbox(x.ID), "outbox: []") || x.Me.Due || d.unsettled(x) {
				quiet = 0
			}
		}
		for _, p := range d.People {
			if l := p.Dialogues(); len(l) == 1 && l[0].Standing == client.StandingWaiting && d.invitedByTheRoom(p.Name) {
				quiet = 0
			}
		}
		return len(d.cards) == 0 && quiet > 100
	})
}

// invitedByTheRoom tells whether the room knows of a card: who made it may have
// been removed before it could say so.
func (d *drama) invitedByTheRoom(name string) bool {
	return slices.ContainsFunc(d.in(), func(p *Person) bool {
		return slices.ContainsFunc(p.Dialogue().Seats, func(s client.Seat) bool { return s.Name == name })
	})
}

// unsettled tells whether computers still have something to do with the plan.
func (d *drama) unsettled(x client.Dialogue) bool {
	for _, s := range x.Seats {
		if s.Status == dialogue.Arrived || s.Due {
			return true
		}
	}
	for _, r := range x.Rooms {
		if !r.CanWrite && len(x.Missing) == 0 {
			return true
		}
	}
	return false
}

// judge compares what everybody has.
func (d *drama) judge() {
	in := d.in()
	for _, p := range d.People {
		if s := p.Dialogue().Standing; s == client.StandingLost || s == client.StandingRefused {
			d.T.Errorf("%s is %s: %v", p.Name, s, p.Dialogue().Problem)
		}
		if a := p.Dialogue().Alarms; len(a) > 0 {
			d.T.Errorf("%s is alarmed among honest people: %+v", p.Name, a)
		}
		if o := p.Outbox(p.ID()); !strings.Contains(o, " 0 unreadable") {
			d.T.Errorf("%s: %s", p.Name, o)
		}
	}
	plan := func(p *Person) (l []string) {
		for _, s := range p.Dialogue().Seats {
			l = append(l, fmt.Sprint(s.Name, s.Side, s.Status, s.Head, s.GoneBy))
		}
		return l
	}
	for _, p := range in {
		if a, b := plan(in[0]), plan(p); !slices.Equal(a, b) {
			d.T.Errorf("%s sees another plan than %s:\n%q\n%q", p.Name, in[0].Name, b, a)
		}
		for r := range dialogue.Room(3) {
			d.compare(r, p)
		}
	}
	for text, who := range d.said {
		n, there := 0, false
		for _, p := range in {
			for r := range dialogue.Room(3) {
				for _, m := range p.lines(r) {
					if p.Name == who && m.Text == text {
						n++
					}
				}
			}
			there = there || p.Name == who
		}
		if there && n != 1 {
			d.T.Errorf("%.20q stands %d times in its author's own rooms", text, n)
		}
	}
}

// compare holds what p reads in a room against everybody else: who came later
// has the end of it, who went the beginning, all in one order.
func (d *drama) compare(r dialogue.Room, p *Person) {
	mine := p.said(r)
	for _, q := range d.People {
		theirs := q.said(r)
		if len(theirs) == 0 || len(mine) == 0 {
			continue
		}
		i := slices.Index(mine, theirs[0])
		if i < 0 { // p came after q had begun
			continue
		}
		n := min(len(theirs), len(mine)-i)
		if !slices.Equal(mine[i:i+n], theirs[:n]) {
			d.T.Errorf("room %d: %s and %s read otherwise:\n%.20q\n%.20q", r, p.Name, q.Name, mine[i:i+n], theirs)
		}
		if q.Dialogue().Standing == client.StandingIn && i+len(theirs) != len(mine) {
			d.T.Errorf("room %d: %s and %s end otherwise:\n%.20q\n%.20q", r, p.Name, q.Name, mine, theirs)
		}
	}
}
