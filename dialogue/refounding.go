package dialogue

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"slices"

	"golang.org/x/crypto/argon2"

	"parley/internal/wire"
)

// Where a commit was garbage for all but who made it, nobody is left who could
// bring anybody back. Then the convenor, or a head, founds the room again from
// the skeleton: a new group, without who made that commit. It is told through
// doors, and each person accepts it, or does not.

// A Founding is a room founded again, as its founder tells it.
type Founding struct {
	_       struct{} `cbor:",toarray"`
	Founder SeatID
	Without SeatID // who left all out
	Time    uint64 // milliseconds since 1970, the founder's claim: of two by one founder, the later counts
	Former  Hash   // digest of the skeleton that it goes on from
	Group   []byte // id of the new MLS group
	Key     []byte // the founder's new signature key
	Members []FoundingMember
	Welcome Hash // of the MLS Welcome
	Nonce   [16]byte
}

// A FoundingMember is somebody who waited at its door.
type FoundingMember struct {
	_      struct{} `cbor:",toarray"`
	Return Return
	Key    []byte // signature key of the key package
}

// A SignedFounding is a Founding with its signatures: one for each key that the
// others may know its founder by.
type SignedFounding struct {
	_          struct{} `cbor:",toarray"`
	Founding   Founding
	Signatures [][]byte // Ed25519, 64 bytes each
}

// A Refounded tells how often the room was founded again, and which founding
// was the last; both are zero where it never was.
type Refounded struct {
	_    struct{} `cbor:",toarray"`
	N    uint64
	Hash Hash
}

// FoundingEpoch is the plenary's first epoch after a founding: the group of its
// founder alone has epoch 0, and one commit adds who waited.
const FoundingEpoch = 1

func (f Founding) signed() []byte {
	return append([]byte("parley founding v1\x00"), wire.Marshal(f)...)
}

// Hash is what the founding is known by.
func (f Founding) Hash() Hash { return sha256.Sum256(f.signed()) }

// Sign signs the founding with each key that the others may know its founder by.
func (f Founding) Sign(keys ...ed25519.PrivateKey) SignedFounding {
	s := SignedFounding{Founding: f}
	for _, k := range keys {
		s.Signatures = append(s.Signatures, ed25519.Sign(k, f.signed()))
	}
	return s
}

// Verify tells whether one of the signatures is by key, an Ed25519 public key.
func (f SignedFounding) Verify(key []byte) bool {
	return len(key) == ed25519.PublicKeySize && len(f.Signatures) <= MaxReturnKeys &&
		slices.ContainsFunc(f.Signatures, func(sig []byte) bool {
			return len(sig) == ed25519.SignatureSize && ed25519.Verify(key, f.Founding.signed(), sig)
		})
}

// Words are the six that the founder reads aloud, and of which who accepts
// types the last: Argon2id with 64 MiB, which takes some tenths of a second.
func (f Founding) Words(language string) []string {
	h := f.Hash()
	salt := append([]byte("parley founding words v1\x00"), f.Nonce[:]...)
	return words(argon2.IDKey(h[:], salt, wordsTime, wordsMemory, wordsLanes, 16), ReadingWords, language)
}

// MayFound says whether a seat may found the room again without another:
// ReasonNone.
func (s *State) MayFound(by, without SeatID) Reason {
	x, y := s.Seat(by), s.Seat(without)
	switch {
	case x == nil || x.Status != In || x.Due:
		return ReasonNotSeated
	case y == nil:
		return ReasonUnknown
	case by == without:
		return ReasonNamed
	case y.Status != In:
		return ReasonState
	case x.Role != Convenor && !s.IsHead(by):
		return ReasonNotYours
	case s.Barred(by):
		return ReasonNamed
	}
	return ReasonNone
}

// Founders lists, in plan order, who may found the room again without a seat.
func (s *State) Founders(without SeatID) []SeatID {
	var l []SeatID
	for i := range s.Seats {
		if id := s.Seats[i].ID; s.MayFound(id, without) == ReasonNone {
			l = append(l, id)
		}
	}
	return l
}

// CheckMember says whether the post that lay at a seat's door lets it be a
// member of a room that is founded again without another: ReasonNone.
func (s *State) CheckMember(m FoundingMember, without SeatID) Reason {
	p := m.Return.Signed.Post
	switch {
	case p.Seat == without || !p.Named.IsZero() && p.Named != without:
		return ReasonNamed
	case len(m.Key) != ed25519.PublicKeySize || !s.Fresh(m.Key):
		return ReasonSignature
	}
	return s.CheckReturn(m.Return)
}

// Refound gives the skeleton of the room that is founded again from s, or why
// the founding does not count. Who waited at its door sits, with another key;
// everybody else whose leaf is lost sleeps, and comes back as usual.
func (s *State) Refound(signed SignedFounding) (*State, Reason) {
	f := signed.Founding
	if r := s.MayFound(f.Founder, f.Without); r != ReasonNone {
		return nil, r
	}
	if f.Former != s.Digest() {
		return nil, ReasonPast
	}
	if len(f.Group) == 0 || len(f.Group) > maxRoomGroup || len(f.Members) == 0 || len(f.Members) >= maxSeated {
		return nil, ReasonMalformed
	}
	if !signed.Verify(s.Seat(f.Founder).Key) {
		return nil, ReasonSignature
	}
	if len(f.Key) != ed25519.PublicKeySize || !s.Fresh(f.Key) {
		return nil, ReasonSignature
	}
	for i, m := range f.Members {
		if r := s.CheckMember(m, f.Without); r != ReasonNone {
			return nil, r
		}
		seat := m.Return.Signed.Post.Seat
		if seat == f.Founder || bytes.Equal(m.Key, f.Key) || slices.ContainsFunc(f.Members[:i], func(o FoundingMember) bool {
			return o.Return.Signed.Post.Seat == seat || bytes.Equal(o.Key, m.Key)
		}) {
			return nil, ReasonMalformed
		}
	}
	return s.refounded(f), ReasonNone
}

// refounded carries out a founding that counts.
func (s *State) refounded(founding Founding) *State {
	f := &fold{s: s.clone(), e: Entry{Author: founding.Founder}}
	n := f.s
	out := n.Seat(founding.Without)
	out.GoneBy, out.Leaving = founding.Founder, false
	for i := range n.Seats {
		x := &n.Seats[i]
		switch {
		case x != out && x.Status == In && x.Replacing: // its new card has yet to be let in
			f.leafGone(x)
		case x == out || x.Status == In && x.Due:
			f.departed(x)
		case x.Status == In:
			x.Status, x.Back = Asleep, nil
		case x.Status == Asleep:
			x.Back = nil
		}
	}
	f.sits(founding.Founder, founding.Key)
	for _, m := range founding.Members {
		f.sits(m.Return.Signed.Post.Seat, m.Key)
	}
	n.Rooms, n.Charters, n.Readings = nil, nil, nil
	n.Epoch, n.LastCommit = FoundingEpoch, n.LogTime
	n.Refounded = Refounded{N: s.Refounded.N + 1, Hash: founding.Hash()}
	return n
}

// sits seats somebody in a room that is founded again.
func (f *fold) sits(id SeatID, key []byte) {
	x := f.s.Seat(id)
	x.Status, x.Heard, x.Since = In, 0, f.s.LogTime
	f.setKey(x, key)
}

// Accepts judges a founding by what one knows oneself, s: former is the
// skeleton that it was told with, and named who left one out, or zero. It gives
// the skeleton of the new room.
func (s *State) Accepts(signed SignedFounding, former *State, named SeatID) (*State, Reason) {
	f := signed.Founding
	if r := s.MayFound(f.Founder, f.Without); r != ReasonNone {
		return nil, r
	}
	if !named.IsZero() && f.Without != named {
		return nil, ReasonNamed
	}
	if !former.Succeeds(s) {
		return nil, ReasonPast
	}
	// Where one was away for long, others may have seen that key retired since; what oneself saw retired signs nothing.
	if x := former.Seat(f.Founder); x == nil || s.retired(x.Key) {
		return nil, ReasonSignature
	}
	return former.Refound(signed)
}
