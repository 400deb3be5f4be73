package server

import (
	"sync"

	"parley/relay"
)

// A hub wakes the readers of a box. The zero hub is ready. It holds only boxes
// that somebody waits for.
type hub struct {
	mu      sync.Mutex
	boxes   map[relay.BoxID]*watched
	waiting int
}

type watched struct {
	changed chan struct{} // closed at the next change
	readers int
}

// watch returns a channel that is closed when the box next changes, unless max
// readers wait already; and the function to call when the wait is over.
func (h *hub) watch(id relay.BoxID, max int) (changed <-chan struct{}, done func(), ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiting >= max {
		return nil, nil, false
	}
	w := h.boxes[id]
	if w == nil {
		if h.boxes == nil {
			h.boxes = map[relay.BoxID]*watched{}
		}
		w = &watched{changed: make(chan struct{})}
		h.boxes[id] = w
	}
	w.readers++
	h.waiting++
	return w.changed, func() { h.done(id, w) }, true
}

func (h *hub) done(id relay.BoxID, w *watched) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting--
	if w.readers--; w.readers == 0 && h.boxes[id] == w {
		delete(h.boxes, id)
	}
}

// wake wakes the readers of a box that changed.
func (h *hub) wake(id relay.BoxID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w := h.boxes[id]; w != nil {
		close(w.changed)
		delete(h.boxes, id)
	}
}

// count is the number of readers that wait.
func (h *hub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.waiting
}
