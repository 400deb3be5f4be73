package dialogue

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"parley/internal/wire"
)

// A SeatID is the pseudonym of a seat, made for this dialogue alone.
// It is the identity in the seat's MLS credential.
type SeatID [8]byte

// NewSeatID returns a random SeatID.
func NewSeatID() (id SeatID) { rand.Read(id[:]); return id }

// String is the id in hexadecimal.
func (id SeatID) String() string { return hex.EncodeToString(id[:]) }

// IsZero tells whether id names no seat.
func (id SeatID) IsZero() bool { return id == SeatID{} }

// An EventID names an event and its author: nobody can make an event that has
// another's id. It stays when an event has to be made again.
type EventID [16]byte

// NewEventID returns a random EventID.
func NewEventID() (id EventID) { rand.Read(id[:]); return id }

// String is the id in hexadecimal.
func (id EventID) String() string { return hex.EncodeToString(id[:]) }

// A Hash is a SHA-256.
type Hash [32]byte

// A Room is a room of the dialogue: 0 the plenary, 1 to 6 the side rooms.
type Room uint8

// Plenary is everybody's room.
const Plenary Room = 0

// SideRoom is the room of one side alone.
func SideRoom(s SideID) Room { return Room(s) }

// Side is the side whose room r is, or 0 for the plenary.
func (r Room) Side() SideID { return SideID(r) }

// A SideID numbers the sides from 1, in the order of the opening; 0 is the
// convenor, who belongs to none.
type SideID uint8

// A Kind says what an event is. Numbers are never used again for another.
type Kind uint16

// The kinds of version 1.
const (
	KindOpen       Kind = 1  // the first event: sides, rules, the convenor
	KindInvite     Kind = 2  // a card was made for a seat
	KindRevoke     Kind = 3  // a card stops working
	KindArrive     Kind = 4  // a card was used: what its holder posted
	KindSecondUse  Kind = 5  // a card was used again: proof
	KindConsent    Kind = 6  // a side agrees to a newcomer
	KindRemove     Kind = 7  // a seat is to be removed
	KindLeave      Kind = 8  // the author leaves
	KindSay        Kind = 9  // a message
	KindKeyPackage Kind = 10 // a key package, for the rooms of its author
	KindFound      Kind = 11 // a room is founded
	KindWelcome    Kind = 12 // a room's Welcome for one seat
	KindVerify     Kind = 13 // the author reads words aloud
	KindHeard      Kind = 14 // the author heard the words and they matched
	KindCharter    Kind = 15 // the skeleton for newcomers
	KindHello      Kind = 16 // a newcomer is there
	KindDoor       Kind = 17 // the author's door moves
	KindReturn     Kind = 18 // what lay at a seat's door
	KindRoomLost   Kind = 19 // the author can't follow its side room
	KindReplace    Kind = 20 // a new card is made for a seat that is held

	lastKind = KindReplace
)

// Version is the version of events that this code writes and of the fold
// that it performs.
const Version = 1

// An Event is one thing said, in the envelope that every kind shares.
// Time is its author's claim, in minutes since 1970.
type Event struct {
	_     struct{} `cbor:",toarray"`
	V     uint8
	Kind  Kind
	Nonce [16]byte
	Time  uint64
	Body  cbor.RawMessage
}

// ID is the event's id as one of author's.
func (e *Event) ID(author SeatID) (id EventID) {
	h := sha256.New()
	h.Write([]byte("parley event id v1\x00"))
	h.Write(author[:])
	h.Write(e.Nonce[:])
	copy(id[:], h.Sum(nil))
	return id
}

// Sizes of what an event holds, in bytes.
const (
	MaxEvent     = wire.MaxMessage
	MaxName      = 120
	MaxFileName  = 255
	MaxSides     = 6
	MinSides     = 2
	maxAddress   = 512
	maxRoomGroup = 64
)

// NewEvent makes an event of kind k with a random nonce.
func NewEvent(k Kind, minute uint64, body any) Event {
	e := Event{V: Version, Kind: k, Time: minute, Body: wire.Marshal(body)}
	rand.Read(e.Nonce[:])
	return e
}

// Marshal encodes the event (deterministic CBOR).
func (e Event) Marshal() []byte { return wire.Marshal(e) }

// ParseEvent decodes an event's envelope. The body is decoded by Apply, or,
// for an unknown kind, never.
func ParseEvent(b []byte) (Event, error) {
	var e Event
	if err := wire.Unmarshal(b, &e, MaxEvent); err != nil {
		return Event{}, fmt.Errorf("event: %w", err)
	}
	return e, nil
}

// Open is the body of the first event.
type Open struct {
	_        struct{} `cbor:",toarray"`
	Sides    []string
	Rules    Rules
	Convenor SeatID
	Name     string
	Door     Key
	Suite    uint16 // the MLS cipher suite of every room
	Key      []byte // the convenor's signature key
}

// A Key is a box key or a public key of 32 bytes that members share. It does
// not print.
type Key [32]byte

// String hides the key.
func (Key) String() string { return "[key]" }

// GoString hides the key.
func (Key) GoString() string { return "[key]" }

// Invite announces a card. Box is the key of its invitation box, Card the
// public half of the key that signs what its holder posts.
type Invite struct {
	_        struct{} `cbor:",toarray"`
	Seat     SeatID
	Side     SideID
	Name     string
	Capacity Capacity
	Role     Role
	Box      Key
	Card     Key
	Expires  uint64 // minutes since 1970, in log time
}

// Revoke ends a card that was not used.
type Revoke struct {
	_    struct{} `cbor:",toarray"`
	Seat SeatID
}

// A Post is what the holder of a card says of itself. Side consents are to
// its hash, and the four words of an approval come from it.
type Post struct {
	_          struct{} `cbor:",toarray"`
	Seat       SeatID
	KeyPackage Hash // of the MLS key package
	Door       Key
	Rules      Hash // RulesHash of what was shown on the join page
}

// A SignedPost is a Post signed with the card's key.
type SignedPost struct {
	_         struct{} `cbor:",toarray"`
	Post      Post
	Signature []byte // Ed25519, 64 bytes
}

// Consent is a side's agreement, given by its head, to exactly one post.
type Consent struct {
	_    struct{} `cbor:",toarray"`
	Seat SeatID
	Post Hash
}

// Remove asks for a seat's removal. By the convenor or the seat's own head it
// is enough alone; from others it counts as their side's consent.
type Remove struct {
	_    struct{} `cbor:",toarray"`
	Seat SeatID
}

// Leave says that the author leaves.
type Leave struct {
	_ struct{} `cbor:",toarray"`
}

// Say is a message. ReplyTo is zero or the event that it answers.
type Say struct {
	_       struct{} `cbor:",toarray"`
	Text    string
	ReplyTo EventID
	File    *File
}

// A File lies in boxes of its own; this is how to fetch it.
type File struct {
	_    struct{} `cbor:",toarray"`
	Name string
	Size uint64
	Hash Hash // of its content
	Box  Key
}

// KeyPackage leaves a key package in the log with which its author can be
// added to a room.
type KeyPackage struct {
	_       struct{} `cbor:",toarray"`
	Room    Room
	Package []byte
}

// Found founds a room; Tag is the new group's confirmation tag.
type Found struct {
	_     struct{} `cbor:",toarray"`
	Room  Room
	Group []byte
	Tag   []byte
}

// Welcome carries a room's MLS Welcome to those it adds. Last is the log time
// of the commit that added them, from which the room's next one is judged.
type Welcome struct {
	_       struct{} `cbor:",toarray"`
	Room    Room
	Seats   []SeatID
	Last    uint64
	Welcome []byte
}

// Verify starts a reading of words: the author will read them aloud.
type Verify struct {
	_     struct{} `cbor:",toarray"`
	Nonce [16]byte
}

// Heard says that the author heard Reader read the words of Verify and that
// the last one matched.
type Heard struct {
	_      struct{} `cbor:",toarray"`
	Verify EventID
	Reader SeatID
}

// Charter is the skeleton as of the end of the box that a commit closed: Base
// is the plenary's epoch after that commit, Hash the skeleton's. Skeleton is
// its encoding, or empty where the author only vouches for another's.
type Charter struct {
	_        struct{} `cbor:",toarray"`
	Base     uint64
	Hash     Hash
	Skeleton []byte
}

// Hello is a newcomer's first word.
type Hello struct {
	_ struct{} `cbor:",toarray"`
}
