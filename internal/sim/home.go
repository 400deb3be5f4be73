package sim

import (
	"os"
	"path/filepath"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"parley/vault"
)

// A new vault costs Argon2id over its passphrase, which was most of what a
// schedule took. So one vault is made for all, and every person begins with a
// copy of its files: another file, the same key. Nothing else is left out.
var blank = sync.OnceValues(func() (*files, error) {
	dir, err := os.MkdirTemp("", "parley-sim")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	v, err := vault.Create(dir, []byte("a passphrase for tests"))
	if err != nil {
		return nil, err
	}
	key := v.Key()
	if err := v.Close(); err != nil {
		return nil, err
	}
	f := &files{key: key, content: map[string][]byte{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if f.content[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	return f, nil
})

// files are a vault's.
type files struct {
	key     *vault.Key
	content map[string][]byte
}

// newVault puts a vault that nobody has used into a new folder, and opens it.
func newVault(dir string) (*vault.Vault, error) {
	f, err := blank()
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	for name, b := range f.content {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			return nil, err
		}
	}
	return vault.OpenKey(dir, f.key)
}

// memory is where worlds keep their files: a disk in memory where the system
// has one with room. The crashes that are played are of programs, not of
// computers, so what was written is there afterwards on either.
func memory() string {
	const linux, room = "/dev/shm", 1 << 30
	if u, err := vfs.Default.GetDiskUsage(linux); err == nil && u.AvailBytes >= room {
		return linux
	}
	return ""
}
