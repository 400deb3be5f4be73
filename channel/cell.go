package channel

import (
	"crypto/rand"
	"errors"

	"golang.org/x/crypto/chacha20poly1305"

	"parley/internal/wire"
	"parley/relay"
)

// kind says what a cell is for. Nobody outside its room can tell.
type kind uint8

const (
	kindHead  kind = 1
	kindChunk kind = 2
	kindCover kind = 3
)

// A header says what its maker had seen: the position in this box, the
// running hash of the box up to there, and the hash over all boxes before.
// Nothing that MLS signs covers it.
type header struct {
	Position uint64
	Running  Hash
	Chain    Hash
}

// A Hash is a SHA-256.
type Hash = [32]byte

// Layout of a cell: nonce, then the sealed kind, header, length, content and
// zero padding, then the tag.
const (
	nonceSize   = chacha20poly1305.NonceSizeX
	plainSize   = wire.CellSize - nonceSize - chacha20poly1305.Overhead
	headerSize  = 8 + 32 + 32
	contentSize = plainSize - 1 - headerSize - 2
)

var errSealed = errors.New("channel: not a cell of this key")

// seal makes a cell. The content is contentSize bytes at most.
func seal(key []byte, k kind, h header, content []byte) (*relay.Cell, error) {
	if len(content) > contentSize {
		return nil, wire.ErrTooLarge
	}
	plain := make([]byte, 0, plainSize)
	plain = append(plain, byte(k))
	plain = wire.AppendU64(plain, h.Position)
	plain = append(append(plain, h.Running[:]...), h.Chain[:]...)
	plain = wire.AppendU16(plain, uint16(len(content)))
	plain = append(plain, content...)
	return sealRaw(key, plain[:plainSize])
}

// sealRaw seals plainSize bytes as a cell under a random nonce.
func sealRaw(key, plain []byte) (*relay.Cell, error) {
	nonce := make([]byte, nonceSize)
	rand.Read(nonce)
	return sealNonce(key, nonce, plain)
}

func sealNonce(key, nonce, plain []byte) (*relay.Cell, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	c := new(relay.Cell)
	copy(c[:], nonce)
	aead.Seal(c[nonceSize:nonceSize], c[:nonceSize], plain, nil)
	return c, nil
}

func openRaw(key []byte, c *relay.Cell) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, c[:nonceSize], c[nonceSize:], nil)
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}

// open opens a cell: errSealed where the key is another, wire.ErrMalformed
// where who holds the key filled it wrongly.
func open(key []byte, c *relay.Cell) (kind, header, []byte, error) {
	plain, err := openRaw(key, c)
	if err != nil {
		return 0, header{}, nil, err
	}
	return parsePlain(plain)
}

func parsePlain(plain []byte) (kind, header, []byte, error) {
	var h header
	r := wire.NewReader(plain)
	k := kind(r.U8())
	h.Position = r.U64()
	r.Fill(h.Running[:])
	r.Fill(h.Chain[:])
	content := r.Bytes(int(r.U16()))
	for _, b := range r.Rest() {
		if b != 0 {
			r.Fail(wire.ErrMalformed)
		}
	}
	if k < kindHead || k > kindCover {
		r.Fail(wire.ErrMalformed)
	}
	return k, h, content, r.Err()
}
