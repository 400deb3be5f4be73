package web

import "log"

// rehearseMain is the page of a rehearsal: what the partners do on request,
// or the door to one.
type rehearseMain struct {
	Actions []Action
	Outcome string
	URL     string // of a rehearsal that was started
	Door    bool
}

func (a *App) rehearse(q *request) (result, error) {
	return show(a.rehearseView(rehearseMain{}, filled()))
}

func (a *App) rehearseView(m rehearseMain, f *form) *view {
	w := a.words()
	m.Door = a.cfg.Rehearse != nil
	if a.cfg.Rehearsal != nil {
		m.Actions = a.cfg.Rehearsal.Actions()
	}
	return &view{Page: "rehearse", Title: w.T("rehearse.title"), Here: w.T("rehearse.title"), Nav: "rehearse", Form: f, Main: m}
}

// postRehearse has the partners do something, or starts a rehearsal.
func (a *App) postRehearse(q *request) (result, error) {
	f, err := readForm(q.w, q.Request)
	if err != nil {
		return failed(err)
	}
	var m rehearseMain
	switch {
	case a.cfg.Rehearsal != nil:
		m.Outcome, err = a.cfg.Rehearsal.Do(f.Get("do"))
	case a.cfg.Rehearse != nil:
		m.URL, err = a.cfg.Rehearse()
	default:
		return failed(errNotFound)
	}
	if err != nil {
		log.Printf("web: rehearsal: %v", err)
		f.fault("", a.words().T("problem.rehearsal", "why", err.Error()))
	}
	return show(a.rehearseView(m, f))
}
