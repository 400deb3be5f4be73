package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/mls"
	"parley/vault"
)

// leftOut has members lose the room by a commit of somebody's, and read at each
// other's doors that they did.
func (x *table) leftOut(by *member, l ...*member) {
	x.t.Helper()
	for _, m := range l {
		m.mu.Lock()
		err := m.update(func(sp *vault.Space) error { return m.lose(sp, LossLeftOut, by.acct.Me) })
		m.mu.Unlock()
		if err != nil {
			x.t.Fatal(err)
		}
	}
	x.sync(l...)
	x.sync(l...)
	for _, m := range l {
		if d := m.show(); d.Lost == nil || len(d.Lost.Said) != len(l)-1 {
			x.t.Fatalf("%s sees %+v", m.c.Profile().Name, d.Lost)
		}
	}
}

func (x *table) founds(m *member) {
	x.t.Helper()
	if err := m.c.FoundAgain(context.Background(), m.id); err != nil {
		x.t.Fatal(err)
	}
}

// sixth is the last word of a founding, as its founder reads it.
func (x *table) sixth(founder *member) string {
	x.t.Helper()
	words, err := founder.c.FoundingWords(context.Background(), founder.id, founder.acct.Me)
	if err != nil || len(words) != 6 {
		x.t.Fatalf("%q, %v", words, err)
	}
	return words[5]
}

func (x *table) accepts(m, founder *member) {
	x.t.Helper()
	x.sync(m)
	if err := m.c.AcceptFounding(context.Background(), m.id, founder.acct.Me, x.sixth(founder)); err != nil {
		x.t.Fatal(err)
	}
}

// four seats a second one of South, too.
func (x *table) four() (ruth, halden, corin, nora *member) {
	x.t.Helper()
	ruth, halden, corin = x.seated()
	_, nora = x.joins(corin, 2, "Nora")
	x.sync(corin, nora, corin, halden)
	x.approve(nora, halden, corin)
	x.sync(corin, nora, ruth, halden, corin, nora, ruth, halden, corin, nora)
	if nora.acct.Standing != StandingIn {
		x.t.Fatalf("Nora is %s", nora.acct.Standing)
	}
	return ruth, halden, corin, nora
}

// TestFoundAgain: nothing is entered before the words were heard; what one had
// written goes out; keys of the room before are retired.
func TestFoundAgain(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin, nora := x.four()
	if err := ruth.c.FoundAgain(ctx, ruth.id); !errors.Is(err, ErrNotLost) {
		t.Errorf("one founds again a room that one is in: %v", err)
	}
	corin.mu.Lock()
	corin.caughtUp = false // it does not go out at once
	corin.mu.Unlock()
	if _, err := corin.c.Say(ctx, corin.id, Draft{Text: "Written before."}); err != nil {
		t.Fatal(err)
	}
	before := ruth.state.Seat(ruth.acct.Me).Key
	x.leftOut(halden, ruth, corin, nora)
	var rule *RuleError
	if err := nora.c.FoundAgain(ctx, nora.id); !errors.As(err, &rule) || rule.Reason != dialogue.ReasonNotYours {
		t.Errorf("who is not head founds: %v", err)
	}
	x.founds(ruth)
	x.sync(ruth, corin)
	if corin.log != nil || corin.acct.Standing != StandingLost || len(corin.show().Foundings) != 1 {
		t.Fatal("it is entered before its words were heard")
	}
	whole := corin.acct
	for _, word := range []string{"", "wrong", corin.foundings[ruth.acct.Me].founding().Words("en")[0]} {
		if err := corin.c.AcceptFounding(ctx, corin.id, ruth.acct.Me, word); !errors.Is(err, dialogue.ErrWord) {
			t.Errorf("%q: %v", word, err)
		}
	}
	if corin.log != nil || corin.acct.Refounding != nil || !bytes.Equal(wire.Marshal(corin.acct), wire.Marshal(whole)) {
		t.Fatal("a wrong word changed something")
	}
	if err := corin.c.AcceptFounding(ctx, corin.id, nora.acct.Me, "any"); !errors.Is(err, ErrNoFounding) {
		t.Errorf("one by nobody: %v", err)
	}
	x.accepts(corin, ruth)
	x.accepts(nora, ruth)
	x.sync(corin, nora, ruth, corin, nora, ruth, corin, nora)
	for _, m := range []*member{ruth, corin, nora} {
		if m.acct.Standing != StandingIn || m.acct.Away != nil || m.state.Digest() != ruth.state.Digest() || m.state.Refounded.N != 1 ||
			m.state.Seated(halden.acct.Me) || len(m.show().Alarms) != 0 {
			t.Errorf("%s is %s", m.c.Profile().Name, m.acct.Standing)
		}
		if l, err := m.c.Messages(m.id, Query{}); err != nil || spoken(l) != 1 {
			t.Errorf("%d messages, %v", spoken(l), err)
		}
	}
	if corin.state.Fresh(before) || bytes.Equal(ruth.log.SignatureKey(channel.Plenary), before) {
		t.Error("the former key is not retired")
	}
	if err := corin.c.AcceptFounding(ctx, corin.id, ruth.acct.Me, "any"); !errors.Is(err, ErrNoFounding) {
		t.Errorf("it is accepted again: %v", err)
	}
}

// TestFoundingsThatAreRefused: what lies at one's door is shown only where it
// counts by what one knows oneself.
func TestFoundingsThatAreRefused(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin, nora := x.four()
	old := cloned(t, ruth.state)
	x.leftOut(halden, ruth, corin, nora)
	ruth.mu.Lock()
	content, _, err := ruth.newFounding()
	keys := ruth.acct.Away.Keys
	ruth.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	signed := func(change func(*foundingParcel), keys [][]byte) []byte {
		j, err := parseFounding(content)
		if err != nil {
			t.Fatal(err)
		}
		p := &j.parcel
		p.Signed.Founding.Members = slices.Clone(p.Signed.Founding.Members)
		change(p)
		var l []ed25519.PrivateKey
		for _, k := range keys {
			l = append(l, ed25519.NewKeyFromSeed(k))
		}
		p.Signed = p.Signed.Founding.Sign(l...)
		return wire.Marshal(*p)
	}
	by := func(m *member) func(*foundingParcel) {
		return func(p *foundingParcel) { p.Signed.Founding.Founder = m.acct.Me }
	}
	shown := func() int { return len(corin.foundings) }
	fresh, err := mls.GenerateSignatureKey(Suite)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"by who is not head":         signed(by(nora), nora.acct.Away.Keys),
		"by who left the others out": signed(func(p *foundingParcel) { by(halden)(p); p.Signed.Founding.Without = ruth.acct.Me }, keysOf(halden)),
		"signed by another":          signed(func(*foundingParcel) {}, nora.acct.Away.Keys),
		"without another":            signed(func(p *foundingParcel) { p.Signed.Founding.Without = nora.acct.Me }, keys),
		"from another past": signed(func(p *foundingParcel) {
			former := cloned(t, ruth.state)
			former.Rules.RetentionDays++
			p.Former = former.Marshal()
			p.Signed.Founding.Former = hashOf(p.Former)
		}, keys),
		"from a past that is over": signed(func(p *foundingParcel) {
			old.LogTime--
			p.Former = old.Marshal()
			p.Signed.Founding.Former = hashOf(p.Former)
		}, keys),
		"with another skeleton than it names": signed(func(p *foundingParcel) { p.Former = old.Marshal() }, keys),
		"with no skeleton":                    signed(func(p *foundingParcel) { p.Former = nil }, keys),
		"with another Welcome":                signed(func(p *foundingParcel) { p.Welcome = append(bytes.Clone(p.Welcome), 0) }, keys),
		"with another key of a member":        signed(func(p *foundingParcel) { p.Signed.Founding.Members[0].Key = fresh.Public() }, keys),
		"with a member that did not post": signed(func(p *foundingParcel) {
			f := &p.Signed.Founding
			f.Members[0].Return.Signed.Post.Seat = halden.acct.Me
		}, keys),
		"cut": content[:len(content)-1], "longer": append(bytes.Clone(content), 0), "nothing": nil,
		"too large": make([]byte, wire.MaxMessage+1),
	} {
		if err := corin.sawFounding(b); err != nil || shown() != 0 {
			t.Errorf("%s: %d are shown, %v", name, shown(), err)
		}
	}
	if err := corin.sawFounding(signed(func(*foundingParcel) {}, keys)); err != nil || shown() != 1 {
		t.Fatalf("an honest one: %d are shown, %v", shown(), err)
	}
	// Of one founder the latest counts, whatever is put there again.
	later := signed(func(p *foundingParcel) { p.Signed.Founding.Time++ }, keys)
	for _, b := range [][]byte{later, content} {
		if err := corin.sawFounding(b); err != nil {
			t.Fatal(err)
		}
	}
	if want, _ := parseFounding(later); shown() != 1 || corin.foundings[ruth.acct.Me].hash != want.hash {
		t.Error("another than the latest is shown")
	}
	if err := halden.sawFounding(content); err != nil || len(halden.foundings) != 0 {
		t.Error("who is in the room is shown a founding")
	}
}

func cloned(t *testing.T, s *dialogue.State) *dialogue.State {
	t.Helper()
	n, err := dialogue.ParseState(s.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func keysOf(m *member) (l [][]byte) {
	for _, k := range m.log.Signers(channel.Plenary) {
		l = append(l, k.Bytes())
	}
	return l
}

// TestOldFounding: a founding of a former time, put at a door again, is none.
func TestOldFounding(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin, nora := x.four()
	x.leftOut(halden, ruth, corin, nora)
	x.founds(ruth)
	x.sync(ruth)
	x.accepts(corin, ruth)
	content := wire.Marshal(corin.foundings[ruth.acct.Me].parcel)
	x.accepts(nora, ruth)
	x.sync(corin, nora, ruth, corin, nora, ruth)
	x.leftOut(nora, ruth, corin)
	if err := corin.sawFounding(content); err != nil || len(corin.foundings) != 0 {
		t.Errorf("%d are shown, %v", len(corin.foundings), err)
	}
	x.founds(ruth)
	x.sync(ruth)
	x.accepts(corin, ruth)
	x.sync(corin, ruth, corin)
	if corin.state.Refounded.N != 2 || corin.state.Digest() != ruth.state.Digest() {
		t.Error("the room is not founded a second time")
	}
}

// TestFalseGroup: the group that a founding leads to has those in it whom it
// names, and is its founder's.
func TestFalseGroup(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin, nora := x.four()
	x.leftOut(halden, ruth, corin, nora)
	ruth.mu.Lock()
	a := ruth.acct.Away
	members := ruth.alsoLost()
	ruth.mu.Unlock()
	group := func(by *member, also *mls.KeyPackage, without int) (*mls.Group, []byte) {
		sig, err := mls.GenerateSignatureKey(Suite)
		if err != nil {
			t.Fatal(err)
		}
		g, err := mls.NewGroup(Suite, randomGroup(), by.acct.Me[:], sig, lifetime(ruth.c.opt.Now()))
		if err != nil {
			t.Fatal(err)
		}
		var c mls.CommitContent
		for i, r := range members {
			kp, err := mls.ParseKeyPackage(r.Package)
			if err != nil {
				t.Fatal(err)
			}
			if i != without {
				c.Adds = append(c.Adds, kp)
			}
		}
		if also != nil {
			c.Adds = append(c.Adds, also)
		}
		p, _, err := g.Stage(nil, c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Merge(p); err != nil {
			t.Fatal(err)
		}
		return g, p.Welcome
	}
	spy, _, err := nora.newPackage()
	if err != nil {
		t.Fatal(err)
	}
	whole, welcome := group(ruth, nil, -1)
	for name, made := range map[string]func() (*mls.Group, []byte){
		"somebody more":                     func() (*mls.Group, []byte) { return group(ruth, spy, -1) },
		"another in somebody's place":       func() (*mls.Group, []byte) { return group(ruth, spy, 1) },
		"somebody less":                     func() (*mls.Group, []byte) { return group(ruth, nil, 1) },
		"somebody else's":                   func() (*mls.Group, []byte) { return group(nora, nil, 1) },
		"not even oneself":                  func() (*mls.Group, []byte) { return group(ruth, nil, 0) },
		"another than it says":              func() (*mls.Group, []byte) { g, _ := group(ruth, nil, -1); return g, welcome },
		"what it says, and nothing besides": func() (*mls.Group, []byte) { return whole, welcome },
	} {
		g, w := made()
		former := ruth.state.Marshal()
		f := dialogue.Founding{Founder: ruth.acct.Me, Without: a.By, Time: 1, Former: hashOf(former), Group: g.GroupID(),
			Key: g.SignatureKey().Public(), Welcome: hashOf(w)}
		for _, r := range members {
			kp, err := mls.ParseKeyPackage(r.Package)
			if err != nil {
				t.Fatal(err)
			}
			f.Members = append(f.Members, dialogue.FoundingMember{Return: r, Key: kp.SignatureKey()})
		}
		p := foundingParcel{Signed: f.Sign(ed25519.NewKeyFromSeed(a.Keys[0])), Former: former, Welcome: w}
		corin.mu.Lock()
		j, ok := corin.judge(wire.Marshal(p))
		if !ok {
			t.Fatalf("%s: it is not shown", name)
		}
		_, err := corin.joinFounding(j)
		corin.mu.Unlock()
		if honest := bytes.Equal(w, welcome) && g == whole; honest != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTwoFoundings: a convenor and a head found at once. People choose; a
// founder whose room nobody entered accepts the other's.
func TestTwoFoundings(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin, nora := x.four()
	x.leftOut(halden, ruth, corin, nora)
	x.founds(ruth)
	x.founds(corin)
	x.sync(ruth, corin, nora)
	if l := nora.show().Foundings; len(l) != 2 || l[0].Taken || l[1].Taken {
		t.Fatalf("Nora sees %+v", l)
	}
	if l := ruth.show().Foundings; len(l) != 2 || !l[0].Mine || !l[0].Taken || l[1].Founder.Name != "Corin" {
		t.Fatalf("Ruth sees %+v", l)
	}
	x.accepts(ruth, corin)
	x.accepts(nora, corin)
	x.sync(nora, ruth, corin, nora, ruth, corin)
	for _, m := range []*member{ruth, nora} {
		if m.acct.Standing != StandingIn || m.state.Digest() != corin.state.Digest() || len(m.show().Foundings) != 0 {
			t.Errorf("%s is %s, and sees %+v", m.c.Profile().Name, m.acct.Standing, m.show().Foundings)
		}
	}
	if err := corin.c.LeaveFounding(ctx, corin.id); !errors.Is(err, ErrNotLost) {
		t.Errorf("a founder whose room others entered gives it up: %v", err)
	}
	if err := corin.c.AcceptFounding(ctx, corin.id, ruth.acct.Me, "any"); !errors.Is(err, ErrNoFounding) {
		t.Errorf("a founder whose room others entered leaves it: %v", err)
	}
}

// TestLeaveFounding: a founding that nobody entered is given up, and its founder
// comes back into the room that was lost, where somebody was all the time.
func TestLeaveFounding(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin, nora := x.four()
	x.leftOut(halden, ruth, corin)
	x.founds(ruth)
	x.sync(ruth, corin)
	x.clocks(ruth, halden, corin, nora)
	for range 4 { // turns are waited for
		x.pass(time.Minute)
		x.sync(nora, halden, corin)
	}
	if corin.acct.Standing != StandingIn || corin.state.Refounded.N != 0 {
		t.Fatalf("Corin is %s", corin.acct.Standing)
	}
	if err := ruth.c.LeaveFounding(ctx, ruth.id); err != nil {
		t.Fatal(err)
	}
	if err := ruth.c.LeaveFounding(ctx, ruth.id); !errors.Is(err, ErrNotLost) {
		t.Errorf("it is given up twice: %v", err)
	}
	for range 4 {
		x.pass(time.Minute)
		x.sync(ruth, nora, corin, halden)
	}
	if ruth.acct.Standing != StandingIn || ruth.state.Digest() != nora.state.Digest() || len(ruth.show().Foundings) != 0 || len(ruth.show().Alarms) != 0 {
		t.Errorf("Ruth is %s", ruth.acct.Standing)
	}
}

// TestFounderLosesTheRoom: an older copy of the founder's vault loses the room
// that it founded again before anybody has entered it. Its words can still be
// read, and who enters brings the founder back; or the founder gives it up, and
// goes where another founded.
func TestFounderLosesTheRoom(t *testing.T) {
	for _, another := range []bool{false, true} {
		t.Run(fmt.Sprintf("another founds %v", another), func(t *testing.T) {
			x := newTable(t)
			ruth, halden, corin, nora := x.four()
			x.leftOut(halden, ruth, corin, nora)
			x.founds(ruth)
			x.sync(ruth)
			x.loses(ruth, LossOlder)
			if l := ruth.show().Foundings; len(l) != 1 || !l[0].Taken || !l[0].MayLeave {
				t.Fatalf("Ruth sees %+v", l)
			}
			founder := ruth
			if another {
				founder = corin
				x.founds(corin)
				x.sync(corin, ruth)
				if err := ruth.c.LeaveFounding(t.Context(), ruth.id); err != nil {
					t.Fatal(err)
				}
				if !ruth.nobodyFollows() || ruth.acct.Away.By != halden.acct.Me {
					t.Error("Ruth does not know any more who left her out")
				}
				x.accepts(ruth, corin)
			} else {
				x.accepts(corin, ruth)
			}
			x.accepts(nora, founder)
			x.clocks(ruth, corin, nora)
			for i := 0; i < 9 && ruth.acct.Standing != StandingIn || i < 4; i++ {
				x.pass(2 * time.Minute)
				x.sync(ruth, corin, nora)
			}
			for _, m := range []*member{ruth, corin, nora} {
				if m.acct.Standing != StandingIn || m.state.Digest() != founder.state.Digest() || len(m.show().Alarms) != 0 {
					t.Errorf("%s is %s, %v", m.c.Profile().Name, m.acct.Standing, m.show().Problem)
				}
			}
		})
	}
}

// TestLateComer: who had no post at its door when the room was founded, and is
// brought back before its person accepted, comes in once it has.
func TestLateComer(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin, nora := x.four()
	x.leftOut(halden, ruth, corin)
	x.founds(ruth)
	x.sync(ruth)
	x.accepts(corin, ruth)
	x.sync(corin, ruth, corin)
	nora.mu.Lock()
	err := nora.update(func(sp *vault.Space) error { // of the past that it was told, nobody else had said the same
		return errors.Join(nora.keepConfirmed(sp), nora.lose(sp, LossLeftOut, halden.acct.Me))
	})
	nora.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	x.sync(nora, ruth, corin, ruth, corin, nora)
	if s := ruth.state.Seat(nora.acct.Me).Status; s != dialogue.In {
		t.Fatalf("Nora was not brought back: status %d", s)
	}
	if nora.log != nil || nora.acct.Standing != StandingLost || len(nora.show().Foundings) != 1 {
		t.Fatal("Nora entered a room that her person has not accepted")
	}
	if l := ruth.show().Foundings; len(l) != 1 || !slices.Equal(l[0].Unheard, []string{"Nora"}) || len(l[0].Words) == 5 {
		t.Errorf("Ruth sees %+v", l)
	}
	x.accepts(nora, ruth)
	if s := nora.confirmed(); s == nil || s.Digest() != nora.state.Digest() {
		t.Error("what was accepted is not what Nora holds charters against")
	}
	x.sync(nora, ruth, corin, nora, ruth, corin, nora)
	if nora.acct.Standing != StandingIn || nora.state.Digest() != ruth.state.Digest() || len(nora.show().Alarms) != 0 {
		t.Errorf("Nora is %s", nora.acct.Standing)
	}
	x.sync(ruth)
	if l := ruth.show().Foundings; len(l) != 0 {
		t.Errorf("all are there, and Ruth sees %+v", l)
	}
}

// TestFoundingAfterADoubtfulPast: somebody was let in by the commit that nobody
// else could follow, and told a past. A founding is held against what it knew
// before that; once accepted, it counts, and a post from before does no harm.
func TestFoundingAfterADoubtfulPast(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin, nora := x.four()
	x.leftOut(halden, ruth, corin, nora)
	x.founds(ruth)
	x.sync(ruth)
	nora.mu.Lock()
	err := nora.update(func(sp *vault.Space) error {
		if err := nora.keepConfirmed(sp); err != nil {
			return err
		}
		past, err := dialogue.ParseState(nora.state.Marshal())
		if err != nil {
			return err
		}
		past.Epoch++
		nora.state, nora.stored, nora.acct.Away.By = past, past.Marshal(), dialogue.SeatID{}
		nora.acct.Away.Reason = LossCharter
		return errors.Join(sp.Put([]byte(keyState), nora.stored), nora.postReturn(sp))
	})
	nora.mu.Unlock()
	if err := errors.Join(err, nora.reload()); err != nil {
		t.Fatal(err)
	}
	x.sync(nora)
	if l := nora.show().Foundings; len(l) != 1 {
		t.Fatalf("Nora sees %d foundings", len(l))
	}
	x.accepts(nora, ruth)
	if nora.acct.Unsure || nora.confirmed().Digest() != nora.state.Digest() {
		t.Error("what was accepted is not sure")
	}
	x.accepts(corin, ruth)
	x.sync(corin, ruth, nora, corin, ruth, nora)
	if nora.acct.Standing != StandingIn || len(nora.show().Alarms) != 0 {
		t.Errorf("Nora is %s", nora.acct.Standing)
	}
	if nora.acct.Away != nil || len(nora.posts()) == 0 {
		t.Error("Nora does not know any more what lies at her door")
	}
}

// TestFoundedWithoutANewcomer: somebody was let in by the commit that nobody else
// could follow, heard its maker there, and lost that room before anybody else had
// confirmed its past. It comes to the room that was founded again as it came to
// the first, by the door: it knows of none for sure.
func TestFoundedWithoutANewcomer(t *testing.T) {
	for _, reason := range []LossReason{LossCharter, LossLeftOut} {
		t.Run(fmt.Sprint(reason), func(t *testing.T) {
			x := newTable(t)
			ruth, halden, corin, mira := x.toldBy(func(*dialogue.State) {})
			for i := 0; corin.state.Epoch < ruth.state.Epoch; i++ {
				if err := corin.readOn(); err != nil || i == 9 {
					t.Fatalf("Corin is in epoch %d: %v", corin.state.Epoch, err)
				}
			}
			x.leftOut(halden, ruth, corin)
			x.clocks(ruth, halden, corin, mira)
			x.pass(time.Minute)
			x.writes(halden, "Nobody else hears this")
			x.sync(halden, mira)
			if !mira.unbacked() || ruth.state.Succeeds(mira.state) {
				t.Fatalf("Mira heard nothing after the others had gone, or one of %v confirmed what she was told", mira.acct.Vouched)
			}
			x.founds(ruth)
			x.accepts(corin, ruth)
			x.loses(mira, reason)
			for range 4 {
				x.sync(mira, ruth, corin)
			}
			if mira.acct.Standing != StandingIn || mira.state.Digest() != ruth.state.Digest() || len(mira.show().Alarms) != 0 {
				t.Errorf("Mira is %s", mira.acct.Standing)
			}
		})
	}
}

// TestCharterOfAnotherFounding: a room that was founded again by a founding
// which one did not accept is another's, whoever tells its past.
func TestCharterOfAnotherFounding(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin, nora := x.four()
	x.leftOut(halden, ruth, corin)
	x.founds(ruth)
	x.sync(ruth)
	x.accepts(corin, ruth)
	x.sync(corin, ruth, corin)
	x.loses(nora, LossMissed)
	nora.mu.Lock()
	nora.acct.Group = nil // as if it could not tell groups apart
	nora.mu.Unlock()
	x.sync(nora, ruth, corin, ruth, corin, nora, ruth, nora)
	if nora.acct.Standing != StandingLost || !nora.acct.Awaits || nora.state.Refounded.N != 0 {
		t.Errorf("Nora is %s", nora.acct.Standing)
	}
}

// TestFoundingAfterRestart: what was kept of foundings is there again.
func TestFoundingAfterRestart(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin, nora := x.four()
	x.leftOut(halden, ruth, corin, nora)
	x.founds(ruth)
	x.sync(ruth, corin, nora)
	again := func(l ...*member) {
		for _, m := range l {
			if err := m.reload(); err != nil {
				t.Fatal(err)
			}
		}
	}
	again(ruth, corin, nora)
	if len(corin.foundings) != 1 || len(ruth.foundings) != 1 || ruth.former == nil {
		t.Fatal("it is forgotten")
	}
	x.accepts(corin, ruth)
	again(corin)
	x.accepts(nora, ruth)
	again(nora, ruth)
	x.sync(corin, nora, ruth)
	again(corin, nora, ruth)
	x.sync(corin, nora, ruth, corin)
	if corin.state.Digest() != ruth.state.Digest() || nora.state.Digest() != ruth.state.Digest() {
		t.Error("other skeletons")
	}
}

// FuzzFoundingParcel: whatever is read of a founding re-encodes identically, and
// what nobody who may found again signed is not shown.
func FuzzFoundingParcel(f *testing.F) {
	f.Add(wire.Marshal(foundingParcel{}))
	f.Add(wire.Marshal(foundingParcel{Signed: dialogue.Founding{Group: []byte{1}, Members: []dialogue.FoundingMember{{}}}.Sign(), Former: []byte{1}, Welcome: []byte{2}}))
	f.Add([]byte{0x83, 0x82, 0x80, 0xf6, 0x40, 0x40})
	f.Fuzz(func(t *testing.T, b []byte) {
		j, err := parseFounding(b)
		if err == nil && !bytes.Equal(wire.Marshal(j.parcel), b) {
			t.Errorf("%x re-encodes otherwise", b)
		}
	})
}

// TestFoundingGoesToDoors: a founding lies at the doors of all but its founder
// and who left the others out, and fits there.
func TestFoundingGoesToDoors(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin, nora := x.four()
	x.leftOut(halden, ruth, corin)
	if err := ruth.foundAgain(); err != nil {
		t.Fatal(err)
	}
	ruth.mu.Lock()
	var boxes []dialogue.Key
	for _, it := range ruth.out {
		if it.Kind == itemParcel {
			boxes = append(boxes, it.Parcel.Box)
		}
	}
	ruth.mu.Unlock()
	if len(boxes) != 2 || !slices.Contains(boxes, corin.acct.Door) || !slices.Contains(boxes, nora.acct.Door) {
		t.Errorf("%d boxes", len(boxes))
	}
}
