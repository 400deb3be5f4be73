package dialogue

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
)

// A plenary is a skeleton to which seats say things.
type plenary struct {
	t *testing.T
	s *State
}

func (p *plenary) say(by string, k Kind, body any) Reason {
	ev := NewEvent(k, 1000, body)
	next, notes := Apply(p.s, Entry{Author: id(by), Event: &ev})
	p.s = next
	return reason(notes)
}

func (p *plenary) must(by string, k Kind, body any) {
	p.t.Helper()
	if r := p.say(by, k, body); r != ReasonNone {
		p.t.Fatalf("%s, kind %d: reason %d", by, k, r)
	}
}

func (p *plenary) commit(by string, c Commit) Reason {
	c.Time = 1000
	next, notes := Apply(p.s, Entry{Author: id(by), Commit: &c})
	p.s = next
	return reason(notes)
}

func public(name string) Key { return Key(cardOf(name).Public().(ed25519.PublicKey)) }

// asks has by ask for a new card for seat, and its holder use it.
func (p *plenary) asks(by, seat, card string) SignedPost {
	p.t.Helper()
	p.must(by, KindReplace, Replace{Seat: id(seat), Box: Key{5}, Card: public(card), Expires: 2000})
	post := Post{Seat: id(seat), KeyPackage: sha256.Sum256([]byte(card)), Door: Key{6}, Rules: p.s.RulesHash()}.Sign(cardOf(card))
	p.must(by, KindArrive, post)
	return post
}

// seatedThree is a table at which Halden and Mira sit for North, Corin for South.
func seatedThree(t *testing.T) *plenary {
	s := arrived(t)
	x := s.Seat(id("Mira"))
	x.Status, x.Key, x.Heard = In, keyOf("Mira", 0).Public().(ed25519.PublicKey), 1
	return &plenary{t, s}
}

// TestFounderHasNoCard: with the key that is zero everybody could sign; nobody
// takes the convenor's verification away by a second use of no card.
func TestFounderHasNoCard(t *testing.T) {
	p := seatedThree(t)
	x := p.s.Seat(id("Ruth"))
	x.Verified = []Verification{{By: id("Corin")}}
	for n := range 64 { // one in four fits, whatever it says
		post := SignedPost{Post: Post{Seat: x.ID, Door: Key{byte(n)}}, Signature: make([]byte, ed25519.SignatureSize)}
		post.Signature[0] = 1 // the neutral point
		p.say("Halden", KindSecondUse, post)
	}
	if x := p.s.Seat(id("Ruth")); !x.IsVerified() || len(x.Seconds) > 0 {
		t.Errorf("verified %v, %d second uses", x.IsVerified(), len(x.Seconds))
	}
}

// TestNewCardEndsWhatTheOldOneDid: approvals that the seat gave, and what it
// asked for, are not its person's any more.
func TestNewCardEndsWhatTheOldOneDid(t *testing.T) {
	p := seatedThree(t)
	first := p.asks("Halden", "Mira", "one")
	p.must("Corin", KindConsent, Consent{Seat: id("Mira"), Post: first.Post.Hash()})
	p.asks("Corin", "Ruth", "two")
	p.must("Ruth", KindInvite, Invite{Seat: id("Nora"), Side: 2, Name: "Nora", Expires: 2000})
	p.must("Corin", KindInvite, Invite{Seat: id("Olaf"), Side: 2, Name: "Olaf", Expires: 2000})

	third := p.asks("Halden", "Corin", "three")
	for _, by := range []string{"Halden", "Ruth"} {
		p.must(by, KindConsent, Consent{Seat: id("Corin"), Post: third.Post.Hash()})
	}
	if m := p.s.Seat(id("Mira")).Replacements; len(m) != 1 || len(m[0].Approved) != 0 {
		t.Errorf("Mira's: %+v", m)
	}
	if r := p.s.Seat(id("Ruth")).Replacements; len(r) != 0 {
		t.Errorf("Ruth's: %+v", r)
	}
	if p.s.Seat(id("Olaf")).Status != Revoked || p.s.Seat(id("Nora")).Status != Invited {
		t.Error("of the cards that were out, not just the lost computer's were revoked")
	}
	if _, err := ParseState(p.s.Marshal()); err != nil {
		t.Error(err)
	}
}

// TestNewCardCarriesOut: the door is the new one, which the old computer heard
// of; everybody's door is to be moved; the side room lets the seat in again.
func TestNewCardCarriesOut(t *testing.T) {
	p := seatedThree(t)
	p.s.Rooms = []RoomState{{Room: 1, By: id("Halden"), Members: []SeatID{id("Halden"), id("Mira")}}}
	old := p.s.Seat(id("Mira")).Key
	post := p.asks("Halden", "Mira", "one")
	for _, by := range []string{"Halden", "Corin"} {
		p.must(by, KindConsent, Consent{Seat: id("Mira"), Post: post.Post.Hash()})
	}
	if n := p.s.Plan(SideRoom(1)); slices.Contains(n, id("Mira")) {
		t.Error("the old computer's leaf is at home in its side room")
	}
	add := Added{Seat: id("Mira"), Package: post.Post.KeyPackage}
	for _, key := range [][]byte{old, nil} {
		add.Key = key
		p.s.Retired = retiredHash(nil)
		if r := p.commit("Ruth", Commit{Removes: []SeatID{id("Mira")}, Adds: []Added{add}}); r != ReasonKey {
			t.Errorf("a key that served: reason %d", r)
		}
	}
	add.Key, add.Package = []byte("fresh"), Hash{9}
	if r := p.commit("Ruth", Commit{Removes: []SeatID{id("Mira")}, Adds: []Added{add}}); r != ReasonNotReady {
		t.Errorf("another package: reason %d", r)
	}
	add.Package = post.Post.KeyPackage
	if r := p.commit("Ruth", Commit{Removes: []SeatID{id("Mira")}, Adds: []Added{add}}); r != ReasonNone {
		t.Fatalf("reason %d", r)
	}
	x := p.s.Seat(id("Mira"))
	if !slices.Equal(x.Doors, []Key{{6}}) || !p.s.DoorKnown(x) || !p.s.DoorKnown(p.s.Seat(id("Ruth"))) || !p.s.retired(old) ||
		x.Heard != 0 || x.Cards != 1 || x.Replacing || x.Due {
		t.Errorf("%+v", x)
	}
	if r := p.s.room(1); slices.Contains(r.Members, x.ID) || !slices.Contains(r.Lost, x.ID) {
		t.Errorf("the side room: %+v", r)
	}
}

// TestReplacementsAreBounded: a party asks for a few new cards at once, and
// those that nobody used in time count no more.
func TestReplacementsAreBounded(t *testing.T) {
	p := seatedThree(t)
	for i := range maxAsked {
		x := Seat{ID: SeatID{byte(i + 1)}, Side: 2, Name: fmt.Sprint("Seat ", i), Status: In, Key: []byte{byte(i)}}
		p.s.Seats = append(p.s.Seats, x)
		p.must("Halden", KindReplace, Replace{Seat: x.ID, Card: public(x.Name), Expires: 1001})
	}
	more := Replace{Seat: id("Mira"), Card: public("one more"), Expires: 1001}
	if r := p.say("Halden", KindReplace, more); r != ReasonFull {
		t.Errorf("one more: reason %d", r)
	}
	p.must("Ruth", KindReplace, more)
	p.s.LogTime = 1002
	more.Card = public("yet one more")
	if r := p.say("Halden", KindReplace, more); r != ReasonNone || p.s.asked(1) != 1 {
		t.Errorf("when all are over: reason %d, %d asked for", r, p.s.asked(1))
	}
}

// TestApprovalsNeedASay: who approved and is to go, or is head no more, has
// approved nothing.
func TestApprovalsNeedASay(t *testing.T) {
	p := seatedThree(t)
	p.s.Sides = append(p.s.Sides, Side{Name: "East", HadHead: true, Agreed: true})
	p.s.Claims = append(p.s.Claims, 1000)
	p.s.Seats = append(p.s.Seats, Seat{ID: id("Tamsin"), Side: 3, Name: "Tamsin", Status: In, Key: []byte("Tamsin's")})
	post := p.asks("Halden", "Corin", "one")
	approve := Consent{Seat: id("Corin"), Post: post.Post.Hash()}
	p.must("Tamsin", KindConsent, approve)
	p.must("Ruth", KindRemove, Remove{Seat: id("Tamsin")})
	p.must("Halden", KindConsent, approve)
	if x := p.s.Seat(id("Corin")); x.Replacing || len(x.Replacements[0].Approved) != 1 {
		t.Errorf("%+v", x)
	}
}

// TestSilentWhileReplaced: a side whose only seat gets a new card has to be
// asked all the same.
func TestSilentWhileReplaced(t *testing.T) {
	p := seatedThree(t)
	post := p.asks("Halden", "Corin", "one")
	for _, by := range []string{"Halden", "Ruth"} {
		p.must(by, KindConsent, Consent{Seat: id("Corin"), Post: post.Post.Hash()})
	}
	p.must("Ruth", KindInvite, Invite{Seat: id("Nora"), Side: 2, Name: "Nora", Card: public("Nora"), Expires: 2000})
	p.must("Ruth", KindArrive, Post{Seat: id("Nora"), Rules: p.s.RulesHash()}.Sign(cardOf("Nora")))
	if m := p.s.Missing(p.s.Seat(id("Nora"))); !slices.Contains(m, 2) {
		t.Errorf("a seat for South needs the consent of sides %d", m)
	}
}

// TestNewCardIsUsedOnce: the first post stands, and without two approvals of it
// no commit brings anything in; nor while the old leaf is there.
func TestNewCardIsUsedOnce(t *testing.T) {
	p := seatedThree(t)
	post := p.asks("Halden", "Mira", "one")
	other := post.Post
	other.KeyPackage[0]++
	if r := p.say("Ruth", KindArrive, other.Sign(cardOf("one"))); r != ReasonState {
		t.Errorf("another post: reason %d", r)
	}
	x := p.s.Seat(id("Mira"))
	was := x.Package
	x.Package = post.Post.KeyPackage
	add := Added{Seat: x.ID, Package: post.Post.KeyPackage, Key: []byte("fresh")}
	x.Status = Asleep
	if r := p.commit("Ruth", Commit{Adds: []Added{add}}); r != ReasonNotReady {
		t.Errorf("without approval: reason %d", r)
	}
	x = p.s.Seat(id("Mira"))
	x.Status, x.Package = In, was
	for _, by := range []string{"Halden", "Corin"} {
		p.must(by, KindConsent, Consent{Seat: x.ID, Post: post.Post.Hash()})
	}
	p.s.Seat(id("Mira")).Due = false // no rule lets it be so
	if r := p.commit("Ruth", Commit{Adds: []Added{add}}); r != ReasonNotReady {
		t.Errorf("beside the old leaf: reason %d", r)
	}
}
