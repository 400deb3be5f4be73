package web

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/client"
	"parley/dialogue"
)

// An event is one of a stream's.
type event struct {
	name, id string
	update
}

// listen opens the stream of a page on a real server and gives its events.
func listen(t *testing.T, v *visitor, path string) <-chan event {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = testHost // the port was chosen by the kernel
		v.a.ServeHTTP(w, r)
	}))
	ctx, stop := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	t.Cleanup(func() { stop(); srv.Close(); reading.Wait() })
	r, err := http.NewRequestWithContext(ctx, "GET", srv.URL+v.a.guard.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	for _, c := range v.jar {
		r.AddCookie(c)
	}
	res, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if ct := res.Header.Get("Content-Type"); ct != "text/event-stream; charset=utf-8" {
		t.Fatalf("the stream is %q", ct)
	}
	out := make(chan event, 64)
	reading.Go(func() {
		defer close(out)
		defer res.Body.Close()
		var e event
		var data string
		in := bufio.NewScanner(res.Body)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			switch name, rest, _ := strings.Cut(in.Text(), ": "); name {
			case "event":
				e.name = rest
			case "id":
				e.id = rest
			case "data":
				data = rest
			case "":
				if e.name == "" { // a line that the end cut short is not one either
					continue
				}
				if err := json.Unmarshal([]byte(data), &e.update); err != nil {
					t.Error(err)
				}
				select {
				case out <- e:
				case <-ctx.Done():
				}
				e = event{}
			}
		}
	})
	return out
}

// until waits for an event with this name and element.
func until(t *testing.T, events <-chan event, name, id string) event {
	t.Helper()
	for e := range events {
		if e.name == name && e.ID == id {
			return e
		}
	}
	t.Fatalf("the stream ended before %s %s", name, id)
	return event{}
}

// TestRoomStream: a message comes as it would stand in the page, once; one's
// own moves from waiting into the room.
func TestRoomStream(t *testing.T) {
	_, o, v := openedApp(t)
	id := client.ID("0a1b2c3d")
	seq := o.d.list[0].seq
	events := listen(t, v, orvaPath+"/r/0?after="+itoa(int(seq)))
	first := until(t, events, "put", "readers") // the first round is over
	if !strings.Contains(first.HTML, "5 people will read this") {
		t.Errorf("the line about readers is %q", first.HTML)
	}
	corin := o.d.list[0].Seats[4]
	if err := o.d.hear(id, corin, 0, "Shall we begin?"); err != nil {
		t.Fatal(err)
	}
	e := until(t, events, "add", "talk")
	if !strings.Contains(e.HTML, "Shall we begin?") || strings.Count(e.HTML, "<article") != 1 || e.id != itoa(int(seq)+1) || strings.Contains(e.HTML, "day-line") {
		t.Errorf("the stream added %q %q", e.id, e.HTML)
	}
	if _, err := o.d.Say(t.Context(), id, client.Draft{Text: "Let us."}); err != nil {
		t.Fatal(err)
	}
	if e = until(t, events, "put", "waiting"); !strings.Contains(e.HTML, "Let us.") {
		t.Errorf("what waits is %q", e.HTML)
	}
	if err := o.d.deliver(id); err != nil {
		t.Fatal(err)
	}
	if e = until(t, events, "add", "talk"); !strings.Contains(e.HTML, "Let us.") || strings.Contains(e.HTML, "Shall we begin?") {
		t.Errorf("the stream added %q", e.HTML)
	}
	if e = until(t, events, "put", "waiting"); strings.Contains(e.HTML, "Let us.") {
		t.Error("what was delivered still waits")
	}
	// Another room's lines change the places only.
	if err := o.d.hear(id, o.d.list[0].Seats[1], 1, "Among us."); err != nil {
		t.Fatal(err)
	}
	o.d.with(id, func(x *table) error { x.Rooms[1].Unread = 7; return nil })
	if e = until(t, events, "put", "places"); strings.Contains(e.HTML, "Among us.") {
		t.Error("another room's words came")
	}
}

// TestRoomStreamMissed: whom a line that stands there already may not have
// reached comes to it, and once.
func TestRoomStreamMissed(t *testing.T) {
	_, o, v := openedApp(t)
	id := client.ID("0a1b2c3d")
	missed := func(text string, names ...string) (event string) {
		t.Helper()
		o.d.with(id, func(x *table) error {
			i := slices.IndexFunc(x.lines, func(m client.Message) bool { return m.Text == text })
			x.lines[i].Missed = append(x.lines[i].Missed, names...)
			event = x.lines[i].ID.String()
			o.d.publish(client.Change{Dialogue: id, Older: true})
			return nil
		})
		return event
	}
	before := missed("Thank you for saying it here.")
	if page := v.get(orvaPath + "/r/0").Body.String(); !has(page, "May not have reached Prof. Anselm Oake and Tamsin Drey, who lost touch with the room.") {
		t.Error("the page does not say whom a message may not have reached")
	}
	events := listen(t, v, orvaPath+"/r/0?after="+itoa(int(o.d.list[0].seq)))
	if e := until(t, events, "put", "state-"+before); !strings.Contains(e.HTML, "In the room") || !strings.Contains(e.HTML, "Tamsin Drey") {
		t.Errorf("the stream put %q", e.HTML)
	}
	if _, err := o.d.Say(t.Context(), id, client.Draft{Text: "Let us."}); err != nil {
		t.Fatal(err)
	}
	if err := o.d.deliver(id); err != nil {
		t.Fatal(err)
	}
	until(t, events, "add", "talk")
	event := missed("Let us.", "Corin Vash")
	for e := range events {
		switch {
		case e.ID == "state-"+before:
			t.Error("a line that did not change came again")
		case e.ID != "state-"+event:
			continue
		case !strings.Contains(e.HTML, "May not have reached Corin Vash, who lost touch"):
			t.Errorf("the stream put %q", e.HTML)
		}
		return
	}
}

// TestStreamAgain: a browser that lost the stream gets what it missed.
func TestStreamAgain(t *testing.T) {
	_, o, v := openedApp(t)
	seq := o.d.list[0].seq
	for _, s := range []string{"One.", "Two.", "Three."} {
		o.d.hear("0a1b2c3d", o.d.list[0].Seats[4], 0, s)
	}
	e := until(t, listen(t, v, orvaPath+"/r/0?after="+itoa(int(seq))), "add", "talk")
	if strings.Count(e.HTML, "<article") != 3 || e.id != itoa(int(seq)+3) {
		t.Errorf("it got %q %q", e.id, e.HTML)
	}
}

// TestOtherStreams: every page follows its dialogue; the one that waits leads
// into the room.
func TestOtherStreams(t *testing.T) {
	_, o, v := openedApp(t)
	home := listen(t, v, "/")
	until(t, home, "put", "entries")
	o.d.with("0a1b2c3d", func(x *table) error { x.Title = "Another title"; return nil })
	if e := until(t, home, "put", "entries"); !strings.Contains(e.HTML, "Another title") {
		t.Error("the list of dialogues does not follow")
	}
	seats := listen(t, v, orvaPath+"/seats")
	until(t, seats, "put", "plan")
	o.d.seat("0a1b2c3d", seatID(6), func(s *client.Seat) { s.VerifiedBy = []string{"Halden Royce"} })
	if e := until(t, seats, "put", "plan"); !strings.Contains(e.HTML, "5 people have been verified") {
		t.Error("the seat plan does not follow")
	}
	spoken := listen(t, v, orvaPath+"/words")
	until(t, spoken, "put", "reading")
	o.d.with("0a1b2c3d", func(x *table) error { x.Reading = nil; return nil })
	if e := until(t, spoken, "put", "reading"); !strings.Contains(e.HTML, "Nobody is reading") {
		t.Error("the page of words does not follow")
	}
	waiting := listen(t, v, "/d/22222222/")
	until(t, waiting, "put", "standing")
	o.d.with("22222222", func(x *table) error { x.Standing, x.Seats = client.StandingIn, o.d.list[0].Seats; return nil })
	if e := until(t, waiting, "go", ""); e.To != v.a.guard.base+"/d/22222222/r/0" {
		t.Errorf("the page that waits leads to %q", e.To)
	}
}

// TestStreamEnds: putting away ends every stream, and says so.
func TestStreamEnds(t *testing.T) {
	a, _, v := openedApp(t)
	events := listen(t, v, orvaPath+"/r/0?after=0")
	until(t, events, "put", "readers")
	if err := a.PutAway(); err != nil {
		t.Fatal(err)
	}
	until(t, events, "gone", "")
	if _, more := <-events; more {
		t.Error("the stream goes on")
	}
	// A stream that is opened afterwards says the same at once.
	until(t, listen(t, v, orvaPath+"/r/0"), "gone", "")
}

// TestIdle: Parley puts itself away after so many minutes without a person;
// a stream is no person, typing is one.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, o, v := openedApp(t)
		ctx, stop := context.WithCancel(t.Context())
		r := httptest.NewRequest("GET", "http://"+testHost+a.guard.base+orvaPath+"/r/0", nil).WithContext(ctx)
		r.Header.Set("Accept", "text/event-stream")
		for _, c := range v.jar {
			r.AddCookie(c)
		}
		ended := make(chan string)
		go func() {
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			ended <- w.Body.String()
		}()
		time.Sleep(14 * time.Minute)
		if w := v.post("/alive"); w.Code != http.StatusNoContent {
			t.Errorf("typing got %d", w.Code)
		}
		time.Sleep(14 * time.Minute)
		synctest.Wait()
		if a.current() == nil {
			t.Fatal("put away while somebody typed")
		}
		v.post(orvaPath + "/r/0/seen") // the script's own
		time.Sleep(61 * time.Second)
		if s := <-ended; !strings.Contains(s, "event: gone") || !strings.Contains(s, ": alive\n") {
			t.Error("the stream did not say that it ends, or fell silent before")
		}
		synctest.Wait()
		if a.current() != nil || o.closed() != 1 {
			t.Error("it was not put away")
		}
		stop()
	})
}

func TestSeen(t *testing.T) {
	_, o, v := openedApp(t)
	if w := v.post(orvaPath + "/r/1/seen"); w.Code != http.StatusNoContent || o.d.list[0].Rooms[1].Unread != 0 {
		t.Errorf("%d, %d unread", w.Code, o.d.list[0].Rooms[1].Unread)
	}
}

// BenchmarkRoom renders a room of fifty messages.
func BenchmarkRoom(b *testing.B) {
	a := New(Config{Hosts: []string{testHost}, Rehearsing: orva(), Now: func() time.Time { return now }})
	d := a.open.Participant.(*double)
	for range 60 {
		d.hear("0a1b2c3d", d.list[0].Seats[4], dialogue.Plenary, strings.Repeat("Nobody says this for the first time. ", 8))
	}
	r := httptest.NewRequest("GET", "http://"+testHost+a.guard.base+orvaPath+"/r/0", nil)
	r.AddCookie(&http.Cookie{Name: cookieName, Value: a.guard.cookie})
	for b.Loop() {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}

// BenchmarkLine renders what a stream adds for one message.
func BenchmarkLine(b *testing.B) {
	a := New(Config{Hosts: []string{testHost}, Rehearsing: orva(), Now: func() time.Time { return now }})
	d := a.open.Participant.(*double)
	t := d.list[0]
	m := *t.say(t.Seats[4], 0, strings.Repeat("Nobody says this for the first time. ", 8), now)
	set := a.pages.set("room", a.words())
	for b.Loop() {
		var d drawn // whose every line is new
		if _, err := d.draw(set, drawing{line: a.newLines(t.Dialogue, 0, a.words()).line(m)}); err != nil {
			b.Fatal(err)
		}
	}
}
