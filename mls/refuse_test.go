package mls

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// lowOrderKey is a public key that every secret shared with is zero.
var lowOrderKey = append([]byte{1}, make([]byte, 31)...)

// leafFaults are leaves that RFC 9420 §7.2 and §7.3 forbid, wherever they come.
var leafFaults = []struct {
	name   string
	change func(*leafNode)
	want   string
}{
	{"encryption key of low order", func(n *leafNode) { n.encryptionKey = lowOrderKey }, "low order"},
	{"encryption key too short", func(n *leafNode) { n.encryptionKey = make([]byte, 31) }, "encryption key of 31 bytes"},
	{"signature key too short", func(n *leafNode) { n.signatureKey = n.signatureKey[:31] }, "signature key of 31 bytes"},
	{"another's signature key", func(n *leafNode) { n.signatureKey = bytes.Repeat([]byte{9}, 32) }, "signature of a leaf node"},
	{"no version", func(n *leafNode) { n.capabilities.versions = nil }, "capabilities without"},
	{"another suite", func(n *leafNode) { n.capabilities.suites = []uint16{2} }, "capabilities without"},
	{"own credential type not listed", func(n *leafNode) { n.capabilities.credentials = []uint16{credentialX509} }, "own credential type"},
	{"X.509 credential", func(n *leafNode) {
		n.credential = credential{kind: credentialX509, certificates: [][]byte{{1}}}
	}, "credential type 2"},
	{"larger than any needs to be", func(n *leafNode) { n.extensions = []extension{{1, make([]byte, maxLeaf)}} }, "too large"},
	{"extension not listed", func(n *leafNode) { n.extensions = []extension{{0xF001, nil}} }, "leaf extension of type 61441"},
}

// TestKeyPackageRules is RFC 9420 §10.1, §7.2, §7.3.
func TestKeyPackageRules(t *testing.T) {
	seedRandom(t)
	const s = MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519
	check := func(name, want string, kp *KeyPackage) {
		t.Run(name, func(t *testing.T) {
			if err := kp.Validate(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
	for _, f := range leafFaults {
		check(f.name, f.want, forgedKeyPackage(t, s, f.change, nil))
	}
	check("source", "source 2", forgedKeyPackage(t, s, func(n *leafNode) { n.source = sourceUpdate }, nil))
	check("lifetime that ends first", "lifetime", forgedKeyPackage(t, s, func(n *leafNode) { n.lifetime = Lifetime{10, 9} }, nil))
	check("lifetime too long", "lifetime", forgedKeyPackage(t, s, func(n *leafNode) { n.lifetime = Lifetime{0, MaxLifetime + 1} }, nil))
	check("version", "version 2", forgedKeyPackage(t, s, nil, func(kp *KeyPackage) { kp.version = 2 }))
	check("suite of the leaf", "capabilities without", forgedKeyPackage(t, s, func(n *leafNode) { n.capabilities.suites = []uint16{3} }, nil))
	check("init key is the leaf's", "init key is the leaf's", forgedKeyPackage(t, s, nil, func(kp *KeyPackage) { kp.initKey = kp.leaf.encryptionKey }))
	check("init key of low order", "low order", forgedKeyPackage(t, s, nil, func(kp *KeyPackage) { kp.initKey = lowOrderKey }))
	check("extension of the package not listed", "extension of type 61441", forgedKeyPackage(t, s, nil, func(kp *KeyPackage) { kp.extensions = []extension{{0xF001, nil}} }))
	unsigned := forgedKeyPackage(t, s, nil, nil)
	unsigned.signature = make([]byte, 64)
	check("signature", "signature of a key package", unsigned)
	if err := forgedKeyPackage(t, s, func(n *leafNode) {
		n.extensions, n.capabilities.extensions = []extension{{0x0A0A, []byte{1}}}, []uint16{0x0A0A, 0xBABA}
	}, nil).Validate(); err != nil {
		t.Errorf("extensions and capabilities nobody knows: %v", err)
	}
}

// TestLowOrderKeys: each point of the table gives the all-zero secret, so that
// nobody could encrypt to it; in the hybrid suite too.
func TestLowOrderKeys(t *testing.T) {
	seedRandom(t)
	for _, id := range []CipherSuite{MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, Hybrid} {
		s, err := suiteOf(id)
		if err != nil {
			t.Fatal(err)
		}
		good := s.generateKeyPair().public
		for _, point := range lowOrderTable {
			for _, top := range []byte{0, 0x80} {
				key := append(bytes.Clone(good[:len(good)-32]), point...)
				key[len(key)-1] |= top
				if _, err := s.encryptWithLabel(key, "x", nil, nil); err == nil {
					t.Errorf("%v: %x can be encrypted to", id, point)
				}
				if s.checkPublicKey(key) == nil {
					t.Errorf("%v: %x was taken", id, point)
				}
			}
		}
		if err := s.checkPublicKey(good); err != nil {
			t.Error(err)
		}
	}
}

// TestProposalRules is RFC 9420 §12.1 for proposals that come by themselves.
func TestProposalRules(t *testing.T) {
	seedRandom(t)
	w := newWorkshop(t, 4)
	refuse := func(name, want string, p *proposal) {
		t.Run(name, func(t *testing.T) { w.refused(w.members[1], w.propose(p), want) })
	}
	update := func(n *leafNode) *proposal { return &proposal{kind: proposalUpdate, update: n} }
	for _, f := range leafFaults {
		refuse("update: "+f.name, f.want, update(w.leaf(sourceUpdate, f.change)))
	}
	refuse("update: another identity", "another credential", update(w.leaf(sourceUpdate, anotherIdentity)))
	g := w.forger
	refuse("update: source", "source 3", update(w.leaf(sourceCommit, func(n *leafNode) { n.parentHash = []byte{1} })))
	refuse("update: same key", "keeps its encryption key", update(w.leaf(sourceUpdate, func(n *leafNode) { n.encryptionKey = g.tree.leaf(g.own).encryptionKey })))
	refuse("update: another's encryption key", "encryption key that node", update(w.leaf(sourceUpdate, func(n *leafNode) { n.encryptionKey = g.tree.leaf(2).encryptionKey })))
	refuse("update: a parent's encryption key", "encryption key that node", update(w.leaf(sourceUpdate, func(n *leafNode) { n.encryptionKey = g.tree.nodes[g.tree.root()].key() })))
	other := *g.tree.leaf(g.own)
	other.encryptionKey, other.source = g.suite.generateKeyPair().public, sourceUpdate
	refuse("update: signed for another leaf", "signature of a leaf node", update(other.sign(g.signature, g.context.groupID, g.own+1)))
	other2 := other
	refuse("update: signed for another group", "signature of a leaf node", update(other2.sign(g.signature, []byte("another"), g.own)))
	// A member who knows another's private key: its signature key stays its own.
	stolen := *g.tree.leaf(g.own)
	stolen.encryptionKey, stolen.source = g.suite.generateKeyPair().public, sourceUpdate
	stolen.signatureKey = w.members[2].group.signature.public
	refuse("update: another's signature key", "signature key that leaf 2", update(stolen.sign(w.members[2].group.signature, g.context.groupID, g.own)))

	otherSuite, _ := keyPackage(t, MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519, "x")
	refuse("add: suite", "key package for", add(otherSuite))
	refuse("add: signature", "signature of a key package", add(func() *KeyPackage {
		kp := forgedKeyPackage(t, w.suite, nil, nil)
		kp.signature = make([]byte, 64)
		kp.raw = kp.encode()
		return kp
	}()))
	refuse("remove: blank leaf", "leaf 77", remove(77))
	for _, p := range unsupportedProposals() {
		refuse("unsupported", "not supported", p)
	}
	// The same without a fault is taken.
	kp, _ := keyPackage(t, w.suite, "new")
	for _, p := range []*proposal{update(w.leaf(sourceUpdate, func(*leafNode) {})), add(kp), remove(2)} {
		if _, _, err := w.members[1].group.Open(w.propose(p)); err != nil {
			t.Errorf("a good proposal of type %d: %v", p.kind, err)
		}
	}
}

// anotherIdentity renames a member.
func anotherIdentity(n *leafNode) { n.credential.identity = []byte("2") }

// unsupportedProposals are of the types that a group refuses.
func unsupportedProposals() []*proposal {
	return []*proposal{
		{kind: proposalPreSharedKey, psk: preSharedKeyID{kind: pskExternal, id: []byte("id"), nonce: make([]byte, 32)}},
		{kind: proposalReInit, reInit: reInit{groupID: []byte("g"), version: mls10, suite: 1}},
		{kind: proposalExternalInit, kemOutput: make([]byte, 32)},
		{kind: proposalGroupContextExtensions},
	}
}

// TestCopiedUpdate: a member who proposes the keys of another's Update can't
// keep anybody from committing.
func TestCopiedUpdate(t *testing.T) {
	seedRandom(t)
	w := newWorkshop(t, 4)
	victim, third := w.members[1], w.members[2]
	staged, d, err := victim.group.StageUpdate(nil, must(GenerateSignatureKey(w.suite))(t))
	if err != nil {
		t.Fatal(err)
	}
	victim.save(d)
	victim.save(must(victim.group.Propose(staged))(t))
	opened, d, err := third.group.Open(staged.Message)
	if err != nil {
		t.Fatal(err)
	}
	third.save(d)
	key := third.group.pending[0].proposal.update.encryptionKey
	copied := &proposal{kind: proposalUpdate, update: w.leaf(sourceUpdate, func(n *leafNode) { n.encryptionKey = key })}
	w.refused(third, w.propose(copied), "comes twice")

	// One who copies the key of a key package has its Update passed over.
	kp, _ := keyPackage(t, w.suite, "new")
	copied = &proposal{kind: proposalUpdate, update: w.leaf(sourceUpdate, func(n *leafNode) { n.encryptionKey = kp.leaf.encryptionKey })}
	if _, d, err = third.group.Open(w.propose(copied)); err != nil {
		t.Fatal(err)
	}
	third.save(d)
	p, _, err := third.group.Stage(nil, CommitContent{Adds: []*KeyPackage{kp}})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(p.content.commit.proposals); n != 2 || !bytes.Equal(p.content.commit.proposals[1].reference, opened.Proposal.Ref) {
		t.Errorf("the commit has %d proposals", n)
	}
}

func TestTooManyProposals(t *testing.T) {
	seedRandom(t)
	w := newWorkshop(t, 3)
	for range maxPending {
		if _, _, err := w.members[1].group.Open(w.propose(remove(2))); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := w.members[1].group.Open(w.propose(remove(2))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("one proposal too many: %v", err)
	}
}

// TestCommitRules is RFC 9420 §12.2 and §12.4.2: a commit is refused by all for
// what all can see.
func TestCommitRules(t *testing.T) {
	seedRandom(t)
	kp, _ := keyPackage(t, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, "new")
	twin := forgedKeyPackage(t, kp.suite, func(n *leafNode) { n.encryptionKey = kp.leaf.encryptionKey }, nil)
	var w *workshop
	update := func() *proposal {
		return &proposal{kind: proposalUpdate, update: w.leaf(sourceUpdate, func(*leafNode) {})}
	}
	treeKey := func(x nodeIndex) []byte { return w.forger.tree.nodes[x].key() }
	cases := []struct {
		name, want string
		forge      func() forgery
	}{
		{"update by the committer", "update by the committer", func() forgery { return forgery{proposals: byValue(update())} }},
		{"removal of the committer", "removal of the committer", func() forgery { return forgery{proposals: byValue(remove(0))} }},
		{"two removals", "two updates or removals", func() forgery { return forgery{proposals: byValue(remove(3), remove(3))} }},
		{"removal of a blank leaf", "leaf 9", func() forgery { return forgery{proposals: byValue(remove(9))} }},
		{"one added twice", "comes twice", func() forgery { return forgery{proposals: byValue(add(kp), add(kp))} }},
		{"two added with one encryption key", "comes twice", func() forgery { return forgery{proposals: byValue(add(kp), add(twin))} }},
		{"reference to nothing", "reference to a proposal", func() forgery { return forgery{proposals: []proposalOrRef{{reference: make([]byte, 32)}}} }},
		{"invalid key package", "signature of a key package", func() forgery {
			bad := *kp
			bad.signature = make([]byte, 64)
			bad.raw = bad.encode()
			return forgery{proposals: byValue(add(&bad))}
		}},
		{"no path, no proposals", "without a path", func() forgery { return forgery{noPath: true} }},
		{"no path for a removal", "without a path", func() forgery { return forgery{noPath: true, proposals: byValue(remove(3))} }},
		{"path leaf: source", "has source 2", func() forgery { return forgery{leaf: func(n *leafNode) { n.source, n.parentHash = sourceUpdate, nil }} }},
		{"path leaf: signature", "signature of a leaf node", func() forgery { return forgery{signed: func(n *leafNode) { n.signature = make([]byte, 64) }} }},
		{"path leaf: parent hash", "parent hash", func() forgery { return forgery{leaf: func(n *leafNode) { n.parentHash = make([]byte, 32) }} }},
		{"path leaf: another identity", "another credential", func() forgery { return forgery{leaf: anotherIdentity} }},
		{"added with the committer's signature key, no path", "signature key that leaf 0", func() forgery {
			return forgery{noPath: true, proposals: byValue(add(w.likeMember(w.members[0])))}
		}},
		{"added with the committer's signature key", "signature key that leaf", func() forgery {
			return forgery{proposals: byValue(add(w.likeMember(w.members[0])))}
		}},
		{"path leaf: another's signature key", "signature key that leaf 2", func() forgery {
			return forgery{signer: w.members[2].group.signature}
		}},
		{"a removed member's parting update", "two updates or removals", func() forgery {
			return forgery{proposals: append(byValue(remove(2)), proposalOrRef{reference: w.members[1].group.pending[0].ref})}
		}},
		{"update by the committer, referred to", "update by the committer", func() forgery {
			return forgery{proposals: []proposalOrRef{{reference: w.members[1].group.pending[1].ref}}}
		}},
		{"path leaf: its old key", "encryption key that node 0", func() forgery { return forgery{leaf: func(n *leafNode) { n.encryptionKey = treeKey(0) }} }},
		{"path leaf: another's key", "encryption key that node 4", func() forgery { return forgery{leaf: func(n *leafNode) { n.encryptionKey = treeKey(4) }} }},
		{"path key that is in the tree", "encryption key that node", func() forgery { return forgery{keys: func(k [][]byte) { k[0] = treeKey(4) }} }},
		{"path key of the old path", "encryption key that node", func() forgery {
			return forgery{keys: func(k [][]byte) { k[len(k)-1] = treeKey(w.forger.tree.root()) }}
		}},
		{"path key twice", "comes twice", func() forgery { return forgery{keys: func(k [][]byte) { k[0] = k[1] }} }},
		{"path key of low order", "low order", func() forgery { return forgery{keys: func(k [][]byte) { k[0] = lowOrderKey }} }},
		{"path too short", "nodes where", func() forgery {
			return forgery{nodes: func(n []updatePathNode) []updatePathNode { return n[:len(n)-1] }}
		}},
		{"path too long", "nodes where", func() forgery {
			return forgery{nodes: func(n []updatePathNode) []updatePathNode { return append(n, n[0]) }}
		}},
		{"too few ciphertexts", "path ciphertexts where", func() forgery {
			return forgery{nodes: func(n []updatePathNode) []updatePathNode { n[1].secrets = n[1].secrets[1:]; return n }}
		}},
		{"ciphertext for a newcomer", "path ciphertexts where", func() forgery {
			return forgery{proposals: byValue(add(kp)), nodes: func(n []updatePathNode) []updatePathNode {
				last := &n[len(n)-1]
				last.secrets = append(last.secrets, last.secrets[0])
				return n
			}}
		}},
		{"ciphertext too short", "wrong length", func() forgery {
			return forgery{nodes: func(n []updatePathNode) []updatePathNode {
				n[0].secrets[0].ciphertext = n[0].secrets[0].ciphertext[1:]
				return n
			}}
		}},
		{"KEM output too long", "wrong length", func() forgery {
			return forgery{nodes: func(n []updatePathNode) []updatePathNode {
				n[0].secrets[0].kemOutput = append(n[0].secrets[0].kemOutput, 0)
				return n
			}}
		}},
		{"confirmation tag of another length", "confirmation tag of 31", func() forgery { return forgery{tag: func(b []byte) []byte { return b[1:] }} }},
	}
	for _, f := range leafFaults {
		cases = append(cases, struct {
			name, want string
			forge      func() forgery
		}{"path leaf: " + f.name, f.want, func() forgery { return forgery{leaf: f.change} }})
	}
	for _, p := range unsupportedProposals() {
		cases = append(cases, struct {
			name, want string
			forge      func() forgery
		}{"unsupported proposal", "not supported", func() forgery { return forgery{proposals: byValue(p)} }})
	}
	w = newWorkshop(t, 5)
	w.update(w.members[2], nil)
	w.update(w.members[0], nil)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := w.commit(c.forge())
			for _, p := range w.members[1:] {
				w.refused(p, m, c.want)
			}
		})
	}
	// The same without a fault is entered by all.
	m := w.commit(forgery{proposals: append(byValue(add(kp), remove(3)), proposalOrRef{reference: w.forger.pending[0].ref})})
	w.members = slices.Delete(w.members, 3, 4)[1:]
	for _, p := range w.members {
		p.follow(m)
	}
	if a, b := w.members[0].group, w.members[2].group; !bytes.Equal(a.EpochAuthenticator(), b.EpochAuthenticator()) {
		t.Error("those who entered a good commit are in different states")
	}
}

// TestCommittedReferences: rules on proposals that were sent before.
func TestCommittedReferences(t *testing.T) {
	seedRandom(t)
	w := newWorkshop(t, 4)
	sender := w.members[2]
	w.update(sender, nil)
	w.update(sender, nil)
	refs := []proposalOrRef{{reference: w.forger.pending[0].ref}, {reference: w.forger.pending[1].ref}}
	for _, c := range []struct {
		want string
		list []proposalOrRef
	}{
		{"two updates or removals", refs},
		{"referred to twice", []proposalOrRef{refs[0], refs[0]}},
		{"two updates or removals", append(byValue(remove(sender.group.own)), refs[0])},
	} {
		w.refused(w.members[1], w.commit(forgery{proposals: c.list}), c.want)
	}
	// An existing member can't be added again, unless it is removed as well.
	again := w.likeMember(sender)
	w.refused(w.members[1], w.commit(forgery{proposals: byValue(add(again))}), "signature key that leaf 2")
	if _, _, err := w.members[1].group.Open(w.commit(forgery{proposals: byValue(remove(2), add(again))})); err != nil {
		t.Errorf("removed and added: %v", err)
	}
	if _, _, err := w.members[1].group.Open(w.commit(forgery{proposals: refs[1:]})); err != nil {
		t.Errorf("one of the two updates: %v", err)
	}
}

// TestLost: what only one member can see wrong leaves it behind, by name; all
// others follow.
func TestLost(t *testing.T) {
	seedRandom(t)
	spoil := func(w *workshop, victim LeafIndex) func(nodes []updatePathNode) []updatePathNode {
		return func(nodes []updatePathNode) []updatePathNode {
			tree := w.forger.tree
			for i, step := range tree.filteredPath(w.forger.own) {
				targets := tree.copathTargets(step.copath, nil)
				if j := slices.Index(targets, victim.node()); j >= 0 {
					nodes[i].secrets[j].ciphertext[0] ^= 1
				}
			}
			return nodes
		}
	}
	w := newWorkshop(t, 2)
	w.add(w.members[0], "2", "3") // unmerged: each has a ciphertext of its own
	w.forger = w.members[0].group
	m := w.commit(forgery{nodes: spoil(w, 3)})
	for _, p := range w.members[1:3] {
		p.follow(m)
	}
	w.lost(w.members[3], m, ErrUndecryptable)

	w = newWorkshop(t, 4)
	m = w.commit(forgery{keys: func(keys [][]byte) { keys[len(keys)-1] = w.forger.suite.generateKeyPair().public }})
	for _, p := range w.members[1:] {
		w.lost(p, m, ErrInvalid)
	}
	m = w.commit(forgery{tag: func(b []byte) []byte { return make([]byte, len(b)) }})
	for _, p := range w.members[1:] {
		w.lost(p, m, ErrInvalid)
	}
}

// lost lets p open a commit that it can't enter. It stays where it is.
func (w *workshop) lost(p *person, message []byte, want error) {
	w.t.Helper()
	opened, d, err := p.group.Open(message)
	if err != nil {
		w.t.Fatal(err)
	}
	p.save(d)
	d, err = p.group.Enter(opened.Commit)
	var lost *LostError
	if !errors.As(err, &lost) || lost.Committer != w.forger.own || !errors.Is(err, want) || !d.Empty() {
		w.t.Fatalf("%s got %v", p.name, err)
	}
	p.checkStore()
}

// TestPathlessCommit: others may leave the path out where nothing needs one.
func TestPathlessCommit(t *testing.T) {
	seedRandom(t)
	w := newWorkshop(t, 3)
	kp, _ := keyPackage(t, w.suite, "new")
	m := w.commit(forgery{noPath: true, proposals: byValue(add(kp))})
	for _, p := range w.members[1:] {
		opened, d, err := p.group.Open(m)
		if err != nil {
			t.Fatal(err)
		}
		p.save(d)
		if c := opened.Commit; c.HasPath() || len(c.Added()) != 1 || c.Added()[0].Leaf != 3 {
			t.Errorf("staged: path %v, added %v", c.HasPath(), c.Added())
		}
		p.save(must(p.group.Enter(opened.Commit))(t))
		p.checkStore()
	}
}
