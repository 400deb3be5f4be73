package client

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"parley/dialogue"
	"parley/relay"
)

// MinPassphrase is the length of a passphrase, in characters, at least.
const MinPassphrase = 12

// Errors of this package. Those by the rules of a dialogue are *RuleError.
var (
	ErrPassphraseShort = fmt.Errorf("a passphrase has %d characters or more", MinPassphrase)
	ErrNoDialogue      = errors.New("there is no such dialogue")
	ErrNoSeat          = errors.New("there is no such seat")
	ErrNoRoom          = errors.New("there is no such room")
	ErrNoMessage       = errors.New("there is no such message")
	ErrNoFile          = errors.New("that message has no file")
	ErrOffline         = errors.New("the relay can't be reached")
	ErrCard            = errors.New("that is not a card, or not a whole one")
	ErrCardExpired     = errors.New("the card has expired")
	ErrCardUsed        = errors.New("the card has been used before")
	ErrCardRevoked     = errors.New("the card was revoked")
	ErrNotSeated       = errors.New("not seated in that dialogue yet")
	ErrWaiting         = errors.New("that has to wait for somebody else")
	ErrFileSize        = errors.New("a file has 10 MB at most")
	ErrFileEmpty       = errors.New("the file is empty")
	ErrFileDamaged     = errors.New("what the relay holds is not the file that was sent")
	ErrText            = errors.New("the text is empty or too long")
	ErrNoReading       = errors.New("nobody is reading words aloud")
	ErrOutbox          = errors.New("too much waits to be delivered already")
)

// A RuleError says that the rules of the dialogue do not allow something.
type RuleError struct {
	Reason  dialogue.Reason
	Missing []string // names of the sides that it waits for
}

func (e *RuleError) Error() string { return "the rules of this dialogue do not allow that" }

// An AmbiguousError says that a prefix names several things.
type AmbiguousError struct {
	Prefix string
	Names  []string
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%q could be: %s", e.Prefix, strings.Join(e.Names, ", "))
}

// DefaultProfile is what a new vault starts with.
func DefaultProfile(name string) Profile {
	return Profile{Name: name, Language: "en", Text: 100, Theme: "auto", Idle: 15}
}

// CheckPassphrase tells whether a new passphrase is long enough.
func CheckPassphrase(p string) error {
	if utf8.RuneCountInString(p) < MinPassphrase {
		return ErrPassphraseShort
	}
	return nil
}

// StartOptions say what dialogue to start.
type StartOptions struct {
	Title string
	Rules dialogue.Rules
	Sides []string
	Relay relay.Address
}

// InviteOptions say for whom a card is.
type InviteOptions struct {
	Side     dialogue.SideID
	Name     string
	Capacity dialogue.Capacity
	Role     dialogue.Role
	Head     bool          // the card is for the head of a side that has none
	Expires  time.Duration // 0: 72 hours
}

// A Draft is a message to be sent.
type Draft struct {
	Room     dialogue.Room
	Text     string
	ReplyTo  dialogue.EventID
	FileName string
	File     io.Reader         // nil: no file
	Readers  []dialogue.SeatID // whom the author was shown; nil: whoever is there now
}

// A Query asks for messages of a room. Before and After are exclusive; 0 is
// open. Without After it gives the latest Limit.
type Query struct {
	Room   dialogue.Room
	Before uint64
	After  uint64
	Limit  int // 0: all
}
