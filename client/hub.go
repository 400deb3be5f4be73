package client

import "sync"

// A hub tells subscribers of changes. It never waits for one: changes that a
// slow subscriber has not taken are kept once each.
type hub struct {
	mu   sync.Mutex
	subs map[*subscriber]bool
	done bool
}

type subscriber struct {
	mu      sync.Mutex
	pending []Change
	wake    chan struct{}
	quit    chan struct{}
}

func (h *hub) publish(c Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		s.add(c)
	}
}

func (s *subscriber) add(c Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pending {
		if p == c {
			return
		}
	}
	s.pending = append(s.pending, c)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *subscriber) take() []Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.pending
	s.pending = nil
	return l
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = true
	for s := range h.subs {
		close(s.quit)
	}
	h.subs = nil
}

// Subscribe gives a channel of changes, until cancel is called or the Client
// closes, which closes the channel. A change that is still to be taken is not
// repeated.
func (c *Client) Subscribe() (<-chan Change, func()) {
	s := &subscriber{wake: make(chan struct{}, 1), quit: make(chan struct{})}
	out := make(chan Change)
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	if c.hub.done {
		close(out)
		return out, func() {}
	}
	if c.hub.subs == nil {
		c.hub.subs = map[*subscriber]bool{}
	}
	c.hub.subs[s] = true
	go s.deliver(out)
	return out, func() {
		c.hub.mu.Lock()
		defer c.hub.mu.Unlock()
		if c.hub.subs[s] {
			delete(c.hub.subs, s)
			close(s.quit)
		}
	}
}

func (s *subscriber) deliver(out chan<- Change) {
	defer close(out)
	for {
		select {
		case <-s.quit:
			return
		case <-s.wake:
		}
		for _, c := range s.take() {
			select {
			case <-s.quit:
				return
			case out <- c:
			}
		}
	}
}
