//go:build rogue

package sim

import (
	"slices"
	"sync"

	"parley/channel"
	"parley/client"
	"parley/dialogue"
)

// A stay is somebody's time in the room, from one coming in to one's going, as
// it was looked at from time to time. All that lies in the log between the
// beginning of the epoch that it began with and where it was seen last was read.
type stay struct {
	id   string
	base uint64
	seen []client.Insight
}

// stays are those of all, and where their clients read what.
type stays struct {
	of map[*Person][]*stay

	mu     sync.Mutex // guards what clients tell
	said   map[*Person]map[dialogue.EventID]client.Passage
	asking map[*Person][]client.Passage // to be let in to a side room
}

func newStays() *stays {
	return &stays{
		of: map[*Person][]*stay{}, said: map[*Person]map[dialogue.EventID]client.Passage{}, asking: map[*Person][]client.Passage{},
	}
}

// read takes what a client tells.
func (s *stays) read(p *Person, x client.Passage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch x.Note.Body.(type) {
	case dialogue.Say:
		if x.Note.Kind == dialogue.NoteSaid {
			if s.said[p] == nil {
				s.said[p] = map[dialogue.EventID]client.Passage{}
			}
			s.said[p][x.Note.Event] = x
		}
	case dialogue.KeyPackage, dialogue.RoomLost:
		s.asking[p] = append(s.asking[p], x)
	}
}

// where is where a client read a message, the last time.
func (s *stays) where(p *Person, id dialogue.EventID) (client.Passage, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.said[p][id]
	return x, ok
}

// see takes where somebody stands.
func (s *stays) see(p *Person, x client.Insight) {
	l := s.of[p]
	if len(l) == 0 || l[len(l)-1].id != x.Stay {
		l = append(l, &stay{id: x.Stay, base: x.Base})
		s.of[p] = l
	}
	at := l[len(l)-1]
	if n := len(at.seen); n > 0 && at.seen[n-1].Place == x.Place && at.seen[n-1].Side == x.Side {
		return
	}
	at.seen = append(at.seen, x)
}

// back takes note that somebody's vault is again as it was.
func (s *stays) back(p *Person, was client.Insight) {
	l := s.of[p]
	for len(l) > 0 && l[len(l)-1].id != was.Stay {
		l = l[:len(l)-1]
	}
	s.of[p] = l
	if len(l) > 0 {
		at := l[len(l)-1]
		at.seen = slices.DeleteFunc(at.seen, func(x client.Insight) bool { return before(was.Place, x.Place) })
	}
}

// before tells which of two places of one history comes first.
func before(x, y channel.Place) bool {
	return slices.Compare([]uint64{x.Epoch, uint64(x.Part), x.Position}, []uint64{y.Epoch, uint64(y.Part), y.Position}) < 0
}

// one tells whether two stays were in one room at an epoch: in it or in a later
// one both had the same secrets.
func one(x, y *stay, epoch uint64) bool {
	return slices.ContainsFunc(x.seen, func(a client.Insight) bool {
		return a.Place.Epoch >= epoch && slices.ContainsFunc(y.seen, func(b client.Insight) bool {
			return a.Place.Epoch == b.Place.Epoch && a.Authenticator == b.Authenticator
		})
	})
}

// was is a stay of somebody's.
func (s *stays) was(p *Person, id string) *stay {
	i := slices.IndexFunc(s.of[p], func(x *stay) bool { return x.id == id })
	if i < 0 {
		return nil
	}
	return s.of[p][i]
}

// hasRead tells whether somebody certainly read what an author read where it did:
// they were then in the same room, also in the same side room, if it was said
// in one, and stayed for longer.
func (s *stays) hasRead(p, author *Person, x client.Passage) bool {
	in := s.was(author, x.Stay)
	if in == nil {
		return false
	}
	return slices.ContainsFunc(s.of[p], func(y *stay) bool {
		after := slices.IndexFunc(y.seen, func(i client.Insight) bool { return before(x.Place, i.Place) })
		switch {
		case after < 0 || y.base > x.Place.Epoch || !one(in, y, x.Place.Epoch):
			return false
		case x.Note.Room == dialogue.Plenary:
			return true
		}
		return after > 0 && y.seen[after-1].Side && y.seen[after].Side && !s.asked(p, y.seen[after-1], y.seen[after])
	})
}

// asked tells whether somebody asked to be let in to its side room between two
// places: then it was out of it in between.
func (s *stays) asked(p *Person, from, to client.Insight) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.asking[p], func(x client.Passage) bool {
		return x.Stay == from.Stay && !before(x.Place, from.Place) && before(x.Place, to.Place)
	})
}
