package mls

import (
	"bytes"
	"errors"
	"testing"

	"parley/internal/wire"
)

// fuzzDecoder holds a decoder to its properties: it allocates in proportion to
// its input, and what it takes re-encodes to the same bytes.
func fuzzDecoder[T any](f *testing.F, read func(*wire.Reader) T, encode func(T) []byte, seeds ...[]byte) {
	f.Helper()
	for _, seed := range seeds {
		v, err := decode("seed", seed, read)
		if err != nil || !bytes.Equal(encode(v), seed) {
			f.Fatalf("the seed %x is not good: %v", seed, err)
		}
		f.Add(seed)
		f.Add(seed[:len(seed)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var v T
		var err error
		if n := allocated(func() { v, err = decode("fuzz", b, read) }); n > allocation(len(b)) {
			t.Errorf("%d bytes allocate %d", len(b), n)
		}
		if err == nil && !bytes.Equal(encode(v), b) {
			t.Errorf("%x re-encodes as %x", b, encode(v))
		}
	})
}

// fuzzSeeds are objects of every kind, of the stored group: a fuzzer's processes
// must all start from the same ones.
type fuzzSeeds struct {
	committer, follower *Group
	kp                  *KeyPackage
	secrets             *KeyPackageSecrets
	pending             *PendingCommit
	messages            [][]byte // MLSMessages
}

func makeSeeds(f testing.TB) *fuzzSeeds {
	f.Helper()
	s := readStored(f, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519)
	seeds := &fuzzSeeds{
		committer: s.member(f, 0), follower: s.member(f, 1),
		kp:      must(ParseKeyPackage(s.KeyPackage))(f),
		secrets: must(ParseKeyPackageSecrets(s.Secrets))(f),
		pending: must(ParsePendingCommit(s.Pending))(f),
	}
	for _, m := range s.Messages {
		seeds.messages = append(seeds.messages, m)
	}
	return seeds
}

func FuzzMessage(f *testing.F) {
	fuzzDecoder(f, readMessage, (*message).marshal, makeSeeds(f).messages...)
}

func FuzzKeyPackage(f *testing.F) {
	good := makeSeeds(f).kp.Marshal()
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		kp, err := ParseKeyPackage(b)
		if err != nil {
			return
		}
		if !bytes.Equal(kp.Marshal(), b) {
			t.Errorf("%x re-encodes otherwise", b)
		}
		kp.Ref()
		if err := kp.Validate(); err == nil && !bytes.Equal(b, good) {
			t.Errorf("a key package that was forged is valid: %x", b)
		}
	})
}

func FuzzProposal(f *testing.F) {
	kp, _ := keyPackage(f, MLS_128_DHKEMP256_AES128GCM_SHA256_P256, "x")
	var seeds [][]byte
	for _, p := range append(unsupportedProposals(), add(kp), remove(3), &proposal{kind: proposalUpdate, update: kp.leaf}) {
		seeds = append(seeds, p.appendTo(nil))
	}
	fuzzDecoder(f, readProposal, func(p *proposal) []byte { return p.appendTo(nil) }, seeds...)
}

func FuzzCommit(f *testing.F) {
	fuzzDecoder(f, readAuthenticatedContent, func(a *authenticatedContent) []byte { return a.appendTo(nil) },
		makeSeeds(f).pending.content.appendTo(nil))
}

func FuzzTree(f *testing.F) {
	tree := makeSeeds(f).committer.tree
	small := newTree(tree.suite, 1)
	small.set(0, tree.nodes[0])
	fuzzDecoder(f, func(r *wire.Reader) *ratchetTree { return readTree(r, suites[0]) },
		func(t *ratchetTree) []byte { return t.appendTo(nil) }, tree.appendTo(nil), small.appendTo(nil))
}

// FuzzTreeCheck: a tree that somebody else gives is checked without a crash,
// and none passes that has a leaf which no member signed.
func FuzzTreeCheck(f *testing.F) {
	tree := makeSeeds(f).committer.tree
	signed := map[string]bool{}
	tree.members(func(_ LeafIndex, n *leafNode) { signed[string(n.raw)] = true })
	f.Add(tree.appendTo(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		tree, err := decode("tree", b, func(r *wire.Reader) *ratchetTree { return readTree(r, suites[0]) })
		if err != nil || tree.check([]byte("the group"), nil) != nil {
			return
		}
		tree.members(func(l LeafIndex, n *leafNode) {
			if !signed[string(n.raw)] {
				t.Errorf("leaf %d is forged: %x", l, b)
			}
		})
	})
}

func FuzzGroupSecrets(f *testing.F) {
	s := &groupSecrets{joiner: make([]byte, 32), pathSecret: make([]byte, 32), psks: []preSharedKeyID{
		{kind: pskExternal, id: []byte("id"), nonce: make([]byte, 32)},
		{kind: pskResumption, usage: 1, groupID: []byte("g"), epoch: 9, nonce: make([]byte, 32)},
	}}
	fuzzDecoder(f, readGroupSecrets, func(g *groupSecrets) []byte { return g.appendTo(nil) },
		s.appendTo(nil), (&groupSecrets{joiner: []byte{1}}).appendTo(nil))
}

func FuzzGroupInfo(f *testing.F) {
	m := must(decode("group info", makeSeeds(f).messages[7], readMessage))(f)
	fuzzDecoder(f, readGroupInfo, func(g *groupInfo) []byte { return g.appendTo(nil) }, m.groupInfo.appendTo(nil))
}

func FuzzSenderData(f *testing.F) {
	fuzzDecoder(f, readSenderData, func(d senderData) []byte { return d.appendTo(nil) },
		senderData{leaf: 1, generation: 2, reuseGuard: [4]byte{3}}.appendTo(nil))
}

func FuzzRequiredCapabilities(f *testing.F) {
	f.Add([]byte{2, 0xF0, 1, 0, 2, 0, 1})
	f.Add([]byte{0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := parseRequiredCapabilities(b)
		if err != nil {
			return
		}
		var again []byte
		for _, list := range [][]uint16{q.extensions, q.proposals, q.credentials} {
			again = appendList(again, list, wire.AppendU16)
		}
		if !bytes.Equal(again, b) {
			t.Errorf("%x re-encodes as %x", b, again)
		}
		own := ownCapabilities()
		q.metBy(&own)
	})
}

func FuzzPendingUpdate(f *testing.F) {
	seeds := makeSeeds(f)
	for _, g := range []*Group{seeds.committer, seeds.follower} {
		for _, p := range g.pending {
			if p.own != nil {
				u := &PendingUpdate{Message: seeds.messages[0], groupID: g.GroupID(), epoch: g.Epoch(), proposal: &p}
				fuzzDecoder(f, readPendingUpdate, (*PendingUpdate).Marshal, u.Marshal())
				return
			}
		}
	}
	f.Fatal("no member of the stored group has an Update of its own")
}

func FuzzPendingCommit(f *testing.F) {
	fuzzDecoder(f, readPendingCommit, (*PendingCommit).Marshal, makeSeeds(f).pending.Marshal())
}

func FuzzKeyPackageSecrets(f *testing.F) {
	good := makeSeeds(f).secrets.Marshal()
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := ParseKeyPackageSecrets(b); err == nil && !bytes.Equal(k.Marshal(), b) {
			t.Errorf("%x re-encodes otherwise", b)
		}
	})
}

func FuzzSignatureKey(f *testing.F) {
	for _, id := range Suites() {
		f.Add(uint16(id), must(GenerateSignatureKey(id))(f).Bytes())
	}
	f.Fuzz(func(t *testing.T, id uint16, b []byte) {
		if k, err := ParseSignatureKey(CipherSuite(id), b); err == nil && !bytes.Equal(k.Bytes(), b) {
			t.Errorf("suite %d: %x re-encodes otherwise", id, b)
		}
	})
}

// FuzzLoad gives a group one record of the fuzzer's; what loads has exactly the
// records that it was loaded from.
func FuzzLoad(f *testing.F) {
	g := makeSeeds(f).committer
	for _, p := range g.State() {
		f.Add(p.Key, p.Value)
	}
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		store := stateOf(g)
		store[key] = value
		loaded, err := Load(pairs(store))
		if err != nil {
			return
		}
		again := stateOf(loaded)
		if len(again) != len(store) {
			t.Fatalf("%d records became %d", len(store), len(again))
		}
		for key, value := range store {
			if !bytes.Equal(again[key], value) {
				t.Errorf("record %q came back otherwise", key)
			}
		}
	})
}

// FuzzOpen feeds a live group: the first byte chooses a good message, the rest
// is mixed into it from the place that the second and third name. Whatever it
// is, nothing crashes, and what is refused changes nothing.
func FuzzOpen(f *testing.F) {
	seeds := makeSeeds(f)
	receiver := seeds.follower
	before := stateOf(receiver)
	for i := range seeds.messages {
		f.Add(byte(i), uint16(0), []byte(nil))
		f.Add(byte(i), uint16(40), []byte{1})
		f.Add(byte(i), uint16(3), []byte{7, 0, 255})
	}
	f.Fuzz(func(t *testing.T, which byte, at uint16, mix []byte) {
		good := seeds.messages[int(which)%len(seeds.messages)]
		m := bytes.Clone(good)
		if len(mix) > 0 && mix[0] == 0 {
			m = mix[1:] // all of it the fuzzer's own
		} else {
			for i, b := range mix {
				m[(int(at)+i)%len(m)] ^= b
			}
		}
		g := must(Load(pairs(before)))(t)
		if _, d, err := g.OpenBound(m, uint32(at)%4); err == nil && !bytes.Equal(m, good) || err != nil && !d.Empty() {
			t.Errorf("a forged message opened, or changed something: %x, %v", m, err)
		}
		g = must(Load(pairs(before)))(t)
		opened, d, err := g.Open(m)
		if err == nil {
			if !bytes.Equal(m, good) {
				t.Errorf("a forged message opened: %x", m)
			}
			if opened.Commit == nil {
				return
			}
			if _, err := g.Enter(opened.Commit); err != nil {
				t.Error(err)
			}
			return
		}
		var refused *RefusedError
		if errors.As(err, &refused) || !d.Empty() || opened != nil {
			t.Errorf("a forged message passed for authentic: %v", err)
		}
		after := stateOf(g)
		if len(after) != len(before) {
			t.Fatal("a refused message changed the state")
		}
		for key, value := range before {
			if !bytes.Equal(after[key], value) {
				t.Fatalf("a refused message changed record %q", key)
			}
		}
	})
}

// FuzzContent feeds a live group authentic messages whose content is the
// fuzzer's: validly sealed and signed by a member who is up to anything.
func FuzzContent(f *testing.F) {
	seeds := makeSeeds(f)
	from, to := seeds.committer, seeds.follower
	f.Add(byte(Application), wire.AppendVec(nil, []byte("text")))
	f.Add(byte(Proposal), add(seeds.kp).appendTo(nil))
	f.Add(byte(Proposal), remove(2).appendTo(nil))
	f.Add(byte(Commit), seeds.pending.content.commit.appendTo(nil))
	f.Add(byte(Commit), (&commit{proposals: byValue(add(seeds.kp))}).appendTo(nil))
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		c, err := decode("content", b, func(r *wire.Reader) content { return readContent(r, ContentType(kind)) })
		if err != nil {
			return
		}
		sender, g := copyGroup(from), copyGroup(to)
		a := sender.newContent(nil, c)
		a.sign(sender.signature, sender.encodedContext)
		if c.kind == Commit {
			a.auth.confirmationTag = make([]byte, 32)
		}
		m, _, err := sender.protect(a)
		if err != nil {
			t.Fatal(err)
		}
		before := stateOf(g)
		opened, d, err := g.Open(m)
		d.Apply(before)
		after := stateOf(g)
		if len(before) != len(after) {
			t.Fatal("the delta does not tell what changed")
		}
		if err == nil && opened.Commit != nil {
			var lost *LostError
			if d, err := g.Enter(opened.Commit); !errors.As(err, &lost) && !errors.Is(err, ErrRemoved) || !d.Empty() {
				t.Errorf("a commit without its tag: %v", err)
			}
		}
		for key, value := range stateOf(g) {
			if !bytes.Equal(before[key], value) {
				t.Fatalf("record %q changed untold", key)
			}
		}
	})
}
