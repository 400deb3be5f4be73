package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// fourWords are those that a page shows.
func (p *person) fourWords() []string {
	p.Helper()
	p.until(`document.querySelectorAll("ol.words li").length === 4`)
	return eval[[]string](p, `[...document.querySelectorAll("ol.words li")].map(e => e.textContent)`)
}

// seatOf goes from the seat plan to somebody's seat.
func (p *person) seatOf(name string) {
	p.Helper()
	p.open(p.table() + "/seats")
	link := `[...document.querySelectorAll('main th a[href*="/seat/"]')].find(e => e.textContent === ` + quote(name) + `)`
	p.until(link)
	p.open(eval[string](p, link+`.getAttribute("href").replace(/^.p.[^/]*/, "")`))
}

// TestLostComputer: somebody's computer is lost, and runs on in other hands.
// The convenor makes a new card, the person sits down at another computer, two
// compare the four words and agree; the lost one is shut out, and says so.
func TestLostComputer(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if h == nil {
		return
	}
	ruth, halden, lost := h.person("Ruth Abernay", "", mouse), h.person("Halden Royce", "", mouse), h.person("Corin Vash", "", mouse)
	anew := h.person("Corin Vash", "", noScript)
	for _, p := range []*person{ruth, halden, lost, anew} {
		p.setUp()
	}
	ruth.start("The Orva Waters", "Upland", "Delta")
	halden.join(ruth.invite(1, halden.name))
	halden.seated()
	ruth.open(ruth.table() + "/seats")
	lost.join(ruth.invite(2, lost.name))
	lost.seated()
	lost.enter(0)
	halden.enter(0)
	lost.live("Of before.", func() { halden.write("Of before.") })

	lost.seatOf(lost.name)
	lost.reads("If you lose this computer")
	ruth.seatOf(lost.name)
	ruth.reads("This person has lost their computer")
	ruth.goes(`form[action$="/replace"] button`)
	card := eval[string](ruth, `document.getElementById("cardlink").value`)
	ruth.reads("no seat is ever at two computers")

	anew.join(card)
	words := anew.fourWords()
	for _, p := range []*person{halden, ruth} {
		p.seatOf(lost.name)
		p.untilReloading(`document.querySelector('main a[href*="/new/"]')`)
		p.goes(`main a[href*="/new/"]`)
		if got := p.fourWords(); !slices.Equal(got, words) {
			t.Fatalf("%s compares %q with %q", p.name, got, words)
		}
		p.goes(`form[action*="/new/"] button.main`)
		// With the second it may be under way, or carried out, before the page is read.
		p.until(`["You agree to the new card", "Two have agreed", "Sits with a new card"].some(t => document.body.textContent.includes(t))`)
	}
	anew.seated()
	anew.enter(0)
	anew.write("Here again.")
	ruth.open(ruth.table() + "/r/0")
	ruth.reads("Corin Vash sits at another computer, with a new card")
	ruth.reads("Here again.")
	if eval[bool](anew, `document.body.textContent.includes("Of before.")`) {
		t.Error("the new computer shows what was said before")
	}
	lost.open(lost.table() + "/")
	lost.untilReloading(`document.body.textContent.includes("A new card was made for this seat")`)
	lost.goes(`main a.button[href$="/join"]`)
	ruth.open(ruth.table() + "/seats")
	ruth.reads("Sits with a new card; nobody has heard the words since")
	ruth.shoot("new-card", 1400)
}

// untilReloading waits for a condition of a page that does not change by
// itself: it is loaded again until it holds.
func (p *person) untilReloading(script string) {
	p.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); p.do(chromedp.Reload()) {
		if eval[bool](p, "!!("+script+")") {
			return
		}
	}
	p.Fatalf("%s: in vain: %s\n%s", p.name, script, p.where())
}
