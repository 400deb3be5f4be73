//go:build rogue

package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/client"
	"parley/dialogue"
)

// look: at one place of the log all honest members have read the same, are in
// the same epoch, and have the same skeleton.
func (d *plot) look() {
	d.T.Helper()
	for p := range d.sights() {
		x, ok := p.Insight()
		if !ok {
			continue
		}
		d.stays.see(p.Person, x)
		if p.x.Stopped {
			d.T.Errorf("one seat stops %s from writing", p.Name)
		}
		if !x.Sure {
			continue // nobody can say yet what is right there
		}
		key := fmt.Sprintf("%x %d %d %d", x.Group, x.Place.Epoch, x.Place.Part, x.Place.Position)
		if !x.Place.Known {
			x.Place.Chain, x.Place.Known = client.Insight{}.Place.Chain, false
		}
		y, seen := d.dates[key]
		if !seen {
			d.dates[key] = x
			continue
		}
		switch {
		case x.Place.Running != y.Place.Running:
			d.T.Errorf("%s has read other cells up to %s", p.Name, key)
		case x.Place.Known && y.Place.Known && x.Place.Chain != y.Place.Chain:
			d.T.Errorf("%s has read other boxes before %s", p.Name, key)
		case x.Authenticator != y.Authenticator:
			d.T.Errorf("%s is in another epoch at %s", p.Name, key)
		case x.Skeleton != y.Skeleton:
			d.T.Errorf("%s has another skeleton at %s", p.Name, key)
		}
	}
}

// leftElsewhere tells whether a person has left a room that others contradicted.
func (p *Person) leftElsewhere() bool {
	all, err := p.Messages(p.ID(), client.Query{})
	if err != nil {
		p.W.T.Fatal(err)
	}
	return slices.ContainsFunc(all, func(m client.Message) bool { return m.Notice != nil && m.Notice.Kind == client.NoteLeftElsewhere })
}

// audience: what somebody honest said is in its room once, for everybody of
// its audience in one order, and nowhere else; and nobody honest is shown to
// have said anything else. An older copy of a vault, and who left a room that
// others contradicted, may say once more what they do not know to be said: who
// came in between reads it there.
func (d *plot) audience() {
	d.T.Helper()
	honest := d.honest()
	var heard [3]map[*Person][]string
	d.whoSaysAnew()
	for r := range heard {
		heard[r] = map[*Person][]string{}
		for _, p := range honest {
			heard[r][p] = d.heard(p, dialogue.Room(r))
		}
	}
	for _, p := range honest {
		for r := range dialogue.Room(len(heard)) {
			mine := heard[r][p]
			once := func(l []string) []string {
				return slices.DeleteFunc(slices.Clone(l), func(t string) bool { return d.anew[d.said[saying{r, t}]] })
			}
			if s := p.Dialogue().Me.Side; r != 0 && len(mine) > 0 && r != dialogue.SideRoom(s) {
				d.T.Errorf("%s, of side %d, reads room %d: %.40q", p.Name, s, r, mine)
			}
			for i, text := range mine {
				if slices.Contains(mine[:i], text) {
					d.T.Errorf("%s reads %.40q twice", p.Name, text)
				}
			}
			for _, q := range honest {
				theirs := heard[r][q]
				a, b := common(once(mine), theirs), common(once(theirs), mine)
				if !slices.Equal(a, b) {
					d.T.Errorf("room %d: %s and %s read in another order:\n%.20q\n%.20q", r, p.Name, q.Name, a, b)
				}
			}
			for _, m := range p.lines(r) {
				x, ok := d.stays.where(p, m.ID)
				if m.State != client.StateRoom || !m.Mine {
					continue
				}
				if !ok {
					d.T.Errorf("%s shows %.40q, which it never read", p.Name, m.Text)
				}
				for _, q := range honest {
					if (r == 0 || q.Dialogue().Me.Side == r.Side()) && d.stays.hasRead(q, p, x) && !slices.Contains(heard[r][q], m.Text) {
						d.T.Errorf("room %d: %s does not see what %s said in its presence: %.40q", r, q.Name, p.Name, m.Text)
					}
				}
			}
		}
	}
}

// whoSaysAnew notes who has left a room that others contradicted.
func (d *plot) whoSaysAnew() {
	for _, p := range d.honest() {
		d.anew[p.Name] = d.anew[p.Name] || p.leftElsewhere()
	}
}

// sure tells whether a person is in the room, and all have confirmed the past that
// they were told there: a false one can have other names.
func (p *Person) sure() bool {
	x, ok := p.Insight()
	return ok && x.Sure
}

// heard lists what honest people said, as somebody reads it, and finds what
// they did not say.
func (d *plot) heard(p *Person, r dialogue.Room) (l []string) {
	for _, m := range p.lines(r) {
		if m.State != client.StateRoom || m.Name == d.rogue.Name {
			continue
		}
		if who := d.said[saying{r, m.Text}]; who == "" || who != m.Name && p.sure() {
			d.T.Errorf("%s is shown in room %d that %s said %.40q", p.Name, r, m.Name, m.Text)
		}
		l = append(l, m.Text)
	}
	return l
}

// blame: on an honest relay no alarm names anybody but the rogue, and nothing
// stops anybody from writing.
func (d *plot) blame() {
	d.T.Helper()
	for _, p := range d.honest() {
		x, failed := p.Dialogue(), d.T.Failed()
		for _, a := range x.Alarms {
			switch {
			case a.Kind == client.AlarmSecondUse && d.how.cards:
			case a.Seat.Name == d.rogue.Name && a.Kind != client.AlarmSecondUse:
			default:
				d.T.Errorf("%s is shown an alarm %q against %q", p.Name, a.Kind, a.Seat.Name)
			}
		}
		if x.Stopped {
			d.T.Errorf("one seat stops %s from writing", p.Name)
		}
		if x.Standing == client.StandingRemoved || x.Standing == client.StandingLeft || x.Standing == client.StandingRefused && !d.how.cards {
			d.T.Errorf("%s is %s", p.Name, x.Standing)
		}
		if d.T.Failed() && !failed {
			p.logReading()
		}
	}
}

// getOn is the fair phase: with an honest relay, everybody honest is or comes
// back in, gets a word in, seats a newcomer, and removes the rogue, who reads
// nothing that is said afterwards.
func (d *plot) getOn() {
	d.T.Helper()
	ctx := context.Background()
	d.settle("everybody honest is in", func() bool {
		for _, p := range d.People {
			if p == d.rogue.Person {
				continue
			}
			sees, any := p.sees()
			if !any || sees.Standing == client.StandingRefused && d.how.cards || d.vetoes(p) || d.tooLate(p) {
				continue
			}
			x, ok := p.Insight()
			if sees.Standing != client.StandingIn || len(sees.Charters) > 0 || !ok || x.Doubt || d.waits(sees) {
				return false
			}
		}
		return d.together() && (d.how.cards || len(d.cards) == 0)
	})
	d.audience()
	d.everybodySpeaks("before")
	d.sidesSpeak("before")

	var guest *Person
	seated := func() bool {
		guest = d.standsFor(guest)
		x, ok := guest.sees()
		return ok && x.Standing == client.StandingIn && len(x.Charters) == 0 && d.together()
	}
	comes := func() {
		d.settle("somebody can invite", func() bool {
			return slices.ContainsFunc(d.seated(), func(p *Person) bool {
				return d.inviteTo(p, 1) != "" || d.inviteTo(p, 2) != ""
			})
		})
		guest = d.People[len(d.People)-1]
		d.settle(guest.Name+" is seated", func() bool { return seated() || d.vetoes(guest) })
		d.everybodySpeaks("with " + guest.Name)
	}
	if !d.how.founds {
		comes()
	}
	kept := d.rogue.copyKept()
	d.settle(d.rogue.Name+" is removed", func() bool {
		gone := true
		for _, p := range d.seated() {
			s := p.Seat(d.rogue.Name)
			if s.MayDo.Remove {
				p.Remove(ctx, p.ID(), s.ID)
			}
			gone = gone && s.Status == dialogue.Removed
		}
		return gone
	})
	if d.how.founds {
		comes()
	}
	if d.vetoes(guest) && d.empty(d.partyOfRogue()) { // that side has to agree, so it needs a seat first
		d.settle("somebody can invite for "+d.rogue.Name, func() bool {
			return slices.ContainsFunc(d.seated(), func(p *Person) bool { return d.inviteTo(p, d.sideOfRogue()) != "" })
		})
	}
	d.settle(guest.Name+" is seated at last", seated)
	d.everybodySpeaks("after")
	d.sidesSpeak("after")
	d.readsNothing(" after")
	d.haunt(kept)
}

// readsNothing: the rogue, who was removed, reads nothing that ends so.
func (d *plot) readsNothing(when string) {
	d.T.Helper()
	if len(d.rogue.Dialogues()) != 1 {
		return
	}
	for r := range dialogue.Room(3) {
		for _, text := range d.rogue.said(r) {
			if strings.Contains(text, when) {
				d.T.Errorf("who was removed reads %q", text)
			}
		}
	}
}

// haunt: who was removed goes on with all that it had before, a copy of its vault
// and every box and door that it knew. It stays in the epoch that it was in, or
// reads everything once more. Nothing follows for the others, and it reads nothing.
func (d *plot) haunt(kept string) {
	d.T.Helper()
	if kept == "" {
		return
	}
	for _, deaf := range []bool{true, false} {
		d.rogue.end()
		d.rogue.putBack(kept)
		d.rogue.ghost, d.rogue.ways.Deaf = true, deaf
		d.rogue.Restart()
		for i := range 12 {
			d.ghost(i)
			d.people()
			time.Sleep(2 * time.Second)
			d.look()
		}
		when := fmt.Sprint("haunted ", deaf)
		d.everybodySpeaks(when)
		d.readsNothing(when)
	}
	for _, p := range d.seated() {
		if s := p.Seat(d.rogue.Name); s.Status != dialogue.Removed {
			d.T.Errorf("%s sees who was removed as %d", p.Name, s.Status)
		}
	}
}

// ghost is a move of who was removed. Most fail: it is not in the room.
func (d *plot) ghost(i int) {
	ctx, m := context.Background(), d.rogue.moves()
	switch i % 6 {
	case 0:
		m.Nonsense(ctx, dialogue.Plenary)
	case 1:
		m.Put(dialogue.Plenary, dialogue.KindSay, dialogue.Say{Text: "Still here."})
	case 2:
		m.Commit(dialogue.Plenary)
	case 3:
		m.Destroy(ctx)
	case 4:
		m.Accuse(d.somebody())
	case 5:
		m.Mislead(d.somebody())
	}
	d.move()
}

// together: the honest who sit are at one place. An older copy of a vault may not
// know yet that it is one, nor a newcomer that its room is nobody else's.
func (d *plot) together() bool {
	var place string
	for _, p := range d.seated() {
		if d.vetoes(p) {
			continue
		}
		x, _ := p.Insight()
		at := fmt.Sprint(x.Authenticator, x.Place.Part, x.Place.Position)
		if place != "" && at != place {
			return false
		}
		place = at
	}
	return true
}

// waits: somebody besides the rogue's party has still to confirm what one was told.
func (d *plot) waits(x client.Dialogue) bool {
	return slices.ContainsFunc(x.Unconfirmed, func(party string) bool { return party != d.partyOfRogue() })
}

// vetoes: the guest waits for the rogue's side alone, and the rogue, who lost
// the room or went where nobody followed, does not say yes. That is its right
// while it sits.
func (d *plot) vetoes(guest *Person) bool {
	for p := range d.sights() {
		waits := slices.ContainsFunc(p.x.Seats, func(s client.Seat) bool {
			return s.Name == guest.Name && slices.Equal(s.Missing, []string{d.partyOfRogue()})
		})
		if !waits {
			return false
		}
		rogue, in := d.rogue.Insight()
		others, _ := p.Insight()
		return !in || rogue.Authenticator != others.Authenticator
	}
	return false
}

// empty: nobody sits for a party.
func (d *plot) empty(party string) bool {
	for p := range d.sights() {
		if p.x.Me.SideName == party {
			return false
		}
	}
	return true
}

// everybodySpeaks: everybody honest says something, and everybody honest reads it.
func (d *plot) everybodySpeaks(when string) {
	d.T.Helper()
	d.speakIn(dialogue.Plenary, d.seated(), when)
}

// sidesSpeak: so it is in side rooms, whatever a rogue of that side did there.
func (d *plot) sidesSpeak(when string) {
	d.T.Helper()
	for r := dialogue.Room(1); r < 3; r++ {
		var l []*Person
		for s := range d.sights() {
			if s.x.Me.Side == r.Side() {
				l = append(l, s.Person)
			}
		}
		if len(l) > 0 && !d.alone(l, r) {
			d.speakIn(r, l, when)
		}
	}
}

// alone: who is honest has nobody in the side room but the rogue. If that lets
// in nobody, there is no room, and nothing to be heard.
func (d *plot) alone(l []*Person, r dialogue.Room) bool {
	return len(l) == 1 && d.sideOfRogue() == r.Side() && d.rogueSeat().Status == dialogue.In
}

// speakIn: people say something in a room once they can, and all of them read
// it. Who was out of the room meanwhile has not read it, so it is tried again.
func (d *plot) speakIn(r dialogue.Room, people []*Person, when string) {
	d.T.Helper()
	var last string
	d.T.Cleanup(func() {
		if last != "" {
			d.T.Log(last)
		}
	})
	var toSpeak []*Person
	var texts map[*Person]string
	rounds, tries := 0, 0
	d.settle(fmt.Sprintf("room %d reads what is said %s", r, when), func() bool {
		if rounds%100 == 0 { // some minutes
			tries++
			toSpeak, texts = slices.Clone(people), map[*Person]string{}
			for _, p := range people {
				texts[p] = fmt.Sprintf("%s %s, %d", p.Name, when, tries)
			}
		}
		if rounds++; rounds%20 == 0 {
			d.audience() // who has not read it by now may have had to
		}
		last = ""
		toSpeak = slices.DeleteFunc(toSpeak, func(p *Person) bool {
			_, err := p.Say(context.Background(), p.ID(), client.Draft{Room: r, Text: texts[p]})
			if err == nil {
				d.said[saying{r, texts[p]}] = p.Name
			}
			return err == nil
		})
		for _, p := range people {
			read := p.said(r)
			for _, q := range people {
				if !slices.Contains(read, q.Name+": "+texts[q]) {
					last = fmt.Sprintf("in room %d %s has not read what %s said %s", r, p.Name, q.Name, when)
					return false
				}
			}
		}
		return true
	})
}
