package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// attack is a request, by default one that the person's own browser would
// send; change makes it an attacker's.
func attack(v *visitor, method, path string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://"+testHost+path, nil)
	if method == "POST" {
		form := url.Values{"text": {"said by nobody"}}
		r = httptest.NewRequest(method, "http://"+testHost+path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "http://"+testHost)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range v.jar {
		r.AddCookie(c)
	}
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	v.a.ServeHTTP(w, r)
	return w
}

func set(pairs ...string) func(*http.Request) {
	return func(r *http.Request) {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == "Host" {
				r.Host = pairs[i+1]
			} else {
				r.Header.Set(pairs[i], pairs[i+1])
			}
		}
	}
}

// TestAttacks: another page, another port and another name in the same
// browser get the same bare refusal, and change nothing.
func TestAttacks(t *testing.T) {
	a, o, v := openedApp(t)
	room := a.guard.base + orvaPath + "/r/0"
	if w := attack(v, "GET", room, nil); w.Code != 200 {
		t.Fatalf("the person's own request got %d", w.Code)
	}
	if w := attack(v, "POST", room, nil); w.Code != 303 {
		t.Fatalf("the person's own form got %d", w.Code)
	}
	lines := len(o.d.list[0].lines)
	noCookie := func(r *http.Request) { r.Header.Del("Cookie") }
	for _, c := range []struct {
		name, method, path string
		change             func(*http.Request)
	}{
		{"a form of another site", "POST", room, set("Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")},
		{"a form of another site, in an old browser", "POST", room, func(r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "https://evil.example")
		}},
		{"a form of another port", "POST", room, set("Sec-Fetch-Site", "same-site", "Origin", "http://127.0.0.1:9999")},
		{"a form of a sandboxed frame", "POST", room, set("Sec-Fetch-Site", "cross-site", "Origin", "null")},
		{"a form with a null origin, in an old browser", "POST", room, func(r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "null")
		}},
		{"a link of another site", "GET", room, set("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")},
		{"a picture of another port", "GET", room, set("Sec-Fetch-Site", "same-site", "Sec-Fetch-Dest", "image")},
		{"a frame", "GET", room, set("Sec-Fetch-Dest", "iframe")},
		{"a stream of another site", "GET", room, set("Sec-Fetch-Site", "cross-site", "Accept", "text/event-stream", "Origin", "https://evil.example")},
		{"a stream of another port", "GET", room, set("Sec-Fetch-Site", "same-site", "Accept", "text/event-stream", "Origin", "http://127.0.0.1:9999")},
		{"another name for this computer", "GET", room, set("Host", "rebound.example:4711")},
		{"localhost", "GET", room, set("Host", "localhost:4711")},
		{"another port's name", "GET", room, set("Host", "127.0.0.1:4712")},
		{"a name without a port", "GET", room, set("Host", "127.0.0.1")},
		{"the address without the cookie", "GET", room, noCookie},
		{"the address with another cookie", "GET", room, func(r *http.Request) { r.Header.Set("Cookie", cookieName+"=x") }},
		{"the address with an empty cookie", "GET", room, func(r *http.Request) { r.Header.Set("Cookie", cookieName+"=") }},
		{"the style without the cookie", "GET", a.guard.base + "/static/parley.css", noCookie},
		{"the cookie, at the root", "GET", "/", nil},
		{"the cookie, under no secret", "GET", "/p/x" + orvaPath + "/r/0", nil},
		{"the cookie, under another secret", "GET", "/p/" + strings.Repeat("A", 26) + orvaPath + "/r/0", nil},
		{"the cookie, with a form under no secret", "POST", orvaPath + "/r/0", nil},
		{"the secret as the beginning of another", "GET", a.guard.base + "x/", nil},
		{"a way around the secret", "GET", "/p/../" + strings.TrimPrefix(room, "/"), nil},
		{"opening without a token", "GET", "/open", nil},
		{"opening with a guess", "GET", "/open?once=" + strings.Repeat("A", 26), nil},
		{"opening by a form", "POST", "/open?once=x", nil},
		{"signing somebody in", "GET", "/open?once=x", set("Sec-Fetch-Site", "cross-site")},
		{"putting away from another site", "POST", a.guard.base + "/putaway", set("Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")},
		{"a preflight", "OPTIONS", room, set("Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")},
	} {
		w := attack(v, c.method, c.path, c.change)
		if w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "Orva") || len(w.Result().Cookies()) > 0 {
			t.Errorf("%s: %d %.100q", c.name, w.Code, w.Body)
		}
		if h := w.Header(); h.Get("Access-Control-Allow-Origin") != "" || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: headers %v", c.name, h)
		}
	}
	if len(o.d.list[0].lines) != lines || a.current() == nil {
		t.Error("an attack changed something")
	}
}

// TestOnce: a link works once, whoever used it; each start has its own secret.
func TestOnce(t *testing.T) {
	a, _, _ := openedApp(t)
	link := a.Link()
	open := func(a *App, link string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest("GET", "http://"+testHost+link, nil))
		return w
	}
	first := open(a, link)
	if first.Code != 303 || open(a, link).Code != 403 {
		t.Error("a link works other than once")
	}
	c := first.Result().Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != a.guard.base+"/" || c.Domain != "" {
		t.Errorf("the cookie is %+v", c)
	}
	old := a.Link()
	for range maxLinks {
		a.Link()
	}
	if open(a, old).Code != 403 {
		t.Error("links are kept without end")
	}
	b := New(Config{Hosts: []string{testHost}, Exists: func() bool { return false }})
	if a.guard.base == b.guard.base || a.guard.cookie == b.guard.cookie || open(b, a.Link()).Code != 403 {
		t.Error("two runs share a secret")
	}
}

// TestFromAnotherPage: a link that another of our pages leads to, on another
// port, goes on from a page of this origin.
func TestFromAnotherPage(t *testing.T) {
	a, _, _ := openedApp(t)
	r := httptest.NewRequest("GET", "http://"+testHost+a.Link(), nil)
	r.Header.Set("Sec-Fetch-Site", "same-site")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	if w.Code != 200 || w.Header().Get("Refresh") != "0; url="+a.guard.base+"/" || len(w.Result().Cookies()) != 1 {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// TestHeaders: every answer keeps other origins, frames and caches away.
func TestHeaders(t *testing.T) {
	a, _, v := openedApp(t)
	for _, path := range []string{"/", "/nowhere", "/static/parley.js", orvaPath + "/r/0"} {
		h := v.get(path).Header()
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %s is %q", path, name, h.Get(name))
			}
		}
	}
	page := v.get("/").Body.String()
	for _, never := range []string{"<style", " style=", " onclick", "javascript:", "https://", "<script>"} {
		if strings.Contains(page, never) {
			t.Errorf("the page has %q", never)
		}
	}
	_ = a
}

// TestGetChangesNothing: no address that can be followed by a link does what a
// form does.
func TestGetChangesNothing(t *testing.T) {
	_, o, v := openedApp(t)
	seats := len(o.d.list[0].Seats)
	for _, path := range []string{"/putaway", "/unlock", "/setup", "/look", "/alive", orvaPath + "/forget", orvaPath + "/r/0/seen", orvaPath + "/seat/" + sid(4) + "/remove",
		orvaPath + "/seat/" + sid(7) + "/revoke", orvaPath + "/words/read", "/d/66666666/found/accept", orvaPath + "/title?title=x"} {
		if w := v.get(path); w.Code != 404 && w.Code != 405 {
			t.Errorf("GET %s: %d", path, w.Code)
		}
	}
	if len(o.d.list) != 8 || len(o.d.list[0].Seats) != seats || o.d.list[0].Title != "The Orva Waters" || o.locks != 0 {
		t.Error("a GET changed something")
	}
}

// TestPeoplesText: what members write is text, whatever they write.
func TestPeoplesText(t *testing.T) {
	_, o, v := openedApp(t)
	evil := `<script>alert(1)</script><img src=x onerror=alert(1)> javascript:alert(1) {{.}} "' </textarea>`
	seat := o.d.list[0].Seats[4]
	seat.Name = `<b onmouseover="x">Corin</b>`
	o.d.list[0].Seats[4].Name = seat.Name
	o.d.list[0].Title = evil
	o.d.hear("0a1b2c3d", seat, 0, evil)
	for _, path := range []string{"/", orvaPath + "/r/0", orvaPath + "/seats", orvaPath + "/rules", orvaPath + "/words"} {
		page := v.get(path).Body.String()
		for _, never := range []string{"<script>alert", "<img", "<b onmouseover", "{{.}} \"' </textarea>"} {
			if strings.Contains(page, never) {
				t.Errorf("%s has %q", path, never)
			}
		}
	}
}
