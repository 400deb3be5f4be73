package vault

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// tryLock locks f, alone or with others who do not want it alone, without
// waiting. The lock ends when f is closed. Locks of Windows keep others from
// reading what is locked, so it lies far beyond the note.
func tryLock(f *os.File, alone bool) error {
	flags := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if alone {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{OffsetHigh: 1})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return errLocked
	}
	return err
}

// syncDir does nothing: NTFS keeps a log of its names.
func syncDir(string) error { return nil }
