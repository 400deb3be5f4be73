package web

import (
	"errors"

	"parley/client"
	"parley/dialogue"
)

// spokenMain is the page on which words are read aloud, and listened to.
type spokenMain struct {
	Reading *client.Reading
	Mine    bool
	Reader  string
	Key     string
	Heard   string // names of who has heard it
	IHeard  bool
	Others  []seatRow // whose voice it could be
	Unheard string
}

func (a *App) spoken(q *request) (result, error) {
	d, err := q.dialogueOf()
	if err != nil {
		return failed(err)
	}
	return show(a.spokenView(d, filled()))
}

func (a *App) spokenView(d client.Dialogue, f *form) *view {
	w := a.words()
	m := spokenMain{Reading: d.Reading}
	var unheard []string
	for _, s := range sitting(d) {
		if !verified(s) {
			unheard = append(unheard, s.Name)
		}
		if !s.Me {
			m.Others = append(m.Others, a.seatRow(s, w))
		}
	}
	m.Unheard = w.List(unheard)
	if r := d.Reading; r != nil {
		m.Mine, m.Reader, m.Key = r.Mine, r.Reader.Name, r.Reader.ID.String()
		m.Heard = w.List(r.Heard)
		for _, n := range r.Heard {
			m.IHeard = m.IHeard || n == d.Me.Name
		}
	}
	return &view{Page: "words", Title: w.T("spoken.title"), Here: w.T("spoken.title"), Nav: "home", Form: f, Main: m,
		D: a.dialogue(d, "words"), Live: []string{"places", "banner", "reading"}}
}

// postRead starts a reading: one reads oneself.
func (a *App) postRead(q *request) (result, error) {
	d, err := q.dialogueOf()
	if err != nil {
		return failed(err)
	}
	if err := q.o.ReadWords(q.within(), d.ID); err != nil {
		f := filled()
		f.fault("", a.words().Problem(err))
		return show(a.spokenView(d, f))
	}
	return goTo(q.below("words?said=reading"))
}

// postHeard takes the last word, and whose voice it was.
func (a *App) postHeard(q *request) (result, error) {
	d, f, err := q.posted()
	if err != nil {
		return failed(err)
	}
	w := a.words()
	s, err := seatOf(d, f.Get("voice"))
	if err != nil {
		f.fault("voice", w.T("problem.novoice"))
	}
	if f.line("last") == "" {
		f.fault("last", w.T("problem.noword"))
	}
	if !f.ok() {
		return show(a.spokenView(d, f))
	}
	if err := q.o.Heard(q.within(), d.ID, s.ID, f.line("last")); err != nil {
		switch {
		case errors.Is(err, dialogue.ErrWord):
			f.fault("last", w.T("problem.word.typed", "word", f.line("last")))
		case errors.Is(err, client.ErrNoReading):
			f.fault("voice", w.T("problem.noreading.by", "who", s.Name))
		default:
			f.fault("", w.Problem(err))
		}
		return show(a.spokenView(d, f))
	}
	return goTo(q.below("words?said=heard"))
}
