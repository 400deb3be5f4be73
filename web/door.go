package web

import (
	"errors"
	"net/http"
	"strings"

	"parley/client"
	"parley/dialogue"
	"parley/internal/words"
)

// closedDoor is every page while the vault is closed: the one that makes a
// vault, or opens it. What was written and posted meanwhile is kept.
func (a *App) closedDoor(q *request) (result, error) {
	if isStream(q.Request) {
		newStreamer(q.w).send("gone", "", update{})
		return done()
	}
	if a.cfg.Rehearsing == nil && !a.cfg.Exists() {
		p := client.DefaultProfile("")
		return show(a.setupView(filled("lang", p.Language)))
	}
	f := filled("then", "/")
	if q.Method == http.MethodGet {
		f = filled("then", q.URL.RequestURI())
	} else if path, text := a.unsent(q); text != "" {
		f = filled("then", path, "text", text)
	}
	v := a.unlockView(f)
	if q.Method != http.MethodGet {
		v.Status = http.StatusForbidden
	}
	return show(v)
}

// unsent reads a message that was posted after Parley was put away.
func (a *App) unsent(q *request) (path, text string) {
	q.Body = http.MaxBytesReader(q.w, q.Body, maxSay)
	if !strings.Contains(q.URL.Path, "/r/") || q.ParseMultipartForm(maxForm) != nil && q.ParseForm() != nil {
		return "", ""
	}
	if q.MultipartForm != nil {
		defer q.MultipartForm.RemoveAll()
	}
	return q.URL.Path, q.PostForm.Get("text")
}

// doorMain is what the pages before an open vault show.
type doorMain struct {
	Languages  []language
	Min        int
	Rehearsing bool
	Kept       string // what was written
}

type language struct{ Tag, Name string }

func (a *App) languages() []language {
	var l []language
	for _, tag := range a.cfg.Languages {
		l = append(l, language{tag, words.For(tag).T("language.own-name")})
	}
	return l
}

func (a *App) setupView(f *form) *view {
	w := a.words()
	return &view{Page: "setup", Title: w.T("setup.title"), Here: w.T("setup.here"), Form: f,
		Main: doorMain{Languages: a.languages(), Min: client.MinPassphrase}}
}

func (a *App) unlockView(f *form) *view {
	w := a.words()
	return &view{Page: "unlock", Title: w.T("unlock.title"), Here: w.T("unlock.here"), Form: f,
		Main: doorMain{Rehearsing: a.cfg.Rehearsing != nil, Kept: f.Get("text")}}
}

// setup makes the vault.
func (a *App) setup(q *request) (result, error) {
	f, err := readForm(q.w, q.Request)
	if err != nil {
		return failed(err)
	}
	if q.o != nil || a.cfg.Rehearsing != nil || a.cfg.Exists() {
		return goTo("/")
	}
	w := a.words()
	p := client.DefaultProfile(f.line("name"))
	a.mu.Lock()
	p.Text, p.Theme = a.look.Text, a.look.Theme
	a.mu.Unlock()
	if l := f.Get("lang"); a.offered(l) {
		p.Language = l
	}
	if err := dialogue.CheckName(p.Name); err != nil {
		f.fault("name", w.Problem(err))
	}
	checkNewPassphrase(f, w)
	if !f.ok() {
		return show(a.setupView(f))
	}
	o, err := a.cfg.Create(p, f.Get("pass"))
	if errors.Is(err, client.ErrVaultExists) {
		return goTo("/")
	}
	if err != nil {
		f.fault("", w.Problem(err))
		return show(a.setupView(f))
	}
	a.take(o)
	return goTo("/")
}

// checkNewPassphrase holds a new passphrase, typed twice, to its rules.
func checkNewPassphrase(f *form, w *words.Words) {
	switch {
	case client.CheckPassphrase(f.Get("pass")) != nil:
		f.fault("pass", w.T("problem.short"))
	case len(f.Get("pass")) > maxPassphrase:
		f.fault("pass", w.T("problem.passlong"))
	case f.Get("pass") != f.Get("pass2"):
		f.fault("pass2", w.T("problem.passdiffer"))
	}
}

// maxPassphrase bounds what is hashed, in bytes.
const maxPassphrase = 1024

func (a *App) offered(lang string) bool {
	for _, l := range a.cfg.Languages {
		if l == lang {
			return true
		}
	}
	return false
}

// unlock opens the vault, and goes on to the page that was asked for.
func (a *App) unlock(q *request) (result, error) {
	f, err := readForm(q.w, q.Request)
	if err != nil {
		return failed(err)
	}
	then := f.Get("then")
	if !strings.HasPrefix(then, "/") || strings.HasPrefix(then, "//") {
		then = "/"
	}
	if q.o == nil {
		if err := a.reopen(f.Get("pass")); err != nil {
			f.fault("pass", a.words().Problem(err))
			return show(a.unlockView(f))
		}
	}
	if text := f.Get("text"); text != "" {
		path, _, _ := strings.Cut(then, "?")
		a.keepDraft(path, text)
	}
	return goTo(then)
}

func (a *App) reopen(passphrase string) error {
	if a.cfg.Rehearsing != nil {
		a.take(a.cfg.Rehearsing)
		return nil
	}
	o, err := a.cfg.Open(passphrase)
	if err != nil {
		return err
	}
	a.take(o)
	return nil
}

// maxDrafts bounds what is kept for rooms, in number.
const maxDrafts = 32

func (a *App) keepDraft(path, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.drafts) < maxDrafts {
		a.drafts[path] = text
	}
}

// draft takes what was kept for a path.
func (a *App) draft(path string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	text := a.drafts[path]
	delete(a.drafts, path)
	return text
}

// postPutAway puts Parley away and shows the page that says so.
func (a *App) postPutAway(q *request) (result, error) {
	if err := a.PutAway(); err != nil {
		return failed(err)
	}
	return goTo("/")
}

// alive is what the script posts while somebody types or moves.
func (a *App) alive(q *request) (result, error) {
	q.w.WriteHeader(http.StatusNoContent)
	return done()
}

func (a *App) safety(q *request) (result, error) {
	w := a.words()
	return show(&view{Page: "safety", Title: w.T("safety.title"), Here: w.T("safety.title"), Nav: "safety"})
}
