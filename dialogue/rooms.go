package dialogue

import (
	"slices"

	"parley/internal/wire"
)

const maxSeated = wire.MaxSeats

// room finds what the skeleton knows of a room, or nil.
func (s *State) room(r Room) *RoomState {
	for i := range s.Rooms {
		if s.Rooms[i].Room == r {
			return &s.Rooms[i]
		}
	}
	return nil
}

// Founded tells how a side room was founded, or nil where it was not.
func (s *State) Founded(r Room) *RoomState { return s.room(r) }

// Plan lists who belongs in a room, in plan order: in the plenary everyone
// seated, in a side room the side's seats that have been heard in the plenary.
// A seat whose removal is due belongs nowhere from then on.
func (s *State) Plan(r Room) []SeatID {
	var l []SeatID
	for i := range s.Seats {
		x := &s.Seats[i]
		if x.Status == In && !x.Due && (r == Plenary || x.Side == r.Side() && x.Heard > 0) {
			l = append(l, x.ID)
		}
	}
	return l
}

// Strangers lists the members of a room whom the seat plan does not put there.
// While there is one, what is said there is stale.
func (s *State) Strangers(r Room, members []SeatID) []SeatID {
	plan := s.Plan(r)
	var l []SeatID
	for _, m := range members {
		if !slices.Contains(plan, m) {
			l = append(l, m)
		}
	}
	return l
}

// Absent lists who belongs in a room and is not among its members yet.
func (s *State) Absent(r Room, members []SeatID) []SeatID {
	var l []SeatID
	for _, p := range s.Plan(r) {
		if !slices.Contains(members, p) {
			l = append(l, p)
		}
	}
	return l
}

// inRoom takes an event of a side room: messages only.
func (f *fold) inRoom() {
	ev := f.e.Event
	x := f.s.Seat(f.e.Author)
	switch {
	case ev.V != Version || ev.Kind > lastKind || ev.Kind == 0:
		f.note(NoteUnknown, SeatID{}, nil)
	case x == nil || x.Status != In || x.Due || x.Side != f.e.Room.Side():
		f.refuse(ReasonNotSeated)
	case ev.Kind != KindSay:
		f.refuse(ReasonWrongRoom)
	case len(f.s.Strangers(f.e.Room, f.e.Members)) > 0:
		f.refuse(ReasonStrangers)
	default:
		with(f, f.say)
	}
}

// found founds a room: the first founding by one of its seats wins.
func (f *fold) found(b Found) Reason {
	if b.Room == Plenary || int(b.Room) > len(f.s.Sides) || len(b.Group) == 0 || len(b.Group) > maxRoomGroup || len(b.Tag) > maxRoomGroup {
		return ReasonMalformed
	}
	if f.s.Seat(f.e.Author).Side != b.Room.Side() {
		return ReasonNotYours
	}
	if f.s.room(b.Room) != nil {
		return ReasonState
	}
	if f.s.Barred(f.e.Author) {
		return ReasonNamed // it could let in nobody
	}
	f.s.Rooms = add(f.s.Rooms, RoomState{Room: b.Room, Group: b.Group, Tag: b.Tag, By: f.e.Author, Members: []SeatID{f.e.Author}})
	f.note(NoteFounded, f.e.Author, b)
	return ReasonNone
}

// depart takes seats that have gone out of what is known of rooms.
func (f *fold) depart(gone []SeatID) {
	f.s.Rooms = slices.DeleteFunc(f.s.Rooms, func(x RoomState) bool {
		return !slices.ContainsFunc(x.Members, func(id SeatID) bool { return !slices.Contains(gone, id) })
	})
	for i := range f.s.Rooms {
		x := &f.s.Rooms[i]
		x.Members = slices.DeleteFunc(slices.Clone(x.Members), func(id SeatID) bool { return slices.Contains(gone, id) })
		x.Lost = slices.DeleteFunc(slices.Clone(x.Lost), func(id SeatID) bool { return slices.Contains(gone, id) })
	}
}

// welcome carries a room's Welcome. Who opens it finds the room, and its
// confirmation tag tells whether it is the right one.
func (f *fold) welcome(b Welcome) Reason {
	x := f.s.room(b.Room)
	if x == nil || b.Room == Plenary {
		return ReasonUnknown
	}
	if f.s.Seat(f.e.Author).Side != b.Room.Side() {
		return ReasonNotYours
	}
	if b.Last > f.s.LogTime {
		return ReasonMalformed // no commit is of a time that has not come
	}
	for _, id := range b.Seats {
		if y := f.s.Seat(id); slices.Contains(x.Members, f.e.Author) && y != nil && y.Status == In && y.Side == b.Room.Side() && !slices.Contains(x.Members, id) {
			x.Members = add(x.Members, id)
			x.Lost = slices.DeleteFunc(slices.Clone(x.Lost), func(l SeatID) bool { return l == id })
		}
	}
	f.note(NoteWelcome, f.e.Author, b)
	return ReasonNone
}
