package mls

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"parley/internal/wire"
)

// allSecrets derives by the book, from the encryption secret, every secret that
// leads to generation last of one ratchet of leaf l: those of the tree and of
// the ratchet, which are consumed with it, and its keys; and the keys of the
// generations before.
func allSecrets(s *suite, leaves uint32, encryption []byte, l LeafIndex, kind ratchetKind, last uint32) (consumed, before [][]byte) {
	x, secret := rootOf(leaves), encryption
	for {
		consumed = append(consumed, secret)
		if x.isLeaf() {
			break
		}
		side, _ := x.childToward(l)
		if side == x.left() {
			secret = s.expandWithLabel(secret, "tree", []byte("left"), s.nh)
		} else {
			secret = s.expandWithLabel(secret, "tree", []byte("right"), s.nh)
		}
		x = side
	}
	secret = s.expandWithLabel(secret, ratchetLabels[kind], nil, s.nh)
	for g := uint32(0); ; g++ {
		consumed = append(consumed, secret)
		key, nonce := s.deriveTreeSecret(secret, "key", g, s.nk), s.deriveTreeSecret(secret, "nonce", g, nonceSize)
		if g == last {
			return append(consumed, key, nonce), before
		}
		before = append(before, append(key, nonce...))
		secret = s.deriveTreeSecret(secret, "secret", g, s.nh)
	}
}

func holds(store map[string][]byte, secret []byte) bool {
	for _, value := range store {
		if bytes.Contains(value, secret) {
			return true
		}
	}
	return false
}

// TestDeletion is RFC 9420 §9.2: once a message has opened, nothing that its
// keys derive from is left in what is stored, nor in memory; the keys of the
// generations that it skipped are, and go when they are used.
func TestDeletion(t *testing.T) {
	forSuites(t, func(t *testing.T, id CipherSuite) {
		r := newRoom(t, id, 5)
		from, to := r.members[3], r.members[1]
		encryption := bytes.Clone(to.store[secretKey(to.group.tree.root())])
		if encryption == nil {
			t.Fatal("a fresh epoch has no encryption secret")
		}
		var messages [][]byte
		for range 4 {
			m, d, err := from.group.Seal(nil, []byte("text"))
			if err != nil {
				t.Fatal(err)
			}
			from.save(d)
			messages = append(messages, m)
		}
		_, d, err := to.group.Open(messages[3])
		if err != nil {
			t.Fatal(err)
		}
		to.save(d)
		consumed, skipped := allSecrets(to.group.suite, to.group.tree.size(), encryption, from.group.own, ratchetApplication, 3)
		mine := append(consumed[:len(consumed):len(consumed)], skipped...)
		for _, p := range []struct {
			name  string
			store map[string][]byte
			gone  [][]byte
		}{{"reader", to.store, consumed}, {"writer", from.store, mine}, {"reader's memory", stateOf(to.group), consumed}} {
			for i, secret := range p.gone {
				if holds(p.store, secret) {
					t.Errorf("%s: secret %d of %d is still there", p.name, i, len(p.gone))
				}
			}
		}
		for i, pair := range skipped {
			if !holds(to.store, pair) {
				t.Errorf("the keys of generation %d are gone", i)
			}
			_, d, err := to.group.Open(messages[i])
			if err != nil {
				t.Fatal(err)
			}
			to.save(d)
			if holds(to.store, pair) {
				t.Errorf("the keys of generation %d are still there", i)
			}
		}
		// The handshake ratchet of the same leaf, and all other leaves, still work.
		r.update(from, nil)
		r.say(r.members[0], "text")
		if holds(to.store, encryption) {
			t.Error("the encryption secret is back")
		}
	})
}

func stateOf(g *Group) map[string][]byte {
	store := map[string][]byte{}
	Delta{Put: g.State()}.Apply(store)
	return store
}

// TestEpochDeletion: what belongs to an epoch goes with it.
func TestEpochDeletion(t *testing.T) {
	seedRandom(t)
	r := newRoom(t, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, 4)
	p := r.members[1]
	var old [][]byte
	keep := func() {
		g := p.group
		for key, value := range p.store {
			if strings.ContainsRune("srgkp", rune(key[0])) {
				old = append(old, bytes.Clone(value))
			}
		}
		old = append(old, g.epoch.init, g.epoch.senderData, g.epoch.exporter, g.epoch.authenticator)
	}
	r.say(r.members[0], "text")
	r.update(p, must(GenerateSignatureKey(r.suite))(t))
	before := bytes.Clone(p.group.signature.raw)
	keep()
	r.commit(r.members[2], CommitContent{})
	leaf := p.group.pending
	if len(leaf) != 0 {
		t.Error("proposals outlive their epoch")
	}
	for i, value := range append(old, before) {
		// A private key of a node that the commit left alone may stay.
		if holds(p.store, value) && !p.isKey(value) {
			t.Errorf("value %d of the old epoch is still stored", i)
		}
	}
	if n := len(p.group.secrets.records); n != 1 {
		t.Errorf("a new epoch starts with %d secrets", n)
	}
}

func (p *person) isKey(value []byte) bool {
	for _, key := range p.group.keys {
		if bytes.Equal(key, value) {
			return true
		}
	}
	return false
}

// TestSkippedWindow: not more than maxKept generations are kept, however they
// were skipped.
func TestSkippedWindow(t *testing.T) {
	seedRandom(t)
	s := suites[0]
	tree := newSecretTree(s, 2, randomBytes(s.nh))
	take := func(g uint32) error {
		_, c, err := tree.take(1, ratchetApplication, g)
		if err == nil {
			tree.apply(c)
		}
		return err
	}
	if err := take(maxForward + 1); !errors.Is(err, ErrTooFar) {
		t.Errorf("too far: %v", err)
	}
	reached := uint32(0)
	for _, jump := range []uint32{maxForward, 1, 700, 700, 0, maxForward, 5} {
		reached += jump
		if err := take(reached); err != nil {
			t.Fatal(err)
		}
		kept := 0
		for key := range tree.records {
			if key[0] == tagSkipped {
				kept++
			}
		}
		if kept > maxKept {
			t.Errorf("%d generations are kept", kept)
		}
		reached++
	}
	if err := take(reached - maxKept - 1); !errors.Is(err, ErrConsumed) {
		t.Errorf("before the window: %v", err)
	}
	if err := take(reached - maxKept + 1); err != nil {
		t.Errorf("inside the window: %v", err)
	}
	if err := take(reached - maxKept + 1); !errors.Is(err, ErrConsumed) {
		t.Errorf("a second time: %v", err)
	}
}

// TestLastGeneration: the last number there is can't be used, for there is none
// after it.
func TestLastGeneration(t *testing.T) {
	seedRandom(t)
	s := suites[0]
	tree := newSecretTree(s, 1, randomBytes(s.nh))
	tree.records[ratchetKey(0, ratchetApplication)] = append(wire.AppendU32(nil, math.MaxUint32-1), randomBytes(s.nh)...)
	_, c, err := tree.next(0, ratchetApplication)
	if err != nil {
		t.Fatal(err)
	}
	tree.apply(c)
	if _, _, err := tree.next(0, ratchetApplication); !errors.Is(err, ErrTooFar) {
		t.Errorf("the last generation: %v", err)
	}
}

// TestDeltaSize: what a message writes does not grow with the group; what a
// commit writes grows with its logarithm.
func TestDeltaSize(t *testing.T) {
	seedRandom(t)
	sizes := func(n int) (first, later, commit int) {
		r := newRoom(t, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, 2)
		var names []string
		for i := 2; i < n; i++ {
			names = append(names, fmt.Sprint(i))
		}
		r.add(r.members[0], names...)
		from, to := r.members[0].group, r.members[1].group
		for i := range 2 {
			m, _, err := from.Seal(nil, make([]byte, 1024))
			if err != nil {
				t.Fatal(err)
			}
			_, d, err := to.Open(m)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = len(d.Put) + len(d.Delete)
			} else {
				later = len(d.Put) + len(d.Delete)
			}
		}
		p, _, err := from.Stage(nil, CommitContent{})
		if err != nil {
			t.Fatal(err)
		}
		opened, _, err := to.Open(p.Message)
		if err != nil {
			t.Fatal(err)
		}
		d := must(to.Enter(opened.Commit))(t)
		return first, later, len(d.Put)
	}
	for n, levels := range map[int]int{2: 1, 16: 4, 32: 5} {
		first, later, commit := sizes(n)
		// Two ratchets, the root's secret and one beside each step of the way.
		if first > levels+3 || later != 1 || commit > 3*levels+4 {
			t.Errorf("%d members: %d records, then %d; a commit %d", n, first, later, commit)
		}
	}
}

// TestSenderOutsideTree: a leaf that the secret tree does not have gives no keys.
func TestSenderOutsideTree(t *testing.T) {
	seedRandom(t)
	s := suites[0]
	tree := newSecretTree(s, 4, randomBytes(s.nh))
	for _, l := range []LeafIndex{4, 1 << 31} {
		if _, c, err := tree.take(l, ratchetApplication, 0); !errors.Is(err, ErrMalformed) || c != nil {
			t.Errorf("leaf %d: %v", l, err)
		}
	}
	if _, _, err := tree.take(3, ratchetApplication, 0); err != nil {
		t.Error(err)
	}
}
