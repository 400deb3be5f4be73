package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"parley/internal/chromium"
)

const passphrase = "correct horse battery"

// hands are what a person works with.
type hands int

const (
	mouse    hands = iota
	keyboard       // alone
	noScript       // a mouse, in a browser that runs no script
)

// A person sits before a browser.
type person struct {
	*house
	name string
	with hands
	ctx  context.Context
	base string // of the pages: "http://127.0.0.1:port/p/secret"
}

// person starts Parley for somebody and opens its page in a browser context of
// its own. A lang other than "" makes the vault beforehand, in that language.
func (h *house) person(name, lang string, with hands) *person {
	h.Helper()
	home := filepath.Join(h.TempDir(), "home")
	if lang != "" {
		file := filepath.Join(h.TempDir(), "passphrase")
		if err := os.WriteFile(file, []byte(passphrase+"\n"), 0o600); err != nil {
			h.Fatal(err)
		}
		cmd := exec.Command(binary, "init", "--home", home, "--name", name, "--language", lang, "--passphrase-file", file)
		cmd.Env = environment()
		if out, err := cmd.CombinedOutput(); err != nil {
			h.Fatalf("init: %v: %s", err, out)
		}
	}
	return h.sit(name, h.parley("--no-browser", "--home", home), with)
}

// sit opens a link in a browser context of its own.
func (h *house) sit(name, link string, with hands) *person {
	h.Helper()
	ctx := chromium.Tab(h.T, h.browser)
	p := &person{house: h, name: name, with: with, ctx: ctx}
	p.do(chromedp.EmulateViewport(1280, 900))
	if with == noScript {
		p.do(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	}
	p.do(chromedp.Navigate(link))
	at := p.address()
	end := strings.Index(at, "/p/")
	if end < 0 {
		h.Fatalf("%s is at %s", name, at)
	}
	p.base = at[:end+3+strings.Index(at[end+3:], "/")]
	return p
}

// call is a command of the browser's protocol as an action.
func call[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

func (p *person) do(steps ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.Fatalf("%s: %v\n%s", p.name, err, p.where())
	}
}

// patience is how long a condition is waited for.
const patience = 20 * time.Second

// eval reads something off the page. A page that is just being left for
// another is asked again.
func eval[T any](p *person, script string) T {
	p.Helper()
	var v T
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if v, err = try[T](p, script); err == nil || !between(err) {
			break
		}
	}
	if err != nil {
		p.Fatalf("%s: %.200s: %v\n%s", p.name, script, err, p.where())
	}
	return v
}

// try is eval of a page that may be left meanwhile. One that is not whole yet
// is none: without its style it has other measures.
func try[T any](p *person, script string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	script = `(() => { if (document.readyState !== "complete") throw new Error("` + noPage + `"); return (` + script + `); })()`
	return chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

const noPage = "there is no page yet"

// between tells whether an error is that of asking between two pages.
func between(err error) bool {
	for _, s := range []string{noPage, "context was destroyed", "Cannot find context", "navigated or closed"} {
		if strings.Contains(err.Error(), s) {
			return true
		}
	}
	return false
}

func (p *person) address() string { return eval[string](p, "location.href") }

// where says what the page shows, for a test that fails.
func (p *person) where() string {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	s, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.pathname.replace(/^.p.[^/]*/, "") + location.search + "\n" + document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return s
}

// until waits for a condition of the page. Without script the page is loaded
// again until it holds.
func (p *person) until(script string) {
	p.Helper()
	p.untilIn(patience, script)
}

func (p *person) untilIn(patience time.Duration, script string) {
	p.Helper()
	if p.with == noScript {
		for end := time.Now().Add(patience); time.Now().Before(end); p.do(chromedp.Reload()) {
			if eval[bool](p, "!!("+script+")") {
				return
			}
		}
		p.Fatalf("%s: in vain: %s\n%s", p.name, script, p.where())
	}
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); { // a page that is left while it is asked gives an error
		if _, err = chromedp.Run(p.ctx, chromedp.Poll[bool]("!!("+script+")", chromedp.WithPollingTimeout(time.Until(end)))); err == nil {
			return
		}
	}
	p.Fatalf("%s: %s: %v\n%s", p.name, script, err, p.where())
}

// reads waits for a text on the page.
func (p *person) reads(text string) {
	p.Helper()
	p.until("document.body.textContent.includes(" + quote(text) + ")")
}

// live is reads, by itself: the page may not be loaded again for it.
func (p *person) live(text string, act func()) {
	p.Helper()
	eval[bool](p, "window.stayed = true")
	act()
	p.until("window.stayed && document.body.textContent.includes(" + quote(text) + ")")
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// open goes to a page, which is judged when it is met first.
func (p *person) open(path string) {
	p.Helper()
	if p.with == keyboard {
		p.Fatalf("%s has no address bar to type %s into", p.name, path)
	}
	p.do(chromedp.Navigate(p.base + path))
	p.judge()
}

// press presses a button or follows a link.
func (p *person) press(sel string) {
	p.Helper()
	if p.with == keyboard {
		p.tabTo(sel)
		p.do(chromedp.KeyEvent(kb.Enter))
		return
	}
	p.click(sel)
}

// click presses something with the mouse. What the page replaced between being
// found and being pressed is found again.
func (p *person) click(sel string) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for {
		err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS(sel)))
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "Could not find node") && !strings.Contains(err.Error(), "detached") {
			p.Fatalf("%s, pressing %s: %v\n%s", p.name, sel, err, p.where())
		}
	}
}

// goes presses what leads to another page, and judges that.
func (p *person) goes(sel string) {
	p.Helper()
	eval[bool](p, "window.left = true")
	p.press(sel)
	p.arrive()
	p.judge()
}

// arrive waits for another page. Where the page runs no script it is asked from
// outside.
func (p *person) arrive() {
	p.Helper()
	if p.with != noScript {
		p.until(`!window.left && document.readyState === "complete"`)
		return
	}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		there, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](`!window.left && document.readyState === "complete"`))
		if err == nil && there {
			return
		}
	}
	p.Fatalf("%s stays on the page\n%s", p.name, p.where())
}

// tabTo presses Tab until the focus is on sel.
func (p *person) tabTo(sel string) {
	p.Helper()
	for range 150 {
		if eval[bool](p, "!!document.activeElement && document.activeElement.matches("+quote(sel)+")") {
			return
		}
		p.do(chromedp.KeyEvent(kb.Tab))
	}
	p.Fatalf("%s: no number of Tabs leads to %s\n%s", p.name, sel, p.where())
}

// fill puts a text into a field, in place of what is there. A person with a mouse pastes it; by keyboard
// it is typed where Tab led.
func (p *person) fill(sel, text string) {
	p.Helper()
	if p.with != keyboard {
		p.click(sel)
	} else {
		p.tabTo(sel)
	}
	p.do(chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	p.do(call(input.InsertText, input.InsertTextParams{Text: text}))
}

// choose picks one of a group of radio buttons. By keyboard, Tab leads to the
// group and the arrow through it.
func (p *person) choose(group, value string) {
	p.Helper()
	one := fmt.Sprintf("input[name=%q][value=%q]", group, value)
	if p.with != keyboard {
		p.click(one)
		return
	}
	p.tabTo(fmt.Sprintf("input[name=%q]", group))
	if eval[bool](p, "document.activeElement.matches("+quote(one)+") && !document.activeElement.checked") {
		p.do(chromedp.KeyEvent(" "))
	}
	for range 10 {
		if eval[bool](p, "document.querySelector("+quote(one)+").checked") {
			return
		}
		p.do(chromedp.KeyEvent(kb.ArrowDown))
	}
	p.Fatalf("%s: no arrow leads to %s", p.name, one)
}
