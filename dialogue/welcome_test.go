package dialogue

import (
	"slices"
	"testing"
)

// TestWelcomeOfTheFuture: a room's last commit can't be later than log time, or
// newcomers would refuse the commits that the others follow.
func TestWelcomeOfTheFuture(t *testing.T) {
	head := Seat{ID: SeatID{2}, Side: 1, Name: "Halden", Status: In, Heard: 1}
	s := &State{Fold: Version, Rules: Preset(TrackTwo), Sides: []Side{{Name: "North"}, {Name: "South"}}, Claims: make([]uint64, 3), LogTime: 1000,
		Seats: []Seat{{ID: SeatID{1}, Name: "Ruth", Role: Convenor, Status: In}, head},
		Rooms: []RoomState{{Room: 1, Group: []byte{1}, By: head.ID, Members: []SeatID{head.ID}}}}
	for last, want := range map[uint64]NoteKind{1000: NoteWelcome, 1001: NoteRefused, ^uint64(0): NoteRefused} {
		e := NewEvent(KindWelcome, 1000, Welcome{Room: 1, Seats: []SeatID{{3}}, Last: last})
		_, notes := Apply(s, Entry{Author: head.ID, Event: &e})
		if !slices.ContainsFunc(notes, func(n Note) bool { return n.Kind == want }) {
			t.Errorf("last %d: %+v", last, notes)
		}
	}
}

// TestUpdateSaysOnlyThatItsAuthorIsThere: it moves the times that any entry of
// the plenary moves, and nothing else; in a side room not even those.
func TestUpdateSaysOnlyThatItsAuthorIsThere(t *testing.T) {
	s := &State{Fold: Version, Rules: Preset(TrackTwo), Sides: []Side{{Name: "North"}, {Name: "South"}}, Claims: []uint64{1000, 900, 0}, LogTime: 900,
		Seats: []Seat{{ID: SeatID{1}, Name: "Ruth", Role: Convenor, Status: In}, {ID: SeatID{2}, Side: 1, Name: "Halden", Status: In, Heard: 900}}}
	next, notes := Apply(s, Entry{Author: SeatID{2}, Update: 2000})
	if len(notes) != 0 || next.LogTime != 1000 || next.Seat(SeatID{2}).Heard != 1000 || next.Claims[1] != 2000 {
		t.Errorf("log time %d, heard %d, %+v", next.LogTime, next.Seat(SeatID{2}).Heard, notes)
	}
	next.LogTime, next.Claims, next.Seat(SeatID{2}).Heard = s.LogTime, s.Claims, 900
	if next.Digest() != s.Digest() {
		t.Error("it changes more than times")
	}
	if next, _ = Apply(s, Entry{Room: 1, Author: SeatID{2}, Update: 2000}); next.Digest() != s.Digest() {
		t.Error("one in a side room changes the skeleton")
	}
}
