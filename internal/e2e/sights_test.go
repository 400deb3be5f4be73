package e2e

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"parley/internal/chromium"
)

// names stand for a seat, a card or a dialogue in an address.
var names = regexp.MustCompile(`/(d|seat|join)/[0-9a-zA-Z]+`)

// seen are the kinds of pages that were judged, with their direction.
var seen sync.Map

// judge looks at the page, the first time that somebody meets one of its kind: nothing is wider than the window, also at 300 %, and axe-core finds
// nothing, in light and dark, wide and narrow.
func (p *person) judge() {
	p.Helper()
	kind := names.ReplaceAllString(eval[string](p, "location.pathname.replace(/^.p.[^/]*/, '') + ' ' + document.documentElement.dir"), "/$1")
	if p.with == noScript { // axe-core is a script
		return
	}
	if _, before := seen.LoadOrStore(kind, true); before {
		return
	}
	for _, width := range []int64{1280, 390} {
		for _, theme := range []string{"light", "dark"} {
			p.look(width, theme)
			if p.fits(kind) != nil || p.accessible(kind) != nil {
				seen.Delete(kind) // it went on by itself; somebody else may meet it
			}
		}
		p.large(kind + " at 300 %")
	}
	p.look(1280, "light")
}

// large looks at the page in the largest letters.
func (p *person) large(kind string) {
	p.Helper()
	size := eval[string](p, `(() => { const d = document.documentElement.dataset, s = d.text || ""; d.text = "300"; return s; })()`)
	p.fits(kind)
	eval[bool](p, "(() => { const d = document.documentElement.dataset, s = "+quote(size)+"; if (s) d.text = s; else delete d.text; return true; })()")
}

// look changes the window.
func (p *person) look(width int64, theme string) {
	p.Helper()
	p.do(chromedp.EmulateViewport(width, 900), call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}}))
}

// wide names what is wider than the window, or is empty.
const wide = `(() => {
  const w = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= w + 1) return "";
  const out = [];
  for (const e of document.querySelectorAll("body *")) {
    const r = e.getBoundingClientRect();
    if (r.width > 0 && (r.right > w + 1 || r.left < -1) && !e.closest(".vh, .skip, .sprite")) out.push(e.tagName + "." + (e.getAttribute("class") || e.id));
  }
  return w + ": " + out.slice(0, 6).join("; ");
})()`

func (p *person) fits(kind string) error {
	p.Helper()
	w, err := try[string](p, wide)
	if w != "" {
		p.Errorf("%s, %s: wider than the window: %s", p.name, kind, w)
	}
	return err
}

func (p *person) accessible(kind string) error {
	p.Helper()
	source, err := chromium.Axe()
	if err != nil {
		p.Fatal(err)
	}
	if source == "" {
		return nil
	}
	if there, err := try[bool](p, "!!window.axe"); err == nil && !there {
		if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[chromedp.Void](source)); err != nil {
			return err
		}
	}
	found, err := try[string](p, chromium.Violations)
	if err != nil {
		return err
	}
	var list []string
	if err := json.Unmarshal([]byte(found), &list); err != nil {
		p.Fatal(err)
	}
	for _, v := range list {
		p.Errorf("%s, %s: %s", p.name, kind, v)
	}
	return nil
}

// shoot keeps a picture of the page, cut to a height in pixels unless that is
// 0, if anybody wants it.
func (p *person) shoot(name string, height int) {
	p.Helper()
	dir := os.Getenv("PARLEY_SHOTS")
	if dir == "" {
		return
	}
	p.do(chromedp.Evaluate[chromedp.Void]("(document.activeElement?.blur(), window.scrollTo(0, 0))"))
	raw, err := chromedp.Run(p.ctx, chromium.Screenshot())
	if err != nil {
		p.Fatal(err)
	}
	if height > 0 {
		raw = p.cut(raw, height)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), raw, 0o644); err != nil {
		p.Fatal(err)
	}
}

// cut takes the upper part of a picture, and makes it small to keep.
func (p *person) cut(raw []byte, height int) []byte {
	p.Helper()
	whole, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		p.Fatal(err)
	}
	r := whole.Bounds()
	r.Max.Y = min(r.Max.Y, r.Min.Y+height)
	part := image.NewPaletted(r, frequent(whole, r))
	draw.Draw(part, r, whole, r.Min, draw.Src)
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, part); err != nil {
		p.Fatal(err)
	}
	return b.Bytes()
}

// frequent are the colours that a picture has most of.
func frequent(m image.Image, r image.Rectangle) color.Palette {
	count := map[color.Color]int{}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			count[m.At(x, y)]++
		}
	}
	all := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return count[b] - count[a] })
	return color.Palette(all[:min(len(all), 256)])
}

// shootAll keeps the page as it looks in every window, for people to look at.
func (p *person) shootAll(name string) {
	p.Helper()
	if os.Getenv("PARLEY_SHOTS") == "" {
		return
	}
	p.look(390, "light")
	p.shoot("e2e-"+name+"-390", 0)
	p.look(1280, "dark")
	p.shoot("e2e-"+name+"-dark", 0)
	p.look(1280, "light")
	eval[string](p, `document.documentElement.dataset.text = "200"`)
	p.shoot("e2e-"+name+"-text200", 0)
	eval[bool](p, `delete document.documentElement.dataset.text`)
	p.shoot("e2e-"+name, 0)
}
