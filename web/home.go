package web

import (
	"errors"
	"net/url"
	"strconv"

	"parley/client"
	"parley/dialogue"
	"parley/internal/words"
)

// homeMain is what the first page shows.
type homeMain struct {
	Name    string
	Waits   int
	Entries []entry
}

// An entry is a dialogue in the list.
type entry struct {
	ID, Title, Path string
	Sentence        string
	Waits           []wait
	Alarms          int
	Ended           bool
	ComesBack       bool // by itself
	Found           bool // the room may have to be founded again
	NewCard         bool // only with a new card
	Late            bool // one waits, and the card has expired
	Standing        client.Standing
}

// A wait is something that waits for this person.
type wait struct{ Text, Path string }

// home lists the dialogues and what waits.
func (a *App) home(q *request) (result, error) {
	w := a.words()
	m := homeMain{Name: q.o.Profile().Name}
	for _, d := range q.o.Dialogues() {
		e := entryOf(d, w)
		m.Waits += len(e.Waits)
		m.Entries = append(m.Entries, e)
	}
	return show(&view{Page: "home", Title: w.T("home.title"), Here: w.T("home.here"), Nav: "home", Main: m, Live: []string{"entries"}})
}

func entryOf(d client.Dialogue, w *words.Words) entry {
	e := entry{ID: string(d.ID), Title: d.Title, Path: "/d/" + string(d.ID) + "/", Standing: d.Standing, Alarms: len(d.Alarms)}
	switch d.Standing {
	case client.StandingWaiting:
		e.Sentence = w.T("entry.waiting")
		if e.Late = errors.Is(d.Problem, client.ErrCardLate); e.Late || errors.Is(d.Problem, client.ErrClock) {
			e.Sentence = w.Problem(d.Problem)
		}
		return e
	case client.StandingRemoved:
		e.Sentence, e.Ended = w.T("entry.removed"), true
		return e
	case client.StandingLeft:
		e.Sentence, e.Ended = w.T("entry.left"), true
		return e
	case client.StandingRefused:
		e.Sentence, e.Ended = w.T("entry.refused"), true
		return e
	case client.StandingLost:
		var lost *client.LostError
		e.Sentence, e.ComesBack = w.Problem(d.Problem), errors.As(d.Problem, &lost) && lost.Reason != client.LossReplaced && lost.Reason != client.LossNewCard
		e.NewCard = lost != nil && !e.ComesBack
		e.Waits, e.Found = waitsOf(d, w), d.Lost != nil || len(d.Foundings) > 0
		return e
	}
	if laying(d) {
		e.Sentence = w.T("entry.laying")
		return e
	}
	n := len(sitting(d))
	track := w.Track(d.Rules.Track)
	if d.Me.Role == dialogue.Convenor {
		e.Sentence = w.T("entry.convenor", "track", track, "sides", w.Number(len(d.Sides)), "n", n)
	} else {
		e.Sentence = w.T("entry.sits", "track", track, "side", d.Me.SideName, "as", w.Capacity(d.Me.Capacity), "n", n)
	}
	e.Waits = waitsOf(d, w)
	return e
}

// waitsOf lists what waits in a dialogue: alarms first, then tasks, then what
// is new.
func waitsOf(d client.Dialogue, w *words.Words) []wait {
	base := "/d/" + string(d.ID) + "/"
	var l []wait
	if n := len(d.Alarms); n > 0 {
		l = append(l, wait{w.T("wait.alarms", "n", n), base + "alarms"})
	}
	for _, t := range d.Tasks {
		l = append(l, taskWait(t, base, w))
	}
	for _, r := range d.Rooms {
		if r.Unread == 0 {
			continue
		}
		if r.Room == dialogue.Plenary {
			l = append(l, wait{w.T("wait.new", "n", r.Unread), base + "r/0"})
		} else {
			l = append(l, wait{w.T("wait.newside", "n", r.Unread, "side", r.Name), base + "r/" + itoa(int(r.Room))})
		}
	}
	return l
}

func taskWait(t client.Task, base string, w *words.Words) wait {
	switch t.Kind {
	case client.TaskApprove:
		return wait{w.T("task.approve", "who", t.Seat.Name, "side", t.Seat.SideName), base + "seat/" + t.Seat.ID.String() + "/approve"}
	case client.TaskReplace:
		return wait{w.T("task.replace", "who", t.Seat.Name), base + "seat/" + t.Seat.ID.String()}
	case client.TaskInvite:
		return wait{w.T("task.invite", "side", t.Seat.SideName), base + "invite?side=" + itoa(int(t.Seat.Side))}
	case client.TaskListen:
		return wait{w.T("task.listen", "who", t.Seat.Name), base + "words"}
	}
	switch t.Kind {
	case client.TaskFounded:
		return wait{w.T("task.founded", "who", t.Seat.Name), base + "found"}
	case client.TaskTell:
		return wait{w.T("task.tell"), base + "found"}
	}
	return wait{w.T("task.back"), base + "r/0#waiting"}
}

// waitingMain is the page of a dialogue that one is not in.
type waitingMain struct {
	Entry entry
	Card  client.CardView
	Words []string
	Rules []words.Rule
}

// dialoguePage leads to the plenary, or says how one stands.
func (a *App) dialoguePage(q *request) (result, error) {
	d, err := q.dialogueOf()
	if err != nil {
		return failed(err)
	}
	if d.Standing == client.StandingIn && !laying(d) {
		return goTo(q.below("r/0"))
	}
	w := a.words()
	m := waitingMain{Entry: entryOf(d, w), Card: q.o.cardOf(d.ID)}
	m.Words = m.Card.Words
	if len(m.Card.Sides) > 0 {
		m.Rules = w.Rules(m.Card.Rules, m.Card.Sides)
	}
	here := w.T("gone.here")
	if d.Standing == client.StandingWaiting {
		here = w.T("waiting.here")
	}
	v := &view{Page: "waiting", Title: d.Title, Here: here, Nav: "home", Main: m, D: a.dialogue(d, ""), Live: []string{"standing", "banner"}}
	return show(v)
}

// A waiter is a Participant that can show again what a card said while its
// dialogue waits.
type waiter interface {
	Waiting(client.ID) (client.CardView, error)
}

// cardOf is what the card said with which one joined.
func (o *opened) cardOf(id client.ID) client.CardView {
	if p, ok := o.Participant.(waiter); ok {
		if v, err := p.Waiting(id); err == nil {
			return v
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.waiting[id]
}

func (o *opened) keepCard(id client.ID, v client.CardView) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting[id] = v
}

// Forgettable tells whether nothing, or nothing for certain, comes of a dialogue
// any more.
func (e entry) Forgettable() bool { return e.Ended || e.Late }

// postForget removes from this computer a dialogue of which nothing comes.
func (a *App) postForget(q *request) (result, error) {
	d, err := q.dialogueOf()
	if err != nil {
		return failed(err)
	}
	if !entryOf(d, a.words()).Forgettable() {
		return failed(&client.RuleError{Reason: dialogue.ReasonState})
	}
	if err := q.o.Forget(d.ID); err != nil {
		return failed(err)
	}
	return goTo("/?said=forgotten")
}

// rulesMain is the page of the ground rules and the title.
type rulesMain struct {
	Rules []words.Rule
	Sides []client.Side
	Relay string
}

// rules shows the ground rules in sentences, and the title to change.
func (a *App) rules(q *request) (result, error) {
	d, err := q.dialogueOf()
	if err != nil {
		return failed(err)
	}
	return show(a.rulesView(d, filled("title", d.Title)))
}

func (a *App) rulesView(d client.Dialogue, f *form) *view {
	w := a.words()
	var names []string
	for _, s := range d.Sides {
		names = append(names, s.Name)
	}
	relayName := d.Relay
	if u, err := url.Parse(d.Relay); err == nil && u.Host != "" {
		relayName = u.Host
	}
	m := rulesMain{Rules: w.Rules(d.Rules, names), Sides: d.Sides, Relay: relayName}
	return &view{Page: "rules", Title: w.T("rules.title"), Here: w.T("rules.title"), Nav: "home", Form: f, Main: m,
		D: a.dialogue(d, "rules"), Live: []string{"places", "banner"}}
}

func (a *App) postTitle(q *request) (result, error) {
	d, f, err := q.posted()
	if err != nil {
		return failed(err)
	}
	if err := dialogue.CheckName(f.line("title")); err != nil {
		f.fault("title", a.words().Problem(err))
		return show(a.rulesView(d, f))
	}
	if err := q.o.SetTitle(d.ID, f.line("title")); err != nil {
		f.fault("title", a.words().Problem(err))
		return show(a.rulesView(d, f))
	}
	return goTo(q.below("rules?said=title"))
}

// alarmsMain is the page of alarms.
type alarmsMain struct {
	Alarms      []alarmLine
	Charters    []charterBox
	Unconfirmed []string
	Problem     string
}

// A charterBox is a past that can be chosen.
type charterBox struct {
	client.Charter
	By   string
	What []string
}

type alarmLine struct {
	words.Alarm
	Seat     client.Seat
	When     string
	MayLeave bool // the room, to come back to where the others are
}

// alarms lists what may endanger people, each with three answers.
func (a *App) alarms(q *request) (result, error) {
	d, err := q.dialogueOf()
	if err != nil {
		return failed(err)
	}
	w := a.words()
	m := alarmsMain{Unconfirmed: unconfirmed(d, w)}
	if d.Problem != nil {
		m.Problem = w.Problem(d.Problem)
	}
	for _, c := range d.Charters {
		by, what := w.Charter(c)
		m.Charters = append(m.Charters, charterBox{c, by, what})
	}
	for _, al := range d.Alarms {
		l := alarmLine{Alarm: w.Alarm(al), Seat: al.Seat, MayLeave: al.Kind == client.AlarmElsewhere}
		if !al.Time.IsZero() {
			l.When = w.Moment(al.Time.Local(), a.cfg.Now().Local())
		}
		m.Alarms = append(m.Alarms, l)
	}
	return show(&view{Page: "alarms", Title: w.T("alarms.title"), Here: w.T("alarms.title"), Nav: "home", Main: m,
		D: a.dialogue(d, "alarms"), Live: []string{"places", "banner", "alarm-list"}})
}

// postCharter goes by the past that a party told.
func (a *App) postCharter(q *request) (result, error) {
	d, f, err := q.posted()
	if err != nil {
		return failed(err)
	}
	party, err := strconv.ParseUint(f.Get("party"), 10, 8)
	if err != nil {
		return failed(client.ErrNoCharter)
	}
	if err := q.o.ChooseCharter(d.ID, dialogue.SideID(party)); err != nil {
		return failed(err)
	}
	return goTo(q.below("alarms"))
}

// postReturn leaves a room that may be another than that of the others.
func (a *App) postReturn(q *request) (result, error) {
	d, err := q.dialogueOf()
	if err != nil {
		return failed(err)
	}
	if err := q.o.Return(q.within(), d.ID); err != nil && !errors.Is(err, client.ErrOffline) {
		return failed(err)
	}
	return goTo("/?said=elsewhere")
}

// unconfirmed names the parties that have not confirmed what a newcomer was
// told.
func unconfirmed(d client.Dialogue, w *words.Words) []string {
	var l []string
	for _, n := range d.Unconfirmed {
		if n == "" {
			n = w.T("party.convenor")
		}
		l = append(l, n)
	}
	return l
}

// Unconfirmed is for the banner: who has not confirmed the past one was told.
func (v *view) Unconfirmed() []string {
	if v.D == nil {
		return nil
	}
	return unconfirmed(v.D.Dialogue, v.W)
}
