package web

import (
	"errors"
	"strings"

	"parley/dialogue"
	"parley/internal/words"
	"parley/relay"
)

// startMain is the page that starts a dialogue.
type startMain struct {
	Tracks    []choice
	Quotes    []choice
	Sides     []sideField
	CanAdd    bool
	Proposals []choice
	Rules     []words.Rule
	Keep      []choice
}

// A choice is one of several in a form.
type choice struct {
	Value, Label, Help string
	On                 bool
}

type sideField struct {
	Name  string
	Mark  string
	Label int
}

var (
	trackChoices = []struct {
		value string
		track dialogue.Track
	}{{"two", dialogue.TrackTwo}, {"1.5", dialogue.TrackOneAndHalf}, {"one", dialogue.TrackOne}}
	quoteChoices = []struct {
		value string
		kind  dialogue.Attribution
		name  string
		help  string
	}{
		{"chatham", dialogue.ChathamHouse, "quote.chatham", "rule.chatham"},
		{"sealed", dialogue.Sealed, "quote.sealed", "rule.sealed"},
		{"named", dialogue.Named, "quote.named", "rule.named"},
	}
	keepDays = []uint16{7, 30, 90, 365}
)

func (a *App) start(q *request) (result, error) {
	f := filled("track", "two", "relay", "0", "side-1", "", "side-2", "")
	if len(a.proposals()) == 0 {
		f.values.Set("relay", "typed")
	}
	return show(a.startView(f))
}

func (a *App) proposals() []Proposal {
	if a.cfg.Proposals == nil {
		return nil
	}
	return a.cfg.Proposals()
}

// sidesOf counts the fields for sides that the form has, from two to six.
func sidesOf(f *form) int {
	n := dialogue.MinSides
	for n < dialogue.MaxSides && f.values.Has("side-"+itoa(n+1)) {
		n++
	}
	return n
}

// rulesOf reads the ground rules from the form; what was left open is as the
// track starts with.
func rulesOf(f *form) dialogue.Rules {
	track := dialogue.TrackTwo
	for _, t := range trackChoices {
		if f.Is("track", t.value) {
			track = t.track
		}
	}
	r := dialogue.Preset(track)
	for _, c := range quoteChoices {
		if f.Is("quote", c.value) {
			r.Attribution = c.kind
		}
	}
	for _, d := range keepDays {
		if f.Is("keep", itoa(int(d))) {
			r.RetentionDays = d
		}
	}
	r.WhoKnowsCount = f.Is("count", "on")
	return r
}

func (a *App) startView(f *form) *view {
	w := a.words()
	r := rulesOf(f)
	var m startMain
	for _, t := range trackChoices {
		m.Tracks = append(m.Tracks, choice{t.value, w.Track(t.track), w.Rules(dialogue.Preset(t.track), nil)[0].Sentence, f.Is("track", t.value)})
	}
	m.Quotes = append(m.Quotes, choice{"", w.T("start.quote.preset"), w.T("start.quote.preset.help"), f.Get("quote") == ""})
	for _, c := range quoteChoices {
		m.Quotes = append(m.Quotes, choice{c.value, w.T(c.name), w.T(c.help), f.Is("quote", c.value)})
	}
	m.Keep = append(m.Keep, choice{"", w.T("start.keep.preset"), "", f.Get("keep") == ""})
	for _, d := range keepDays {
		m.Keep = append(m.Keep, choice{itoa(int(d)), w.T("start.keep.days", "n", int(d)), "", f.Is("keep", itoa(int(d)))})
	}
	var names []string
	for i := range sidesOf(f) {
		name := "side-" + itoa(i+1)
		m.Sides = append(m.Sides, sideField{name, mark(dialogue.SideID(i + 1)), i + 1})
		if n := f.line(name); n != "" {
			names = append(names, n)
		}
	}
	m.CanAdd = len(m.Sides) < dialogue.MaxSides
	m.Rules = w.Rules(r, names)
	for i, p := range a.proposals() {
		m.Proposals = append(m.Proposals, choice{itoa(i), p.Address.URL(), a.reach(p.Reach, w), f.Is("relay", itoa(i))})
	}
	return &view{Page: "start", Title: w.T("start.title"), Here: w.T("start.here"), Nav: "home", Form: f, Main: m}
}

func (a *App) reach(r Reach, w *words.Words) string {
	switch r {
	case ThisComputer:
		return w.T("reach.here")
	case SameNetwork:
		return w.T("reach.network")
	}
	return w.T("reach.internet")
}

// postStart starts a dialogue, or shows the form with one more side, or with
// the sentences of the rules chosen.
func (a *App) postStart(q *request) (result, error) {
	f, err := readForm(q.w, q.Request)
	if err != nil {
		return failed(err)
	}
	switch f.Get("do") {
	case "add":
		if n := sidesOf(f); n < dialogue.MaxSides {
			f.values.Set("side-"+itoa(n+1), "")
		}
		return show(a.startView(f))
	case "rules":
		return show(a.startView(f))
	}
	w := a.words()
	o := startOptions(f, w)
	o.Relay = a.relayOf(f, w)
	if !f.ok() {
		return show(a.startView(f))
	}
	id, err := q.o.Start(q.within(), o)
	if err != nil {
		f.fault("", w.Problem(err))
		return show(a.startView(f))
	}
	return goTo("/d/" + string(id) + "/seats?said=started")
}

// relayOf reads where messages wait: one of the addresses proposed, or one
// typed.
func (a *App) relayOf(f *form, w *words.Words) relay.Address {
	if !f.Is("relay", "typed") {
		for i, p := range a.proposals() {
			if f.Is("relay", itoa(i)) {
				return p.Address
			}
		}
		f.fault("relay", w.T("problem.norelay"))
		return relay.Address{}
	}
	text := f.line("address")
	if text != "" && !strings.Contains(text, "://") {
		text = "https://" + text
	}
	addr, err := relay.ParseAddress(strings.TrimSuffix(text, "/"))
	if errors.Is(err, relay.ErrAddress) {
		f.fault("address", w.T("problem.address"))
	}
	return addr
}
