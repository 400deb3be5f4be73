package vault

import (
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

var (
	// ErrNone says that there is no vault in the folder.
	ErrNone = errors.New("vault: there is no vault here")
	// ErrExists says that there is a vault in the folder already.
	ErrExists = errors.New("vault: there is a vault here already")
	// ErrPassphrase says that the passphrase is not this vault's.
	ErrPassphrase = errors.New("vault: wrong passphrase")
	// ErrNoPassphrase says that a passphrase is missing: an empty one opens nothing.
	ErrNoPassphrase = errors.New("vault: the passphrase is empty")
	// ErrNewer says that a newer Parley made the vault.
	ErrNewer = errors.New("vault: made by a newer version of Parley than this one")
	// ErrDamaged says that the files are not as a vault left them.
	ErrDamaged = errors.New("vault: damaged")
	// ErrNotFound says that there is no such key, or no such dialogue.
	ErrNotFound = errors.New("vault: not found")
	// ErrReadOnly says that a View tried to write.
	ErrReadOnly = errors.New("vault: a view can't write")
	// ErrClosed says that the Vault was closed, or the Tx is over.
	ErrClosed = errors.New("vault: closed")
	// ErrKeySize says that a key is empty or longer than MaxKey.
	ErrKeySize = errors.New("vault: a key has 1 to 512 bytes")
	// ErrValueSize says that a value is longer than MaxValue.
	ErrValueSize = errors.New("vault: a value has 16 MiB at most")
	// ErrNote says that a note is too long or has a control character.
	ErrNote = errors.New("vault: a note is one line of 400 bytes at most")
)

// An InUseError says that another holds the vault.
type InUseError struct {
	PID  int    // the holder's process, 0 if unknown
	Note string // what it said with SetNote, such as the address that it serves
}

func (e *InUseError) Error() string {
	switch {
	case e.PID == 0:
		return "vault: in use by another process"
	case e.Note == "":
		return fmt.Sprintf("vault: in use by process %d", e.PID)
	}
	return fmt.Sprintf("vault: in use by process %d (%s)", e.PID, e.Note)
}

// failed wraps err with the step that failed. What SQLite finds malformed is
// ErrDamaged, too.
func failed(step string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrDamaged):
		return fmt.Errorf("%w (%s)", err, step)
	case errors.Is(err, sqlite3.CORRUPT), errors.Is(err, sqlite3.NOTADB):
		return fmt.Errorf("%w: %s: %w", ErrDamaged, step, err)
	}
	return fmt.Errorf("vault: %s: %w", step, err)
}

func damaged(what string) error { return fmt.Errorf("%w: %s", ErrDamaged, what) }
