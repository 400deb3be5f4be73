package channel

import (
	"bytes"

	"parley/internal/wire"
)

// A Contradiction is what a cell's header says against what this member read.
// On an honest relay there is none: whoever made the cell had read a beginning
// of the same box, and the same boxes before.
type Contradiction uint8

// Contradictions, the gravest first that a header shows.
const (
	Agrees    Contradiction = 0
	ShowsMore Contradiction = 1 // its maker had read further in this box than its own place
	OtherBox  Contradiction = 2 // its maker had read other cells in this box
	OtherPast Contradiction = 3 // its maker had read other boxes before
)

// check holds a header against this member's own reading. An honest maker may
// be slow: it had read less of the box than stands before its cell by now.
func (w *walk) check(h header) Contradiction {
	switch {
	case h.Position > w.position:
		return ShowsMore
	case h.Running != w.at(h.Position):
		return OtherBox
	case w.known && h.claims() && h.Chain != w.chain:
		return OtherPast
	}
	return Agrees
}

// claims tells whether the header says what was before this box. A newcomer
// does not in the box that it enters: it has the hash from somebody who may
// have told it a false one.
func (h header) claims() bool { return h.Chain != Hash{} }

// header is what this member's next cell says.
func (w *walk) header() header {
	h := header{Position: w.position, Running: w.running, Chain: w.chain}
	if w.told != nil {
		h.Chain = Hash{}
	}
	return h
}

// A told chain hash is a newcomer's: From said it, and nobody else did yet.
// Rival, where there is one, said another. It lasts as long as the first box.
type told struct {
	From  []byte
	Chain Hash // what Rival said
	Rival []byte
}

// maxIdentity bounds the identities that a told has.
const maxIdentity = 255

func (t *told) marshal() []byte {
	b := append(wire.AppendVec(nil, t.From), t.Chain[:]...)
	return wire.AppendVec(b, t.Rival)
}

func parseTold(in []byte) (*told, error) {
	t := new(told)
	r := wire.NewReader(in)
	t.From = r.Vec(maxIdentity)
	r.Fill(t.Chain[:])
	t.Rival = r.Vec(maxIdentity)
	return t, r.Done()
}

// learn takes a newcomer's chain hash from the first header whose author is
// sure. One liar must not lead it astray for good: where two others agree on
// another hash, theirs counts, and what the first of them was reported for
// before is void.
func (l *Log) learn(d *Delta, got *Got, h header) {
	w := &l.walk
	switch {
	case !h.claims() || w.known && w.told == nil || len(got.Author) > maxIdentity:
		return
	case !w.known:
		w.chain, w.known, w.told = h.Chain, true, &told{From: got.Author}
	case bytes.Equal(got.Author, w.told.From):
		return
	case h.Chain == w.chain:
		w.told = nil
	case h.Chain == w.told.Chain && !bytes.Equal(got.Author, w.told.Rival):
		got.Against, got.Outvoted, got.Cleared = Agrees, w.told.From, w.told.Rival
		w.chain, w.told = h.Chain, nil
	default:
		w.told.Chain, w.told.Rival, got.Unsure = h.Chain, got.Author, got.Against == OtherPast
	}
	got.Place.Chain, got.Place.Known = w.chain, true
	l.saveTold(d)
}

func (l *Log) saveTold(d *Delta) {
	if l.walk.told == nil {
		d.delete(keyTold)
	} else {
		d.put(keyTold, l.walk.told.marshal())
	}
}
