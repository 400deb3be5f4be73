package vault

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"parley/internal/secret"
)

// A DialogueID names a dialogue in one vault: 40 random bits, never 0. It
// means nothing outside, and is not used again after Burn.
type DialogueID uint64

const idBits = 40

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// String is eight letters and digits.
func (id DialogueID) String() string {
	return idEncoding.EncodeToString([]byte{byte(id >> 32), byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)})
}

// ParseDialogueID is the inverse of String.
func ParseDialogueID(s string) (DialogueID, error) {
	b, err := idEncoding.DecodeString(s)
	if err != nil || len(b) != idBits/8 {
		return 0, fmt.Errorf("%w: %q is not a dialogue's id", ErrNotFound, s)
	}
	id := idOf(b)
	if id == 0 || id.String() != s { // DecodeString skips line feeds
		return 0, fmt.Errorf("%w: %q is not a dialogue's id", ErrNotFound, s)
	}
	return id, nil
}

func idOf(b []byte) (id DialogueID) {
	for _, c := range b {
		id = id<<8 | DialogueID(c)
	}
	return id
}

// A Tx is one transaction, good until the function that got it returns, for
// one goroutine. A step that failed makes Update roll back, whatever its
// function returns (not: ErrNotFound, and refusals of bad arguments by Get).
type Tx struct {
	c        *conn
	global   cipher.AEAD
	writable bool
	over     bool
	err      error               // the first step that failed
	burned   map[DialogueID]bool // in this transaction
}

// Update runs fn in a transaction that reads what the one before wrote. When it
// returns nil, all of it is durable; if fn returns an error (which Update then
// returns) or panics, none of it happened. Updates run one after another.
// fn must not call the Vault's methods.
func (v *Vault) Update(fn func(*Tx) error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return ErrClosed
	}
	if v.broken != nil {
		return v.broken
	}
	v.stirred, v.uncut = true, true
	tx := &Tx{c: v.db, global: v.global, writable: true}
	if err := v.write(tx, fn); err != nil {
		return err
	}
	if len(tx.burned) > 0 {
		if err := v.sweep(); err != nil {
			v.broken = failed("remove what was burned", err)
			return v.broken
		}
		return v.truncate()
	}
	if v.db.wal >= maxWAL {
		// What was written is durable: if this fails, the next Update says so.
		v.broken = v.db.checkpoint(sqlite3.CHECKPOINT_RESTART)
	}
	return nil
}

// write is Update up to the commit.
func (v *Vault) write(tx *Tx, fn func(*Tx) error) (err error) {
	if err := v.db.run("begin", "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	committed := false
	defer func() {
		tx.over = true
		if committed {
			return
		}
		if rerr := v.db.rollback(); rerr != nil {
			v.broken = rerr
			err = errors.Join(err, rerr)
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	if tx.err != nil {
		return tx.err
	}
	err = v.db.run("commit", "COMMIT")
	committed = err == nil
	if err != nil && !errors.Is(err, sqlite3.FULL) {
		// Whether it reached the disk is known only to who opens it again.
		v.broken = err
	}
	return err
}

// View runs fn on the state that the last Update left. It takes its turn with
// Updates. fn must not call the Vault's methods.
func (v *Vault) View(fn func(*Tx) error) (err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return ErrClosed
	}
	if v.broken != nil {
		return v.broken
	}
	if err := v.db.run("begin", "BEGIN"); err != nil {
		return err
	}
	tx := &Tx{c: v.db, global: v.global}
	defer func() {
		tx.over = true
		if rerr := v.db.rollback(); rerr != nil {
			v.broken = rerr
			err = errors.Join(err, rerr)
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.err
}

// Checkpoint writes the WAL back and cuts it, so that nothing of what was
// deleted remains in the files.
func (v *Vault) Checkpoint() error {
	return v.cut(func() bool { return true })
}

// Tidy is Checkpoint if there is something to cut and nothing was written since
// the last Tidy. Good to call now and then.
func (v *Vault) Tidy() error {
	return v.cut(func() bool {
		quiet := !v.stirred
		v.stirred = false
		return quiet && v.uncut
	})
}

func (v *Vault) cut(due func() bool) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return ErrClosed
	}
	if v.broken != nil {
		return v.broken
	}
	if !due() {
		return nil
	}
	return v.truncate()
}

// truncate is Checkpoint, under mu.
func (v *Vault) truncate() error {
	v.broken = v.db.checkpoint(sqlite3.CHECKPOINT_TRUNCATE)
	v.uncut = v.broken != nil
	return v.broken
}

// sweep removes the rows of burned dialogues, a few at a time: whoever is
// interrupted goes on with it when the vault is opened.
func (v *Vault) sweep() error {
	var ids []int64
	err := v.db.query("list what was burned", "SELECT id FROM burned", func(s *sqlite3.Stmt) (bool, error) {
		ids = append(ids, s.ColumnInt64(0))
		return true, nil
	})
	for _, id := range ids {
		for n := int64(sweepRows); err == nil && n == sweepRows; {
			err = v.db.run("remove rows", `DELETE FROM entry WHERE id IN
				(SELECT id FROM entry WHERE space = ?1 LIMIT ?2)`, id, int64(sweepRows))
			n = v.db.db.Changes()
			if err == nil && v.db.wal >= maxWAL {
				err = v.db.checkpoint(sqlite3.CHECKPOINT_RESTART)
			}
		}
		if err == nil {
			err = v.db.run("remove rows", "DELETE FROM burned WHERE id = ?1", id)
		}
	}
	return err
}

// check is asked before every step.
func (tx *Tx) check(write bool) error {
	switch {
	case tx.over:
		return ErrClosed
	case write && !tx.writable:
		return ErrReadOnly
	}
	return tx.err
}

// keep remembers the first error.
func (tx *Tx) keep(err error) error {
	if tx.err == nil {
		tx.err = err
	}
	return err
}

// Global is the space of what belongs to no dialogue.
func (tx *Tx) Global() *Space { return &Space{tx: tx, aead: tx.global} }

// NewDialogue makes a space with a key of its own.
func (tx *Tx) NewDialogue() (DialogueID, *Space, error) {
	if err := tx.check(true); err != nil {
		return 0, nil, err
	}
	for {
		b := make([]byte, idBits/8)
		rand.Read(b)
		id := idOf(b)
		if taken, err := tx.taken(id); err != nil {
			return 0, nil, tx.keep(err)
		} else if taken {
			continue
		}
		key := randomKey()
		plain := key.Bytes()
		err := tx.c.run("make a dialogue", "INSERT INTO dialogue (id, key) VALUES (?1, ?2)", int64(id), plain)
		clear(plain)
		if err != nil {
			return 0, nil, tx.keep(err)
		}
		return id, &Space{tx: tx, id: id, aead: mustAEAD(key)}, nil
	}
}

// taken tells whether id is 0, or in use, or was and has rows yet.
func (tx *Tx) taken(id DialogueID) (taken bool, err error) {
	err = tx.c.query("make a dialogue", `SELECT 1 FROM dialogue WHERE id = ?1
		UNION ALL SELECT 1 FROM burned WHERE id = ?1`, func(*sqlite3.Stmt) (bool, error) {
		taken = true
		return false, nil
	}, int64(id))
	return taken || id == 0, err
}

// Dialogue is the space of a dialogue, or ErrNotFound.
func (tx *Tx) Dialogue(id DialogueID) (*Space, error) {
	if err := tx.check(false); err != nil {
		return nil, err
	}
	var key secret.Key
	err := tx.c.query("open a dialogue", "SELECT key FROM dialogue WHERE id = ?1", func(s *sqlite3.Stmt) (bool, error) {
		var err error
		if key, err = secret.NewKey(s.ColumnRawBlob(0)); err != nil {
			return false, damaged("a dialogue's key")
		}
		return false, nil
	}, int64(id))
	if err != nil {
		return nil, tx.keep(err)
	}
	if key.IsZero() {
		return nil, ErrNotFound
	}
	return &Space{tx: tx, id: id, aead: mustAEAD(key)}, nil
}

// Dialogues lists all dialogues, in no order that means anything.
func (tx *Tx) Dialogues() ([]DialogueID, error) {
	if err := tx.check(false); err != nil {
		return nil, err
	}
	var ids []DialogueID
	err := tx.c.query("list dialogues", "SELECT id FROM dialogue ORDER BY id", func(s *sqlite3.Stmt) (bool, error) {
		ids = append(ids, DialogueID(s.ColumnInt64(0)))
		return true, nil
	})
	if err != nil {
		return nil, tx.keep(err)
	}
	return ids, nil
}

// Burn forgets a dialogue: the commit deletes its key, and before Update
// returns its rows are removed and the WAL is cut. A crash in between leaves
// rows that nobody can open; they are removed when the vault is opened again.
func (tx *Tx) Burn(id DialogueID) error {
	if err := tx.check(true); err != nil {
		return err
	}
	if err := tx.c.run("burn a dialogue", "DELETE FROM dialogue WHERE id = ?1", int64(id)); err != nil {
		return tx.keep(err)
	}
	if tx.c.db.Changes() == 0 {
		return ErrNotFound
	}
	if err := tx.c.run("burn a dialogue", "INSERT INTO burned (id) VALUES (?1)", int64(id)); err != nil {
		return tx.keep(err)
	}
	if tx.burned == nil {
		tx.burned = make(map[DialogueID]bool)
	}
	tx.burned[id] = true
	return nil
}
