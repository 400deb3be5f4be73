package pebble

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"

	"parley/internal/wire"
	"parley/relay"
)

const (
	tagSize    = 16
	sealedSize = wire.CellSize + 28 // nonce, cell, GCM tag
	valueSize  = 4 + tagSize + sealedSize
)

// A tag finds a cell by its hash, without telling the hash.
type tag [tagSize]byte

// A sealer seals the cells of one box at rest.
type sealer struct {
	id   relay.BoxID
	key  [keySize]byte
	aead cipher.AEAD
}

func newSealer(id relay.BoxID, key [keySize]byte) (*sealer, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &sealer{id, key, aead}, nil
}

// tag is an HMAC of the cell's hash; 128 bits of it, for nobody who makes cells
// knows the key.
func (s *sealer) tag(hash [32]byte) (t tag) {
	h := hmac.New(sha256.New, s.key[:])
	h.Write([]byte("parley relay store 1 tag"))
	h.Write(hash[:])
	copy(t[:], h.Sum(nil))
	return t
}

// value is what the database keeps of a cell: hour, tag, sealed cell.
func (s *sealer) value(position, hour uint32, t tag, cell *relay.Cell) []byte {
	b := make([]byte, 0, valueSize)
	b = wire.AppendU32(b, hour)
	b = append(b, t[:]...)
	return s.aead.Seal(b, nil, cell[:], s.bound(position, hour))
}

// open reads a value into cell, and returns its hour.
func (s *sealer) open(value []byte, position uint32, cell *relay.Cell) (uint32, error) {
	hour, _, err := valueHead(value)
	if err != nil {
		return 0, err
	}
	out, err := s.aead.Open(cell[:0], nil, value[4+tagSize:], s.bound(position, hour))
	if err != nil || len(out) != len(cell) {
		return 0, fmt.Errorf("cell at rest: %w", wire.ErrMalformed)
	}
	return hour, nil
}

// bound is what a sealed cell is bound to.
func (s *sealer) bound(position, hour uint32) []byte {
	b := make([]byte, 0, len(s.id)+8)
	b = append(b, s.id[:]...)
	return wire.AppendU32(wire.AppendU32(b, position), hour)
}

// valueHead reads what is not sealed.
func valueHead(value []byte) (hour uint32, t tag, err error) {
	if len(value) != valueSize {
		return 0, t, fmt.Errorf("cell at rest: %w", wire.ErrMalformed)
	}
	in := wire.NewReader(value)
	hour = in.U32()
	in.Fill(t[:])
	return hour, t, in.Err()
}
