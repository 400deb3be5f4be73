package sim

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"

	"parley/relay"
)

// steps knows every step of a ratchet that a client took and every cell that
// reached the relay. No step may have made two cells that left, whatever
// crashed in between: they would be one key for two plaintexts.
type steps struct {
	mu    sync.Mutex
	cells map[[32]byte]map[[32]byte]bool // by step
	left  map[[32]byte]bool
}

func newSteps() *steps {
	return &steps{cells: map[[32]byte]map[[32]byte]bool{}, left: map[[32]byte]bool{}}
}

func (s *steps) made(step, cell [32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cells[step] == nil {
		s.cells[step] = map[[32]byte]bool{}
	}
	s.cells[step][cell] = true
}

// repeated has an error for each step whose cells left twice.
func (s *steps) repeated() (l []error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for step, cells := range s.cells {
		n := 0
		for c := range cells {
			if s.left[c] {
				n++
			}
		}
		if n > 1 {
			l = append(l, fmt.Errorf("step %x of a ratchet made %d cells that left", step[:4], n))
		}
	}
	return l
}

// taken counts the steps that made a cell which left.
func (s *steps) taken() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cells := range s.cells {
		for c := range cells {
			if s.left[c] {
				n++
				break
			}
		}
	}
	return n
}

// tap is a store that notes what reaches it.
func (s *steps) tap(to relay.Store) relay.Store { return tapped{to, s} }

type tapped struct {
	relay.Store
	s *steps
}

func (t tapped) Append(ctx context.Context, id relay.BoxID, cell *relay.Cell, hour uint32) (uint64, error) {
	t.s.mu.Lock()
	t.s.left[sha256.Sum256(cell[:])] = true
	t.s.mu.Unlock()
	return t.Store.Append(ctx, id, cell, hour)
}
