package pebble

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"parley/relay"
	"parley/relay/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(testing.TB) storetest.Machine { return newMachine(vfs.NewCrashableMem()) })
}

// A machine is a storetest.Machine with a disk in memory.
type machine struct {
	mem     *vfs.MemFS
	onWrite atomic.Pointer[func()]
}

func newMachine(mem *vfs.MemFS) *machine { return &machine{mem: mem} }

func (m *machine) Open(t testing.TB) relay.Store { return m.open(t) }

func (m *machine) open(t testing.TB) *Store {
	t.Helper()
	s, err := Open("relay", Options{FS: watchedFS{m.mem, m}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (m *machine) Cut(keep int, rng *rand.Rand) storetest.Machine {
	return newMachine(m.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: keep, RNG: rng}))
}

func (m *machine) OnWrite(f func()) {
	if f == nil {
		m.onWrite.Store(nil)
		return
	}
	m.onWrite.Store(&f)
}

func (m *machine) wrote() {
	if f := m.onWrite.Load(); f != nil {
		(*f)()
	}
}

// A watchedFS tells its machine of writes and syncs.
type watchedFS struct {
	vfs.FS
	m *machine
}

func (fs watchedFS) watch(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return watchedFile{f, fs.m}, nil
}

func (fs watchedFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.watch(fs.FS.Create(name, c))
}

func (fs watchedFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return fs.watch(fs.FS.OpenReadWrite(name, c, o...))
}

func (fs watchedFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.watch(fs.FS.ReuseForWrite(old, name, c))
}

type watchedFile struct {
	vfs.File
	m *machine
}

func (f watchedFile) Write(b []byte) (int, error) { f.m.wrote(); return f.File.Write(b) }

func (f watchedFile) WriteAt(b []byte, at int64) (int, error) {
	f.m.wrote()
	return f.File.WriteAt(b, at)
}

func (f watchedFile) Sync() error     { f.m.wrote(); return f.File.Sync() }
func (f watchedFile) SyncData() error { f.m.wrote(); return f.File.SyncData() }
