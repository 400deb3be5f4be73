package dialogue

import (
	"crypto/ed25519"
	"crypto/sha256"
	"testing"

	"parley/internal/wire"
)

// TestSucceeds: a charter that tells another past than one's own skeleton is
// refused; one that goes on from it is not.
func TestSucceeds(t *testing.T) {
	former := state(t)
	former.Seats = append(former.Seats, Seat{ID: id("Halden"), Side: 1, Name: "Halden", Status: In, Doors: []Key{{2}}, NamedBy: []SeatID{id("Ruth")}})
	for name, change := range map[string]func(*State){
		"nothing": func(*State) {},
		"asleep":  func(s *State) { s.Seats[1].Status = Asleep },
		"a key":   func(s *State) { s.Seats[1].Key = []byte("another") },
		"time":    func(s *State) { s.LogTime += 9; s.Claims[0] += 9 },
		"a seat":  func(s *State) { s.Seats = add(s.Seats, Seat{ID: id("Mira"), Side: 1, Name: "Mira", Status: Invited}) },
		"agreed":  func(s *State) { s.Sides[0].Agreed = true },
		"a card": func(s *State) {
			x := &s.Seats[1]
			x.Cards, x.By, x.Card, x.Post, x.Expires, x.Witness = 1, id("Ruth"), Key{8}, Hash{8}, 8, []byte("another")
		},
		"a naming": func(s *State) { s.Seats[1].NamedBy = add(s.Seats[1].NamedBy, id("Mira")) },
	} {
		s := former.clone()
		change(s)
		if !s.Succeeds(former) {
			t.Errorf("%s: refused", name)
		}
	}
	former.LogTime, former.Epoch, former.Departures = former.LogTime+1, 3, 1
	former.Sides[0] = Side{Name: "North", HadHead: true, Agreed: true}
	for name, change := range map[string]func(*State){
		"an earlier epoch":  func(s *State) { s.Epoch-- },
		"an earlier time":   func(s *State) { s.LogTime-- },
		"fewer departures":  func(s *State) { s.Departures-- },
		"an earlier claim":  func(s *State) { s.Claims[0]-- },
		"other rules":       func(s *State) { s.Rules.RetentionDays++ },
		"another side":      func(s *State) { s.Sides[1].Name = "East" },
		"never agreed":      func(s *State) { s.Sides[0].Agreed = false },
		"never a head":      func(s *State) { s.Sides[0].HadHead = false },
		"no seat":           func(s *State) { s.Seats = s.Seats[:1] },
		"another name":      func(s *State) { s.Seats[1].Name = "Helden" },
		"another side's":    func(s *State) { s.Seats[1].Side = 2 },
		"only invited":      func(s *State) { s.Seats[1].Status = Invited },
		"another post":      func(s *State) { s.Seats[1].Post = Hash{1} },
		"a witness key":     func(s *State) { s.Seats[1].Witness = []byte("another") },
		"another card":      func(s *State) { s.Seats[1].Card = Key{8} },
		"a naming is gone":  func(s *State) { s.Seats[1].NamedBy = nil },
		"another suite":     func(s *State) { s.Suite++ },
		"an earlier commit": func(s *State) { s.LastCommit-- },
	} {
		s := former.clone()
		change(s)
		if s.Succeeds(former) {
			t.Errorf("%s: taken", name)
		}
	}
	later := former.clone()
	later.Seats[1].Cards = 1
	if former.Succeeds(later) {
		t.Error("a new card was never there")
	}
	gone := former.clone()
	gone.Seats[1].Status = Removed
	if former.Succeeds(gone) {
		t.Error("who was removed sits again")
	}
}

// TestReturnsAreBounded: neither doors nor retired keys grow without end.
func TestReturnsAreBounded(t *testing.T) {
	s := state(t)
	say := func(k Kind, body any) []Note {
		ev := NewEvent(k, 1000, body)
		next, notes := Apply(s, Entry{Author: id("Ruth"), Event: &ev})
		s = next
		return notes
	}
	for i := range byte(10) {
		if n := say(KindDoor, Door{Key: Key{7, i}}); n[0].Kind != NoteDoor {
			t.Fatalf("%+v", n)
		}
	}
	if x := s.Seats[0]; len(x.Doors) != maxDoors || x.Doors[0] != (Key{7, 9}) {
		t.Errorf("%d doors", len(x.Doors))
	}
	f := &fold{s: s.clone()}
	for i := range maxRetired + 9 {
		f.setKey(&f.s.Seats[0], wire.AppendU32(nil, uint32(i)))
	}
	first, last := wire.AppendU32(nil, 0), wire.AppendU32(nil, maxRetired+7)
	if len(f.s.Retired) != maxRetired*retiredSize || f.s.retired(first) || !f.s.retired(last) || f.s.Fresh(f.s.Seats[0].Key) || f.s.Fresh(last) || !f.s.Fresh(first) {
		t.Errorf("%d retired keys", len(f.s.Retired))
	}
	if oldest := wire.AppendU32(nil, 8); !f.s.retired(oldest) {
		t.Error("fewer than that are known")
	}
	if _, err := ParseState(f.s.Marshal()); err != nil {
		t.Error(err)
	}
}

// TestReturnCovers: nothing of a post can be altered, and one of many
// signatures is enough.
func TestReturnCovers(t *testing.T) {
	key := keyOf("Halden", 0)
	public := key.Public().(ed25519.PublicKey)
	p := ReturnPost{Seat: id("Halden"), KeyPackage: sha256.Sum256([]byte("x")), Door: Key{1}, Named: id("Ruth")}
	if s := p.Sign(keyOf("Halden", 1), key); !s.Verify(public) || s.Verify(public[1:]) {
		t.Error("the second of two signatures does not count")
	}
	for name, change := range map[string]func(*ReturnPost){
		"seat":    func(p *ReturnPost) { p.Seat[7]++ },
		"package": func(p *ReturnPost) { p.KeyPackage[31]++ },
		"door":    func(p *ReturnPost) { p.Door[31]++ },
		"named":   func(p *ReturnPost) { p.Named = SeatID{} },
	} {
		s := p.Sign(key)
		change(&s.Post)
		if s.Verify(public) {
			t.Errorf("another %s is taken", name)
		}
	}
	many := p.Sign(key)
	for range MaxReturnKeys {
		many.Signatures = append(many.Signatures, many.Signatures[0])
	}
	if many.Verify(public) {
		t.Error("too many signatures are taken")
	}
}
