package mls

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// A workshop makes objects that are validly signed and encrypted, and wrong in
// one point.
type workshop struct {
	*room
	forger *Group // of members[0]
}

func newWorkshop(t testing.TB, n int) *workshop {
	r := newRoom(t, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, n)
	return &workshop{r, r.members[0].group}
}

// send signs and encrypts content by the forger's keys. Changes are applied at
// once: the forger stores nothing.
func (w *workshop) send(c content) []byte {
	w.t.Helper()
	return w.sendContent(w.forger.newContent([]byte("aad"), c))
}

func (w *workshop) sendContent(a *authenticatedContent) []byte {
	w.t.Helper()
	a.sign(w.forger.signature, w.forger.encodedContext)
	m, c, err := w.forger.protect(a)
	if err != nil {
		w.t.Fatal(err)
	}
	w.forger.secrets.apply(c)
	return m
}

func (w *workshop) propose(p *proposal) []byte {
	return w.send(content{kind: Proposal, proposal: p})
}

// leaf is the forger's leaf with a fresh key, changed by change, and signed.
func (w *workshop) leaf(source leafSource, change func(*leafNode)) *leafNode {
	g := w.forger
	n := *g.tree.leaf(g.own)
	n.encryptionKey, n.source, n.parentHash = g.suite.generateKeyPair().public, source, nil
	change(&n)
	return n.sign(g.signature, g.context.groupID, g.own)
}

// forgery says in what a commit is to be wrong.
type forgery struct {
	proposals []proposalOrRef
	noPath    bool
	signer    *SignatureKey                                 // of the path's leaf, the forger's if nil
	keys      func(keys [][]byte)                           // of the path, before they are merged
	leaf      func(n *leafNode)                             // before it is signed
	signed    func(n *leafNode)                             // after
	nodes     func(nodes []updatePathNode) []updatePathNode // after encryption
	tag       func(tag []byte) []byte
}

// commit makes a commit by the forger. With a list of proposals that can't be
// applied its path is made for the tree as it is.
func (w *workshop) commit(f forgery) []byte {
	w.t.Helper()
	g := w.forger
	c, err := g.applyProposals(g.own, f.proposals)
	if err != nil {
		c = &StagedCommit{group: g, tree: g.tree.clone(), committer: g.own}
	}
	made := &commit{proposals: f.proposals}
	commitSecret := g.suite.zero()
	if !f.noPath {
		made.path, commitSecret = w.path(c, f)
	}
	a := g.newContent([]byte("aad"), contentOf(made))
	a.sign(g.signature, g.encodedContext)
	context := c.provisional()
	context.confirmedTranscriptHash = g.suite.confirmedHash(g.interim(), a)
	member := g.suite.memberSecret(g.suite.joinerSecret(g.epoch.init, commitSecret, context.encode()), g.suite.zero())
	_, _, confirmation := g.suite.deriveEpoch(g.suite.epochSecret(member, context.encode()))
	a.auth.confirmationTag = g.suite.mac(confirmation, context.confirmedTranscriptHash)
	if f.tag != nil {
		a.auth.confirmationTag = f.tag(a.auth.confirmationTag)
	}
	m, step, err := g.protect(a)
	if err != nil {
		w.t.Fatal(err)
	}
	g.secrets.apply(step)
	return m
}

func (w *workshop) path(c *StagedCommit, f forgery) (*updatePath, []byte) {
	g := w.forger
	path := c.tree.filteredPath(g.own)
	secrets, pairs, commitSecret := g.suite.pathKeys(randomBytes(g.suite.nh), len(path))
	keys := make([][]byte, len(pairs))
	for i := range pairs {
		keys[i] = pairs[i].public
	}
	if f.keys != nil {
		f.keys(keys)
	}
	for i := range pairs {
		pairs[i].public = keys[i]
	}
	leaf := *g.tree.leaf(g.own)
	leaf.encryptionKey, leaf.source = g.suite.generateKeyPair().public, sourceCommit
	leaf.parentHash = c.tree.mergePath(g.own, path, keys)
	if f.leaf != nil {
		f.leaf(&leaf)
	}
	signer := g.signature
	if f.signer != nil {
		signer, leaf.signatureKey = f.signer, f.signer.public
	}
	leaf.sign(signer, g.context.groupID, g.own)
	if f.signed != nil {
		f.signed(&leaf)
		leaf.raw = leaf.encode()
	}
	c.tree.set(g.own.node(), node{leaf: &leaf})
	context := c.provisional()
	nodes := must(c.tree.encryptPath(path, secrets, pairs, c.added, context.encode()))(w.t)
	if f.nodes != nil {
		nodes = f.nodes(nodes)
	}
	return &updatePath{&leaf, nodes}, commitSecret
}

// refused lets p open a message that is authentic and breaks a rule. The state
// afterwards is the state before with the keys of the message gone.
func (w *workshop) refused(p *person, message []byte, want string) {
	w.t.Helper()
	opened, d, err := p.group.Open(message)
	var refused *RefusedError
	if !errors.As(err, &refused) || opened != nil || !strings.Contains(err.Error(), want) {
		w.t.Fatalf("%s got %v, want a refusal for %q", p.name, err, want)
	}
	if refused.Sender != w.forger.own || d.Empty() {
		w.t.Errorf("refused: sender %d, delta empty %v", refused.Sender, d.Empty())
	}
	for _, r := range d.Put {
		if r.Key[0] != tagSecret && r.Key[0] != tagRatchet && r.Key[0] != tagSkipped {
			w.t.Errorf("a refused message changed record %q", r.Key)
		}
	}
	p.save(d)
	p.checkStore()
}

// failed lets p open a message that is not even authentic: nothing changes.
func (w *workshop) failed(p *person, message []byte, want error) {
	w.t.Helper()
	opened, d, err := p.group.Open(message)
	if !errors.Is(err, want) || opened != nil || !d.Empty() {
		w.t.Fatalf("%s got %v, delta empty %v, want %v", p.name, err, d.Empty(), want)
	}
	p.checkStore()
}

func byValue(list ...*proposal) (refs []proposalOrRef) {
	for _, p := range list {
		refs = append(refs, proposalOrRef{proposal: p})
	}
	return refs
}

func remove(l LeafIndex) *proposal { return &proposal{kind: proposalRemove, remove: l} }

func add(kp *KeyPackage) *proposal { return &proposal{kind: proposalAdd, add: kp} }

// forgedKeyPackage is a key package that is changed before its leaf and itself
// are signed.
func forgedKeyPackage(t testing.TB, s CipherSuite, changeLeaf func(*leafNode), change func(*KeyPackage)) *KeyPackage {
	t.Helper()
	sig := must(GenerateSignatureKey(s))(t)
	kp, _, err := NewKeyPackage(s, []byte("forged"), sig, testLife)
	if err != nil {
		t.Fatal(err)
	}
	leaf := *kp.leaf
	if changeLeaf != nil {
		changeLeaf(&leaf)
	}
	kp.leaf = leaf.sign(sig, nil, 0)
	if change != nil {
		change(kp)
	}
	kp.signature = sig.signWithLabel("KeyPackageTBS", kp.tbs())
	kp.raw = kp.encode()
	return kp
}

// likeMember is a key package with the signature key of a member.
func (w *workshop) likeMember(p *person) *KeyPackage {
	kp, sig := forgedKeyPackage(w.t, w.suite, nil, nil), p.group.signature
	leaf := *kp.leaf
	leaf.signatureKey = sig.public
	kp.leaf = leaf.sign(sig, nil, 0)
	kp.signature = sig.signWithLabel("KeyPackageTBS", kp.tbs())
	kp.raw = kp.encode()
	return kp
}

// TestWorkshop: what the workshop makes is good where nothing is to be wrong.
func TestWorkshop(t *testing.T) {
	seedRandom(t)
	w := newWorkshop(t, 5)
	opened, _, err := w.members[1].group.Open(w.propose(&proposal{kind: proposalUpdate, update: w.leaf(sourceUpdate, func(*leafNode) {})}))
	if err != nil || opened.Proposal.Update == nil {
		t.Fatal(err)
	}
	kp := forgedKeyPackage(t, w.suite, nil, nil)
	if err := kp.Validate(); err != nil {
		t.Fatal(err)
	}
	w = newWorkshop(t, 5)
	m := w.commit(forgery{proposals: byValue(add(kp), remove(3))})
	for _, p := range w.members[1:] {
		p.follow(m)
	}
	if a, b := w.members[1].group, w.members[4].group; !bytes.Equal(a.EpochAuthenticator(), b.EpochAuthenticator()) || len(a.Members()) != 5 {
		t.Error("the others are in different states")
	}
}
