package client

import (
	"context"
	"fmt"
	"testing"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/relay"
	"parley/vault"
)

// messagesInVault is how many messages the benchmarks' vault holds, of all of
// which none has been seen, or all.
const messagesInVault = 20_000

// benchVault makes a vault with one dialogue and its messages: every second by
// somebody else, as a person who does not look would have them.
func benchVault(b *testing.B, seen bool) (Options, *vault.Key) {
	b.Helper()
	address, err := relay.ParseAddress("http://127.0.0.1:1")
	if err != nil {
		b.Fatal(err)
	}
	o := Options{Dir: b.TempDir()}
	v, err := vault.Create(o.Dir, []byte("a passphrase for tests"))
	if err != nil {
		b.Fatal(err)
	}
	key := v.Key()
	if err := NewProfile(v, DefaultProfile("Ruth")); err != nil {
		b.Fatal(err)
	}
	c, err := With(o, v)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := c.Start(context.Background(), StartOptions{
		Title: "The Orva Waters", Rules: dialogue.Preset(dialogue.TrackTwo), Sides: []string{"North", "South"}, Relay: address,
	}); err != nil {
		b.Fatal(err)
	}
	m := c.all()[0]
	open, err := dialogue.ParseEvent(m.out[0].Event)
	if err != nil {
		b.Fatal(err)
	}
	m.mu.Lock()
	err = m.update(func(sp *vault.Space) error {
		m.state, _ = dialogue.Apply(nil, dialogue.Entry{Author: m.acct.Me, Event: &open})
		for i := range 59 {
			m.state.Seats = append(m.state.Seats, dialogue.Seat{
				ID: dialogue.NewSeatID(), Side: dialogue.SideID(1 + i%2), Name: fmt.Sprint("Seat ", i), Status: dialogue.In, Key: make([]byte, 32),
			})
		}
		if err := sp.Put([]byte(keyState), m.state.Marshal()); err != nil {
			return err
		}
		for i := range messagesInVault {
			by := m.state.Seats[i%len(m.state.Seats)].ID
			say := dialogue.Say{Text: fmt.Sprintf("Line %d of the talks on the upper Orva, and on who opens which gate.", i)}
			e := dialogue.NewEvent(dialogue.KindSay, m.c.minute(), say)
			n := dialogue.Note{Kind: dialogue.NoteSaid, By: by, Seat: by, Event: e.ID(by), What: e.Kind}
			if err := m.said(sp, n, say, channel.Place{}, dialogue.Entry{Author: by, Event: &e}); err != nil {
				return err
			}
		}
		for i := range m.state.Seats {
			for r := range dialogue.Room(2) {
				m.reaches(r, m.state.Seats[i].ID, mark{Log: 1, Epoch: 200, Position: uint64(1000 + i)})
			}
		}
		if seen {
			m.acct.Shown[0] = m.acct.NextSeq - 1
		}
		return nil
	})
	m.mu.Unlock()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Close(); err != nil {
		b.Fatal(err)
	}
	return o, key
}

func benchOpen(b *testing.B, o Options, key *vault.Key) *Client {
	v, err := vault.OpenKey(o.Dir, key)
	if err != nil {
		b.Fatal(err)
	}
	c, err := With(o, v)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// BenchmarkOpen opens a vault with 20,000 messages, apart from the passphrase
// hash, lists its dialogues and closes it.
func BenchmarkOpen(b *testing.B) {
	for _, seen := range []bool{true, false} {
		b.Run(fmt.Sprintf("seen=%v", seen), func(b *testing.B) {
			o, key := benchVault(b, seen)
			for b.Loop() {
				c := benchOpen(b, o, key)
				if l := c.Dialogues(); len(l) != 1 || len(l[0].Seats) != wire.MaxSeats {
					b.Fatalf("%d dialogues", len(l))
				}
				if err := c.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkMessages gives the latest 50, and 50 from the middle.
func BenchmarkMessages(b *testing.B) {
	o, key := benchVault(b, true)
	c := benchOpen(b, o, key)
	defer c.Close()
	id := c.Dialogues()[0].ID
	for name, q := range map[string]Query{"latest": {Limit: 50}, "middle": {Limit: 50, Before: messagesInVault / 2}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if l, err := c.Messages(id, q); err != nil || len(l) != 50 && len(l) != 51 {
					b.Fatalf("%d messages, %v", len(l), err)
				}
			}
		})
	}
}

// BenchmarkDialogue gives the picture of a dialogue of 60 seats.
func BenchmarkDialogue(b *testing.B) {
	o, key := benchVault(b, true)
	c := benchOpen(b, o, key)
	defer c.Close()
	id := c.Dialogues()[0].ID
	for b.Loop() {
		if d, err := c.Dialogue(id); err != nil || len(d.Seats) != wire.MaxSeats {
			b.Fatalf("%d seats, %v", len(d.Seats), err)
		}
	}
}

// BenchmarkIdleUpdate is a transaction that has nothing to write, as chores
// make one at each wake-up while one of them waits for its turn.
func BenchmarkIdleUpdate(b *testing.B) {
	o, key := benchVault(b, true)
	c := benchOpen(b, o, key)
	defer c.Close()
	m := c.all()[0]
	m.mu.Lock()
	defer m.mu.Unlock()
	for b.Loop() {
		if err := m.update(func(*vault.Space) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
