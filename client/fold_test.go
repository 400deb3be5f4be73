package client

import (
	"bytes"
	"context"
	"testing"

	"parley/dialogue"
	"parley/relay"
	"parley/vault"
)

// TestShownOnce: what an author makes again under the same nonce, in another box
// or with another ratchet step, is shown once. Somebody else's of that nonce is
// another message: what answers the one never shows the other.
func TestShownOnce(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	event := dialogue.NewEvent(dialogue.KindSay, halden.c.minute(), dialogue.Say{Text: "Once."})
	for _, m := range []*member{halden, halden, corin} {
		m.mu.Lock()
		err := m.update(func(sp *vault.Space) error {
			return m.enqueue(sp, &item{Kind: itemEvent, Event: event.Marshal()})
		})
		m.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		x.sync(m)
	}
	x.sync(ruth)
	l, err := ruth.c.Messages(ruth.id, Query{})
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]int{}
	for _, m := range l {
		if m.Text == "Once." && m.ID == event.ID(m.Seat) {
			by[m.Name]++
		}
	}
	if len(by) != 2 || by["Halden"] != 1 || by["Corin"] != 1 {
		t.Errorf("of one nonce are shown %v", by)
	}
	for _, author := range []*member{halden, corin} {
		ruth.mu.Lock()
		var q *Quote
		err := ruth.view(func(sp *vault.Space) error { q = ruth.quote(sp, event.ID(author.acct.Me)); return nil })
		name := ruth.nameOf(author.acct.Me)
		ruth.mu.Unlock()
		if err != nil || q.Name != name {
			t.Errorf("an answer to %s quotes %+v, %v", name, q, err)
		}
	}
}

// TestUsedKeysAreGoneBeforeTheMessageShows: the transaction that stores a
// message stores that its keys are gone: opened again from the vault, the log
// can't read the cell once more.
func TestUsedKeysAreGoneBeforeTheMessageShows(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, _ := x.seated()
	if _, err := halden.c.Say(ctx, halden.id, Draft{Text: "Read once."}); err != nil {
		t.Fatal(err)
	}
	halden.mu.Lock()
	cell := *halden.out[0].Cells[0].cell
	halden.mu.Unlock()
	x.sync(halden)
	r, err := ruth.relay()
	if err != nil {
		t.Fatal(err)
	}
	ruth.mu.Lock()
	box, from := ruth.log.Box(), ruth.log.Position()
	ruth.mu.Unlock()
	page, err := r.Do(ctx, relay.Exchange{Box: box, From: from, Mode: relay.Mode64})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(page.Cells); n == 0 || !bytes.Equal(page.Cells[n-1][:], cell[:]) {
		t.Fatalf("%d cells, and the last is another", n)
	}
	if _, err := ruth.take(box, page); err != nil {
		t.Fatal(err)
	}
	if l, err := ruth.c.Messages(ruth.id, Query{}); err != nil || spoken(l) != 1 {
		t.Fatalf("%d messages, %v", spoken(l), err)
	}
	if err := ruth.reload(); err != nil {
		t.Fatal(err)
	}
	ruth.mu.Lock()
	defer ruth.mu.Unlock()
	if p := ruth.log.Position(); p != page.Next {
		t.Errorf("opened again the log stands at %d, not %d", p, page.Next)
	}
	if got, _, err := ruth.log.Step(&cell, false); err != nil || got == nil || got.Payload != nil || got.Bad == nil {
		t.Errorf("opened again, the log reads the message again: %+v, %v", got, err)
	}
}
