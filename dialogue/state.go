package dialogue

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"parley/internal/wire"
)

// Status is where a seat stands.
type Status uint8

// A seat goes from Invited to Arrived to In, and ends as Revoked, Removed or
// Left. In and Asleep may alternate.
const (
	Invited Status = 1 // a card is out
	Arrived Status = 2 // the card was used; consents or the commit are awaited
	In      Status = 3
	Revoked Status = 4 // the card was revoked
	Removed Status = 5
	Left    Status = 6
	Asleep  Status = 7 // seated, without a leaf: it slept, or waits at its door
)

// A Seat is one person's place. Seats stand in plan order: that of their
// invitations, the convenor's first.
type Seat struct {
	_        struct{} `cbor:",toarray"`
	ID       SeatID
	Side     SideID
	Name     string
	Capacity Capacity
	Role     Role
	Status   Status

	// The card: who made it, its box and public key, when it expires.
	By      SeatID
	Box     Key
	Card    Key
	Expires uint64

	// What its holder posted, and the sides that agreed to it.
	Post     Hash
	Package  Hash
	Consents []SideID
	Seconds  []Hash // posts of further uses: an alarm

	Doors  []Key  // the latest first
	DoorAt uint64 // Departures when it was told
	Key    []byte // signature key, as of the last commit

	// Witness is the signature key with which it took its seat, or its last new
	// card, and signs witnesses: who is away for long knows no later one.
	Witness []byte

	Since   uint64     // log time of the commit that let it in, the last time
	AddedBy SeatID     // who made that commit
	Heard   uint64     // log time of its last plenary entry since; 0 never
	Woke    uint64     // log time of the first entry after it had dozed, the last time
	Back    *Returning // it waits at its door

	Replacements []Replacement // new cards that were asked for
	Replacing    bool          // two approved one: its leaf goes, and the one of the new card comes
	Cards        uint64        // how often that was so

	NamedBy  []SeatID // seats that it left out, by their word
	Due      bool     // its removal is due
	Leaving  bool     // by its own wish
	Removers []SideID
	GoneBy   SeatID // who asked for the removal

	Verified []Verification
	Lost     Loss // why it is no longer verified
}

// A Verification says that By heard this seat read the words.
type Verification struct {
	_    struct{} `cbor:",toarray"`
	By   SeatID
	Time uint64 // log time
}

// Loss says why a seat lost its verification.
type Loss uint8

// Reasons for a Loss.
const (
	LossNone   Loss = 0
	LossKey    Loss = 1 // a signature key that its former key did not vouch for
	LossCard   Loss = 2 // a new card
	LossSecond Loss = 3 // its card was used twice
)

// A Side is a delegation.
type Side struct {
	_       struct{} `cbor:",toarray"`
	Name    string
	HadHead bool // a head has been seated, once
	Agreed  bool // to the rules in force
}

// A RoomState is what the skeleton knows of a side room: how it was founded.
type RoomState struct {
	_     struct{} `cbor:",toarray"`
	Room  Room
	Group []byte
	Tag   []byte // the founding's confirmation tag
	By    SeatID

	// Members are the founder and whom the Welcomes of members named. When the
	// last of them has gone, nobody can let anybody in: the room is as if it had
	// never been founded.
	Members []SeatID
	Lost    []SeatID // who said that they can't follow it
}

// A CharterState says which parties have given the skeleton as of Base.
type CharterState struct {
	_        struct{} `cbor:",toarray"`
	Base     uint64
	For      []SeatID // the newcomers that it is for
	Answered []SideID
	Given    bool // somebody gave the skeleton whole
}

// A VerifyState is a reading of words that is going on.
type VerifyState struct {
	_      struct{} `cbor:",toarray"`
	ID     EventID
	Reader SeatID
	Epoch  uint64
}

// State is the skeleton of a dialogue. Treat it as immutable; Apply returns
// another.
type State struct {
	_       struct{} `cbor:",toarray"`
	Fold    uint8
	Suite   uint16
	Sides   []Side
	Rules   Rules
	Seats   []Seat
	Claims  []uint64 // latest time claimed, by party: the convenor, then the sides
	LogTime uint64   // minutes since 1970

	Epoch      uint64 // of the plenary
	LastCommit uint64 // of the plenary, in log time
	Rooms      []RoomState
	Charters   []CharterState
	Readings   []VerifyState
	Departures uint64 // seats removed for good, or that left
	Retired    []byte // hashes of signature keys that serve no more, retiredSize each, the latest last
	Refounded  Refounded
}

const (
	maxCharters = 16
	maxReadings = 64
	maxSeconds  = 4
	maxPlan     = 4 * wire.MaxSeats // seats ever made
	maxSkeleton = wire.MaxMessage / 2
	maxKey      = 256 // of a signature key
)

// Marshal encodes the skeleton (deterministic CBOR).
func (s *State) Marshal() []byte { return wire.Marshal(s) }

// Digest is the skeleton's hash, for charters.
func (s *State) Digest() Hash { return sha256.Sum256(s.Marshal()) }

// ParseState decodes and checks a skeleton.
func ParseState(b []byte) (*State, error) {
	s := new(State)
	if err := wire.Unmarshal(b, s, maxSkeleton); err != nil {
		return nil, fmt.Errorf("skeleton: %w", err)
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("skeleton: %w", err)
	}
	return s, nil
}

// check holds a skeleton from elsewhere to what the fold itself never breaks.
func (s *State) check() error {
	bad := s.Fold != Version ||
		len(s.Sides) < MinSides || len(s.Sides) > MaxSides || len(s.Claims) != len(s.Sides)+1 ||
		len(s.Seats) == 0 || len(s.Seats) > maxPlan || s.Seats[0].Role != Convenor ||
		len(s.Rooms) > MaxSides || len(s.Charters) > maxCharters || len(s.Readings) > maxReadings ||
		len(s.Retired) > maxRetired*retiredSize || len(s.Retired)%retiredSize != 0 || !s.Rules.Valid() ||
		(s.Refounded.N == 0) != (s.Refounded.Hash == Hash{})
	seen := map[SeatID]bool{}
	for i, x := range s.Seats {
		bad = bad || seen[x.ID] || int(x.Side) > len(s.Sides) || (x.Side == 0) != (i == 0) || !validName(x.Name) ||
			x.Status < Invited || x.Status > Asleep || i == 0 && x.Status < In || len(x.Seconds) > maxSeconds || len(x.Key) > maxKey || len(x.Witness) > maxKey ||
			len(x.Doors) > maxDoors || len(x.NamedBy) > maxPlan || len(x.Replacements) > maxReplacements
		for _, r := range x.Replacements {
			bad = bad || len(r.Approved) > maxApproved
		}
		seen[x.ID] = true
	}
	for _, x := range s.Sides {
		bad = bad || !validName(x.Name)
	}
	for _, x := range s.Rooms {
		bad = bad || x.Room == Plenary || int(x.Room) > len(s.Sides) || len(x.Group) > maxRoomGroup || len(x.Tag) > maxRoomGroup ||
			len(x.Members) == 0 || len(x.Members) > maxPlan || len(x.Lost) > maxPlan
	}
	if bad {
		return wire.ErrMalformed
	}
	return nil
}

// clone copies what Apply may change. The byte slices inside are never
// changed in place and stay shared.
func (s *State) clone() *State {
	n := *s
	n.Sides = slices.Clone(s.Sides)
	n.Seats = slices.Clone(s.Seats)
	n.Claims = slices.Clone(s.Claims)
	n.Rooms = slices.Clone(s.Rooms)
	n.Charters = slices.Clone(s.Charters)
	n.Readings = slices.Clone(s.Readings)
	return &n
}

// add appends without touching what a former State shares.
func add[T any](list []T, x T) []T { return append(slices.Clip(list), x) }

// Seat finds a seat, or nil.
func (s *State) Seat(id SeatID) *Seat {
	for i := range s.Seats {
		if s.Seats[i].ID == id {
			return &s.Seats[i]
		}
	}
	return nil
}

// Seated tells whether id sits awake, a due removal notwithstanding.
func (s *State) Seated(id SeatID) bool {
	x := s.Seat(id)
	return x != nil && x.Status == In
}

// Head is the side's head: its first seat, in plan order, that sits. Nil where
// there is none.
func (s *State) Head(side SideID) *Seat {
	if side == 0 {
		return nil
	}
	for i := range s.Seats {
		if x := &s.Seats[i]; x.Side == side && x.Status == In && !x.Due {
			return x
		}
	}
	return nil
}

// IsHead tells whether id is its side's head.
func (s *State) IsHead(id SeatID) bool {
	x := s.Seat(id)
	if x == nil {
		return false
	}
	h := s.Head(x.Side)
	return h != nil && h.ID == id
}

// SideName is the name of a side, empty for the convenor's.
func (s *State) SideName(id SideID) string {
	if id == 0 || int(id) > len(s.Sides) {
		return ""
	}
	return s.Sides[id-1].Name
}

// SideNames lists the names of the sides in order.
func (s *State) SideNames() []string {
	names := make([]string, len(s.Sides))
	for i := range s.Sides {
		names[i] = s.Sides[i].Name
	}
	return names
}

// RulesHash is the hash of the rules in force.
func (s *State) RulesHash() Hash { return RulesHash(s.SideNames(), s.Rules) }

// Disagreed lists the sides that have not yet agreed to the rules. While
// there is one, nobody can write in the plenary.
func (s *State) Disagreed() []SideID {
	var l []SideID
	for i := range s.Sides {
		if !s.Sides[i].Agreed {
			l = append(l, SideID(i+1))
		}
	}
	return l
}

// Due lists the seats whose removal is due, in plan order.
func (s *State) Due() []SeatID {
	var l []SeatID
	for i := range s.Seats {
		if s.Seats[i].Status == In && s.Seats[i].Due {
			l = append(l, s.Seats[i].ID)
		}
	}
	return l
}

// IsVerified tells whether somebody heard the seat read the words.
func (x *Seat) IsVerified() bool { return len(x.Verified) > 0 }
