package vault

import (
	"bytes"
	"crypto/cipher"

	"github.com/ncruces/go-sqlite3"
)

const (
	// MaxKey is the longest key, in bytes.
	MaxKey = 512
	// MaxValue is the longest value, in bytes: 16 MiB.
	MaxValue = 16 << 20

	// A Scan reads so many rows, and about so many bytes, at a time.
	scanRows  = 128
	scanBytes = 1 << 20
)

// A Space is a map from keys, byte strings ordered bytewise, to values. It is
// good as long as its Tx.
type Space struct {
	tx   *Tx
	id   DialogueID // 0: global
	aead cipher.AEAD
}

// Get returns the value of key, or ErrNotFound.
func (s *Space) Get(key []byte) ([]byte, error) {
	if err := s.check(false, key); err != nil {
		return nil, err
	}
	var value []byte
	err := s.tx.c.query("get", "SELECT value FROM entry WHERE space = ?1 AND key = ?2", func(st *sqlite3.Stmt) (_ bool, err error) {
		value, err = unseal(s.aead, key, st.ColumnRawBlob(0))
		return false, err
	}, int64(s.id), key)
	if err != nil {
		return nil, s.tx.keep(err)
	}
	if value == nil {
		return nil, ErrNotFound
	}
	return value, nil
}

// Put makes value the value of key.
func (s *Space) Put(key, value []byte) error {
	if err := s.check(true, key); err != nil {
		return s.tx.keep(err)
	}
	if len(value) > MaxValue {
		return s.tx.keep(ErrValueSize)
	}
	return s.tx.keep(s.tx.c.run("put", `INSERT INTO entry (space, key, value) VALUES (?1, ?2, ?3)
		ON CONFLICT (space, key) DO UPDATE SET value = excluded.value`, int64(s.id), key, seal(s.aead, key, value)))
}

// Delete removes key. It is no error if there is none.
func (s *Space) Delete(key []byte) error {
	if err := s.check(true, key); err != nil {
		return s.tx.keep(err)
	}
	return s.tx.keep(s.tx.c.run("delete", "DELETE FROM entry WHERE space = ?1 AND key = ?2", int64(s.id), key))
}

// DeleteRange removes all keys from from on that lie before to. A nil from is
// the first key; a nil to is beyond the last.
func (s *Space) DeleteRange(from, to []byte) error {
	if err := s.check(true, []byte{0}); err != nil {
		return s.tx.keep(err)
	}
	if from == nil {
		from = []byte{}
	}
	if to == nil {
		to = beyond
	}
	return s.tx.keep(s.tx.c.run("delete a range", "DELETE FROM entry WHERE space = ?1 AND key >= ?2 AND key < ?3", int64(s.id), from, to))
}

// DeletePrefix removes all keys that begin with prefix.
func (s *Space) DeletePrefix(prefix []byte) error { return s.DeleteRange(prefix, after(prefix)) }

// Scan calls fn for the keys that begin with prefix, in order: ascending from
// from on (inclusive), or with reverse descending from before from
// (exclusive); a nil from is the respective end. It stops after limit keys,
// all of them if limit is 0, or with fn's first error, which it returns. fn
// may use the Space, and may keep what it is given.
func (s *Space) Scan(prefix, from []byte, limit int, reverse bool, fn func(key, value []byte) error) error {
	low, high := append([]byte{}, prefix...), after(prefix)
	if from != nil && !reverse && bytes.Compare(from, low) > 0 {
		low = from
	}
	if from != nil && reverse && bytes.Compare(from, high) < 0 {
		high = from
	}
	for n := 0; limit <= 0 || n < limit; {
		rows := scanRows
		if limit > 0 {
			rows = min(rows, limit-n)
		}
		batch, err := s.batch(low, high, rows, reverse)
		if err != nil || len(batch) == 0 {
			return err
		}
		for _, p := range batch {
			if err := fn(p.key, p.value); err != nil {
				return err
			}
		}
		n += len(batch)
		last := batch[len(batch)-1].end
		if reverse {
			high = last
		} else {
			low = append(last, 0)
		}
	}
	return nil
}

type pair struct{ key, value, end []byte }

// batch reads up to rows pairs with low <= key < high, from low on or with
// reverse from high down. The statement is finished when it returns, so that
// fn of Scan may do what it likes.
func (s *Space) batch(low, high []byte, rows int, reverse bool) ([]pair, error) {
	if err := s.check(false, []byte{0}); err != nil {
		return nil, err
	}
	sql := "SELECT key, value FROM entry WHERE space = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT ?4"
	if reverse {
		sql = "SELECT key, value FROM entry WHERE space = ?1 AND key >= ?2 AND key < ?3 ORDER BY key DESC LIMIT ?4"
	}
	var batch []pair
	size := 0
	err := s.tx.c.query("scan", sql, func(st *sqlite3.Stmt) (bool, error) {
		key := st.ColumnBlob(0, nil)
		value, err := unseal(s.aead, key, st.ColumnRawBlob(1))
		if err != nil {
			return false, err
		}
		batch = append(batch, pair{key, value, bytes.Clone(key)}) // fn may write into key
		size += len(value)
		return size < scanBytes, nil
	}, int64(s.id), low, high, int64(rows))
	if err != nil {
		return nil, s.tx.keep(err)
	}
	return batch, nil
}

func (s *Space) check(write bool, key []byte) error {
	if err := s.tx.check(write); err != nil {
		return err
	}
	if s.tx.burned[s.id] {
		return ErrNotFound
	}
	if len(key) == 0 || len(key) > MaxKey {
		return ErrKeySize
	}
	return nil
}

// beyond is greater than every key.
var beyond = bytes.Repeat([]byte{0xff}, MaxKey+1)

// after is the least byte string that is greater than every key with prefix.
func after(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			b := append([]byte{}, prefix[:i+1]...)
			b[i]++
			return b
		}
	}
	return beyond
}
