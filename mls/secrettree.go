package mls

import (
	"fmt"
	"math"

	"parley/internal/wire"
)

// ratchetKind tells the two ratchets of a sender apart (RFC 9420 §9).
type ratchetKind uint8

const (
	ratchetHandshake   ratchetKind = 0
	ratchetApplication ratchetKind = 1
)

var ratchetLabels = [...]string{ratchetHandshake: "handshake", ratchetApplication: "application"}

// ratchetOf is the ratchet that a kind of content is encrypted by.
func ratchetOf(kind ContentType) ratchetKind {
	if kind == Application {
		return ratchetApplication
	}
	return ratchetHandshake
}

// messageKeys are the key and nonce of one generation.
type messageKeys struct {
	generation uint32
	key, nonce []byte
}

// secretTree holds the secrets of RFC 9420 §9 for one epoch, as the very
// records that are stored, so that what is deleted is gone from both:
//
//	"s" node              the secret of a node of the tree, not yet used
//	"r" leaf kind         a ratchet: its next generation and that one's secret
//	"g" leaf kind gen     key and nonce of a generation that was skipped
//
// Numbers in keys are big-endian, of four bytes, kind of one. A consumed value
// is deleted with all that it could be derived from, up to the root (§9.2): a
// node's secret when its children's are made, a generation's when it is used;
// for skipped generations only key and nonce stay, never a ratchet secret.
type secretTree struct {
	suite   *suite
	leaves  uint32
	records map[string][]byte
}

// Tags of the records of a secret tree.
const (
	tagSecret  = 's'
	tagRatchet = 'r'
	tagSkipped = 'g'
)

func secretKey(x nodeIndex) string { return recordKey(tagSecret, uint32(x)) }

// recordKey makes the key of a record that is told by a number.
func recordKey(tag byte, n uint32) string { return string(wire.AppendU32([]byte{tag}, n)) }

func ratchetKey(l LeafIndex, kind ratchetKind) string {
	return string(append(wire.AppendU32([]byte{tagRatchet}, uint32(l)), byte(kind)))
}

func skippedKey(l LeafIndex, kind ratchetKind, generation uint32) string {
	b := append(wire.AppendU32([]byte{tagSkipped}, uint32(l)), byte(kind))
	return string(wire.AppendU32(b, generation))
}

// newSecretTree starts the tree of an epoch with its encryption secret.
func newSecretTree(s *suite, leaves uint32, encryptionSecret []byte) *secretTree {
	return &secretTree{s, leaves, map[string][]byte{secretKey(rootOf(leaves)): encryptionSecret}}
}

// apply makes changes that next or take proposed.
func (t *secretTree) apply(c changes) {
	for key, value := range c {
		if value == nil {
			delete(t.records, key)
		} else {
			t.records[key] = value
		}
	}
}

// next gives the keys that member l sends its next message by. Nothing changes
// before the changes are applied.
func (t *secretTree) next(l LeafIndex, kind ratchetKind) (messageKeys, changes, error) {
	generation, _, _, err := t.ratchet(l, kind)
	if err != nil {
		return messageKeys{}, nil, err
	}
	return t.take(l, kind, generation)
}

// reached is the generation that member l's ratchet would use next, 0 where
// the ratchet was never used.
func (t *secretTree) reached(l LeafIndex, kind ratchetKind) uint32 {
	generation, _ := t.parseRatchet(t.records[ratchetKey(l, kind)])
	return generation
}

// take gives the keys of one generation, and the changes that delete them and
// whatever they can be derived from. To be applied once the message has opened
// and its signature holds; nothing changes before.
func (t *secretTree) take(l LeafIndex, kind ratchetKind, generation uint32) (messageKeys, changes, error) {
	key := skippedKey(l, kind, generation)
	if pair := t.records[key]; pair != nil {
		return messageKeys{generation, pair[:t.suite.nk], pair[t.suite.nk:]}, changes{key: nil}, nil
	}
	next, secret, c, err := t.ratchet(l, kind)
	switch {
	case err != nil:
		return messageKeys{}, nil, err
	case generation < next:
		return messageKeys{}, nil, ErrConsumed
	case generation-next > maxForward || generation == math.MaxUint32:
		return messageKeys{}, nil, ErrTooFar
	}
	for g := next; g < generation; g++ {
		keys, following := t.step(secret, g)
		if generation-g < maxKept {
			c[skippedKey(l, kind, g)] = append(keys.key, keys.nonce...)
		}
		secret = following
	}
	keys, following := t.step(secret, generation)
	c[ratchetKey(l, kind)] = append(wire.AppendU32(nil, generation+1), following...)
	t.forget(c, l, kind, next, generation+1)
	return keys, c, nil
}

// forget deletes the skipped generations that fall out of the window of maxKept
// as the ratchet moves from one generation to another.
func (t *secretTree) forget(c changes, l LeafIndex, kind ratchetKind, from, to uint32) {
	if to <= maxKept {
		return
	}
	for g := max(from, maxKept) - maxKept; g < to-maxKept; g++ {
		if key := skippedKey(l, kind, g); t.records[key] != nil {
			c[key] = nil
		}
	}
}

// step derives the keys of generation g and the next one's secret (RFC 9420 §9.1).
func (t *secretTree) step(secret []byte, g uint32) (messageKeys, []byte) {
	s := t.suite
	return messageKeys{g, s.deriveTreeSecret(secret, "key", g, s.nk), s.deriveTreeSecret(secret, "nonce", g, nonceSize)},
		s.deriveTreeSecret(secret, "secret", g, s.nh)
}

// ratchet gives the state of a ratchet, and the changes that made it if it had
// to be derived from the tree.
func (t *secretTree) ratchet(l LeafIndex, kind ratchetKind) (next uint32, secret []byte, c changes, err error) {
	c = changes{}
	record := t.records[ratchetKey(l, kind)]
	if record == nil {
		if c, err = t.derive(l); err != nil {
			return 0, nil, nil, err
		}
		record = c[ratchetKey(l, kind)]
	}
	next, secret = t.parseRatchet(record)
	return next, secret, c, nil
}

func (t *secretTree) parseRatchet(record []byte) (uint32, []byte) {
	r := wire.NewReader(record)
	return r.U32(), r.Rest()
}

// derive makes both ratchets of leaf l from the closest secret above it. That
// secret and all on the way are consumed; those beside the way are kept.
func (t *secretTree) derive(l LeafIndex) (changes, error) {
	if uint32(l) >= t.leaves {
		return nil, fmt.Errorf("%w: a sender outside the tree", ErrMalformed)
	}
	x, root := l.node(), rootOf(t.leaves)
	for t.records[secretKey(x)] == nil {
		if x == root {
			return nil, ErrConsumed
		}
		x = x.parent()
	}
	s, secret := t.suite, t.records[secretKey(x)]
	c := changes{secretKey(x): nil}
	for !x.isLeaf() {
		left, right := s.expandWithLabel(secret, "tree", []byte("left"), s.nh), s.expandWithLabel(secret, "tree", []byte("right"), s.nh)
		if x.left().covers(l) {
			c[secretKey(x.right())] = right
			x, secret = x.left(), left
		} else {
			c[secretKey(x.left())] = left
			x, secret = x.right(), right
		}
	}
	for kind, label := range ratchetLabels {
		start := s.expandWithLabel(secret, label, nil, s.nh)
		c[ratchetKey(l, ratchetKind(kind))] = append(make([]byte, 4), start...)
	}
	return c, nil
}

// load takes a stored record; false if it is none of this tree's or malformed.
func (t *secretTree) load(key string, value []byte) bool {
	r := wire.NewReader([]byte(key))
	ok := false
	switch tag, n := r.U8(), r.U32(); tag {
	case tagSecret:
		ok = n < width(t.leaves) && len(value) == t.suite.nh
	case tagRatchet:
		ok = n < t.leaves && r.U8() <= byte(ratchetApplication) && len(value) == 4+t.suite.nh
	case tagSkipped:
		ok = n < t.leaves && r.U8() <= byte(ratchetApplication) && len(value) == t.suite.nk+nonceSize
		r.U32()
	}
	if !ok || r.Done() != nil {
		return false
	}
	t.records[key] = value
	return true
}
