package vault

import (
	"errors"
	"fmt"
)

// migrations[i] brings a database of version i to version i+1. Entries are
// never changed once released: testdata holds a vault of every version.
var migrations = []func(*conn) error{
	createTables,
}

// createTables makes version 1. entry has row ids of its own: values of 1 KiB
// fit three to a page so, and one to a page if (space, key) were the primary
// key of a table WITHOUT ROWID.
func createTables(c *conn) error {
	return failed("create tables", c.db.Exec(`
		CREATE TABLE dialogue (
			id  INTEGER PRIMARY KEY, -- DialogueID
			key BLOB NOT NULL        -- 32 bytes; seals the values of the space
		) STRICT;
		CREATE TABLE burned (        -- rows of these spaces are yet to be removed
			id  INTEGER PRIMARY KEY
		) STRICT;
		CREATE TABLE entry (
			id    INTEGER PRIMARY KEY,
			space INTEGER NOT NULL,  -- 0, or the dialogue's id
			key   BLOB NOT NULL,
			value BLOB NOT NULL      -- nonce and XChaCha20-Poly1305, the key as associated data
		) STRICT;
		CREATE UNIQUE INDEX entry_key ON entry (space, key);`))
}

// migrate brings the database to the newest version, a step at a time.
func migrate(c *conn, steps []func(*conn) error) error {
	version, err := c.number("read the version", "PRAGMA user_version")
	if err != nil {
		return err
	}
	if version < 0 || version > int64(len(steps)) {
		return fmt.Errorf("%w (vault.db has version %d, known are 1 to %d)", ErrNewer, version, len(steps))
	}
	for ; version < int64(len(steps)); version++ {
		if err := migrateOne(c, steps[version], version+1); err != nil {
			return fmt.Errorf("migration to version %d: %w", version+1, err)
		}
	}
	return nil
}

func migrateOne(c *conn, step func(*conn) error, to int64) error {
	err := c.run("begin", "BEGIN IMMEDIATE")
	if err == nil {
		err = step(c)
	}
	if err == nil {
		err = failed("set the version", c.db.Exec(fmt.Sprintf("PRAGMA user_version = %d", to)))
	}
	if err == nil {
		err = c.run("commit", "COMMIT")
	}
	if err != nil {
		return errors.Join(err, c.rollback())
	}
	return nil
}
