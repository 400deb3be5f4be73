package dialogue

import (
	"bytes"
	"crypto/ed25519"

	"parley/internal/wire"
)

// Whoever lets a seat in could do so in a room of its own: by a commit that the
// log never took, or among members that it made up. The others see that the
// seat is in, and never hear it. Beside its Welcome they then put a witness: in
// which room, by their log, its key package came in.

// A Witness is one seat's word on where a key package came in.
type Witness struct {
	_       struct{} `cbor:",toarray"`
	Author  SeatID
	Package Hash   // the key package that was added
	Group   []byte // the plenary's group id
	Epoch   uint64 // that the commit began
	Tag     []byte // confirmation tag of that epoch (RFC 9420 §6.1)
}

// A SignedWitness is a Witness with its signatures, Ed25519.
type SignedWitness struct {
	_         struct{} `cbor:",toarray"`
	Witness   Witness
	Signature []byte // by the author's witness key
	Card      []byte // by the key of the card that the seat came with, where the author made it; else empty
}

const (
	maxGroupID = 64 // bytes
	maxTag     = 64
	maxWitness = 512
)

// At tells whether a witness names a place: a group in an epoch with this
// confirmation tag.
func (w *Witness) At(group []byte, epoch uint64, tag []byte) bool {
	return w.Epoch == epoch && bytes.Equal(w.Group, group) && bytes.Equal(w.Tag, tag)
}

func (w Witness) signed() []byte { return append([]byte("parley witness v1\x00"), wire.Marshal(w)...) }

// Sign signs a witness with the author's witness key and, where there is one,
// the key of the card that it made for the seat.
func (w Witness) Sign(key, card ed25519.PrivateKey) SignedWitness {
	s := SignedWitness{Witness: w, Signature: ed25519.Sign(key, w.signed())}
	if card != nil {
		s.Card = ed25519.Sign(card, w.signed())
	}
	return s
}

// ParseWitness decodes what lay beside a Welcome.
func ParseWitness(b []byte) (*SignedWitness, error) {
	s := new(SignedWitness)
	if err := wire.Unmarshal(b, s, maxWitness); err != nil {
		return nil, err
	}
	w := &s.Witness
	if w.Author.IsZero() || len(w.Group) == 0 || len(w.Group) > maxGroupID || len(w.Tag) == 0 || len(w.Tag) > maxTag ||
		len(s.Signature) != ed25519.SignatureSize || len(s.Card) != 0 && len(s.Card) != ed25519.SignatureSize {
		return nil, wire.ErrMalformed
	}
	return s, nil
}

// By tells whether a witness is by a seat's witness key.
func (s *SignedWitness) By(key []byte) bool {
	return len(key) == ed25519.PublicKeySize && ed25519.Verify(key, s.Witness.signed(), s.Signature)
}

// ByCard tells whether a witness is by who made a card: its holder apart, nobody
// else has the card's key.
func (s *SignedWitness) ByCard(card Key) bool {
	return len(s.Card) > 0 && ed25519.Verify(card[:], s.Witness.signed(), s.Card)
}
