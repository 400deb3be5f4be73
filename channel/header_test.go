package channel

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"parley/internal/wire"
	"parley/mls"
	"parley/relay"
)

// forge seals a cell of the plenary again with another header: what a member
// can do, and the relay with it.
func forge(e *end, c *relay.Cell, change func(*header)) *relay.Cell {
	e.t.Helper()
	key := e.rooms[Plenary].key
	k, h, content, err := open(key, c)
	if err != nil {
		e.t.Fatal(err)
	}
	change(&h)
	return must(seal(key, k, h, content))
}

// sealed makes a message's cell without posting it.
func sealed(e *end, text string) *relay.Cell {
	e.t.Helper()
	c, d, err := e.Seal(Plenary, 1000, []byte(text))
	if err != nil {
		e.t.Fatal(err)
	}
	e.keep(d)
	return c
}

func (tb *table) postCell(c *relay.Cell) { tb.box = append(tb.box, *c) }

// noise fills the box with cells that nobody can open.
func (tb *table) noise(n int) {
	for range n {
		c := new(relay.Cell)
		sum := sha256.Sum256(wire.AppendU64(nil, uint64(len(tb.box))))
		copy(c[:], sum[:])
		tb.postCell(c)
	}
}

// lies are the three that a header can tell, besides that of a newcomer.
var lies = map[Contradiction]func(*header){
	ShowsMore: func(h *header) { h.Position = 1000 },
	OtherBox:  func(h *header) { h.Running[0] ^= 1 },
	OtherPast: func(h *header) { h.Chain[31] ^= 1 },
}

// settled is a table in the second box of both, where each knows what was
// before.
func settled(t testing.TB) *table {
	t.Helper()
	tb := sit(t)
	tb.next()
	tb.commit(tb.ruth, Plenary, mls.CommitContent{})
	tb.follow(tb.halden)
	tb.next()
	return tb
}

// follow has an end read a box that a commit closes.
func (tb *table) follow(e *end) {
	tb.t.Helper()
	l := tb.read(e)
	d, _, err := e.Follow(l[len(l)-1])
	if err != nil {
		tb.t.Fatal(err)
	}
	e.keep(d)
}

func TestHeadersOfHonestMembersAgree(t *testing.T) {
	tb := settled(t)
	// Cells that were made when less of the box was there, in every block of it.
	var late []*relay.Cell
	for i := range 5 {
		late = append(late, sealed(tb.ruth, fmt.Sprint("late ", i)))
		tb.noise(blockHashes/2 + 3)
		tb.read(tb.ruth)
	}
	for _, c := range late {
		tb.postCell(c)
	}
	tb.postCell(must(seal(tb.halden.rooms[Plenary].key, kindCover, tb.halden.walk.header(), nil)))
	tb.halden.reopen()
	l := tb.read(tb.halden)
	if len(l) != len(late) {
		t.Fatalf("%d entries of %d", len(l), len(late))
	}
	for i, g := range l {
		if g.Against != Agrees || g.Bad != nil || g.Seen != uint64(i*(blockHashes/2+3)) {
			t.Errorf("entry %d: %d, %v; its maker had read %d", i, g.Against, g.Bad, g.Seen)
		}
	}
	tb.halden.reopen()
	tb.noise(blockHashes)
	tb.read(tb.halden)
	tb.postCell(sealed(tb.ruth, "after all this"))
	if g := only(t, tb.read(tb.halden), "ruth", "after all this"); g.Against != Agrees {
		t.Errorf("after opening again: %d", g.Against)
	}
	full := int(tb.halden.Position() / blockHashes)
	if n := blocks(tb.halden); n != full {
		t.Errorf("%d blocks are stored of %d", n, full)
	}
	tb.read(tb.ruth)
	tb.commit(tb.ruth, Plenary, mls.CommitContent{})
	tb.follow(tb.halden)
	if n := blocks(tb.halden) + blocks(tb.ruth); n != 0 {
		t.Errorf("%d blocks outlive their box", n)
	}
}

func blocks(e *end) (n int) {
	for k := range e.stored {
		if k[:1] == keyBlock {
			n++
		}
	}
	return n
}

// TestFalseHeaders: each lie, on a head, on a chunk and on cover, is found; of
// a head and its chunks the author is known.
func TestFalseHeaders(t *testing.T) {
	for want, lie := range lies {
		t.Run(fmt.Sprint(want), func(t *testing.T) {
			tb := settled(t)
			tb.postCell(forge(tb.ruth, sealed(tb.ruth, "here"), lie))
			if g := only(t, tb.read(tb.halden), "ruth", "here"); g.Against != want {
				t.Errorf("a head: %d", g.Against)
			}
			tb.read(tb.ruth)
			cells, ref, err := tb.ruth.SealLong(Plenary, make([]byte, 2*contentSize))
			if err != nil {
				t.Fatal(err)
			}
			for i := range cells {
				ref.Positions = append(ref.Positions, uint32(len(tb.box)))
				if i == 1 {
					cells[i] = *forge(tb.ruth, &cells[i], lie)
				}
				tb.postCell(&cells[i])
			}
			if l := tb.read(tb.halden); len(l) != 0 {
				t.Errorf("a chunk by itself: %+v", l[0])
			}
			tb.halden.reopen()
			head, d, err := tb.ruth.SealHead(Plenary, 1000, ref)
			if err != nil {
				t.Fatal(err)
			}
			tb.ruth.keep(d)
			tb.postCell(head)
			if g := only(t, tb.read(tb.halden), "ruth", string(make([]byte, 2*contentSize))); g.Against != want {
				t.Errorf("a chunk that is named: %d", g.Against)
			}
			cover := must(seal(tb.ruth.rooms[Plenary].key, kindCover, tb.halden.walk.header(), nil))
			tb.postCell(forge(tb.ruth, cover, lie))
			if l := tb.read(tb.halden); len(l) != 1 || l[0].Against != want || l[0].Author != nil || l[0].Bad == nil {
				t.Errorf("cover: %+v", l)
			}
			own := forge(tb.halden, sealed(tb.halden, "mine"), lie)
			if g, _, err := tb.halden.Step(own, true); err != nil || !g.Own || g.Against != want {
				t.Errorf("one's own, read back: %+v, %v", g, err)
			}
		})
	}
}

// TestForkShows: the relay shows two members two boxes and copies what one
// writes to the other. The very first cell tells.
func TestForkShows(t *testing.T) {
	tb := settled(t)
	common := slices.Clone(tb.box)
	tb.noise(1) // hidden from Halden
	tb.read(tb.ruth)
	c := sealed(tb.ruth, "after what you do not see")
	hidden := *tb
	hidden.box = append(common, *c)
	if g := only(t, hidden.read(tb.halden), "ruth", "after what you do not see"); g.Against != ShowsMore {
		t.Errorf("a tail that is hidden: %d", g.Against)
	}
	// From now on both have as many cells, but others.
	tb.read(tb.ruth)
	hidden.postCell(c)
	hidden.noise(1)
	hidden.read(tb.halden)
	tb.noise(2)
	tb.read(tb.ruth)
	hidden.postCell(sealed(tb.ruth, "again"))
	if g := only(t, hidden.read(tb.halden), "ruth", "again"); g.Against != OtherBox {
		t.Errorf("a box with other cells: %d", g.Against)
	}
	// Each closes its own box by the same commit. In the next, only the past differs.
	p, d, err := tb.ruth.Stage(Plenary, 1000, mls.CommitContent{})
	if err != nil {
		t.Fatal(err)
	}
	tb.ruth.keep(d)
	commit := must(tb.ruth.SealCommit(Plenary, p.Message))
	tb.post(tb.ruth, commit)
	tb.read(tb.ruth)
	tb.ruth.keep(must(tb.ruth.Merge(Plenary)))
	hidden.postCell(commit)
	hidden.follow(tb.halden)
	tb.next()
	tb.halden.reopen()
	tb.postCell(sealed(tb.ruth, "a new day"))
	if g := only(t, tb.read(tb.halden), "ruth", "a new day"); g.Against != OtherPast {
		t.Errorf("another past: %d", g.Against)
	}
}

// enters has another member come in, and gives its end. Halden follows, and so
// do those who came in before.
func (tb *table) enters(name string, before ...*end) *end {
	tb.t.Helper()
	kp, secrets, err := mls.NewKeyPackage(suite, []byte(name), must(mls.GenerateSignatureKey(suite)), life)
	if err != nil {
		tb.t.Fatal(err)
	}
	welcome := tb.commit(tb.ruth, Plenary, mls.CommitContent{Adds: []*mls.KeyPackage{kp}})
	for _, e := range append(before, tb.halden) {
		tb.follow(e)
	}
	tb.next()
	l, d, err := Enter(must(mls.Join(welcome, secrets)), cfg)
	if err != nil {
		tb.t.Fatal(err)
	}
	return newEnd(tb.t, l, d)
}

// TestNewcomerIsToldAFalsePast: the first header that a newcomer reads is
// false. Two others agree, so their word counts; until then the newcomer says
// nothing of the past itself, so nobody holds the lie against it.
func TestNewcomerIsToldAFalsePast(t *testing.T) {
	tb := settled(t)
	nora := tb.enters("nora")
	mira := tb.enters("mira", nora)
	true1 := tb.ruth.Here().Chain
	tb.postCell(forge(tb.ruth, sealed(tb.ruth, "false"), lies[OtherPast]))
	if g := only(t, tb.read(mira), "ruth", "false"); g.Against != Agrees || !mira.Here().Known || mira.Here().Chain == true1 {
		t.Errorf("the first word counts: %+v", g)
	}
	tb.postCell(sealed(mira, "I came in"))
	if l := tb.read(tb.halden); l[len(l)-1].Against != Agrees {
		t.Errorf("the newcomer is reported: %d", l[len(l)-1].Against)
	}
	mira.own[sha256.Sum256(tb.box[len(tb.box)-1][:])] = true
	tb.read(mira)
	mira.reopen()
	tb.postCell(sealed(tb.halden, "true"))
	if g := only(t, tb.read(mira), "halden", "true"); g.Against != OtherPast || !g.Unsure || g.Outvoted != nil || mira.Here().Chain == true1 {
		t.Errorf("one against one: %+v", g)
	}
	tb.postCell(sealed(tb.halden, "true again"))
	if g := only(t, tb.read(mira), "halden", "true again"); g.Against != OtherPast || g.Outvoted != nil {
		t.Errorf("one who says so twice is still one: %+v", g)
	}
	mira.reopen()
	tb.read(nora)
	tb.postCell(sealed(nora, "as he says"))
	if g := only(t, tb.read(mira), "nora", "as he says"); g.Against != Agrees || string(g.Outvoted) != "ruth" || string(g.Cleared) != "halden" || mira.Here().Chain != true1 || g.Place.Chain != true1 {
		t.Errorf("two against one: %+v", g)
	}
	if _, there := mira.stored[keyTold]; there {
		t.Error("who told is kept after it is settled")
	}
	if h := mira.walk.header(); h.Chain != true1 {
		t.Error("settled, the newcomer still says nothing of the past")
	}
}

// TestNewcomerIsToldTheSameTwice: a second seat settles what the first said,
// and the end of the box does where none did.
func TestNewcomerIsToldTheSameTwice(t *testing.T) {
	tb := settled(t)
	mira := tb.enters("mira")
	tb.postCell(sealed(tb.ruth, "one"))
	tb.read(mira)
	if mira.walk.header().claims() {
		t.Error("after one voice the newcomer speaks of the past")
	}
	tb.read(tb.halden)
	tb.postCell(sealed(tb.halden, "two"))
	if g := only(t, tb.read(mira), "halden", "two"); g.Against != Agrees || !mira.walk.header().claims() || mira.stored[keyTold] != nil {
		t.Errorf("%+v", g)
	}
	tb = settled(t)
	mira = tb.enters("mira")
	tb.commit(tb.ruth, Plenary, mls.CommitContent{})
	tb.follow(mira)
	mira.reopen()
	if !mira.walk.header().claims() || mira.Here().Chain != tb.ruth.Here().Chain {
		t.Error("in the next box the newcomer does not speak of the past, or of another")
	}
}

func TestLoadRefusesFalseHistory(t *testing.T) {
	tb := settled(t)
	tb.noise(3 * blockHashes)
	tb.read(tb.ruth)
	for name, breakIt := range map[string]func(map[string][]byte){
		"a block is missing": func(m map[string][]byte) { delete(m, blockKey(1)) },
		"a short block":      func(m map[string][]byte) { m[blockKey(1)] = make([]byte, blockSize-1) },
		"a broken chunk":     func(m map[string][]byte) { m[chunkKey(0, 1)] = []byte{byte(OtherPast) + 1} },
		"nobody told":        func(m map[string][]byte) { m[keyTold] = []byte{9} },
	} {
		m := map[string][]byte{}
		for k, v := range tb.ruth.stored {
			m[k] = v
		}
		if _, err := Load(cfg, m); err != nil {
			t.Fatal(err)
		}
		breakIt(m)
		if _, err := Load(cfg, m); err == nil {
			t.Errorf("%s, and it was loaded", name)
		}
	}
}

func FuzzParseTold(f *testing.F) {
	f.Add((&told{From: []byte("ruth")}).marshal())
	f.Add((&told{From: []byte("ruth"), Chain: Hash{1}, Rival: []byte("halden")}).marshal())
	f.Fuzz(func(t *testing.T, in []byte) {
		if x, err := parseTold(in); err == nil && !bytes.Equal(x.marshal(), in) {
			t.Errorf("%x re-encodes as %x", in, x.marshal())
		}
	})
}

func FuzzParseChunk(f *testing.F) {
	f.Add(chunk{Agrees, []byte("content")}.marshal())
	f.Add(chunk{OtherBox, nil}.marshal())
	f.Fuzz(func(t *testing.T, in []byte) {
		if c, err := parseChunk(in); err == nil && !bytes.Equal(c.marshal(), in) {
			t.Errorf("%x re-encodes as %x", in, c.marshal())
		}
	})
}
