package dialogue

import (
	"crypto/ed25519"
	"crypto/sha256"
	"slices"

	"parley/internal/wire"
)

// CardLifetime is how long a card can be used, in minutes, where its maker
// says nothing else; MaxCardLifetime is the longest.
const (
	CardLifetime    = 72 * 60
	MaxCardLifetime = 30 * MinutesPerDay
)

// Hash is what sides consent to.
func (p Post) Hash() Hash { return sha256.Sum256(p.signed()) }

func (p Post) signed() []byte {
	return append([]byte("parley post v1\x00"), wire.Marshal(p)...)
}

// Sign signs the post with the card's key.
func (p Post) Sign(card ed25519.PrivateKey) SignedPost {
	return SignedPost{Post: p, Signature: ed25519.Sign(card, p.signed())}
}

// Verify tells whether the holder of the card made the post.
func (p SignedPost) Verify(card Key) bool {
	return len(p.Signature) == ed25519.SignatureSize && ed25519.Verify(card[:], p.Post.signed(), p.Signature)
}

func (f *fold) invite(b Invite) Reason {
	author := f.s.Seat(f.e.Author)
	switch {
	case !validName(b.Name) || b.Seat.IsZero() || b.Capacity > Official || b.Role != Participant && b.Role != Interpreter:
		return ReasonMalformed
	case b.Side == 0 || int(b.Side) > len(f.s.Sides) || f.s.Seat(b.Seat) != nil:
		return ReasonUnknown
	case author.Role != Convenor && !(author.Side == b.Side && f.s.IsHead(author.ID)):
		return ReasonNotYours
	case b.Expires > max(f.s.LogTime, f.e.Event.Time)+MaxCardLifetime:
		return ReasonMalformed
	case len(f.s.Seats) >= maxPlan || f.s.taken() >= wire.MaxSeats:
		return ReasonFull
	}
	f.s.Seats = add(f.s.Seats, Seat{
		ID: b.Seat, Side: b.Side, Name: b.Name, Capacity: b.Capacity, Role: b.Role, Status: Invited,
		By: f.e.Author, Box: b.Box, Card: b.Card, Expires: b.Expires,
	})
	f.note(NoteInvited, b.Seat, b)
	return ReasonNone
}

// taken counts the seats that are held or may yet be.
func (s *State) taken() int {
	n := 0
	for i := range s.Seats {
		x := &s.Seats[i]
		if x.Status == In || x.Status == Asleep || x.Status == Arrived || x.Status == Invited && x.Expires > s.LogTime {
			n++
		}
	}
	return n
}

func (f *fold) revoke(b Revoke) Reason {
	x := f.s.Seat(b.Seat)
	if x == nil {
		return ReasonUnknown
	}
	if x.Status == In || x.Status == Asleep {
		return f.withdraw(x)
	}
	author := f.s.Seat(f.e.Author)
	if x.By != author.ID && author.Role != Convenor && !(author.Side == x.Side && f.s.IsHead(author.ID)) {
		return ReasonNotYours
	}
	if x.Status != Invited && x.Status != Arrived {
		return ReasonState
	}
	x.Status, x.GoneBy = Revoked, author.ID
	f.note(NoteRevoked, x.ID, nil)
	return ReasonNone
}

// arrive takes the first valid post of a card. Whoever saw it reports it; the
// card's signature says that its holder made it. Expiry is judged here.
func (f *fold) arrive(b SignedPost) Reason {
	if x, r := f.replacement(b); r != nil {
		return f.arriveAgain(x, r, b)
	}
	x, reason := f.signed(b)
	switch {
	case reason != ReasonNone:
		return reason
	case x.Status == Arrived && x.Post == b.Post.Hash():
		return ReasonNone // somebody else reported it, too
	case x.Status != Invited:
		return ReasonState
	case max(f.s.LogTime, f.e.Event.Time) > x.Expires:
		return ReasonExpired
	case b.Post.Rules != f.s.RulesHash():
		return ReasonRules
	}
	x.Status, x.Post, x.Package, x.Doors, x.DoorAt = Arrived, b.Post.Hash(), b.Post.KeyPackage, []Key{b.Post.Door}, f.s.Departures
	f.note(NoteArrived, x.ID, b)
	return ReasonNone
}

// signed finds the seat of a post that bears its card's signature.
func (f *fold) signed(b SignedPost) (*Seat, Reason) {
	x := f.s.Seat(b.Post.Seat)
	switch {
	case x == nil:
		return nil, ReasonUnknown
	case x.Status == In || x.Status == Asleep:
		if !x.signedBy(b) {
			return nil, ReasonState // it may be of a new card that was taken back meanwhile
		}
	case !x.signedBy(b):
		return nil, ReasonSignature
	}
	return x, ReasonNone
}

// signedBy tells whether a post bears the signature of the seat's card. The
// founder's seat has none, and everybody could sign with the key that is zero.
func (x *Seat) signedBy(b SignedPost) bool { return x.Card != Key{} && b.Verify(x.Card) }

// secondUse takes the proof that a card was used again: another post under
// the card's signature. The seat stands; everybody is told.
func (f *fold) secondUse(b SignedPost) Reason {
	if x, r := f.replacement(b); r != nil {
		return f.usedTwice(x, r, b)
	}
	x, reason := f.signed(b)
	h := b.Post.Hash()
	switch {
	case reason != ReasonNone:
		return reason
	case x.Status == Invited || h == x.Post:
		return ReasonState
	case slices.Contains(x.Seconds, h) || len(x.Seconds) == maxSeconds:
		return ReasonNone // known
	}
	x.Seconds = add(x.Seconds, h)
	if x.IsVerified() {
		x.Verified, x.Lost = nil, LossSecond
	}
	f.note(NoteSecondUse, x.ID, b)
	return ReasonNone
}

func (f *fold) consent(b Consent) Reason {
	x := f.s.Seat(b.Seat)
	if x == nil {
		return ReasonUnknown
	}
	if x.Status == In || x.Status == Asleep {
		return f.approve(x, b.Post)
	}
	author := f.s.Seat(f.e.Author)
	if !f.s.IsHead(author.ID) {
		return ReasonNotYours
	}
	if x.Status != Arrived || b.Post != x.Post {
		return ReasonState
	}
	if !slices.Contains(x.Consents, author.Side) {
		x.Consents = add(x.Consents, author.Side)
		f.note(NoteConsented, x.ID, nil)
	}
	return ReasonNone
}

// Missing lists the sides whose consent to a seat that has arrived is still
// needed. While the seat's side never had a head, the convenor's card seats
// its first without consent. Afterwards every side has to agree, the seat's
// own included where it has a head now or sleeps; a side that has never had a
// head has nobody to ask.
func (s *State) Missing(x *Seat) []SideID {
	if by := s.Seat(x.By); !s.Sides[x.Side-1].HadHead && by != nil && by.Role == Convenor {
		return nil
	}
	var l []SideID
	for i := range s.Sides {
		id := SideID(i + 1)
		if s.Sides[i].HadHead && (id != x.Side || s.Head(id) != nil || s.SideAsleep(id)) && !slices.Contains(x.Consents, id) {
			l = append(l, id)
		}
	}
	return l
}

// Ready tells whether a seat can be added by the next commit.
func (s *State) Ready(x *Seat) bool { return x.Status == Arrived && len(s.Missing(x)) == 0 }

// remove takes a request for a seat's removal.
func (f *fold) remove(b Remove) Reason {
	x := f.s.Seat(b.Seat)
	if x == nil {
		return ReasonUnknown
	}
	if x.Status != In && x.Status != Asleep || x.Due {
		return ReasonState
	}
	author := f.s.Seat(f.e.Author)
	alone := author.Role == Convenor && x.ID != author.ID || x.Side != 0 && author.Side == x.Side && f.s.IsHead(author.ID)
	if !alone && !f.s.IsHead(author.ID) {
		return ReasonNotYours
	}
	if !alone && !slices.Contains(x.Removers, author.Side) {
		x.Removers = add(x.Removers, author.Side)
	}
	if !alone && !f.s.enoughToRemove(x) {
		f.note(NoteRemovalAsked, x.ID, nil)
		return ReasonNone
	}
	x.GoneBy = author.ID
	if x.Status == Asleep { // it has no leaf to remove
		f.departed(x)
		return ReasonNone
	}
	x.Due = true
	f.note(NoteRemovalDue, x.ID, nil)
	return ReasonNone
}

// enoughToRemove: all other sides together remove a seat, all sides the
// convenor. A side without a head can't be asked, unless it sleeps.
func (s *State) enoughToRemove(x *Seat) bool {
	for i := range s.Sides {
		id := SideID(i + 1)
		if id != x.Side && (s.Head(id) != nil || s.SideAsleep(id)) && !slices.Contains(x.Removers, id) {
			return false
		}
	}
	return true
}

func (f *fold) leave(Leave) Reason {
	x := f.s.Seat(f.e.Author)
	if x.Leaving {
		return ReasonState
	}
	x.Due, x.Leaving = true, true
	if x.GoneBy.IsZero() {
		x.GoneBy = x.ID
	}
	f.note(NoteRemovalDue, x.ID, nil)
	return ReasonNone
}
