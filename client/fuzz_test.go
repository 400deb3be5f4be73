package client

import (
	"bytes"
	"strings"
	"testing"

	"parley/dialogue"
	"parley/internal/wire"
)

// FuzzCard: whatever is read as a card is one, however it was typed.
func FuzzCard(f *testing.F) {
	c := card{seat: dialogue.SeatID{1}, expires: 29_000_000, secret: [32]byte{2}, address: "http://127.0.0.1:8080"}
	f.Add(c.String())
	f.Add("\n parley: " + strings.TrimPrefix(c.String(), cardScheme)[:20] + " \t" + strings.TrimPrefix(c.String(), cardScheme)[20:])
	f.Add(cardScheme)
	f.Add(cardScheme + strings.Repeat("A", maxCard))
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCard(text)
		if err != nil {
			if err != ErrCard {
				t.Errorf("refused with %v", err)
			}
			return
		}
		if again := c.String(); again != strings.Join(strings.Fields(text), "") {
			t.Errorf("%q is read as %q", text, again)
		}
	})
}

// FuzzOffer: an offer that is read names sides, rules and people that the join
// page can show, and re-encodes identically.
func FuzzOffer(f *testing.F) {
	good := offer{
		Sides: []string{"North", "South"}, Rules: dialogue.Preset(dialogue.TrackTwo), Side: 1, Name: "Halden", Convenor: "Ruth", Head: true,
	}
	f.Add(wire.Marshal(good))
	good.Side = 7
	f.Add(wire.Marshal(good))
	f.Add([]byte{0x89})
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := parseOffer(b)
		if err != nil {
			return
		}
		if !bytes.Equal(wire.Marshal(o), b) {
			t.Errorf("%x re-encodes otherwise", b)
		}
		if int(o.Side) > len(o.Sides) || dialogue.CheckName(o.Name) != nil {
			t.Errorf("an offer that can't be shown: %+v", o)
		}
	})
}

// FuzzParcelContent: what lies in a card's box or at a door re-encodes
// identically, whatever it is taken for.
func FuzzParcelContent(f *testing.F) {
	f.Add(wire.Marshal(posted{Signed: dialogue.SignedPost{Post: dialogue.Post{Seat: dialogue.SeatID{1}}, Signature: make([]byte, 64)}, Package: []byte{2}}))
	f.Add(wire.Marshal(dialogue.Return{Signed: dialogue.ReturnPost{Seat: dialogue.SeatID{1}}.Sign(), Package: []byte{2}}))
	f.Add(wire.Marshal(wire.Marshal("a Welcome")))
	f.Fuzz(func(t *testing.T, b []byte) {
		same[posted](t, b)
		same[dialogue.Return](t, b)
	})
}

// FuzzStored: what a vault holds re-encodes identically.
func FuzzStored(f *testing.F) {
	f.Add(wire.Marshal(record{Text: "Said.", Time: 29_000_000}))
	f.Add(wire.Marshal(item{Kind: itemEvent, Event: []byte{1}, Cells: []cellInfo{{}}}))
	f.Add(wire.Marshal(account{}))
	f.Add(wire.Marshal(heldEntry{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		same[record](t, b)
		same[item](t, b)
		same[account](t, b)
		same[heldEntry](t, b)
	})
}

func same[T any](t *testing.T, b []byte) {
	t.Helper()
	v := new(T)
	if wire.Unmarshal(b, v, wire.MaxMessage) == nil && !bytes.Equal(wire.Marshal(v), b) {
		t.Errorf("%x re-encodes otherwise as a %T", b, v)
	}
}
