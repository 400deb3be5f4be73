package dialogue

import "slices"

// Whose computer is lost, or whose vault knows only a key that was retired,
// takes its seat again with a new card. Somebody else asks for the card; its
// holder posts, as a newcomer does; two have to approve exactly that post. Until
// then nothing changes for the seat, so nobody alone can silence it. From then
// on the old leaf has no say, and a commit takes it out and the new one in.

// Replace asks for a new card for a seat that is held.
type Replace struct {
	_       struct{} `cbor:",toarray"`
	Seat    SeatID
	Box     Key
	Card    Key
	Expires uint64 // minutes since 1970, in log time
}

// A Replacement is a new card for a seat, until two have approved what its
// holder posted. Each party has one for a seat at most, so that none can push
// aside what another asked for.
type Replacement struct {
	_       struct{} `cbor:",toarray"`
	By      SeatID
	Box     Key
	Card    Key
	Expires uint64

	// What its holder posted, zero before, and who approved it.
	Post     Hash
	Package  Hash
	Door     Key
	Approved []SeatID
	Void     bool // the card was used twice
}

const (
	maxReplacements = MaxSides + 1 // of a seat: one for each party
	maxAsked        = 8            // that a party asks for in all
	maxApproved     = MaxSides + 1
)

// Used tells whether the card's holder has posted.
func (r *Replacement) Used() bool { return r.Post != Hash{} }

// WithCard is the seat as it would stand with the card of r.
func (x Seat) WithCard(r *Replacement) Seat {
	x.By, x.Box, x.Card, x.Expires, x.Post, x.Package, x.Seconds = r.By, r.Box, r.Card, r.Expires, r.Post, r.Package, nil
	x.Status = Invited
	if r.Used() {
		x.Status = Arrived
	}
	if r.Void {
		x.Status = Revoked
	}
	return x
}

// Approvers says who has to approve a new card for a seat: Own, where that is
// not zero, and More of the Others.
type Approvers struct {
	Own    SeatID
	Others []SeatID
	More   int
}

// Approvers says whose approval a new card for x needs now. The seat itself has
// no say: its key may be in other hands. Its side speaks through the first of its
// other seats, together with another head or the convenor. Where there is none,
// two other heads have to agree, and where there are only two sides, the other
// head and the convenor: without the seat's own side they decide what they could
// do anyway, by removing the seat and filling it anew.
func (s *State) Approvers(x *Seat) Approvers {
	a := Approvers{More: 2}
	if own := s.headBesides(x); own != nil {
		a.Own, a.More = own.ID, 1
	}
	for i := range s.Sides {
		if h := s.Head(SideID(i + 1)); h != nil && h.Side != x.Side {
			a.Others = append(a.Others, h.ID)
		}
	}
	convenor := &s.Seats[0]
	if convenor.ID != x.ID && convenor.speaks() && (a.More == 1 || len(s.Sides) == MinSides) {
		a.Others = append(a.Others, convenor.ID)
	}
	return a
}

// Has tells whether a seat is one of those.
func (a Approvers) Has(id SeatID) bool {
	return !id.IsZero() && id == a.Own || slices.Contains(a.Others, id)
}

// Missing says who has still to approve, where approved did: Own, if its
// approval is missing, and More of the Others.
func (a Approvers) Missing(approved []SeatID) Approvers {
	m := Approvers{More: a.More}
	if !slices.Contains(approved, a.Own) {
		m.Own = a.Own
	}
	for _, id := range a.Others {
		if slices.Contains(approved, id) {
			m.More--
		} else {
			m.Others = append(m.Others, id)
		}
	}
	m.More = max(m.More, 0)
	return m
}

// speaks tells whether a seat sits and is to stay.
func (x *Seat) speaks() bool { return x.Status == In && !x.Due }

// headBesides is who would be the head of a seat's side without that seat.
func (s *State) headBesides(x *Seat) *Seat {
	for i := range s.Seats {
		if y := &s.Seats[i]; x.Side != 0 && y.Side == x.Side && y.ID != x.ID && y.speaks() {
			return y
		}
	}
	return nil
}

// MayReplace tells whether a seat may ask for a new card for x: who may approve
// it, and the convenor.
func (s *State) MayReplace(by SeatID, x *Seat) bool {
	author := s.Seat(by)
	return author != nil && author.ID != x.ID && author.speaks() && (author.Role == Convenor || s.Approvers(x).Has(by))
}

// Replaceable tells whether a seat is one for which there can be a new card.
func (x *Seat) Replaceable() bool { return (x.Status == In || x.Status == Asleep) && !x.Due }

// replace takes a request for a new card. The party's former one, and what it
// asked for in vain, is over.
func (f *fold) replace(b Replace) Reason {
	x := f.s.Seat(b.Seat)
	switch {
	case x == nil:
		return ReasonUnknown
	case !f.s.MayReplace(f.e.Author, x):
		return ReasonNotYours
	case !x.Replaceable():
		return ReasonState
	case b.Card == Key{} || b.Card == x.Card || b.Expires > max(f.s.LogTime, f.e.Event.Time)+MaxCardLifetime ||
		slices.ContainsFunc(x.Replacements, func(r Replacement) bool { return r.Card == b.Card }):
		return ReasonMalformed
	}
	party := f.s.Seat(f.e.Author).Side
	f.dropReplacements(func(y *Seat, r *Replacement) bool {
		return f.s.party(r.By) == party && (y.ID == x.ID || !r.Used() && r.Expires < f.s.LogTime)
	})
	if f.s.asked(party) >= maxAsked {
		return ReasonFull
	}
	x.Replacements = add(x.Replacements, Replacement{By: f.e.Author, Box: b.Box, Card: b.Card, Expires: b.Expires})
	f.note(NoteReplaceAsked, x.ID, b)
	return ReasonNone
}

// party is the side of a seat: 0 for the convenor.
func (s *State) party(id SeatID) SideID {
	if x := s.Seat(id); x != nil {
		return x.Side
	}
	return 0
}

// asked counts the new cards that a party has asked for.
func (s *State) asked(party SideID) int {
	n := 0
	for i := range s.Seats {
		for _, r := range s.Seats[i].Replacements {
			if s.party(r.By) == party {
				n++
			}
		}
	}
	return n
}

func (f *fold) dropReplacements(which func(*Seat, *Replacement) bool) {
	for i := range f.s.Seats {
		x := &f.s.Seats[i]
		if len(x.Replacements) > 0 {
			x.Replacements = slices.DeleteFunc(slices.Clone(x.Replacements), func(r Replacement) bool { return which(x, &r) })
		}
		if len(x.Replacements) == 0 {
			x.Replacements = nil
		}
	}
}

// withdraw takes back the new card that the author's party asked for.
func (f *fold) withdraw(x *Seat) Reason {
	author := f.s.Seat(f.e.Author)
	var mine []Replacement
	for _, r := range x.Replacements {
		if r.By == author.ID || f.s.party(r.By) == author.Side && f.s.MayReplace(author.ID, x) {
			mine = append(mine, r)
		}
	}
	switch {
	case len(mine) == 0 && !f.s.MayReplace(author.ID, x):
		return ReasonNotYours
	case len(mine) == 0:
		return ReasonState
	}
	f.dropReplacements(func(y *Seat, r *Replacement) bool {
		return y.ID == x.ID && slices.ContainsFunc(mine, func(m Replacement) bool { return m.Card == r.Card })
	})
	f.note(NoteReplaceOver, x.ID, nil)
	return ReasonNone
}

// replacement gives a copy of what the seat's new cards are, to be changed, and
// which of them bears the signature of a post; nil where none does.
func (f *fold) replacement(b SignedPost) (*Seat, *Replacement) {
	x := f.s.Seat(b.Post.Seat)
	if x == nil {
		return nil, nil
	}
	for i := range x.Replacements {
		if b.Verify(x.Replacements[i].Card) {
			x.Replacements = slices.Clone(x.Replacements)
			return x, &x.Replacements[i]
		}
	}
	return nil, nil
}

// arriveAgain takes the first valid post of a new card, judged like any card's.
func (f *fold) arriveAgain(x *Seat, r *Replacement, b SignedPost) Reason {
	switch {
	case r.Post == b.Post.Hash():
		return ReasonNone // somebody else reported it, too
	case r.Used() || r.Void || !x.Replaceable():
		return ReasonState
	case max(f.s.LogTime, f.e.Event.Time) > r.Expires:
		return ReasonExpired
	case b.Post.Rules != f.s.RulesHash():
		return ReasonRules
	}
	r.Post, r.Package, r.Door = b.Post.Hash(), b.Post.KeyPackage, b.Post.Door
	f.note(NoteReplaceUsed, x.ID, b)
	return ReasonNone
}

// usedTwice ends a new card that was used twice before it was approved: nobody
// should have to choose between two who hold it.
func (f *fold) usedTwice(x *Seat, r *Replacement, b SignedPost) Reason {
	switch {
	case r.Void:
		return ReasonNone // known
	case !r.Used() || r.Post == b.Post.Hash():
		return ReasonState
	}
	r.Void, r.Approved = true, nil
	f.note(NoteSecondUse, x.ID, b)
	return ReasonNone
}

// approve takes an approval of exactly one post of a new card.
func (f *fold) approve(x *Seat, post Hash) Reason {
	who := f.s.Approvers(x)
	if !who.Has(f.e.Author) {
		return ReasonNotYours
	}
	i := slices.IndexFunc(x.Replacements, func(r Replacement) bool { return r.Used() && r.Post == post && !r.Void })
	if i < 0 || !x.Replaceable() {
		return ReasonState
	}
	x.Replacements = slices.Clone(x.Replacements)
	r := &x.Replacements[i]
	if slices.Contains(r.Approved, f.e.Author) {
		return ReasonNone
	}
	// What somebody approved who has no say any more counts no more.
	r.Approved = slices.DeleteFunc(slices.Clone(r.Approved), func(id SeatID) bool { return !who.Has(id) })
	r.Approved = append(r.Approved, f.e.Author)
	f.note(NoteReplaceAgreed, x.ID, nil)
	if m := who.Missing(r.Approved); m.Own.IsZero() && m.More == 0 {
		f.approved(x, *r)
	}
	return ReasonNone
}

// approved gives a seat its new card. What the lost computer could do in the
// seat's name ends here; its leaf goes with the next commit that counts.
func (f *fold) approved(x *Seat, r Replacement) {
	x.By, x.Box, x.Card, x.Expires, x.Post, x.Package = r.By, r.Box, r.Card, r.Expires, r.Post, r.Package
	x.Doors, x.DoorAt = []Key{r.Door}, f.s.Departures
	x.Consents, x.Seconds, x.Replacements, x.Removers, x.Back = nil, nil, nil, nil, nil
	x.Verified, x.Lost = nil, LossCard
	x.Replacing = true
	x.Cards++
	if x.Status == In {
		x.Due = true
	} else {
		f.s.Departures++
	}
	f.note(NoteReplaceDue, x.ID, nil)

	f.s.Readings = slices.DeleteFunc(f.s.Readings, func(v VerifyState) bool { return v.Reader == x.ID })
	// The lost computer holds the cards that it made, and its approvals may not have been its person's.
	f.dropReplacements(func(_ *Seat, r *Replacement) bool { return r.By == x.ID })
	for i := range f.s.Seats {
		y := &f.s.Seats[i]
		if y.Status == Invited && y.By == x.ID {
			y.Status, y.GoneBy = Revoked, f.e.Author
			f.note(NoteRevoked, y.ID, nil)
		}
		for j := range y.Replacements { // which dropReplacements copied
			p := &y.Replacements[j]
			p.Approved = slices.DeleteFunc(slices.Clone(p.Approved), func(id SeatID) bool { return id == x.ID })
			if len(p.Approved) == 0 {
				p.Approved = nil
			}
		}
	}
}

// comesAnew judges the Add of a seat's new card. gone are the seats whose
// leaves the same commit removes. Who left the seat out, by the word of what may
// be a thief, may carry it out, too.
func (s *State) comesAnew(x *Seat, a Added, gone []SeatID) bool {
	return x.Replacing && a.Package == x.Package &&
		(x.Status == Asleep || x.Status == In && slices.Contains(gone, x.ID))
}

// leafGone sees the old leaf of a seat go that a new card took: whoever has the
// lost computer knows everybody's door.
func (f *fold) leafGone(x *Seat) {
	x.Status, x.Due = Asleep, false
	f.s.Departures++
}

// seatAnew carries out a replacement: the same seat, another reader.
func (f *fold) seatAnew(x *Seat, a Added) {
	x.Status, x.Replacing, x.Witness = In, false, a.Key
	f.setKey(x, a.Key)
	f.note(NoteReplaced, x.ID, nil)
}
