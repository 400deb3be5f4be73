package mls

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// A forgedWelcome is a Welcome to a newcomer that is made from scratch, so that
// all of it fits together but for one point.
type forgedWelcome struct {
	tree       *ratchetTree
	context    groupContext
	extensions []extension
	signer     LeafIndex
	signature  *SignatureKey
	secrets    groupSecrets
	noTree     bool
	encoded    func(tree []byte) []byte // of the encoded tree
	signed     func(info *groupInfo)    // after it is signed
	welcome    func(w *welcome)
	keepHash   bool
}

// welcomeShop is a group of five, whose founder adds a newcomer: some parents
// are set, and the newcomer is unmerged below the founder's side.
type welcomeShop struct {
	*workshop
	keyPackage *KeyPackage
	newcomer   *KeyPackageSecrets
}

func newWelcomeShop(t testing.TB) *welcomeShop {
	s := &welcomeShop{workshop: newWorkshop(t, 5)}
	s.keyPackage, s.newcomer = keyPackage(t, s.suite, "new")
	return s
}

// forge starts from the tree that the founder's commit would lead to.
func (s *welcomeShop) forge() *forgedWelcome {
	s.t.Helper()
	g := copyGroup(s.forger)
	p, c, err := g.makeCommit(nil, CommitContent{Adds: []*KeyPackage{s.keyPackage}}, true)
	if err != nil {
		s.t.Fatal(err)
	}
	g.secrets.apply(c)
	must(g.Merge(p))(s.t)
	joined := must(openGroupSecrets(g.suite, must(decode("welcome", p.Welcome, readMessage))(s.t).welcome, s.newcomer))(s.t)
	return &forgedWelcome{tree: g.tree.clone(), context: g.context, signer: g.own, signature: g.signature, secrets: *joined}
}

func (f *forgedWelcome) make(kp *KeyPackage) []byte {
	s := f.tree.suite
	if !f.keepHash {
		f.context.treeHash = f.tree.rootHash()
	}
	member := s.memberSecret(f.secrets.joiner, s.zero())
	_, _, confirmation := s.deriveEpoch(s.epochSecret(member, f.context.encode()))
	info := &groupInfo{context: f.context, extensions: f.extensions, signer: f.signer}
	info.confirmationTag = s.mac(confirmation, f.context.confirmedTranscriptHash)
	if !f.noTree {
		b := f.tree.appendTo(nil)
		if f.encoded != nil {
			b = f.encoded(b)
		}
		info.extensions = append(info.extensions, extension{extensionRatchetTree, b})
	}
	info.signature = f.signature.signWithLabel("GroupInfoTBS", info.tbs())
	if f.signed != nil {
		f.signed(info)
	}
	key, nonce := s.welcomeKeys(s.welcomeSecret(member))
	w := &welcome{suite: s.id, groupInfo: s.seal(key, nonce, nil, info.appendTo(nil))}
	ct, err := s.encryptWithLabel(kp.initKey, "Welcome", w.groupInfo, f.secrets.appendTo(nil))
	if err != nil {
		panic(err)
	}
	w.secrets = []encryptedGroupSecrets{{kp.Ref(), ct}}
	if f.welcome != nil {
		f.welcome(w)
	}
	return (&message{format: formatWelcome, welcome: w}).marshal()
}

// resign signs the leaf of a member anew after a change.
func (s *welcomeShop) resign(f *forgedWelcome, l LeafIndex, change func(*leafNode)) {
	n := *f.tree.leaf(l)
	change(&n)
	f.tree.set(l.node(), node{leaf: n.sign(s.members[l].group.signature, f.context.groupID, l)})
}

// setParent changes a parent node.
func (f *forgedWelcome) setParent(x nodeIndex, change func(*parentNode)) {
	p := *f.tree.nodes[x].parent
	p.unmerged = slices.Clone(p.unmerged)
	change(&p)
	f.tree.set(x, node{parent: &p})
}

// TestWelcomeRules is RFC 9420 §12.4.3.1.
func TestWelcomeRules(t *testing.T) {
	seedRandom(t)
	s := newWelcomeShop(t)
	g := must(Join(s.forge().make(s.keyPackage), s.newcomer))(t)
	if g.own != 5 || len(g.Members()) != 6 {
		t.Fatalf("the newcomer has leaf %d of %d", g.own, len(g.Members()))
	}
	root := g.tree.root()
	cases := []struct {
		name, want string
		change     func(f *forgedWelcome)
	}{
		{"for another key package", "other key packages", func(f *forgedWelcome) {
			f.welcome = func(w *welcome) { w.secrets[0].newMember = make([]byte, 32) }
		}},
		{"for nobody", "other key packages", func(f *forgedWelcome) { f.welcome = func(w *welcome) { w.secrets = nil } }},
		{"another suite", "welcome for", func(f *forgedWelcome) { f.welcome = func(w *welcome) { w.suite = Hybrid } }},
		{"group secrets garbage", "does not open", func(f *forgedWelcome) {
			f.welcome = func(w *welcome) { w.secrets[0].secrets.ciphertext[3] ^= 1 }
		}},
		{"group info garbage", "does not open", func(f *forgedWelcome) { f.welcome = func(w *welcome) { w.groupInfo[3] ^= 1 } }},
		{"pre-shared keys", "pre-shared keys", func(f *forgedWelcome) {
			f.secrets.psks = []preSharedKeyID{{kind: pskResumption, usage: 3, groupID: []byte("g"), nonce: make([]byte, 32)}}
		}},
		{"joiner secret too short", "wrong length", func(f *forgedWelcome) { f.secrets.joiner = make([]byte, 31) }},
		{"path secret too long", "wrong length", func(f *forgedWelcome) { f.secrets.pathSecret = make([]byte, 33) }},
		{"suite of the group info", "group info for", func(f *forgedWelcome) { f.context.suite = Hybrid }},
		{"no tree", "without the ratchet tree", func(f *forgedWelcome) { f.noTree = true }},
		{"signer that is blank", "which is blank", func(f *forgedWelcome) { f.signer = 6 }},
		{"signer that is not there", "which is blank", func(f *forgedWelcome) { f.signer = 1 << 30 }},
		{"another's signature", "signature of a group info", func(f *forgedWelcome) { f.signature = s.members[1].group.signature }},
		{"signature by the newcomer", "newcomer itself", func(f *forgedWelcome) { f.signer, f.signature = 5, s.newcomer.signature }},
		{"changed after it was signed", "signature of a group info", func(f *forgedWelcome) {
			f.signed = func(i *groupInfo) { i.extensions = append(i.extensions, extension{0xF001, nil}) }
		}},
		{"group extension nobody knows", "group extension 61441", func(f *forgedWelcome) { f.context.extensions = []extension{{0xF001, nil}} }},
		{"two extensions of a type", "two extensions", func(f *forgedWelcome) { f.extensions = []extension{{0xF001, nil}, {0xF001, nil}} }},
		{"required capability that members lack", "required capability", func(f *forgedWelcome) {
			f.context.extensions = []extension{{extensionRequiredCapabilities, []byte{0, 2, 0xF0, 1, 0}}}
		}},
		{"tree hash", "tree hash", func(f *forgedWelcome) { f.keepHash, f.context.treeHash = true, make([]byte, 32) }},
		{"blank nodes at the end of the tree", "ends in a blank node", func(f *forgedWelcome) {
			f.encoded = func(b []byte) []byte {
				list := append(slices.Clone(f.tree.nodes[:11]), node{}, node{})
				return appendList(nil, list, appendOptionalNode)
			}
		}},
		{"empty tree", "ends in a blank node", func(f *forgedWelcome) { f.encoded = func([]byte) []byte { return []byte{0} } }},
		{"leaf in a parent's place", "other's place", func(f *forgedWelcome) {
			f.encoded = func([]byte) []byte {
				list := slices.Clone(f.tree.nodes[:11])
				list[1], list[2] = list[2], list[1]
				return appendList(nil, list, appendOptionalNode)
			}
		}},
		{"parent hash of the root", "is chained to 0", func(f *forgedWelcome) { f.setParent(root, func(p *parentNode) { p.parentHash = []byte{1} }) }},
		{"a parent that nobody set", "is chained to 0", func(f *forgedWelcome) {
			f.setParent(root, func(p *parentNode) { p.encryptionKey = f.tree.suite.generateKeyPair().public })
		}},
		{"unmerged leaf that is blank", "not below it", func(f *forgedWelcome) {
			f.setParent(root, func(p *parentNode) { p.unmerged = append(p.unmerged, 7) })
		}},
		{"unmerged leaf from elsewhere", "not below it", func(f *forgedWelcome) { f.setParent(1, func(p *parentNode) { p.unmerged = []LeafIndex{4} }) }},
		{"leaf unmerged above and not below", "not in node", func(f *forgedWelcome) {
			f.setParent(root, func(p *parentNode) { p.unmerged = []LeafIndex{1} })
		}},
		{"unmerged leaves out of order", "out of order", func(f *forgedWelcome) { f.setParent(root, func(p *parentNode) { p.unmerged = []LeafIndex{3, 2} }) }},
		{"one key in two parents", "encryption key that is in the tree twice", func(f *forgedWelcome) {
			f.setParent(1, func(p *parentNode) { p.encryptionKey = f.tree.nodes[root].key() })
		}},
		{"one key in two leaves", "encryption key that is in the tree twice", func(f *forgedWelcome) {
			s.resign(f, 3, func(n *leafNode) { n.encryptionKey = f.tree.leaf(4).encryptionKey })
		}},
		{"one signature key in two leaves", "signature key that is in the tree twice", func(f *forgedWelcome) {
			n := *f.tree.leaf(3)
			n.signatureKey = s.members[4].group.signature.public
			f.tree.set(6, node{leaf: n.sign(s.members[4].group.signature, f.context.groupID, 3)})
		}},
		{"parent key of low order", "low order", func(f *forgedWelcome) { s.wholePath(f, lowOrderKey) }},
		{"another's leaf", "without this member's leaf", func(f *forgedWelcome) {
			kp, _ := keyPackage(t, s.suite, "new")
			f.blankParents()
			f.tree.set(10, node{leaf: kp.leaf})
		}},
		{"path secret kept back", "without the key of node", func(f *forgedWelcome) { f.secrets.pathSecret = nil }},
		{"group extension for external senders", "group extension 5", func(f *forgedWelcome) { f.context.extensions = []extension{{5, []byte{0}}} }},
		{"required capabilities malformed", "malformed", func(f *forgedWelcome) {
			f.context.extensions = []extension{{extensionRequiredCapabilities, []byte{0, 0, 0, 0}}}
		}},
		{"path secret of another node", "does not give the key", func(f *forgedWelcome) { f.secrets.pathSecret = make([]byte, 32) }},
		{"confirmation tag", "confirmation tag", func(f *forgedWelcome) {
			f.signed = func(i *groupInfo) {
				i.confirmationTag = make([]byte, 32)
				i.signature = f.signature.signWithLabel("GroupInfoTBS", i.tbs())
			}
		}},
	}
	for _, fault := range leafFaults {
		if strings.Contains(fault.name, "signature key") {
			continue // a parent hash does not cover it, and the leaf can't be signed anew
		}
		if strings.Contains(fault.name, "credential type not listed") {
			fault.want = "credential type 1, which is in use" // all members are compared first
		}
		cases = append(cases, struct {
			name, want string
			change     func(f *forgedWelcome)
		}{"leaf: " + fault.name, fault.want, func(f *forgedWelcome) { s.soloLeaf(f, fault.change) }})
	}
	// The ways of the workshop are good by themselves, and what nobody knows is
	// ignored where it may be.
	for name, change := range map[string]func(f *forgedWelcome){
		"a leaf signed anew":   func(f *forgedWelcome) { s.soloLeaf(f, func(*leafNode) {}) },
		"a path made anew":     func(f *forgedWelcome) { s.wholePath(f, nil) },
		"an unknown extension": func(f *forgedWelcome) { f.extensions = []extension{{0xF001, nil}, {0xF002, nil}} },
		"capabilities that all have": func(f *forgedWelcome) {
			f.context.extensions = []extension{{extensionRequiredCapabilities, []byte{2, 0, 1, 2, 0, 3, 2, 0, 1}}}
		},
		"a welcome for others too": func(f *forgedWelcome) {
			f.welcome = func(w *welcome) {
				w.secrets = append([]encryptedGroupSecrets{{make([]byte, 32), w.secrets[0].secrets}}, w.secrets...)
			}
		},
	} {
		f := s.forge()
		change(f)
		if _, err := Join(f.make(s.keyPackage), s.newcomer); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := s.forge()
			c.change(f)
			g, err := Join(f.make(s.keyPackage), s.newcomer)
			if err == nil || g != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func appendOptionalNode(b []byte, n node) []byte {
	if n.blank() {
		return append(b, 0)
	}
	return n.appendTo(append(b, 1))
}

// blankParents blanks all parents, so that no parent hash depends on a leaf.
func (f *forgedWelcome) blankParents() {
	for x := 1; x < len(f.tree.nodes); x += 2 {
		f.tree.set(nodeIndex(x), node{})
	}
	f.secrets.pathSecret = nil
}

// soloLeaf changes leaf 3, on which nothing else depends.
func (s *welcomeShop) soloLeaf(f *forgedWelcome, change func(*leafNode)) {
	f.blankParents()
	s.resign(f, 3, change)
}

// wholePath makes a path by the founder, whose last key is given unless nil.
func (s *welcomeShop) wholePath(f *forgedWelcome, last []byte) {
	path := f.tree.filteredPath(0)
	secrets, pairs, _ := f.tree.suite.pathKeys(randomBytes(f.tree.suite.nh), len(path))
	f.secrets.pathSecret = secrets[len(path)-1] // of the root, which is above both
	var keys [][]byte
	for _, pair := range pairs {
		keys = append(keys, pair.public)
	}
	if last != nil {
		keys[len(keys)-1] = last
	}
	parentHash := f.tree.mergePath(0, path, keys)
	s.resign(f, 0, func(n *leafNode) { n.source, n.parentHash = sourceCommit, parentHash })
}

// TestJoinWithoutPath: a Welcome of a commit that had no path.
func TestJoinWithoutPath(t *testing.T) {
	seedRandom(t)
	s := newWelcomeShop(t)
	g := copyGroup(s.forger)
	p, c, err := g.makeCommit(nil, CommitContent{Adds: []*KeyPackage{s.keyPackage}}, false)
	if err != nil {
		t.Fatal(err)
	}
	g.secrets.apply(c)
	joined := must(Join(p.Welcome, s.newcomer))(t)
	opened, _, err := s.members[1].group.Open(p.Message)
	if err != nil {
		t.Fatal(err)
	}
	must(s.members[1].group.Enter(opened.Commit))(t)
	if !bytes.Equal(joined.EpochAuthenticator(), s.members[1].group.EpochAuthenticator()) || len(joined.keys) != 1 {
		t.Error("the newcomer is in another state")
	}
	// It can follow a commit, and make one.
	q, _, err := joined.Stage(nil, CommitContent{})
	if err != nil {
		t.Fatal(err)
	}
	opened, _, err = s.members[1].group.Open(q.Message)
	if err != nil {
		t.Fatal(err)
	}
	must(s.members[1].group.Enter(opened.Commit))(t)
}

func TestJoinIsNoWelcome(t *testing.T) {
	seedRandom(t)
	s := newWelcomeShop(t)
	for _, b := range [][]byte{nil, s.keyPackage.Marshal(), messageHeader(formatWelcome), make([]byte, maxMessage+1)} {
		if g, err := Join(b, s.newcomer); err == nil || g != nil {
			t.Errorf("%d bytes were joined", len(b))
		}
	}
	whole := s.forge().make(s.keyPackage)
	if _, err := Join(append(whole, 0), s.newcomer); !errors.Is(err, ErrMalformed) {
		t.Errorf("a trailing byte: %v", err)
	}
}

// TestInvites: whom a Welcome is for shows without opening it, also where it
// does not open.
func TestInvites(t *testing.T) {
	s := newWelcomeShop(t)
	other, _ := keyPackage(t, s.suite, "other")
	f := s.forge()
	f.welcome = func(w *welcome) { w.secrets[0].secrets.ciphertext[0] ^= 1 }
	spoiled := f.make(s.keyPackage)
	if _, err := Join(spoiled, s.newcomer); !errors.Is(err, ErrUndecryptable) {
		t.Errorf("it opens: %v", err)
	}
	if !Invites(spoiled, s.keyPackage) || Invites(spoiled, other) || Invites(spoiled[:len(spoiled)-1], s.keyPackage) || Invites(s.keyPackage.Marshal(), s.keyPackage) {
		t.Error("Invites is wrong")
	}
}
