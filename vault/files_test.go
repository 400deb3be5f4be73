package vault

import (
	"bytes"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/internal/wire"
)

var makeTestdata = flag.Bool("make-testdata", false, "make testdata/v1 where there is none (released versions are never made again)")

// v1Pass opens testdata/v1.
var v1Pass = []byte("a vault of version 1")

const v1Dialogue = DialogueID(0x0102030405)

func makeV1(t *testing.T, dir string) {
	v, err := create(dir, v1Pass, cheap)
	if err != nil {
		t.Fatal(err)
	}
	update(t, v, func(tx *Tx) error {
		if err := tx.Global().Put([]byte("name"), []byte("Ada")); err != nil {
			return err
		}
		id, _, err := tx.NewDialogue()
		if err != nil {
			return err
		}
		// An id that the test knows.
		if err := tx.c.run("make testdata", "UPDATE dialogue SET id = ?2 WHERE id = ?1", int64(id), int64(v1Dialogue)); err != nil {
			return err
		}
		d, err := tx.Dialogue(v1Dialogue)
		if err != nil {
			return err
		}
		return errors.Join(d.Put([]byte("m1"), []byte("first words")), d.Put([]byte("m2"), nil))
	})
	closed(t, v)
	if err := os.Remove(filepath.Join(dir, lockFile)); err != nil {
		t.Fatal(err)
	}
}

// Yesterday's vaults open today.
func TestVersion1(t *testing.T) {
	from := filepath.Join("testdata", "v1")
	if *makeTestdata && !Exists(from) {
		makeV1(t, from)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	v, err := Open(dir, v1Pass)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	err = v.Update(func(tx *Tx) error {
		if name, err := tx.Global().Get([]byte("name")); err != nil || string(name) != "Ada" {
			t.Errorf("name %q, %v", name, err)
		}
		d, err := tx.Dialogue(v1Dialogue)
		if err != nil {
			return err
		}
		var got []string
		err = d.Scan([]byte("m"), nil, 0, false, func(k, value []byte) error {
			got = append(got, string(k)+"="+string(value))
			return nil
		})
		if strings.Join(got, " ") != "m1=first words m2=" {
			t.Errorf("got %q", got)
		}
		return errors.Join(err, d.Put([]byte("m3"), []byte("more")))
	})
	if err != nil {
		t.Error(err)
	}
}

func TestNewerHeader(t *testing.T) {
	v, dir := made(t)
	closed(t, v)
	path := filepath.Join(dir, keyFile)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[9] = headerVersion + 1
	if err := os.WriteFile(path, append(b, "and more"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, pass); !errors.Is(err, ErrNewer) {
		t.Errorf("got %v", err)
	}
}

func TestHeaderCost(t *testing.T) {
	for _, c := range []cost{{0, 64, 1}, {65, 64, 1}, {1, 7, 1}, {1, 1<<20 + 1, 1}, {1, 64, 0}, {1, 64, 65}, {1, 15, 2}} {
		if c.valid() {
			t.Errorf("%+v passes", c)
		}
	}
	h := newHeader([idSize]byte{1}, randomKey(), pass, cheap)
	h.cost.memory = 1 << 21
	if _, err := parseHeader(h.encode()); !errors.Is(err, ErrDamaged) {
		t.Errorf("2 GiB: %v", err)
	}
	// Cheaper than it was sealed for: the key does not open.
	h.cost = cost{time: 2, memory: 8, lanes: 1}
	h2, err := parseHeader(h.encode())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h2.open(pass); !errors.Is(err, ErrPassphrase) {
		t.Errorf("altered cost: %v", err)
	}
}

func FuzzParseHeader(f *testing.F) {
	h := newHeader([idSize]byte{1, 2}, randomKey(), pass, cheap)
	good := h.encode()
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append(good, 0))
	f.Add([]byte{})
	f.Add([]byte(headerMagic))
	f.Add(wire.AppendU16([]byte(headerMagic), headerVersion+1))
	f.Add(wire.AppendU16([]byte(headerMagic), 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHeader(b)
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
				t.Errorf("error of no kind: %v", err)
			}
			return
		}
		if !bytes.Equal(h.encode(), b) {
			t.Errorf("%x is encoded as %x", b, h.encode())
		}
	})
}

func FuzzParseNote(f *testing.F) {
	good := encodeNote(1234, "http://127.0.0.1:5678/")
	f.Add(good)
	f.Add(encodeNote(1, ""))
	f.Add(encodeNote(1, strings.Repeat("x", maxNote)))
	f.Add(good[:100])
	f.Add([]byte{})
	f.Add(bytes.Replace(good, []byte("1234"), []byte("-1 4"), 1))
	f.Add(bytes.Replace(good, []byte("http"), []byte("\x1b[2J"), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		pid, note, err := parseNote(b)
		if err == nil && !bytes.Equal(encodeNote(pid, note), b) {
			t.Errorf("%q is encoded as %q", b, encodeNote(pid, note))
		}
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
	})
}

// FuzzUnseal: what was not sealed does not open, and what was, opens as itself.
func FuzzUnseal(f *testing.F) {
	a := mustAEAD(mustKey(bytes.Repeat([]byte{7}, 32)))
	f.Add([]byte("name"), []byte("value"))
	f.Add([]byte{0}, []byte{})
	f.Add([]byte("name"), seal(a, []byte("name"), []byte("value")))
	f.Add([]byte("name"), seal(a, []byte("other"), []byte("value")))
	f.Fuzz(func(t *testing.T, name, b []byte) {
		if got, err := unseal(a, name, seal(a, name, b)); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%q came back as %q, %v", b, got, err)
		}
		if value, err := unseal(a, name, b); err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Error(err)
			}
		} else if again, err := unseal(a, name, b); err != nil || !bytes.Equal(again, value) {
			t.Errorf("opens once as %q, then as %q, %v", value, again, err)
		}
	})
}

// filled makes a vault of some hundred pages.
func filled(t *testing.T) string {
	v, dir := made(t)
	update(t, v, func(tx *Tx) error {
		_, d, err := tx.NewDialogue()
		if err != nil {
			return err
		}
		for i := range 300 {
			if err := d.Put([]byte{'m', byte(i >> 8), byte(i)}, bytes.Repeat([]byte{byte(i)}, 1000)); err != nil {
				return err
			}
		}
		return tx.Global().Put([]byte("long"), bytes.Repeat([]byte("x"), 100_000))
	})
	closed(t, v)
	return dir
}

// readEverything opens the vault in dir and reads all there is; it reports
// what does not read as it was written.
func readEverything(t *testing.T, dir string) error {
	v, err := Open(dir, pass)
	if err != nil {
		return err
	}
	err = v.View(func(tx *Tx) error {
		ids, err := tx.Dialogues()
		if err != nil {
			return err
		}
		for _, id := range ids {
			d, err := tx.Dialogue(id)
			if err != nil {
				return err
			}
			if err := d.Scan(nil, nil, 0, false, func(k, value []byte) error {
				if !bytes.Equal(value, bytes.Repeat(k[2:], 1000)) {
					t.Errorf("key %x has another value", k)
				}
				return nil
			}); err != nil {
				return err
			}
		}
		value, err := tx.Global().Get([]byte("long"))
		if err == nil && !bytes.Equal(value, bytes.Repeat([]byte("x"), 100_000)) {
			t.Error("the long value is another")
		}
		return err
	})
	return errors.Join(err, v.Close())
}

func TestDamaged(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	dir := filled(t)
	whole := readAll(t, dir)
	flip := func(b string, at int) string {
		return b[:at] + string([]byte{b[at] ^ 1<<r.IntN(8)}) + b[at+1:]
	}
	db, key := whole[dbFile], whole[keyFile]
	cases := map[string]map[string]string{
		"empty database":         {dbFile: ""},
		"no database":            {keyFile: key},
		"short database":         {dbFile: db[:1000]},
		"database cut in half":   {dbFile: db[:len(db)/8192*4096]},
		"first page":             {dbFile: flip(db, r.IntN(4096))},
		"second page":            {dbFile: flip(db, 4096+r.IntN(4096))},
		"zeros":                  {dbFile: strings.Repeat("\x00", len(db))},
		"header cut":             {keyFile: key[:headerSize-1]},
		"header longer":          {keyFile: key + "x"},
		"header empty":           {keyFile: ""},
		"bit of the header":      {keyFile: flip(key, r.IntN(len(key)))},
		"another file as header": {keyFile: strings.Repeat("x", headerSize)},
	}
	for name, files := range cases {
		dir := t.TempDir()
		for _, file := range []string{keyFile, dbFile} {
			content, ok := files[file]
			if !ok {
				content = whole[file]
			}
			if name == "no database" && file == dbFile {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		before := readAll(t, dir)
		err := readEverything(t, dir)
		if !errors.Is(err, ErrDamaged) && !(errors.Is(err, ErrNewer) && name == "bit of the header") {
			t.Errorf("%s: %v", name, err)
		}
		same(t, before, readAll(t, dir))
	}
}

// A bit that flips anywhere is an error, or it made no difference (a free
// page, a gap): never another value. That a row is missing can be seen by
// nobody but the log's other readers, and is no error here.
func TestFlippedBits(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	dir := filled(t)
	path := filepath.Join(dir, dbFile)
	db, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	const rounds = 60
	for range rounds {
		bad := bytes.Clone(db)
		bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := readEverything(t, dir); err != nil {
			found++
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
				t.Errorf("unclear: %v", err)
			}
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, bad) {
			t.Fatal("reading changed the file")
		}
	}
	if found < rounds/2 {
		t.Errorf("%d of %d were noticed", found, rounds)
	}
}

// A locked vault, closed or left by a crash, shows nothing that was put in.
func TestNothingToRead(t *testing.T) {
	v, dir := made(t)
	var id DialogueID
	secrets := []string{"Ambassador", "global-key", "dialogue-key", "a sentence that was said", "2031-05-06"}
	update(t, v, func(tx *Tx) (err error) {
		var d *Space
		if id, d, err = tx.NewDialogue(); err != nil {
			return err
		}
		if err := d.Put([]byte("dialogue-key"), []byte("a sentence that was said 2031-05-06")); err != nil {
			return err
		}
		return tx.Global().Put([]byte("global-key"), []byte("Ambassador"))
	})
	secrets = append(secrets, id.String(), string(pass), string(v.key.key.Bytes()), string(v.key.pages().Bytes()),
		"SQLite", "CREATE TABLE", "dialogue", "entry")
	look := func(when string) {
		for name, content := range readAll(t, dir) {
			for _, s := range secrets {
				if strings.Contains(content, s) {
					t.Errorf("%s: %s has %q", when, name, s)
				}
			}
		}
	}
	look("open")
	closed(t, v)
	look("closed")
	for name := range readAll(t, dir) {
		if name != keyFile && name != dbFile && name != lockFile {
			t.Errorf("%s was left", name)
		}
	}
}
