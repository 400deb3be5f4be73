package vault

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"parley/internal/secret"
)

// A conn is one connection with its prepared statements. It serves one
// goroutine at a time.
type conn struct {
	db    *sqlite3.Conn
	stmts map[string]*sqlite3.Stmt // by their text
	wal   int                      // pages in the WAL after the last commit
}

// settings hold for every connection. It is the only one, and keeps the WAL's
// index in memory: the VFS encrypts blocks of 4 KiB, so what one connection
// appends to a block of the WAL, another could read half written. Temporary
// tables stay in memory too: nothing is written beside the database.
// Checkpoints are ours to make (vault.go).
const settings = `
	PRAGMA locking_mode = exclusive;
	PRAGMA temp_store = memory;
	PRAGMA secure_delete = on;
	PRAGMA cell_size_check = on;
	PRAGMA trusted_schema = off;
	PRAGMA cache_size = -8000;
	PRAGMA wal_autocheckpoint = 0;`

// openConn opens the database at path, which exists already.
func openConn(path string, key secret.Key) (*conn, error) {
	db, err := sqlite3.OpenFlags(uri(path), sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI)
	if err != nil {
		return nil, failed("open vault.db", err)
	}
	c := &conn{db: db, stmts: make(map[string]*sqlite3.Stmt)}
	plain := key.Bytes()
	defer clear(plain)
	// The error of this step could quote the key.
	if db.Exec("PRAGMA hexkey='"+hex.EncodeToString(plain)+"'") != nil {
		c.close()
		return nil, failed("open vault.db", sqlite3.IOERR_BADKEY)
	}
	if err := db.Exec(settings); err != nil {
		c.close()
		return nil, failed("open vault.db", err)
	}
	db.WALHook(func(_ *sqlite3.Conn, _ string, pages int) error {
		c.wal = pages
		return nil
	})
	return c, nil
}

// uri names the file at path, whatever characters it has, and the VFS.
func uri(path string) string {
	p := filepath.ToSlash(path)
	if strings.HasPrefix(p, "//") {
		p = "//" + p // no authority, then a path of two slashes (Windows shares)
	}
	return "file:" + (&url.URL{Path: p}).EscapedPath() + "?vfs=" + vfsName
}

func (c *conn) close() error {
	for _, s := range c.stmts {
		s.Close() // repeats the error of the last step, if any
	}
	c.stmts = nil
	return failed("close vault.db", c.db.Close())
}

// query runs one statement and calls row for each row until it returns false.
// args are int64 or []byte.
func (c *conn) query(step, sql string, row func(*sqlite3.Stmt) (more bool, err error), args ...any) (err error) {
	s := c.stmts[sql]
	if s == nil {
		if s, _, err = c.db.Prepare(sql); err != nil {
			return failed(step, err)
		}
		c.stmts[sql] = s
	}
	defer func() {
		s.Reset() // repeats the error of Step
		s.ClearBindings()
	}()
	for i, a := range args {
		switch a := a.(type) {
		case int64:
			err = s.BindInt64(i+1, a)
		case []byte:
			err = s.BindBlob(i+1, a)
		default:
			err = fmt.Errorf("can't bind a %T", a)
		}
		if err != nil {
			return failed(step, err)
		}
	}
	for s.Step() {
		if row == nil {
			continue
		}
		more, err := row(s)
		if err != nil || !more {
			return err
		}
	}
	return failed(step, s.Err())
}

// run runs one statement that has no rows of interest.
func (c *conn) run(step, sql string, args ...any) error { return c.query(step, sql, nil, args...) }

// number runs a statement that yields one number.
func (c *conn) number(step, sql string) (n int64, err error) {
	err = c.query(step, sql, func(s *sqlite3.Stmt) (bool, error) {
		n = s.ColumnInt64(0)
		return false, nil
	})
	return n, err
}

// rollback ends the transaction, unless SQLite has done so itself.
func (c *conn) rollback() error {
	if c.db.GetAutocommit() {
		return nil
	}
	return c.run("roll back", "ROLLBACK")
}

// checkpoint writes the WAL back, and cuts it to nothing or, with
// CHECKPOINT_RESTART, lets it be written over.
func (c *conn) checkpoint(mode sqlite3.CheckpointMode) error {
	if _, _, err := c.db.WALCheckpoint("main", mode); err != nil {
		return failed("checkpoint", err)
	}
	c.wal = 0
	return nil
}
