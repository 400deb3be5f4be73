package mls

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"parley/internal/wire"
)

// mutate makes of m, and of others, what nobody sent.
func mutate(random *rand.Rand, m []byte, others [][]byte) []byte {
	other := others[random.IntN(len(others))]
	m = bytes.Clone(m)
	at := random.IntN(len(m))
	switch random.IntN(8) {
	case 0: // flipped bits
		for range 1 + random.IntN(3) {
			m[random.IntN(len(m))] ^= 1 << random.IntN(8)
		}
	case 1:
		m = m[:at]
	case 2: // trailing bytes
		for range 1 + random.IntN(40) {
			m = append(m, byte(random.Uint32()))
		}
	case 3: // the head of one, the tail of another
		m = append(m[:at], other[random.IntN(len(other)):]...)
	case 4: // a part of another in its place
		copy(m[at:], other[min(at, len(other)):min(at+1+random.IntN(64), len(other))])
	case 5: // a part left out, or twice
		end := min(at+1+random.IntN(16), len(m))
		if random.IntN(2) == 0 {
			m = slices.Delete(m, at, end)
		} else {
			m = slices.Insert(m, at, m[at:end]...)
		}
	case 6: // nothing but noise, behind a good header or not
		m = m[:random.IntN(8)]
		for range random.IntN(300) {
			m = append(m, byte(random.Uint32()))
		}
	case 7: // fields that are well formed
		a, err := parsePrivate(m)
		b, err2 := parsePrivate(other)
		if err != nil || err2 != nil {
			return append(m, 0)
		}
		switch random.IntN(6) {
		case 0:
			a.epoch = b.epoch + uint64(random.IntN(2))
		case 1:
			a.kind = ContentType(1 + random.IntN(3))
		case 2:
			a.aad = append(a.aad, b.aad...)
		case 3:
			a.senderData = b.senderData
		case 4:
			a.ciphertext = b.ciphertext
		case 5:
			a.groupID = b.aad
		}
		m = (&message{format: formatPrivate, private: a}).marshal()
	}
	return m
}

// unchanged fails if the state of g is not what store has.
func unchanged(t testing.TB, g *Group, store map[string][]byte) {
	t.Helper()
	state := g.State()
	if len(state) != len(store) {
		t.Fatalf("there are %d records where there were %d", len(state), len(store))
	}
	for _, r := range state {
		if !bytes.Equal(store[r.Key], r.Value) {
			t.Fatalf("record %q has changed", r.Key)
		}
	}
}

// assault gives g what nobody sent, or what it had before: it takes nothing,
// nothing changes, and refusing it needs little memory.
func assault(t testing.TB, g *Group, store map[string][]byte, m []byte) {
	t.Helper()
	var opened *Opened
	var d Delta
	var err error
	if n := allocated(func() { opened, d, err = g.Open(m) }); n > allocation(len(m)) {
		t.Errorf("a message of %d bytes that nobody sent took %d bytes of memory", len(m), n)
	}
	var refused *RefusedError
	if err == nil || opened != nil || !d.Empty() || errors.As(err, &refused) {
		t.Fatalf("a message that nobody sent: %v, delta empty %v: %x", err, d.Empty(), m)
	}
	unchanged(t, g, store)
}

// TestHostileMessages lets a group live through some epochs while every member
// is given thousands of messages that nobody sent, and old ones again. What is
// genuine comes in another order to each; all agree on every epoch.
func TestHostileMessages(t *testing.T) {
	random := rand.New(rand.NewPCG(seedRandom(t), 0))
	r := newRoom(t, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, 4)
	var past [][]byte
	attempts := 0
	for range 12 {
		genuine := map[string]*person{} // of this epoch, by whom
		for range 2 + random.IntN(4) {
			p := r.members[random.IntN(len(r.members))]
			var m []byte
			var d Delta
			var err error
			if random.IntN(3) > 0 {
				m, d, err = p.group.Seal([]byte("aad"), make([]byte, random.IntN(200)))
			} else {
				var up *PendingUpdate
				if up, d, err = p.group.StageUpdate([]byte("aad"), must(GenerateSignatureKey(r.suite))(t)); err == nil {
					p.save(d)
					m = up.Message
					d, err = p.group.Propose(up)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			p.save(d)
			genuine[string(m)] = p
			past = append(past, m)
		}
		epoch := past[len(past)-len(genuine):]
		for _, p := range r.members {
			waiting := slices.DeleteFunc(slices.Clone(epoch), func(m []byte) bool { return genuine[string(m)] == p })
			random.Shuffle(len(waiting), func(i, j int) { waiting[i], waiting[j] = waiting[j], waiting[i] })
			for i, m := range waiting {
				for range 25 {
					bad := mutate(random, past[random.IntN(len(past))], past)
					if by, isGenuine := genuine[string(bad)]; isGenuine && by != p && !slices.ContainsFunc(waiting[:i], func(o []byte) bool { return bytes.Equal(o, bad) }) {
						continue
					}
					assault(t, p.group, p.store, bad)
					attempts++
				}
				opened, d, err := p.group.Open(m)
				if err != nil || opened.Sender != genuine[string(m)].group.own {
					t.Fatalf("%s opens a genuine message: %v", p.name, err)
				}
				p.save(d)
				unchanged(t, p.group, p.store)
			}
			for _, old := range past { // replayed, of this epoch and of others
				assault(t, p.group, p.store, old)
				attempts++
			}
		}
		content := CommitContent{}
		switch by := r.members[random.IntN(len(r.members))]; {
		case len(r.members) < 5 && random.IntN(2) == 0:
			r.add(by, "new")
		default:
			if last := r.members[len(r.members)-1]; len(r.members) > 3 && last != by && random.IntN(2) == 0 {
				content.Removes = []LeafIndex{last.group.own}
			}
			p, d, err := by.group.Stage([]byte("aad"), content)
			if err != nil {
				t.Fatal(err)
			}
			by.save(d)
			past = append(past, p.Message)
			stay := r.members[:0:0]
			for _, q := range r.members {
				for range 25 {
					if bad := mutate(random, p.Message, past); !bytes.Equal(bad, p.Message) {
						assault(t, q.group, q.store, bad)
						attempts++
					}
				}
				if q == by {
					q.save(must(q.group.Merge(p))(t))
				} else if !q.follow(p.Message) {
					continue
				}
				stay = append(stay, q)
			}
			r.members = stay
		}
		r.check()
	}
	if attempts < 4000 {
		t.Errorf("only %d attempts", attempts)
	}
}

// spoilt is an authentic message by the forger, with content that is good but
// for some bytes or parts, and now and then wholly.
func (w *workshop) spoilt(random *rand.Rand, kp *KeyPackage) []byte {
	flip := func(b []byte) []byte {
		b = bytes.Clone(b)
		if random.IntN(5) > 0 {
			b[random.IntN(len(b))] ^= 1 << random.IntN(8)
		}
		return b
	}
	update := &proposal{kind: proposalUpdate, update: w.leaf(sourceUpdate, func(*leafNode) {})}
	list := []*proposal{update, add(kp), remove(LeafIndex(random.IntN(5)))}
	switch random.IntN(3) {
	case 0:
		for {
			b := flip(list[random.IntN(len(list))].appendTo(nil))
			if p, err := decode("spoilt", b, readProposal); err == nil {
				return w.propose(p)
			}
		}
	case 1: // a commit whose parts are spoilt before all is made to fit
		var f forgery
		for _, p := range list[1:] {
			if random.IntN(3) == 0 {
				f.proposals = append(f.proposals, byValue(p)...)
			}
		}
		if random.IntN(2) == 0 {
			f.proposals = append(f.proposals, proposalOrRef{reference: flip(w.forger.pending[0].ref)})
		}
		switch random.IntN(6) {
		case 0:
			f.noPath = true
		case 1:
			f.keys = func(keys [][]byte) { i := random.IntN(len(keys)); keys[i] = flip(keys[i]) }
		case 2:
			f.nodes = func(nodes []updatePathNode) []updatePathNode {
				secrets := nodes[random.IntN(len(nodes))].secrets
				for i := range secrets[:min(1, len(secrets))] {
					secrets[i].ciphertext = flip(secrets[i].ciphertext)
				}
				return nodes
			}
		case 3:
			f.tag = flip
		}
		return w.commit(f)
	default: // a commit whose encoding is spoilt before it is signed
		good := must(decode("good", w.contentOfCommit(), readCommit))(w.t)
		for {
			if c, err := decode("spoilt", flip(good.appendTo(nil)), readCommit); err == nil {
				a := w.forger.newContent(nil, contentOf(c))
				a.auth.confirmationTag = make([]byte, w.forger.suite.nh)
				return w.sendContent(a)
			}
		}
	}
}

// contentOfCommit is what a good commit of the forger carries.
func (w *workshop) contentOfCommit() []byte {
	p, _, err := copyGroup(w.forger).makeCommit(nil, CommitContent{}, true)
	if err != nil {
		w.t.Fatal(err)
	}
	return p.content.commit.appendTo(nil)
}

// FuzzGroup plays a script to three live members of the stored group: each step
// of three bytes spoils one of the genuine messages and gives it to all. In the
// end the genuine ones are opened, and all are in one state.
func FuzzGroup(f *testing.F) {
	seeds := makeSeeds(f)
	newcomer := must(Join(seeds.messages[2], seeds.secrets))(f)
	f.Add([]byte{0, 9, 1})
	f.Add([]byte{1, 80, 255, 1, 3, 7, 0, 200, 128})
	f.Add(bytes.Repeat([]byte{1, 2, 3, 0, 5, 6}, 20))
	f.Fuzz(func(t *testing.T, script []byte) {
		members := []*Group{copyGroup(seeds.committer), copyGroup(seeds.follower), copyGroup(newcomer)}
		var stores []map[string][]byte
		for _, g := range members {
			stores = append(stores, stateOf(g))
		}
		script = script[:min(len(script)/3*3, 90)]
		for r := wire.NewReader(script); r.Len() > 0; {
			which, seed, kind := r.U8(), r.U8(), r.U8()
			genuine := seeds.messages[int(which)%2]
			m := mutate(rand.New(rand.NewPCG(uint64(seed), uint64(kind))), genuine, seeds.messages)
			if slices.ContainsFunc(seeds.messages, func(good []byte) bool { return bytes.Equal(good, m) }) {
				continue
			}
			for i, g := range members {
				assault(t, g, stores[i], m)
			}
		}
		opened, _, err := members[1].Open(seeds.messages[1])
		if err != nil {
			t.Fatal(err)
		}
		must(members[1].Enter(opened.Commit))(t)
		must(members[0].Merge(seeds.pending))(t)
		for _, g := range members {
			if !bytes.Equal(g.EpochAuthenticator(), newcomer.EpochAuthenticator()) {
				t.Error("members are in different states")
			}
		}
	})
}

// TestHostileMember gives a group authentic messages whose content is spoilt at
// random: all members come to one verdict, a refusal changes nothing but the
// message's keys, and those who can enter a commit agree.
func TestHostileMember(t *testing.T) {
	random := rand.New(rand.NewPCG(seedRandom(t), 0))
	refusals, entered := 0, 0
	for range 6 {
		w := newWorkshop(t, 4)
		w.update(w.members[2], nil)
		kp, _ := keyPackage(t, w.suite, "new")
		for range 100 {
			m := w.spoilt(random, kp)
			verdict, tags := "", map[string]bool{}
			for i, p := range w.members[1:] {
				twin := copyGroup(p.group)
				opened, d, err := p.group.Open(m)
				p.save(d)
				unchanged(t, p.group, p.store)
				text := "taken"
				if err != nil {
					text = err.Error()
					var refused *RefusedError
					if !errors.As(err, &refused) && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrTooLarge) {
						t.Fatalf("%s got %v", p.name, err)
					}
					if errors.As(err, &refused) == d.Empty() {
						t.Fatalf("%s got %v, delta empty %v", p.name, err, d.Empty())
					}
					refusals++
				}
				if i > 0 && text != verdict {
					t.Fatalf("%s says %q, another %q", p.name, text, verdict)
				}
				verdict = text
				if err != nil || opened.Commit == nil {
					continue
				}
				again, _, err := twin.Open(m) // the member itself stays in the epoch
				if err != nil {
					t.Fatal(err)
				}
				var lost *LostError
				if _, err := twin.Enter(again.Commit); err == nil {
					tags[string(twin.EpochAuthenticator())] = true
					entered++
				} else if !errors.As(err, &lost) && !errors.Is(err, ErrRemoved) {
					t.Fatalf("%s enters: %v", p.name, err)
				}
			}
			if len(tags) > 1 {
				t.Fatal("those who entered a commit are in different states")
			}
		}
	}
	if refusals < 200 || entered < 20 {
		t.Errorf("%d refusals, %d entered: the spoiling is too weak or too strong", refusals, entered)
	}
}
