package mls

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"testing"
	"testing/cryptotest"
)

// person is a member with the records that it has stored.
type person struct {
	t     testing.TB
	name  string
	group *Group
	store map[string][]byte
}

var testLife = Lifetime{1_700_000_000, 1_700_000_000 + 90*24*3600}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (p *person) save(d Delta) { d.Apply(p.store) }

// saveAll stores a group that is new to p.
func (p *person) saveAll() {
	p.store = map[string][]byte{}
	Delta{Put: p.group.State()}.Apply(p.store)
}

func pairs(store map[string][]byte) []Pair {
	var list []Pair
	for key, value := range store {
		list = append(list, Pair{key, value})
	}
	return list
}

// checkStore holds the stored records against the group in memory: the Deltas
// led to what State gives, and Load to a group with that same State.
func (p *person) checkStore() {
	p.t.Helper()
	same := func(what string, list []Pair) {
		p.t.Helper()
		if len(list) != len(p.store) {
			p.t.Fatalf("%s: %s has %d records, %d are stored", p.name, what, len(list), len(p.store))
		}
		for _, r := range list {
			if !bytes.Equal(p.store[r.Key], r.Value) {
				p.t.Fatalf("%s: %s has another record %q than is stored", p.name, what, r.Key)
			}
		}
	}
	same("memory", p.group.State())
	loaded, err := Load(pairs(p.store))
	if err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
	same("the loaded group", loaded.State())
}

// reload replaces the group by what its records give.
func (p *person) reload() {
	p.t.Helper()
	p.checkStore()
	p.group = must(Load(pairs(p.store)))(p.t)
}

func newPerson(t testing.TB, name string) *person { return &person{t: t, name: name} }

func (p *person) found(s CipherSuite) *person {
	p.t.Helper()
	sig := must(GenerateSignatureKey(s))(p.t)
	p.group = must(NewGroup(s, []byte("the group"), []byte(p.name), sig, testLife))(p.t)
	p.saveAll()
	return p
}

func keyPackage(t testing.TB, s CipherSuite, name string) (*KeyPackage, *KeyPackageSecrets) {
	t.Helper()
	kp, secrets, err := NewKeyPackage(s, []byte(name), must(GenerateSignatureKey(s))(t), testLife)
	if err != nil {
		t.Fatal(err)
	}
	return kp, secrets
}

// room is a group as all its members have it.
type room struct {
	t       testing.TB
	suite   CipherSuite
	members []*person
}

var seed = flag.Uint64("seed", 1, "what the randomness of the tests starts from")

// seedRandom makes the rest of a test repeatable: all randomness comes from the
// seed and the test's name. Benchmarks and fuzzers keep the system's.
func seedRandom(tb testing.TB) uint64 {
	h := fnv.New64a()
	h.Write([]byte(tb.Name()))
	from := h.Sum64() ^ *seed
	if t, ok := tb.(*testing.T); ok {
		t.Logf("-seed %d", *seed)
		cryptotest.SetGlobalRandom(t, from)
	}
	return from
}

func newRoom(t testing.TB, s CipherSuite, n int) *room {
	t.Helper()
	r := &room{t, s, []*person{newPerson(t, "0").found(s)}}
	for i := 1; i < n; i++ {
		r.add(r.members[len(r.members)-1], fmt.Sprint(i))
	}
	return r
}

// commit lets by commit to content, everybody else enter, and whom it adds join.
func (r *room) commit(by *person, content CommitContent, secrets ...*KeyPackageSecrets) {
	r.t.Helper()
	pending, d, err := by.group.Stage([]byte("aad"), content)
	if err != nil {
		r.t.Fatal(err)
	}
	by.save(d)
	pending = must(ParsePendingCommit(pending.Marshal()))(r.t)
	stay := []*person{}
	for _, p := range r.members {
		if p == by {
			p.save(must(p.group.Merge(pending))(r.t))
		} else if !p.follow(pending.Message) {
			continue
		}
		stay = append(stay, p)
	}
	r.members = stay
	for _, k := range secrets {
		k = must(ParseKeyPackageSecrets(k.Marshal()))(r.t)
		p := newPerson(r.t, string(k.KeyPackage().Identity()))
		p.group = must(Join(pending.Welcome, k))(r.t)
		p.saveAll()
		r.members = append(r.members, p)
	}
	r.check()
}

// follow opens a commit and enters it; false if p is removed by it.
func (p *person) follow(message []byte) bool {
	p.t.Helper()
	opened, d, err := p.group.Open(message)
	if err != nil {
		p.t.Fatalf("%s opens: %v", p.name, err)
	}
	p.save(d)
	d, err = p.group.Enter(opened.Commit)
	if opened.Commit.RemovesMe() {
		if !errors.Is(err, ErrRemoved) {
			p.t.Fatalf("%s was removed and got %v", p.name, err)
		}
		return false
	}
	if err != nil {
		p.t.Fatalf("%s enters: %v", p.name, err)
	}
	p.save(d)
	return true
}

func (r *room) add(by *person, names ...string) {
	r.t.Helper()
	var content CommitContent
	var secrets []*KeyPackageSecrets
	for _, name := range names {
		kp, k := keyPackage(r.t, r.suite, name)
		content.Adds = append(content.Adds, must(ParseKeyPackage(kp.Marshal()))(r.t))
		secrets = append(secrets, k)
	}
	r.commit(by, content, secrets...)
}

// check compares the members.
func (r *room) check() {
	r.t.Helper()
	first := r.members[0].group
	for _, p := range r.members {
		g := p.group
		if g.Epoch() != first.Epoch() || !bytes.Equal(g.EpochAuthenticator(), first.EpochAuthenticator()) ||
			!bytes.Equal(g.ConfirmationTag(), first.ConfirmationTag()) {
			r.t.Fatalf("%s and %s are in different states", p.name, r.members[0].name)
		}
		if len(g.Members()) != len(r.members) {
			r.t.Fatalf("%s counts %d members, there are %d", p.name, len(g.Members()), len(r.members))
		}
		p.checkStore()
	}
	if a, b := must(first.Export("x", []byte("y"), 40))(r.t), must(r.members[len(r.members)-1].group.Export("x", []byte("y"), 40))(r.t); !bytes.Equal(a, b) {
		r.t.Fatal("exports differ")
	}
}

// say sends a message from one to all others.
func (r *room) say(from *person, text string) {
	r.t.Helper()
	m, d, err := from.group.Seal([]byte("aad"), []byte(text))
	if err != nil {
		r.t.Fatal(err)
	}
	from.save(d)
	for _, p := range r.members {
		opened, d, err := p.group.Open(m)
		if p == from {
			if !errors.Is(err, ErrOwnMessage) {
				r.t.Fatalf("%s opens its own message: %v", p.name, err)
			}
			continue
		}
		if err != nil {
			r.t.Fatalf("%s opens: %v", p.name, err)
		}
		p.save(d)
		p.checkStore()
		if opened.Kind != Application || string(opened.Application) != text || string(opened.AAD) != "aad" || opened.Sender != from.group.OwnLeaf() {
			r.t.Fatalf("%s reads %q from %d", p.name, opened.Application, opened.Sender)
		}
		if _, d, err := p.group.Open(m); !errors.Is(err, ErrConsumed) || !d.Empty() {
			r.t.Fatalf("%s opens again: %v", p.name, err)
		}
	}
}

// update lets p propose fresh keys, and all others keep the proposal.
func (r *room) update(p *person, sig *SignatureKey) []byte {
	r.t.Helper()
	staged, d, err := p.group.StageUpdate([]byte("aad"), sig)
	if err != nil {
		r.t.Fatal(err)
	}
	p.save(d)
	p.reload()
	staged = must(ParsePendingUpdate(staged.Marshal()))(r.t)
	m := staged.Message
	p.save(must(p.group.Propose(staged))(r.t))
	for _, q := range r.members {
		if q == p {
			continue
		}
		opened, d, err := q.group.Open(m)
		if err != nil {
			r.t.Fatalf("%s opens: %v", q.name, err)
		}
		q.save(d)
		if opened.Kind != Proposal || opened.Proposal.Update == nil || opened.Proposal.Update.Leaf != p.group.OwnLeaf() {
			r.t.Fatalf("%s sees %+v", q.name, opened.Proposal)
		}
	}
	return m
}

func forSuites(t *testing.T, f func(t *testing.T, s CipherSuite)) {
	for _, s := range Suites() {
		t.Run(s.String(), func(t *testing.T) {
			seedRandom(t)
			f(t, s)
		})
	}
}

// TestLife takes a group of every suite through what the product does.
func TestLife(t *testing.T) {
	forSuites(t, func(t *testing.T, s CipherSuite) {
		r := newRoom(t, s, 1)
		r.commit(r.members[0], CommitContent{})
		r.add(r.members[0], "1", "2", "3")
		r.add(r.members[2], "4")
		for _, p := range r.members {
			r.say(p, "from "+p.name)
			p.reload()
		}
		fresh := must(GenerateSignatureKey(s))(t)
		r.update(r.members[1], fresh)
		r.update(r.members[3], nil)
		r.members[1].reload()
		r.members[0].reload()
		r.commit(r.members[0], CommitContent{})
		if got := r.members[1].group.SignatureKey(); !bytes.Equal(got.Bytes(), fresh.Bytes()) {
			t.Error("the new signature key is not in use")
		}
		r.say(r.members[1], "with a new key")
		mine := must(GenerateSignatureKey(s))(t)
		r.commit(r.members[4], CommitContent{Removes: []LeafIndex{1}, NewSignature: mine})
		r.say(r.members[3], "with my new key")
		r.add(r.members[1], "5", "6")
		r.commit(r.members[2], CommitContent{Removes: []LeafIndex{4, 5, 2}})
		r.say(r.members[0], "the end")
	})
}
