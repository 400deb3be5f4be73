//go:build rogue

package sim

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"parley/client"
	"parley/dialogue"
)

// A plot is a schedule in which one seat is a rogue: first everything happens
// at random, then, on a relay and a network that are honest, everybody honest
// has to get on.
type plot struct {
	*World
	rogue *rogue
	how   *strategy

	guests
	anew    map[string]bool   // who may say once more what was said
	instead map[string]string // by name of whose card expired: who was invited instead
	made    map[string]string // by name: cards of the rogue's
	said    map[saying]string // who, of the honest, said what
	dates   map[string]client.Insight
	victims []*Person                  // of who began
	filled  bool                       // a box, by the rogue
	ids     map[string]dialogue.SeatID // of who began
	stays   *stays
}

// A saying is something that was said in a room.
type saying struct {
	room dialogue.Room
	text string
}

// A role is who the rogue is.
type role string

const (
	asConvenor role = "convenor"
	asHead     role = "head"
	asOnly     role = "only seat of its side"
	asMember   role = "member"
)

var roles = []role{asConvenor, asHead, asOnly, asMember}

// conspire seats a convenor, two of North and one of South, one of whom is a
// rogue.
func conspire(w *World, how *strategy, as role) *plot {
	d := &plot{
		World: w, how: how, guests: guests{cards: map[string]string{}}, made: map[string]string{}, anew: map[string]bool{},
		instead: map[string]string{}, said: map[saying]string{}, dates: map[string]client.Insight{}, ids: map[string]dialogue.SeatID{}, stays: newStays(),
	}
	w.read = d.stays.read
	ruth, halden, corin := table(w)
	mira := w.Invite(ruth, 1, "Mira")
	w.Until("North has a room", func() bool { return len(mira.Dialogue().Rooms) == 2 && mira.Dialogue().Rooms[1].CanWrite })
	for _, p := range w.People {
		d.ids[p.Name] = p.Dialogue().Me.ID
	}
	who := map[role]*Person{asConvenor: ruth, asHead: halden, asOnly: corin, asMember: mira}[as]
	who.clock = how.clock
	d.victims = slices.DeleteFunc([]*Person{corin, mira, halden, ruth}, func(p *Person) bool { return p == who })
	ways := client.Ways{}
	if how.ways != nil {
		ways = how.ways(d)
	}
	d.rogue = who.turn(ways)
	return d
}

// honest lists everybody else who ever came.
func (d *plot) honest() []*Person {
	return slices.DeleteFunc(slices.Clone(d.People), func(p *Person) bool { return p == d.rogue.Person || len(p.Dialogues()) == 0 })
}

// sees gives a person's picture of their only dialogue, if they have one.
func (p *Person) sees() (d client.Dialogue, ok bool) {
	l := p.Dialogues()
	if len(l) == 0 {
		return d, false
	}
	if len(l) > 1 {
		p.W.T.Fatalf("%s has %d dialogues", p.Name, len(l))
	}
	return l[0], true
}

// A sight is somebody with their picture of the dialogue. Drawing one takes
// time, so what a look needs of it is taken from one.
type sight struct {
	*Person
	x client.Dialogue
}

// sights gives the honest who sit, as they see it.
func (d *plot) sights() iter.Seq[sight] {
	return func(yield func(sight) bool) {
		for _, p := range d.People {
			if p == d.rogue.Person {
				continue
			}
			if x, ok := p.sees(); ok && x.Standing == client.StandingIn && x.Me.Me && !yield(sight{p, x}) {
				return
			}
		}
	}
}

// seated lists the honest who sit.
func (d *plot) seated() (l []*Person) {
	for s := range d.sights() {
		l = append(l, s.Person)
	}
	return l
}

func (d *plot) anybody() *Person {
	if l := d.seated(); len(l) > 0 {
		return l[d.Rand.IntN(len(l))]
	}
	return nil
}

// tangle is the random phase.
func (d *plot) tangle(steps int) {
	d.Faults(Faults{Refuse: 15, Cut: 15, Delay: 40, Repeat: 30})
	restored := false
	for i := range steps {
		d.people()
		switch n := d.Rand.IntN(24); {
		case n < 7:
			d.speak(fmt.Sprint(i))
		case n < 13:
			d.move()
		case n < 15 && d.invited < 2 && !d.how.founds:
			d.invite()
		case n < 19:
			d.People[d.Rand.IntN(len(d.People))].Crash()
		case n == 19:
			d.CrashRelay()
		case n == 20:
			d.night()
		case n == 21 && !restored:
			if p := d.anybody(); p != nil {
				restored = d.older(p, fmt.Sprint(i))
			}
		}
		time.Sleep(time.Duration(d.Rand.IntN(4000)) * time.Millisecond)
		d.look()
	}
	d.Faults(Faults{})
}

// move has the rogue make its next move.
func (d *plot) move() {
	if d.how.move != nil {
		d.how.move(d)
	}
}

// older has somebody go on with an older copy of the vault. One from before
// its key was replaced can't come back by the door, and takes a new card.
func (d *plot) older(p *Person, mark string) bool {
	p.end()
	was, in := p.Insight() // as the copy has it
	kept := p.keepVault()
	p.Restart()
	d.speakAs(p, mark)
	time.Sleep(10 * time.Second)
	p.end()
	now, still := p.Insight() // nothing comes any more
	goesBack := in && still && now.Key == was.Key && now.Quiet
	if goesBack {
		p.putBack(kept)
		d.stays.back(p, was)
		d.anew[p.Name] = true
	}
	p.Restart()
	return goesBack
}

func (d *plot) speak(mark string) {
	if p := d.anybody(); p != nil {
		d.speakAs(p, mark)
	}
}

func (d *plot) speakAs(p *Person, mark string) {
	rooms := p.Dialogue().Rooms
	if len(rooms) == 0 {
		return
	}
	r := rooms[d.Rand.IntN(len(rooms))].Room
	text := p.Name + " " + mark
	if d.Rand.IntN(4) == 0 { // one that takes chunks
		text += strings.Repeat(".", 5000*(1+d.Rand.IntN(3)))
	}
	if _, err := p.Say(context.Background(), p.ID(), client.Draft{Room: r, Text: text}); err == nil {
		d.said[saying{r, text}] = p.Name
	}
}

func (d *plot) invite() {
	if p := d.anybody(); p != nil {
		d.inviteTo(p, dialogue.SideID(1+d.Rand.IntN(2)))
	}
}

// people do what they are asked: they use cards, approve, send again what came
// back, make a card instead of one that expired, leave a room where words differ,
// and choose the past that was told by somebody else than the rogue.
func (d *plot) people() {
	ctx := context.Background()
	for _, p := range d.People {
		d.useCard(p)
		x, ok := p.sees()
		if !ok {
			continue
		}
		if d.tooLate(p) && d.instead[p.Name] == "" {
			d.inviteInstead(p)
		}
		p.doTasks(x.Tasks)
		for _, a := range x.Alarms {
			if a.Kind == client.AlarmElsewhere && a.Seat.Name != d.rogue.Name {
				p.Return(ctx, p.ID()) // the words were others
			}
		}
		d.foundAgain(p, x)
		for _, c := range x.Charters {
			if c.Told && !slices.Contains(c.Parties, d.partyOfRogue()) {
				p.ChooseCharter(p.ID(), c.Party)
			}
		}
	}
}

// foundAgain has somebody who lost the room by the rogue found it again, once all
// have lost it, and the others go there after they heard the words.
func (d *plot) foundAgain(p *Person, x client.Dialogue) {
	ctx := context.Background()
	if l := x.Lost; l != nil && l.MayFound && len(x.Foundings) == 0 && len(d.seated()) == 0 {
		p.FoundAgain(ctx, p.ID()) // who can't reach the others yet does so later
	}
	for _, f := range x.Foundings {
		if f.Taken || f.Founder.Name == d.rogue.Name {
			continue
		}
		for _, q := range d.honest() {
			if q.Name != f.Founder.Name {
				continue
			}
			if words, err := q.FoundingWords(ctx, q.ID(), f.Founder.ID); err == nil {
				p.AcceptFounding(ctx, p.ID(), f.Founder.ID, words[len(words)-1])
			}
		}
	}
}

// tooLate tells whether somebody waits whose card expired before anybody read
// that it was used: a rogue can fill its box, and the others sleep. Everybody sees
// it at the seat.
func (d *plot) tooLate(p *Person) bool {
	if x, any := p.sees(); !any || x.Standing != client.StandingWaiting {
		return false
	}
	any := false
	for s := range d.sights() {
		if !slices.ContainsFunc(s.x.Seats, func(x client.Seat) bool { return x.Name == p.Name && x.Expired }) {
			return false
		}
		any = true
	}
	return any
}

// inviteInstead has somebody make another card for whom nobody can let in any more.
func (d *plot) inviteInstead(p *Person) {
	for s := range d.sights() {
		for _, seat := range s.x.Seats {
			if seat.Name != p.Name {
				continue
			}
			if name := d.inviteTo(s.Person, seat.Side); name != "" {
				d.instead[p.Name] = name
				return
			}
		}
	}
}

// standsFor gives who came at last: who was invited, or instead of them.
func (d *plot) standsFor(p *Person) *Person {
	for d.instead[p.Name] != "" {
		name := d.instead[p.Name]
		p = d.People[slices.IndexFunc(d.People, func(q *Person) bool { return q.Name == name })]
	}
	return p
}

// partyOfRogue names the rogue's party as charters do.
func (d *plot) partyOfRogue() string { return d.rogueSeat().SideName }

func (d *plot) sideOfRogue() dialogue.SideID { return d.rogueSeat().Side }

func (d *plot) rogueSeat() client.Seat {
	for _, p := range d.People {
		if p == d.rogue.Person {
			continue
		}
		x, _ := p.sees()
		for _, s := range x.Seats {
			if s.ID == d.ids[d.rogue.Name] {
				return s
			}
		}
	}
	return client.Seat{}
}

// settle has people do what they are asked until a thing is so. The rogue goes
// on, and always moves first: in each of the first rounds, then in one of
// thirty, and at night, when it alone is awake.
func (d *plot) settle(what string, ok func() bool) {
	d.T.Helper()
	for range 6 {
		end := time.Now().Add(40 * time.Minute)
		for n := 0; time.Now().Before(end); n++ {
			if n < 30 || n%30 == 0 {
				d.move()
			}
			d.people()
			if d.T.Failed() {
				d.T.FailNow()
			}
			if ok() {
				return
			}
			time.Sleep(2 * time.Second)
			d.look()
		}
		d.nightBut(d.rogue.Person, d.move) // some things are tried again on another day
	}
	for _, p := range d.honest() {
		p.logReading()
	}
	d.Until(what, ok)
}

// logReading logs the notices that a person was shown, and what it makes of the past.
func (p *Person) logReading() {
	var told strings.Builder
	all, _ := p.Messages(p.ID(), client.Query{})
	for _, m := range all {
		if n := m.Notice; n != nil {
			fmt.Fprintf(&told, " [%s: %d %s by %q, %d]", m.Time.UTC().Format("2 15:04"), n.Kind, n.Seat, n.By, n.Reason)
		}
	}
	x, _ := p.Insight()
	p.W.T.Logf("%s is in doubt: %v, was told %d pasts, %q did not confirm; reads%s", p.Name, x.Doubt, len(p.Dialogue().Charters), p.Dialogue().Unconfirmed, told.String())
}
