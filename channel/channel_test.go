package channel

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"parley/internal/wire"
	"parley/mls"
	"parley/relay"
)

const suite = mls.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519

var cfg = Config{Retention: 30, Idle: 9}

// A table is two members of one log: ruth founded it, halden joined by Welcome.
type table struct {
	t            testing.TB
	ruth, halden *end
	box          []relay.Cell // the box as the relay has it
}

// An end is a Log and what a vault would hold of it.
type end struct {
	*Log
	t      testing.TB
	stored map[string][]byte
	own    map[[32]byte]bool
}

func (e *end) keep(d Delta) {
	for _, c := range d {
		if c.Value == nil {
			delete(e.stored, c.Key)
		} else {
			e.stored[c.Key] = c.Value
		}
	}
}

// reopen replaces the Log by what is stored of it.
func (e *end) reopen() {
	e.t.Helper()
	l, err := Load(cfg, maps.Clone(e.stored))
	if err != nil {
		e.t.Fatal(err)
	}
	e.Log = l
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newEnd(t testing.TB, l *Log, d Delta) *end {
	e := &end{Log: l, t: t, stored: map[string][]byte{}, own: map[[32]byte]bool{}}
	e.keep(d)
	return e
}

var life = mls.Lifetime{NotBefore: 0, NotAfter: 1000}

func sit(t testing.TB) *table {
	t.Helper()
	group := must(mls.NewGroup(suite, []byte("plenary"), []byte("ruth"), must(mls.GenerateSignatureKey(suite)), life))
	l, d, err := Found(group, cfg)
	if err != nil {
		t.Fatal(err)
	}
	tb := &table{t: t, ruth: newEnd(t, l, d)}
	kp, secrets, err := mls.NewKeyPackage(suite, []byte("halden"), must(mls.GenerateSignatureKey(suite)), life)
	if err != nil {
		t.Fatal(err)
	}
	welcome := tb.commit(tb.ruth, Plenary, mls.CommitContent{Adds: []*mls.KeyPackage{kp}})
	joined := must(mls.Join(welcome, secrets))
	l, d, err = Enter(joined, cfg)
	if err != nil {
		t.Fatal(err)
	}
	tb.halden = newEnd(t, l, d)
	return tb
}

// commit stages, posts and reads back a commit, and gives its Welcome. Others
// have to read it themselves.
func (tb *table) commit(e *end, r Room, c mls.CommitContent) []byte {
	tb.t.Helper()
	p, d, err := e.Stage(r, 1000, c)
	if err != nil {
		tb.t.Fatal(err)
	}
	e.keep(d)
	if CommitFits(p.Message) {
		tb.post(e, must(e.SealCommit(r, p.Message)))
	} else {
		cells, ref, err := e.SealLong(r, p.Message)
		if err != nil {
			tb.t.Fatal(err)
		}
		ref.Positions = tb.postChunks(e, cells)
		tb.post(e, must(e.SealCommitHead(r, ref)))
	}
	for _, x := range tb.read(e) {
		if x.Own {
			e.keep(must(e.Merge(r)))
		}
	}
	return p.Welcome
}

func (tb *table) post(e *end, c *relay.Cell) uint32 {
	e.own[sha256.Sum256(c[:])] = true
	tb.box = append(tb.box, *c)
	return uint32(len(tb.box) - 1)
}

func (tb *table) postChunks(e *end, cells []relay.Cell) []uint32 {
	var at []uint32
	for i := range cells {
		at = append(at, tb.post(e, &cells[i]))
	}
	return at
}

// read gives an end what it has not read of the box, and returns the entries.
func (tb *table) read(e *end) []*Got {
	tb.t.Helper()
	var l []*Got
	for box := e.Box().ID(); int(e.Position()) < len(tb.box) && e.Box().ID() == box; {
		c := &tb.box[e.Position()]
		got, d, err := e.Step(c, e.own[sha256.Sum256(c[:])])
		if err != nil {
			tb.t.Fatal(err)
		}
		e.keep(d)
		if got != nil {
			l = append(l, got)
		}
	}
	return l
}

// next begins the box of a new epoch.
func (tb *table) next() { tb.box = nil }

func (tb *table) say(e *end, r Room, text string) {
	tb.t.Helper()
	c, d, err := e.Seal(r, 1000, []byte(text))
	if err != nil {
		tb.t.Fatal(err)
	}
	e.keep(d)
	tb.post(e, c)
}

// only checks that exactly one entry was read, with that payload.
func only(t *testing.T, l []*Got, author, payload string) *Got {
	t.Helper()
	if len(l) != 1 {
		t.Fatalf("%d entries", len(l))
	}
	if g := l[0]; g.Bad != nil || string(g.Author) != author || string(g.Payload) != payload {
		t.Fatalf("author %q, payload of %d bytes, %v", g.Author, len(g.Payload), g.Bad)
	}
	return l[0]
}

// share has both sit in a side room as well, and begins a box.
func (tb *table) share(r Room) {
	tb.t.Helper()
	group := must(mls.NewGroup(suite, []byte("side"), []byte("ruth"), must(mls.GenerateSignatureKey(suite)), life))
	tb.ruth.keep(must(tb.ruth.Join(r, group)))
	kp, secrets, err := mls.NewKeyPackage(suite, []byte("halden"), must(mls.GenerateSignatureKey(suite)), life)
	if err != nil {
		tb.t.Fatal(err)
	}
	tb.next()
	welcome := tb.commit(tb.ruth, r, mls.CommitContent{Adds: []*mls.KeyPackage{kp}})
	tb.read(tb.halden)
	tb.halden.keep(must(tb.halden.Join(r, must(mls.Join(welcome, secrets)))))
}

func TestShortAndLong(t *testing.T) {
	tb := sit(t)
	tb.next()
	tb.say(tb.ruth, Plenary, "good morning")
	g := only(t, tb.read(tb.halden), "ruth", "good morning")
	if g.Minute != 1000 || g.Place.Position != 0 {
		t.Errorf("%+v", g)
	}
	if own := tb.read(tb.ruth); len(own) != 1 || !own[0].Own {
		t.Errorf("one's own came back as %+v", own)
	}
	long := strings.Repeat("a long text ", 3000)
	cells, ref, err := tb.halden.SealLong(Plenary, []byte(long))
	if err != nil {
		t.Fatal(err)
	}
	tb.say(tb.ruth, Plenary, "something between")
	ref.Positions = tb.postChunks(tb.halden, cells)
	c, d, err := tb.halden.SealHead(Plenary, 1001, ref)
	if err != nil {
		t.Fatal(err)
	}
	tb.halden.keep(d)
	tb.post(tb.halden, c)
	tb.ruth.reopen() // chunks outlive a restart
	l := tb.read(tb.ruth)
	only(t, l[1:], "halden", long)
	// Whoever has the chunks may name them once more: that is nobody's loss.
	c, d, err = tb.halden.SealHead(Plenary, 1001, ref)
	if err != nil {
		t.Fatal(err)
	}
	tb.halden.keep(d)
	tb.post(tb.halden, c)
	only(t, tb.read(tb.ruth), "halden", long)
	tb.read(tb.halden)
	tb.commit(tb.halden, Plenary, mls.CommitContent{})
	if g := tb.read(tb.ruth); len(g) != 1 || g[0].Commit == nil {
		t.Fatalf("%+v", g)
	} else if d, _, err := tb.ruth.Follow(g[0]); err != nil {
		t.Fatal(err)
	} else {
		tb.ruth.keep(d)
	}
	for k := range tb.ruth.stored {
		if k[:1] == keyChunk {
			t.Error("a chunk is kept after its epoch")
		}
	}
}

// TestChunksAreSealed: whoever has the key of a room's cells reads nothing of a long
// text or a commit before the head that names its chunks.
func TestChunksAreSealed(t *testing.T) {
	tb := sit(t)
	tb.next()
	content := bytes.Repeat([]byte("a commit's message "), 500)
	cells, _, err := tb.halden.SealLong(Plenary, content)
	if err != nil {
		t.Fatal(err)
	}
	for i := range cells {
		k, _, part, err := open(tb.ruth.rooms[Plenary].key, &cells[i])
		if err != nil || k != kindChunk {
			t.Fatalf("kind %d: %v", k, err)
		}
		if bytes.Contains(part, content[:19]) {
			t.Error("a chunk can be read")
		}
	}
}

func TestEveryCellLooksTheSame(t *testing.T) {
	tb := sit(t)
	tb.next()
	tb.say(tb.ruth, Plenary, "x")
	tb.say(tb.ruth, Plenary, strings.Repeat("x", MaxInline))
	for _, c := range tb.box {
		zeros := bytes.Count(c[:], []byte{0})
		if zeros > 60 { // 16 are expected of random bytes
			t.Errorf("a cell has %d zero bytes", zeros)
		}
	}
	if tb.box[0] == tb.box[1] {
		t.Error("two cells are the same")
	}
}

func TestCommitEndsTheBox(t *testing.T) {
	tb := sit(t)
	before := tb.halden.Box().ID()
	tb.next()
	tb.commit(tb.ruth, Plenary, mls.CommitContent{})
	l := tb.read(tb.halden)
	if l[0].Commit == nil {
		t.Fatalf("%+v", l[0])
	}
	d, removed, err := tb.halden.Follow(l[0])
	if err != nil || removed {
		t.Fatal(removed, err)
	}
	tb.halden.keep(d)
	if tb.halden.Box().ID() == before || tb.halden.Box().ID() != tb.ruth.Box().ID() || tb.halden.Position() != 0 {
		t.Fatal("the next box is not the same for both")
	}
	if tb.halden.Here().Chain != tb.ruth.Here().Chain {
		t.Error("the chains over the boxes before differ")
	}
	tb.next()
	tb.halden.reopen()
	tb.ruth.reopen()
	tb.say(tb.halden, Plenary, "here we are")
	only(t, tb.read(tb.ruth), "halden", "here we are")
}

func TestRemovedCannotFollow(t *testing.T) {
	tb := sit(t)
	leaf := tb.ruth.Members(Plenary)[1].Leaf
	tb.next()
	tb.commit(tb.ruth, Plenary, mls.CommitContent{Removes: []mls.LeafIndex{leaf}})
	l := tb.read(tb.halden)
	d, removed, err := tb.halden.Follow(l[0])
	if err != nil || !removed {
		t.Fatal(removed, err)
	}
	tb.halden.keep(d)
	for k := range tb.halden.stored {
		if k[:1] == keyGroup {
			t.Errorf("a removed seat keeps %q", k)
		}
	}
	if tb.halden.Box().ID() == tb.ruth.Box().ID() {
		t.Error("a removed seat knows the next box")
	}
}

// TestRemovedReadsNothingMore: the removed end keeps all it had and does not
// follow its removal; the relay gives it every cell, and a member even the key
// of the next box.
func TestRemovedReadsNothingMore(t *testing.T) {
	tb := sit(t)
	leaf := tb.ruth.Members(Plenary)[1].Leaf
	tb.next()
	tb.read(tb.halden)
	kept := maps.Clone(tb.halden.stored)
	tb.commit(tb.ruth, Plenary, mls.CommitContent{Removes: []mls.LeafIndex{leaf}})
	tb.next()
	tb.say(tb.ruth, Plenary, "among those who stay")
	cells, ref, err := tb.ruth.SealLong(Plenary, make([]byte, 10_000))
	if err != nil {
		t.Fatal(err)
	}
	ref.Positions = tb.postChunks(tb.ruth, cells)
	for _, helped := range []bool{false, true} {
		removed, err := Load(cfg, maps.Clone(kept))
		if err != nil {
			t.Fatal(err)
		}
		if helped {
			removed.walk.enter(tb.ruth.walk.root, cfg)
			if err := removed.rekeyAll(); err != nil {
				t.Fatal(err)
			}
		}
		for i := range tb.box {
			if got, _, err := removed.Step(&tb.box[i], false); err != nil || got != nil {
				t.Errorf("with the box key %v, cell %d is not noise: %+v, %v", helped, i, got, err)
			}
		}
		if n := len(removed.rooms[Plenary].chunks); n != 0 {
			t.Errorf("with the box key %v, %d chunks open", helped, n)
		}
	}
}

func TestMessageOfAnotherBoxIsNone(t *testing.T) {
	tb := sit(t)
	tb.next()
	// A member takes the cell of another apart and seals it again in this box.
	tb.say(tb.halden, Plenary, "made for this box")
	genuine := tb.box[0]
	x := tb.ruth.rooms[Plenary]
	_, h, content, err := open(x.key, &genuine)
	if err != nil {
		t.Fatal(err)
	}
	tb.ruth.walk.id[0]++ // as if the log stood in another box
	again, err := seal(x.key, kindHead, h, content)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := tb.ruth.Step(again, false)
	if err != nil || got == nil || !errors.Is(got.Bad, errElsewhere) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestNonsenseOfAMember(t *testing.T) {
	tb := sit(t)
	x := tb.ruth.rooms[Plenary]
	h := tb.ruth.walk.header()
	for name, content := range map[string][]byte{
		"empty":            {},
		"no such form":     {7},
		"no message":       {bodyInline, 1, 2, 3},
		"chunks nowhere":   body{Ref: &Ref{Positions: []uint32{5}}}.marshal(),
		"no chunks":        body{Ref: &Ref{}}.marshal(),
		"position too far": body{Ref: &Ref{Positions: []uint32{wire.BoxCapacity}}}.marshal(),
	} {
		c, err := seal(x.key, kindHead, h, content)
		if err != nil {
			t.Fatal(err)
		}
		before := maps.Clone(tb.halden.stored)
		got, d, err := tb.halden.Step(c, false)
		if err != nil || got == nil || got.Bad == nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		tb.halden.keep(d)
		for k, v := range tb.halden.stored {
			if k != keyWalk && !bytes.Equal(v, before[k]) {
				t.Errorf("%s changed %q", name, k)
			}
		}
	}
	plain := make([]byte, plainSize)
	plain[0], plain[plainSize-1] = byte(kindHead), 1 // padding that is not zero
	c, err := sealRaw(x.key, plain)
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := tb.halden.Step(c, false); err != nil || got == nil || !errors.Is(got.Bad, wire.ErrMalformed) {
		t.Errorf("padding: %+v, %v", got, err)
	}
	var noise relay.Cell
	if got, _, err := tb.halden.Step(&noise, false); err != nil || got != nil {
		t.Errorf("noise: %+v, %v", got, err)
	}
}

func TestFullBoxGoesOn(t *testing.T) {
	tb := sit(t)
	tb.next()
	first := tb.ruth.Box().ID()
	tb.say(tb.ruth, Plenary, "from this Halden learns the chain over the boxes before")
	noise := make([]relay.Cell, wire.BoxCapacity-1)
	for i := range noise {
		noise[i][0], noise[i][1] = byte(i), byte(i>>8)
	}
	tb.box = append(tb.box, noise...)
	tb.read(tb.ruth)
	tb.read(tb.halden)
	if tb.ruth.Box().ID() == first || tb.ruth.Position() != 0 || tb.ruth.Here().Part != 1 {
		t.Fatal("the log did not go on to the next box")
	}
	tb.ruth.reopen()
	if tb.ruth.Box().ID() != tb.halden.Box().ID() || tb.ruth.Here() != tb.halden.Here() {
		t.Fatal("the two stand in different places")
	}
	tb.next()
	tb.say(tb.ruth, Plenary, "on we go")
	only(t, tb.read(tb.halden), "ruth", "on we go")
}

func TestSideRoomIsNoiseToOthers(t *testing.T) {
	tb := sit(t)
	tb.next()
	group := must(mls.NewGroup(suite, []byte("side"), []byte("ruth"), must(mls.GenerateSignatureKey(suite)), life))
	tb.ruth.keep(must(tb.ruth.Join(1, group)))
	tb.say(tb.ruth, 1, "among ourselves")
	tb.say(tb.ruth, Plenary, "aloud")
	only(t, tb.read(tb.halden), "ruth", "aloud")
	if a, b := tb.halden.Here(), tb.ruth; a.Running == b.Here().Running {
		t.Error("the running hash does not count noise")
	}
	tb.read(tb.ruth)
	if tb.halden.Here().Running != tb.ruth.Here().Running {
		t.Error("the two see different boxes")
	}
	if _, _, err := tb.halden.Seal(1, 1000, []byte("x")); !errors.Is(err, ErrNoRoom) {
		t.Errorf("writing in a room one is not in: %v", err)
	}
}

// TestChunksDieWithTheEpoch: who has come since could not open them, so
// nobody may name them.
func TestChunksDieWithTheEpoch(t *testing.T) {
	for _, room := range []Room{Plenary, 1} {
		tb := sit(t)
		tb.share(1)
		cells, _, err := tb.halden.SealLong(room, make([]byte, 9000))
		if err != nil {
			t.Fatal(err)
		}
		tb.postChunks(tb.halden, cells)
		tb.read(tb.ruth)
		if n := len(tb.ruth.rooms[room].chunks); n != len(cells) {
			t.Fatalf("room %d: %d of %d chunks are kept", room, n, len(cells))
		}
		tb.commit(tb.ruth, room, mls.CommitContent{})
		if len(tb.ruth.rooms[room].chunks) != 0 {
			t.Errorf("room %d: chunks outlive their epoch", room)
		}
		for k := range tb.ruth.stored {
			if k[:1] == keyChunk {
				t.Errorf("room %d: chunks stay in the vault", room)
			}
		}
	}
}

func TestChunksAreBoundToTheirHash(t *testing.T) {
	key, sealed, err := sealOnce([]byte("the content"))
	if err != nil {
		t.Fatal(err)
	}
	b := body{Ref: &Ref{Positions: []uint32{0}, Hash: sha256.Sum256(sealed), Key: key}}
	got, err := b.resolve(func(uint32) []byte { return sealed })
	if err != nil || string(got) != "the content" {
		t.Fatalf("%q, %v", got, err)
	}
	commit := body{Ref: &Ref{Positions: []uint32{0}, Hash: sha256.Sum256(sealed)}} // under no key of its own
	for _, b := range []body{b, commit} {
		if _, err := b.resolve(func(uint32) []byte { return append(slices.Clone(sealed), 0) }); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("another content: %v", err)
		}
	}
	if _, err := b.resolve(func(uint32) []byte { return nil }); err == nil {
		t.Error("a missing chunk was no error")
	}
}

func TestLoadRefuses(t *testing.T) {
	tb := sit(t)
	for name, breakIt := range map[string]func(map[string][]byte){
		"nothing":    func(m map[string][]byte) { clear(m) },
		"no walk":    func(m map[string][]byte) { delete(m, keyWalk) },
		"short walk": func(m map[string][]byte) { m[keyWalk] = m[keyWalk][1:] },
		"no plenary": func(m map[string][]byte) {
			maps.DeleteFunc(m, func(k string, _ []byte) bool { return k[:1] == keyGroup })
		},
		"broken pending": func(m map[string][]byte) { m[pendingKey(Plenary)] = []byte{1} },
	} {
		m := maps.Clone(tb.ruth.stored)
		breakIt(m)
		if _, err := Load(cfg, m); err == nil {
			t.Errorf("%s was loaded", name)
		}
	}
}

// TestRatchetsTellSteps: one step from one state has one hash, whatever it
// seals; the next step has another.
func TestRatchetsTellSteps(t *testing.T) {
	tb := sit(t)
	step := func(text string) (Hash, Hash) {
		_, seal, err := tb.ruth.Seal(Plenary, 1000, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		_, stage, err := tb.ruth.Stage(Plenary, 1000, mls.CommitContent{})
		if err != nil {
			t.Fatal(err)
		}
		return seal.Ratchets(), stage.Ratchets()
	}
	a, b := step("one plaintext")
	c, d := step("the next")
	tb.ruth.reopen() // as a crash does before anything was stored
	if e, f := step("another plaintext"); a != e || b != f || a == b || a == c || b == d {
		t.Error("steps of ratchets are not told apart")
	}
}

func TestParcels(t *testing.T) {
	k := relay.NewBoxKey()
	for _, n := range []int{0, 1, parcelContent, parcelContent + 1, 100_000} {
		content := bytes.Repeat([]byte{byte(n)}, n)
		cells := must(Wrap(k, ParcelPost, content))
		got := unwrap(t, NewUnwrapper(k), slices.Concat(cells[:len(cells)-1], cells)...) // some of it twice, as after a crash
		if len(got) != 1 || got[0].Kind != ParcelPost || !bytes.Equal(got[0].Content, content) {
			t.Errorf("%d bytes came back as %+v", n, got)
		}
	}
	other := must(Wrap(relay.NewBoxKey(), ParcelPost, []byte("x")))
	if got := unwrap(t, NewUnwrapper(k), other...); len(got) > 0 {
		t.Errorf("noise: %+v", got)
	}
}

// TestParcelsWithoutEnd: they are given up for one that goes on, and cost no more.
func TestParcelsWithoutEnd(t *testing.T) {
	k := relay.NewBoxKey()
	u := NewUnwrapper(k)
	content := bytes.Repeat([]byte("Welcome."), 2*parcelContent)
	var got []*Parcel
	n := 0
	for _, cell := range must(Wrap(k, ParcelWelcome, content)) {
		got = unwrap(t, u, cell)
		for range maxHeld / 2 {
			n++
			unwrap(t, u, must(Wrap(k, ParcelPost, bytes.Repeat([]byte{byte(n), byte(n >> 8)}, parcelContent)))[0])
		}
		if u.held > maxHeld || len(u.open) > u.held || len(u.ages) != len(u.open) {
			t.Fatalf("%d cells of %d parcels are held", u.held, len(u.open))
		}
	}
	if len(got) != 1 || !bytes.Equal(got[0].Content, content) {
		t.Error("a parcel is lost among those without end")
	}
}

// TestForgedParts: who has seen a parcel begin can't have it end otherwise, nor
// keep it from ending.
func TestForgedParts(t *testing.T) {
	k := relay.NewBoxKey()
	content := bytes.Repeat([]byte("Welcome."), 3*parcelContent/8)
	cells := must(Wrap(k, ParcelWelcome, content))
	open := func(c relay.Cell) []byte { return must(openRaw(parcelKey(k), &c)) }
	first := open(cells[0])
	forged := []relay.Cell{cells[0]}
	for _, at := range []int{0, 1 + linkSize + 3, 1 + linkSize + 7} { // its kind, its number of cells, its content
		for i, of := range cells {
			plain := open(of)
			plain[at] ^= 1
			if i == 0 {
				copy(plain[1:], first[1:1+linkSize]) // what follows is the honest one's
			}
			forged = append(forged, *must(sealRaw(parcelKey(k), plain)))
		}
	}
	u := NewUnwrapper(k)
	for _, c := range forged {
		if p, _ := u.Add(&c); p != nil {
			t.Fatalf("a forged cell ends a parcel: %d bytes", len(p.Content))
		}
	}
	if got := unwrap(t, u, cells[1:]...); len(got) != 1 || got[0].Kind != ParcelWelcome || !bytes.Equal(got[0].Content, content) {
		t.Error("forged cells keep a parcel from its end")
	}
}

// unwrap gives the parcels that cells complete.
func unwrap(t *testing.T, u *Unwrapper, cells ...relay.Cell) (l []*Parcel) {
	t.Helper()
	for i := range cells {
		p, err := u.Add(&cells[i])
		if err != nil {
			t.Fatal(err)
		}
		if p != nil {
			l = append(l, p)
		}
	}
	return l
}

func TestFileParts(t *testing.T) {
	k := relay.NewBoxKey()
	part := bytes.Repeat([]byte("file"), FilePart/4)
	a, b := must(SealFilePart(k, 3, part)), must(SealFilePart(k, 3, part))
	if *a != *b {
		t.Error("the same part gives two cells, so an append can't be repeated")
	}
	if got := must(OpenFilePart(k, 3, a)); !bytes.Equal(got, part) {
		t.Error("a part came back otherwise")
	}
	if _, err := OpenFilePart(k, 4, a); err == nil {
		t.Error("a part passes for another")
	}
	if _, err := OpenFilePart(relay.NewBoxKey(), 3, a); err == nil {
		t.Error("a part opens under another key")
	}
	if n := FileParts(wire.MaxFile); n > wire.BoxCapacity {
		t.Errorf("the largest file needs %d cells", n)
	}
}

func FuzzParsePlain(f *testing.F) {
	f.Add(make([]byte, plainSize))
	f.Add(append([]byte{1}, make([]byte, plainSize-1)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > plainSize {
			b = b[:plainSize]
		}
		k, h, content, err := parsePlain(b)
		if err != nil || len(b) != plainSize {
			return
		}
		again := append([]byte{byte(k)}, wire.AppendU64(nil, h.Position)...)
		again = append(append(again, h.Running[:]...), h.Chain[:]...)
		again = append(wire.AppendU16(again, uint16(len(content))), content...)
		if !bytes.Equal(append(again, make([]byte, plainSize-len(again))...), b) {
			t.Errorf("%x re-encodes otherwise", b)
		}
	})
}

func FuzzParseBody(f *testing.F) {
	f.Add(body{Inline: []byte("x")}.marshal())
	f.Add(body{Ref: &Ref{Positions: []uint32{1, 2}, Key: make([]byte, 32)}}.marshal())
	f.Add(body{Ref: &Ref{Positions: []uint32{7}}}.marshal())
	f.Fuzz(func(t *testing.T, in []byte) {
		b, err := parseBody(in)
		if err == nil && !bytes.Equal(b.marshal(), in) {
			t.Errorf("%x re-encodes as %x", in, b.marshal())
		}
	})
}

func FuzzParsePart(f *testing.F) {
	f.Add(slices.Concat([]byte{1}, make([]byte, linkSize), []byte{0, 0, 0, 1, 0, 1, 9}))
	f.Fuzz(func(t *testing.T, in []byte) {
		x, err := parsePart(in)
		if err == nil && (x.i >= x.n || x.n > maxParts || len(x.content) > len(in)) {
			t.Errorf("part %d of %d, %d bytes", x.i, x.n, len(x.content))
		}
	})
}

func FuzzParseWalk(f *testing.F) {
	f.Add(make([]byte, walkSize))
	w := walk{known: true}
	w.enter(relay.NewBoxKey(), cfg)
	for range blockHashes + 3 {
		w.pass(new(relay.Cell))
	}
	f.Add(w.marshal())
	f.Fuzz(func(t *testing.T, in []byte) {
		w, err := parseWalk(in, cfg)
		if err == nil && !bytes.Equal(w.marshal(), in) {
			t.Errorf("%x re-encodes as %x", in, w.marshal())
		}
	})
}

func BenchmarkStep(b *testing.B) {
	tb := sit(b)
	tb.next()
	cells := make([]relay.Cell, 1000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%len(cells) == 0 {
			b.StopTimer()
			for j := range cells {
				c, d, err := tb.ruth.Seal(Plenary, 1000, make([]byte, 1024))
				if err != nil {
					b.Fatal(err)
				}
				tb.ruth.keep(d)
				cells[j] = *c
			}
			tb.halden.walk.begin(cfg)
			b.StartTimer()
		}
		got, d, err := tb.halden.Step(&cells[i%len(cells)], false)
		if err != nil || got == nil || got.Bad != nil {
			b.Fatal(err, got)
		}
		tb.halden.keep(d)
	}
}

// TestSecondCommitOfAnEpochLoses: two stage a commit of a side room's epoch;
// the first in the log takes it for both, and the other's is void.
func TestSecondCommitOfAnEpochLoses(t *testing.T) {
	tb := sit(t)
	const room = Room(1)
	tb.share(room)
	p, d, err := tb.halden.Stage(room, 1000, mls.CommitContent{})
	if err != nil {
		t.Fatal(err)
	}
	tb.halden.keep(d)
	late := must(tb.halden.SealCommit(room, p.Message))
	tb.commit(tb.ruth, room, mls.CommitContent{})
	tb.follow(tb.halden)
	tb.postCell(late)
	tb.halden.reopen()
	for _, e := range []*end{tb.halden, tb.ruth} {
		if l := tb.read(e); len(l) != 0 {
			t.Errorf("the commit that lost is read: %+v", l[0])
		}
	}
	if tb.halden.Pending(room) {
		t.Error("the commit that lost is still staged")
	}
	if !bytes.Equal(tb.halden.Tag(room), tb.ruth.Tag(room)) {
		t.Error("the two stand in different epochs")
	}
}
