package dialogue

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
	"testing"

	"parley/internal/wire"
)

func publicOf(seat string, n int) []byte { return keyOf(seat, n).Public().(ed25519.PublicKey) }

// founding is one by a seat, without another, with members who wait.
func (p *player) founding(by, without string, members ...string) Founding {
	f := Founding{
		Founder: id(by), Without: id(without), Time: p.minute, Former: p.s.Digest(), Group: []byte("another group"),
		Key: publicOf(by, p.keys[by]+1), Welcome: Hash{1}, Nonce: [16]byte{2},
	}
	for _, name := range members {
		f.Members = append(f.Members, p.member(name, without))
	}
	return f
}

// member is somebody whose post at its door names another; nobody, for "".
func (p *player) member(name, names string) FoundingMember {
	var args []string
	if names != "" {
		args = []string{"named=" + names}
	}
	return FoundingMember{Return: p.back(name, args), Key: publicOf(name, p.keys[name]+1)}
}

func (p *player) refounds(w []string) {
	by, without := w[0], strings.TrimPrefix(w[2], "without=")
	before := p.s.Marshal()
	next, reason := p.s.Refound(p.founding(by, without, w[3:]...).Sign(keyOf(by, p.keys[by])))
	if !bytes.Equal(before, p.s.Marshal()) {
		p.t.Error("Refound changed the state that it was given")
	}
	if reason != ReasonNone {
		p.say("refused: %s", reasonNames[reason])
		return
	}
	if again, err := ParseState(next.Marshal()); err != nil || again.Digest() != next.Digest() {
		p.t.Errorf("the skeleton does not come back from its encoding: %v", err)
	}
	p.s = next
	for _, name := range append([]string{by}, w[3:]...) {
		p.keys[name]++
	}
	p.say("founded again")
}

// tableFour seats a convenor, two of North and two of South.
func tableFour(t *testing.T) *player {
	p := &player{t: t, minute: 1000, readings: map[string]EventID{}, keys: map[string]int{}}
	for line := range strings.Lines(`open Ruth North South
Ruth invite Halden North
Ruth arrive Halden
Ruth invite Corin South
Ruth arrive Corin
Ruth commit +Halden +Corin
Halden invite Mira North
Ruth arrive Mira
Halden consent Mira
Corin consent Mira
Ruth commit +Mira
Corin invite Nora South
Ruth arrive Nora
Halden consent Nora
Corin consent Nora
Ruth commit +Nora`) {
		p.line(strings.Fields(line))
	}
	if n := len(p.s.Plan(Plenary)); n != 5 {
		t.Fatalf("%d sit:\n%s", n, p.out.String())
	}
	return p
}

// TestFoundingsThatDoNotCount: each rule of a founding, alone.
func TestFoundingsThatDoNotCount(t *testing.T) {
	p := tableFour(t)
	s := p.s
	key := func(by string) ed25519.PrivateKey { return keyOf(by, p.keys[by]) }
	base := p.founding("Ruth", "Halden", "Corin", "Nora")
	if _, r := s.Refound(base.Sign(key("Ruth"))); r != ReasonNone {
		t.Fatalf("an honest one: %s", reasonNames[r])
	}
	member := func(m FoundingMember) Founding {
		f := base
		f.Members = []FoundingMember{m}
		return f
	}
	change := func(do func(*Founding)) Founding {
		f := base
		do(&f)
		return f
	}
	stranger := p.member("Corin", "Halden")
	stranger.Return = p.back("Corin", []string{"named=Halden", "forged"})
	elsewhere := p.member("Corin", "Halden")
	elsewhere.Return = p.back("Corin", []string{"named=Halden", "elsewhere"})
	used := p.member("Corin", "Halden")
	used.Key = s.Seat(id("Nora")).Key
	short := p.member("Corin", "Halden")
	short.Key = short.Key[1:]
	for name, x := range map[string]struct {
		f    SignedFounding
		want Reason
	}{
		"by somebody who is not head":          {p.founding("Nora", "Halden", "Corin").Sign(key("Nora")), ReasonNotYours},
		"by nobody":                            {p.founding("Otto", "Halden", "Corin").Sign(key("Otto")), ReasonNotSeated},
		"without oneself":                      {p.founding("Ruth", "Ruth", "Corin").Sign(key("Ruth")), ReasonNamed},
		"without somebody who is not there":    {change(func(f *Founding) { f.Without = id("Otto") }).Sign(key("Ruth")), ReasonUnknown},
		"signed by another":                    {base.Sign(key("Corin")), ReasonSignature},
		"signed by nobody":                     {base.Sign(), ReasonSignature},
		"from another past":                    {change(func(f *Founding) { f.Former[0]++ }).Sign(key("Ruth")), ReasonPast},
		"with nobody":                          {change(func(f *Founding) { f.Members = nil }).Sign(key("Ruth")), ReasonMalformed},
		"of no group":                          {change(func(f *Founding) { f.Group = nil }).Sign(key("Ruth")), ReasonMalformed},
		"of a group with a long id":            {change(func(f *Founding) { f.Group = make([]byte, maxRoomGroup+1) }).Sign(key("Ruth")), ReasonMalformed},
		"with one's former key":                {change(func(f *Founding) { f.Key = s.Seat(f.Founder).Key }).Sign(key("Ruth")), ReasonSignature},
		"with no key":                          {change(func(f *Founding) { f.Key = nil }).Sign(key("Ruth")), ReasonSignature},
		"a seat twice":                         {p.founding("Ruth", "Halden", "Corin", "Corin").Sign(key("Ruth")), ReasonMalformed},
		"the founder as a member":              {p.founding("Ruth", "Halden", "Ruth").Sign(key("Ruth")), ReasonMalformed},
		"a member with the founder's key":      {change(func(f *Founding) { f.Key = f.Members[0].Key }).Sign(key("Ruth")), ReasonMalformed},
		"two members with one key":             {change(func(f *Founding) { f.Members = slices.Clone(f.Members); f.Members[1].Key = f.Members[0].Key }).Sign(key("Ruth")), ReasonMalformed},
		"a member with a seat's key":           {member(used).Sign(key("Ruth")), ReasonSignature},
		"a member with half a key":             {member(short).Sign(key("Ruth")), ReasonSignature},
		"a member whom somebody else signed":   {member(stranger).Sign(key("Ruth")), ReasonSignature},
		"a member at no door of its own":       {member(elsewhere).Sign(key("Ruth")), ReasonMalformed},
		"a member whom another left out":       {member(p.member("Corin", "Nora")).Sign(key("Ruth")), ReasonNamed},
		"with whom it is to be without":        {member(p.member("Halden", "")).Sign(key("Ruth")), ReasonNamed},
		"by who is to be removed":              {dueOf(t, s, "Corin", p), ReasonNotSeated},
		"by whom two named as having left out": {barredOf(s, "Corin", p), ReasonNamed},
	} {
		former := s
		switch name {
		case "by who is to be removed":
			former = due(s, "Corin")
		case "by whom two named as having left out":
			former = barred(s, "Corin")
		}
		if next, r := former.Refound(x.f); r != x.want || next != nil {
			t.Errorf("%s: %q, not %q", name, reasonNames[r], reasonNames[x.want])
		}
	}
	if _, r := s.Refound(member(p.member("Corin", "")).Sign(key("Ruth"))); r != ReasonNone {
		t.Errorf("who waits for another reason: %s", reasonNames[r])
	}
}

func due(s *State, name string) *State {
	s = s.clone()
	s.Seat(id(name)).Due = true
	return s
}

func barred(s *State, name string) *State {
	s = s.clone()
	s.Seat(id(name)).NamedBy = []SeatID{id("Mira"), id("Nora")}
	return s
}

func dueOf(t *testing.T, s *State, name string, p *player) SignedFounding {
	t.Helper()
	f := p.founding(name, "Halden", "Ruth")
	f.Former = due(s, name).Digest()
	return f.Sign(keyOf(name, p.keys[name]))
}

func barredOf(s *State, name string, p *player) SignedFounding {
	f := p.founding(name, "Halden", "Ruth")
	f.Former = barred(s, name).Digest()
	return f.Sign(keyOf(name, p.keys[name]))
}

// TestFoundedWhileReplaced: whose new card was approved keeps the seat, and is
// let in with that card.
func TestFoundedWhileReplaced(t *testing.T) {
	p := tableFour(t)
	x := p.s.Seat(id("Mira"))
	x.Due, x.Replacing = true, true
	next, r := p.s.Refound(p.founding("Ruth", "Halden", "Corin").Sign(keyOf("Ruth", p.keys["Ruth"])))
	if r != ReasonNone {
		t.Fatal(reasonNames[r])
	}
	if x := next.Seat(id("Mira")); x.Status != Asleep || x.Due || !x.Replacing {
		t.Errorf("%+v", x)
	}
	if _, r := p.s.Refound(p.founding("Ruth", "Halden", "Mira").Sign(keyOf("Ruth", p.keys["Ruth"]))); r != ReasonState {
		t.Errorf("the lost computer is founded with: %q", reasonNames[r])
	}
}

// TestAccepts: what who accepts a founding holds it against.
func TestAccepts(t *testing.T) {
	p := tableFour(t)
	ruth := p.founding("Ruth", "Halden", "Corin").Sign(keyOf("Ruth", p.keys["Ruth"]))
	next, r := p.s.Accepts(ruth, p.s, id("Halden"))
	if r != ReasonNone || next.Refounded != (Refounded{N: 1, Hash: ruth.Founding.Hash()}) {
		t.Fatalf("an honest one: %s", reasonNames[r])
	}
	if _, r := p.s.Accepts(ruth, p.s, SeatID{}); r != ReasonNone {
		t.Errorf("for who was away for another reason: %s", reasonNames[r])
	}
	later := p.s.clone() // than what one knows oneself
	later.LogTime += 9
	f := ruth.Founding
	f.Former = later.Digest()
	if _, r := p.s.Accepts(f.Sign(keyOf("Ruth", p.keys["Ruth"])), later, id("Halden")); r != ReasonNone {
		t.Errorf("from a later time: %s", reasonNames[r])
	}
	for name, x := range map[string]struct {
		own   func(*State)
		named string
		want  Reason
	}{
		"who left one out founds":         {func(*State) {}, "Ruth", ReasonNamed},
		"without another than who did":    {func(*State) {}, "Nora", ReasonNamed},
		"a later past is known":           {func(s *State) { s.LogTime++ }, "Halden", ReasonPast},
		"it was founded again since":      {func(s *State) { s.Refounded = Refounded{N: 1, Hash: Hash{1}} }, "Halden", ReasonPast},
		"the key that signs is retired":   {func(s *State) { s.Retired = retiredHash(p.s.Seat(id("Ruth")).Key) }, "Halden", ReasonSignature},
		"the founder was removed":         {func(s *State) { s.Seat(id("Ruth")).Status = Removed }, "Halden", ReasonNotSeated},
		"the founder is no convenor here": {func(s *State) { s.Seat(id("Ruth")).Role = Participant }, "Halden", ReasonNotYours},
	} {
		own := p.s.clone()
		x.own(own)
		if _, r := own.Accepts(ruth, p.s, id(x.named)); r != x.want {
			t.Errorf("%s: %q, not %q", name, reasonNames[r], reasonNames[x.want])
		}
	}
	// A founding is accepted once: what went on from it is not the room before, nor another.
	if _, r := next.Accepts(ruth, p.s, SeatID{}); r != ReasonState {
		t.Errorf("an old founding again: %q", reasonNames[r])
	}
	another := next.clone()
	another.Refounded.Hash[0]++
	if next.Succeeds(p.s) || next.Succeeds(another) || p.s.Succeeds(next) || !next.Succeeds(next) {
		t.Error("one comes to a room that was founded again without accepting it")
	}
}

// TestFoundingCovers: nothing of a founding can be altered, nor its words kept.
func TestFoundingCovers(t *testing.T) {
	p := tableFour(t)
	f := p.founding("Ruth", "Halden", "Corin")
	key := keyOf("Ruth", 0)
	words := f.Words("en")
	if len(words) != ReadingWords || !f.Sign(keyOf("Ruth", 1), key).Verify(publicOf("Ruth", 0)) {
		t.Fatalf("%q", words)
	}
	for name, change := range map[string]func(*Founding){
		"founder": func(f *Founding) { f.Founder[7]++ },
		"without": func(f *Founding) { f.Without[7]++ },
		"time":    func(f *Founding) { f.Time++ },
		"former":  func(f *Founding) { f.Former[31]++ },
		"group":   func(f *Founding) { f.Group = []byte("a third group") },
		"key":     func(f *Founding) { f.Key = publicOf("Ruth", 9) },
		"members": func(f *Founding) { f.Members = nil },
		"welcome": func(f *Founding) { f.Welcome[31]++ },
		"nonce":   func(f *Founding) { f.Nonce[15]++ },
	} {
		s := f.Sign(key)
		change(&s.Founding)
		if s.Verify(publicOf("Ruth", 0)) || s.Founding.Hash() == f.Hash() {
			t.Errorf("another %s is taken", name)
		}
		if name == "welcome" || name == "nonce" {
			if slices.Equal(s.Founding.Words("en"), words) {
				t.Errorf("another %s has the same words", name)
			}
		}
	}
	many := f.Sign(key)
	for range MaxReturnKeys {
		many.Signatures = append(many.Signatures, many.Signatures[0])
	}
	if many.Verify(publicOf("Ruth", 0)) {
		t.Error("too many signatures are taken")
	}
}

// FuzzFounding: whatever parses re-encodes identically, and a founding that
// nobody signed changes nothing.
func FuzzFounding(f *testing.F) {
	s := state(f)
	p := &player{t: new(testing.T), s: s, minute: 1000, keys: map[string]int{}}
	f.Add(wire.Marshal(p.founding("Ruth", "Halden").Sign(keyOf("Ruth", 0))))
	f.Add(wire.Marshal(p.founding("Ruth", "Halden", "Ruth").Sign(keyOf("Ruth", 0), keyOf("Ruth", 1))))
	f.Add(wire.Marshal(SignedFounding{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var x SignedFounding
		if wire.Unmarshal(b, &x, wire.MaxMessage) != nil {
			return
		}
		if !bytes.Equal(wire.Marshal(x), b) {
			t.Errorf("%x re-encodes otherwise", b)
		}
		if _, r := s.Accepts(x, s, SeatID{}); r == ReasonNone {
			t.Error("it is accepted") // one sits there alone
		}
	})
}

// TestVectors: what docs/wire.md gives as examples.
func TestVectors(t *testing.T) {
	o := Open{Sides: []string{"North", "South"}, Rules: Preset(TrackTwo), Convenor: SeatID{1, 1, 1, 1, 1, 1, 1, 1}, Name: "Ruth", Suite: 0xF768}
	ev := NewEvent(KindOpen, 29_000_000, o)
	s, _ := Apply(nil, Entry{Author: o.Convenor, Event: &ev})
	f := Founding{Founder: SeatID{1}, Without: SeatID{2}, Time: 29_000_000, Group: []byte{3}, Nonce: [16]byte{4}}
	for _, x := range []struct{ what, got, want string }{
		{"skeleton", fmt.Sprintf("%x", s.Digest()), "841580474bd936fc4fa8ebd18c45f27d66a472a1c5c45c9be16e1e12701ccdaf"},
		{"founding", fmt.Sprintf("%x", f.Hash()), "c6fd3cf9d5f933a889fc89cd006f7007711170456c894dbbb2296069713ef885"},
		{"words", strings.Join(f.Words("en"), " "), "swap screen news because use actress"},
	} {
		if x.got != x.want {
			t.Errorf("%s: %s, not %s", x.what, x.got, x.want)
		}
	}
}
