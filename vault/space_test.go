package vault

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
)

func TestSpace(t *testing.T) {
	v, _ := made(t)
	update(t, v, func(tx *Tx) error {
		g := tx.Global()
		id, d, err := tx.NewDialogue()
		if err != nil {
			return err
		}
		for _, s := range []*Space{g, d} {
			if _, err := s.Get([]byte("k")); !errors.Is(err, ErrNotFound) {
				t.Errorf("nothing yet: %v", err)
			}
			if _, err := s.Get(nil); !errors.Is(err, ErrKeySize) {
				t.Errorf("empty key: %v", err)
			}
			if err := s.Delete([]byte("k")); err != nil {
				t.Errorf("Delete of nothing: %v", err)
			}
			for _, value := range [][]byte{[]byte("one"), {}, []byte("three")} {
				if err := s.Put([]byte("k"), value); err != nil {
					return err
				}
				if got, err := s.Get([]byte("k")); err != nil || !bytes.Equal(got, value) || got == nil {
					t.Errorf("got %q, %v", got, err)
				}
			}
		}
		if err := d.Delete([]byte("k")); err != nil {
			return err
		}
		if got, err := g.Get([]byte("k")); err != nil || string(got) != "three" {
			t.Errorf("spaces are not apart: %q, %v", got, err)
		}
		if ids, err := tx.Dialogues(); err != nil || !slices.Equal(ids, []DialogueID{id}) {
			t.Errorf("Dialogues: %v, %v", ids, err)
		}
		if _, err := tx.Dialogue(id + 1); !errors.Is(err, ErrNotFound) {
			t.Errorf("no such dialogue: %v", err)
		}
		if err := tx.Burn(id + 1); !errors.Is(err, ErrNotFound) {
			t.Errorf("Burn of no dialogue: %v", err)
		}
		return nil // what was not found does not spoil the transaction
	})
}

func TestSizes(t *testing.T) {
	v, _ := made(t)
	longest := bytes.Repeat([]byte{0xff}, MaxKey)
	update(t, v, func(tx *Tx) error {
		if err := tx.Global().Put(longest, make([]byte, MaxValue)); err != nil {
			return err
		}
		n := 0
		err := tx.Global().Scan([]byte{0xff}, nil, 0, true, func(k, b []byte) error {
			if n++; !bytes.Equal(k, longest) || len(b) != MaxValue {
				t.Errorf("a key of %d bytes, a value of %d", len(k), len(b))
			}
			return nil
		})
		if n != 1 {
			t.Errorf("%d keys", n)
		}
		return errors.Join(err, tx.Global().Delete(longest))
	})
	if err := v.Update(func(tx *Tx) error { return tx.Global().Put(append(longest, 0), nil) }); !errors.Is(err, ErrKeySize) {
		t.Error(err)
	}
	if err := v.Update(func(tx *Tx) error { return tx.Global().Put([]byte("k"), make([]byte, MaxValue+1)) }); !errors.Is(err, ErrValueSize) {
		t.Error(err)
	}
}

// TestAgainstMap does the same at random to two spaces and to maps.
func TestAgainstMap(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	v, _ := made(t)
	var id DialogueID
	update(t, v, func(tx *Tx) (err error) { id, _, err = tx.NewDialogue(); return err })
	twins := []map[string]string{{}, {}}
	key := func() []byte {
		k := make([]byte, 1+r.IntN(3))
		for i := range k {
			k[i] = []byte{0, 1, 0x7f, 0xfe, 0xff}[r.IntN(5)]
		}
		return k
	}
	some := func() []byte {
		if r.IntN(3) == 0 {
			return nil
		}
		return key()
	}
	for range 60 {
		update(t, v, func(tx *Tx) error {
			d, err := tx.Dialogue(id)
			if err != nil {
				return err
			}
			for range 20 {
				which := r.IntN(2)
				s, twin := []*Space{tx.Global(), d}[which], twins[which]
				switch r.IntN(8) {
				default:
					k, value := key(), fmt.Sprint(r.Uint64())
					twin[string(k)] = value
					err = s.Put(k, []byte(value))
				case 0:
					k := key()
					delete(twin, string(k))
					err = s.Delete(k)
				case 1:
					from, to := some(), some()
					maps.DeleteFunc(twin, func(k, _ string) bool {
						return k >= string(from) && (to == nil || k < string(to))
					})
					err = s.DeleteRange(from, to)
				case 2:
					prefix := append(key(), key()...)
					maps.DeleteFunc(twin, func(k, _ string) bool { return strings.HasPrefix(k, string(prefix)) })
					err = s.DeletePrefix(prefix)
				case 3, 4:
					err = sameScan(t, s, twin, some(), some(), r.IntN(12), r.IntN(2) == 0)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func sameScan(t *testing.T, s *Space, twin map[string]string, prefix, from []byte, limit int, reverse bool) error {
	var want []string
	for _, k := range slices.Sorted(maps.Keys(twin)) {
		if strings.HasPrefix(k, string(prefix)) && (from == nil || (k >= string(from)) != reverse) {
			want = append(want, k+"="+twin[k])
		}
	}
	if reverse {
		slices.Reverse(want)
	}
	if limit > 0 && len(want) > limit {
		want = want[:limit]
	}
	var got []string
	err := s.Scan(prefix, from, limit, reverse, func(k, value []byte) error {
		got = append(got, string(k)+"="+string(value))
		clear(k) // what fn does with it is its own affair
		return nil
	})
	if !slices.Equal(got, want) {
		t.Errorf("scan %x from %x, %d, %v:\n got %q\nwant %q", prefix, from, limit, reverse, got, want)
	}
	return err
}

// A Scan crosses batches, and its function may write and scan.
func TestScanWhileWriting(t *testing.T) {
	v, _ := made(t)
	const n = 3*scanRows + 7
	update(t, v, func(tx *Tx) error {
		g := tx.Global()
		for i := range n {
			if err := g.Put(fmt.Appendf(nil, "m%04d", i), fmt.Append(nil, i)); err != nil {
				return err
			}
		}
		for _, reverse := range []bool{false, true} {
			i := 0
			err := g.Scan([]byte("m"), nil, 0, reverse, func(k, _ []byte) error {
				want := fmt.Sprintf("m%04d", i)
				if reverse {
					want = fmt.Sprintf("m%04d", n-1-i)
				}
				if string(k) != want {
					return fmt.Errorf("got %s, want %s", k, want)
				}
				i++
				if err := g.Put(k, []byte("changed")); err != nil {
					return err
				}
				return g.Scan([]byte("m"), nil, 2, reverse, func(_, _ []byte) error { return nil })
			})
			if err != nil || i != n {
				t.Errorf("reverse %v: %d of %d, %v", reverse, i, n, err)
			}
		}
		stop := errors.New("stop")
		if err := g.Scan(nil, nil, 0, false, func(_, _ []byte) error { return stop }); err != stop {
			t.Errorf("got %v", err)
		}
		return nil
	})
}

func TestDialogueID(t *testing.T) {
	for _, id := range []DialogueID{1, 0x0102030405, 1<<40 - 1} {
		s := id.String()
		if back, err := ParseDialogueID(s); err != nil || back != id || len(s) != 8 {
			t.Errorf("%d is %q is %d, %v", id, s, back, err)
		}
	}
}

func FuzzParseDialogueID(f *testing.F) {
	for _, s := range []string{"aaaaaaab", "aaaaaaaa", "77777777", "aebagbaf", "", "AAAAAAAB", "aaaaaaab\n", "aaaaaaa1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseDialogueID(s)
		if err == nil && (id.String() != s || id == 0) {
			t.Errorf("%q is %d is %q", s, id, id)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	})
}

// decrypted copies every page of the database, free ones too, without
// encryption, and returns the bytes.
func decrypted(t *testing.T, v *Vault) []byte {
	t.Helper()
	if err := v.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(t.TempDir(), "plain.db")
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.db.db.Backup("main", uriPlain(plain)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(plain)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(b, []byte("SQLite format 3")) {
		t.Fatal("not decrypted: the test would see nothing")
	}
	return b
}

func uriPlain(path string) string { return strings.TrimSuffix(uri(path), "?vfs="+vfsName) }

func sealedBytes(t *testing.T, v *Vault, key string) (sealed []byte) {
	t.Helper()
	err := v.db.query("test", "SELECT value FROM entry WHERE key = ?1", func(s *sqlite3.Stmt) (bool, error) {
		sealed = s.ColumnBlob(0, nil)
		return false, nil
	}, []byte(key))
	if err != nil || len(sealed) == 0 {
		t.Fatalf("no row %q: %v", key, err)
	}
	return sealed
}

func TestDeletedIsOverwritten(t *testing.T) {
	for _, size := range []int{10, 1000, 5000, 200_000} {
		v, _ := made(t)
		value := strings.Repeat("v", size)
		put(t, v, "before", value)
		put(t, v, "deleted-key", value)
		put(t, v, "behind", value)
		sealed := sealedBytes(t, v, "deleted-key")
		if b := decrypted(t, v); !bytes.Contains(b, sealed[:40]) || !bytes.Contains(b, []byte("deleted-key")) {
			t.Fatal("it was never there")
		}
		old := sealedBytes(t, v, "before")
		put(t, v, "before", "shorter")
		update(t, v, func(tx *Tx) error { return tx.Global().Delete([]byte("deleted-key")) })
		b := decrypted(t, v)
		for what, gone := range map[string][]byte{
			"key": []byte("deleted-key"), "value": sealed[:40], "end of the value": sealed[len(sealed)-20:],
			"overwritten value": old[:40], "end of the overwritten value": old[len(old)-20:],
		} {
			if bytes.Contains(b, gone) {
				t.Errorf("size %d: the %s is there yet", size, what)
			}
		}
	}
}

func TestBurn(t *testing.T) {
	v, dir := made(t)
	var id, other DialogueID
	var key []byte
	var was *Space
	update(t, v, func(tx *Tx) (err error) {
		var d, o *Space
		if id, d, err = tx.NewDialogue(); err != nil {
			return err
		}
		if other, o, err = tx.NewDialogue(); err != nil {
			return err
		}
		for i := range 3*sweepRows + 1 {
			if err := d.Put(fmt.Appendf(nil, "burned-%d", i), make([]byte, 2000)); err != nil {
				return err
			}
		}
		was = d
		return o.Put([]byte("kept"), []byte("kept"))
	})
	if err := v.db.query("test", "SELECT key FROM dialogue WHERE id = ?1", func(s *sqlite3.Stmt) (bool, error) {
		key = s.ColumnBlob(0, nil)
		return false, nil
	}, int64(id)); err != nil {
		t.Fatal(err)
	}
	sealed := sealedBytes(t, v, "burned-7")
	if b := decrypted(t, v); !bytes.Contains(b, key) || !bytes.Contains(b, sealed) {
		t.Fatal("it was never there")
	}
	update(t, v, func(tx *Tx) error {
		d, err := tx.Dialogue(id)
		if err != nil {
			return err
		}
		if err := tx.Burn(id); err != nil {
			return err
		}
		if _, err := d.Get([]byte("burned-7")); !errors.Is(err, ErrNotFound) {
			t.Errorf("read after Burn: %v", err)
		}
		if _, err := tx.Dialogue(id); !errors.Is(err, ErrNotFound) {
			t.Errorf("opened after Burn: %v", err)
		}
		return nil
	})
	if info, err := os.Stat(filepath.Join(dir, dbFile+"-wal")); err != nil || info.Size() != 0 {
		t.Errorf("the WAL was not cut: %v", err)
	}
	b := decrypted(t, v)
	if bytes.Contains(b, key) || bytes.Contains(b, sealed[:40]) || bytes.Contains(b, []byte("burned-")) {
		t.Error("key, value or row is there yet")
	}
	if n, err := v.db.number("test", "SELECT count(*) FROM entry"); n != 1 || err != nil {
		t.Errorf("%d rows left, %v", n, err)
	}
	// Who kept the sealed bytes has no key for them: neither the vault's nor
	// another dialogue's.
	if _, err := unseal(was.aead, []byte("burned-7"), sealed); err != nil {
		t.Fatalf("the old key should open it: %v", err)
	}
	err := v.View(func(tx *Tx) error {
		o, err := tx.Dialogue(other)
		if err != nil {
			return err
		}
		for _, s := range []*Space{o, tx.Global()} {
			if _, err := unseal(s.aead, []byte("burned-7"), sealed); !errors.Is(err, ErrDamaged) {
				t.Errorf("opened with another key: %v", err)
			}
		}
		got, err := o.Get([]byte("kept"))
		if string(got) != "kept" {
			t.Errorf("the other dialogue: %q", got)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// What a crash left of a burned dialogue is removed by the next open.
func TestBurnGoesOn(t *testing.T) {
	v, dir := made(t)
	var id DialogueID
	update(t, v, func(tx *Tx) error {
		i, d, err := tx.NewDialogue()
		id = i
		return errors.Join(err, d.Put([]byte("k"), []byte("1")))
	})
	// The transaction of Burn, without what Update does after it.
	v.mu.Lock()
	err := v.write(&Tx{c: v.db, global: v.global, writable: true}, func(tx *Tx) error { return tx.Burn(id) })
	v.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	closed(t, v)
	v = opened(t, dir)
	for _, table := range []string{"entry", "burned", "dialogue"} {
		if n, err := v.db.number("test", "SELECT count(*) FROM "+table); n != 0 || err != nil {
			t.Errorf("%d rows in %s, %v", n, table, err)
		}
	}
}

// A value is bound to its key: swapped rows do not open.
func TestSwappedValues(t *testing.T) {
	v, _ := made(t)
	put(t, v, "a", "1")
	put(t, v, "b", "2")
	if err := v.db.run("test", "UPDATE entry SET value = (SELECT value FROM entry WHERE key = ?1)", []byte("b")); err != nil {
		t.Fatal(err)
	}
	err := v.View(func(tx *Tx) error {
		_, err := tx.Global().Get([]byte("a"))
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("got %v", err)
		}
		return nil // not overlooked all the same
	})
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
}
