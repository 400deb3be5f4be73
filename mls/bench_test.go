package mls

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"parley/internal/wire"
)

// BenchmarkGroup measures each operation with all that a caller must store
// marshalled. In a chain every member was added by the one before and
// populated its path; in a star all were added by one commit, and the tree has
// next to no keys inside: a commit must then encrypt to each member by itself.
//
//	go test ./mls -run '^$' -bench Group
func BenchmarkGroup(b *testing.B) {
	for _, s := range []CipherSuite{MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, Hybrid} {
		suite := strings.Split(s.String(), "_")[2]
		b.Run(suite+"/keypackage", func(b *testing.B) {
			sig := must(GenerateSignatureKey(s))(b)
			for b.Loop() {
				kp, secrets, err := NewKeyPackage(s, []byte("name"), sig, testLife)
				if err != nil {
					b.Fatal(err)
				}
				kp.Marshal()
				secrets.Marshal()
			}
		})
		for _, shape := range []struct {
			name string
			grow func(*testing.B, CipherSuite, int) (a, b *Group)
		}{{"chain", growChain}, {"star", growStar}} {
			for _, n := range []int{2, 10, 100, 1000} {
				b.Run(fmt.Sprintf("%s/%s/%d", suite, shape.name, n), func(b *testing.B) {
					benchmarkGroup(b, s, n, shape.grow)
				})
			}
		}
	}
}

func benchmarkGroup(b *testing.B, s CipherSuite, n int, grow func(*testing.B, CipherSuite, int) (*Group, *Group)) {
	from, to := grow(b, s, n)
	kp, secrets := keyPackage(b, s, "newcomer")
	adding := CommitContent{Adds: []*KeyPackage{kp}}
	added, _ := makeOnce(b, from, adding, true)
	updated, _ := makeOnce(b, from, CommitContent{}, true)
	b.Run("add", func(b *testing.B) { benchmarkCommit(b, from, adding, true) })
	b.Run("add-pathless", func(b *testing.B) { benchmarkCommit(b, from, adding, false) })
	b.Run("join", func(b *testing.B) {
		for b.Loop() {
			marshalDelta(Delta{Put: must(Join(added.Welcome, secrets))(b).State()})
		}
	})
	b.Run("update", func(b *testing.B) { benchmarkCommit(b, from, CommitContent{}, true) })
	b.Run("process", func(b *testing.B) {
		for b.Loop() {
			g := copyGroup(to)
			opened, d, err := g.Open(updated.Message)
			if err != nil {
				b.Fatal(err)
			}
			marshalDelta(d)
			marshalDelta(must(g.Enter(opened.Commit))(b))
		}
	})
	text := make([]byte, 1024)
	b.Run("encrypt", func(b *testing.B) {
		g := copyGroup(from)
		for b.Loop() {
			_, d, err := g.Seal(nil, text)
			if err != nil {
				b.Fatal(err)
			}
			marshalDelta(d)
		}
	})
	b.Run("decrypt", func(b *testing.B) {
		sender, receiver := copyGroup(from), copyGroup(to)
		var waiting [][]byte // sealed ahead, so that the clock is seldom stopped
		for b.Loop() {
			if len(waiting) == 0 {
				b.StopTimer()
				waiting = sealMany(b, sender, text, 256)
				b.StartTimer()
			}
			_, d, err := receiver.Open(waiting[0])
			if err != nil {
				b.Fatal(err)
			}
			waiting = waiting[1:]
			marshalDelta(d)
		}
	})
}

func sealMany(b *testing.B, g *Group, text []byte, n int) (messages [][]byte) {
	b.Helper()
	for range n {
		m, _, err := g.Seal(nil, text)
		if err != nil {
			b.Fatal(err)
		}
		messages = append(messages, m)
	}
	return messages
}

// makeOnce makes and stores a commit, and merges it unless it is for the
// comparison without a path.
func makeOnce(b *testing.B, from *Group, content CommitContent, withPath bool) (*PendingCommit, Delta) {
	b.Helper()
	g := copyGroup(from)
	p, c, err := g.makeCommit(nil, content, withPath)
	if err != nil {
		b.Fatal(err)
	}
	g.secrets.apply(c)
	marshalDelta(c.delta())
	p.Marshal()
	if !withPath {
		return p, Delta{}
	}
	return p, must(g.Merge(p))(b)
}

func benchmarkCommit(b *testing.B, from *Group, content CommitContent, withPath bool) {
	b.Helper()
	for b.Loop() {
		_, d := makeOnce(b, from, content, withPath)
		marshalDelta(d)
	}
}

func marshalDelta(d Delta) []byte {
	var b []byte
	for _, p := range d.Put {
		b = wire.AppendVec(wire.AppendVec(b, []byte(p.Key)), p.Value)
	}
	for _, key := range d.Delete {
		b = wire.AppendVec(b, []byte(key))
	}
	return b
}

// copyGroup makes a group that can go its own way from g's state.
func copyGroup(g *Group) *Group {
	c := *g
	c.secrets = &secretTree{g.suite, g.secrets.leaves, maps.Clone(g.secrets.records)}
	c.pending = slices.Clone(g.pending)
	return &c
}

// growChain makes a group of n in which everybody added the next, and gives the
// last two.
func growChain(b *testing.B, s CipherSuite, n int) (*Group, *Group) {
	b.Helper()
	last := newPerson(b, "0").found(s).group
	var before *Group
	for i := 1; i < n; i++ {
		before = last
		last = addQuickly(b, before, 1)
	}
	return before, last
}

// growStar makes a group whose founder added all others at once, and gives the
// founder and the last.
func growStar(b *testing.B, s CipherSuite, n int) (*Group, *Group) {
	b.Helper()
	founder := newPerson(b, "0").found(s).group
	return founder, addQuickly(b, founder, n-1)
}

// addQuickly lets g add n members, and makes the group of the last from g's,
// without the checks that Join makes.
func addQuickly(b *testing.B, g *Group, n int) *Group {
	b.Helper()
	var content CommitContent
	var secrets *KeyPackageSecrets
	for i := range n {
		var kp *KeyPackage
		kp, secrets = keyPackage(b, g.suite.id, fmt.Sprint(i))
		content.Adds = append(content.Adds, kp)
	}
	p, _, err := g.Stage(nil, content)
	if err != nil {
		b.Fatal(err)
	}
	must(g.Merge(p))(b)
	joined := copyGroup(g)
	joined.signature = secrets.signature
	joined.tree.members(func(l LeafIndex, leaf *leafNode) {
		if leaf == g.tree.leaf(l) && string(leaf.signatureKey) == string(secrets.signature.public) {
			joined.own = l
		}
	})
	joined.keys = map[nodeIndex][]byte{joined.own.node(): secrets.leafPrivate}
	for x, key := range p.private {
		if !x.isLeaf() && x.covers(joined.own) {
			joined.keys[x] = key
		}
	}
	return joined
}
