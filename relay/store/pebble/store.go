package pebble

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"parley/internal/wire"
	"parley/relay"
)

// Options are what a Store can be opened with. The zero Options are right for
// a relay of any size.
type Options struct {
	FS  vfs.FS       // the file system; the machine's own if nil
	Log *slog.Logger // takes the reason of a fatal error of the engine; none if nil
	// MinFree is the space in bytes that must stay free on the disk for appends
	// to be taken; DefaultMinFree if zero.
	MinFree uint64
	// NoTicks has the engine look for work when there is some, not ten times a
	// second as well: under a simulation's fake time a night costs nothing then.
	NoTicks bool
}

// DefaultMinFree is 256 MiB: enough for the engine to compact and be tidied up.
const DefaultMinFree = 256 << 20

// ErrDiskFull is the error of an append when the disk has no room to spare.
var ErrDiskFull = errors.New("the disk is full")

// A Store is a relay.Store in one directory.
//
// A fatal error of the engine (the log could not be written: nobody knows what
// reached the disk) ends the process. Opening the store again recovers.
type Store struct {
	db      *pebble.DB
	keys    *keyFile
	fs      vfs.FS
	dir     string
	minFree uint64

	boxes, cells atomic.Int64 // totals
	appends      atomic.Uint64
	full         atomic.Bool // the disk, when last looked at

	mu     sync.Mutex
	active map[relay.BoxID]*active
	closed bool
	calls  sync.WaitGroup
}

// An active box has a write under way. Idle boxes have nothing in memory.
type active struct {
	users int // guarded by Store.mu; at zero the box is idle again

	mu     sync.Mutex // held for each change, and in the order of the log
	loaded bool
	exists bool
	rec    record  // as the database shows it, synced or not
	seal   *sealer // nil until needed

	// durable is the head as of the last sync, or -1 while not loaded.
	durable atomic.Int64
}

var _ relay.Store = (*Store)(nil)

// Open opens the store in dir, which it makes if need be. Only one process can
// have it open.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{fs: o.FS, dir: dir, minFree: o.MinFree, active: map[relay.BoxID]*active{}}
	if s.fs == nil {
		s.fs = vfs.Default
	}
	if s.minFree == 0 {
		s.minFree = DefaultMinFree
	}
	err := s.fs.MkdirAll(dir, 0o700)
	if err == nil {
		s.db, err = pebble.Open(dir, engineOptions(s.fs, o))
	}
	if err != nil {
		return nil, fmt.Errorf("relay store: %w", err)
	}
	used, err := s.scan()
	if err == nil {
		s.keys, err = openKeyFile(s.fs, dir, used)
	}
	if err != nil {
		s.db.Close()
		return nil, fmt.Errorf("relay store: %w", err)
	}
	return s, nil
}

func engineOptions(fs vfs.FS, with Options) *pebble.Options {
	o := &pebble.Options{
		FS:                    fs,
		FormatMajorVersion:    pebble.FormatValueSeparation,
		Logger:                engineLog{with.Log},
		MemTableSize:          16 << 20,
		L0CompactionThreshold: 4,
		L0StopWritesThreshold: 24,
		LBaseMaxBytes:         64 << 20,
		MaxOpenFiles:          512,
	}
	o.CacheSize = 16 << 20
	if with.NoTicks {
		o.Experimental.CompactionScheduler = pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest()
	}
	for i := range o.Levels {
		// Sealed cells don't compress. The filters spare a read of every level
		// for the question whether a cell is there already.
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].BlockSize = 32 << 10
	}
	return o
}

// scan counts the boxes and their cells, and collects the slots in use.
func (s *Store) scan() (used map[uint32]bool, err error) {
	used = map[uint32]bool{}
	err = s.eachBox(func(id relay.BoxID, rec record) error {
		if rec.counts() {
			s.boxes.Add(1)
		}
		s.cells.Add(int64(rec.next - rec.low))
		if rec.slot != noSlot {
			if used[rec.slot] {
				return errors.New("two boxes have one key")
			}
			used[rec.slot] = true
		}
		return nil
	})
	return used, err
}

// eachBox calls f for every record, dead ones too.
func (s *Store) eachBox(f func(relay.BoxID, record) error) (err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixBox}, UpperBound: []byte{prefixBox + 1}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		var id relay.BoxID
		if len(it.Key()) != 1+len(id) {
			return wire.ErrMalformed
		}
		copy(id[:], it.Key()[1:])
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		rec, err := decodeRecord(value)
		if err != nil {
			return fmt.Errorf("record of a box: %w", err)
		}
		if err := f(id, rec); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the store after the calls under way. A second Close does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if again {
		return nil
	}
	s.calls.Wait()
	return errors.Join(s.db.Close(), s.keys.close())
}

// Totals counts the boxes and cells that are kept.
func (s *Store) Totals() relay.Totals {
	return relay.Totals{Boxes: uint64(s.boxes.Load()), Cells: uint64(s.cells.Load())}
}

var errClosed = errors.New("relay store: closed")

// begin admits a call; end follows.
func (s *Store) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	s.calls.Add(1)
	return nil
}

func (s *Store) end() { s.calls.Done() }

// enter makes a box active and locks it.
func (s *Store) enter(id relay.BoxID) (*active, error) {
	s.mu.Lock()
	a := s.active[id]
	if a == nil {
		a = &active{}
		a.durable.Store(-1)
		s.active[id] = a
	}
	a.users++
	s.mu.Unlock()

	a.mu.Lock()
	if a.loaded {
		return a, nil
	}
	rec, exists, err := s.load(id)
	if err != nil {
		a.mu.Unlock()
		s.leave(id, a)
		return nil, err
	}
	// Whoever wrote to this box before has left, so all of it is synced.
	a.rec, a.exists, a.loaded = rec, exists, true
	a.durable.Store(int64(rec.next))
	return a, nil
}

// leave undoes enter, without the lock.
func (s *Store) leave(id relay.BoxID, a *active) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.users--; a.users == 0 {
		delete(s.active, id)
	}
}

// load reads the record of a box.
func (s *Store) load(id relay.BoxID) (rec record, exists bool, err error) {
	value, closer, err := s.db.Get(boxKey(id))
	if errors.Is(err, pebble.ErrNotFound) {
		return record{}, false, nil
	}
	if err != nil {
		return record{}, false, err
	}
	rec, err = decodeRecord(value)
	return rec, err == nil, errors.Join(err, closer.Close())
}

// synced is how far a box is synced: its head, unless a write is under way.
func (s *Store) synced(id relay.BoxID) uint32 {
	s.mu.Lock()
	a := s.active[id]
	s.mu.Unlock()
	if a == nil {
		return math.MaxUint32
	}
	if d := a.durable.Load(); d >= 0 {
		return uint32(d)
	}
	return math.MaxUint32
}

// sealer gives the sealer of a box that has a key.
func (s *Store) sealer(id relay.BoxID, slot uint32) (*sealer, error) {
	key, err := s.keys.read(slot)
	if err != nil {
		return nil, fmt.Errorf("relay store: key: %w", err)
	}
	return newSealer(id, key)
}

// engineLog passes on why the engine stops, and nothing else: its other lines
// say when there was work.
type engineLog struct{ log *slog.Logger }

func (engineLog) Infof(string, ...any)  {}
func (engineLog) Errorf(string, ...any) {}

// Fatalf ends the process: the engine can't go on, and calls under way would
// never return. It panics in a goroutine of its own, where no server's recover
// can keep a half-dead process alive.
func (l engineLog) Fatalf(format string, args ...any) {
	err := fmt.Errorf("relay store: "+format, args...)
	if l.log != nil {
		l.log.Error("the store failed; what was acknowledged is safe", "error", err)
	}
	go panic(err)
	select {}
}
