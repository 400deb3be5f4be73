package web

import (
	"errors"

	"parley/client"
	"parley/dialogue"
	"parley/internal/words"
)

// foundMain is the page of a room that nobody may be able to follow, and of
// rooms founded again.
type foundMain struct {
	Lost      *client.LostRoom
	State     []string // of the lost room, in sentences
	Foundings []foundingBox
	Open      []seatRow // founders of those that can be accepted
}

// A foundingBox is a room founded again.
type foundingBox struct {
	client.Founding
	What []string // in sentences
	Key  string
}

func (a *App) found(q *request) (result, error) {
	d, err := q.dialogueOf()
	if err != nil {
		return failed(err)
	}
	return show(a.foundView(d, filled("voice", q.URL.Query().Get("by"))))
}

func (a *App) foundView(d client.Dialogue, f *form) *view {
	w := a.words()
	m := foundMain{Lost: d.Lost}
	if d.Lost != nil {
		m.State = w.LostRoom(*d.Lost)
	}
	for _, x := range d.Foundings {
		m.Foundings = append(m.Foundings, foundingBox{x, w.Founding(x), x.Founder.ID.String()})
		if !x.Taken {
			m.Open = append(m.Open, a.seatRow(x.Founder, w))
		}
	}
	return &view{Page: "found", Title: w.T("found.title"), Here: w.T("found.title"), Nav: "home", Form: f, Main: m,
		D: a.dialogue(d, "found"), Live: []string{"places", "banner", "foundings", "lost-room"}}
}

// againMain is the page that asks whether to found the room again.
type againMain struct {
	Lost *client.LostRoom
	What []string
}

func (a *App) again(q *request) (result, error) {
	d, err := q.dialogueOf()
	switch {
	case err != nil:
		return failed(err)
	case d.Lost == nil:
		return failed(client.ErrNotLost)
	}
	return show(a.againView(d, filled()))
}

func (a *App) againView(d client.Dialogue, f *form) *view {
	w := a.words()
	m := againMain{Lost: d.Lost, What: foundingMeans(*d.Lost, w)}
	return &view{Page: "again", Title: w.T("again.title"), Here: w.T("again.title"), Nav: "home", Form: f, Main: m,
		D: a.dialogue(d, "found"), Live: []string{"places", "banner"}}
}

// foundingMeans says what founding the room again does.
func foundingMeans(x client.LostRoom, w *words.Words) []string {
	var said []string
	for _, s := range x.Said {
		said = append(said, s.Name)
	}
	l := []string{w.T("again.begins", "without", x.By.Name), w.T("again.words", "names", w.List(said))}
	if len(x.Silent) > 0 {
		l = append(l, w.T("again.later"))
	}
	return append(l, w.T("again.before"), w.T("again.first"))
}

// postFound founds the room again.
func (a *App) postFound(q *request) (result, error) {
	d, err := q.dialogueOf()
	if err != nil {
		return failed(err)
	}
	if err := q.o.FoundAgain(q.within(), d.ID); err != nil && !errors.Is(err, client.ErrOffline) {
		if d.Lost == nil {
			return failed(err)
		}
		f := filled()
		f.fault("", a.words().Problem(err))
		return show(a.againView(d, f))
	}
	return goTo(q.below("found?said=founded"))
}

// postLeaveFounding gives up what was founded, or accepted.
func (a *App) postLeaveFounding(q *request) (result, error) {
	d, err := q.dialogueOf()
	if err != nil {
		return failed(err)
	}
	if err := q.o.LeaveFounding(q.within(), d.ID); err != nil && !errors.Is(err, client.ErrOffline) {
		return failed(err)
	}
	return goTo(q.below("found?said=foundleft"))
}

// postAcceptFounding takes the sixth word, and whose voice it was.
func (a *App) postAcceptFounding(q *request) (result, error) {
	d, f, err := q.posted()
	if err != nil {
		return failed(err)
	}
	w := a.words()
	s, err := seatOf(d, f.Get("voice"))
	if err != nil {
		f.fault("voice", w.T("problem.noroomchosen"))
	}
	if f.line("last") == "" {
		f.fault("last", w.T("problem.noword"))
	}
	if !f.ok() {
		return show(a.foundView(d, f))
	}
	if err := q.o.AcceptFounding(q.within(), d.ID, s.ID, f.line("last")); err != nil && !errors.Is(err, client.ErrOffline) {
		if errors.Is(err, dialogue.ErrWord) {
			f.fault("last", w.T("problem.word.founding", "word", f.line("last"), "who", s.Name))
		} else {
			f.fault("voice", w.Problem(err))
		}
		return show(a.foundView(d, f))
	}
	return goTo("/?said=accepted")
}
