package server

import (
	"context"
	"errors"
	"testing"
	"time"

	"parley/internal/wire"
	"parley/relay"
)

// start runs a relay on loopback with a store of its own, and a client of it.
func start(t testing.TB, o Options) (*Relay, *relay.Client) {
	t.Helper()
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	r, err := Embedded(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	c, err := relay.NewClient(r.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return r, c
}

// cellOf is a cell that tells n apart from others.
func cellOf(n int) *relay.Cell {
	var c relay.Cell
	copy(c[:], wire.AppendU64(nil, uint64(n)))
	return &c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

func TestAppendReadWait(t *testing.T) {
	_, c := start(t, Options{})
	ctx := t.Context()
	box := relay.NewBoxKey().Box(30, 0)

	p, err := c.Do(ctx, relay.Exchange{Box: box})
	must(t, err)
	if len(p.Cells) != 0 || p.Next != 0 {
		t.Fatalf("a box that does not exist: %+v", p)
	}
	got := make(chan relay.Page, 1)
	go func() {
		p, err := c.Do(ctx, relay.Exchange{Box: box, Wait: 50 * time.Second})
		if err != nil {
			t.Error(err)
		}
		got <- p
	}()
	p, err = c.Do(ctx, relay.Exchange{Box: box, Append: cellOf(1), Mode: relay.Mode1})
	must(t, err)
	if p.Appended != 0 || len(p.Cells) != 1 || p.Cells[0] != *cellOf(1) || p.Next != 1 {
		t.Fatalf("first append: appended %d, next %d, %d cells", p.Appended, p.Next, len(p.Cells))
	}
	if p := <-got; len(p.Cells) != 1 || p.Cells[0] != *cellOf(1) {
		t.Fatalf("the reader who waited: %d cells", len(p.Cells))
	}
	p, err = c.Do(ctx, relay.Exchange{Box: box, Append: cellOf(1), From: 1})
	must(t, err)
	if p.Appended != 0 || p.Next != 1 || len(p.Cells) != 0 || p.First != 1 {
		t.Fatalf("the same cell again: %+v", p)
	}
	must(t, c.Destroy(ctx, box))
	_, err = c.Do(ctx, relay.Exchange{Box: box})
	wantErr(t, err, relay.ErrGone)
	_, err = c.Do(ctx, relay.Exchange{Box: box, Append: cellOf(1)})
	wantErr(t, err, relay.ErrGone)
}
