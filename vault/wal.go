package vault

import (
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
	_ "github.com/ncruces/go-sqlite3/vfs/adiantum" // the VFS that encrypts
)

// vfsName is adiantum with a WAL that is written in runs.
const vfsName = "parley"

func init() { vfs.Register(vfsName, walVFS{vfs.Find("adiantum")}) }

type walVFS struct{ vfs.VFS }

// OpenFilename opens a file of the database.
func (v walVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	file, flags, err := vfsutil.WrapOpenFilename(v.VFS, name, flags)
	if err == nil && flags&vfs.OPEN_WAL != 0 {
		file = &walFile{File: file}
	}
	return file, flags, err
}

// A walFile gathers what is appended to a WAL until it has to be on the disk.
// SQLite writes a frame in two pieces, of 24 and 4096 bytes, which meet no
// block of the cipher; written one by one, each block would be decrypted and
// encrypted three times.
type walFile struct {
	vfs.File
	run []byte // not yet written
	at  int64  // its place in the file
}

// maxRun is how many bytes are gathered at most.
const maxRun = 1 << 20

// WriteAt gathers p.
func (f *walFile) WriteAt(p []byte, at int64) (int, error) {
	if at != f.at+int64(len(f.run)) || len(f.run)+len(p) > maxRun {
		if err := f.flush(); err != nil {
			return 0, err
		}
		f.at = at
	}
	f.run = append(f.run, p...)
	return len(p), nil
}

// flush writes what was gathered. It stays gathered where that fails.
func (f *walFile) flush() error {
	if len(f.run) > 0 {
		if _, err := f.File.WriteAt(f.run, f.at); err != nil {
			return err
		}
	}
	f.at += int64(len(f.run))
	clear(f.run) // pages in the clear
	f.run = f.run[:0]
	return nil
}

// ReadAt reads what was written or gathered.
func (f *walFile) ReadAt(p []byte, at int64) (int, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, at)
}

// Sync makes durable all that was written.
func (f *walFile) Sync(flags vfs.SyncFlag) error {
	if err := f.flush(); err != nil {
		return err
	}
	return f.File.Sync(flags)
}

// Truncate cuts the file.
func (f *walFile) Truncate(size int64) error {
	if err := f.flush(); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

// Size is the file's, with what was gathered.
func (f *walFile) Size() (int64, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	return f.File.Size()
}

// Close writes what was gathered, and closes.
func (f *walFile) Close() error {
	err := f.flush()
	if cerr := f.File.Close(); err == nil {
		err = cerr
	}
	return err
}
