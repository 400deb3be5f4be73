package vault

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"
)

// A plainFile is a file in memory. Its writes fail while full is set.
type plainFile struct {
	vfs.File
	b      []byte
	synced []byte
	full   bool
}

var errFull = errors.New("the disk is full")

func (f *plainFile) WriteAt(p []byte, at int64) (int, error) {
	if f.full {
		return 0, errFull
	}
	if end := int(at) + len(p); end > len(f.b) {
		f.b = append(f.b, make([]byte, end-len(f.b))...)
	}
	return copy(f.b[at:], p), nil
}

func (f *plainFile) ReadAt(p []byte, at int64) (int, error) {
	if int(at) > len(f.b) {
		return 0, io.EOF
	}
	n := copy(p, f.b[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *plainFile) Truncate(size int64) error     { f.b = f.b[:size]; return nil }
func (f *plainFile) Size() (int64, error)          { return int64(len(f.b)), nil }
func (f *plainFile) Sync(flags vfs.SyncFlag) error { f.synced = bytes.Clone(f.b); return nil }
func (f *plainFile) Close() error                  { return nil }

// TestWALFile does the same to a walFile and to a plain one: nobody can tell
// them apart, and what was synced is in the file.
func TestWALFile(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		under, want := &plainFile{}, &plainFile{}
		f := &walFile{File: under}
		at := int64(0)
		for range 60 {
			switch r.IntN(8) {
			case 0:
				f.Sync(0)
				want.Sync(0)
				if !bytes.Equal(under.synced, want.synced) {
					t.Fatalf("seed %d: synced something else", seed)
				}
			case 1:
				got, exp := make([]byte, 50), make([]byte, 50)
				from := int64(r.IntN(len(want.b) + 1))
				n, err := f.ReadAt(got, from)
				m, werr := want.ReadAt(exp, from)
				if n != m || !errors.Is(err, werr) || !bytes.Equal(got, exp) {
					t.Fatalf("seed %d: read %d, %v; want %d, %v", seed, n, err, m, werr)
				}
			case 2:
				size, _ := f.Size()
				if size != int64(len(want.b)) {
					t.Fatalf("seed %d: a size of %d, want %d", seed, size, len(want.b))
				}
				to := r.Int64N(size + 1)
				f.Truncate(to)
				want.Truncate(to)
				at = min(at, to)
			case 3: // written over from somewhere
				at = r.Int64N(int64(len(want.b)) + 1)
			default:
				p := make([]byte, 1+r.IntN(200))
				for i := range p {
					p[i] = byte(r.Uint32())
				}
				f.WriteAt(p, at)
				want.WriteAt(p, at)
				at += int64(len(p))
			}
		}
		if f.Close(); !bytes.Equal(under.b, want.b) {
			t.Fatalf("seed %d: the files differ", seed)
		}
	}
}

// TestWALFileFull: what could not be written is no success, and is not lost.
func TestWALFileFull(t *testing.T) {
	under := &plainFile{full: true}
	f := &walFile{File: under}
	if _, err := f.WriteAt([]byte("frame"), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(0); !errors.Is(err, errFull) {
		t.Fatalf("Sync: %v", err)
	}
	under.full = false
	if err := f.Sync(0); err != nil || string(under.synced) != "frame" {
		t.Fatalf("then %q, %v", under.synced, err)
	}
}
