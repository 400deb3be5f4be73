package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/ncruces/go-sqlite3"
)

// cheap keeps tests quick; no vault of anybody's is made with it.
var cheap = cost{time: 1, memory: 8, lanes: 1}

var pass = []byte("correct horse battery")

func made(t testing.TB) (*Vault, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "Vault % ü?#")
	v, err := create(dir, pass, cheap)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v, dir
}

func update(t testing.TB, v *Vault, fn func(*Tx) error) {
	t.Helper()
	if err := v.Update(fn); err != nil {
		t.Fatal(err)
	}
}

func closed(t testing.TB, v *Vault) {
	t.Helper()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
}

func opened(t testing.TB, dir string) *Vault {
	t.Helper()
	v, err := Open(dir, pass)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func put(t testing.TB, v *Vault, key, value string) {
	t.Helper()
	update(t, v, func(tx *Tx) error { return tx.Global().Put([]byte(key), []byte(value)) })
}

func get(t testing.TB, v *Vault, key string) string {
	t.Helper()
	var got []byte
	err := v.View(func(tx *Tx) (err error) {
		got, err = tx.Global().Get([]byte(key))
		return err
	})
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	return string(got)
}

func TestCreateAndOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if Exists(dir) {
		t.Error("a vault exists before it was made")
	}
	if _, err := Open(dir, pass); !errors.Is(err, ErrNone) {
		t.Errorf("no vault: %v", err)
	}
	if _, err := Create(dir, nil); !errors.Is(err, ErrNoPassphrase) {
		t.Errorf("empty passphrase: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused Create left a folder: %v", err)
	}
	v, err := Create(dir, pass) // at full cost, once
	if err != nil {
		t.Fatal(err)
	}
	put(t, v, "name", "Ada")
	closed(t, v)
	closed(t, v)
	if info, err := os.Stat(dir); err != nil || (runtime.GOOS != "windows" && info.Mode().Perm() != 0o700) {
		t.Errorf("mode of the folder: %v %v", info.Mode(), err)
	}
	if !Exists(dir) {
		t.Error("Exists does not see it")
	}
	if _, err := create(dir, pass, cheap); !errors.Is(err, ErrExists) {
		t.Errorf("made twice: %v", err)
	}
	if _, err := Open(dir, []byte("wrong")); !errors.Is(err, ErrPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if _, err := Open(dir, nil); !errors.Is(err, ErrNoPassphrase) {
		t.Errorf("no passphrase: %v", err)
	}
	h, err := readHeader(dir)
	if err != nil || h.cost != (cost{3, 64 << 10, 4}) {
		t.Errorf("cost of a vault: %+v, %v", h.cost, err)
	}
	if got := get(t, opened(t, dir), "name"); got != "Ada" {
		t.Errorf("got %q", got)
	}
}

func TestComposedAndDecomposed(t *testing.T) {
	dir := t.TempDir()
	v, err := create(dir, []byte("caf\u00e9 \u0439"), cheap)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, v)
	if v, err = Open(dir, []byte("cafe\u0301 \u0438\u0306")); err != nil {
		t.Fatal(err)
	}
	closed(t, v)
}

func TestClosed(t *testing.T) {
	v, _ := made(t)
	var kept *Tx
	var space *Space
	update(t, v, func(tx *Tx) error { kept, space = tx, tx.Global(); return nil })
	if err := space.Put([]byte("k"), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Put after the transaction: %v", err)
	}
	if _, err := kept.Dialogues(); !errors.Is(err, ErrClosed) {
		t.Errorf("Dialogues after the transaction: %v", err)
	}
	closed(t, v)
	never := func(*Tx) error { t.Error("ran in a closed vault"); return nil }
	for name, err := range map[string]error{
		"Update": v.Update(never), "View": v.View(never), "SetNote": v.SetNote(""),
		"Checkpoint": v.Checkpoint(), "ChangePassphrase": v.ChangePassphrase(pass, pass),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRollback(t *testing.T) {
	v, _ := made(t)
	put(t, v, "k", "1")
	mine := errors.New("mine")
	if err := v.Update(func(tx *Tx) error {
		tx.Global().Put([]byte("k"), []byte("2"))
		return mine
	}); err != mine {
		t.Errorf("got %v", err)
	}
	// A step that failed can't be overlooked.
	if err := v.Update(func(tx *Tx) error {
		tx.Global().Put([]byte("k"), []byte("2"))
		tx.Global().Put(nil, nil)
		if err := tx.Global().Put([]byte("l"), nil); !errors.Is(err, ErrKeySize) {
			t.Errorf("went on after an error: %v", err)
		}
		return nil
	}); !errors.Is(err, ErrKeySize) {
		t.Errorf("got %v", err)
	}
	func() {
		defer func() {
			if recover() != "mine" {
				t.Error("no panic")
			}
		}()
		v.Update(func(tx *Tx) error {
			tx.Global().Put([]byte("k"), []byte("2"))
			panic("mine")
		})
	}()
	if got := get(t, v, "k"); got != "1" {
		t.Errorf("got %q", got)
	}
	if err := v.View(func(tx *Tx) error {
		tx.Global().Put([]byte("k"), []byte("2"))
		return nil
	}); !errors.Is(err, ErrReadOnly) {
		t.Errorf("a View wrote: %v", err)
	}
	func() {
		defer func() { recover() }()
		v.View(func(*Tx) error { panic("mine") })
	}()
	put(t, v, "k", "3")
	if got := get(t, v, "k"); got != "3" {
		t.Errorf("got %q", got)
	}
}

func TestChangePassphrase(t *testing.T) {
	v, dir := made(t)
	put(t, v, "k", "1")
	next := []byte("another one, longer")
	if err := v.ChangePassphrase([]byte("wrong"), next); !errors.Is(err, ErrPassphrase) {
		t.Errorf("wrong: %v", err)
	}
	if err := v.ChangePassphrase(pass, nil); !errors.Is(err, ErrNoPassphrase) {
		t.Errorf("empty: %v", err)
	}
	if err := v.ChangePassphrase(pass, next); err != nil {
		t.Fatal(err)
	}
	key := v.Key()
	closed(t, v)
	if _, err := Open(dir, pass); !errors.Is(err, ErrPassphrase) {
		t.Errorf("the old one: %v", err)
	}
	// Half of a change that crashed is not looked at.
	if err := os.WriteFile(filepath.Join(dir, changeFile), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if v, err := Open(dir, next); err != nil {
		t.Error(err)
	} else {
		closed(t, v)
	}
	v, err := OpenKey(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	if got := get(t, v, "k"); got != "1" {
		t.Errorf("got %q", got)
	}
	closed(t, v)
	other, _ := made(t)
	if _, err := OpenKey(dir, other.Key()); !errors.Is(err, ErrPassphrase) {
		t.Errorf("another vault's key: %v", err)
	}
}

func TestInterruptedCreate(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{newKeyFile, dbFile, dbFile + "-wal"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v, err := create(dir, pass, cheap)
	if err != nil {
		t.Fatal(err)
	}
	put(t, v, "k", "1")
	closed(t, v)
	if err := os.Remove(filepath.Join(dir, keyFile)); err != nil {
		t.Fatal(err)
	}
	before := readAll(t, dir)
	if _, err := create(dir, pass, cheap); !errors.Is(err, ErrDamaged) {
		t.Errorf("a database without header: %v", err)
	}
	if _, err := CreateThrowaway(dir); !errors.Is(err, ErrDamaged) {
		t.Errorf("a throwaway over a database: %v", err)
	}
	same(t, before, readAll(t, dir))
}

func TestThrowaway(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "rehearsal")
	v, err := CreateThrowaway(dir)
	if err != nil {
		t.Fatal(err)
	}
	put(t, v, "k", "1")
	if got := get(t, v, "k"); got != "1" || Exists(dir) {
		t.Errorf("got %q, exists %v", got, Exists(dir))
	}
	closed(t, v)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it left something: %v", err)
	}
	real, realDir := made(t)
	closed(t, real)
	if _, err := CreateThrowaway(realDir); !errors.Is(err, ErrExists) {
		t.Errorf("over a vault: %v", err)
	}
}

func TestOneHolder(t *testing.T) {
	v, dir := made(t)
	if err := v.SetNote("http://127.0.0.1:1234/"); err != nil {
		t.Fatal(err)
	}
	_, err := Open(dir, pass)
	var inUse *InUseError
	if !errors.As(err, &inUse) || inUse.PID != os.Getpid() || inUse.Note != "http://127.0.0.1:1234/" {
		t.Errorf("second Open: %v", err)
	}
	if _, err := create(dir, pass, cheap); !errors.As(err, &inUse) {
		t.Errorf("second Create: %v", err)
	}
	if pid, note, ok := Holder(dir); pid != os.Getpid() || note != inUse.Note || !ok {
		t.Errorf("Holder: %d %q %v", pid, note, ok)
	}
	for _, note := range []string{"two\nlines", strings.Repeat("x", 401), "\x1b[2J", "\xff"} {
		if err := v.SetNote(note); !errors.Is(err, ErrNote) {
			t.Errorf("note %q: %v", note, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := OpenWait(ctx, dir, pass); !errors.As(err, &inUse) {
		t.Errorf("waited: %v", err)
	}
	if _, err := OpenWait(t.Context(), dir, []byte("wrong")); !errors.Is(err, ErrPassphrase) {
		t.Errorf("waited with a wrong passphrase: %v", err)
	}
	got := make(chan error)
	go func() {
		w, err := OpenKeyWait(t.Context(), dir, v.Key())
		if err == nil {
			err = w.Close()
		}
		got <- err
	}()
	closed(t, v)
	if err := <-got; err != nil {
		t.Errorf("after the release: %v", err)
	}
	if _, _, ok := Holder(dir); ok {
		t.Error("somebody holds a closed vault")
	}
	// What a killed process leaves says nothing.
	if err := os.WriteFile(filepath.Join(dir, lockFile), encodeNote(1, "stale"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, ok := Holder(dir); ok {
		t.Error("a stale note counts")
	}
	closed(t, opened(t, dir))
}

func TestConcurrent(t *testing.T) {
	v, _ := made(t)
	put(t, v, "a", "0")
	put(t, v, "b", "0")
	var writers, viewers sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		viewers.Go(func() {
			for last := 0; ; {
				err := v.View(func(tx *Tx) error {
					a, err := tx.Global().Get([]byte("a"))
					if err != nil {
						return err
					}
					runtime.Gosched()
					b, err := tx.Global().Get([]byte("b"))
					if err != nil {
						return err
					}
					var n int
					fmt.Sscan(string(a), &n)
					if !bytes.Equal(a, b) || n < last {
						return fmt.Errorf("saw %s and %s after %d", a, b, last)
					}
					last = n
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for range 4 {
		writers.Go(func() {
			for range 25 {
				if err := v.Update(func(tx *Tx) error {
					a, err := tx.Global().Get([]byte("a"))
					if err != nil {
						return err
					}
					var n int
					fmt.Sscan(string(a), &n)
					next := fmt.Append(nil, n+1)
					if err := tx.Global().Put([]byte("a"), next); err != nil {
						return err
					}
					return tx.Global().Put([]byte("b"), next)
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	if err := v.Checkpoint(); err != nil {
		t.Error(err)
	}
	close(stop)
	viewers.Wait()
	if got := get(t, v, "b"); got != "100" {
		t.Errorf("b is %s after 100 updates", got)
	}
}

func TestSettings(t *testing.T) {
	v, _ := made(t)
	for pragma, want := range map[string]int64{"secure_delete": 1, "synchronous": 2, "temp_store": 2, "user_version": 1} {
		if got, err := v.db.number("test", "PRAGMA "+pragma); err != nil || got != want {
			t.Errorf("%s is %d, %v", pragma, got, err)
		}
	}
}

func TestWALIsCut(t *testing.T) {
	v, dir := made(t)
	wal := filepath.Join(dir, dbFile+"-wal")
	size := func() int64 {
		info, err := os.Stat(wal)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	put(t, v, "k", "1")
	if size() == 0 {
		t.Fatal("no WAL")
	}
	put(t, v, "big", strings.Repeat("x", maxWAL*4096))
	big := size()
	for range maxWAL / 2 {
		put(t, v, "k", "2")
	}
	if got := size(); got != big {
		t.Errorf("WAL of %d bytes, then %d", big, got)
	}
	if err := v.Checkpoint(); err != nil || size() != 0 {
		t.Errorf("Checkpoint: %v, %d bytes left", err, size())
	}
	put(t, v, "k", "3")
	if err := v.Tidy(); err != nil || size() == 0 {
		t.Errorf("Tidy cut what had just been written (%v)", err)
	}
	if err := v.Tidy(); err != nil || size() != 0 {
		t.Errorf("Tidy: %v, %d bytes left", err, size())
	}
	closed(t, v)
	if _, err := os.Stat(wal); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("WAL after Close: %v", err)
	}
}

func TestMigrate(t *testing.T) {
	v, dir := made(t)
	closed(t, v)
	c, err := openConn(filepath.Join(dir, dbFile), v.key.pages())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	fail := errors.New("fails")
	add := func(c *conn) error { return c.db.Exec("CREATE TABLE added (x)") }
	half := func(c *conn) error { c.db.Exec("CREATE TABLE half (x)"); return fail }
	if err := migrate(c, []func(*conn) error{createTables, add, half}); !errors.Is(err, fail) {
		t.Errorf("got %v", err)
	}
	n, err := c.number("test", "SELECT count(*) FROM sqlite_schema WHERE name IN ('added', 'half')")
	if version, _ := c.number("test", "PRAGMA user_version"); n != 1 || version != 2 || err != nil {
		t.Errorf("%d tables, version %d, %v", n, version, err)
	}
	c.close()
	before := readAll(t, dir)
	_, err = Open(dir, pass)
	if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("a newer vault: %v", err)
	}
	same(t, before, readAll(t, dir))
}

func TestErrorsOfSQLite(t *testing.T) {
	if err := failed("get", sqlite3.CORRUPT_INDEX); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
	err := failed("get", sqlite3.FULL)
	if errors.Is(err, ErrDamaged) || !errors.Is(err, sqlite3.FULL) || !strings.Contains(err.Error(), "get") {
		t.Error(err)
	}
	v, _ := made(t)
	if err := v.db.run("this step", "SELECT nothing"); err == nil || !strings.Contains(err.Error(), "this step") {
		t.Error(err)
	}
	if err := v.db.run("bind", "SELECT ?1", "text"); err == nil {
		t.Error("bound a string")
	}
}

// After a commit that failed, nothing is written until the vault is opened again.
func TestBroken(t *testing.T) {
	v, dir := made(t)
	put(t, v, "k", "1")
	v.db.db.CommitHook(func() bool { return false })
	if err := v.Update(func(tx *Tx) error { return tx.Global().Put([]byte("k"), []byte("2")) }); err == nil {
		t.Fatal("the commit was refused, and Update returned nil")
	}
	v.db.db.CommitHook(nil)
	if err := v.Update(func(*Tx) error { t.Error("ran"); return nil }); err == nil {
		t.Error("wrote on")
	}
	if err := v.Checkpoint(); err == nil {
		t.Error("checkpointed")
	}
	closed(t, v)
	if got := get(t, opened(t, dir), "k"); got != "1" {
		t.Errorf("got %q", got)
	}
}

func readAll(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(b)
	}
	return all
}

// same compares two readings of a folder, but for the lock file, which says
// nothing.
func same(t testing.TB, before, after map[string]string) {
	t.Helper()
	for name := range after {
		if _, ok := before[name]; !ok && name != lockFile &&
			(!strings.HasSuffix(name, "-wal") || after[name] != "") {
			t.Errorf("%s is new", name)
		}
	}
	for name := range before {
		if name != lockFile && before[name] != after[name] {
			t.Errorf("%s was changed", name)
		}
	}
}
