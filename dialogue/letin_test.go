package dialogue

import (
	"crypto/sha256"
	"testing"
)

// TestCharterBeforeCommit: no commit counts before those whom the last one let
// in were told the past whole, be it to carry out a removal.
func TestCharterBeforeCommit(t *testing.T) {
	ruth, corin := SeatID{1}, SeatID{2}
	s := &State{Epoch: 4, Sides: make([]Side, 2), Claims: make([]uint64, 3), Seats: []Seat{
		{ID: ruth, Role: Convenor, Status: In}, {ID: corin, Side: 1, Status: In, Due: true},
	}, Charters: []CharterState{{Base: 3}, {Base: 4, For: []SeatID{corin}}}}
	commit := &Commit{Removes: []SeatID{corin}}
	if r := s.judge(ruth, commit); r != ReasonCharter {
		t.Errorf("before the charter: %d", r)
	}
	for _, c := range []struct {
		what Charter
		want Reason
	}{
		{Charter{Base: 4, Hash: Hash{1}}, ReasonCharter}, // its hash alone
		{Charter{Base: 3, Hash: sha256.Sum256([]byte("past")), Skeleton: []byte("past")}, ReasonCharter},
		{Charter{Base: 4, Hash: Hash{1}, Skeleton: []byte("past")}, ReasonCharter},
		{Charter{Base: 4, Hash: sha256.Sum256([]byte("past")), Skeleton: []byte("past")}, ReasonNone},
	} {
		f := &fold{s: s.clone(), e: Entry{Author: ruth}}
		f.charter(c.what)
		if r := f.s.judge(ruth, commit); r != c.want {
			t.Errorf("after %+v: %d", c.what, r)
		}
	}
}

// TestLetInBySomebodyElse: who let a seat in that was never heard since does
// not do it again, while somebody else can.
func TestLetInBySomebodyElse(t *testing.T) {
	by, other, back := SeatID{1}, SeatID{2}, SeatID{3}
	state := func(change func(s *State)) *State {
		s := &State{Seats: []Seat{
			{ID: by, Status: In, Heard: 5},
			{ID: other, Status: In, Heard: 5},
			{ID: back, Status: In, AddedBy: by, Back: &Returning{Package: Hash{7}}},
		}}
		change(s)
		return s
	}
	for _, c := range []struct {
		name   string
		change func(s *State)
		want   bool
	}{
		{"never heard since", func(*State) {}, false},
		{"heard since", func(s *State) { s.Seats[2].Heard = 6 }, true},
		{"let in by another", func(s *State) { s.Seats[2].AddedBy = other }, true},
		{"the other was never heard", func(s *State) { s.Seats[1].Heard = 0 }, true},
		{"the other sleeps", func(s *State) { s.Seats[1].Status = Asleep }, true},
		{"the other is to go", func(s *State) { s.Seats[1].Due = true }, true},
		{"the other left it out", func(s *State) { s.Seats[1].NamedBy = []SeatID{back} }, true},
		{"the other may commit nothing", func(s *State) { s.Seats[1].NamedBy = []SeatID{by, {9}} }, true},
		{"it left it out itself", func(s *State) { s.Seats[0].NamedBy, s.Seats[2].AddedBy = []SeatID{back}, other }, false},
	} {
		s := state(c.change)
		if got := s.MayLetIn(by, back); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
		commit := &Commit{Removes: []SeatID{back}, Adds: []Added{{Seat: back, Package: Hash{7}, Key: []byte("key")}}}
		if got := s.judge(by, commit) != ReasonNamed; got != c.want {
			t.Errorf("%s: a commit is refused as %v", c.name, s.judge(by, commit))
		}
		if !s.MayLetIn(by, back) && !s.MayLetIn(other, back) {
			t.Errorf("%s: nobody may", c.name)
		}
	}
}
