package client

import (
	"bytes"
	"sync"

	"parley/dialogue"
	"parley/internal/wire"
	"parley/mls"
)

// packages check key packages that somebody posted. The same one is met again
// and again: in a card's box, at a door, at every look at who is to be let in.
// So it is remembered of the latest which were found good, whose signatures and
// keys need not be checked again. The zero value is ready.
type packages struct {
	mu   sync.Mutex
	good map[dialogue.Hash]bool
}

// maxGood is how many are remembered.
const maxGood = 256

// check parses a key package that somebody posted for a seat.
func (p *packages) check(b []byte, seat dialogue.SeatID) (*mls.KeyPackage, error) {
	kp, err := mls.ParseKeyPackage(b)
	if err != nil {
		return nil, err
	}
	h := hashOf(b)
	p.mu.Lock()
	good := p.good[h]
	p.mu.Unlock()
	if !good {
		if err := kp.Validate(); err != nil {
			return nil, err
		}
		p.mu.Lock()
		if p.good == nil || len(p.good) >= maxGood {
			p.good = map[dialogue.Hash]bool{}
		}
		p.good[h] = true
		p.mu.Unlock()
	}
	if kp.Suite() != Suite || !bytes.Equal(kp.Identity(), seat[:]) {
		return nil, wire.ErrMalformed
	}
	return kp, nil
}
