package mls

import (
	"bytes"
	"errors"
	"runtime"
	"slices"
	"testing"

	"parley/internal/wire"
)

// taken tells whether a decoder takes b whole.
func taken[T any](read func(*wire.Reader) T) func(b []byte) error {
	return func(b []byte) error { _, err := decode("case", b, read); return err }
}

// TestDecodingRules is RFC 9420 §2.1 and the enumerations: each object decodes,
// and does not with the one byte changed that breaks the rule.
func TestDecodingRules(t *testing.T) {
	seedRandom(t)
	kp, _ := keyPackage(t, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, "x")
	leaf := kp.leaf.raw
	source := len(leaf) - (1 + 16 + 1 + 2 + 64) // with lifetime, extensions, signature after it
	if leafSource(leaf[source]) != sourceKeyPackage {
		t.Fatal("the leaf's source is elsewhere")
	}
	// After the keys and the type of the credential.
	credentialAt := 2*(1+32) + 1
	secrets := (&groupSecrets{joiner: make([]byte, 32), pathSecret: make([]byte, 32)}).appendTo(nil)
	vec := func(n int, head ...byte) []byte { return append(head, make([]byte, n)...) }
	readVec := taken(func(r *wire.Reader) []byte { return r.Vec(maxMessage) })
	framed := (&framedContent{groupID: []byte("g"), sender: sender{senderMember, 1}, content: content{kind: Application}}).appendTo(nil)
	private := (&privateMessage{groupID: []byte("gr"), kind: Application}).appendTo(nil)
	authentic := append(append([]byte{0, byte(formatPrivate)}, framed...), 0)
	context := groupContext{suite: 1, groupID: []byte("g")}
	psk := preSharedKeyID{kind: pskResumption, usage: 1, groupID: []byte("g"), nonce: make([]byte, 32)}.appendTo(nil)
	parent := (&parentNode{encryptionKey: make([]byte, 32), unmerged: []LeafIndex{1, 3}}).appendTo(nil)
	extensions := appendExtensions(nil, []extension{{0xF001, nil}, {0xF002, nil}})
	at := func(b []byte, i int, v byte) []byte { b = bytes.Clone(b); b[i] = v; return b }
	for _, c := range []struct {
		name      string
		take      func([]byte) error
		good, bad []byte
	}{
		{"presence octet of an optional value", taken(readGroupSecrets), secrets, at(secrets, 33, 2)},
		{"vector length with prefix 11", readVec, vec(64, 0x40, 64), vec(64, 0xC0, 64)},
		{"vector length in two bytes for one", readVec, vec(63, 63), vec(63, 0x40, 63)},
		{"vector length in four bytes for two", readVec, vec(16383, 0x7F, 0xFF), vec(16383, 0x80, 0, 0x3F, 0xFF)},
		{"vector longer than what is left", readVec, vec(63, 63), vec(62, 63)},
		{"trailing byte", taken(readLeafNode), leaf, append(bytes.Clone(leaf), 0)},
		{"list that ends inside an entry", taken(readU16s), []byte{2, 0, 1}, []byte{1, 0}},
		{"leaf node source", taken(readLeafNode), leaf, at(leaf, source, 4)},
		{"leaf node source zero", taken(readLeafNode), leaf, at(leaf, source, 0)},
		{"credential type", taken(readLeafNode), leaf, at(leaf, credentialAt, 9)},
		{"content type", taken(readFramedContent), framed, at(framed, len(framed)-2, 4)},
		{"content type of a private message", taken(readPrivateMessage), private, at(private, 11, 4)},
		{"wire format of authenticated content", taken(readAuthenticatedContent), authentic, at(authentic, 1, 3)},
		{"protocol version of a group context", taken(readGroupContext), context.encode(), at(context.encode(), 1, 2)},
		{"sender type", taken(readFramedContent), framed, at(framed, 10, 5)},
		{"proposal type", taken(readProposal), remove(1).appendTo(nil), at(remove(1).appendTo(nil), 1, 9)},
		{"proposal or reference", taken(readProposalOrRef), []byte{2, 1, 7}, []byte{3, 1, 7}},
		{"node type", taken(readNode), append([]byte{nodeParent}, parent...), append([]byte{3}, parent...)},
		{"unmerged leaves out of order", taken(readParentNode), parent, at(parent, len(parent)-1, 0)},
		{"unmerged leaf twice", taken(readParentNode), parent, at(parent, len(parent)-1, 1)},
		{"pre-shared key type", taken(readPreSharedKeyID), psk, at(psk, 0, 3)},
		{"resumption usage", taken(readPreSharedKeyID), psk, at(psk, 1, 4)},
		{"two extensions of a type", taken(readExtensions), extensions, at(extensions, 5, 1)},
		{"protocol version of a message", taken(readMessage), kp.Marshal(), at(kp.Marshal(), 1, 2)},
		{"protocol version of a key package", taken(readMessage), kp.Marshal(), at(kp.Marshal(), 5, 2)},
		{"wire format", taken(readMessage), kp.Marshal(), at(kp.Marshal(), 3, 6)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.take(c.good); err != nil {
				t.Errorf("the good one: %v", err)
			}
			err := c.take(c.bad)
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrUnsupported) {
				t.Errorf("the bad one: %v", err)
			}
		})
	}
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// allocation bounds what decoding n bytes may allocate: the smallest entries of
// a list take two bytes encoded and fifty decoded, and lists grow by doubling;
// the constant is for what else goes on.
func allocation(n int) uint64 { return 1<<20 + 256*uint64(n) }

// TestBoundedAllocation: no decoder believes a length before it has seen the
// bytes. Every object starts an enormous vector at every place there is.
func TestBoundedAllocation(t *testing.T) {
	seeds := makeSeeds(t)
	objects := append([][]byte{seeds.pending.Marshal(), seeds.secrets.Marshal(), seeds.committer.tree.appendTo(nil)}, seeds.messages...)
	for _, object := range objects {
		for i := 0; i < len(object); i += 1 + len(object)/200 {
			b := slices.Concat(object[:i], []byte{0xBF, 0xFF, 0xFF, 0xFF}, object[i:])
			for name, take := range map[string]func([]byte) error{
				"message": taken(readMessage), "pending commit": taken(readPendingCommit), "tree": taken(func(r *wire.Reader) *ratchetTree { return readTree(r, suites[0]) }),
				"key package secrets": func(b []byte) error { _, err := ParseKeyPackageSecrets(b); return err },
				"commit":              taken(readCommit), "group secrets": taken(readGroupSecrets), "group info": taken(readGroupInfo), "node": taken(readNode),
			} {
				if n := allocated(func() { take(b) }); n > allocation(len(b)) {
					t.Fatalf("%s: %d bytes with a long length at %d allocate %d", name, len(b), i, n)
				}
			}
		}
	}
	// The densest lists.
	for name, c := range map[string]struct {
		take  func([]byte) error
		entry []byte
	}{
		"blank nodes":    {taken(func(r *wire.Reader) *ratchetTree { return readTree(r, suites[0]) }), []byte{0}},
		"proposals":      {taken(readCommit), []byte{2, 0}},
		"ciphertexts":    {taken(func(r *wire.Reader) []hpkeCiphertext { return readList(r, maxLeaves, readHPKECiphertext) }), []byte{0, 0}},
		"extensions":     {taken(readExtensions), []byte{0xF0, 1, 0}},
		"capabilities":   {taken(readCapabilities), []byte{0, 1}},
		"unmerged":       {taken(readParentNode), []byte{0, 0, 0, 1}},
		"path nodes":     {taken(readUpdatePath), []byte{0, 0}},
		"welcome leaves": {taken(readWelcome), []byte{0, 0, 0}},
	} {
		b := wire.AppendVec(nil, bytes.Repeat(c.entry, 1<<17))
		if n := allocated(func() { c.take(b) }); n > allocation(len(b)) {
			t.Errorf("%s: %d bytes allocate %d", name, len(b), n)
		}
	}
}

// TestPublicKeyRules is RFC 9420 §5.1.1 for every suite: a key that nobody
// could use is refused wherever one is given.
func TestPublicKeyRules(t *testing.T) {
	forSuites(t, func(t *testing.T, id CipherSuite) {
		s, err := suiteOf(id)
		if err != nil {
			t.Fatal(err)
		}
		good, sig := s.generateKeyPair().public, must(GenerateSignatureKey(id))(t).Public()
		if err := s.checkPublicKey(good); err != nil {
			t.Error(err)
		}
		if err := s.checkSignatureKey(sig); err != nil {
			t.Error(err)
		}
		bad := [][]byte{nil, good[:len(good)-1], append(bytes.Clone(good), 0)}
		badSig := [][]byte{nil, sig[:len(sig)-1], append(bytes.Clone(sig), 0)}
		if !s.hasX25519() {
			compressed := bytes.Clone(good[:1+(len(good)-1)/2])
			compressed[0] = 2
			off := bytes.Clone(good)
			off[len(off)-1] ^= 1
			bad = append(bad, off, compressed, []byte{0}, append([]byte{4}, make([]byte, len(good)-1)...))
		}
		if s.signature.curve != nil {
			off := bytes.Clone(sig)
			off[len(off)-1] ^= 1
			badSig = append(badSig, off, []byte{0})
		}
		if id == Hybrid {
			bad = append(bad, bytes.Repeat([]byte{0xFF}, len(good))) // coefficients above q
		}
		for _, key := range bad {
			if err := s.checkPublicKey(key); !errors.Is(err, ErrInvalid) {
				t.Errorf("encryption key %x: %v", key, err)
			}
		}
		for _, key := range badSig {
			if err := s.checkSignatureKey(key); !errors.Is(err, ErrInvalid) {
				t.Errorf("signature key %x: %v", key, err)
			}
		}
	})
}

// TestGroupExtensions is RFC 9420 §13.4 and §11.1: who is in a group supports
// its extensions and has the capabilities it requires, each kind by itself.
func TestGroupExtensions(t *testing.T) {
	seedRandom(t)
	r := newRoom(t, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, 3)
	tree := r.members[0].group.tree.clone()
	all := func(change func(*capabilities)) {
		tree.members(func(l LeafIndex, n *leafNode) {
			m := *n
			m.capabilities = ownCapabilities()
			change(&m.capabilities)
			tree.nodes[l.node()].leaf = &m
		})
	}
	required := func(extensions, proposals, credentials []uint16) []extension {
		var b []byte
		for _, list := range [][]uint16{extensions, proposals, credentials} {
			b = appendList(b, list, wire.AppendU16)
		}
		return []extension{{extensionRequiredCapabilities, b}}
	}
	kind := []uint16{0xF001}
	for _, c := range []struct {
		name       string
		extensions []extension
		support    func(*capabilities)
	}{
		{"extension of the group", []extension{{0xF001, nil}}, func(c *capabilities) { c.extensions = kind }},
		{"required extension", required(kind, nil, nil), func(c *capabilities) { c.extensions = kind }},
		{"required proposal", required(nil, kind, nil), func(c *capabilities) { c.proposals = kind }},
		{"required credential", required(nil, nil, kind), func(c *capabilities) { c.credentials = append(c.credentials, kind...) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			all(c.support)
			if err := tree.checkMembers(c.extensions); err != nil {
				t.Errorf("all have it: %v", err)
			}
			lacking := *tree.leaf(2)
			lacking.capabilities = ownCapabilities()
			tree.nodes[4].leaf = &lacking
			if err := tree.checkMembers(c.extensions); !errors.Is(err, ErrInvalid) {
				t.Errorf("one lacks it: %v", err)
			}
		})
	}
}

// TestSignatureLabels is RFC 9420 §5.1.2: a signature made for one use does not
// serve for another.
func TestSignatureLabels(t *testing.T) {
	forSuites(t, func(t *testing.T, id CipherSuite) {
		key := must(GenerateSignatureKey(id))(t)
		sig := key.signWithLabel("LeafNodeTBS", []byte("content"))
		if !key.suite.verifyWithLabel(key.public, "LeafNodeTBS", []byte("content"), sig) {
			t.Error("a good signature does not hold")
		}
		for label, content := range map[string]string{"KeyPackageTBS": "content", "LeafNodeTBS": "other"} {
			if key.suite.verifyWithLabel(key.public, label, []byte(content), sig) {
				t.Errorf("it holds for %s, %s", label, content)
			}
		}
	})
}

// TestAcceptedOnPurpose: what receivers must ignore, or may.
func TestAcceptedOnPurpose(t *testing.T) {
	seedRandom(t)
	for name, change := range map[string]func(n *leafNode){
		"unknown capabilities": func(n *leafNode) {
			c := &n.capabilities
			for _, list := range []*[]uint16{&c.versions, &c.suites, &c.extensions, &c.proposals, &c.credentials} {
				*list = append([]uint16{0x0A0A, 0xFAFA}, *list...)
			}
		},
		"default types listed": func(n *leafNode) {
			n.capabilities.extensions, n.capabilities.proposals = []uint16{1, 2, 3, 4, 5}, []uint16{1, 2, 3, 4, 5, 6, 7}
		},
		"unknown extension of the package": func(n *leafNode) { n.capabilities.extensions = []uint16{0xF001} },
	} {
		t.Run(name, func(t *testing.T) {
			kp := forgedKeyPackage(t, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, change, func(kp *KeyPackage) {
				if slices.Contains(kp.leaf.capabilities.extensions, 0xF001) {
					kp.extensions = []extension{{0xF001, []byte{1}}}
				}
			})
			if err := kp.Validate(); err != nil {
				t.Fatal(err)
			}
			w := newWorkshop(t, 3)
			m := w.commit(forgery{proposals: byValue(add(kp))})
			for _, p := range w.members[1:] {
				p.follow(m)
			}
		})
	}
}
