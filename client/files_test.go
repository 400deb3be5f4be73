package client

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"
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
