package dialogue

import (
	"crypto/sha256"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"parley/internal/wire"
)

// An Entry is one place in the log: an event, a commit or a proposal of fresh
// keys, by a seat whose signature holds.
type Entry struct {
	Room    Room
	Author  SeatID
	Event   *Event
	Commit  *Commit
	Update  uint64   // of a proposal: the minute that it claims; it says only that its author is there
	Members []SeatID // who is in the room at this place, by its tree

	// LastCommit is, for a commit in a side room, the log time of that room's
	// last one, which only its members know.
	LastCommit uint64
}

// A NoteKind says what happened.
type NoteKind uint8

// What can happen.
const (
	NoteRefused      NoteKind = 1 // an event without effect; Reason says why
	NoteUnknown      NoteKind = 2 // a kind that this version does not know
	NoteOpened       NoteKind = 3
	NoteInvited      NoteKind = 4
	NoteRevoked      NoteKind = 5
	NoteArrived      NoteKind = 6
	NoteSecondUse    NoteKind = 7 // alarm: a card was used twice
	NoteConsented    NoteKind = 8
	NoteSeated       NoteKind = 9
	NoteRemovalDue   NoteKind = 10
	NoteRemovalAsked NoteKind = 11
	NoteRemoved      NoteKind = 12
	NoteLeft         NoteKind = 13
	NoteSaid         NoteKind = 14
	NoteKeyPackage   NoteKind = 15
	NoteFounded      NoteKind = 16
	NoteWelcome      NoteKind = 17
	NoteVerify       NoteKind = 18
	NoteVerified     NoteKind = 19
	NoteUnverified   NoteKind = 20
	NoteCharter      NoteKind = 21
	NoteAttempt      NoteKind = 22 // a commit against the rules
	NoteAgreed       NoteKind = 23 // every side has agreed; the plenary is open
	NoteHello        NoteKind = 24
	NoteDoor         NoteKind = 25 // a door moved
	NoteReturning    NoteKind = 26 // a seat waits at its door
	NoteReturned     NoteKind = 27
	NoteAsleep       NoteKind = 28 // a seat's leaf went; the seat is kept
	NoteRoomLost     NoteKind = 29 // a seat can't follow its side room
	NoteRoomOver     NoteKind = 30 // nearly all its seats lost a room: it can be founded again
	NoteSideAsleep   NoteKind = 31 // all seats of the body, a SideID, sleep

	NoteReplaceAsked  NoteKind = 32 // a new card was asked for a seat
	NoteReplaceUsed   NoteKind = 33 // it was used
	NoteReplaceAgreed NoteKind = 34 // the author approved it
	NoteReplaceDue    NoteKind = 35 // two did: the old leaf goes
	NoteReplaceOver   NoteKind = 36 // it was taken back
	NoteReplaced      NoteKind = 37 // the new card has the seat
)

// A Reason says why something had no effect.
type Reason uint8

// Reasons of a refusal.
const (
	ReasonNone       Reason = 0
	ReasonMalformed  Reason = 1
	ReasonNotSeated  Reason = 2 // the author does not sit, or is to be removed
	ReasonNotYours   Reason = 3 // the rules give that to somebody else
	ReasonNotAgreed  Reason = 4 // a side has not agreed to the rules
	ReasonUnknown    Reason = 5 // there is no such seat, reading or room
	ReasonState      Reason = 6 // it is too late, or too early, for that
	ReasonSignature  Reason = 7
	ReasonExpired    Reason = 8
	ReasonRules      Reason = 9  // other rules than those in force
	ReasonStrangers  Reason = 10 // the room holds somebody whom the seat plan does not
	ReasonFull       Reason = 11 // as many seats as there can be
	ReasonDueFirst   Reason = 12 // a removal is due and was not carried out
	ReasonTooSoon    Reason = 13 // less than a day after the room's last commit
	ReasonNotReady   Reason = 14 // a seat was added that nobody may add yet
	ReasonWrongRoom  Reason = 15
	ReasonOutOfOrder Reason = 16 // before the opening, or a second opening
	ReasonNamed      Reason = 17 // two seats named the author as having left them out, or the one it would bring back did
	ReasonWoke       Reason = 18 // a seat was removed that had slept, and was heard just before
	ReasonPast       Reason = 19 // a founding goes on from another past
	ReasonCharter    Reason = 20 // those whom the last commit let in were told no past yet
	ReasonKey        Reason = 21 // a signature key that served before, or is another seat's
)

// A Note says what an entry did.
type Note struct {
	Kind   NoteKind
	Room   Room
	By     SeatID // the author
	Seat   SeatID // whom it concerns
	Event  EventID
	What   Kind // of the event
	Reason Reason
	Body   any // the event's body, where the note is about one
}

// fold carries what one Apply builds up.
type fold struct {
	s     *State
	e     Entry
	notes []Note
}

func (f *fold) note(k NoteKind, seat SeatID, body any) {
	n := Note{Kind: k, Room: f.e.Room, By: f.e.Author, Seat: seat, Body: body}
	if f.e.Event != nil {
		n.Event, n.What = f.e.Event.ID(f.e.Author), f.e.Event.Kind
	}
	f.notes = append(f.notes, n)
}

func (f *fold) refuse(r Reason) {
	f.note(NoteRefused, SeatID{}, nil)
	f.notes[len(f.notes)-1].Reason = r
}

// Apply folds e into s, which may be nil before the first entry, and returns
// the state after it and what happened. s is not changed. The caller has made
// sure that e's signature holds and that the author is in the room's tree.
func Apply(s *State, e Entry) (*State, []Note) {
	f := &fold{e: e}
	if s == nil {
		f.open()
		return f.s, f.notes
	}
	f.s = s.clone()
	if e.Room == Plenary {
		f.heard()
	}
	switch {
	case e.Commit != nil:
		f.commit()
	case e.Update > 0:
	case e.Event == nil:
		f.refuse(ReasonMalformed)
	case e.Room != Plenary:
		f.inRoom()
	default:
		f.event()
	}
	return f.s, f.notes
}

// open takes the first entry, which only a convenor's Open can be.
func (f *fold) open() {
	var o Open
	if f.e.Event == nil || f.e.Room != Plenary || f.e.Event.Kind != KindOpen || f.e.Event.V != Version {
		f.refuse(ReasonOutOfOrder)
		return
	}
	if wire.Unmarshal(f.e.Event.Body, &o, MaxEvent) != nil || !o.valid() || o.Convenor != f.e.Author {
		f.refuse(ReasonMalformed)
		return
	}
	f.s = &State{Fold: Version, Suite: o.Suite, Rules: o.Rules, Claims: make([]uint64, len(o.Sides)+1)}
	for _, name := range o.Sides {
		f.s.Sides = append(f.s.Sides, Side{Name: name})
	}
	f.s.Seats = []Seat{{ID: o.Convenor, Name: o.Name, Role: Convenor, Status: In, Doors: []Key{o.Door}, Key: o.Key, Witness: o.Key}}
	f.heard()
	f.s.LastCommit, f.s.Seats[0].Since = f.s.LogTime, f.s.LogTime
	f.note(NoteOpened, o.Convenor, o)
}

func (o *Open) valid() bool {
	if len(o.Sides) < MinSides || len(o.Sides) > MaxSides || !o.Rules.Valid() || !validName(o.Name) || o.Convenor.IsZero() || len(o.Key) > maxKey {
		return false
	}
	for i, n := range o.Sides {
		if !validName(n) || slices.ContainsFunc(o.Sides[:i], func(m string) bool { return strings.EqualFold(m, n) }) {
			return false
		}
	}
	return true
}

// validName: one line of printable text, not blank at either end.
func validName(n string) bool { return CheckName(n) == nil }

// CheckName says what is wrong with a name that a person typed, or nil.
func CheckName(n string) error {
	switch {
	case n == "" || strings.TrimSpace(n) != n:
		return ErrNameBlank
	case len(n) > MaxName:
		return ErrNameLong
	case !utf8.ValidString(n) || strings.ContainsFunc(n, hiddenRune):
		return ErrNameHidden
	}
	return nil
}

// hiddenRune: what does not print, or turns the writing direction around, and
// so could make one name look like another.
func hiddenRune(r rune) bool {
	return r != ' ' && !unicode.IsPrint(r)
}

// event takes an event of the plenary.
func (f *fold) event() {
	ev := f.e.Event
	if ev.V != Version || ev.Kind > lastKind || ev.Kind == 0 {
		f.note(NoteUnknown, SeatID{}, nil)
		return
	}
	author := f.s.Seat(f.e.Author)
	if author == nil || author.Status != In || author.Due && (ev.Kind != KindLeave || author.Replacing) {
		f.refuse(ReasonNotSeated)
		return
	}
	switch ev.Kind {
	case KindOpen:
		f.refuse(ReasonOutOfOrder)
	case KindInvite:
		with(f, f.invite)
	case KindRevoke:
		with(f, f.revoke)
	case KindArrive:
		with(f, f.arrive)
	case KindSecondUse:
		with(f, f.secondUse)
	case KindConsent:
		with(f, f.consent)
	case KindRemove:
		with(f, f.remove)
	case KindLeave:
		with(f, f.leave)
	case KindSay:
		with(f, f.say)
	case KindKeyPackage:
		with(f, f.keyPackage)
	case KindFound:
		with(f, f.found)
	case KindWelcome:
		with(f, f.welcome)
	case KindVerify:
		with(f, f.verify)
	case KindHeard:
		with(f, f.heardWords)
	case KindCharter:
		with(f, f.charter)
	case KindHello:
		with(f, func(Hello) Reason { f.note(NoteHello, f.e.Author, nil); return ReasonNone })
	case KindDoor:
		with(f, f.door)
	case KindReturn:
		with(f, f.returns)
	case KindRoomLost:
		with(f, f.roomLost)
	case KindReplace:
		with(f, f.replace)
	}
}

// with decodes the event's body and hands it on; what does not decode, or is
// refused, becomes a note.
func with[T any](f *fold, take func(T) Reason) {
	var body T
	if wire.Unmarshal(f.e.Event.Body, &body, MaxEvent) != nil {
		f.refuse(ReasonMalformed)
		return
	}
	if r := take(body); r != ReasonNone {
		f.refuse(r)
	}
}

func (f *fold) say(m Say) Reason {
	if r := m.check(); r != ReasonNone {
		return r
	}
	if f.e.Room == Plenary && len(f.s.Disagreed()) > 0 {
		return ReasonNotAgreed
	}
	f.note(NoteSaid, f.e.Author, m)
	return ReasonNone
}

func (m *Say) check() Reason {
	if len(m.Text) > wire.MaxText || !utf8.ValidString(m.Text) || m.Text == "" && m.File == nil {
		return ReasonMalformed
	}
	if m.File != nil && (len(m.File.Name) > MaxFileName || CheckFileName(m.File.Name) != nil || m.File.Size > wire.MaxFile) {
		return ReasonMalformed
	}
	return ReasonNone
}

// CheckFileName says what is wrong with the name of a file, or nil: it has to
// be one name, not a path.
func CheckFileName(n string) error {
	switch {
	case n == "" || n == "." || n == ".." || strings.TrimSpace(n) != n:
		return ErrNameBlank
	case len(n) > MaxFileName:
		return ErrNameLong
	case !utf8.ValidString(n) || strings.ContainsFunc(n, hiddenRune) || strings.ContainsAny(n, `/\:`):
		return ErrNameHidden
	}
	return nil
}

func (f *fold) verify(v Verify) Reason {
	if len(f.s.Readings) == maxReadings {
		f.s.Readings = slices.Clone(f.s.Readings[1:])
	}
	f.s.Readings = add(f.s.Readings, VerifyState{ID: f.e.Event.ID(f.e.Author), Reader: f.e.Author, Epoch: f.s.Epoch})
	f.note(NoteVerify, f.e.Author, v)
	return ReasonNone
}

func (f *fold) heardWords(h Heard) Reason {
	i := slices.IndexFunc(f.s.Readings, func(v VerifyState) bool { return v.ID == h.Verify && v.Reader == h.Reader })
	x := f.s.Seat(h.Reader)
	if i < 0 || x == nil || x.Status != In {
		return ReasonUnknown
	}
	if h.Reader == f.e.Author {
		return ReasonNotYours
	}
	if !slices.ContainsFunc(x.Verified, func(v Verification) bool { return v.By == f.e.Author }) {
		x.Verified = add(x.Verified, Verification{By: f.e.Author, Time: f.s.LogTime})
	}
	x.Lost = LossNone
	f.note(NoteVerified, h.Reader, nil)
	return ReasonNone
}

func (f *fold) charter(c Charter) Reason {
	if len(c.Skeleton) > maxSkeleton {
		return ReasonMalformed
	}
	i := slices.IndexFunc(f.s.Charters, func(x CharterState) bool { return x.Base == c.Base })
	if i < 0 {
		return ReasonUnknown
	}
	party := f.s.Seat(f.e.Author).Side
	x := &f.s.Charters[i]
	if !slices.Contains(x.Answered, party) {
		x.Answered = add(x.Answered, party)
	}
	x.Given = x.Given || len(c.Skeleton) > 0 && sha256.Sum256(c.Skeleton) == c.Hash
	f.note(NoteCharter, f.e.Author, c)
	return ReasonNone
}

func (f *fold) keyPackage(k KeyPackage) Reason {
	x := f.s.Seat(f.e.Author)
	if k.Room == Plenary || k.Room.Side() != x.Side {
		return ReasonWrongRoom
	}
	f.note(NoteKeyPackage, f.e.Author, k)
	return ReasonNone
}
