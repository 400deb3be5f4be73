package dialogue

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"parley/internal/wire"
)

func witness() Witness {
	return Witness{Author: SeatID{1}, Package: Hash{2}, Group: []byte{3}, Epoch: 4, Tag: bytes.Repeat([]byte{5}, 48)}
}

// TestWitness: a witness is by the keys that signed it, over all that it says,
// and by no others.
func TestWitness(t *testing.T) {
	key, card := keyOf("Ruth", 0), keyOf("Mira", 0)
	public := func(k ed25519.PrivateKey) []byte { return k.Public().(ed25519.PublicKey) }
	s, err := ParseWitness(wire.Marshal(witness().Sign(key, card)))
	if err != nil || !s.By(public(key)) || !s.ByCard(Key(public(card))) {
		t.Fatalf("%+v, %v", s, err)
	}
	if s.By(public(card)) || s.ByCard(Key(public(key))) || s.By(nil) || s.ByCard(Key{}) {
		t.Error("it is by other keys")
	}
	if s := witness().Sign(key, nil); s.ByCard(Key(public(card))) || !s.By(public(key)) {
		t.Error("without a card")
	}
	for i, change := range []func(*Witness){
		func(w *Witness) { w.Author[7]++ },
		func(w *Witness) { w.Package[31]++ },
		func(w *Witness) { w.Group = []byte{4} },
		func(w *Witness) { w.Epoch++ },
		func(w *Witness) { w.Tag = bytes.Repeat([]byte{6}, 48) },
	} {
		x := *s
		change(&x.Witness)
		if x.By(public(key)) || x.ByCard(Key(public(card))) {
			t.Errorf("change %d is not noticed", i)
		}
	}
}

// TestMalformedWitness: what is out of bounds is refused.
func TestMalformedWitness(t *testing.T) {
	for i, change := range []func(*SignedWitness){
		func(s *SignedWitness) { s.Witness.Author = SeatID{} },
		func(s *SignedWitness) { s.Witness.Group = nil },
		func(s *SignedWitness) { s.Witness.Group = make([]byte, maxGroupID+1) },
		func(s *SignedWitness) { s.Witness.Tag = nil },
		func(s *SignedWitness) { s.Witness.Tag = make([]byte, maxTag+1) },
		func(s *SignedWitness) { s.Signature = s.Signature[1:] },
		func(s *SignedWitness) { s.Card = s.Card[1:] },
	} {
		s := witness().Sign(keyOf("Ruth", 0), keyOf("Mira", 0))
		change(&s)
		if _, err := ParseWitness(wire.Marshal(s)); err == nil {
			t.Errorf("change %d passes", i)
		}
	}
}

func FuzzWitness(f *testing.F) {
	f.Add(wire.Marshal(witness().Sign(keyOf("Ruth", 0), nil)))
	f.Add(wire.Marshal(witness().Sign(keyOf("Ruth", 0), keyOf("Mira", 0))))
	f.Add(wire.Marshal(SignedWitness{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseWitness(b)
		if err != nil {
			return
		}
		if !bytes.Equal(wire.Marshal(s), b) {
			t.Errorf("%x re-encodes otherwise", b)
		}
		s.By(make([]byte, ed25519.PublicKeySize))
		s.ByCard(Key{})
	})
}
