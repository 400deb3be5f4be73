package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The lock file holds one record of noteSize bytes: the holder's PID in
// decimal, a line feed, its note, and line feeds to the end. It is written in
// one piece, so that a reader never sees half of it, and emptied on release.
// It is never deleted: two processes would lock two files of the same name.
const (
	noteSize = 512
	maxNote  = 400

	pollEvery = 100 * time.Millisecond
	// Holder may hold a lock for a moment to find out whether there is one.
	probeRetries = 5
	probePause   = 5 * time.Millisecond
)

// errLocked is what tryLock returns when another has the lock.
var errLocked = errors.New("locked")

// A lock is held by one process, and dies with it.
type lock struct{ f *os.File }

// acquire takes the lock of dir, or returns an *InUseError.
func acquire(dir string) (*lock, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, failed("open vault.lock", err)
	}
	err = tryLock(f, true)
	for i := 0; i < probeRetries && errors.Is(err, errLocked); i++ {
		time.Sleep(probePause)
		err = tryLock(f, true)
	}
	if err == nil {
		l := &lock{f}
		if err = l.note(""); err == nil {
			return l, nil
		}
		return nil, errors.Join(err, l.release())
	}
	defer f.Close()
	if !errors.Is(err, errLocked) {
		return nil, failed("lock vault.lock", err)
	}
	pid, note, _ := readNote(f)
	return nil, &InUseError{PID: pid, Note: note}
}

// acquireWait tries until it has the lock or ctx ends.
func acquireWait(ctx context.Context, dir string) (*lock, error) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		l, err := acquire(dir)
		if inUse := (*InUseError)(nil); !errors.As(err, &inUse) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-tick.C:
		}
	}
}

func (l *lock) note(note string) error {
	if len(note) > maxNote || !printable(note) {
		return ErrNote
	}
	_, err := l.f.WriteAt(encodeNote(os.Getpid(), note), 0)
	return failed("write vault.lock", err)
}

func (l *lock) release() error {
	return failed("release vault.lock", errors.Join(l.f.Truncate(0), l.f.Close()))
}

// Holder tells which process holds the vault in dir and what it said with
// SetNote; ok is false if none does. The note can be read by whoever can read
// the folder: nothing secret belongs there.
func Holder(dir string) (pid int, note string, ok bool) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR, 0)
	if err != nil {
		return 0, "", false
	}
	defer f.Close()
	if pid, note, ok = readNote(f); !ok {
		return 0, "", false // released, or nobody yet
	}
	if !errors.Is(tryLock(f, false), errLocked) {
		return 0, "", false // left by a process that died
	}
	return pid, note, true
}

func readNote(f *os.File) (pid int, note string, ok bool) {
	b := make([]byte, noteSize+1)
	n, err := f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return 0, "", false
	}
	pid, note, err = parseNote(b[:n])
	return pid, note, err == nil
}

func encodeNote(pid int, note string) []byte {
	b := fmt.Appendf(make([]byte, 0, noteSize), "%d\n%s", pid, note)
	return append(b, bytes.Repeat([]byte{'\n'}, noteSize-len(b))...)
}

// parseNote accepts what encodeNote writes and nothing else.
func parseNote(b []byte) (pid int, note string, err error) {
	number, rest, _ := strings.Cut(string(b), "\n")
	note = strings.TrimRight(rest, "\n")
	pid, err = strconv.Atoi(number)
	if err != nil || pid <= 0 || strconv.Itoa(pid) != number ||
		len(b) != noteSize || len(note) > maxNote || !printable(note) {
		return 0, "", damaged("vault.lock")
	}
	return pid, note, nil
}

// printable tells whether s is UTF-8 in one line, with nothing that a
// terminal would obey.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) })
}
