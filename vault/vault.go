package vault

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/ncruces/go-sqlite3"
)

const (
	keyFile  = "vault.key"
	dbFile   = "vault.db"
	lockFile = "vault.lock"
	// newKeyFile is the header of a vault that Create has not finished;
	// changeFile that of a passphrase that is being changed.
	newKeyFile = "vault.key.new"
	changeFile = "vault.key.change"

	// maxWAL is the size of the WAL, in pages of 4 KiB, from which a commit
	// writes it back. The file stays as long as it is: a page that is written
	// over reaches the disk in half the time of one that makes a file longer.
	maxWAL = 1024
	// sweepRows is how many rows of a burned dialogue one transaction removes.
	sweepRows = 64
)

// A Vault is an open vault. Its methods may be called by several goroutines.
type Vault struct {
	dir       string
	key       *Key
	global    cipher.AEAD
	throwaway bool
	lock      *lock

	mu      sync.Mutex // held by whoever reads or writes
	db      *conn      // under mu
	broken  error      // under mu: what was written is uncertain; open again
	stirred bool       // under mu: since the last Tidy
	uncut   bool       // under mu: since the WAL was cut
	closed  bool       // under mu
}

// Exists tells whether there is a vault in dir.
func Exists(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, keyFile))
	return err == nil
}

// Create makes a vault in dir, which is made with mode 0700 if need be, and
// opens it. Errors: ErrExists, ErrNoPassphrase, *InUseError. A Create that was
// interrupted is done again from the start; ErrDamaged says that dir holds a
// database without the header that opens it.
func Create(dir string, passphrase []byte) (*Vault, error) {
	return create(dir, passphrase, defaultCost)
}

func create(dir string, passphrase []byte, c cost) (*Vault, error) {
	if len(passphrase) == 0 {
		return nil, ErrNoPassphrase
	}
	key := newKey()
	header := newHeader(key.id, key.key, passphrase, c)
	return makeVault(dir, key, header)
}

// CreateThrowaway makes a vault whose key is nowhere but in memory, for
// rehearsals, in an empty folder. Close deletes it; what a killed process
// leaves of it, nobody can read. Exists does not see it.
func CreateThrowaway(dir string) (*Vault, error) {
	return makeVault(dir, newKey(), nil)
}

func newKey() *Key {
	k := &Key{key: randomKey()}
	rand.Read(k.id[:])
	return k
}

// makeVault makes the files. The new header is on the disk before there is a
// database and gets its name when the database is whole: a database with
// neither is not ours to overwrite.
func makeVault(dir string, key *Key, h *header) (_ *Vault, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, failed("make the folder", err)
	}
	l, err := acquire(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.release())
		}
	}()
	at := func(name string) string { return filepath.Join(dir, name) }
	if Exists(dir) {
		return nil, ErrExists
	}
	if _, err := os.Lstat(at(newKeyFile)); err == nil && h != nil {
		if err := removeDB(dir); err != nil {
			return nil, err
		}
	}
	if _, err := os.Lstat(at(dbFile)); !errors.Is(err, fs.ErrNotExist) {
		return nil, damaged("there is a vault.db without its vault.key")
	}
	if h != nil {
		if err := writeDurably(at(newKeyFile), h.encode()); err != nil {
			return nil, failed("write vault.key", err)
		}
		if err := syncDir(dir); err != nil {
			return nil, failed("write vault.key", err)
		}
	}
	if err := makeDB(at(dbFile), key); err != nil {
		return nil, err
	}
	if h != nil {
		if err := rename(dir, newKeyFile); err != nil {
			return nil, err
		}
	}
	return open(dir, key, l, h == nil)
}

// makeDB makes a database of the newest version.
func makeDB(path string, key *Key) error {
	if err := writeDurably(path, nil); err != nil { // for its mode
		return failed("create vault.db", err)
	}
	c, err := openConn(path, key.pages())
	if err != nil {
		return err
	}
	err = failed("create vault.db", c.db.Exec("PRAGMA journal_mode = wal; PRAGMA synchronous = full"))
	if err == nil {
		err = migrate(c, migrations)
	}
	return errors.Join(err, c.close())
}

// rename makes the header in file the vault's.
func rename(dir, file string) error {
	err := os.Rename(filepath.Join(dir, file), filepath.Join(dir, keyFile))
	if err == nil {
		err = syncDir(dir)
	}
	return failed("name vault.key", err)
}

func removeDB(dir string) error {
	var all error
	for _, name := range []string{dbFile, dbFile + "-wal"} {
		if err := os.Remove(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			all = errors.Join(all, err)
		}
	}
	return failed("remove vault.db", all)
}

// Open opens the vault in dir. Errors: ErrNone, ErrPassphrase, *InUseError,
// ErrDamaged, ErrNewer.
func Open(dir string, passphrase []byte) (*Vault, error) {
	key, err := Unlock(dir, passphrase)
	if err != nil {
		return nil, err
	}
	return OpenKey(dir, key)
}

// OpenWait is Open, but while another holds the vault it asks every 100 ms
// until ctx ends; then it returns the *InUseError.
func OpenWait(ctx context.Context, dir string, passphrase []byte) (*Vault, error) {
	key, err := Unlock(dir, passphrase)
	if err != nil {
		return nil, err
	}
	return OpenKeyWait(ctx, dir, key)
}

// OpenKey is Open with a key from Unlock or Vault.Key, without the slow work
// on the passphrase. ErrPassphrase says that another vault is in dir now.
func OpenKey(dir string, key *Key) (*Vault, error) {
	return openLocked(dir, key, acquire)
}

// OpenKeyWait is to OpenKey as OpenWait is to Open.
func OpenKeyWait(ctx context.Context, dir string, key *Key) (*Vault, error) {
	return openLocked(dir, key, func(dir string) (*lock, error) { return acquireWait(ctx, dir) })
}

func openLocked(dir string, key *Key, acquire func(string) (*lock, error)) (*Vault, error) {
	if _, err := readHeader(dir); err != nil {
		return nil, err // before there is a lock file
	}
	l, err := acquire(dir)
	if err != nil {
		return nil, err
	}
	h, err := readHeader(dir)
	if err == nil && h.id != key.id {
		err = ErrPassphrase
	}
	if err != nil {
		return nil, errors.Join(err, l.release())
	}
	v, err := open(dir, key, l, false)
	if err != nil {
		return nil, errors.Join(err, l.release())
	}
	return v, nil
}

// open opens the database. The lock is the caller's if it fails.
func open(dir string, key *Key, l *lock, throwaway bool) (_ *Vault, err error) {
	v := &Vault{
		dir: dir, key: key, throwaway: throwaway, lock: l,
		global: mustAEAD(key.global()),
		uncut:  true, // for all that is known
	}
	path := filepath.Join(dir, dbFile)
	// SQLite would take an empty file for a new database.
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return nil, failed("open vault.db", errors.Join(damaged("vault.db is missing or empty"), err))
	}
	if v.db, err = openConn(path, key.pages()); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, v.db.close())
		}
	}()
	if err := v.db.checkWAL(throwaway); err != nil {
		return nil, err
	}
	if err := migrate(v.db, migrations); err != nil {
		return nil, err
	}
	if err := v.sweep(); err != nil {
		return nil, err
	}
	return v, nil
}

// checkWAL reads the first page, and sets how commits reach the disk: at once,
// or for a throwaway whenever the system likes.
func (c *conn) checkWAL(throwaway bool) error {
	mode := ""
	err := c.query("read vault.db", "PRAGMA journal_mode", func(s *sqlite3.Stmt) (bool, error) {
		mode = s.ColumnText(0)
		return false, nil
	})
	if err != nil {
		return err
	}
	if mode != "wal" {
		return damaged("vault.db is not in WAL mode")
	}
	level := "full"
	if throwaway {
		level = "off"
	}
	return failed("open vault.db", c.db.Exec("PRAGMA synchronous = "+level))
}

// Key opens this vault again after Close, without the passphrase.
func (v *Vault) Key() *Key { return v.key }

// SetNote tells other processes something about this one: one line of 400
// bytes at most, such as the address that it serves. Others read it with
// Holder, without the passphrase: nothing secret belongs there.
func (v *Vault) SetNote(note string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return ErrClosed
	}
	return v.lock.note(note)
}

// ChangePassphrase makes new the passphrase instead of old. A crash leaves one
// of them good. Keys from Unlock stay good: they are the database's.
func (v *Vault) ChangePassphrase(old, new []byte) error {
	if len(old) == 0 || len(new) == 0 {
		return ErrNoPassphrase
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return ErrClosed
	}
	h, err := readHeader(v.dir)
	if err != nil {
		return err
	}
	key, err := h.open(old)
	if err != nil {
		return err
	}
	if h.id != v.key.id || !key.Equal(v.key.key) {
		return damaged("vault.key is another vault's")
	}
	next := newHeader(h.id, key, new, h.cost)
	if err := writeDurably(filepath.Join(v.dir, changeFile), next.encode()); err != nil {
		return failed("write vault.key", err)
	}
	return rename(v.dir, changeFile)
}

// Close waits for what is running, writes the WAL back, and lets the vault go.
// Closing twice is fine.
func (v *Vault) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return nil
	}
	v.closed = true
	var all error
	if v.broken == nil {
		all = v.db.checkpoint(sqlite3.CHECKPOINT_TRUNCATE)
	}
	all = errors.Join(all, v.db.close())
	if v.throwaway {
		all = errors.Join(all, removeDB(v.dir))
	}
	all = errors.Join(all, v.lock.release())
	if v.throwaway {
		os.Remove(filepath.Join(v.dir, lockFile))
		os.Remove(v.dir) // unless it holds something of somebody else's
	}
	return all
}
