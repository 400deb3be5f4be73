package web

import (
	"strings"

	"errors"
	"parley/client"
	"parley/dialogue"
)

var (
	textSizes = []int{100, 125, 150, 200, 300}
	themes    = []string{"auto", "light", "dark"}
	idleTimes = []int{5, 15, 30, 60}
)

// settingsMain is the page of settings.
type settingsMain struct {
	Languages  []language
	Idle       []choice
	Min        int
	Rehearsing bool
}

func (a *App) settings(q *request) (result, error) {
	p := q.o.Profile()
	return show(a.settingsView(filled("name", p.Name, "lang", p.Language, "text", itoa(p.Text), "theme", p.Theme, "idle", itoa(p.Idle))))
}

func (a *App) settingsView(f *form) *view {
	w := a.words()
	m := settingsMain{Languages: a.languages(), Min: client.MinPassphrase, Rehearsing: a.cfg.Rehearsing != nil}
	for _, n := range idleTimes {
		m.Idle = append(m.Idle, choice{itoa(n), w.T("left.minutes", "n", n), "", f.Is("idle", itoa(n))})
	}
	return &view{Page: "settings", Title: w.T("settings.title"), Here: w.T("settings.title"), Nav: "settings", Form: f, Main: m}
}

// read takes what a form says of the look into p; what it does not offer
// stays as it was.
func (a *App) readLook(f *form, p *client.Profile) {
	for _, n := range textSizes {
		if f.Is("text", itoa(n)) {
			p.Text = n
		}
	}
	for _, t := range themes {
		if f.Is("theme", t) {
			p.Theme = t
		}
	}
	if l := f.Get("lang"); a.offered(l) {
		p.Language = l
	}
}

func (a *App) postSettings(q *request) (result, error) {
	f, err := readForm(q.w, q.Request)
	if err != nil {
		return failed(err)
	}
	p := q.o.Profile()
	a.readLook(f, &p)
	p.Name = f.line("name")
	for _, n := range idleTimes {
		if f.Is("idle", itoa(n)) {
			p.Idle = n
		}
	}
	if err := dialogue.CheckName(p.Name); err != nil {
		f.fault("name", a.words().Problem(err))
		return show(a.settingsView(f))
	}
	if err := a.keep(q.o, p); err != nil {
		return failed(err)
	}
	return goTo("/settings?said=settings")
}

// keep keeps a profile, and how pages look.
func (a *App) keep(o *opened, p client.Profile) error {
	if err := o.SetProfile(p); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keepLook(p)
	a.wind()
	return nil
}

// postLook changes text size and colours from the top of any page, before the
// vault is open too, and goes back to that page.
func (a *App) postLook(q *request) (result, error) {
	f, err := readForm(q.w, q.Request)
	if err != nil {
		return failed(err)
	}
	to := f.Get("back")
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") {
		to = "/"
	}
	if q.o != nil {
		p := q.o.Profile()
		a.readLook(f, &p)
		if err := a.keep(q.o, p); err != nil {
			return failed(err)
		}
		return goTo(to)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	p := client.Profile{Language: a.look.Lang, Text: a.look.Text, Theme: a.look.Theme}
	a.readLook(f, &p)
	a.keepLook(p)
	return goTo(to)
}

func (a *App) postPassphrase(q *request) (result, error) {
	f, err := readForm(q.w, q.Request)
	if err != nil {
		return failed(err)
	}
	p := q.o.Profile()
	for name, v := range map[string]string{"name": p.Name, "lang": p.Language, "text": itoa(p.Text), "theme": p.Theme, "idle": itoa(p.Idle)} {
		f.values.Set(name, v)
	}
	w := a.words()
	checkNewPassphrase(f, w)
	if !f.ok() {
		return show(a.settingsView(f))
	}
	if err := q.o.ChangePassphrase(f.Get("old"), f.Get("pass")); err != nil {
		field := ""
		if errors.Is(err, client.ErrPassphrase) {
			field = "old"
		}
		f.fault(field, w.Problem(err))
		return show(a.settingsView(f))
	}
	return goTo("/settings?said=passphrase")
}
