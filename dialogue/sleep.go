package dialogue

// A seat that has not been heard for the days that the rules say sleeps: its
// leaf is removed, the seat is kept, and headship passes in plan order, so
// that no absentee holds the others up.

// Dozes tells whether the clock says that a seat sleeps: the next commit may
// remove its leaf. Log time counts, since it was last heard or let in.
func (s *State) Dozes(x *Seat) bool {
	last := max(x.Heard, x.Since)
	return x.Status == In && last > 0 && s.LogTime >= last+uint64(s.Rules.SleepDays)*MinutesPerDay
}

// wakes notes that a seat which dozed was heard: a commit that was under way
// meanwhile accuses nobody.
func (f *fold) wakes(x *Seat) {
	if f.s.Dozes(x) {
		x.Woke = f.s.LogTime
	}
}

// justWoke tells whether a seat dozed until less than a day ago.
func (s *State) justWoke(x *Seat) bool { return x.Woke > 0 && s.LogTime < x.Woke+MinutesPerDay }

// MayGo lists, in plan order, the seats whose leaves the next commit may
// remove although nobody asked for it: those that doze and those that return.
func (s *State) MayGo() []SeatID {
	var l []SeatID
	for i := range s.Seats {
		if x := &s.Seats[i]; x.Status == In && !x.Due && (s.Dozes(x) || x.Back != nil) {
			l = append(l, x.ID)
		}
	}
	return l
}

// At is the skeleton as it would be once an entry of author with that time was
// read: what is due then, author's next commit has to carry out.
func (s *State) At(author SeatID, minute uint64) *State {
	f := &fold{s: s.clone(), e: Entry{Author: author, Commit: &Commit{Time: minute}}}
	f.heard()
	return f.s
}

// SideAsleep tells whether a side has seats and all of them sleep. Talks
// without it are not this dialogue: what needs its consent waits for it.
func (s *State) SideAsleep(side SideID) bool {
	asleep := false
	for i := range s.Seats {
		if x := &s.Seats[i]; x.Side == side {
			if x.Status == In && !x.Replacing {
				return false
			}
			asleep = asleep || x.Status == Asleep || x.Replacing
		}
	}
	return asleep
}
