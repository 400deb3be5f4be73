package web

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// A guard lets in the person at this computer and nobody else; see doc.go.
type guard struct {
	hosts  []string
	base   string // "/p/<secret>"
	cookie string // its value
	cross  *http.CrossOriginProtection

	links *links
}

// links are the one-time tokens that are out.
type links struct {
	mu  sync.Mutex
	out [][32]byte // hashes, oldest first
}

// maxLinks bounds the one-time tokens that are out at a time.
const maxLinks = 8

const cookieName = "parley"

func newGuard(hosts []string) guard {
	return guard{
		hosts: slices.Clone(hosts), base: "/p/" + rand.Text(), cookie: rand.Text(),
		cross: http.NewCrossOriginProtection(), links: &links{},
	}
}

// link makes a one-time token.
func (g *guard) link() string {
	token := rand.Text()
	g.links.mu.Lock()
	defer g.links.mu.Unlock()
	g.links.out = append(g.links.out, sha256.Sum256([]byte(token)))
	if n := len(g.links.out); n > maxLinks {
		g.links.out = g.links.out[n-maxLinks:]
	}
	return "/open?once=" + token
}

// spend takes a token; it works once.
func (g *guard) spend(token string) bool {
	h := sha256.Sum256([]byte(token))
	g.links.mu.Lock()
	defer g.links.mu.Unlock()
	found := false
	g.links.out = slices.DeleteFunc(g.links.out, func(o [32]byte) bool {
		same := subtle.ConstantTimeCompare(o[:], h[:]) == 1
		found = found || same
		return same
	})
	return found
}

// protect wraps the pages. What it refuses gets the same bare answer.
func (g *guard) protect(pages http.Handler) http.Handler {
	inner := http.StripPrefix(g.base, pages)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		harden(w.Header())
		switch {
		case !slices.Contains(g.hosts, r.Host):
			refuse(w)
		case r.URL.Path == "/open" && r.Method == http.MethodGet:
			g.enter(w, r)
		case !g.knowsPath(r.URL.Path) || !g.hasCookie(r) || !g.sameOrigin(r):
			refuse(w)
		default:
			inner.ServeHTTP(w, r)
		}
	})
}

// harden sets the headers that every answer has.
func harden(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "+
		"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin") // "no-referrer" would make the Origin of our own forms "null"
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Embedder-Policy", "require-corp")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), clipboard-read=()")
}

func refuse(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusForbidden)
	w.Write([]byte("Start Parley again, or open the address that it printed.\n"))
}

func (g *guard) knowsPath(path string) bool {
	n := len(g.base)
	return len(path) > n && path[n] == '/' && subtle.ConstantTimeCompare([]byte(path[:n]), []byte(g.base)) == 1
}

func (g *guard) hasCookie(r *http.Request) bool {
	for _, c := range r.CookiesNamed(cookieName) {
		if subtle.ConstantTimeCompare([]byte(c.Value), []byte(g.cookie)) == 1 {
			return true
		}
	}
	return false
}

// sameOrigin refuses what a browser says another origin asked for, and pages
// asked for by a frame. Something that is no browser says nothing; it knows
// the path and has the cookie.
func (g *guard) sameOrigin(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return false
	}
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "iframe", "frame", "embed", "object", "fencedframe":
		return false
	}
	if o := r.Header.Get("Origin"); o != "" && o != "http://"+r.Host {
		return false
	}
	return g.cross.Check(r) == nil
}

// enter exchanges a one-time token for the cookie. Where another page led
// here (a rehearsal's, on another port), the browser would say so again of
// where a redirection leads, and be refused; so a page of this origin goes on.
func (g *guard) enter(w http.ResponseWriter, r *http.Request) {
	if !g.spend(r.URL.Query().Get("once")) {
		refuse(w)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: g.cookie, Path: g.base + "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	if s := r.Header.Get("Sec-Fetch-Site"); s == "" || s == "none" || s == "same-origin" {
		http.Redirect(w, r, g.base+"/", http.StatusSeeOther)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Refresh", "0; url="+g.base+"/")
	page := `<!DOCTYPE html><html lang="en"><title>Parley</title><p><a href="BASE/">Parley</a></p></html>`
	w.Write([]byte(strings.ReplaceAll(page, "BASE", g.base)))
}
