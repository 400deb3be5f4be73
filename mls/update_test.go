package mls

import (
	"errors"
	"slices"
	"testing"
)

// TestUpdateCountsWhenReadBack: until it was read back, an Update of one's own
// is not there, so that all keep the same ones in the same order: who comes
// first with a key has it, also where its maker saw it elsewhere.
func TestUpdateCountsWhenReadBack(t *testing.T) {
	seedRandom(t)
	w := newWorkshop(t, 4)
	victim := w.members[1]
	staged, d, err := victim.group.StageUpdate(nil, must(GenerateSignatureKey(w.suite))(t))
	if err != nil {
		t.Fatal(err)
	}
	victim.save(d)
	if n := len(victim.group.pending); n != 0 {
		t.Fatalf("%d proposals are kept before it was read back", n)
	}
	key := staged.proposal.proposal.update.encryptionKey
	copied := &proposal{kind: proposalUpdate, update: w.leaf(sourceUpdate, func(n *leafNode) { n.encryptionKey = key })}
	if _, d, err = victim.group.Open(w.propose(copied)); err != nil {
		t.Fatal(err)
	}
	victim.save(d)
	before := victim.group.State()
	if d, err := victim.group.Propose(staged); !errors.Is(err, ErrInvalid) || !d.Empty() {
		t.Errorf("an Update whose key another has: %v", err)
	}
	if !slices.EqualFunc(before, victim.group.State(), func(a, b Pair) bool { return a.Key == b.Key && string(a.Value) == string(b.Value) }) {
		t.Error("what was refused changed the group")
	}
}

// TestStaleUpdate: an Update of an epoch that has ended is not taken, nor is a
// view of a commit.
func TestStaleUpdate(t *testing.T) {
	seedRandom(t)
	r := newRoom(t, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, 3)
	p := r.members[1]
	staged, d, err := p.group.StageUpdate(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.save(d)
	pending, d, err := p.group.Stage(nil, CommitContent{})
	if err != nil {
		t.Fatal(err)
	}
	p.save(d)
	r.commit(r.members[0], CommitContent{})
	if _, err := p.group.Propose(staged); !errors.Is(err, ErrStale) {
		t.Errorf("an Update of an epoch that has ended: %v", err)
	}
	if _, err := p.group.View(pending); !errors.Is(err, ErrStale) {
		t.Errorf("a commit of an epoch that has ended: %v", err)
	}
}

// TestViewIsWhatOthersSee: a commit of one's own says the same of itself to its
// maker as to everybody else, with the Updates that it gathers.
func TestViewIsWhatOthersSee(t *testing.T) {
	seedRandom(t)
	r := newRoom(t, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, 5)
	r.update(r.members[1], must(GenerateSignatureKey(r.members[0].group.Suite()))(t))
	r.update(r.members[3], must(GenerateSignatureKey(r.members[0].group.Suite()))(t))
	maker, other := r.members[0], r.members[2]
	p, d, err := maker.group.Stage(nil, CommitContent{NewSignature: must(GenerateSignatureKey(maker.group.Suite()))(t)})
	if err != nil {
		t.Fatal(err)
	}
	maker.save(d)
	mine := must(maker.group.View(p))(t)
	opened, _, err := other.group.Open(p.Message)
	if err != nil {
		t.Fatal(err)
	}
	same := func(a, b Member) bool {
		return a.Leaf == b.Leaf && string(a.Identity) == string(b.Identity) && string(a.SignatureKey) == string(b.SignatureKey)
	}
	if a, b := mine.Updates(), opened.Commit.Updates(); len(a) != 2 || !slices.EqualFunc(a, b, same) {
		t.Errorf("Updates: its maker sees %v, another %v", a, b)
	}
	if a, b := mine.Committer(), opened.Commit.Committer(); !same(a, b) {
		t.Errorf("its maker sees itself as %v, another as %v", a, b)
	}
}
