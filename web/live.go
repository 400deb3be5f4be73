package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

// A page and its stream have the same address: a browser's EventSource asks
// for text/event-stream. What changed is rendered and sent as it changes, so
// the browser never asks twice.
//
// Events, their data in JSON:
//
//	put  {"id", "v", "html"}  the content of the element with that id, unless it has version v
//	add  {"id", "html"}       more of a list; the event's id is the last line's number
//	go   {"to"}               another page is to be shown
//	gone {}                   Parley was put away
type update struct {
	ID      string `json:"id,omitempty"`
	Version string `json:"v,omitempty"`
	HTML    string `json:"html,omitempty"`
	To      string `json:"to,omitempty"`
}

// aliveEvery keeps a quiet stream from looking dead.
const aliveEvery = 20 * time.Second

// aroundAfter is how long after a line its surroundings are sent.
const aroundAfter = 100 * time.Millisecond

func isStream(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/event-stream")
}

// A streamer writes events.
type streamer struct {
	w     http.ResponseWriter
	flush *http.ResponseController
	sent  map[string]string // versions of blocks
}

func newStreamer(w http.ResponseWriter) *streamer {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	s := &streamer{w: w, flush: http.NewResponseController(w), sent: map[string]string{}}
	s.flush.SetWriteDeadline(time.Time{}) // a stream outlives what a page may take; not every writer has deadlines
	return s
}

// send writes one event. JSON has no line ends, so it is one line of data.
func (s *streamer) send(event, id string, u update) error {
	data, err := json.Marshal(u)
	if err != nil {
		return err
	}
	var b strings.Builder
	if id != "" {
		b.WriteString("id: " + id + "\n")
	}
	b.WriteString("event: " + event + "\ndata: ")
	b.Write(data)
	b.WriteString("\n\n")
	if _, err := s.w.Write([]byte(b.String())); err != nil {
		return err
	}
	return s.flush.Flush()
}

// put sends a block, unless it was sent as it is.
func (s *streamer) put(b block) error {
	if s.sent[b.ID] == b.Version {
		return nil
	}
	s.sent[b.ID] = b.Version
	return s.send("put", "", update{ID: b.ID, Version: b.Version, HTML: string(b.HTML)})
}

func (s *streamer) alive() error {
	if _, err := s.w.Write([]byte(": alive\n\n")); err != nil {
		return err
	}
	return s.flush.Flush()
}

// stream serves the stream of a page that f makes. A room brings its own way
// to follow it, so that a message costs no more than its own rendering.
func (a *App) stream(q *request, f pageFunc) (result, error) {
	changes, cancel := q.o.Subscribe()
	defer cancel()
	s := newStreamer(q.w)
	follow := func() error { return a.follow(q, f, s) }
	var around func() error
	var room *roomStream
	if q.Pattern == "GET /d/{id}/r/{room}" {
		var err error
		if room, err = a.newRoomStream(q, s); err != nil {
			return failed(err)
		}
		follow, around = room.lines, room.around
	}
	if follow() != nil || around != nil && around() != nil {
		return done()
	}
	// What surrounds a room's lines comes a moment after them, once for a burst.
	later := time.NewTimer(time.Hour)
	later.Stop()
	defer later.Stop()
	beat := time.NewTicker(aliveEvery)
	defer beat.Stop()
	for {
		select {
		case <-q.Context().Done():
			return done()
		case <-q.o.ctx.Done():
			s.send("gone", "", update{})
			return done()
		case <-beat.C:
			if s.alive() != nil {
				return done()
			}
		case c, ok := <-changes:
			if !ok {
				s.send("gone", "", update{})
				return done()
			}
			if id := q.PathValue("id"); id != "" && c.Dialogue != "" && string(c.Dialogue) != id {
				continue
			}
			if follow() != nil {
				return done()
			}
			if around != nil {
				room.older = room.older || c.Older && c.Room == room.room()
				later.Reset(aroundAfter)
			}
		case <-later.C:
			if around() != nil {
				return done()
			}
		}
	}
}

var errMoved = errors.New("web: the page leads elsewhere now")

// follow sends the blocks of a page that have changed, or where to go if the
// page leads elsewhere now.
func (a *App) follow(q *request, f pageFunc, s *streamer) error {
	res, err := f(q)
	if err != nil {
		return err
	}
	if res.to != "" {
		s.send("go", "", update{To: a.guard.base + res.to})
		return errMoved
	}
	if res.isDone() {
		return errMoved
	}
	if err := a.finish(res.view, q.Request); err != nil {
		return err
	}
	for _, name := range res.view.Live {
		if err := s.put(res.view.Blocks[name]); err != nil {
			return err
		}
	}
	return nil
}
