package web

import (
	"errors"
	"fmt"
	"html/template"
	"mime"
	"strings"
	"time"

	"rsc.io/qr"

	"parley/client"
	"parley/dialogue"
)

// inviteMain is the form of a card.
type inviteMain struct {
	Sides   []sideChoice
	As      []choice
	Expires []choice
	Mine    string // one's own side, where one can invite to it only
}

type sideChoice struct {
	choice
	Mark string
}

var (
	capacityChoices = []struct {
		value string
		c     dialogue.Capacity
	}{{"personal", dialogue.Personal}, {"semi", dialogue.SemiOfficial}, {"official", dialogue.Official}}
	expiryDays = []int{1, 3, 7, 14}
)

func (a *App) invite(q *request) (result, error) {
	d, err := q.dialogueOf()
	if err != nil {
		return failed(err)
	}
	if laying(d) {
		return goTo(q.below("seats"))
	}
	f := filled("side", q.URL.Query().Get("side"), "as", "personal", "days", "3")
	if f.Get("side") == "" && d.Me.Side != 0 {
		f.values.Set("side", itoa(int(d.Me.Side)))
	}
	return show(a.inviteView(d, f))
}

func (a *App) inviteView(d client.Dialogue, f *form) *view {
	w := a.words()
	var m inviteMain
	for _, s := range d.Sides {
		help := ""
		if s.Head == "" {
			help = w.T("invite.nohead")
		}
		m.Sides = append(m.Sides, sideChoice{choice{itoa(int(s.ID)), s.Name, help, f.Is("side", itoa(int(s.ID)))}, mark(s.ID)})
	}
	for _, c := range capacityChoices {
		m.As = append(m.As, choice{c.value, w.Capacity(c.c), "", f.Is("as", c.value)})
	}
	for _, n := range expiryDays {
		m.Expires = append(m.Expires, choice{itoa(n), w.T("left.days", "n", n), "", f.Is("days", itoa(n))})
	}
	return &view{Page: "invite", Title: w.T("invite.title"), Here: w.T("invite.title"), Nav: "home", Form: f, Main: m,
		D: a.dialogue(d, "seats"), Live: []string{"places", "banner"}}
}

// postInvite makes a card and shows it.
func (a *App) postInvite(q *request) (result, error) {
	d, f, err := q.posted()
	if err != nil {
		return failed(err)
	}
	w := a.words()
	o := client.InviteOptions{Name: f.line("name"), Expires: 72 * time.Hour}
	if err := dialogue.CheckName(o.Name); err != nil {
		f.fault("name", w.Problem(err))
	}
	for _, s := range d.Sides {
		if f.Is("side", itoa(int(s.ID))) {
			o.Side, o.Head = s.ID, s.Head == ""
		}
	}
	if o.Side == 0 {
		f.fault("side", w.T("problem.noside"))
	}
	for _, c := range capacityChoices {
		if f.Is("as", c.value) {
			o.Capacity = c.c
		}
	}
	if f.Is("interpreter", "on") {
		o.Role = dialogue.Interpreter
	}
	for _, n := range expiryDays {
		if f.Is("days", itoa(n)) {
			o.Expires = time.Duration(n) * 24 * time.Hour
		}
	}
	if !f.ok() {
		return show(a.inviteView(d, f))
	}
	_, seat, err := q.o.Invite(q.within(), d.ID, o)
	if err != nil {
		f.fault("", w.Problem(err))
		return show(a.inviteView(d, f))
	}
	q.o.keepSeat(d.ID, client.Seat{ID: seat, Name: o.Name, Side: o.Side, SideName: sideName(d, o.Side), Capacity: o.Capacity, Role: o.Role,
		Status: dialogue.Invited, By: d.Me.Name, Expires: a.cfg.Now().Add(o.Expires), HaveCard: true, MayDo: client.SeatActions{Revoke: true}})
	return goTo(q.below("seat/" + seat.String() + "/card"))
}

func sideName(d client.Dialogue, id dialogue.SideID) string {
	for _, s := range d.Sides {
		if s.ID == id {
			return s.Name
		}
	}
	return ""
}

// keepSeat remembers a seat for which a card was made: it can be shown before
// the seat plan has it, which takes the relay.
func (o *opened) keepSeat(id client.ID, s client.Seat) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.made[string(id)+s.ID.String()] = s
}

func (o *opened) madeSeat(id client.ID, seat string) (client.Seat, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s, ok := o.made[string(id)+seat]
	return s, ok
}

// cardMain is a card.
type cardMain struct {
	Seat  client.Seat
	Key   string
	Mark  string
	As    string
	Link  string
	QR    template.HTML
	Until string
	Left  string
	Now   string // how it stands
	Out   bool   // it can still be used
	Again bool   // its seat is held: it is for another computer
}

func (a *App) card(q *request) (result, error) {
	d, s, err := q.seatOf()
	if err != nil {
		return failed(err)
	}
	again := isHeld(s)
	if again {
		r, ok := cardOf(s)
		if made, there := q.o.madeSeat(d.ID, s.ID.String()); !ok && there && len(s.Replacements) == 0 {
			r, ok = cardOf(made)
		}
		if !ok { // it was used while it was looked at, or taken back
			return goTo(q.below("seat/" + s.ID.String()))
		}
		s.Expires, s.Expired = r.Expires, r.Expired
	}
	if s.Status == dialogue.Arrived { // it was used while it was looked at
		return goTo(q.below("seats"))
	}
	link, err := q.o.Card(d.ID, s.ID)
	if again && errors.Is(err, client.ErrCardUsed) { // or taken back, before the seat plan had it
		return goTo(q.below("seat/" + s.ID.String()))
	}
	if err != nil {
		return failed(err)
	}
	square, err := qrSVG(link)
	if err != nil {
		return failed(err)
	}
	w := a.words()
	now := a.cfg.Now().Local()
	m := cardMain{Seat: s, Key: s.ID.String(), Mark: mark(s.Side), As: w.Capacity(s.Capacity), Link: link, QR: square,
		Until: w.Moment(s.Expires.Local(), now), Left: w.Left(s.Expires.Sub(now)), Now: w.T("card.unused"), Out: !s.Expired, Again: again}
	if s.Role == dialogue.Convenor {
		m.As = w.T("seat.convenor")
	}
	if s.Expired {
		m.Now, m.Left = w.T("status.expired"), ""
	}
	return show(&view{Page: "card", Title: w.T("card.title.for", "who", s.Name), Here: w.T("card.here"), Nav: "home", Main: m,
		D: a.dialogue(d, "seats"), Live: []string{"places", "banner"}})
}

// cardFile gives the card as a file.
func (a *App) cardFile(q *request) (result, error) {
	d, s, err := q.seatOf()
	if err != nil {
		return failed(err)
	}
	link, err := q.o.Card(d.ID, s.ID)
	if err != nil {
		return failed(err)
	}
	h := q.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": "card.parley"}))
	q.w.Write([]byte(link + "\n"))
	return done()
}

// qrQuiet is the quiet zone around a square code, in modules (ISO 18004).
const qrQuiet = 4

// qrSVG draws a text as a square code: one path of runs, no script, no style.
func qrSVG(text string) (template.HTML, error) {
	c, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", err
	}
	var path strings.Builder
	for y := range c.Size {
		for x := 0; x < c.Size; x++ {
			if !c.Black(x, y) {
				continue
			}
			n := 1
			for x+n < c.Size && c.Black(x+n, y) {
				n++
			}
			fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", x+qrQuiet, y+qrQuiet, n, n)
			x += n
		}
	}
	size := c.Size + 2*qrQuiet
	// Numbers and fixed letters only: nothing here came from a person.
	return template.HTML(fmt.Sprintf(`<path d="M0 0h%dv%dh-%dz" fill="#fff"/><path d="%s" fill="#000"/>`, size, size, size, path.String())), nil
}

// QRSize is the square code's width in modules, for its view box.
func (m cardMain) QRSize() int {
	c, err := qr.Encode(m.Link, qr.M)
	if err != nil {
		return 0
	}
	return c.Size + 2*qrQuiet
}
