package web

import (
	"encoding/hex"
	"slices"
	"time"

	"parley/client"
	"parley/dialogue"
	"parley/internal/words"
)

// newCardDays is how long a new card works, in days.
const newCardDays = 3

// A newCard is a new card for a seat that is held, as pages show it.
type newCard struct {
	client.Replacement
	Text string // how far it is
	Key  string // names what its holder posted, in addresses
}

// newCards shows what new cards were asked for a seat.
func newCards(s client.Seat, w *words.Words, now time.Time) (l []newCard) {
	for _, r := range s.Replacements {
		c := newCard{Replacement: r, Key: hex.EncodeToString(r.Post[:])}
		switch {
		case r.Twice:
			c.Text = w.T("newcard.twice", "by", r.By)
		case r.Expired:
			c.Text = w.T("newcard.expired", "by", r.By)
		case r.Used:
			c.Text = w.T("newcard.used", "by", r.By) + " " + w.WhoAgrees(r)
		default:
			c.Text = w.T("newcard.out", "by", r.By, "until", w.Moment(r.Expires.Local(), now))
		}
		l = append(l, c)
	}
	return l
}

// cardOf is the new card for a seat that this person made and can show.
func cardOf(s client.Seat) (client.Replacement, bool) {
	i := slices.IndexFunc(s.Replacements, func(r client.Replacement) bool { return r.HaveCard && !r.Expired })
	if i < 0 {
		return client.Replacement{}, false
	}
	return s.Replacements[i], true
}

// isHeld tells whether a seat is somebody's.
func isHeld(s client.Seat) bool { return s.Status == dialogue.In || s.Status == dialogue.Asleep }

// postReplace makes a new card and shows it.
func (a *App) postReplace(q *request) (result, error) {
	d, s, err := q.seatOf()
	if err != nil {
		return failed(err)
	}
	lasts := newCardDays * 24 * time.Hour
	if _, err := q.o.Replace(q.within(), d.ID, s.ID, lasts); err != nil {
		f := filled()
		f.fault("", a.words().Problem(err))
		return show(a.seatView(d, s, f))
	}
	s.Replacements = []client.Replacement{{By: d.Me.Name, Mine: true, HaveCard: true, Expires: a.cfg.Now().Add(lasts)}}
	q.o.keepSeat(d.ID, s)
	return goTo(q.below("seat/" + s.ID.String() + "/card"))
}

// newCardOf finds the seat's new card whose holder posted what an address
// names, where it can still be approved.
func (q *request) newCardOf(s client.Seat) (client.Replacement, bool) {
	for _, r := range s.Replacements {
		if r.Used && !r.Twice && hex.EncodeToString(r.Post[:]) == q.PathValue("post") {
			return r, true
		}
	}
	return client.Replacement{}, false
}

// approveNewMain is the page on which somebody with a new card is let in.
type approveNewMain struct {
	Row  seatRow
	Mark string
	Card newCard
	Who  string // has yet to agree
}

func (a *App) approveNew(q *request) (result, error) {
	d, s, err := q.seatOf()
	if err != nil {
		return failed(err)
	}
	r, ok := q.newCardOf(s)
	if !ok {
		return goTo(q.below("seat/" + s.ID.String()))
	}
	return show(a.approveNewView(d, s, r, filled()))
}

func (a *App) approveNewView(d client.Dialogue, s client.Seat, r client.Replacement, f *form) *view {
	w := a.words()
	m := approveNewMain{Row: a.seatRow(s, w), Mark: mark(s.Side), Card: newCard{r, "", hex.EncodeToString(r.Post[:])}, Who: w.WhoAgrees(r)}
	return &view{Page: "approvenew", Title: w.T("approvenew.title", "who", s.Name), Here: w.T("approvenew.here"), Nav: "home", Form: f,
		Main: m, D: a.dialogue(d, "seats"), Live: []string{"places", "banner"}}
}

func (a *App) postApproveNew(q *request) (result, error) {
	d, s, err := q.seatOf()
	if err != nil {
		return failed(err)
	}
	r, ok := q.newCardOf(s)
	if !ok {
		return goTo(q.below("seat/" + s.ID.String()))
	}
	if err := q.o.ApproveNew(q.within(), d.ID, s.ID, r.Post); err != nil {
		f := filled()
		f.fault("", a.words().Problem(err))
		return show(a.approveNewView(d, s, r, f))
	}
	return goTo(q.below("seats?said=approvednew"))
}
