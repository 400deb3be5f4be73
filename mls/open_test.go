package mls

import (
	"bytes"
	"errors"
	"testing"

	"parley/internal/wire"
)

// TestMessageRules is RFC 9420 §6: what is not authentic changes nothing.
func TestMessageRules(t *testing.T) {
	seedRandom(t)
	w := newWorkshop(t, 4)
	p := w.members[1]
	g := w.forger
	send := func() []byte { return w.send(content{kind: Application, application: []byte("text")}) }

	signature := func(sign func(a *authenticatedContent)) []byte {
		a := g.newContent(nil, content{kind: Application})
		sign(a)
		m, c, err := g.protect(a)
		if err != nil {
			t.Fatal(err)
		}
		g.secrets.apply(c)
		return m
	}
	w.failed(p, signature(func(a *authenticatedContent) { a.auth.signature = make([]byte, 64) }), ErrInvalid)
	w.failed(p, signature(func(a *authenticatedContent) { a.sign(w.members[2].group.signature, g.encodedContext) }), ErrInvalid)
	w.failed(p, signature(func(a *authenticatedContent) { a.sign(g.signature, []byte("another context")) }), ErrInvalid)
	w.failed(p, signature(func(a *authenticatedContent) { // §6.1: the wire format is signed
		a.format = formatPublic
		a.sign(g.signature, g.encodedContext)
		a.format = formatPrivate
	}), ErrInvalid)

	for name, change := range map[string]func(m *privateMessage){
		"ciphertext":  func(m *privateMessage) { m.ciphertext[len(m.ciphertext)-1] ^= 1 },
		"sample":      func(m *privateMessage) { m.ciphertext[0] ^= 1 },
		"sender data": func(m *privateMessage) { m.senderData[0] ^= 1 },
		"aad":         func(m *privateMessage) { m.aad = append(m.aad, 1) },
		"kind":        func(m *privateMessage) { m.kind = Proposal },
		"empty":       func(m *privateMessage) { m.ciphertext = nil },
	} {
		m := must(parsePrivate(send()))(t)
		change(m)
		t.Run(name, func(t *testing.T) {
			w.failed(p, (&message{format: formatPrivate, private: m}).marshal(), ErrUndecryptable)
		})
	}
	m := must(parsePrivate(send()))(t)
	m.groupID = []byte("another")
	w.failed(p, (&message{format: formatPrivate, private: m}).marshal(), ErrWrongGroup)
	for _, epoch := range []uint64{g.context.epoch - 1, g.context.epoch + 1} {
		m.groupID, m.epoch = g.context.groupID, epoch
		_, d, err := p.group.Open((&message{format: formatPrivate, private: m}).marshal())
		var wrong *EpochError
		if !errors.As(err, &wrong) || *wrong != (EpochError{g.context.epoch, epoch}) || !d.Empty() {
			t.Errorf("epoch %d: %v", epoch, err)
		}
	}
	whole := send()
	w.failed(p, whole[:len(whole)-1], ErrMalformed)
	w.failed(p, append(bytes.Clone(whole), 0), ErrMalformed)
	w.failed(p, nil, ErrMalformed)
	w.failed(p, make([]byte, maxMessage+1), ErrTooLarge)
	w.failed(p, messageHeader(9), ErrUnsupported)
	w.failed(p, append(wire.AppendU16(nil, 2), whole[2:]...), ErrUnsupported)
	public := &publicMessage{framedContent: g.newContent(nil, content{kind: Application}).framedContent}
	w.failed(p, (&message{format: formatPublic, public: public}).marshal(), ErrUnsupported)
}

// sealed makes a message by the forger with chosen plaintext and sender data.
func (w *workshop) sealed(plaintext []byte, leaf LeafIndex, generation uint32) []byte {
	w.t.Helper()
	g := w.forger
	keys, _, err := copyGroup(g).secrets.next(g.own, ratchetApplication)
	if err != nil {
		w.t.Fatal(err)
	}
	m := &privateMessage{groupID: g.context.groupID, epoch: g.context.epoch, kind: Application}
	data := senderData{leaf: leaf, generation: generation}
	m.ciphertext = g.suite.seal(keys.key, data.guard(keys.nonce), m.contentAAD(), plaintext)
	key, nonce := g.suite.senderDataKeys(g.epoch.senderData, m.ciphertext)
	m.senderData = g.suite.seal(key, nonce, m.senderDataAAD(), data.appendTo(nil))
	return (&message{format: formatPrivate, private: m}).marshal()
}

// TestPlaintextRules is RFC 9420 §6.3: padding, sender, generation.
func TestPlaintextRules(t *testing.T) {
	seedRandom(t)
	w := newWorkshop(t, 3)
	p, g := w.members[1], w.forger
	a := g.newContent(nil, content{kind: Application, application: []byte("text")})
	a.sign(g.signature, g.encodedContext)
	plain := a.auth.appendTo(a.content.appendTo(nil), Application)
	padded := append(bytes.Clone(plain), make([]byte, 100)...)

	w.failed(p, w.sealed(append(bytes.Clone(padded), 1), 0, 0), ErrMalformed)
	w.failed(p, w.sealed(append(append(bytes.Clone(plain), 1), make([]byte, 9)...), 0, 0), ErrMalformed)
	w.failed(p, w.sealed(plain[:len(plain)-1], 0, 0), ErrMalformed)
	w.failed(p, w.sealed(nil, 0, 0), ErrMalformed)
	w.failed(p, w.sealed(padded, 3, 0), ErrInvalid)       // a blank leaf
	w.failed(p, w.sealed(padded, 1<<31, 0), ErrInvalid)   // none at all
	w.failed(p, w.sealed(padded, 2, 0), ErrUndecryptable) // another's
	w.failed(p, w.sealed(padded, 0, maxForward+1), ErrTooFar)
	w.failed(p, w.sealed(padded, 0, 1<<32-1), ErrTooFar)
	w.failed(p, w.sealed(padded, 0, 1), ErrUndecryptable)
	opened, _, err := p.group.Open(w.sealed(padded, 0, 0))
	if err != nil || string(opened.Application) != "text" {
		t.Errorf("a padded message: %v", err)
	}
}

// TestOldCopy: a member whose state is an old copy learns it from a message of
// its own that it does not know.
func TestOldCopy(t *testing.T) {
	seedRandom(t)
	r := newRoom(t, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, 3)
	p := r.members[1]
	p.reload()
	old := must(Load(pairs(p.store)))(t)
	m, _, err := p.group.Seal(nil, []byte("forgotten"))
	if err != nil {
		t.Fatal(err)
	}
	if _, d, err := old.Open(m); !errors.Is(err, ErrOwnAhead) || !d.Empty() {
		t.Errorf("an own message that is not known: %v", err)
	}
	if _, _, err := p.group.Open(m); !errors.Is(err, ErrOwnMessage) {
		t.Errorf("an own message that is known: %v", err)
	}
	tampered := must(parsePrivate(m))(t)
	tampered.ciphertext[40] ^= 1
	if _, _, err := old.Open((&message{format: formatPrivate, private: tampered}).marshal()); !errors.Is(err, ErrUndecryptable) {
		t.Errorf("a forged own message: %v", err)
	}
}

// TestStale: commits are entered and merged only in the state they are for.
func TestStale(t *testing.T) {
	seedRandom(t)
	r := newRoom(t, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, 3)
	a, b, c := r.members[0].group, r.members[1].group, r.members[2].group
	mine, _, err := a.Stage(nil, CommitContent{})
	if err != nil {
		t.Fatal(err)
	}
	theirs, _, err := b.Stage(nil, CommitContent{})
	if err != nil {
		t.Fatal(err)
	}
	first, _, err := c.Open(mine.Message)
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := c.Open(theirs.Message)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Enter(first.Commit); !errors.Is(err, ErrStale) {
		t.Errorf("another's staged commit: %v", err)
	}
	if _, err := b.Merge(mine); !errors.Is(err, ErrStale) {
		t.Errorf("another's pending commit: %v", err)
	}
	must(c.Enter(second.Commit))(t)
	if _, err := c.Enter(first.Commit); !errors.Is(err, ErrStale) {
		t.Errorf("a commit that lost: %v", err)
	}
	if _, err := c.Enter(second.Commit); !errors.Is(err, ErrStale) {
		t.Errorf("a commit twice: %v", err)
	}
	opened, _, err := a.Open(theirs.Message)
	if err != nil {
		t.Fatal(err)
	}
	must(a.Enter(opened.Commit))(t)
	if _, err := a.Merge(mine); !errors.Is(err, ErrStale) {
		t.Errorf("an own commit that lost: %v", err)
	}
	if !bytes.Equal(a.EpochAuthenticator(), c.EpochAuthenticator()) {
		t.Error("the two who followed are in different states")
	}
}

// TestStaged: a staged commit says what it does.
func TestStaged(t *testing.T) {
	seedRandom(t)
	r := newRoom(t, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, 5)
	fresh := must(GenerateSignatureKey(r.suite))(t)
	mine := must(GenerateSignatureKey(r.suite))(t)
	r.update(r.members[3], fresh)
	kp, _ := keyPackage(t, r.suite, "new")
	p, _, err := r.members[0].group.Stage([]byte("aad"), CommitContent{Adds: []*KeyPackage{kp}, Removes: []LeafIndex{2}, NewSignature: mine})
	if err != nil {
		t.Fatal(err)
	}
	for i, member := range r.members[1:] {
		opened, _, err := member.group.Open(p.Message)
		if err != nil {
			t.Fatal(err)
		}
		c := opened.Commit
		if opened.Kind != Commit || opened.Sender != 0 || string(opened.AAD) != "aad" || !c.HasPath() {
			t.Errorf("opened %v from %d", opened.Kind, opened.Sender)
		}
		if m := c.Committer(); m.Leaf != 0 || !bytes.Equal(m.SignatureKey, mine.Public()) || string(m.Identity) != "0" {
			t.Errorf("committer %v", m)
		}
		if a := c.Added(); len(a) != 1 || a[0].Leaf != 2 || string(a[0].Identity) != "new" || !bytes.Equal(c.Adds()[0].Ref(), kp.Ref()) {
			t.Errorf("added %v", a)
		}
		if u := c.Updates(); len(u) != 1 || u[0].Leaf != 3 || !bytes.Equal(u[0].SignatureKey, fresh.Public()) {
			t.Errorf("updates %v", u)
		}
		if l := c.Removes(); len(l) != 1 || l[0] != 2 || c.RemovesMe() != (i+1 == 2) {
			t.Errorf("removes %v, me %v", l, c.RemovesMe())
		}
	}
}

// TestDrop: a proposal that all drop is no longer there for a commit.
func TestDrop(t *testing.T) {
	seedRandom(t)
	r := newRoom(t, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, 3)
	r.update(r.members[1], nil)
	ref := bytes.Clone(r.members[0].group.pending[0].ref)
	p, d, err := r.members[0].group.Stage(nil, CommitContent{})
	if err != nil || len(p.content.commit.proposals) != 1 {
		t.Fatalf("the update is not gathered: %v", err)
	}
	r.members[0].save(d)
	for _, m := range r.members {
		d := m.group.Drop(ref)
		if len(d.Delete) != 1 || len(d.Put) != 0 {
			t.Errorf("dropping changed %d records", len(d.Delete)+len(d.Put))
		}
		m.save(d)
		m.checkStore()
		if !m.group.Drop(ref).Empty() {
			t.Error("dropped twice")
		}
	}
	var refused *RefusedError
	if _, _, err := r.members[2].group.Open(p.Message); !errors.As(err, &refused) {
		t.Errorf("a commit of what was dropped: %v", err)
	}
	if q, _, err := r.members[0].group.Stage(nil, CommitContent{}); err != nil || len(q.content.commit.proposals) != 0 {
		t.Errorf("a dropped update is gathered: %v", err)
	}
}

// TestPeek reads the header without keys.
func TestPeek(t *testing.T) {
	seedRandom(t)
	r := newRoom(t, Hybrid, 2)
	m, _, err := r.members[0].group.Seal([]byte("the box"), []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	h := must(Peek(m))(t)
	if string(h.AAD) != "the box" || h.Kind != Application || h.Epoch != 1 || string(h.GroupID) != "the group" {
		t.Errorf("header %+v", h)
	}
	kp, _ := keyPackage(t, Hybrid, "x")
	if _, err := Peek(kp.Marshal()); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a key package: %v", err)
	}
}

// TestWrongArguments: what a caller gives is checked as well, and changes
// nothing where it is wrong.
func TestWrongArguments(t *testing.T) {
	seedRandom(t)
	const s = MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519
	r := newRoom(t, s, 3)
	p := r.members[0]
	otherKey := must(GenerateSignatureKey(Hybrid))(t)
	taken := r.members[1].group.signature
	kp, _ := keyPackage(t, s, "new")
	for name, f := range map[string]func() error{
		"group key":        func() error { _, err := NewGroup(s, nil, nil, otherKey, testLife); return err },
		"group lifetime":   func() error { _, err := NewGroup(s, nil, nil, taken, Lifetime{2, 1}); return err },
		"group id":         func() error { _, err := NewGroup(s, make([]byte, maxOpaque+1), nil, taken, testLife); return err },
		"identity":         func() error { _, err := NewGroup(s, nil, make([]byte, maxIdentity+1), taken, testLife); return err },
		"suite 4":          func() error { _, err := NewGroup(4, nil, nil, taken, testLife); return err },
		"key of suite 4":   func() error { _, err := GenerateSignatureKey(4); return err },
		"no key":           func() error { _, _, err := NewKeyPackage(s, nil, nil, testLife); return err },
		"update key":       func() error { _, _, err := p.group.StageUpdate(nil, otherKey); return err },
		"another's update": func() error { _, _, err := p.group.StageUpdate(nil, taken); return err },
		"new key":          func() error { _, _, err := p.group.Stage(nil, CommitContent{NewSignature: otherKey}); return err },
		"another's key":    func() error { _, _, err := p.group.Stage(nil, CommitContent{NewSignature: taken}); return err },
		"removes me":       func() error { _, _, err := p.group.Stage(nil, CommitContent{Removes: []LeafIndex{0}}); return err },
		"removes nobody":   func() error { _, _, err := p.group.Stage(nil, CommitContent{Removes: []LeafIndex{3}}); return err },
		"adds twice":       func() error { _, _, err := p.group.Stage(nil, CommitContent{Adds: []*KeyPackage{kp, kp}}); return err },
		"long message":     func() error { _, _, err := p.group.Seal(nil, make([]byte, maxMessage)); return err },
		"long export":      func() error { _, err := p.group.Export("x", nil, maxExport+1); return err },
		"negative export":  func() error { _, err := p.group.Export("x", nil, -1); return err },
	} {
		t.Run(name, func(t *testing.T) {
			if err := f(); err == nil {
				t.Error("it was taken")
			}
			p.checkStore()
		})
	}
}

// TestAccessors: what a key package and a group say of themselves.
func TestAccessors(t *testing.T) {
	forSuites(t, func(t *testing.T, s CipherSuite) {
		sig := must(GenerateSignatureKey(s))(t)
		kp, secrets, err := NewKeyPackage(s, []byte("name"), sig, testLife)
		if err != nil {
			t.Fatal(err)
		}
		kp = must(ParseKeyPackage(kp.Marshal()))(t)
		if kp.Suite() != s || string(kp.Identity()) != "name" || kp.Lifetime() != testLife || !bytes.Equal(kp.SignatureKey(), sig.Public()) ||
			!bytes.Equal(kp.Ref(), secrets.KeyPackage().Ref()) || kp.Validate() != nil {
			t.Errorf("a key package of %v says otherwise", s)
		}
		g := must(NewGroup(s, []byte("id"), []byte("name"), sig, testLife))(t)
		m := g.Members()
		if g.Suite() != s || string(g.GroupID()) != "id" || g.Epoch() != 0 || g.OwnLeaf() != 0 || len(m) != 1 ||
			string(m[0].Identity) != "name" || !bytes.Equal(m[0].SignatureKey, sig.Public()) {
			t.Errorf("a group of %v says otherwise", s)
		}
	})
	unknown := *must(ParseKeyPackage(func() []byte { kp, _ := keyPackage(t, Hybrid, "x"); return kp.Marshal() }()))(t)
	unknown.suite = 4
	if unknown.Ref() != nil || !errors.Is(unknown.Validate(), ErrUnsupported) {
		t.Error("a key package of suite 4 was taken")
	}
}
