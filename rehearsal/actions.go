package rehearsal

import (
	"context"
	"errors"
	"strings"
	"time"

	"parley/client"
	"parley/dialogue"
)

// An Action is something that partners do on request.
type Action struct {
	Key   string // small letters, and a hyphen
	Title string
	Help  string
}

// An act is what Do does for one word of a key.
type act struct {
	word string
	can  func(r *Rehearsal, p *partner, d client.Dialogue) bool
	do   func(r *Rehearsal, ctx context.Context, p *partner, d client.Dialogue) (string, error)
}

func always(*Rehearsal, *partner, client.Dialogue) bool { return true }

var acts = []act{
	{"words", always, (*Rehearsal).readAloud},
	{"say", func(_ *Rehearsal, _ *partner, d client.Dialogue) bool { return canWrite(d, dialogue.Plenary) }, (*Rehearsal).speak},
	{"file", func(_ *Rehearsal, _ *partner, d client.Dialogue) bool { return canWrite(d, dialogue.Plenary) }, (*Rehearsal).sendFile},
	{"newcomer", func(r *Rehearsal, p *partner, d client.Dialogue) bool {
		return d.Me.Role == dialogue.Convenor && len(d.Missing) == 0
	}, (*Rehearsal).bringNewcomer},
	{"twice", func(_ *Rehearsal, p *partner, _ client.Dialogue) bool { return p.card != "" }, (*Rehearsal).useTwice},
	{"leave", func(_ *Rehearsal, p *partner, d client.Dialogue) bool { return d.Me.Role != dialogue.Convenor }, (*Rehearsal).goAway},
}

// doTime bounds one action.
const doTime = 20 * time.Second

// ErrAction is returned for a key that no action has.
var ErrAction = errors.New("rehearsal: there is no such action")

// Actions lists what the partners can do as things stand.
func (r *Rehearsal) Actions() []Action {
	hold := "hold"
	r.mu.Lock()
	if r.hold {
		hold = "take"
	}
	partners := append([]*partner(nil), r.partners...)
	r.mu.Unlock()
	var l []Action
	for _, p := range partners {
		d, ok := p.dialogue()
		if !ok || d.Me.Due {
			continue
		}
		for _, a := range acts {
			if a.can(r, p, d) {
				l = append(l, Action{a.word + "-" + p.key, r.lines.one("do."+a.word, "who", p.name), r.lines.one("do." + a.word + ".help")})
			}
		}
	}
	return append(l, Action{hold, r.lines.one("do." + hold), r.lines.one("do." + hold + ".help")})
}

// Do does an action, by its key, and says in a sentence what came of it.
func (r *Rehearsal) Do(key string) (string, error) {
	if key == "hold" || key == "take" {
		r.mu.Lock()
		r.hold = key == "hold"
		r.mu.Unlock()
		if key == "take" {
			for _, d := range r.me.Dialogues() {
				r.pickUpCards(d)
			}
		}
		return r.lines.one("done." + key), nil
	}
	word, who, _ := strings.Cut(key, "-")
	p := r.partner(who)
	if p == nil {
		return "", ErrAction
	}
	d, ok := p.dialogue()
	if !ok {
		return r.lines.one(map[bool]string{true: "fail.early", false: "fail.gone"}[p.waits()], "who", p.name), nil
	}
	ctx, cancel := context.WithTimeout(r.ctx, doTime)
	defer cancel()
	for _, a := range acts {
		if a.word == word && a.can(r, p, d) {
			return a.do(r, ctx, p, d)
		}
	}
	return "", ErrAction
}

func (r *Rehearsal) partner(key string) *partner {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.partners {
		if p.key == key {
			return p
		}
	}
	return nil
}

// waits tells whether the partner has yet to be let in.
func (p *partner) waits() bool {
	l := p.Dialogues()
	return len(l) == 0 || l[0].Standing == client.StandingWaiting
}

// readAloud has a partner read. The sentence holds all six words: five are
// read, and the last one is what the person types.
func (r *Rehearsal) readAloud(ctx context.Context, p *partner, d client.Dialogue) (string, error) {
	before := dialogue.EventID{}
	if d.Reading != nil {
		before = d.Reading.ID
	}
	if err := p.ReadWords(ctx, d.ID); err != nil {
		return "", err
	}
	err := until(ctx, p.Client, func() bool {
		now, err := p.Dialogue(d.ID)
		return err == nil && now.Reading != nil && now.Reading.Mine && now.Reading.ID != before
	})
	if err != nil {
		return "", err
	}
	six, _, err := p.Words(ctx, d.ID, d.Me.ID)
	if err != nil {
		return "", err
	}
	five, last := six[:len(six)-1], six[len(six)-1]
	return r.lines.one("done.words", "who", p.name, "words", strings.Join(five, ", "), "last", last), nil
}

func (r *Rehearsal) speak(_ context.Context, p *partner, _ client.Dialogue) (string, error) {
	r.mu.Lock()
	text := r.pick("answer")
	r.mu.Unlock()
	return r.lines.one("done.say", "who", p.name), p.say(r, answer{text: text})
}

func (r *Rehearsal) sendFile(_ context.Context, p *partner, _ client.Dialogue) (string, error) {
	return r.lines.one("done.file", "who", p.name), p.say(r, answer{text: r.lines.one("file.asked"), file: true})
}

func (r *Rehearsal) goAway(ctx context.Context, p *partner, d client.Dialogue) (string, error) {
	return r.lines.one("done.leave", "who", p.name), p.Leave(ctx, d.ID)
}

// useTwice has somebody else use a partner's card, as if it had been copied.
func (r *Rehearsal) useTwice(ctx context.Context, p *partner, _ client.Dialogue) (string, error) {
	c, err := r.person(p.name)
	if err != nil {
		return "", err
	}
	if _, _, err := c.Join(ctx, p.card); err != nil && !errors.Is(err, client.ErrCardUsed) {
		return "", err
	}
	return r.lines.one("done.twice", "who", p.name), nil
}

// bringNewcomer has the convenor invite the next of the cast, to the person's
// side.
func (r *Rehearsal) bringNewcomer(ctx context.Context, p *partner, _ client.Dialogue) (string, error) {
	me, err := r.me.Dialogue(r.id)
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	cast := r.lines["newcomers"]
	name := cast[r.newcomer%len(cast)]
	r.newcomer++
	r.mu.Unlock()
	return r.lines.one("done.newcomer", "who", name), p.invite(ctx, r, max(me.Me.Side, 1), name)
}
