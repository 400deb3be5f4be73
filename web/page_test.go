package web

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"parley/client"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/relay"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC // pages show times as the computer has them
	os.Exit(m.Run())
}

// A visitor is a browser without script: it keeps the cookie and does not
// follow redirections by itself.
type visitor struct {
	t    *testing.T
	a    *App
	host string
	jar  []*http.Cookie
}

const testHost = "127.0.0.1:4711"

func visit(t *testing.T, a *App) *visitor {
	t.Helper()
	v := &visitor{t: t, a: a, host: testHost}
	w := v.do(httptest.NewRequest("GET", "http://"+testHost+a.Link(), nil))
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != a.guard.base+"/" {
		t.Fatalf("the link gave %d %q", w.Code, w.Header().Get("Location"))
	}
	v.jar = w.Result().Cookies()
	return v
}

func (v *visitor) do(r *http.Request) *httptest.ResponseRecorder {
	for _, c := range v.jar {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	v.a.ServeHTTP(w, r)
	return w
}

func (v *visitor) get(path string) *httptest.ResponseRecorder {
	return v.do(httptest.NewRequest("GET", "http://"+v.host+v.a.guard.base+path, nil))
}

func (v *visitor) post(path string, pairs ...string) *httptest.ResponseRecorder {
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest("POST", "http://"+v.host+v.a.guard.base+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.do(r)
}

// upload posts a form with a file.
func (v *visitor) upload(path, name string, content io.Reader, pairs ...string) *httptest.ResponseRecorder {
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for i := 0; i+1 < len(pairs); i += 2 {
		m.WriteField(pairs[i], pairs[i+1])
	}
	f, err := m.CreateFormFile("file", name)
	if err != nil {
		v.t.Fatal(err)
	}
	io.Copy(f, content)
	m.Close()
	r := httptest.NewRequest("POST", "http://"+v.host+v.a.guard.base+path, &b)
	r.Header.Set("Content-Type", m.FormDataContentType())
	return v.do(r)
}

// shows checks that an answer is a page with these texts.
func (v *visitor) shows(w *httptest.ResponseRecorder, status int, texts ...string) string {
	v.t.Helper()
	page := html.UnescapeString(w.Body.String())
	if w.Code != status {
		v.t.Errorf("status %d, not %d: %.300s", w.Code, status, page)
	}
	for _, text := range texts {
		if !has(page, text) {
			v.t.Errorf("the page does not say %q", text)
		}
	}
	return page
}

// leads checks that an answer leads to a path, and gives that page.
func (v *visitor) leads(w *httptest.ResponseRecorder, to string) *httptest.ResponseRecorder {
	v.t.Helper()
	want := v.a.guard.base + to
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != want {
		v.t.Fatalf("status %d to %q, not to %q: %.500s", w.Code, w.Header().Get("Location"), want, html.UnescapeString(w.Body.String()))
	}
	to, _, _ = strings.Cut(to, "#")
	return v.get(to)
}

// opened is an App whose vault is open, and its visitor.
func openedApp(t *testing.T) (*App, *owner, *visitor) {
	o := &owner{d: orva(), exists: true}
	cfg := o.config(testHost)
	cfg.Proposals = proposals(t)
	a := New(cfg)
	v := visit(t, a)
	v.leads(v.post("/unlock", "pass", passphrase, "then", "/"), "/")
	return a, o, v
}

// proposals are two addresses of a relay inside.
func proposals(t *testing.T) func() []Proposal {
	t.Helper()
	lan, err := relay.ParseAddress("https://192.168.7.4:4180")
	if err != nil {
		t.Fatal(err)
	}
	here, err := relay.ParseAddress("http://127.0.0.1:4180")
	if err != nil {
		t.Fatal(err)
	}
	return func() []Proposal { return []Proposal{{lan, SameNetwork}, {here, ThisComputer}} }
}

const orvaPath = "/d/0a1b2c3d"

var allPages = map[string][]string{
	"/":                          {"Your dialogues", "The Orva Waters", "Let Josse Kellan in", "Somebody with a new card for Tamsin Drey", "7 alarms", "You have used your card"},
	"/start":                     {"Start a dialogue", "Reaches people on the same network", "https://192.168.7.4:4180"},
	"/join":                      {"Join with a card", "parley:"},
	"/settings":                  {"Settings", "Mira Estvale", "Change the passphrase"},
	"/safety":                    {"What this cannot stop", "A photograph of the screen", "A host and somebody at the table together"},
	"/rehearse":                  {"Begin a rehearsal"},
	orvaPath + "/r/0":            {"5 people will read this", "Your name is on it: Mira Estvale", "Tuesday 17 November", "Monday 16 November", "In the room", "Waiting to be delivered", "It came back to you", "In reply to Corin Vash", "Talmer gauge, ten summers.pdf", "On its way: 2 MB of 3.2 MB", "Alarm: the card for Prof. Anselm Oake was used a second time."},
	orvaPath + "/r/1":            {"Only North side is in this room", "Send to North side only", "2 people will read this"},
	orvaPath + "/seats":          {"Seat plan", "Verified", "Heard by Ruth Abernay", "Nothing heard from Tamsin Drey since", "Only South side has written since", "the card was used twice since", "Card not used yet", "Asks to be let in", "No longer at the table", "Asleep", "At the door", "New card", "Somebody has used the new card made by Corin Vash", "Make a card for a seat"},
	orvaPath + "/seat/" + sid(4): {"Remove Prof. Anselm Oake", "can read nothing new", "This person has lost their computer", "It takes Halden Royce, and Ruth Abernay or Corin Vash.", "Make a new card for Prof. Anselm Oake"},
	orvaPath + "/seat/" + sid(6): {"Last heard", "Nothing heard from Tamsin Drey since", "could also keep from you what Tamsin Drey writes", "read words aloud"},
	orvaPath + "/seat/" + sid(7) + "/approve":                          {"Josse Kellan asks to be let in", "harvest", "evening", "on the telephone: four words"},
	orvaPath + "/seat/" + sid(8) + "/card":                             {"A card for", "parley:", "shape-rendering", "Revoke this card", "What to say on the telephone"},
	orvaPath + "/seat/" + sid(3):                                       {"If you lose this computer", "Tell Halden Royce or Ruth Abernay at once"},
	orvaPath + "/seat/" + sid(5):                                       {"This person has lost their computer", "Tamsin Drey or Ruth Abernay can make a new card for Corin Vash"},
	orvaPath + "/seat/" + sid(10):                                      {"has not been used yet. It works until", "was used twice", "has expired", "Show the new card", "Take the new card back"},
	orvaPath + "/seat/" + sid(10) + "/card":                            {"to sit at another computer", "no seat is ever at two computers", "The seat stays with", "parley:"},
	orvaPath + "/seat/" + sid(6) + "/new/07" + strings.Repeat("0", 62): {"Somebody with a new card for Tamsin Drey", "orbit", "spring", "Agreed: Corin Vash", "Still needed: Ruth Abernay or Mira Estvale", "the former computer is shut out"},
	orvaPath + "/invite":                                               {"Make a card for a seat", "Has no head yet"},
	orvaPath + "/words":                                                {"Corin Vash is reading", "orchard", "Whose voice do you hear?", "Heard by Ruth Abernay"},
	orvaPath + "/alarms":                                               {"A card was used twice", "What it means for your safety", "Somebody tried what the rules do not allow", "A newcomer was told another past", "One of them shows something false", "Writing has stopped until words are compared", "The host does not give what it gave before"},
	orvaPath + "/rules":                                                {"Ground rules", "who said it may not", "after 30 days", "not been heard for 7 days sleeps", "Has not agreed to the ground rules yet"},
	orvaPath + "/leave":                                                {"Leave this dialogue", "Stay"},
	"/d/11111111/r/0":                                                  {"No connection since", "Writing has stopped.", "Read the words aloud", "You cannot write here now", "Harbour and Coast have not agreed"},
	"/d/22222222/":                                                     {"You have used your card"},
	"/d/44444444/":                                                     {"What Corin Vash did in the room cannot be opened", "You need do nothing", "Read what was said before"},
	"/d/55555555/":                                                     {"Another copy of what Parley keeps has taken this seat"},
	"/d/88888888/":                                                     {"has expired since", "they can give you another card", "Remove this dialogue from this computer", "you can sit there only with another card"},
	"/d/33333333/":                                                     {"You have left this dialogue", "Remove this dialogue from this computer"},
	"/d/66666666/":                                                     {"What Halden Royce did in the room cannot be opened", "Who else has lost the room"},
	"/d/66666666/found": {"Ruth Abernay has founded the room again, without Halden Royce", "orchard", "Whose room do you go to?", "The words are being worked out",
		"that is not the one known", "The ground rules are others", "have not said so", "You may found the room again"},
	"/d/66666666/found/again": {"Found the room again", "The seat of Halden Royce is left empty", "Not yet"},
}

func sid(n byte) string { return seatID(n).String() }

// TestEveryPage: each page says what it is there to say, and none says a word
// that people should not meet.
func TestEveryPage(t *testing.T) {
	a, _, v := openedApp(t)
	never := regexp.MustCompile(`(?i)\b(key|keys|session|fingerprint|epoch|commit|commits)\b`)
	tags := regexp.MustCompile(`(?s)<[^>]*>`)
	for path, texts := range allPages {
		t.Run(path, func(t *testing.T) {
			v.t = t
			page := v.shows(v.get(path), 200, texts...)
			if word := never.FindString(tags.ReplaceAllString(page, " ")); word != "" {
				t.Errorf("the page says %q", word)
			}
			for _, id := range duplicates(page) {
				t.Errorf("two elements have the id %q", id)
			}
			if has(page, "ZgotmplZ") {
				t.Error("a template put something where it may not")
			}
		})
	}
	for _, name := range pageNames() {
		a.pages.set(name, a.words())
	}
}

func duplicates(page string) []string {
	seen, twice := map[string]bool{}, []string{}
	for _, m := range regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if seen[m[1]] {
			twice = append(twice, m[1])
		}
		seen[m[1]] = true
	}
	return twice
}

func TestFirstRun(t *testing.T) {
	o := &owner{d: &double{}}
	a := New(o.config(testHost))
	v := visit(t, a)
	v.shows(v.get("/"), 200, "Set up Parley on this computer", "Nobody can recover a forgotten passphrase")
	page := v.shows(v.post("/setup", "name", "Mira Estvale", "lang", "en", "pass", "too short", "pass2", "too short"), 422,
		"<title>Error: ", "needs 12 characters or more", `value="Mira Estvale"`, `aria-describedby="pass-error pass-hint" aria-invalid="true" autofocus`)
	if has(page, "too short\"") {
		t.Error("the passphrase stands in the page")
	}
	v.shows(v.post("/setup", "name", "Mira Estvale", "pass", passphrase, "pass2", "another passphrase"), 422, "The two passphrases differ")
	v.shows(v.post("/setup", "name", " ", "pass", passphrase, "pass2", passphrase), 422, "Write a name here")
	page = v.shows(v.leads(v.post("/setup", "name", "Mira Estvale", "lang", "en", "pass", passphrase, "pass2", passphrase), "/"), 200, "Your dialogues", "There is no dialogue")
	if o.d.profile.Idle != 15 || o.d.profile.Name != "Mira Estvale" {
		t.Errorf("the profile is %+v", o.d.profile)
	}
	_ = page
}

func TestUnlockAndPutAway(t *testing.T) {
	a, o, v := openedApp(t)
	v.shows(v.leads(v.post("/putaway"), "/"), 200, "Parley is put away")
	if o.locks != 1 || a.current() != nil {
		t.Fatal("putting away did not close the vault")
	}
	for path := range allPages {
		if path == "/safety" {
			continue
		}
		if page := v.shows(v.get(path), 200, "Parley is put away"); has(page, "Orva") || has(page, "Mira") {
			t.Errorf("%s shows what is put away", path)
		}
	}
	v.shows(v.post("/unlock", "pass", "not it at all", "then", "/"), 422, "That is not the passphrase", "Nothing is lost")
	v.leads(v.post("/unlock", "pass", passphrase, "then", orvaPath+"/seats"), orvaPath+"/seats")
	// A place to go to is one of ours.
	v.leads(v.post("/unlock", "pass", passphrase, "then", "//evil.example/"), "/")
}

// TestWrittenWhileAway: a message that is posted after Parley was put away is
// in its box again when Parley has been opened.
func TestWrittenWhileAway(t *testing.T) {
	a, _, v := openedApp(t)
	if err := a.PutAway(); err != nil {
		t.Fatal(err)
	}
	const text = "Half a page that took an hour."
	v.shows(v.post(orvaPath+"/r/0", "text", text), 403, "What you wrote is kept", `value="`+text+`"`)
	v.shows(v.leads(v.post("/unlock", "pass", passphrase, "then", orvaPath+"/r/0", "text", text), orvaPath+"/r/0"), 200, text+"</textarea>")
}

func TestStart(t *testing.T) {
	_, o, v := openedApp(t)
	v.shows(v.post("/start", "do", "add", "title", "The Weir", "track", "1.5", "side-1", "North", "side-2", "South"), 200, "Side 3", `value="North"`, "The Weir", "Officials in a personal capacity")
	v.shows(v.post("/start", "do", "rules", "title", "The Weir", "track", "one", "quote", "sealed", "keep", "7", "side-1", "North", "side-2", "South"), 200,
		"Nothing leaves the room", "after 7 days", "North and South", "Drafting agreed texts is possible")
	page := v.shows(v.post("/start", "do", "start", "title", "The Weir", "track", "two", "side-1", "North", "side-2", "north", "relay", "typed", "address", "not an address"), 422,
		"Two sides have the same name", "That is not an address of a host", `value="not an address"`)
	if strings.Count(page, "autofocus") != 1 {
		t.Error("the focus does not go to one field")
	}
	v.shows(v.post("/start", "do", "start", "title", "The Weir", "side-1", "North", "side-2", "South"), 422, "Say where messages shall wait")
	w := v.post("/start", "do", "start", "title", "The Weir", "track", "two", "count", "on", "side-1", "North", "side-2", "South", "side-3", "", "relay", "typed", "address", "hall.example.org")
	v.shows(v.leads(w, "/d/00000009/seats?said=started"), 200, "The table is laid", "Make a card for a seat")
	got := o.d.list[8]
	o.d.list[8].Seats, o.d.list[8].Rooms = nil, nil // as it is until the relay has answered
	v.shows(v.get("/d/00000009/seats"), 200, "The table is being made ready")
	v.shows(v.leads(v.get("/d/00000009/r/0"), "/d/00000009/"), 200, "The table is being made ready")
	v.leads(v.get("/d/00000009/invite"), "/d/00000009/seats")
	if got.Relay != "https://hall.example.org" || len(got.Sides) != 2 || !got.Rules.WhoKnowsCount || got.Title != "The Weir" {
		t.Errorf("started %+v", got.Dialogue)
	}
}

func TestInviteAndRevoke(t *testing.T) {
	_, _, v := openedApp(t)
	v.shows(v.post(orvaPath+"/invite", "name", "", "as", "personal"), 422, "Write a name here", "Say for which side")
	w := v.post(orvaPath+"/invite", "name", "Leonie Farrow", "side", "3", "as", "semi", "days", "7")
	key := sid(62)
	v.shows(v.leads(w, orvaPath+"/seat/"+key+"/card"), 200, "A card for Leonie Farrow", "in a semi-official capacity", "7 days from now", cardText)
	f := v.get(orvaPath + "/seat/" + key + "/file")
	if f.Body.String() != cardText+"\n" || !has(f.Header().Get("Content-Disposition"), "attachment") {
		t.Errorf("the card's file: %v %q", f.Header(), f.Body)
	}
	v.shows(v.leads(v.post(orvaPath+"/seat/"+key+"/revoke"), orvaPath+"/seats?said=revoked"), 200, "The card is revoked")
}

// TestCardAtOnce: a card can be handed over before the relay has answered.
func TestCardAtOnce(t *testing.T) {
	_, o, v := openedApp(t)
	o.d.slow = true
	w := v.post(orvaPath+"/invite", "name", "Leonie Farrow", "side", "2", "as", "personal", "days", "1")
	v.shows(v.leads(w, orvaPath+"/seat/"+sid(62)+"/card"), 200, "A card for Leonie Farrow", "South side", "24 hours from now", cardText)
	if f := v.get(orvaPath + "/seat/" + sid(62) + "/file"); f.Body.String() != cardText+"\n" {
		t.Errorf("the file is %q", f.Body)
	}
	v.shows(v.get(orvaPath+"/seat/"+sid(63)+"/card"), 404)
}

func TestJoin(t *testing.T) {
	a, _, v := openedApp(t)
	v.shows(v.post("/join", "link", ""), 422, "Paste the link")
	v.shows(v.post("/join", "link", "parley:half"), 422, "not a whole one", "parley:half")
	w := v.upload("/join", "card.parley", strings.NewReader(cardText+"\n"), "link", "")
	to := strings.TrimPrefix(w.Header().Get("Location"), a.guard.base)
	if has(to, "parley") || w.Code != 303 {
		t.Fatalf("the card's page is %d %q", w.Code, to)
	}
	page := v.shows(v.get(to), 200, "Josse Kellan", "South side", "Ruth Abernay", "who said it may not", "You would be the head of South side")
	if has(page, cardText) {
		t.Error("the page repeats the card")
	}
	v.shows(v.leads(v.post(to), "/d/77777777/"), 200, "Your four words", "harvest", "evening", "the dialogue opens by itself")
	v.leads(v.get(to), "/join")
}

func TestApproveAndRemove(t *testing.T) {
	_, o, v := openedApp(t)
	v.leads(v.post(orvaPath+"/seat/"+sid(7)+"/approve"), orvaPath+"/seats?said=approved")
	if o.d.list[0].Seats[6].Status != dialogue.In {
		t.Error("not approved")
	}
	v.shows(v.leads(v.post(orvaPath+"/seat/"+sid(4)+"/remove"), orvaPath+"/seats?said=removed"), 200, "To be removed", "By Mira Estvale")
	o.d.fail = &client.RuleError{Reason: dialogue.ReasonNotYours}
	v.shows(v.post(orvaPath+"/seat/"+sid(5)+"/remove"), 422, "That was not done", "The ground rules give that to somebody else")
	v.shows(v.get(orvaPath+"/seat/"+strings.Repeat("0", 16)), 404, "There is no such page", "no such seat")
}

// TestNewCard: who may makes a new card for a seat, shows it before the relay
// has answered, and takes it back; another's is approved by what was posted.
func TestNewCard(t *testing.T) {
	_, o, v := openedApp(t)
	for _, slow := range []bool{true, false} {
		o.d.slow = slow
		w := v.post(orvaPath + "/seat/" + sid(4) + "/replace")
		page := v.shows(v.leads(w, orvaPath+"/seat/"+sid(4)+"/card"), 200, "A card for Prof. Anselm Oake", "3 days from now", cardText)
		if has(page, "Make another card") {
			t.Error("the page offers another card")
		}
		if f := v.get(orvaPath + "/seat/" + sid(4) + "/file"); f.Body.String() != cardText+"\n" {
			t.Errorf("the file is %q", f.Body)
		}
	}
	v.leads(v.post(orvaPath+"/seat/"+sid(4)+"/revoke"), orvaPath+"/seats?said=revoked")
	if n := len(o.d.list[0].Seats[3].Replacements); n != 0 {
		t.Errorf("%d new cards after it was taken back", n)
	}
	v.leads(v.get(orvaPath+"/seat/"+sid(5)+"/card"), orvaPath+"/seat/"+sid(5))

	path := orvaPath + "/seat/" + sid(6) + "/new/"
	posted := "07" + strings.Repeat("0", 62)
	for _, other := range []string{strings.Repeat("0", 64), "07", posted + "0", "x"} {
		v.leads(v.post(path+other), orvaPath+"/seat/"+sid(6))
	}
	if r := o.d.list[0].Seats[5].Replacements[0]; len(r.Approved) != 1 {
		t.Error("another post was approved")
	}
	v.shows(v.leads(v.post(path+posted), orvaPath+"/seats?said=approvednew"), 200, "You agree to the new card")
	if r := o.d.list[0].Seats[5].Replacements[0]; len(r.Approved) != 2 || r.Approved[1] != "Mira Estvale" {
		t.Errorf("approved by %q", r.Approved)
	}
	o.d.fail = &client.RuleError{Reason: dialogue.ReasonNotYours}
	v.shows(v.post(orvaPath+"/seat/"+sid(5)+"/replace"), 422, "That was not done", "The ground rules give that to somebody else")
}

func TestSay(t *testing.T) {
	_, o, v := openedApp(t)
	room := orvaPath + "/r/0"
	v.leads(v.post(room, "text", "First line\r\nsecond", "readers", sid(1)+".0 "+sid(5)+".2 "+sid(6)), room+"#end")
	if o.d.last.Text != "First line\nsecond" || len(o.d.last.Readers) != 2 || o.d.last.Readers[1] != (client.Reader{Seat: seatID(5), Cards: 2}) {
		t.Errorf("said %+v", o.d.last)
	}
	v.shows(v.post(room, "text", "  "), 422, "Write something, or add a file", "Error:")
	long := strings.Repeat("x", wire.MaxText+1)
	v.shows(v.post(room, "text", long), 422, "The message is too long: 32 KB at most", long)
	o.d.fail = &client.RuleError{Reason: dialogue.ReasonNotSeated}
	v.shows(v.post(room, "text", "Is it still here?"), 422, "Only who sits at the table", "Is it still here?</textarea>")
	v.leads(v.upload(room, "Notes.txt", strings.NewReader("hello"), "text", "See the notes."), room+"#end")
	if string(o.d.lastFile) != "hello" || o.d.last.FileName != "Notes.txt" {
		t.Errorf("sent the file %q %q", o.d.last.FileName, o.d.lastFile)
	}
	v.shows(v.upload(room, "big", bytes.NewReader(make([]byte, wire.MaxFile+1)), "text", "with a big one"), 422, "10 MB at most", "with a big one</textarea>")
	v.shows(v.upload(room, "empty", strings.NewReader(""), "text", "with nothing"), 422, "The file is empty", "with nothing</textarea>")
	v.shows(v.upload(room, "huge", bytes.NewReader(make([]byte, wire.MaxFile+maxForm)), "text", "x"), 422, "10 MB at most")
	v.shows(v.post("/d/11111111/r/0", "text", "Hello?"), 422, "Harbour and Coast have not agreed")
	v.shows(v.get(orvaPath+"/r/2"), 404, "You are in no such room")
}

func TestReplyAndOlder(t *testing.T) {
	_, o, v := openedApp(t)
	for i := range 60 {
		o.d.hear("0a1b2c3d", o.d.list[0].Seats[4], 0, fmt.Sprintf("Line %d of many.", i))
	}
	page := v.shows(v.get(orvaPath+"/r/0"), 200, "Show older messages", "Line 59 of many.")
	if has(page, "Line 1 of many.") {
		t.Error("the page holds more than its share")
	}
	older := regexp.MustCompile(`\?before=\d+`).FindString(page)
	v.shows(v.get(orvaPath+"/r/0"+older), 200, "Line 1 of many.", "Back to the newest")
	id := o.d.list[0].lines[len(o.d.list[0].lines)-1].ID.String()
	v.shows(v.get(orvaPath+"/r/0?reply="+id), 200, "In reply to Corin Vash:", `name="reply" value="`+id+`"`)
	v.leads(v.post(orvaPath+"/r/0", "text", "Yes.", "reply", id), orvaPath+"/r/0#end")
	if o.d.last.ReplyTo.String() != id {
		t.Errorf("it answers %v", o.d.last.ReplyTo)
	}
}

func TestBackAndDiscard(t *testing.T) {
	_, o, v := openedApp(t)
	var wait, back string
	for _, m := range o.d.list[0].lines {
		switch m.State {
		case client.StateBack:
			back = m.ID.String()
		case client.StateWaiting:
			wait = m.ID.String()
		}
	}
	form := regexp.MustCompile(`/again/` + back + `"><input type="hidden" name="readers" value="(.*?)">`).FindStringSubmatch(v.get(orvaPath + "/r/0").Body.String())
	if form == nil {
		t.Fatal("no button to send it again")
	}
	v.shows(v.leads(v.post(orvaPath+"/r/0/again/"+back, "readers", form[1]), orvaPath+"/r/0?said=again"), 200, "goes to those who read the room now")
	if len(o.d.again) != 3 || o.d.again[1] != (client.Reader{Seat: seatID(5), Cards: 1}) {
		t.Errorf("it goes to %v", o.d.again)
	}
	v.shows(v.leads(v.post(orvaPath+"/r/0/drop/"+wait), orvaPath+"/r/0?said=discarded"), 200, "was not sent, and is gone")
	v.leads(v.post(orvaPath+"/r/0/drop/"+wait), orvaPath+"/r/0") // it went meanwhile
	v.shows(v.post(orvaPath+"/r/0/drop/nonsense"), 404)
}

// TestFile: what members send never runs in the browser.
func TestFile(t *testing.T) {
	_, o, v := openedApp(t)
	var id string
	for _, m := range o.d.list[0].lines {
		if m.File != nil && m.Seq > 0 {
			id = m.ID.String() + "/" + fmt.Sprint(m.Seq)
		}
	}
	w := v.get(orvaPath + "/r/0/file/" + id)
	h := w.Header()
	if w.Code != 200 || h.Get("Content-Type") != "application/octet-stream" || h.Get("X-Content-Type-Options") != "nosniff" ||
		h.Get("Content-Disposition") != `attachment; filename="Talmer gauge, ten summers.pdf"` || !has(h.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("%d %v", w.Code, h)
	}
	o.d.fail = client.ErrFileDamaged
	v.shows(v.get(orvaPath+"/r/0/file/"+id), 409, "not the file that was sent")
	o.d.fail = client.ErrOffline
	v.shows(v.get(orvaPath+"/r/0/file/"+id), 503, "cannot be reached")
	v.shows(v.get(orvaPath+"/r/0/file/"+strings.Repeat("00", 16)+"/3"), 404)
}

func TestWords(t *testing.T) {
	_, o, v := openedApp(t)
	page := v.shows(v.get(orvaPath+"/words"), 200, "orchard")
	if has(page, "ladder") {
		t.Error("a listener is shown the last word")
	}
	v.shows(v.post(orvaPath+"/words/heard", "last", "", "voice", ""), 422, "Say whose voice it was", "Type the sixth word")
	v.shows(v.post(orvaPath+"/words/heard", "last", "lader", "voice", sid(5)), 422, "“lader” is not the word", `value="lader"`, "stop writing")
	v.shows(v.post(orvaPath+"/words/heard", "last", "ladder", "voice", sid(6)), 422, "Tamsin Drey is not reading words now")
	v.shows(v.leads(v.post(orvaPath+"/words/heard", "last", " Ladder ", "voice", sid(5)), orvaPath+"/words?said=heard"), 200, "The word matches", "Heard by Ruth Abernay and Mira Estvale")
	v.shows(v.leads(v.post(orvaPath+"/words/read"), orvaPath+"/words?said=reading"), 200, "You are reading", "ladder")
	_ = o
}

func TestSettings(t *testing.T) {
	a, o, v := openedApp(t)
	v.leads(v.post("/settings", "name", "Mira E.", "text", "200", "theme", "dark", "idle", "30", "lang", "en"), "/settings?said=settings")
	if p := o.d.profile; p.Name != "Mira E." || p.Text != 200 || p.Theme != "dark" || p.Idle != 30 {
		t.Errorf("the profile is %+v", p)
	}
	v.shows(v.get("/"), 200, `data-text="200"`, `data-theme="dark"`)
	v.post("/settings", "name", "Mira", "text", "7", "theme", "pink", "idle", "0", "lang", "tlh")
	if p := o.d.profile; p.Text != 200 || p.Theme != "dark" || p.Idle != 30 || p.Language != "en" {
		t.Errorf("took what it does not offer: %+v", p)
	}
	v.leads(v.post("/look", "text", "300", "theme", "light", "back", orvaPath+"/seats"), orvaPath+"/seats")
	a.PutAway()
	v.shows(v.get("/"), 200, `data-text="300"`, `data-theme="light"`)
	v.leads(v.post("/look", "text", "100", "back", "//evil.example"), "/")
	v.leads(v.post("/unlock", "pass", passphrase), "/")
	v.shows(v.post("/settings/passphrase", "old", "wrong", "pass", passphrase, "pass2", passphrase), 422, "That is not the passphrase")
	v.leads(v.post("/settings/passphrase", "old", passphrase, "pass", passphrase, "pass2", passphrase), "/settings?said=passphrase")
}

// TestCharters: who was told two pasts sees both, who told each, what differs,
// and chooses.
func TestCharters(t *testing.T) {
	_, o, v := openedApp(t)
	v.shows(v.get(orvaPath+"/alarms"), 200, "You were told different pasts", "Told by North side", "counts on this computer now",
		"Told by South side", "Bram Tolliver", "The ground rules are others", "Told by East side", "was not told whole yet")
	for _, party := range []string{"3", "9", "", "x", "256"} {
		v.shows(v.post(orvaPath+"/charter", "party", party), 409, "There is no such past to choose")
	}
	v.leads(v.post(orvaPath+"/charter", "party", "2"), orvaPath+"/alarms")
	if len(o.d.list[0].Charters) != 0 {
		t.Error("not chosen")
	}
}

// TestElsewhere: who may have been let in to another room can leave it.
func TestElsewhere(t *testing.T) {
	_, o, v := openedApp(t)
	v.shows(v.get(orvaPath+"/alarms"), 200, "You may be in another room than the others", "Leave this room and come back")
	v.shows(v.leads(v.post(orvaPath+"/return"), "/?said=elsewhere"), 200, "This computer has left that room")
	if o.d.list[0].Standing != client.StandingLost {
		t.Error("it did not leave")
	}
}

// TestFoundingAgain: what nobody can open is founded again by who may, after a
// page that says what that does; others go there with the sixth word.
func TestFoundingAgain(t *testing.T) {
	const path = "/d/66666666"
	_, o, v := openedApp(t)
	v.shows(v.get("/"), 200, "Ruth Abernay has founded the room again: compare words")
	v.shows(v.get(path+"/found?by="+sid(1)), 200, `value="`+sid(1)+`" checked`)
	v.shows(v.post(path+"/found/accept", "voice", "", "last", ""), 422, "Choose whose room", "Type the")
	v.shows(v.post(path+"/found/accept", "voice", sid(1), "last", "wrong"), 422, "“wrong” is not the word", "nothing has changed")
	v.shows(v.post(path+"/found/accept", "voice", sid(6), "last", sixWords[5]), 422, "There is no such room founded again")
	if o.d.list[6].Standing != client.StandingLost {
		t.Fatal("a wrong word leads somewhere")
	}
	v.shows(v.leads(v.post(path+"/found/accept", "voice", sid(1), "last", " "+strings.ToUpper(sixWords[5])), "/?said=accepted"), 200, "You have accepted it")
	page := v.shows(v.get(path+"/found"), 200, "Ruth Abernay has founded the room again", sixWords[5])
	if has(page, "id=\"accept\"") {
		t.Error("it can be accepted again")
	}
	v.shows(v.get(path+"/found/again"), 409, "has not lost the room")
	v.shows(v.post(path+"/found/again"), 409, "has not lost the room")

	_, o, v = openedApp(t)
	v.shows(v.leads(v.post(path+"/found/again"), path+"/found?said=founded"), 200, "You have founded the room again, without Halden Royce", sixWords[5],
		"Not heard there yet: Ruth Abernay and Corin Vash")
	if o.d.list[6].Standing != client.StandingIn {
		t.Error("not founded")
	}
	v.shows(v.get(path+"/found"), 200, "Give it up")
	v.shows(v.leads(v.post(path+"/found/leave"), path+"/found?said=foundleft"), 200, "Given up.", "What Halden Royce did cannot be opened here")
	v.shows(v.post(path+"/found/leave"), 409, "has not lost the room")

	_, o, v = openedApp(t)
	o.d.list[6].Lost.MayFound = false
	v.shows(v.get(path+"/found"), 200, "The room can be founded again by")
	page = v.shows(v.get(path+"/found/again"), 200, "cannot be founded again by you")
	if has(page, "<button class=\"button grave\"") {
		t.Error("who may not is offered to")
	}
	v.shows(v.post(path+"/found/again"), 422, "give that to somebody else")
	v.shows(v.get(orvaPath+"/found"), 200, "Nobody has founded the room again")
}

func TestLeaveAndForget(t *testing.T) {
	_, o, v := openedApp(t)
	v.shows(v.leads(v.post(orvaPath+"/leave"), "/?said=left"), 200, "You have left.")
	v.leads(v.post(orvaPath+"/forget"), "/?said=forgotten")
	v.leads(v.post("/d/88888888/forget"), "/?said=forgotten")
	v.shows(v.post("/d/22222222/forget"), 403, "too late for that, or too early")
	v.shows(v.post("/d/44444444/forget"), 403, "too late for that, or too early")
	if len(o.d.list) != 6 {
		t.Errorf("%d dialogues are left", len(o.d.list))
	}
	v.shows(v.get(orvaPath+"/r/0"), 404, "There is no such dialogue")
	v.shows(v.get("/nowhere"), 404, "The address leads nowhere")
	v.leads(v.post("/d/11111111/title", "title", "Harbours"), "/d/11111111/rules?said=title")
	v.shows(v.post("/d/11111111/title", "title", "a\u202eb"), 422, "cannot be seen")
}

func TestRehearsal(t *testing.T) {
	p := &partners{}
	a := New(Config{Hosts: []string{testHost}, Rehearsing: orva(), Rehearsal: p})
	v := visit(t, a)
	v.shows(v.get("/"), 200, "The Orva Waters", "Rehearsal")
	v.shows(v.get("/rehearse"), 200, "Let Corin Vash say something")
	v.shows(v.post("/rehearse", "do", "twice"), 200, "Corin Vash did it.")
	v.shows(v.post("/rehearse", "do", "nothing"), 422, "there is no such action")
	if len(p.did) != 1 {
		t.Errorf("did %v", p.did)
	}
	v.post("/putaway")
	v.shows(v.get("/"), 200, "Come back")
	v.leads(v.post("/unlock", "then", "/"), "/")
	v.shows(v.get("/"), 200, "The Orva Waters")
}
