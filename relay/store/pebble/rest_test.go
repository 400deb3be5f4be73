package pebble

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"

	"parley/internal/wire"
	"parley/relay"
)

const now = 500_000

// boxOf gives the proof and the id of a box that can be destroyed at once.
func boxOf(n byte) (relay.Proof, relay.BoxID) {
	p := relay.Proof{Read: [32]byte{n}, Retention: 1}
	return p, p.ID()
}

func put(t testing.TB, s *Store, n byte, cells ...*relay.Cell) relay.BoxID {
	t.Helper()
	p, id := boxOf(n)
	if err := s.Open(t.Context(), p, now); err != nil {
		t.Fatal(err)
	}
	for _, c := range cells {
		if _, err := s.Append(t.Context(), id, c, now); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

func textCell(text string) *relay.Cell {
	var c relay.Cell
	copy(c[:], strings.Repeat(text, len(c)/len(text)))
	return &c
}

// disk is all that lies on a machine's disk, synced or not, by file.
func disk(t testing.TB, m *machine) map[string][]byte {
	t.Helper()
	names, err := m.mem.List("relay")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, name := range names {
		f, err := m.mem.Open(m.mem.PathJoin("relay", name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		all[name] = b
	}
	return all
}

// keyOf is the at-rest key of a box.
func keyOf(t testing.TB, s *Store, id relay.BoxID) []byte {
	t.Helper()
	rec, exists, err := s.load(id)
	if err != nil || !exists {
		t.Fatal(exists, err)
	}
	key, err := s.keys.read(rec.slot)
	if err != nil {
		t.Fatal(err)
	}
	return key[:]
}

func TestNothingReadableWithoutTheKeyFile(t *testing.T) {
	m := newMachine(vfs.NewCrashableMem())
	s := m.open(t)
	cell := textCell("what somebody wrote ")
	id := put(t, s, 1, cell)
	key, hash := keyOf(t, s, id), cell.Hash()
	s.db.Flush()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files := disk(t, m)
	for name, b := range files {
		for what, secret := range map[string][]byte{"the cell": cell[100:120], "its hash": hash[:], "the key": key} {
			if found := bytes.Contains(b, secret); found != (name == keyFileName && what == "the key") {
				t.Errorf("%s in %s: %v", what, name, found)
			}
		}
	}
}

func TestDestroyedAndExpiredKeysAreOverwritten(t *testing.T) {
	m := newMachine(vfs.NewCrashableMem())
	s := m.open(t)
	ids := []relay.BoxID{put(t, s, 1, textCell("a")), put(t, s, 2, textCell("b")), put(t, s, 3, textCell("c"))}
	var keys [][]byte
	for _, id := range ids {
		keys = append(keys, keyOf(t, s, id))
	}
	if err := s.Destroy(t.Context(), ids[0], now); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(t.Context(), ids[1], textCell("d"), now+20); err != nil {
		t.Fatal(err)
	}
	if err := s.Expire(t.Context(), now+25); err != nil {
		t.Fatal(err)
	}
	for i, gone := range []bool{true, false, true} {
		for _, at := range []*machine{m, m.Cut(0, nil).(*machine)} {
			for name, b := range disk(t, at) {
				if found := bytes.Contains(b, keys[i]); found != (!gone && name == keyFileName) {
					t.Errorf("key %d in %s: %v", i, name, found)
				}
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// A key that was handed out may have sealed a cell that a crash took back.
func TestSpareKeysDoNotOutliveTheProcess(t *testing.T) {
	m := newMachine(vfs.NewCrashableMem())
	s := m.open(t)
	id := put(t, s, 1, textCell("a"))
	key := keyOf(t, s, id)
	before := disk(t, m)[keyFileName]
	if len(before) < keySize*spareKeys {
		t.Fatalf("the key file has %d bytes", len(before))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = m.open(t)
	after := disk(t, m)[keyFileName]
	if !bytes.Equal(after[:keySize], []byte(keyMagic)) || len(after) != len(before) {
		t.Error("the key file has changed its form")
	}
	for i := keySize; i < len(after); i += keySize {
		if slot := after[i : i+keySize]; !isZero(slot) && !bytes.Equal(slot, key) {
			t.Errorf("slot %d still has a key", i/keySize-1)
		}
	}
	if len(s.keys.free) != len(after)/keySize-2 {
		t.Errorf("%d slots are free", len(s.keys.free))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSlotsAreUsedAgain(t *testing.T) {
	m := newMachine(vfs.NewCrashableMem())
	s := m.open(t)
	for i := range 3 * spareKeys {
		p := relay.Proof{Read: [32]byte{1, byte(i), byte(i >> 8)}, Retention: 1}
		id := p.ID()
		if err := s.Open(t.Context(), p, now); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append(t.Context(), id, textCell("a"), now); err != nil {
			t.Fatal(err)
		}
		if err := s.Destroy(t.Context(), id, now); err != nil {
			t.Fatal(err)
		}
	}
	if s.keys.slots > 2*spareKeys {
		t.Errorf("%d slots for one box at a time", s.keys.slots)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDamageIsSeen(t *testing.T) {
	m := newMachine(vfs.NewCrashableMem())
	s := m.open(t)
	a, b := put(t, s, 1, textCell("a"), textCell("b")), put(t, s, 2, textCell("c"))
	value, closer, err := s.db.Get(cellKey(a, 0))
	if err != nil {
		t.Fatal(err)
	}
	value = bytes.Clone(value)
	closer.Close()
	flipped := bytes.Clone(value)
	flipped[valueSize-1] ^= 1
	otherHour := bytes.Clone(value)
	otherHour[3] ^= 1
	for name, damage := range map[string]func() error{
		"flipped":         func() error { return s.db.Set(cellKey(a, 0), flipped, nil) },
		"other hour":      func() error { return s.db.Set(cellKey(a, 0), otherHour, nil) },
		"other position":  func() error { return s.db.Set(cellKey(a, 1), value, nil) },
		"short":           func() error { return s.db.Set(cellKey(a, 0), value[:10], nil) },
		"missing":         func() error { return s.db.Delete(cellKey(a, 0), nil) },
		"malformed place": func() error { return s.db.Set(boxKey(a), []byte{1}, nil) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(t.Context(), a, 0, 8); err == nil {
			t.Errorf("%s: nobody noticed", name)
		}
		if err := s.db.Set(cellKey(a, 0), value, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Read(t.Context(), b, 0, 8); err != nil {
		t.Errorf("the other box: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open("relay", Options{FS: m.mem}); err == nil {
		t.Error("a store with a damaged record opened")
	}
}

func TestMissingKeyFile(t *testing.T) {
	m := newMachine(vfs.NewCrashableMem())
	s := m.open(t)
	put(t, s, 1, textCell("a"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.mem.Remove("relay/keys"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open("relay", Options{FS: m.mem}); err == nil || !strings.Contains(err.Error(), "key file") {
		t.Errorf("without its key file the store opened: %v", err)
	}
}

// fullFS has a disk without room.
type fullFS struct{ vfs.FS }

func (fullFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: DefaultMinFree - 1}, nil
}

func TestFullDisk(t *testing.T) {
	s, err := Open("relay", Options{FS: fullFS{vfs.NewMem()}})
	if err != nil {
		t.Fatal(err)
	}
	p, id := boxOf(1)
	if err := s.Open(t.Context(), p, now); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := s.Append(t.Context(), id, textCell("a"), now); err != ErrDiskFull {
			t.Errorf("got %v", err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOneProcessOnly(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); err == nil {
		t.Error("opened twice")
	}
	put(t, s, 1, textCell("a")) // on a real disk
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// Idle boxes have nothing in memory.
func TestIdleBoxesAreForgotten(t *testing.T) {
	s := newMachine(vfs.NewCrashableMem()).open(t)
	for i := range byte(100) {
		id := put(t, s, i, textCell("a"))
		if _, err := s.Read(t.Context(), id, 0, 1); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.active) != 0 {
		t.Errorf("%d boxes are active", len(s.active))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add((&record{slot: noSlot, retention: 30}).encode())
	f.Add((&record{slot: 7, low: 3, next: wire.BoxCapacity, firstHour: 1, lastHour: 2, retention: 30, idle: 9}).encode())
	f.Add((&record{dead: true, slot: noSlot}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err == nil && !bytes.Equal(r.encode(), b) {
			t.Errorf("%x re-encodes as %x", b, r.encode())
		}
	})
}

// TestFullAfterACrash: a box that was said to be full is full after a crash, too;
// who was told so has gone on in another.
func TestFullAfterACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(vfs.NewCrashableMem())
		s := m.open(t)
		id := put(t, s, 1)
		cell := func(i int) *relay.Cell { return textCell(fmt.Sprintf("%04d", i)) }
		var all sync.WaitGroup
		for worker := range 64 {
			all.Go(func() {
				for i := worker; i < wire.BoxCapacity-1; i += 64 {
					if _, err := s.Append(t.Context(), id, cell(i), now); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		hold := make(chan struct{})
		m.OnWrite(func() { <-hold })
		all.Go(func() { s.Append(t.Context(), id, cell(wire.BoxCapacity-1), now) })
		synctest.Wait() // it has its place, and is not on the disk yet
		var said error
		var after *machine
		all.Go(func() {
			_, said = s.Append(t.Context(), id, cell(wire.BoxCapacity), now)
			after = m.Cut(0, nil).(*machine)
		})
		synctest.Wait()
		close(hold)
		all.Wait()
		m.OnWrite(nil)
		if said != relay.ErrFull {
			t.Fatalf("one cell too many: %v", said)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = after.open(t)
		if page, err := s.Read(t.Context(), id, 0, 1); err != nil || page.Next != wire.BoxCapacity {
			t.Errorf("after the crash it has %d cells, %v", page.Next, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
