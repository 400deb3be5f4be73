package dialogue

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"parley/internal/wire"
)

func TestPresets(t *testing.T) {
	for _, track := range []Track{TrackTwo, TrackOneAndHalf, TrackOne} {
		r := Preset(track)
		if !r.Valid() || r.Track != track || r.Drafting != (track == TrackOne) {
			t.Errorf("track %d: %+v", track, r)
		}
	}
	bad := Preset(TrackTwo)
	bad.Drafting = true
	if bad.Valid() {
		t.Error("drafting was allowed in track two")
	}
}

func TestRulesHashCoversEverything(t *testing.T) {
	sides, r := []string{"North", "South"}, Preset(TrackTwo)
	h := RulesHash(sides, r)
	other := r
	other.RetentionDays++
	for _, x := range []Hash{RulesHash([]string{"South", "North"}, r), RulesHash(append(sides, "East"), r), RulesHash(sides, other)} {
		if x == h {
			t.Error("two agreements have one hash")
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]error{
		"Halden Royce": nil, "Ольга Петренко": nil, "ليلى": nil, "": ErrNameBlank, " x": ErrNameBlank, "x\n": ErrNameBlank,
		"a\u202eb": ErrNameHidden, "a\x1b[31m": ErrNameHidden, "a\nb": ErrNameHidden, "\xff": ErrNameHidden, strings.Repeat("x", MaxName+1): ErrNameLong,
	} {
		if err := CheckName(name); !errors.Is(err, want) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for name, want := range map[string]error{
		"chapter 4.pdf": nil, "..": ErrNameBlank, "a/b": ErrNameHidden, `a\b`: ErrNameHidden, "c:x": ErrNameHidden, "": ErrNameBlank,
	} {
		if err := CheckFileName(name); !errors.Is(err, want) {
			t.Errorf("file %q: %v", name, err)
		}
	}
}

func TestWords(t *testing.T) {
	r := Reading{Authenticator: []byte("authenticator"), Position: 7, Running: Hash{1}, Chain: Hash{2}, Nonce: [16]byte{3}}
	w := r.Words("en")
	if len(w) != ReadingWords || !slices.Equal(w, r.Words("en-GB")) {
		t.Fatalf("%q", w)
	}
	for name, change := range map[string]func(*Reading){
		"authenticator": func(r *Reading) { r.Authenticator = []byte("another") },
		"position":      func(r *Reading) { r.Position++ },
		"running hash":  func(r *Reading) { r.Running[31]++ },
		"chain":         func(r *Reading) { r.Chain[31]++ },
		"nonce":         func(r *Reading) { r.Nonce[15]++ },
	} {
		x := r
		change(&x)
		if slices.Equal(x.Words("en"), w) {
			t.Errorf("another %s gives the same words", name)
		}
	}
	for _, g := range r.Words("ar") {
		if len(g) != 4 || strings.Trim(g, "0123456789") != "" {
			t.Errorf("a group of digits is %q", g)
		}
	}
	if !SameWord(" Abandon ", "abandon") || SameWord("abandons", "abandon") || SameWord("", "abandon") {
		t.Error("SameWord is wrong")
	}
	if len(Hash{9}.Words("en")) != PostWords {
		t.Error("a post has four words")
	}
}

func TestWordsUseEveryBit(t *testing.T) {
	zero := words(make([]byte, 16), ReadingWords, "en")
	for bit := range ReadingWords * bitsPerWord {
		b := make([]byte, 16)
		b[bit/8] |= 0x80 >> (bit % 8)
		if w := words(b, ReadingWords, "en"); w[bit/bitsPerWord] == zero[bit/bitsPerWord] {
			t.Errorf("bit %d is in no word", bit)
		}
	}
}

// state makes a small skeleton for the tests of its parser.
func state(t testing.TB) *State {
	o := Open{Convenor: id("Ruth"), Name: "Ruth", Rules: Preset(TrackTwo), Suite: 1, Sides: []string{"North", "South"}, Key: keyOf("Ruth", 0).Public().(ed25519.PublicKey)}
	ev := NewEvent(KindOpen, 1000, o)
	s, _ := Apply(nil, Entry{Author: id("Ruth"), Event: &ev})
	if s == nil {
		t.Fatal("the opening was refused")
	}
	return s
}

// TestParseStateRefusesAConvenorWhoArrives: no rule says who consents to a
// convenor, and looking for it must not be possible.
func TestParseStateRefusesAConvenorWhoArrives(t *testing.T) {
	for status := Invited; status < In; status++ {
		s := state(t)
		s.Seats[0].Status = status
		if got, err := ParseState(s.Marshal()); err == nil {
			t.Errorf("status %d was taken; ready: %v", status, got.Ready(&got.Seats[0]))
		}
	}
}

func TestParseStateRefuses(t *testing.T) {
	for name, breakIt := range map[string]func(*State){
		"another fold":        func(s *State) { s.Fold++ },
		"no seats":            func(s *State) { s.Seats = nil },
		"a seat twice":        func(s *State) { s.Seats = append(s.Seats, s.Seats[0]) },
		"no such side":        func(s *State) { s.Seats = append(s.Seats, Seat{ID: id("x"), Side: 9, Name: "x", Status: In}) },
		"two convenors":       func(s *State) { s.Seats = append(s.Seats, Seat{ID: id("x"), Name: "x", Status: In}) },
		"a name that hides":   func(s *State) { s.Sides[0].Name = "a\u202eb" },
		"claims":              func(s *State) { s.Claims = s.Claims[1:] },
		"rules":               func(s *State) { s.Rules.RetentionDays = 0 },
		"a door too many":     func(s *State) { s.Seats[0].Doors = make([]Key, maxDoors+1) },
		"too many retired":    func(s *State) { s.Retired = make([]byte, (maxRetired+1)*retiredSize) },
		"half a retired key":  func(s *State) { s.Retired = make([]byte, retiredSize+1) },
		"a new card too many": func(s *State) { s.Seats[0].Replacements = make([]Replacement, maxReplacements+1) },
		"too many approved":   func(s *State) { s.Seats[0].Replacements = []Replacement{{Approved: make([]SeatID, maxApproved+1)}} },
		"founded by none":     func(s *State) { s.Refounded.N = 1 },
		"never founded":       func(s *State) { s.Refounded.Hash = Hash{1} },
		"a status":            func(s *State) { s.Seats[0].Status = Asleep + 1 },
		"a room too many":     func(s *State) { s.Rooms = []RoomState{{Room: 5}} },
	} {
		s := state(t)
		breakIt(s)
		if _, err := ParseState(s.Marshal()); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseState(append(state(t).Marshal(), 0)); err == nil {
		t.Error("a trailing byte was taken")
	}
}

func TestMalformedEventsChangeNothing(t *testing.T) {
	s := state(t)
	for k := KindOpen; k <= lastKind; k++ {
		ev := Event{V: Version, Kind: k, Body: []byte{0x61, 'x'}, Time: 1000}
		next, notes := Apply(s, Entry{Author: id("Ruth"), Event: &ev})
		if len(notes) != 1 || notes[0].Kind != NoteRefused {
			t.Errorf("kind %d gave %+v", k, notes)
		}
		next.Seats[0].Heard = s.Seats[0].Heard
		if !bytes.Equal(next.Marshal(), s.Marshal()) {
			t.Errorf("kind %d changed the skeleton", k)
		}
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add(NewEvent(KindSay, 1000, Say{Text: "hello"}).Marshal())
	f.Add(NewEvent(KindInvite, 1, Invite{Name: "x"}).Marshal())
	f.Add([]byte{0x85, 1, 9, 0x40, 0, 0x80})
	f.Add(NewEvent(KindDoor, 1, Door{Key: Key{1}}).Marshal())
	f.Add(NewEvent(KindRoomLost, 1, RoomLost{Room: 1, Named: id("Ruth")}).Marshal())
	f.Add(NewEvent(KindReplace, 1, Replace{Seat: id("Ruth"), Box: Key{1}, Card: Key{2}, Expires: 3}).Marshal())
	post := ReturnPost{Seat: id("Ruth"), KeyPackage: sha256.Sum256([]byte("package"))}
	f.Add(NewEvent(KindReturn, 1, Return{Signed: post.Sign(keyOf("Ruth", 0)), Package: []byte("package")}).Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEvent(b)
		if err != nil {
			return
		}
		if !bytes.Equal(e.Marshal(), b) {
			t.Errorf("%x re-encodes as %x", b, e.Marshal())
		}
		s := state(t)
		before := s.Marshal()
		Apply(s, Entry{Author: s.Seats[0].ID, Event: &e})
		if !bytes.Equal(s.Marshal(), before) {
			t.Error("Apply changed the state that it was given")
		}
	})
}

func FuzzParseState(f *testing.F) {
	f.Add(state(f).Marshal())
	s := state(f)
	s.Seats[0].Status, s.Seats[0].Back, s.Retired = Asleep, &Returning{Door: Key{1}}, make([]byte, retiredSize)
	f.Add(s.Marshal())
	s = state(f)
	s.Seats[0].Replacements, s.Seats[0].Replacing, s.Seats[0].Cards = []Replacement{{Card: Key{1}, Post: Hash{2}, Approved: []SeatID{{3}}}}, true, 1
	f.Add(s.Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseState(b)
		if err == nil && !bytes.Equal(s.Marshal(), b) {
			t.Error("re-encodes otherwise")
		}
	})
}

func BenchmarkApply(b *testing.B) {
	s := state(b)
	for i := range 59 {
		ev := NewEvent(KindInvite, 1000, Invite{Seat: SeatID{byte(i + 1)}, Side: 1, Name: "somebody", Expires: 2000})
		s, _ = Apply(s, Entry{Author: s.Seats[0].ID, Event: &ev})
	}
	for i := range s.Sides {
		s.Sides[i].Agreed = true
	}
	ev := NewEvent(KindSay, 1000, Say{Text: "hello"})
	b.ReportAllocs()
	for b.Loop() {
		Apply(s, Entry{Author: s.Seats[0].ID, Event: &ev})
	}
}
