package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// setUp answers the three questions of the first page.
func (p *person) setUp() {
	p.Helper()
	p.judge()
	p.choose("lang", "en")
	p.fill("#name", p.name)
	p.fill("#pass", passphrase)
	p.fill("#pass2", passphrase)
	p.goes(`form[action$="/setup"] button.main`)
	p.reads("Good day, " + p.name)
}

// start lays a table on the relay of this computer.
func (p *person) start(title string, sides ...string) {
	p.Helper()
	p.goes(`.door a[href$="/start"]`)
	p.fill("#title", title)
	p.choose("track", "1.5")
	for i, s := range sides {
		p.fill(fmt.Sprintf("#side-%d", i+1), s)
	}
	p.choose("relay", eval[string](p, `[...document.querySelectorAll('input[name=relay]')].find(i => i.labels[0].textContent.includes('127.0.0.1')).value`))
	p.shoot("start", 1500)
	p.goes(`button[name="do"][value="start"]`)
	p.until(`document.querySelector('main a[href$="/invite"]')`)
}

// invite makes a card, from the seat plan, and gives its link.
func (p *person) invite(side int, name string) string {
	p.Helper()
	p.goes(`main a[href$="/invite"]`)
	p.fill("#name", name)
	p.choose("side", fmt.Sprint(side))
	p.goes(`form[action$="/invite"] button.main`)
	return eval[string](p, `document.getElementById("cardlink").value`)
}

// join pastes a card, from home, and takes its seat.
func (p *person) join(card string) {
	p.Helper()
	p.goes(`.door a[href$="/join"]`)
	p.fill("#link", card)
	p.goes(`form[action$="/join"] button.main`)
	p.reads(p.name)
	p.goes(`form[action*="/join/"] button.main`)
}

// seated waits for the page of the dialogue: where one waits it opens by itself.
func (p *person) seated() {
	p.Helper()
	p.until(`document.querySelector('.places a[href$="/r/0"]')`)
}

// enter goes to a room.
func (p *person) enter(room int) {
	p.Helper()
	p.goes(fmt.Sprintf(`.places a[href$="/r/%d"]`, room))
}

// table is the address of the dialogue's pages, below base.
func (p *person) table() string {
	return eval[string](p, `location.pathname.match(/\/d\/[^/]+/)[0]`)
}

// write puts a message into the box and sends it.
func (p *person) write(text string) {
	p.Helper()
	p.until(`document.getElementById("compose-text")`)
	p.fill("#compose-text", text)
	p.goes(`form.compose button.main`)
	p.until(`[...document.querySelectorAll("#talk .said.mine")].some(e => e.textContent.includes(` + quote(text) + `) && e.textContent.includes("In the room"))`)
}

// TestStory is a whole dialogue, from setting up to leaving.
func TestStory(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if h == nil {
		return
	}
	ruth, halden, corin := h.person("Ruth Abernay", "", mouse), h.person("Halden Royce", "", mouse), h.person("Corin Vash", "", mouse)
	ruth.shoot("first-run", 1400)
	ruth.shootAll("first-run")
	for _, p := range []*person{ruth, halden, corin} {
		p.setUp()
	}
	ruth.start("The Orva Waters", "Upland", "Delta")
	first := ruth.invite(1, halden.name)
	ruth.shoot("card", 1300)
	ruth.shootAll("card")

	ruth.open(ruth.table() + "/seats")
	second := ruth.invite(2, corin.name)

	halden.join(first)
	halden.seated()
	corin.join(second)
	corin.seated()
	ruth.open(ruth.table() + "/r/0")
	for _, p := range []*person{halden, corin} {
		p.enter(0)
	}
	h.talk(ruth, halden, corin)
	h.files(halden, corin)
	h.sideRoom(halden, ruth)
	leonie := h.newcomer(ruth, halden, corin)
	h.readAloud(ruth, halden, corin)
	h.looks(ruth)
	h.useTwice(leonie, first)
	h.rightToLeft(leonie)
	h.remove(ruth, leonie)
	h.putAway(ruth)
	h.alarm(ruth, halden, corin)
	h.leave(corin, ruth)
}

// talk: messages and a reply are there at the others', by themselves.
func (h *house) talk(ruth, halden, corin *person) {
	halden.live("Welcome to both of you", func() {
		ruth.write("Welcome to both of you, and thank you for coming. Nothing is on the table yet; let us begin with what each side would find hardest to explain at home.")
	})
	ruth.live("the summer of the dry wells", func() {
		halden.write("Thank you, Ruth. For us it is the summer of the dry wells. People upstream were told that it would never happen again, and nobody has told them otherwise since.")
	})
	corin.reads("the summer of the dry wells")
	corin.goes(`#talk li:last-child a[href*="?reply="]`)
	corin.reads("In reply to Halden Royce")
	halden.live("We remember the same summer", func() {
		corin.write("We remember the same summer, from below the weir. I had not known that you were told so. May I say at home that I have heard it, without saying from whom?")
	})
	halden.until(`document.querySelector("#talk li:last-child .quoted q")?.textContent.includes("the summer of the dry wells")`)
	halden.live("the ground rules allow exactly that", func() {
		ruth.write("You may: the ground rules allow exactly that.")
	})
}

// files: what goes up comes down, byte for byte.
func (h *house) files(halden, corin *person) {
	content := make([]byte, 300_000)
	h.Log("seed 3")
	rand.NewChaCha8([32]byte{3}).Read(content)
	sum := sha256.Sum256(content)
	path := filepath.Join(h.TempDir(), "orva-gauges-1994.pdf")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		h.Fatal(err)
	}
	corin.live("orva-gauges-1994.pdf", func() {
		halden.do(chromedp.SetUploadFiles(chromedp.CSS("#attach"), []string{path}))
		halden.write("These are our readings of that year. Take your time with them.")
	})
	got := eval[string](corin, `fetch([...document.querySelectorAll("#talk .file-name a")].at(-1).href).then(r => r.arrayBuffer()).then(b => crypto.subtle.digest("SHA-256", b)).then(d => [...new Uint8Array(d)].map(x => x.toString(16).padStart(2, "0")).join(""))`)
	if want := hex.EncodeToString(sum[:]); got != want {
		h.Errorf("the file came as %s, not %s", got, want)
	}
	corin.reads("on this computer")
	corin.write("Received, with thanks. We have the same gauges at the weir, from the other bank; I shall ask whether they can be shown.")
}

// sideRoom: only the side is in it.
func (h *house) sideRoom(halden, ruth *person) {
	halden.enter(1)
	halden.until(`document.body.matches(".in-side-room.side-a")`)
	halden.write("For ourselves: they did not know about the promise.")
	if rooms := eval[int](ruth, `document.querySelectorAll('.places a[href*="/r/"]').length`); rooms != 1 {
		h.Errorf("the convenor sees %d rooms", rooms)
	}
	ruth.open(ruth.table() + "/r/1")
	if said := eval[string](ruth, "document.body.textContent"); strings.Contains(said, "the promise") {
		h.Error("the convenor reads a side room")
	}
}

// newcomer: a third seat is let in by both heads, who compare its four words.
func (h *house) newcomer(ruth, halden, corin *person) *person {
	leonie := h.person("Leonie Farrow", "qps-rtl", mouse)
	leonie.fill("#pass", passphrase)
	leonie.goes(`form[action$="/unlock"] button`)
	ruth.open(ruth.table() + "/seats")
	card := ruth.invite(2, leonie.name)
	leonie.join(card)
	leonie.until(`document.querySelectorAll("ol.words li").length === 4`)
	four := eval[string](leonie, words)
	leonie.shootAll("waiting")
	table := halden.table()
	halden.open("/")
	halden.until(`document.querySelector(".waits")`)
	halden.shoot("home", 950)
	halden.open(table + "/r/0")
	halden.reads("asks to be let in")
	halden.until(`!document.body.textContent.includes("not confirmed yet")`) // who came first has nobody else to ask
	halden.shoot("room", 2050)
	for _, p := range []*person{halden, corin} {
		p.open(p.table() + "/seats")
		p.until(`document.querySelector('main a[href$="/approve"]')`)
		p.goes(`main a[href$="/approve"]`)
		if here := eval[string](p, words); here != four {
			h.Errorf("%s sees %q, the newcomer %q", p.name, here, four)
		}
		p.shootAll("approve")
		p.goes(`form[action$="/approve"] button`)
	}
	leonie.seated()
	leonie.enter(0)
	if before := eval[string](leonie, "document.body.textContent"); strings.Contains(before, "dry wells") {
		h.Error("a newcomer reads what was said before")
	}
	return leonie
}

// words are those that a page shows in a row.
const words = `[...document.querySelectorAll("ol.words li")].map(e => e.textContent.trim()).join(" ")`

// readAloud: one reads six words, two listen, and one of them slips first.
func (h *house) readAloud(ruth, halden, corin *person) {
	halden.open(halden.table() + "/words")
	halden.goes(`form[action$="/words/read"] button`)
	halden.until(`document.querySelectorAll("ol.words li").length === 6`)
	six := strings.Fields(eval[string](halden, words))
	for _, p := range []*person{corin, ruth} {
		p.open(p.table() + "/words")
		p.until(`document.querySelectorAll("ol.words li").length === 5`)
		if five := eval[string](p, words); five != strings.Join(six[:5], " ") {
			h.Errorf("%s sees %q of %q", p.name, five, six)
		}
		shown := `[...document.querySelectorAll("main *")].some(e => e.textContent.trim() === ` + quote(six[5]) + `)`
		if !slices.Contains(six[:5], six[5]) && eval[bool](p, shown) {
			h.Errorf("%s sees the word that is to be heard", p.name)
		}
	}
	voice := eval[string](corin, `[...document.querySelectorAll("input[name=voice]")].find(e => e.labels[0].textContent.includes("Halden")).value`)
	corin.choose("voice", voice)
	corin.fill("#last", "zebra-"+six[5])
	corin.goes(`form[action$="/words/heard"] button`)
	corin.until(`document.querySelector("#last-error")`)
	corin.shoot("e2e-words-wrong", 0)
	corin.fill("#last", six[5])
	corin.goes(`form[action$="/words/heard"] button`)
	corin.reads("The word matches")
	ruth.reads("Heard by Corin Vash")
	ruth.choose("voice", voice)
	ruth.fill("#last", six[5])
	ruth.shoot("words", 1200)
	ruth.shootAll("words")
	ruth.goes(`form[action$="/words/heard"] button`)
	halden.open(halden.table() + "/seats")
	halden.reads("Heard by Corin Vash and Ruth Abernay")
}

// looks keeps pictures of the pages that are at their fullest now.
func (h *house) looks(ruth *person) {
	for _, page := range []struct {
		name, path string
		height     int
	}{{"seats", "/seats", 1150}, {"room", "/r/0", 0}, {"rules", "/rules", 0}, {"leave", "/leave", 0}} {
		ruth.open(ruth.table() + page.path)
		if page.height > 0 {
			ruth.shoot(page.name, page.height)
		}
		ruth.shootAll(page.name)
	}
	table := ruth.table()
	ruth.open("/settings")
	ruth.shootAll("settings")
	ruth.open("/safety")
	ruth.shootAll("safety")
	ruth.open("/rehearse")
	ruth.shootAll("rehearse-door")
	ruth.open("/")
	ruth.shootAll("home")
	ruth.open(table + "/seats")
}

// rightToLeft: the same pages, mirrored.
func (h *house) rightToLeft(leonie *person) {
	if eval[string](leonie, "getComputedStyle(document.body).direction") != "rtl" {
		h.Error("the page is not from right to left")
	}
	for _, page := range []string{"/seats", "/r/0", "/r/2", "/words", "/alarms", "/rules", "/invite", "/leave"} {
		leonie.open(leonie.table() + page)
		leonie.shoot("e2e-rtl"+strings.ReplaceAll(page, "/", "-"), 3000)
	}
	leonie.open(leonie.table() + "/r/0")
	leonie.fill("#compose-text", "Good morning to everybody.")
	leonie.goes(`form.compose button.main`)
	leonie.until(`[...document.querySelectorAll("#talk .said.mine")].some(e => e.textContent.includes("Good morning to everybody."))`)
}

// useTwice: a card that somebody else used already gives nothing.
func (h *house) useTwice(leonie *person, used string) {
	table := leonie.table()
	leonie.open("/join")
	leonie.fill("#link", used)
	leonie.goes(`form[action$="/join"] button.main`)
	leonie.goes(`form[action*="/join/"] button.main`)
	leonie.until(`document.querySelector("#form-error")`)
	leonie.shoot("e2e-rtl-used", 0)
	leonie.open(table + "/seats")
}

// alarm: everybody learns of the second use. Computers look after used cards
// every half minute.
func (h *house) alarm(ruth, halden, corin *person) {
	for _, p := range []*person{ruth, halden, corin} {
		p.open(p.table() + "/r/0")
		p.untilIn(time.Minute, `document.querySelector(".banner.stop")`)
		p.reads("the card for Halden Royce was used a second time")
	}
	ruth.goes(`.banner.stop a`)
	ruth.reads("A card was used twice")
	ruth.shootAll("alarms")
	ruth.open(ruth.table() + "/seats")
}

// remove: the seat is gone from the plan, and reads nothing new.
func (h *house) remove(ruth, leonie *person) {
	key := eval[string](ruth, `[...document.querySelectorAll('main th a[href*="/seat/"]')].find(e => e.textContent.includes("Leonie")).getAttribute("href").split("/").at(-1)`)
	ruth.goes(`main th a[href$="/seat/` + key + `"]`)
	ruth.shootAll("seat")
	ruth.goes(`form[action$="/remove"] button`)
	ruth.reads("Removed")
	ruth.open(ruth.table() + "/r/0")
	ruth.write("Leonie Farrow has another task now.")
	leonie.until(`!document.getElementById("compose-text") || document.querySelector(".notice")`)
	leonie.open(leonie.table() + "/r/0")
	if said := eval[string](leonie, "document.body.textContent"); strings.Contains(said, "another task now") {
		h.Error("a removed seat reads on")
	}
}

// putAway: nothing can be read until the passphrase is given.
func (h *house) putAway(ruth *person) {
	ruth.goes("button.putaway")
	if said := eval[string](ruth, "document.documentElement.textContent"); strings.Contains(said, "Orva") || strings.Contains(said, "Halden") {
		h.Error("a name can be read after putting away")
	}
	ruth.shootAll("unlock")
	ruth.fill("#pass", "not the passphrase")
	ruth.goes(`form[action$="/unlock"] button`)
	ruth.until(`document.querySelector("#pass-error")`)
	ruth.fill("#pass", passphrase)
	ruth.goes(`form[action$="/unlock"] button`)
	ruth.goes(`.dialogue-entry h3 a`)
	ruth.enter(0)
	ruth.reads("the summer of the dry wells")
}

// leave: everyone sees it.
func (h *house) leave(corin, ruth *person) {
	ruth.open(ruth.table() + "/seats")
	corin.open(corin.table() + "/leave")
	ruth.live("No longer at the table", func() {
		corin.goes(`form[action$="/leave"] button`)
		corin.reads("You have left")
	})
	ruth.until(`[...document.querySelectorAll("main tr")].some(e => e.textContent.includes("Corin Vash") && e.textContent.includes("Left"))`)
}
