package mls

import (
	"errors"
	"fmt"

	"parley/internal/wire"
)

// Errors that callers tell apart. What an operation returns wraps one of them
// with what was being done.
var (
	// ErrMalformed: bytes that do not decode.
	ErrMalformed = wire.ErrMalformed

	// ErrTooLarge: above a limit of this package.
	ErrTooLarge = wire.ErrTooLarge

	// ErrInvalid: it decodes, and breaks a rule of RFC 9420.
	ErrInvalid = errors.New("against RFC 9420")

	// ErrUnsupported: RFC 9420 has it, and this package refuses to process
	// it: external commits and senders, ReInit, PreSharedKey, ExternalInit
	// and GroupContextExtensions proposals, branching, PublicMessage, a
	// cipher suite or credential type that it does not know.
	ErrUnsupported = errors.New("not supported")

	// ErrWrongGroup: the message is for another group.
	ErrWrongGroup = errors.New("mls: the message is for another group")

	// ErrUndecryptable: the message does not open under this epoch's keys.
	ErrUndecryptable = errors.New("mls: the message does not open")

	// ErrConsumed: the keys of this message's generation were used and
	// deleted, or never kept. A message that was opened before gives this.
	ErrConsumed = errors.New("mls: the keys of this generation are gone")

	// ErrTooFar: the message's generation lies too far ahead.
	ErrTooFar = errors.New("mls: the generation is too far ahead")

	// ErrOwnMessage: the message names this member as its sender, in a
	// generation that its state has passed. The keys went when that was
	// sealed, so this is not verified: compare it with what was sent.
	ErrOwnMessage = errors.New("mls: the message is this member's own")

	// ErrOwnAhead: this member sent the message (its signature holds) in a
	// generation that this state has not reached: the state is an old copy.
	ErrOwnAhead = errors.New("mls: the message is this member's own, and newer than this state")

	// ErrAltered: somebody else than its sender encrypted the message.
	ErrAltered = errors.New("mls: the message is not as its sender encrypted it")

	// ErrRemoved: the commit removes this member; it cannot enter the epoch.
	ErrRemoved = errors.New("mls: the commit removes this member")

	// ErrStale: a staged or pending commit that was not made for the state
	// the group is in.
	ErrStale = errors.New("mls: the commit was made for another epoch")
)

// An EpochError says that a message belongs to another epoch than the group's.
type EpochError struct{ Group, Message uint64 }

func (e *EpochError) Error() string {
	return fmt.Sprintf("mls: the message is of epoch %d, the group is in %d", e.Message, e.Group)
}

// A RefusedError says that a message is authentic, its signature held, and its
// content breaks a rule. Every member of the epoch comes to the same verdict.
type RefusedError struct {
	Sender LeafIndex
	Kind   ContentType
	Err    error // wraps ErrInvalid, ErrUnsupported or ErrTooLarge
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("mls: a %v by leaf %d is refused: %v", e.Kind, e.Sender, e.Err)
}

func (e *RefusedError) Unwrap() error { return e.Err }

// A LostError says that a commit passes every check that all members can make,
// and that this member can't follow it all the same: its path ciphertext is
// garbage, the keys in it are not those announced, or the confirmation tag is
// wrong. Nothing in RFC 9420 prevents such a commit; the others may follow it.
type LostError struct {
	Committer LeafIndex
	Err       error
}

func (e *LostError) Error() string {
	return fmt.Sprintf("mls: the commit by leaf %d can't be followed: %v", e.Committer, e.Err)
}

func (e *LostError) Unwrap() error { return e.Err }

// invalid is an ErrInvalid that says which rule was broken.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// unsupported is an ErrUnsupported that says what.
func unsupported(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnsupported, fmt.Sprintf(format, args...))
}
