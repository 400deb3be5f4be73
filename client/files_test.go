package client

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/vault"
)

// TestDiscardWhileUploading: a file that was taken back while a part of it was
// on its way stays away, and the next file goes out.
func TestDiscardWhileUploading(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, _ := x.seated()
	id, err := ruth.c.Say(ctx, ruth.id, Draft{Text: "Not this one.", FileName: "a.pdf", File: bytes.NewReader(make([]byte, 40_000))})
	if err != nil {
		t.Fatal(err)
	}
	it := ruth.fileWaiting()
	if err := ruth.c.Discard(ruth.id, id); err != nil {
		t.Fatal(err)
	}
	if err := ruth.uploadPart(ctx, it); err != nil {
		t.Errorf("a part of a file that is gone: %v", err)
	}
	ruth.mu.Lock()
	err = ruth.reloadLocked()
	n := len(ruth.out)
	ruth.mu.Unlock()
	if err != nil || n != 0 {
		t.Errorf("%d items wait, %v", n, err)
	}
	if _, err := ruth.c.Say(ctx, ruth.id, Draft{Text: "This one.", FileName: "b.pdf", File: bytes.NewReader(make([]byte, 40_000))}); err != nil {
		t.Fatal(err)
	}
	x.sync(ruth, halden)
	if l, _ := halden.c.Messages(halden.id, Query{}); spoken(l) != 1 {
		t.Errorf("%d messages", spoken(l))
	}
}

// TestTwoUploaders: a Sync beside the loops sends each part once.
func TestTwoUploaders(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, _ := x.seated()
	content := bytes.Repeat([]byte("the gauge "), 30_000)
	id, err := ruth.c.Say(ctx, ruth.id, Draft{FileName: "a.pdf", File: bytes.NewReader(content)})
	if err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if err := ruth.filesStep(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	x.sync(ruth, halden)
	var got bytes.Buffer
	if err := halden.c.OpenFile(ctx, halden.id, id, &got); err != nil || !bytes.Equal(got.Bytes(), content) {
		t.Errorf("%d bytes, %v", got.Len(), err)
	}
}

// TestSlowReaderHoldsNothing: a browser that takes its time over a download,
// or an upload, keeps nobody from the vault.
func TestSlowReaderHoldsNothing(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, _, _ := x.seated()
	id, err := ruth.c.Say(ctx, ruth.id, Draft{FileName: "a.pdf", File: bytes.NewReader(make([]byte, 40_000))})
	if err != nil {
		t.Fatal(err)
	}
	x.sync(ruth)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	begun := 0
	var slow writer
	slow = func([]byte) (int, error) { // each waits for another download
		if begun++; begun == 4 {
			return 0, errSlow
		}
		return 0, ruth.c.OpenFile(ctx, ruth.id, id, slow)
	}
	if err := ruth.c.OpenFile(ctx, ruth.id, id, slow); !errors.Is(err, errSlow) || begun != 4 {
		t.Errorf("%d began, %v", begun, err)
	}
	asked := false
	_, err = ruth.c.Say(ctx, ruth.id, Draft{FileName: "b.pdf", File: reader(func([]byte) (int, error) {
		asked = true
		return 0, errors.Join(errSlow, ruth.c.SetTitle(ruth.id, "The Orva"))
	})})
	if !errors.Is(err, errSlow) || !asked || ruth.acct.Title != "The Orva" {
		t.Errorf("%v, %q", err, ruth.acct.Title)
	}
}

var errSlow = errors.New("slow")

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

type reader func([]byte) (int, error)

func (r reader) Read(b []byte) (int, error) { return r(b) }

// TestHalfAFile: a crash while a file is taken in leaves nothing of it, and a
// message that can't go out leaves nothing of its file.
func TestHalfAFile(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, _, _ := x.seated()
	parts := func() (n int) {
		ruth.mu.Lock()
		defer ruth.mu.Unlock()
		err := ruth.view(func(sp *vault.Space) error {
			for _, prefix := range []string{keyFile, keyHalf} {
				for _, err := range scan(sp, []byte(prefix), scanOptions{}) {
					if err != nil {
						return err
					}
					n++
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	content := bytes.NewReader(make([]byte, 40_000))
	_, err := ruth.c.Say(ctx, ruth.id, Draft{FileName: "a.pdf", File: reader(func(b []byte) (int, error) {
		ruth.mu.Lock()
		ruth.acct.Standing = StandingLost
		ruth.mu.Unlock()
		return content.Read(b)
	})})
	if !errors.Is(err, ErrNotSeated) || parts() != 0 {
		t.Errorf("a message that can't go out: %v, %d parts", err, parts())
	}
	ruth.acct.Standing = StandingIn
	id, err := ruth.c.Say(ctx, ruth.id, Draft{FileName: "a.pdf", File: bytes.NewReader(make([]byte, 40_000))})
	if err != nil {
		t.Fatal(err)
	}
	had := parts()
	if err := ruth.dropHalves(); err != nil || had != channel.FileParts(40_000) || parts() != had {
		t.Errorf("of a file that waits %d parts were there, %d are, %v", had, parts(), err)
	}
	if err := ruth.c.Discard(ruth.id, id); err != nil || parts() != 0 {
		t.Errorf("taken back: %d parts, %v", parts(), err)
	}

	if err := ruth.storeSome(dialogue.NewEventID(), 0, make([]byte, 3*channel.FilePart)); err != nil {
		t.Fatal(err)
	}
	if n := parts(); n != 4 {
		t.Fatalf("%d parts and marks are there", n)
	}
	if err := ruth.c.load(); err != nil || parts() != 0 { // as when a vault is opened
		t.Errorf("after a crash %d are left, %v", parts(), err)
	}
}
