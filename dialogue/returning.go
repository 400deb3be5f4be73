package dialogue

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"slices"

	"parley/internal/wire"
)

// Who slept, lost the room or works with an older copy of its vault posts at
// its door, signed with the key that the room knows. Whoever reads that there
// tells the room; then a commit takes the old leaf out and the new one in.

// A ReturnPost is what a seat posts at its door. A return gives the seat
// another signature key and retires the one that signed, so a post serves once.
type ReturnPost struct {
	_          struct{} `cbor:",toarray"`
	Seat       SeatID
	KeyPackage Hash   // of the fresh MLS key package
	Door       Key    // where it lies, and where the Welcome is awaited
	Named      SeatID // who left it out; zero: nobody did
}

func (p ReturnPost) signed() []byte {
	return append([]byte("parley return v1\x00"), wire.Marshal(p)...)
}

// Sign signs the post with each key that the room may hold for the seat.
func (p ReturnPost) Sign(keys ...ed25519.PrivateKey) SignedReturn {
	s := SignedReturn{Post: p}
	for _, k := range keys {
		s.Signatures = append(s.Signatures, ed25519.Sign(k, p.signed()))
	}
	return s
}

// A SignedReturn is a ReturnPost with its signatures.
type SignedReturn struct {
	_          struct{} `cbor:",toarray"`
	Post       ReturnPost
	Signatures [][]byte // Ed25519, 64 bytes each
}

// MaxReturnKeys is how many keys sign a post at most.
const MaxReturnKeys = 8

// Verify tells whether one of the signatures is by key, an Ed25519 public key.
func (p SignedReturn) Verify(key []byte) bool {
	return len(key) == ed25519.PublicKeySize && len(p.Signatures) <= MaxReturnKeys &&
		slices.ContainsFunc(p.Signatures, func(sig []byte) bool {
			return len(sig) == ed25519.SignatureSize && ed25519.Verify(key, p.Post.signed(), sig)
		})
}

// Return tells the room what lay at a seat's door.
type Return struct {
	_       struct{} `cbor:",toarray"`
	Signed  SignedReturn
	Package []byte // the MLS key package that the post names
}

// Door moves the author's door.
type Door struct {
	_   struct{} `cbor:",toarray"`
	Key Key
}

// RoomLost says that its author can't follow its side room, and leaves a fresh
// key package to be let in again with.
type RoomLost struct {
	_       struct{} `cbor:",toarray"`
	Room    Room
	Package []byte
	Named   SeatID // whose Welcome or commit it was; zero: nobody's
}

// Returning is a return that the room was told of and has not carried out.
type Returning struct {
	_       struct{} `cbor:",toarray"`
	Package Hash
	Door    Key
}

const (
	maxDoors = 4 // of a seat: an older copy of a vault knows an older one

	// maxRetired is how many signature keys of the dialogue are known to serve no
	// more: those of 68 days where sixty seats change theirs daily, of two years
	// where five do. See docs/decisions/0014-retired-keys.md.
	maxRetired  = 4096
	retiredSize = 16 // bytes of a key's hash: nobody makes a second key for one
)

// CheckReturn says whether the room would take a return now: ReasonNone.
func (s *State) CheckReturn(b Return) Reason {
	p := b.Signed.Post
	x := s.Seat(p.Seat)
	switch {
	case x == nil:
		return ReasonUnknown
	case x.Status != In && x.Status != Asleep || x.Due || x.Replacing:
		return ReasonState
	case !slices.Contains(x.Doors, p.Door) || sha256.Sum256(b.Package) != p.KeyPackage || p.Named == p.Seat:
		return ReasonMalformed
	case !p.Named.IsZero() && s.Seat(p.Named) == nil:
		return ReasonUnknown
	case !b.Signed.Verify(x.Key):
		return ReasonSignature // a key that was retired, too
	}
	return ReasonNone
}

// returns takes what lay at a door. Repeated, it gives its key package again,
// to those who came since; another takes its place.
func (f *fold) returns(b Return) Reason {
	if r := f.s.CheckReturn(b); r != ReasonNone {
		return r
	}
	p := b.Signed.Post
	x := f.s.Seat(p.Seat)
	x.Back = &Returning{Package: p.KeyPackage, Door: p.Door}
	f.name(p.Seat, p.Named)
	f.note(NoteReturning, p.Seat, b)
	return ReasonNone
}

// name takes down who left a seat out, by that seat's own word.
func (f *fold) name(by, named SeatID) {
	if x := f.s.Seat(named); x != nil && !slices.Contains(x.NamedBy, by) {
		x.NamedBy = add(x.NamedBy, by)
	}
}

// Barred tells whether two seats have named a seat as having left them out: it
// makes no further commit.
func (s *State) Barred(id SeatID) bool {
	x := s.Seat(id)
	return x != nil && len(x.NamedBy) >= 2
}

// MayBringBack tells whether a seat may carry out the return of another: who
// left it out can't.
func (s *State) MayBringBack(by, back SeatID) bool {
	x := s.Seat(by)
	return x != nil && !slices.Contains(x.NamedBy, back)
}

// MayLetIn tells whether a seat may commit the return of another in the
// plenary. Besides who left it out, that is not for who let it in the last time
// and after whose Welcome it was never heard, as long as somebody else can do
// it: nothing proves whose fault that was, and nobody is blamed.
func (s *State) MayLetIn(by, back SeatID) bool {
	x := s.Seat(back)
	if !s.MayBringBack(by, back) || x == nil {
		return false
	}
	return x.Heard > 0 || x.AddedBy != by || !slices.ContainsFunc(s.Seats, func(y Seat) bool {
		return y.Status == In && !y.Due && y.Heard > 0 && y.ID != by && y.ID != back && !s.Barred(y.ID) && s.MayBringBack(y.ID, back)
	})
}

// comesBack judges the Add of a seat that returns. gone are the seats whose
// leaves the same commit removes.
func (s *State) comesBack(by SeatID, x *Seat, a Added, gone []SeatID) bool {
	return x.Back != nil && a.Package == x.Back.Package && s.MayLetIn(by, x.ID) && !x.Due &&
		(x.Status == Asleep || x.Status == In && slices.Contains(gone, x.ID))
}

// Fresh tells whether a signature key is neither retired nor a seat's, nor that
// with which a seat signs witnesses.
func (s *State) Fresh(key []byte) bool {
	return !s.retired(key) && !slices.ContainsFunc(s.Seats, func(x Seat) bool { return bytes.Equal(x.Key, key) || bytes.Equal(x.Witness, key) })
}

// retired tells whether a key is among the latest that serve no more.
func (s *State) retired(key []byte) bool {
	h := retiredHash(key)
	for l := range slices.Chunk(s.Retired, retiredSize) {
		if bytes.Equal(l, h) {
			return true
		}
	}
	return false
}

func retiredHash(key []byte) []byte {
	h := sha256.Sum256(key)
	return h[:retiredSize]
}

// setKey gives a seat another signature key and retires the former.
func (f *fold) setKey(x *Seat, key []byte) {
	if bytes.Equal(x.Key, key) {
		return
	}
	if len(x.Key) > 0 {
		kept := f.s.Retired
		if len(kept) == maxRetired*retiredSize {
			kept = kept[retiredSize:]
		}
		f.s.Retired = slices.Concat(kept, retiredHash(x.Key))
	}
	x.Key = key
}

// backIn seats whoever was seated before. It has lost its side room: the leaf
// that it had there can go, and another come, as soon as it was heard.
func (f *fold) backIn(x *Seat, a Added) {
	if r := f.s.room(SideRoom(x.Side)); r != nil && x.Side != 0 && !slices.Contains(r.Lost, x.ID) {
		r.Lost = add(r.Lost, x.ID)
	}
	if x.Replacing {
		f.seatAnew(x, a)
	} else {
		f.seatAgain(x, a)
	}
}

// seatAgain carries out a return: the same seat, a fresh leaf.
func (f *fold) seatAgain(x *Seat, a Added) {
	x.Status, x.Back = In, nil
	f.setKey(x, a.Key)
	f.note(NoteReturned, x.ID, nil)
}

// door moves its author's door. The former ones are kept for a while: an older
// copy of its vault knows no other.
func (f *fold) door(b Door) Reason {
	x := f.s.Seat(f.e.Author)
	if slices.Contains(x.Doors, b.Key) {
		return ReasonState
	}
	x.Doors = append([]Key{b.Key}, x.Doors[:min(len(x.Doors), maxDoors-1)]...)
	x.DoorAt = f.s.Departures
	f.note(NoteDoor, x.ID, b)
	return ReasonNone
}

// DoorKnown tells whether somebody who was removed knows a seat's door, so
// that it is to be moved.
func (s *State) DoorKnown(x *Seat) bool { return x.DoorAt < s.Departures }

// roomLost takes down that a seat can't follow its side room. Once all its
// seats but one have said so, the room is as if it had never been founded.
func (f *fold) roomLost(b RoomLost) Reason {
	author := f.s.Seat(f.e.Author)
	if b.Room == Plenary || b.Room.Side() != author.Side {
		return ReasonWrongRoom
	}
	if named := f.s.Seat(b.Named); !b.Named.IsZero() && (named == nil || named.Side != author.Side || b.Named == author.ID) {
		return ReasonUnknown
	}
	x := f.s.room(b.Room)
	if x == nil {
		return ReasonState
	}
	if !slices.Contains(x.Lost, author.ID) {
		x.Lost = add(x.Lost, author.ID)
	}
	x.Members = slices.DeleteFunc(slices.Clone(x.Members), func(id SeatID) bool { return id == author.ID })
	f.name(author.ID, b.Named)
	f.note(NoteRoomLost, author.ID, b)
	if len(x.Members) <= 1 {
		f.s.Rooms = slices.DeleteFunc(f.s.Rooms, func(y RoomState) bool { return y.Room == b.Room })
		f.note(NoteRoomOver, SeatID{}, b.Room)
	}
	return ReasonNone
}

// Succeeds tells whether s can have come from former by further entries: what
// a member that returns holds a charter against. It can't see everything that
// changed meanwhile, but nobody can tell it another past than its own.
func (s *State) Succeeds(former *State) bool {
	// A room that was founded again is another: nobody comes to it but by hand.
	if s.Refounded != former.Refounded {
		return false
	}
	if s.Suite != former.Suite || s.RulesHash() != former.RulesHash() || s.Epoch < former.Epoch || s.LogTime < former.LogTime ||
		s.LastCommit < former.LastCommit || s.Departures < former.Departures || len(s.Seats) < len(former.Seats) {
		return false
	}
	for i, c := range former.Claims {
		if s.Claims[i] < c {
			return false
		}
	}
	for i, x := range former.Sides {
		if x.HadHead && !s.Sides[i].HadHead || x.Agreed && !s.Sides[i].Agreed {
			return false
		}
	}
	for i := range former.Seats {
		if !s.Seats[i].succeeds(&former.Seats[i]) {
			return false
		}
	}
	return true
}

func (x *Seat) succeeds(former *Seat) bool {
	same := x.ID == former.ID && x.Side == former.Side && x.Name == former.Name && x.Capacity == former.Capacity &&
		x.Role == former.Role && x.Cards >= former.Cards
	if x.Cards == former.Cards {
		same = same && x.By == former.By && x.Box == former.Box && x.Card == former.Card && x.Expires == former.Expires
	} else {
		same = same && former.Status != Revoked && former.Status != Removed && former.Status != Left
	}
	for _, by := range former.NamedBy {
		same = same && slices.Contains(x.NamedBy, by)
	}
	switch former.Status {
	case Invited:
		return same
	case Arrived:
		return same && x.Status != Invited && (x.Post == former.Post || x.Cards > former.Cards)
	case In, Asleep:
		return same && (x.Status == In || x.Status == Asleep || x.Status == Removed || x.Status == Left) &&
			(x.Cards > former.Cards || x.Post == former.Post && bytes.Equal(x.Witness, former.Witness))
	}
	return same && x.Status == former.Status
}
