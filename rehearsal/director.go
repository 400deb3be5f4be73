package rehearsal

import (
	"strings"
	"time"

	"parley/client"
	"parley/dialogue"
)

// direct watches the person: whoever is named on a card takes it, and what the
// person says is answered by one of those who heard it.
func (r *Rehearsal) direct() {
	changes, cancel := r.me.Subscribe()
	defer cancel()
	heard := map[client.ID]map[dialogue.Room]uint64{}
	for {
		for _, d := range r.me.Dialogues() {
			if d.Standing != client.StandingIn {
				continue
			}
			r.pickUpCards(d)
			if heard[d.ID] == nil {
				heard[d.ID] = map[dialogue.Room]uint64{}
			}
			for _, room := range d.Rooms {
				heard[d.ID][room.Room] = r.listen(d, room.Room, heard[d.ID][room.Room])
			}
		}
		select {
		case <-changes:
		case <-r.ctx.Done():
			return
		}
	}
}

// mark notes that a card is taken, and tells whether it was not before.
func (r *Rehearsal) mark(seat dialogue.SeatID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken[seat] {
		return false
	}
	r.taken[seat] = true
	return true
}

func (r *Rehearsal) pickUpCards(d client.Dialogue) {
	r.mu.Lock()
	hold := r.hold
	r.mu.Unlock()
	for _, s := range d.Seats {
		if hold || !s.HaveCard || s.Expired || !r.mark(s.ID) {
			continue
		}
		if card, err := r.me.Card(d.ID, s.ID); err == nil {
			r.work.Go(func() { r.pickUp(card, s.Name) })
		}
	}
}

// pickUp has somebody new take a card.
func (r *Rehearsal) pickUp(card, name string) error {
	c, err := r.person(name)
	if err != nil {
		return err
	}
	p := r.enter(c, name, card)
	_, err = join(r.ctx, c, card)
	p.poke()
	return err
}

// listen looks for what the person said in a room since from, and asks for an
// answer to it.
func (r *Rehearsal) listen(d client.Dialogue, room dialogue.Room, from uint64) uint64 {
	list, err := r.me.Messages(d.ID, client.Query{Room: room, After: from})
	if err != nil {
		return from
	}
	for _, m := range list {
		if m.State != client.StateRoom {
			continue
		}
		from = m.Seq
		if m.Mine && m.Kind != client.KindNotice {
			r.answer(d, m)
		}
	}
	return from
}

// answer asks one partner for an answer: whose message was answered, else
// whoever's turn it is.
func (r *Rehearsal) answer(d client.Dialogue, m client.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var able []*partner
	for _, p := range r.partners {
		seat, side, ok := p.place()
		if !ok || !seatedAs(d, seat) || m.Room != dialogue.Plenary && side != m.Room.Side() {
			continue
		}
		able = append(able, p)
		if m.ReplyTo != nil && m.ReplyTo.Name == p.name {
			able = []*partner{p}
			break
		}
	}
	if len(able) == 0 {
		return
	}
	p := able[r.rand.IntN(len(able))]
	a := answer{to: m.ID, room: m.Room, file: r.asksForFile(m.Text)}
	switch {
	case a.file:
		a.text = r.lines.one("file.asked")
	case m.Room != dialogue.Plenary:
		a.text = r.pick("side")
	case m.ReplyTo != nil:
		a.text = r.pick("reply")
	default:
		a.text = r.pick("answer")
	}
	a.after = r.opt.Pause
	if a.after == 0 {
		a.after = time.Second + time.Duration(r.rand.IntN(1000))*time.Millisecond
	}
	p.ask(a)
}

func seatedAs(d client.Dialogue, seat dialogue.SeatID) bool {
	for _, s := range d.Seats {
		if s.ID == seat {
			return s.Status == dialogue.In && !s.Due
		}
	}
	return false
}

// pick chooses a line. r.mu is held.
func (r *Rehearsal) pick(key string) string {
	l := r.lines[key]
	return l[r.rand.IntN(len(l))]
}

func (r *Rehearsal) asksForFile(text string) bool {
	for _, w := range strings.FieldsFunc(strings.ToLower(text), func(c rune) bool { return c < 'a' || c > 'z' }) {
		for _, f := range r.lines["file.words"] {
			if w == f {
				return true
			}
		}
	}
	return false
}
