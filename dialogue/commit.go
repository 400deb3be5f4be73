package dialogue

import (
	"bytes"
	"slices"
)

// A Commit is what a commit does to a room, read from its MLS message.
type Commit struct {
	Time    uint64 // minutes since 1970, its author's claim
	Adds    []Added
	Removes []SeatID
	Keys    []KeyChange // signature keys that change, the author's included
}

// Added is a leaf that a commit adds.
type Added struct {
	Seat    SeatID
	Package Hash // of its key package
	Key     []byte
}

// A KeyChange is a new signature key, in a leaf signed with the former one.
type KeyChange struct {
	Seat SeatID
	Key  []byte
}

// commit judges a commit and, where it is valid, carries it out. A refused
// one gives NoteAttempt: whoever applies it must not enter its epoch.
func (f *fold) commit() {
	var reason Reason
	if f.e.Room == Plenary {
		reason = f.s.judge(f.e.Author, f.e.Commit)
	} else {
		reason = f.s.judgeRoom(f.e)
	}
	if reason != ReasonNone {
		f.note(NoteAttempt, SeatID{}, nil)
		f.notes[len(f.notes)-1].Reason = reason
		return
	}
	// A side room's commit is seen by that side alone, so the skeleton, which all share, knows nothing of it.
	if f.e.Room == Plenary {
		f.carryOut(f.e.Commit)
	}
}

// judge says whether a plenary commit counts: it adds only who is ready,
// removes only whose removal is due, and all of those; one that does neither
// comes a day of log time after the last at the earliest.
func (s *State) judge(author SeatID, c *Commit) Reason {
	x := s.Seat(author)
	if x == nil || x.Status != In || x.Due {
		return ReasonNotSeated
	}
	if s.Barred(author) {
		return ReasonNamed
	}
	if s.OwesCharter() {
		return ReasonCharter
	}
	if r := s.judgeRemoves(c.Removes, s.Due(), s.MayGo()); r != ReasonNone {
		return r
	}
	seen := map[SeatID]bool{}
	for _, a := range c.Adds {
		n := s.Seat(a.Seat)
		if n == nil || seen[a.Seat] {
			return ReasonNotReady
		}
		if n.Back != nil && !s.MayLetIn(author, n.ID) {
			return ReasonNamed
		}
		if !(s.Ready(n) && a.Package == n.Package) && !s.comesBack(author, n, a, c.Removes) && !s.comesAnew(n, a, c.Removes) {
			return ReasonNotReady
		}
		seen[a.Seat] = true
	}
	if !s.keysServe(Plenary, c) {
		return ReasonKey
	}
	if s.count(In)-len(c.Removes)+len(c.Adds) > maxSeated {
		return ReasonFull
	}
	if len(c.Adds) == 0 && len(c.Removes) == 0 && s.LogTime < s.LastCommit+MinutesPerDay {
		return ReasonTooSoon
	}
	return ReasonNone
}

// judgeRemoves: all whose removal is due go, and besides them only who may.
func (s *State) judgeRemoves(removes, due, may []SeatID) Reason {
	for _, id := range due {
		if !slices.Contains(removes, id) {
			return ReasonDueFirst
		}
	}
	for i, id := range removes {
		if slices.Contains(removes[:i], id) {
			return ReasonNotYours
		}
		if slices.Contains(due, id) || slices.Contains(may, id) {
			continue
		}
		if x := s.Seat(id); x != nil && s.justWoke(x) {
			return ReasonWoke
		}
		return ReasonNotYours
	}
	return ReasonNone
}

// judgeRoom says whether a side room's commit counts: it makes the members
// those of the seat plan, or, where they are, comes a day after the last.
func (s *State) judgeRoom(e Entry) Reason {
	room, members, c := e.Room, e.Members, e.Commit
	plan := s.Plan(room)
	founded := s.room(room)
	if founded == nil || !slices.Contains(plan, e.Author) {
		return ReasonNotSeated
	}
	if s.Barred(e.Author) {
		return ReasonNamed
	}
	var due []SeatID
	for _, m := range members {
		if !slices.Contains(plan, m) {
			due = append(due, m)
		}
	}
	if r := s.judgeRemoves(c.Removes, due, founded.Lost); r != ReasonNone {
		return r
	}
	for i, a := range c.Adds {
		again := slices.Contains(c.Removes, a.Seat) // it lost the room
		if again && !s.MayBringBack(e.Author, a.Seat) {
			return ReasonNamed
		}
		if !slices.Contains(plan, a.Seat) || slices.Contains(members, a.Seat) && !again ||
			slices.ContainsFunc(c.Adds[:i], func(b Added) bool { return b.Seat == a.Seat }) {
			return ReasonNotReady
		}
	}
	if !s.keysServe(room, c) {
		return ReasonKey
	}
	if len(c.Adds) == 0 && len(c.Removes) == 0 && s.LogTime < e.LastCommit+MinutesPerDay {
		return ReasonTooSoon
	}
	return ReasonNone
}

// keysServe tells whether the signature keys that a commit brings may come into
// use.
func (s *State) keysServe(r Room, c *Commit) bool {
	return !slices.ContainsFunc(c.Adds, func(a Added) bool { return !s.Fresh(a.Key) }) &&
		!slices.ContainsFunc(c.Keys, func(k KeyChange) bool { return !s.Serves(r, k.Seat, k.Key) })
}

// Serves tells whether the leaf that a seat has in a room may go on with a
// signature key. A key is of one leaf and one time: who brought back one that
// was retired, which others may hold by then, would give them a voice. Of its own
// in the plenary a seat may keep the present one. What keys a side room's leaves
// have had is not in the skeleton.
func (s *State) Serves(r Room, id SeatID, key []byte) bool {
	x := s.Seat(id)
	return r == Plenary && x != nil && bytes.Equal(x.Key, key) || s.Fresh(key)
}

// OwesCharter tells whether those whom the last commit let in were told no past
// yet. They can't tell a commit that counts from one that does not, so until
// then none does.
func (s *State) OwesCharter() bool {
	return slices.ContainsFunc(s.Charters, func(c CharterState) bool { return c.Base == s.Epoch && !c.Given })
}

// carryOut does what a valid plenary commit says.
func (f *fold) carryOut(c *Commit) {
	f.s.Epoch++
	f.s.LastCommit = f.s.LogTime
	for _, id := range c.Removes {
		x := f.s.Seat(id)
		if x.Replacing {
			f.leafGone(x)
			continue
		}
		if x.Due {
			f.departed(x)
			continue
		}
		x.Status = Asleep
		if x.Back == nil {
			f.note(NoteAsleep, id, nil)
			if f.s.SideAsleep(x.Side) && x.Side != 0 {
				f.note(NoteSideAsleep, id, x.Side)
			}
		}
	}
	f.depart(c.Removes)
	var newcomers []SeatID
	wasOpen := len(f.s.Disagreed()) == 0
	for _, a := range c.Adds {
		x := f.s.Seat(a.Seat)
		x.Heard, x.Since, x.AddedBy = 0, f.s.LogTime, f.e.Author
		newcomers = append(newcomers, a.Seat)
		if x.Status == Asleep {
			f.backIn(x, a)
			continue
		}
		x.Status, x.Key, x.Witness = In, a.Key, a.Key
		side := &f.s.Sides[x.Side-1]
		// Its post named the rules in force, and taking the head's seat agrees to them.
		side.HadHead, side.Agreed = true, true
		f.note(NoteSeated, a.Seat, nil)
	}
	for _, k := range c.Keys {
		if x := f.s.Seat(k.Seat); x != nil {
			f.setKey(x, k.Key)
		}
	}
	if len(newcomers) > 0 {
		if len(f.s.Charters) == maxCharters {
			f.s.Charters = slices.Clone(f.s.Charters[1:])
		}
		f.s.Charters = add(f.s.Charters, CharterState{Base: f.s.Epoch, For: newcomers})
	}
	if !wasOpen && len(f.s.Disagreed()) == 0 {
		f.note(NoteAgreed, SeatID{}, nil)
	}
}

// departed ends a seat: it was removed, or left.
func (f *fold) departed(x *Seat) {
	x.Status, x.Due, x.Removers, x.Back, x.Replacements, x.Replacing = Removed, false, nil, nil, nil, false
	k := NoteRemoved
	if x.Leaving {
		x.Status, k = Left, NoteLeft
	}
	f.s.Departures++
	f.note(k, x.ID, nil)
}

func (s *State) count(st Status) int {
	n := 0
	for i := range s.Seats {
		if s.Seats[i].Status == st {
			n++
		}
	}
	return n
}
