package web

import (
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"parley/client"
	"parley/dialogue"
	"parley/internal/words"
)

// A view is what a page shows: what all pages share, and Main, which is the
// page's own.
type view struct {
	Page   string // the template's name
	Status int    // 0: 200
	Title  string
	Here   string // where one is, for the bar
	Form   *form
	Main   any

	Live []string // names of the blocks that change by themselves

	// Filled in by finish.
	W       *words.Words
	Base    string
	Path    string // below Base
	Look    look
	Open    bool // the vault is open
	Offers  offers
	Said    string // what the last form did
	D       *dialogueView
	Nav     string // the part of Parley one is in
	Blocks  map[string]block
	IdleFor int // seconds
	Stream  string
}

// offers say which doors there are.
type offers struct{ Rehearse, Partners, Rehearsing bool }

// dialogueView is what the pages of a dialogue share.
type dialogueView struct {
	client.Dialogue
	ID       string
	Title    string
	Current  string // the place one is in, below /d/<id>/
	Rooms    []roomLink
	Alarming int
	SideRoom *client.Side // whose room one is in
	Waiting  int
}

type roomLink struct {
	Room   dialogue.Room
	Name   string
	Path   string
	Unread int
	Mark   string
}

// Plenary tells whether the link is to everybody's room.
func (l roomLink) Plenary() bool { return l.Room == dialogue.Plenary }

// marks of the sides, in order; the convenor's is "chair".
const sideMarks = "abcdef"

// mark names the mark of a side: "a" to "f", or "chair".
func mark(s dialogue.SideID) string {
	if s == 0 || int(s) > len(sideMarks) {
		return "chair"
	}
	return sideMarks[s-1 : s]
}

// initials of a name: two letters at most, titles left out.
func initials(name string) string {
	var l []rune
	for _, part := range strings.Fields(name) {
		r, _ := utf8.DecodeRuneInString(part)
		title := strings.HasSuffix(part, ".") // "Prof.", "Dr."
		if !title && (unicode.IsUpper(r) || !unicode.IsLower(r) && unicode.IsLetter(r)) {
			l = append(l, r)
		}
	}
	switch len(l) {
	case 0:
		for _, r := range name {
			return string(unicode.ToUpper(r))
		}
		return ""
	case 1:
		return string(l)
	}
	return string([]rune{l[0], l[len(l)-1]})
}

// words are those of the language that is chosen.
func (a *App) words() *words.Words {
	a.mu.Lock()
	defer a.mu.Unlock()
	return words.For(a.look.Lang)
}

// saids are what a page says after a form did its work; the address names
// which, by a word that means nothing by itself.
var saids = map[string]string{
	"settings": "said.settings", "passphrase": "said.passphrase", "revoked": "said.revoked", "removed": "said.removed",
	"approved": "said.approved", "approvednew": "said.approvednew", "title": "said.title", "forgotten": "said.forgotten", "discarded": "said.discarded",
	"again": "said.again", "heard": "said.heard", "reading": "said.reading", "left": "said.left", "started": "said.started",
	"founded": "said.founded", "accepted": "said.accepted", "foundleft": "said.foundleft", "elsewhere": "said.elsewhere",
}

// finish fills in what all pages share and renders the blocks.
func (a *App) finish(v *view, r *http.Request) error {
	a.mu.Lock()
	v.Look, v.Base = a.look, a.guard.base
	v.Open = a.open != nil && !a.hidden
	if v.Open {
		v.IdleFor = a.open.Profile().Idle * 60
	}
	a.mu.Unlock()
	v.W = words.For(v.Look.Lang)
	v.Path = r.URL.Path
	v.Offers = offers{Rehearse: a.cfg.Rehearse != nil, Partners: a.cfg.Rehearsal != nil, Rehearsing: a.cfg.Rehearsing != nil}
	if key := saids[r.URL.Query().Get("said")]; key != "" {
		v.Said = v.W.T(key)
	}
	if !v.Form.ok() {
		v.Title = v.W.T("form.error", "title", v.Title)
		if v.Status == 0 {
			v.Status = http.StatusUnprocessableEntity
		}
	}
	v.Blocks = map[string]block{}
	set := a.pages.set(v.Page, v.W)
	for _, name := range v.Live {
		b, err := renderBlock(set, name, v)
		if err != nil {
			return err
		}
		v.Blocks[name] = b
	}
	return nil
}

// Block is a block's content, for the page it is part of.
func (v *view) Block(name string) template.HTML { return v.Blocks[name].HTML }

// Version is a block's version.
func (v *view) Version(name string) string { return v.Blocks[name].Version }

// Dir is the direction of writing.
func (v *view) Dir() string { return v.W.Dir() }

// FormErr is what is wrong with the form as a whole.
func (v *view) FormErr() string { return v.Form.Err("") }

// dialogue makes what the pages of a dialogue share.
func (a *App) dialogue(d client.Dialogue, current string) *dialogueView {
	w := a.words()
	v := &dialogueView{Dialogue: d, ID: string(d.ID), Title: d.Title, Current: current, Alarming: len(d.Alarms), Waiting: len(d.Tasks)}
	for _, r := range d.Rooms {
		l := roomLink{Room: r.Room, Name: w.T("room.everyone"), Path: "r/0", Unread: r.Unread}
		if r.Room != dialogue.Plenary {
			l.Name, l.Path, l.Mark = w.T("room.side", "side", r.Name), "r/"+itoa(int(r.Room)), mark(r.Room.Side())
		}
		v.Rooms = append(v.Rooms, l)
	}
	return v
}

// In tells whether one sits in the dialogue.
func (v *dialogueView) In() bool { return v.Standing == client.StandingIn }

// offlineSince is when the relay last answered.
func (v *dialogueView) OfflineSince() time.Time { return v.LastHeard }

// seatOf finds a seat by its id in hexadecimal.
func seatOf(d client.Dialogue, id string) (client.Seat, error) {
	i := slices.IndexFunc(d.Seats, func(s client.Seat) bool { return s.ID.String() == id })
	if i < 0 {
		return client.Seat{}, client.ErrNoSeat
	}
	return d.Seats[i], nil
}

// sitting lists the seats that are held.
func sitting(d client.Dialogue) []client.Seat {
	var l []client.Seat
	for _, s := range d.Seats {
		if s.Status == dialogue.In && !s.Due {
			l = append(l, s)
		}
	}
	return l
}

// verified tells whether somebody heard the seat read words.
func verified(s client.Seat) bool { return len(s.VerifiedBy) > 0 }

var errNotFound = errors.New("web: no such page")
