package pebble

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	keyFileName = "keys"
	keySize     = 32
	keyMagic    = "parley relay keys, version 1\n\x00\x00\x00" // one slot long

	// spareKeys is how many keys are made, and synced, at once.
	spareKeys = 256
)

// A keyFile holds the at-rest keys of boxes, keySize bytes each, in slots that
// are overwritten in place: slot n lies at keySize*(n+1), after the magic. A
// slot that no box uses is zero, or a spare key that no box used yet. Spares do
// not outlive the process: after a crash nobody can tell whether one was used
// for a cell that was taken back.
type keyFile struct {
	file vfs.File

	mu    sync.Mutex
	slots uint32   // in the file
	free  []uint32 // slots that are zero
	spare []uint32 // slots with a fresh key, synced
}

// openKeyFile opens or creates the key file in dir. It overwrites every key
// that used does not have.
func openKeyFile(fs vfs.FS, dir string, used map[uint32]bool) (*keyFile, error) {
	file, err := fs.OpenReadWrite(fs.PathJoin(dir, keyFileName), vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	k := &keyFile{file: file}
	if err := k.load(used); err != nil {
		file.Close()
		return nil, fmt.Errorf("key file: %w", err)
	}
	d, err := fs.OpenDir(dir)
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return k, nil
}

func (k *keyFile) load(used map[uint32]bool) error {
	stat, err := k.file.Stat()
	if err != nil {
		return err
	}
	b := make([]byte, stat.Size())
	if _, err := io.ReadFull(io.NewSectionReader(k.file, 0, stat.Size()), b); err != nil {
		return err
	}
	if len(b) < keySize || string(b[:keySize]) != keyMagic {
		// A crash while it was created, before any box had a key; or not ours.
		if len(used) != 0 {
			return errors.New("missing or of another kind, but boxes need it")
		}
		b = []byte(keyMagic)
		if _, err := k.file.WriteAt(b, 0); err != nil {
			return err
		}
	}
	k.slots = uint32(len(b)/keySize - 1)
	for slot := range used {
		if slot >= k.slots {
			return errors.New("too short: the keys of some boxes are missing")
		}
	}
	var stale []uint32
	for slot := range k.slots {
		if used[slot] {
			continue
		}
		if isZero(b[keySize*(slot+1):][:keySize]) {
			k.free = append(k.free, slot)
		} else {
			stale = append(stale, slot)
		}
	}
	return k.erase(stale...) // syncs the magic too
}

func isZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

func offset(slot uint32) int64 { return keySize * (int64(slot) + 1) }

// take gives a slot whose key is new, on the disk and used by nobody else.
func (k *keyFile) take() (uint32, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.spare) == 0 {
		if err := k.makeSpares(); err != nil {
			return 0, err
		}
	}
	slot := k.spare[len(k.spare)-1]
	k.spare = k.spare[:len(k.spare)-1]
	return slot, nil
}

// makeSpares fills free slots, or new ones at the end, with random keys.
func (k *keyFile) makeSpares() error {
	for slot := k.slots; len(k.free) < spareKeys && slot < noSlot; slot++ {
		k.free = append(k.free, slot)
		k.slots = slot + 1
	}
	var fresh []uint32
	for len(fresh) < spareKeys && len(k.free) > 0 {
		slot := k.free[len(k.free)-1]
		k.free = k.free[:len(k.free)-1]
		fresh = append(fresh, slot)
		key := make([]byte, keySize)
		rand.Read(key)
		if _, err := k.file.WriteAt(key, offset(slot)); err != nil {
			return err
		}
	}
	if len(fresh) == 0 {
		return errors.New("no slot left")
	}
	if err := k.file.Sync(); err != nil {
		return err
	}
	k.spare = fresh
	return nil
}

// read gives the key in a slot.
func (k *keyFile) read(slot uint32) (key [keySize]byte, err error) {
	_, err = k.file.ReadAt(key[:], offset(slot))
	return key, err
}

// erase overwrites keys, durably. No box may use them any more, durably too.
func (k *keyFile) erase(slots ...uint32) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, slot := range slots {
		if _, err := k.file.WriteAt(make([]byte, keySize), offset(slot)); err != nil {
			return err
		}
	}
	if err := k.file.Sync(); err != nil {
		return err
	}
	k.free = append(k.free, slots...)
	return nil
}

func (k *keyFile) close() error { return k.file.Close() }
