package web

import (
	"slices"

	"parley/client"
	"parley/dialogue"
	"parley/internal/words"
)

// seatsMain is the seat plan.
type seatsMain struct {
	Lead   string
	Plan   plan
	Groups []seatGroup
	Gone   []seatRow
	Invite bool
	Laying bool // the dialogue was started, and its beginning is not back from the relay yet
	Leave  bool
	Still  string // that shared time stands still, and why
}

// A seatGroup is a side's seats in the table.
type seatGroup struct {
	Name, Mark string
	Agreed     bool
	NoSide     bool
	Rows       []seatRow
}

// A seatRow is a seat in the table.
type seatRow struct {
	client.Seat
	Key    string // its id, for addresses
	As     string // what it sits as
	Status string
	Good   bool   // verified
	Open   bool   // not yet
	Detail string // by whom, or why not
	By     string // who let it in, or made its card
	Silent string // since when nothing was heard from it
	New    []newCard
}

func (a *App) seats(q *request) (result, error) {
	d, err := q.dialogueOf()
	if err != nil {
		return failed(err)
	}
	w := a.words()
	m := seatsMain{Plan: newPlan(d, w), Leave: d.Standing == client.StandingIn && !laying(d), Invite: mayInvite(d), Laying: laying(d)}
	n, heard := len(sitting(d)), 0
	for _, s := range sitting(d) {
		if verified(s) {
			heard++
		}
	}
	m.Still = w.Still(d, a.cfg.Now().Local())
	m.Lead = w.T("seats.lead", "n", n) + " " + w.T("seats.verified", "n", heard)
	for _, side := range append(slices.Clone(d.Sides), client.Side{Name: w.T("side.none")}) {
		g := seatGroup{Name: side.Name, Mark: mark(side.ID), Agreed: side.Agreed, NoSide: side.ID == 0}
		for _, s := range d.Seats {
			if s.Side == side.ID && atTable(s) {
				g.Rows = append(g.Rows, a.seatRow(s, w))
			}
		}
		m.Groups = append(m.Groups, g)
	}
	for _, s := range d.Seats {
		if !atTable(s) {
			m.Gone = append(m.Gone, a.seatRow(s, w))
		}
	}
	return show(&view{Page: "seats", Title: w.T("seats.title"), Here: w.T("seats.title"), Nav: "home", Main: m,
		D: a.dialogue(d, "seats"), Live: []string{"places", "banner", "plan"}})
}

// mayInvite tells whether the page offers to make a card: anybody who sits
// may, and the sides decide.
func mayInvite(d client.Dialogue) bool {
	return d.Standing == client.StandingIn && !laying(d)
}

// laying tells whether a dialogue was started and has nothing to show yet.
func laying(d client.Dialogue) bool { return d.Standing == client.StandingIn && len(d.Seats) == 0 }

// atTable tells whether a seat is kept, or may yet be taken.
func atTable(s client.Seat) bool { return s.Status <= dialogue.In || s.Status == dialogue.Asleep }

func (a *App) seatRow(s client.Seat, w *words.Words) seatRow {
	r := seatRow{Seat: s, Key: s.ID.String(), As: w.Capacity(s.Capacity)}
	switch {
	case s.Role == dialogue.Convenor:
		r.As = w.T("seat.convenor")
	case s.Role == dialogue.Interpreter:
		r.As = w.T("seat.interpreter")
	case s.Head:
		r.As = w.T("seat.head") + w.T("pattern.comma") + w.Capacity(s.Capacity)
	}
	now := a.cfg.Now().Local()
	r.Silent, r.New = w.Silence(s, now), newCards(s, w, now)
	switch s.Status {
	case dialogue.Invited:
		r.Status, r.Open = w.T("status.invited"), true
		r.Detail = w.T("status.invited.until", "by", s.By, "until", w.Moment(s.Expires.Local(), now))
		if s.Expired {
			r.Status, r.Detail = w.T("status.expired"), w.T("status.expired.detail", "by", s.By)
		}
	case dialogue.Arrived:
		r.Status, r.Open = w.T("status.arrived"), true
		r.Detail = w.T("status.arrived.ready")
		if len(s.Missing) > 0 {
			r.Detail = w.T("status.arrived.missing", "sides", w.List(s.Missing), "n", len(s.Missing))
		}
	case dialogue.In:
		r.inDetail(s, w)
	case dialogue.Asleep:
		r.Status, r.Open, r.Detail = w.T("status.asleep"), true, w.T("status.asleep.detail")
	case dialogue.Revoked:
		r.Status, r.Detail = w.T("status.revoked"), w.T("status.by", "by", s.By)
	case dialogue.Removed:
		r.Status, r.Detail = w.T("status.removed"), w.T("status.by", "by", s.GoneBy)
	case dialogue.Left:
		r.Status = w.T("status.left")
	}
	if s.AtDoor && !s.Due {
		r.Status, r.Good, r.Open, r.Detail = w.T("status.door"), false, true, w.T("status.door.detail")
	}
	if s.Replacing {
		r.Status, r.Good, r.Open, r.Detail = w.T("status.replacing"), false, true, w.T("status.replacing.detail")
	}
	if s.By != "" && s.Role != dialogue.Convenor {
		r.By = w.T("seat.by", "by", s.By)
	}
	return r
}

// inDetail says of a seat that is held whether somebody heard it.
func (r *seatRow) inDetail(s client.Seat, w *words.Words) {
	switch {
	case s.Due:
		r.Status, r.Open, r.Detail = w.T("status.due"), true, w.T("status.by", "by", s.GoneBy)
	case verified(s):
		r.Status, r.Good, r.Detail = w.T("status.verified"), true, w.T("status.heardby", "names", w.List(s.VerifiedBy))
	default:
		r.Status, r.Open, r.Detail = w.T("status.unverified"), true, w.Loss(s.Lost)
		if r.Detail == "" {
			r.Detail = w.T("status.neverheard")
		}
	}
}

// seatMain is the page of one seat.
type seatMain struct {
	Row   seatRow
	Mark  string
	Agree string      // who has to agree to a new card
	Means words.Alarm // what it may mean where nothing is heard from it
}

func (a *App) seatPage(q *request) (result, error) {
	d, s, err := q.seatOf()
	if err != nil {
		return failed(err)
	}
	return show(a.seatView(d, s, filled()))
}

func (a *App) seatView(d client.Dialogue, s client.Seat, f *form) *view {
	w := a.words()
	return &view{Page: "seat", Title: s.Name, Here: s.Name, Nav: "home", Form: f, Main: seatMain{a.seatRow(s, w), mark(s.Side), w.WhoWouldAgree(s), w.Silent(s.Name)},
		D: a.dialogue(d, "seats"), Live: []string{"places", "banner"}}
}

// onSeat does something with a seat and goes back to the plan.
func (a *App) onSeat(q *request, said string, do func(client.ID, dialogue.SeatID) error) (result, error) {
	d, s, err := q.seatOf()
	if err != nil {
		return failed(err)
	}
	if err := do(d.ID, s.ID); err != nil {
		f := filled()
		f.fault("", a.words().Problem(err))
		return show(a.seatView(d, s, f))
	}
	return goTo(q.below("seats?said=" + said))
}

func (a *App) postRemove(q *request) (result, error) {
	return a.onSeat(q, "removed", func(id client.ID, s dialogue.SeatID) error { return q.o.Remove(q.within(), id, s) })
}

func (a *App) postRevoke(q *request) (result, error) {
	return a.onSeat(q, "revoked", func(id client.ID, s dialogue.SeatID) error { return q.o.Revoke(q.within(), id, s) })
}

// approveMain is the page on which a newcomer is let in.
type approveMain struct {
	Row   seatRow
	Mark  string
	Words []string
}

func (a *App) approve(q *request) (result, error) {
	d, s, err := q.seatOf()
	if err != nil {
		return failed(err)
	}
	if s.Status != dialogue.Arrived {
		return goTo(q.below("seat/" + s.ID.String()))
	}
	w := a.words()
	return show(&view{Page: "approve", Title: w.T("approve.title", "who", s.Name), Here: w.T("approve.here"), Nav: "home",
		Main: approveMain{a.seatRow(s, w), mark(s.Side), s.Words}, D: a.dialogue(d, "seats"), Live: []string{"places", "banner"}})
}

func (a *App) postApprove(q *request) (result, error) {
	return a.onSeat(q, "approved", func(id client.ID, s dialogue.SeatID) error { return q.o.Approve(q.within(), id, s) })
}

// leave asks once; postLeave leaves.
func (a *App) leave(q *request) (result, error) {
	d, err := q.dialogueOf()
	if err != nil {
		return failed(err)
	}
	w := a.words()
	return show(&view{Page: "leave", Title: w.T("leave.title"), Here: w.T("leave.title"), Nav: "home",
		D: a.dialogue(d, "seats"), Live: []string{"places", "banner"}})
}

func (a *App) postLeave(q *request) (result, error) {
	d, err := q.dialogueOf()
	if err != nil {
		return failed(err)
	}
	if err := q.o.Leave(q.within(), d.ID); err != nil {
		return failed(err)
	}
	return goTo("/?said=left")
}
