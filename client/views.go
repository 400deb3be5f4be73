package client

import (
	"time"

	"parley/dialogue"
)

// What the faces see. Nothing here is a key, and changing it changes nothing.

// An ID names a dialogue in this vault: eight letters and digits that mean
// nothing elsewhere.
type ID string

// A Profile is what the vault knows of its person.
type Profile struct {
	Name     string // the name to use in dialogues
	Language string // BCP 47
	Text     int    // text size in per cent: 100, 125, 150, 200 or 300
	Theme    string // "auto", "light" or "dark"
	Idle     int    // minutes after which the application puts itself away
}

// Standing says how far one has come in a dialogue.
type Standing string

// A seat goes from waiting to in, and ends as removed or left. It can be lost
// in between.
const (
	StandingWaiting Standing = "waiting" // the card was used; the others have to let one in
	StandingIn      Standing = "in"
	StandingRemoved Standing = "removed"
	StandingLeft    Standing = "left"
	StandingRefused Standing = "refused" // the card was revoked, had expired or was used by somebody else first
	StandingLost    Standing = "lost"    // this vault is out of the room; Problem says why, and it comes back by itself
)

// A Dialogue is a picture of one dialogue at one moment.
type Dialogue struct {
	ID          ID
	Title       string // on this device only
	Standing    Standing
	Relay       string // its URL
	Online      bool   // the relay answered the last request
	LastHeard   time.Time
	Problem     error // what keeps the dialogue from going on, or nil
	Rules       dialogue.Rules
	Sides       []Side // in the order of the opening
	Seats       []Seat // in plan order, the convenor first
	Me          Seat
	Rooms       []Room    // those one sits in
	Missing     []string  // names of the sides that have not agreed to the rules; while there is one, nobody can write in the plenary
	Unconfirmed []string  // parties that have not yet confirmed the past that one was told on coming in; "" is the convenor
	Charters    []Charter // where parties told one different pasts: the one that is taken, then the others
	Tasks       []Task
	Alarms      []Alarm
	Reading     *Reading // the latest reading of words that still counts, or nil
	LogTime     time.Time

	Lost      *LostRoom  // where somebody's commit left this vault out; else nil
	Foundings []Founding // of the room, again: those that wait for this person, and the one that counts

	Stopped bool // two seats contradicted what this vault read: nothing goes out until words were compared

	// Log time stands still since, because StillBy alone (0: the convenor) has
	// spoken for a day or more; or the zero time.
	StillSince time.Time
	StillBy    dialogue.SideID
}

// A Charter is a past that a newcomer was told.
type Charter struct {
	Party       dialogue.SideID // names it to ChooseCharter
	Parties     []string        // who told it; "" is the convenor
	Taken       bool            // it is the one that counts on this computer
	Told        bool            // it was told whole, and can be chosen
	Differences []Difference    // from the one taken
}

// A Difference is one point in which a past differs from the one taken.
type Difference struct {
	Kind DifferenceKind
	Name string // of the seat
	Side string // of the seat; "" is the convenor's
}

// A DifferenceKind says in what two pasts differ.
type DifferenceKind string

// The kinds of difference.
const (
	DifferenceMore  DifferenceKind = "more"  // the seat sits by it, and not by the one taken
	DifferenceLess  DifferenceKind = "less"  // the other way round
	DifferenceSeat  DifferenceKind = "seat"  // something else of the seat
	DifferenceRules DifferenceKind = "rules" // the ground rules
	DifferenceSides DifferenceKind = "sides" // the sides' names
	DifferenceRest  DifferenceKind = "rest"  // what no page shows: keys, times, consents
)

// A Side is a delegation.
type Side struct {
	ID     dialogue.SideID
	Name   string
	Agreed bool
	Head   string // name of its head, or empty
	Mine   bool
}

// A Seat is one person's place.
type Seat struct {
	ID       dialogue.SeatID
	Name     string
	Side     dialogue.SideID // 0 for the convenor
	SideName string
	Role     dialogue.Role
	Capacity dialogue.Capacity
	Status   dialogue.Status
	Me       bool
	Head     bool
	Due      bool // to be removed; the others' computers do it
	GoneBy   string

	SilentSince time.Time // nothing was heard from it since, for a day or more; or the zero time

	VerifiedBy []string // names of who heard the words
	Lost       dialogue.Loss

	// Of a card that is out, or was used:
	By       string // name of who made it
	Expires  time.Time
	Expired  bool
	Words    []string // the four words of what its holder posted
	Missing  []string // sides whose consent is awaited
	MayDo    SeatActions
	Seconds  int  // further uses of the card: an alarm
	HaveCard bool // this vault made the card and can show it again

	AtDoor bool // it waits at its door to come back

	Replacements []Replacement // new cards that were asked for, because its computer is lost
	Replacing    bool          // one was approved: the others' computers let it in
	Cards        uint64        // that were approved
}

// Reader is who reads at the seat now.
func (s Seat) Reader() Reader { return Reader{Seat: s.ID, Cards: s.Cards} }

// A Replacement is a new card for a seat that is held.
type Replacement struct {
	By        string // name of who asked for it
	Mine      bool   // this person did
	Expires   time.Time
	Expired   bool // nobody used it in time
	Twice     bool // it was used twice: it gives nobody the seat
	Used      bool
	Post      dialogue.Hash // what its holder posted
	Words     []string      // the four words of that
	Approved  []string      // names
	HaveCard  bool          // this vault made the card and can show it again
	Agreement               // who has to approve yet

	MayApprove, MayWithdraw bool
}

// An Agreement says who has to approve a new card: Own, unless empty, and More
// of the Others. All are names.
type Agreement struct {
	Own    string
	Others []string
	More   int
}

// SeatActions are what the rules let this person do with a seat now.
type SeatActions struct {
	Approve, Revoke, Remove, Verify bool

	Replace    bool     // ask for a new card
	Replacers  []string // names of who may; nil where nobody can ask now
	Agree      Agreement
	ApproveNew bool // a new card
}

// A Room is a room one sits in.
type Room struct {
	Room     dialogue.Room
	Name     string // a side's name, or empty for the plenary
	Unread   int
	Readers  []Seat // who will read what is written now, oneself left out
	CanWrite bool
	Why      WhyNot
}

// WhyNot says why one can't write in a room.
type WhyNot string

// Reasons.
const (
	WhyNone     WhyNot = ""
	WhyMissing  WhyNot = "missing"  // a side has not agreed to the rules
	WhyNotIn    WhyNot = "notin"    // not seated, or no longer
	WhyChanging WhyNot = "changing" // its members are not those of the seat plan yet; what one writes waits
	WhyStopped  WhyNot = "stopped"  // words have to be compared first; what one writes waits
	WhyAway     WhyNot = "away"     // one has lost the room, and is on the way back
	WhyNotThere WhyNot = "notthere" // the room is not founded, or one has not been let in yet
)

// A Task is something that waits for this person.
type Task struct {
	Kind TaskKind
	Seat Seat
}

// A TaskKind says what waits.
type TaskKind string

// Tasks.
const (
	TaskApprove TaskKind = "approve" // a newcomer asks to be let in
	TaskReplace TaskKind = "replace" // somebody with a new card asks to be let in
	TaskInvite  TaskKind = "invite"  // a side has no head and no card out
	TaskListen  TaskKind = "listen"  // somebody reads words aloud
	TaskBack    TaskKind = "back"    // a message came back, because its readers have changed
	TaskFounded TaskKind = "founded" // somebody founded the room again
	TaskTell    TaskKind = "tell"    // one founded the room again: the words are to be read to the others
)

// An Alarm is something that may endanger people.
type Alarm struct {
	Kind AlarmKind
	Seat Seat
	Time time.Time
}

// An AlarmKind says what happened.
type AlarmKind string

// Alarms.
const (
	AlarmSecondUse AlarmKind = "seconduse" // a card was used twice
	AlarmAttempt   AlarmKind = "attempt"   // a seat tried what the rules do not allow
	AlarmCharter   AlarmKind = "charter"   // a seat told newcomers another past than this one

	// Seat is zero in what follows, where the relay alone is meant, or where
	// somebody in the room did it and nobody can tell who.
	AlarmContradicted AlarmKind = "contradicted" // a seat had read something else than this vault: it or the relay shows something false
	AlarmStopped      AlarmKind = "stopped"      // two seats had
	AlarmShorter      AlarmKind = "shorter"      // the relay has less than it had
	AlarmOther        AlarmKind = "other"        // the relay gives something else than it gave
	AlarmVanished     AlarmKind = "vanished"     // the relay lost something before its time
	AlarmElsewhere    AlarmKind = "elsewhere"    // a seat says that this one was let in to another room than the others are in
)

// A Message is a line in a room: somebody's words, a file, or a notice by
// Parley itself.
type Message struct {
	ID      dialogue.EventID
	Seq     uint64 // ascending in this vault; 0 while it is in nobody's room
	Room    dialogue.Room
	Seat    dialogue.SeatID
	Name    string
	Side    dialogue.SideID
	Mine    bool
	Kind    MessageKind
	Text    string
	Time    time.Time // its author's claim, to the minute
	State   State
	ReplyTo *Quote
	File    *File
	Notice  *Notice
	Readers []string // of a message that came back: who would read it now
	Shown   []Reader // the same, for SendAgain
	Missed  []string // of one's own: who lost touch with the room without having shown that it was read
}

// A MessageKind says what a line is.
type MessageKind string

// Kinds of line.
const (
	KindMessage MessageKind = "message"
	KindFile    MessageKind = "file"
	KindNotice  MessageKind = "notice"
)

// A State says where a message is.
type State string

// States.
const (
	StateRoom    State = "room"    // in the room
	StateWaiting State = "waiting" // goes by itself
	StateBack    State = "back"    // came back to its author, because its readers have changed
)

// A Quote is the message that another answers.
type Quote struct {
	ID   dialogue.EventID
	Seq  uint64
	Name string
	Text string // its beginning
}

// A File is an attachment.
type File struct {
	Name    string
	Size    uint64
	Done    uint64 // bytes that have been sent, or fetched
	Here    bool   // the whole content is in this vault
	Problem error
}

// A Notice is what Parley says in a room. Names are of By and Seat.
type Notice struct {
	Kind   dialogue.NoteKind
	By     string
	Seat   string
	What   dialogue.Kind
	Reason dialogue.Reason
}

// A Reading is a reading of words by Reader: who listens sees five, and types
// the sixth as it is heard.
type Reading struct {
	ID     dialogue.EventID
	Reader Seat
	Mine   bool     // one reads oneself
	Words  []string // six to read, five to follow; nil while they are being computed
	Heard  []string // names of who has heard it
}

// A CardView is what the join page shows of a card.
type CardView struct {
	Relay    string
	Sides    []string
	Rules    dialogue.Rules
	Side     string // of the seat
	Name     string // of the seat, as the inviter wrote it
	Capacity dialogue.Capacity
	Role     dialogue.Role
	Again    bool // the seat is its person's already; the card is for another computer
	Head     bool // taking the seat agrees to the rules for the side
	Convenor string
	Expires  time.Time
	Words    []string // after Join: the four words to read out to the inviter on the telephone
}

// A Change says that something in a dialogue changed; Dialogue is empty where
// it is the list of dialogues.
type Change struct {
	Dialogue ID
	Room     dialogue.Room
	Older    bool // lines that were there before, too
}
