//go:build rogue

package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley/client"
	"parley/dialogue"
	"parley/relay"
)

// TestCollusion: a seat lies, and the relay lies with it. It splits people,
// copies between them what it likes, moves the rogue from one view to another,
// holds cells, gives them again, and lays before a cell what the rogue made of it.
// Whatever the two do, nobody is shown what nobody said, who have read the same
// cells have the same skeleton and read what was said in one order, and who was
// removed reads nothing of those who know that, in whichever view.
func TestCollusion(t *testing.T) {
	var played, removed atomic.Int32
	t.Cleanup(func() {
		if n, all := removed.Load(), played.Load(); !t.Failed() && n < all/2 {
			t.Errorf("the rogue was removed in %d of %d schedules only", n, all)
		}
	})
	each := len(strategies) * len(roles)
	for i := range max(*rogueRuns/8, each) {
		how, as := strategies[i%len(strategies)], roles[i/len(strategies)%len(roles)]
		seed := *seedFlag + 5000 + uint64(i)
		t.Run(fmt.Sprintf("%s/%s/seed %d", how.name, as, seed), func(t *testing.T) {
			played.Add(1)
			play(t, seed, func(w *World) {
				l := w.lie()
				d := conspire(w, how, as)
				d.collude(l, 40)
				if d.shutOut(l) {
					removed.Add(1)
				}
			})
		})
	}
}

// collude is the random phase with a relay that lies.
func (d *plot) collude(l *liar, steps int) {
	for i := range steps {
		d.people()
		switch n := d.Rand.IntN(24); {
		case n < 8:
			d.speak(fmt.Sprint(i))
		case n < 14:
			d.move()
		case n == 14 && d.invited < 2:
			d.invite()
		case n < 17:
			d.People[d.Rand.IntN(len(d.People))].Crash()
		case n == 17 && len(l.views) < 3:
			d.split(l)
		case n < 20:
			d.copyAtRandom(l)
		case n == 20:
			d.rogue.net.Store(d.anyView(l).net)
		case n == 21:
			d.anyView(l).again(d.Rand.IntN(50))
		case n == 22 && d.Rand.IntN(2) == 0:
			l.set(func() { l.hold = time.Duration(d.Rand.IntN(8)) * time.Second })
		case n == 22:
			l.set(func() { l.first = d.rogue.overtake })
		case n == 23:
			d.night()
		}
		time.Sleep(time.Duration(d.Rand.IntN(4000)) * time.Millisecond)
		d.lookAcross()
	}
}

func (d *plot) anyView(l *liar) *view { return l.views[d.Rand.IntN(len(l.views))] }

// overtake has the rogue seal once more what a cell carries, which the relay lays
// before it: the first of three.
func (r *rogue) overtake(c *relay.Cell) *relay.Cell {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now == nil || c[0]%3 != 0 {
		return nil
	}
	return r.now.Overtake(c)
}

// split shows some people a view of their own.
func (d *plot) split(l *liar) {
	var some []*Person
	for _, p := range d.People {
		if d.Rand.IntN(3) == 0 {
			some = append(some, p)
		}
	}
	l.fork(some...)
}

// copyAtRandom changes what goes from one view to another.
func (d *plot) copyAtRandom(l *liar) {
	from, way := d.anyView(l), d.Rand.IntN(3)
	l.set(func() {
		l.copies = func(x, y *view) bool { return way == 0 || way == 1 && x == from || way == 2 && y == from }
	})
}

// again puts a cell once more at the end of the box that lives.
func (v *view) again(n int) {
	v.change(v.lives(), func(s *shelf) {
		if s != nil && len(s.cells) > 0 {
			i := n % len(s.cells)
			s.add(&s.cells[i], s.hours[i])
		}
	})
}

// lookAcross: nobody honest is shown what nobody honest said, and whoever has
// read the same cells of the same boxes is in the same epoch and has the same skeleton.
func (d *plot) lookAcross() {
	d.T.Helper()
	for _, p := range d.honest() {
		for r := range dialogue.Room(3) {
			d.heard(p, r)
		}
	}
	at := map[string][]*Person{}
	for _, p := range d.seated() {
		x, ok := p.Insight()
		if !ok || !x.Place.Known || !x.Sure {
			continue // nobody can say yet what is right there
		}
		key := fmt.Sprintf("%d %x %x", x.Place.Position, x.Place.Running, x.Place.Chain)
		at[key+x.Group] = append(at[key+x.Group], p)
		y, seen := d.dates[key]
		if !seen {
			d.dates[key] = x
			continue
		}
		if x.Authenticator != y.Authenticator || x.Skeleton != y.Skeleton {
			d.T.Errorf("%s has read the same cells as somebody else, up to %d of epoch %d, and is in another epoch %v or has another skeleton %v",
				p.Name, x.Place.Position, x.Place.Epoch, x.Authenticator != y.Authenticator, x.Skeleton != y.Skeleton)
			for _, p := range d.honest() {
				p.logReading()
			}
		}
	}
	for _, l := range at {
		for _, p := range l {
			for _, q := range l {
				d.readTheSame(p, q)
			}
		}
	}
}

// readTheSame: what somebody has read in the plenary since another, who has read
// the same cells, came in is there for that one, too.
func (d *plot) readTheSame(p, q *Person) {
	x, in := p.Insight()
	y, both := q.Insight()
	if p == q || !in || !both || x.Place != y.Place {
		return // they have read on
	}
	theirs := d.heard(q, dialogue.Plenary)
	inOrder := func() bool {
		mine, other := d.now(p, x), d.now(q, y)
		return slices.Equal(common(mine, other), common(other, mine))
	}
	if !inOrder() {
		if d.whoSaysAnew(); !inOrder() {
			d.T.Errorf("%s and %s have read the same cells, and have another order:\n%.20q\n%.20q", p.Name, q.Name, d.now(p, x), d.now(q, y))
		}
	}
	for _, m := range p.lines(dialogue.Plenary) {
		at, ok := d.stays.where(p, m.ID)
		if m.State == client.StateRoom && m.Name != d.rogue.Name && ok && at.Stay == x.Stay && at.Place.Epoch >= y.Base && before(at.Place, y.Place) &&
			!slices.Contains(theirs, m.Text) {
			d.T.Errorf("%s does not see what %s, who has read the same cells, does: %.40q", q.Name, p.Name, m.Text)
		}
	}
}

// now lists what others than the rogue said once, as somebody who stays in the room
// has read it in the plenary since they came in.
func (d *plot) now(p *Person, x client.Insight) (l []string) {
	for _, m := range p.lines(dialogue.Plenary) {
		if at, ok := d.stays.where(p, m.ID); ok && at.Stay == x.Stay && m.State == client.StateRoom && m.Name != d.rogue.Name && !d.anew[m.Name] {
			l = append(l, m.Text)
		}
	}
	return l
}

// common lists what is in two lists, in the order of the first.
func common(l, other []string) []string {
	return slices.DeleteFunc(slices.Clone(l), func(s string) bool { return !slices.Contains(other, s) })
}

// shutOut has somebody remove the rogue. It tells whether that took place: who
// has stopped, or is out of the room, can't. Then the rogue looks everywhere.
func (d *plot) shutOut(l *liar) bool {
	d.T.Helper()
	ctx := context.Background()
	var done []*Person
	for range 120 {
		d.people()
		for _, p := range d.seated() {
			if s := p.Seat(d.rogue.Name); s.MayDo.Remove && !s.Due {
				p.Remove(ctx, p.ID(), s.ID) // where it may not, another does
			}
		}
		time.Sleep(10 * time.Second)
	}
	for _, p := range d.seated() {
		if p.Seat(d.rogue.Name).Status == dialogue.Removed && p.Dialogue().Standing == client.StandingIn {
			done = append(done, p)
			text := p.Name + " after"
			p.say(0, text)
			d.said[saying{0, text}] = p.Name
		}
	}
	for _, v := range l.views {
		d.rogue.net.Store(v.net)
		v.net.drop()
		time.Sleep(2 * time.Minute)
		d.lookAcross()
	}
	if len(d.rogue.Dialogues()) == 1 {
		for r := range dialogue.Room(3) {
			for _, text := range d.rogue.said(r) {
				if strings.HasSuffix(text, " after") {
					d.T.Errorf("who was removed reads %q", text)
				}
			}
		}
	}
	return len(done) > 0
}
