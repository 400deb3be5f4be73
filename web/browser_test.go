package web

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"parley/client"
	"parley/internal/chromium"
	"parley/internal/words"
)

// serveApp serves an App on a port that the kernel chose.
func serveApp(t *testing.T, cfg Config) (*App, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Hosts = []string{l.Addr().String()}
	a := New(cfg)
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: a}}
	srv.Start()
	t.Cleanup(func() { a.PutAway(); srv.CloseClientConnections(); srv.Close() })
	return a, "http://" + l.Addr().String()
}

// A sight is one way to look at a page.
type sight struct {
	name         string
	width        int64
	theme        string
	text         int
	lang         string
	shoot, judge bool
}

var sights = []sight{
	{"1280-light", 1280, "light", 100, "en", true, true},
	{"1280-dark", 1280, "dark", 100, "en", true, true},
	{"390-light", 390, "light", 100, "en", true, true},
	{"390-dark", 390, "dark", 100, "en", true, true},
	{"1280-text300", 1280, "light", 300, "en", true, false},
	{"390-text300", 390, "light", 300, "en", true, false},
	{"1280-rtl", 1280, "light", 100, words.Pseudo, true, false},
	{"390-rtl-text300", 390, "light", 300, words.Pseudo, true, false},
}

// TestSights looks at every page in a real browser: nothing is wider than the
// window, axe-core finds nothing, the script's console is silent.
func TestSights(t *testing.T) {
	ctx := chromium.Start(t)
	if ctx == nil {
		return
	}
	axe, err := chromium.Axe()
	if err != nil {
		t.Fatal(err)
	}
	if axe == "" {
		t.Log("PARLEY_AXE is not set: accessibility is not judged")
	}
	shots := os.Getenv("PARLEY_SHOTS")
	if shots != "" {
		if err := os.MkdirAll(shots, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range sights {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			lookAtPages(t, chromium.Tab(t, ctx), s, axe, shots)
		})
	}
	t.Run("doors", func(t *testing.T) {
		t.Parallel()
		lookAtDoors(t, chromium.Tab(t, ctx), axe, shots)
	})
}

// lookAtPages looks at the pages of an open vault, as one person has them.
func lookAtPages(t *testing.T, ctx context.Context, s sight, axe, shots string) {
	o := &owner{d: orva(), exists: true}
	cfg := o.config()
	cfg.Languages = []string{words.English, words.Pseudo}
	cfg.Proposals = proposals(t)
	a, origin := serveApp(t, cfg)
	if err := a.reopen(passphrase); err != nil {
		t.Fatal(err)
	}
	a.keep(a.open, client.Profile{Name: "Mira Estvale", Language: s.lang, Text: s.text, Theme: s.theme, Idle: 15})
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(s.width, 900), chromedp.Navigate(origin+a.Link())); err != nil {
		t.Fatal(err)
	}
	for _, path := range sightPaths() {
		lookAt(t, ctx, origin+a.guard.base+path, s, axe, shots)
	}
}

func sightPaths() []string {
	var l []string
	for p := range allPages {
		l = append(l, p)
	}
	slices.Sort(l)
	return append(l, "/nowhere", orvaPath+"/seat/"+sid(7))
}

// lookAtDoors looks at the pages before a vault is open.
func lookAtDoors(t *testing.T, ctx context.Context, axe, shots string) {
	for _, exists := range []bool{false, true} {
		o := &owner{d: orva(), exists: exists}
		a, origin := serveApp(t, o.config())
		for _, s := range sights[:6] {
			a.mu.Lock()
			a.look = look{s.lang, s.text, s.theme}
			a.mu.Unlock()
			err := chromedp.Do(ctx, chromedp.EmulateViewport(s.width, 900), chromedp.Navigate(origin+a.Link()))
			if err != nil {
				t.Fatal(err)
			}
			s.name += map[bool]string{false: "-setup", true: "-unlock"}[exists]
			lookAt(t, ctx, origin+a.guard.base+"/", s, axe, shots)
		}
	}
}

// wide names what is wider than the window, or empty.
const wide = `(() => {
  const d = document.documentElement, w = d.clientWidth;
  if (d.scrollWidth <= w + 1) return "";
  const out = [];
  for (const e of document.querySelectorAll("body *")) {
    const r = e.getBoundingClientRect();
    if (r.width > 0 && (r.right > w + 1 || r.left < -1) && !e.closest(".vh, .skip, .sprite")) out.push(e.tagName + "." + (e.getAttribute("class") || e.id) + " " + Math.round(r.left) + ".." + Math.round(r.right));
  }
  return d.scrollWidth + " > " + w + ": " + out.slice(0, 6).join("; ");
})()`

// small names controls that are too small to be hit.
const small = `[...document.querySelectorAll("button, input:not([type=hidden]), select, textarea, summary, .button, .mainnav a, .places a")].filter(e => {
  const r = e.closest(".choice")?.getBoundingClientRect() || e.getBoundingClientRect();
  return r.height > 0 && r.height < 47.5 && e.type !== "radio" && e.type !== "checkbox";
}).map(e => e.tagName + "." + e.className + " " + e.getBoundingClientRect().height).join("; ")`

func lookAt(t *testing.T, ctx context.Context, url string, s sight, axe, shots string) {
	t.Helper()
	path := url[strings.Index(url, "/p/"):]
	path = path[strings.Index(path[3:], "/")+3:]
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	tooWide, tooSmall := eval[string](t, ctx, wide), eval[string](t, ctx, small)
	if tooWide != "" {
		t.Errorf("%s: wider than the window: %s", path, tooWide)
	}
	if tooSmall != "" {
		t.Errorf("%s: too small to hit: %s", path, tooSmall)
	}
	if shots != "" && s.shoot {
		shoot(t, ctx, filepath.Join(shots, strings.ReplaceAll(strings.Trim(path, "/")+"-"+s.name, "/", "_")+".png"))
	}
	if axe == "" || !s.judge {
		return
	}
	eval[chromedp.Void](t, ctx, axe)
	found, err := chromedp.Run(ctx, chromedp.Evaluate[string](chromium.Violations, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var list []string
	if err := json.Unmarshal([]byte(found), &list); err != nil {
		t.Fatal(err)
	}
	for _, v := range list {
		t.Errorf("%s: %s", path, v)
	}
}

// eval runs a line of script in the page.
func eval[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func shoot(t *testing.T, ctx context.Context, to string) {
	t.Helper()
	png, err := chromedp.Run(ctx, chromium.Screenshot())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestByKeyboard: what the script does in a room, by keyboard alone: a message
// is sent, it and others' come by themselves, and what is half written stays.
func TestByKeyboard(t *testing.T) {
	ctx := chromium.Start(t)
	if ctx == nil {
		return
	}
	o := &owner{d: orva(), exists: true}
	a, origin := serveApp(t, o.config())
	if err := a.reopen(passphrase); err != nil {
		t.Fatal(err)
	}
	corin := o.d.list[0].Seats[4]
	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, steps...); err != nil {
			t.Fatal(err)
		}
	}
	until := func(script string) {
		t.Helper()
		var err error
		for range 5 { // a page that is left while it is asked gives an error
			if _, err = chromedp.Run(ctx, chromedp.Poll[bool](script)); err == nil {
				return
			}
		}
		t.Fatalf("%s: %v", script, err)
	}
	box := func() string {
		t.Helper()
		return eval[string](t, ctx, `document.getElementById("compose-text").value`)
	}

	do(chromedp.Navigate(origin+a.Link()), chromedp.Navigate(origin+a.guard.base+orvaPath+"/r/0"))
	do(chromedp.Focus(chromedp.CSS("#compose-text")), chromedp.KeyEvent("Half a sentence"))
	if err := o.d.hear("0a1b2c3d", corin, 0, "An interruption."); err != nil {
		t.Fatal(err)
	}
	until(`document.getElementById("talk").lastElementChild.textContent.includes("An interruption.")`)
	if at := eval[string](t, ctx, `document.activeElement.id`); box() != "Half a sentence" || at != "compose-text" {
		t.Fatalf("the box holds %q, the focus is at %q", box(), at)
	}
	// On with the keyboard: past the file to the button, and press it.
	do(chromedp.KeyEvent(" and its end."), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
	until(`document.getElementById("waiting").textContent.includes("Half a sentence and its end.")`)
	until(`document.readyState === "complete" && document.getElementById("compose-text")?.value === ""`)
	if err := o.d.deliver("0a1b2c3d"); err != nil {
		t.Fatal(err)
	}
	until(`document.getElementById("talk").textContent.includes("Half a sentence and its end.") && !document.getElementById("waiting").textContent.includes("Half a sentence")`)
	// Put away from elsewhere: the page goes by itself.
	if err := a.PutAway(); err != nil {
		t.Fatal(err)
	}
	until(`document.title.startsWith("Parley is put away") && !document.body.textContent.includes("Orva")`)
}
