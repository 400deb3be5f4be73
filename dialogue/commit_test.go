package dialogue

import (
	"crypto/ed25519"
	"slices"
	"testing"
)

// arrived is a skeleton in which Halden sits for North, Corin for South, and
// Mira has taken a card for North.
func arrived(t *testing.T) *State {
	t.Helper()
	s := state(t)
	for i, name := range []string{"Halden", "Corin", "Mira"} {
		x := Seat{ID: id(name), Side: SideID(i%2 + 1), Name: name, Status: In, By: id("Ruth"), Key: keyOf(name, 0).Public().(ed25519.PublicKey)}
		if name == "Mira" {
			x.Status, x.Key, x.Post, x.Package = Arrived, nil, Hash{1}, Hash{2}
		}
		s.Seats = append(s.Seats, x)
	}
	for i := range s.Sides {
		s.Sides[i].HadHead, s.Sides[i].Agreed = true, true
	}
	return s
}

// reason tells why an entry was refused.
func reason(notes []Note) Reason {
	for _, n := range notes {
		if n.Kind == NoteRefused || n.Kind == NoteAttempt {
			return n.Reason
		}
	}
	return ReasonNone
}

// TestConsentIsToThatPost: consent to another post of the same card does not
// count, and no other key package comes in by it.
func TestConsentIsToThatPost(t *testing.T) {
	s := arrived(t)
	consent := func(by string, post Hash) Reason {
		ev := NewEvent(KindConsent, 1000, Consent{Seat: id("Mira"), Post: post})
		next, notes := Apply(s, Entry{Author: id(by), Event: &ev})
		s = next
		return reason(notes)
	}
	if r := consent("Halden", Hash{9}); r != ReasonState || len(s.Seat(id("Mira")).Consents) != 0 {
		t.Errorf("consent to another post: reason %d", r)
	}
	for _, by := range []string{"Halden", "Corin"} {
		if r := consent(by, Hash{1}); r != ReasonNone {
			t.Fatalf("%s's consent: reason %d", by, r)
		}
	}
	for _, other := range []bool{true, false} {
		a := Added{Seat: id("Mira"), Package: Hash{2}, Key: []byte("Mira's")}
		want := ReasonNone
		if other {
			a.Package, want = Hash{3}, ReasonNotReady
		}
		if _, notes := Apply(s, Entry{Author: id("Ruth"), Commit: &Commit{Time: 1000, Adds: []Added{a}}}); reason(notes) != want {
			t.Errorf("another package %v: reason %d", other, reason(notes))
		}
	}
}

// TestNoKeyServesTwice: a seat does not come back with the key that it had, one
// that was retired, or that of another's witnesses.
func TestNoKeyServesTwice(t *testing.T) {
	s := arrived(t)
	f := &fold{s: s}
	x := s.Seat(id("Halden"))
	retired, current := x.Key, []byte("the second")
	f.setKey(x, current)
	x.Back = &Returning{Package: Hash{7}}
	s.Seat(id("Corin")).Witness = []byte("of a witness")
	for key, want := range map[string]Reason{string(retired): ReasonKey, string(current): ReasonKey, "of a witness": ReasonKey, "a fresh one": ReasonNone} {
		c := &Commit{Time: 1000, Adds: []Added{{Seat: x.ID, Package: Hash{7}, Key: []byte(key)}}, Removes: []SeatID{x.ID}}
		if _, notes := Apply(s, Entry{Author: id("Ruth"), Commit: c}); reason(notes) != want {
			t.Errorf("key %q: reason %d", key, reason(notes))
		}
	}
}

// TestLogTimeNeverGoesBack: a party that is heard for the first time claims
// less, and the second latest claim with it.
func TestLogTimeNeverGoesBack(t *testing.T) {
	s := arrived(t)
	var times []uint64
	for _, e := range []struct {
		by   string
		time uint64
	}{{"Ruth", 5000}, {"Halden", 4000}, {"Corin", 6000}} {
		ev := NewEvent(KindHello, e.time, Hello{})
		s, _ = Apply(s, Entry{Author: id(e.by), Event: &ev})
		times = append(times, s.LogTime)
	}
	if want := []uint64{5000, 5000, 5000}; !slices.Equal(times, want) {
		t.Errorf("log time was %d, not %d", times, want)
	}
}

// TestAllOtherSidesRemove: one of two sides alone asks for the convenor's
// removal, and both together have it.
func TestAllOtherSidesRemove(t *testing.T) {
	s := arrived(t)
	for i, by := range []string{"Halden", "Corin"} {
		ev := NewEvent(KindRemove, 1000, Remove{Seat: id("Ruth")})
		s, _ = Apply(s, Entry{Author: id(by), Event: &ev})
		if due := s.Seat(id("Ruth")).Due; due != (i == 1) {
			t.Errorf("after %s asked, the removal is due: %v", by, due)
		}
	}
}

// TestSecondUseTakesTheVerification: who was heard may be another than who
// holds the card now.
func TestSecondUseTakesTheVerification(t *testing.T) {
	s := arrived(t)
	x := s.Seat(id("Halden"))
	x.Card = Key(cardOf("Halden").Public().(ed25519.PublicKey))
	x.Verified = []Verification{{By: id("Ruth")}}
	post := Post{Seat: x.ID, Rules: s.RulesHash()}
	ev := NewEvent(KindSecondUse, 1000, post.Sign(cardOf("Halden")))
	s, notes := Apply(s, Entry{Author: id("Ruth"), Event: &ev})
	if x := s.Seat(id("Halden")); reason(notes) != ReasonNone || x.IsVerified() || x.Lost != LossSecond {
		t.Errorf("reason %d, verified %v, lost for %d", reason(notes), x.IsVerified(), x.Lost)
	}
}

// TestNamedCommitsNoMoreInItsRoom: as in the plenary.
func TestNamedCommitsNoMoreInItsRoom(t *testing.T) {
	s := arrived(t)
	x := s.Seat(id("Halden"))
	x.Heard = 1
	s.Rooms = []RoomState{{Room: 1, By: x.ID, Members: []SeatID{x.ID}}}
	commit := Entry{Room: 1, Author: x.ID, Commit: &Commit{Time: 1000}, Members: []SeatID{x.ID}}
	for n, by := range []string{"Ruth", "Corin", ""} {
		s.LogTime = 10 * MinutesPerDay
		want := ReasonNone
		if n == 2 {
			want = ReasonNamed
		}
		if _, notes := Apply(s, commit); reason(notes) != want {
			t.Errorf("named by %d: reason %d", n, reason(notes))
		}
		x.NamedBy = append(x.NamedBy, id(by))
	}
}

// TestNamedFoundsNoRoom: whom two seats have named could let in nobody.
func TestNamedFoundsNoRoom(t *testing.T) {
	s := arrived(t)
	x := s.Seat(id("Halden"))
	x.Status, x.Heard = In, 1
	for n, by := range []string{"Ruth", "Corin", ""} {
		want := ReasonNone
		if n == 2 {
			want = ReasonNamed
		}
		ev := NewEvent(KindFound, 1000, Found{Room: 1, Group: []byte("a group"), Tag: make([]byte, 48)})
		if _, notes := Apply(s, Entry{Author: x.ID, Event: &ev}); reason(notes) != want {
			t.Errorf("named by %d: reason %d", n, reason(notes))
		}
		x.NamedBy = append(x.NamedBy, id(by))
	}
}
