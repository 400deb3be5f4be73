package web

import (
	"crypto/rand"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strings"

	"parley/client"
	"parley/dialogue"
	"parley/internal/words"
)

// A card never stands in an address: it is posted, kept here under a random
// name for as long as its page is looked at, and forgotten.
type heldCard struct {
	text string
	view client.CardView
}

// Bounds: cards kept at a time, and bytes of one that is sent as a file.
const (
	maxCards    = 16
	maxCardFile = 8 << 10
)

// joinMain is what a card says, before one takes the seat.
type joinMain struct {
	Card   string // its random name
	View   client.CardView
	Rules  []words.Rule
	Until  string
	Mark   string
	As     string
	Reader string
}

func (a *App) joinView(f *form) *view {
	w := a.words()
	return &view{Page: "join", Title: w.T("join.title"), Here: w.T("join.title"), Nav: "home", Form: f}
}

func (a *App) join(q *request) (result, error) { return show(a.joinView(filled())) }

// postCard takes a card, as a link or as a file, and shows its seat.
func (a *App) postCard(q *request) (result, error) {
	f, text, err := readCard(q)
	if err != nil {
		return failed(err)
	}
	w := a.words()
	if text == "" {
		f.fault("link", w.T("problem.nocard"))
		return show(a.joinView(f))
	}
	v, err := q.o.Look(q.Context(), text)
	if err != nil {
		f.fault("link", w.Problem(err))
		return show(a.joinView(f))
	}
	name := rand.Text()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.cards) >= maxCards {
		clear(a.cards)
	}
	a.cards[name] = heldCard{text, v}
	return goTo("/join/" + name)
}

// readCard reads the form of a card.
func readCard(q *request) (*form, string, error) {
	q.Body = http.MaxBytesReader(q.w, q.Body, maxForm)
	err := q.ParseMultipartForm(maxForm)
	if errors.Is(err, http.ErrNotMultipart) {
		err = q.ParseForm()
	}
	if err != nil {
		return nil, "", errors.Join(errTooLarge, err)
	}
	f := &form{values: q.PostForm}
	if q.MultipartForm == nil {
		return f, f.line("link"), nil
	}
	defer q.MultipartForm.RemoveAll()
	if text := f.line("link"); text != "" {
		return f, text, nil
	}
	files := q.MultipartForm.File["file"]
	if len(files) == 0 {
		return f, "", nil
	}
	b, err := readAll(files[0])
	return f, strings.TrimSpace(string(b)), err
}

func readAll(h *multipart.FileHeader) ([]byte, error) {
	file, err := h.Open()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxCardFile))
}

func (a *App) heldCard(q *request) (string, heldCard, bool) {
	name := q.PathValue("card")
	a.mu.Lock()
	defer a.mu.Unlock()
	c, ok := a.cards[name]
	return name, c, ok
}

// joinPage shows the seat and the ground rules before one takes it.
func (a *App) joinPage(q *request) (result, error) {
	name, c, ok := a.heldCard(q)
	if !ok {
		return goTo("/join")
	}
	return show(a.cardView(name, c, filled()))
}

func (a *App) cardView(name string, c heldCard, f *form) *view {
	w := a.words()
	m := joinMain{
		Card: name, View: c.view, Rules: w.Rules(c.view.Rules, c.view.Sides), Until: w.Moment(c.view.Expires.Local(), a.cfg.Now().Local()),
		Mark: "chair", As: w.Capacity(c.view.Capacity),
	}
	if c.view.Role == dialogue.Convenor {
		m.As = w.T("seat.convenor")
	}
	for i, s := range c.view.Sides {
		if s == c.view.Side {
			m.Mark = sideMarks[i%len(sideMarks) : i%len(sideMarks)+1]
		}
	}
	return &view{Page: "joincard", Title: w.T("joincard.title"), Here: w.T("joincard.title"), Nav: "home", Form: f, Main: m}
}

// postJoin takes the seat.
func (a *App) postJoin(q *request) (result, error) {
	name, c, ok := a.heldCard(q)
	if !ok {
		return goTo("/join")
	}
	id, v, err := q.o.Join(q.within(), c.text)
	if err != nil {
		f := filled()
		f.fault("", a.words().Problem(err))
		return show(a.cardView(name, c, f))
	}
	q.o.keepCard(id, v)
	a.mu.Lock()
	delete(a.cards, name)
	a.mu.Unlock()
	return goTo("/d/" + string(id) + "/")
}
