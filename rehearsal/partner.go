package rehearsal

import (
	"context"
	"slices"
	"strings"
	"time"

	"parley/client"
	"parley/dialogue"
)

// A partner is somebody played: a client with one dialogue.
type partner struct {
	*client.Client
	name string
	key  string // one letter, for actions
	card string // the one it came with; empty for a convenor

	wake    chan struct{}
	answers chan answer
	heard   map[dialogue.EventID]bool
	greeted bool
}

// An answer is something that a partner was asked to say.
type answer struct {
	to    dialogue.EventID // zero: nothing is answered
	room  dialogue.Room
	text  string
	file  bool
	after time.Duration
}

// maxAnswers is how many answers one partner may owe; more are not given.
const maxAnswers = 32

// enter lets a partner play.
func (r *Rehearsal) enter(c *client.Client, name, card string) *partner {
	p := &partner{
		Client: c, name: name, card: card, wake: make(chan struct{}, 1), answers: make(chan answer, maxAnswers),
		heard: map[dialogue.EventID]bool{},
	}
	r.mu.Lock()
	p.key = letters(len(r.partners))
	r.partners = append(r.partners, p)
	r.mu.Unlock()
	r.work.Go(func() { p.play(r) })
	r.work.Go(func() { p.talk(r) })
	return p
}

// letters names a number: a to z, then aa.
func letters(n int) string {
	if n < 26 {
		return string(rune('a' + n))
	}
	return letters(n/26-1) + letters(n%26)
}

func (p *partner) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *partner) ask(a answer) {
	select {
	case p.answers <- a:
	default:
	}
}

// dialogue is the partner's only one, once it has been let in.
func (p *partner) dialogue() (client.Dialogue, bool) {
	l := p.Dialogues()
	if len(l) == 0 || l[0].Standing != client.StandingIn {
		return client.Dialogue{}, false
	}
	return l[0], true
}

// place is where the partner sits.
func (p *partner) place() (seat dialogue.SeatID, side dialogue.SideID, ok bool) {
	d, ok := p.dialogue()
	return d.Me.ID, d.Me.Side, ok
}

// play does by itself what anybody would: agree to newcomers, listen to words.
func (p *partner) play(r *Rehearsal) {
	changes, cancel := p.Subscribe()
	defer cancel()
	for {
		if d, ok := p.dialogue(); ok {
			p.act(r, d)
		}
		select {
		case <-changes:
		case <-p.wake:
		case <-r.ctx.Done():
			return
		}
	}
}

func (p *partner) act(r *Rehearsal, d client.Dialogue) {
	for _, t := range d.Tasks {
		switch t.Kind {
		case client.TaskApprove:
			p.Approve(r.ctx, d.ID, t.Seat.ID)
		case client.TaskListen:
			p.hear(r.ctx, d)
		}
	}
	if !p.greeted && len(d.Missing) == 0 && d.Me.Side != 0 && canWrite(d, dialogue.Plenary) {
		p.greeted = true
		r.mu.Lock()
		text := r.pick("greeting")
		r.mu.Unlock()
		p.Say(r.ctx, d.ID, client.Draft{Text: text})
	}
}

func canWrite(d client.Dialogue, r dialogue.Room) bool {
	for _, x := range d.Rooms {
		if x.Room == r {
			return x.CanWrite
		}
	}
	return false
}

// hear listens to a reading that goes on, and types the last word.
func (p *partner) hear(ctx context.Context, d client.Dialogue) {
	reading := d.Reading
	if reading == nil || reading.Mine || p.heard[reading.ID] {
		return
	}
	word, err := p.LastWord(d.ID, reading.Reader.ID)
	if err != nil {
		return
	}
	if p.Heard(ctx, d.ID, reading.Reader.ID, word) == nil {
		p.heard[reading.ID] = true
	}
}

// talk says what was asked for, one thing after another.
func (p *partner) talk(r *Rehearsal) {
	for {
		select {
		case <-r.ctx.Done():
			return
		case a := <-p.answers:
			if pause(r.ctx, a.after) != nil {
				return
			}
			p.say(r, a)
		}
	}
}

// sayTime is how long a partner waits for what it answers to reach it.
const sayTime = 30 * time.Second

func (p *partner) say(r *Rehearsal, a answer) error {
	d, ok := p.dialogue()
	if !ok {
		return client.ErrNotSeated
	}
	ctx, cancel := context.WithTimeout(r.ctx, sayTime)
	defer cancel()
	if err := p.await(ctx, d.ID, a); err != nil {
		return err
	}
	draft := client.Draft{Room: a.room, Text: a.text, ReplyTo: a.to}
	if a.file {
		draft.FileName, draft.File = r.lines.one("file.name"), strings.NewReader(r.lines.one("file.text"))
	}
	_, err := p.Say(ctx, d.ID, draft)
	return err
}

// await waits until what is to be answered has reached the partner.
func (p *partner) await(ctx context.Context, id client.ID, a answer) error {
	return until(ctx, p.Client, func() bool {
		if a.to == (dialogue.EventID{}) {
			return true
		}
		list, err := p.Messages(id, client.Query{Room: a.room})
		return err == nil && slices.ContainsFunc(list, func(m client.Message) bool { return m.ID == a.to })
	})
}

// invite has a convenor invite somebody, who takes the card.
func (p *partner) invite(ctx context.Context, r *Rehearsal, side dialogue.SideID, name string) error {
	d, ok := p.dialogue()
	if !ok {
		return client.ErrNotSeated
	}
	card, seat, err := p.Invite(ctx, d.ID, client.InviteOptions{Side: side, Name: name})
	if err != nil {
		return err
	}
	r.mark(seat)
	r.work.Go(func() { r.pickUp(card, name) })
	return nil
}
