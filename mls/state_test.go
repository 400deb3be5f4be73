package mls

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestLoadRefuses: records that are missing, doubled, malformed or do not fit
// one another.
func TestLoadRefuses(t *testing.T) {
	seedRandom(t)
	r := newRoom(t, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, 4)
	p := r.members[1]
	m, d, err := r.members[2].group.Seal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.members[2].save(d)
	_, d, err = p.group.Open(m)
	if err != nil {
		t.Fatal(err)
	}
	p.save(d)
	r.update(p, nil)
	p.checkStore()

	for key := range p.store {
		if key[0] == tagSecret || key[0] == tagRatchet || key[0] == tagPending || key == recordKey(tagPrivate, 1) || key == recordKey(tagPrivate, 3) {
			continue // without these less can be opened, and that is all
		}
		store := stateOf(p.group)
		delete(store, key)
		if _, err := Load(pairs(store)); err == nil {
			t.Errorf("loaded without record %q", key)
		}
	}
	for key, value := range p.store {
		for name, bad := range map[string][]byte{"short": value[:len(value)-1], "long": append(bytes.Clone(value), 0), "empty": nil} {
			store := stateOf(p.group)
			store[key] = bad
			if _, err := Load(pairs(store)); err == nil {
				t.Errorf("loaded with record %q %s", key, name)
			}
		}
	}
	other := stateOf(r.members[3].group)
	for name, change := range map[string]func(store map[string][]byte){
		"an unknown record":        func(s map[string][]byte) { s["x"] = nil },
		"an unknown record of key": func(s map[string][]byte) { s[recordKey('x', 1)] = nil },
		"a long key":               func(s map[string][]byte) { s[recordKey(tagNode, 0)+"x"] = s[recordKey(tagNode, 0)] },
		"a second epoch":           func(s map[string][]byte) { s["e1"] = s["e"] },
		"a node outside":           func(s map[string][]byte) { s[recordKey(tagNode, 99)] = s[recordKey(tagNode, 0)] },
		"a secret outside":         func(s map[string][]byte) { s[recordKey(tagSecret, 99)] = make([]byte, 32) },
		"a ratchet outside":        func(s map[string][]byte) { s[ratchetKey(9, 0)] = make([]byte, 36) },
		"a ratchet of a kind":      func(s map[string][]byte) { s[ratchetKey(0, 2)] = make([]byte, 36) },
		"a key off the path":       func(s map[string][]byte) { s[recordKey(tagPrivate, 0)] = s[recordKey(tagPrivate, 2)] },
		"another's key":            func(s map[string][]byte) { s[recordKey(tagPrivate, 2)] = other[recordKey(tagPrivate, 6)] },
		"another's epoch":          func(s map[string][]byte) { s["e"] = other["e"] },
		"two leaves exchanged": func(s map[string][]byte) {
			a, b := recordKey(tagNode, 0), recordKey(tagNode, 4)
			s[a], s[b] = s[b], s[a]
		},
		"a later version": func(s map[string][]byte) { s["e"] = append([]byte{2}, s["e"][1:]...) },
	} {
		store := stateOf(p.group)
		change(store)
		if _, err := Load(pairs(store)); err == nil {
			t.Errorf("loaded with %s", name)
		}
	}
	list := p.group.State()
	if _, err := Load(append(list, list[0])); err == nil {
		t.Error("loaded a record twice")
	}
	if _, err := Load(nil); err == nil {
		t.Error("loaded nothing")
	}
}

// TestStoredObjects: pending commits and key package secrets come back as they
// were, and not otherwise.
func TestStoredObjects(t *testing.T) {
	forSuites(t, func(t *testing.T, s CipherSuite) {
		kp, secrets := keyPackage(t, s, "new")
		r := newRoom(t, s, 2)
		p, _, err := r.members[0].group.Stage(nil, CommitContent{Adds: []*KeyPackage{kp}})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "pending commit", must(ParsePendingCommit(p.Marshal()))(t).Marshal(), p.Marshal())
		equal(t, "secrets", must(ParseKeyPackageSecrets(secrets.Marshal()))(t).Marshal(), secrets.Marshal())
		key := r.members[0].group.signature
		equal(t, "key", must(ParseSignatureKey(s, key.Bytes()))(t).Public(), key.Public())

		_, others := keyPackage(t, s, "other")
		for name, change := range map[string]func(k *KeyPackageSecrets){
			"init key":      func(k *KeyPackageSecrets) { k.initPrivate = others.initPrivate },
			"leaf key":      func(k *KeyPackageSecrets) { k.leafPrivate = others.leafPrivate },
			"signature key": func(k *KeyPackageSecrets) { k.signature = others.signature },
		} {
			k := *secrets
			change(&k)
			if _, err := ParseKeyPackageSecrets(k.Marshal()); err == nil {
				t.Errorf("another's %s was taken", name)
			}
		}
		for _, b := range [][]byte{nil, {}, {1}, p.Marshal()[1:], append(p.Marshal(), 0)} {
			if _, err := ParsePendingCommit(b); err == nil {
				t.Errorf("%d bytes were taken for a pending commit", len(b))
			}
			if _, err := ParseKeyPackageSecrets(b); err == nil {
				t.Errorf("%d bytes were taken for secrets", len(b))
			}
			if _, err := ParseSignatureKey(s, b); err == nil {
				t.Errorf("%d bytes were taken for a key", len(b))
			}
		}
	})
}

// TestNothingPrints: what holds secrets shows none, whatever prints it.
func TestNothingPrints(t *testing.T) {
	seedRandom(t)
	r := newRoom(t, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, 2)
	kp, secrets := keyPackage(t, r.suite, "new")
	p, d, err := r.members[0].group.Stage(nil, CommitContent{Adds: []*KeyPackage{kp}})
	if err != nil {
		t.Fatal(err)
	}
	opened, _, err := r.members[1].group.Open(p.Message)
	if err != nil {
		t.Fatal(err)
	}
	g := r.members[0].group
	for _, v := range []any{g, *g, p, *p, secrets, *secrets, d, &d, d.Put[0], opened.Commit, *opened.Commit, g.signature, *g.signature} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
			if text := fmt.Sprintf(verb, v); text != hiddenText {
				t.Errorf("%T prints %s", v, text)
			}
		}
		if js, err := json.Marshal(v); err != nil || string(js) != `"`+hiddenText+`"` {
			t.Errorf("%T as JSON is %s, %v", v, js, err)
		}
	}
}

// TestManyOperations takes groups through random operations. Every member is
// put back from its records at random, so that a Delta that tells less than all
// shows; all must agree throughout.
func TestManyOperations(t *testing.T) {
	for _, s := range []CipherSuite{MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, Hybrid} {
		t.Run(s.String(), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seedRandom(t), 0))
			r := newRoom(t, s, 2)
			steps := 60
			if testing.Short() || raceDetector {
				steps = 15
			}
			for i := range steps {
				r.randomStep(random, i)
			}
		})
	}
}

func (r *room) randomStep(random *rand.Rand, i int) {
	r.t.Helper()
	p := r.members[random.IntN(len(r.members))]
	if random.IntN(3) == 0 {
		p.reload()
	}
	switch random.IntN(6) {
	case 0:
		r.say(p, fmt.Sprint("text ", i))
	case 1:
		var sig *SignatureKey
		if random.IntN(2) == 0 {
			sig = must(GenerateSignatureKey(r.suite))(r.t)
		}
		r.update(p, sig)
	case 2:
		r.commit(p, CommitContent{})
	case 3:
		if len(r.members) > 2 {
			var content CommitContent
			for _, q := range r.members {
				if q != p && random.IntN(3) == 0 {
					content.Removes = append(content.Removes, q.group.OwnLeaf())
				}
			}
			r.commit(p, content)
		}
	default:
		var names []string
		for k := range 1 + random.IntN(3) {
			names = append(names, fmt.Sprint(i, "-", k))
		}
		if len(r.members) < 12 {
			r.add(p, names...)
		}
	}
	for _, p := range r.members {
		p.checkTree()
	}
}

// checkTree holds a member's tree against what a newcomer would check, and its
// cached hashes against fresh ones.
func (p *person) checkTree() {
	p.t.Helper()
	tree := p.group.tree
	fresh := newTree(tree.suite, tree.size())
	copy(fresh.nodes, tree.nodes)
	if err := fresh.check(p.group.context.groupID, nil); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
	for x := range tree.nodes {
		if tree.hashes[x] != nil && !bytes.Equal(tree.hashes[x], fresh.hash(nodeIndex(x))) {
			p.t.Fatalf("%s: the hash of node %d is stale", p.name, x)
		}
	}
	var path []nodeIndex
	for x := range p.group.keys {
		if !x.isLeaf() {
			path = append(path, x)
		}
	}
	if !slices.ContainsFunc(path, func(x nodeIndex) bool { return !x.covers(p.group.own) }) {
		return
	}
	p.t.Fatalf("%s holds keys of nodes %v", p.name, path)
}
