package web

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log"
	"net/http"
	"strconv"
	"strings"

	"parley/client"
	"parley/dialogue"
)

func itoa(n int) string { return strconv.Itoa(n) }

// A request is what a page gets.
type request struct {
	*http.Request
	w http.ResponseWriter
	o *opened // the open vault
}

// A result is what a page gives: a view to show, or a place to go to.
type result struct {
	view *view
	to   string // below Base
}

func show(v *view) (result, error)     { return result{view: v}, nil }
func goTo(to string) (result, error)   { return result{to: to}, nil }
func (r result) isDone() bool          { return r.view == nil && r.to == "" }
func done() (result, error)            { return result{}, nil }
func failed(err error) (result, error) { return result{}, err }

// A pageFunc makes a page, or does what a form asks for.
type pageFunc func(*request) (result, error)

// routes lists every address below the secret path.
func (a *App) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /static/", a.static())
	mux.HandleFunc("GET /{$}", a.door(a.home))
	mux.HandleFunc("POST /setup", a.outside(a.setup))
	mux.HandleFunc("POST /unlock", a.outside(a.unlock))
	mux.HandleFunc("POST /putaway", a.outside(a.postPutAway))
	mux.HandleFunc("POST /look", a.outside(a.postLook))
	mux.HandleFunc("GET /safety", a.outside(a.safety))
	for pattern, f := range map[string]pageFunc{
		"POST /alive": a.alive,

		"GET /start": a.start, "POST /start": a.postStart,
		"GET /join": a.join, "POST /join": a.postCard,
		"GET /join/{card}": a.joinPage, "POST /join/{card}": a.postJoin,
		"GET /settings": a.settings, "POST /settings": a.postSettings, "POST /settings/passphrase": a.postPassphrase,
		"GET /rehearse": a.rehearse, "POST /rehearse": a.postRehearse,

		"GET /d/{id}/{$}":                         a.dialoguePage,
		"GET /d/{id}/r/{room}":                    a.room,
		"POST /d/{id}/r/{room}":                   a.postSay,
		"POST /d/{id}/r/{room}/seen":              a.postSeen,
		"POST /d/{id}/r/{room}/again/{event}":     a.postAgain,
		"POST /d/{id}/r/{room}/drop/{event}":      a.postDiscard,
		"GET /d/{id}/r/{room}/file/{event}/{seq}": a.file,
		"GET /d/{id}/seats":                       a.seats,
		"GET /d/{id}/seat/{seat}":                 a.seatPage,
		"POST /d/{id}/seat/{seat}/remove":         a.postRemove,
		"POST /d/{id}/seat/{seat}/revoke":         a.postRevoke,
		"GET /d/{id}/seat/{seat}/approve":         a.approve,
		"POST /d/{id}/seat/{seat}/approve":        a.postApprove,
		"POST /d/{id}/seat/{seat}/replace":        a.postReplace,
		"GET /d/{id}/seat/{seat}/new/{post}":      a.approveNew,
		"POST /d/{id}/seat/{seat}/new/{post}":     a.postApproveNew,
		"GET /d/{id}/seat/{seat}/card":            a.card,
		"GET /d/{id}/seat/{seat}/file":            a.cardFile,
		"GET /d/{id}/invite":                      a.invite,
		"POST /d/{id}/invite":                     a.postInvite,
		"GET /d/{id}/words":                       a.spoken,
		"POST /d/{id}/words/read":                 a.postRead,
		"POST /d/{id}/words/heard":                a.postHeard,
		"GET /d/{id}/alarms":                      a.alarms,
		"POST /d/{id}/charter":                    a.postCharter,
		"POST /d/{id}/return":                     a.postReturn,
		"GET /d/{id}/found":                       a.found,
		"GET /d/{id}/found/again":                 a.again,
		"POST /d/{id}/found/again":                a.postFound,
		"POST /d/{id}/found/leave":                a.postLeaveFounding,
		"POST /d/{id}/found/accept":               a.postAcceptFounding,
		"GET /d/{id}/rules":                       a.rules,
		"POST /d/{id}/title":                      a.postTitle,
		"GET /d/{id}/leave":                       a.leave,
		"POST /d/{id}/leave":                      a.postLeave,
		"POST /d/{id}/forget":                     a.postForget,
	} {
		mux.HandleFunc(pattern, a.inside(f))
	}
	mux.HandleFunc("/", a.outside(func(*request) (result, error) { return failed(errNotFound) }))
	return mux
}

// static serves the style and the script.
func (a *App) static() http.Handler {
	sub, err := fs.Sub(staticFiles, "static")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return http.StripPrefix("/static/", http.FileServerFS(sub))
}

// outside serves a page that needs no open vault.
func (a *App) outside(f pageFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a.touched()
		a.serve(&request{Request: r, w: w, o: a.current()}, f)
	}
}

// inside serves a page of an open vault; without one, the page that opens it.
func (a *App) inside(f pageFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		o := a.current()
		switch {
		case o == nil:
			a.serve(&request{Request: r, w: w}, a.closedDoor)
			return
		case isStream(r):
			a.serve(&request{Request: r, w: w, o: o}, func(q *request) (result, error) { return a.stream(q, f) })
			return
		case !strings.HasSuffix(r.URL.Path, "/seen"): // which the script posts by itself
			a.touched()
		}
		a.serve(&request{Request: r, w: w, o: o}, f)
	}
}

// door is inside for the first page.
func (a *App) door(f pageFunc) http.HandlerFunc { return a.inside(f) }

// serve runs a page and writes what it gives.
func (a *App) serve(q *request, f pageFunc) {
	res, err := f(q)
	if err != nil {
		if q.o != nil && q.o.ctx.Err() != nil { // put away meanwhile
			res, err = a.closedDoor(q)
		}
		if err != nil {
			res = result{view: a.errorView(q, err)}
		}
	}
	switch {
	case res.to != "":
		http.Redirect(q.w, q.Request, a.guard.base+res.to, http.StatusSeeOther)
	case res.view != nil:
		a.write(q, res.view)
	}
}

// write renders a page.
func (a *App) write(q *request, v *view) {
	if err := a.finish(v, q.Request); err != nil {
		log.Printf("web: %s: %v", v.Page, err)
		http.Error(q.w, "Parley could not make this page.", http.StatusInternalServerError)
		return
	}
	var b bytes.Buffer
	if err := a.pages.set(v.Page, v.W).Execute(&b, v); err != nil {
		log.Printf("web: %s: %v", v.Page, err)
		http.Error(q.w, "Parley could not make this page.", http.StatusInternalServerError)
		return
	}
	q.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if v.Status != 0 {
		q.w.WriteHeader(v.Status)
	}
	q.w.Write(b.Bytes())
}

// statusOf gives the status of an error's page; the one place that knows.
func statusOf(err error) int {
	var rule *client.RuleError
	var large *http.MaxBytesError
	switch {
	case errors.Is(err, errNotFound), errors.Is(err, client.ErrNoDialogue), errors.Is(err, client.ErrNoSeat),
		errors.Is(err, client.ErrNoRoom), errors.Is(err, client.ErrNoMessage), errors.Is(err, client.ErrNoFile):
		return http.StatusNotFound
	case errors.As(err, &rule), errors.Is(err, client.ErrNotSeated):
		return http.StatusForbidden
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, errTooLarge):
		return http.StatusBadRequest
	case errors.Is(err, client.ErrOffline):
		return http.StatusServiceUnavailable
	case errors.Is(err, client.ErrWaiting), errors.Is(err, client.ErrFileDamaged), errors.Is(err, client.ErrNoReading), errors.Is(err, client.ErrOutbox),
		errors.Is(err, client.ErrNoCharter), errors.Is(err, client.ErrNotLost), errors.Is(err, client.ErrNobodyWaits),
		errors.Is(err, client.ErrNoFounding), errors.Is(err, client.ErrFounding):
		return http.StatusConflict
	}
	return http.StatusInternalServerError
}

// errorMain is what an error's page says.
type errorMain struct {
	Happened, Safety, Now string
}

// errorView makes the page of an error.
func (a *App) errorView(q *request, err error) *view {
	w := a.words()
	status := statusOf(err)
	v := &view{Page: "error", Status: status, Title: w.T("error.title"), Here: w.T("error.here")}
	m := errorMain{w.Problem(err), w.T("error.safety"), w.T("error.now")}
	switch status {
	case http.StatusNotFound:
		v.Title = w.T("error.notfound.title")
		if errors.Is(err, errNotFound) {
			m.Happened = w.T("error.notfound.happened")
		}
	case http.StatusForbidden:
		v.Title = w.T("error.rules.title")
	case http.StatusInternalServerError:
		log.Printf("web: %s: %v", q.Pattern, err)
	}
	v.Main = m
	return v
}

// dialogueOf finds the dialogue that an address names.
func (q *request) dialogueOf() (client.Dialogue, error) {
	return q.o.Dialogue(client.ID(q.PathValue("id")))
}

// posted finds the dialogue that an address names, and reads the form that was
// posted there.
func (q *request) posted() (client.Dialogue, *form, error) {
	d, err := q.dialogueOf()
	if err != nil {
		return d, nil, err
	}
	f, err := readForm(q.w, q.Request)
	return d, f, err
}

// seatOf finds the dialogue and the seat that an address names.
func (q *request) seatOf() (client.Dialogue, client.Seat, error) {
	d, err := q.dialogueOf()
	if err != nil {
		return d, client.Seat{}, err
	}
	s, err := seatOf(d, q.PathValue("seat"))
	if made, ok := q.o.madeSeat(d.ID, q.PathValue("seat")); err != nil && ok {
		return d, made, nil
	}
	return d, s, err
}

// eventOf reads the message that an address names.
func (q *request) eventOf() (id dialogue.EventID, err error) { return parseEvent(q.PathValue("event")) }

// within is a context for what a form does: what was begun is finished even
// if its page is left, unless Parley is put away.
func (q *request) within() context.Context { return q.o.ctx }

// below is an address of the dialogue that the request is about.
func (q *request) below(rest string) string { return "/d/" + q.PathValue("id") + "/" + rest }
