package channel

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"parley/internal/wire"
)

// A body is what a head cell carries: bytes that fit, or a reference to the
// chunks where they lie. The same form stands outside an MLS message (a commit
// too long for a cell) and inside one (a long text, sealed under a one-time
// key that only the reference has).
type body struct {
	Inline []byte
	Ref    *Ref
}

// A Ref names chunks of this box and this epoch of the room: their positions
// in order, the hash of their joined contents, and the one-time key, where
// there is one. Chunks of another box or epoch can't be named, because who has
// come since could not open them and would read another log than the others.
type Ref struct {
	Positions []uint32
	Hash      Hash
	Key       []byte // 32 bytes or none
}

const (
	bodyInline = 0
	bodyRef    = 1

	// MaxChunks bounds the chunks that one head names.
	MaxChunks = wire.MaxMessage/contentSize + 1
)

func (b body) marshal() []byte {
	if b.Ref == nil {
		return append([]byte{bodyInline}, b.Inline...)
	}
	out := wire.AppendU16([]byte{bodyRef}, uint16(len(b.Ref.Positions)))
	for _, p := range b.Ref.Positions {
		out = wire.AppendU32(out, p)
	}
	out = append(out, b.Ref.Hash[:]...)
	return wire.AppendVec(out, b.Ref.Key)
}

func parseBody(in []byte) (body, error) {
	r := wire.NewReader(in)
	switch r.U8() {
	case bodyInline:
		return body{Inline: r.Rest()}, r.Err()
	case bodyRef:
	default:
		return body{}, fmt.Errorf("channel: body: %w", wire.ErrMalformed)
	}
	ref := new(Ref)
	n := int(r.U16())
	if n == 0 || n > MaxChunks || 4*n > r.Len() {
		r.Fail(wire.ErrMalformed)
		n = 0
	}
	for range n {
		p := r.U32()
		if p >= wire.BoxCapacity {
			r.Fail(wire.ErrMalformed)
		}
		ref.Positions = append(ref.Positions, p)
	}
	r.Fill(ref.Hash[:])
	ref.Key = r.Vec(chacha20poly1305.KeySize)
	if len(ref.Key) != 0 && len(ref.Key) != chacha20poly1305.KeySize {
		r.Fail(wire.ErrMalformed)
	}
	if err := r.Done(); err != nil {
		return body{}, fmt.Errorf("channel: body: %w", err)
	}
	return body{Ref: ref}, nil
}

// split cuts content into what chunk cells hold.
func split(content []byte) [][]byte {
	var parts [][]byte
	for len(content) > 0 {
		n := min(len(content), contentSize)
		parts = append(parts, content[:n])
		content = content[n:]
	}
	return parts
}

// sealOnce seals content under a fresh key. The nonce is zero because the key
// is used this once.
func sealOnce(content []byte) (key, sealed []byte, err error) {
	key = make([]byte, chacha20poly1305.KeySize)
	rand.Read(key)
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, nil, err
	}
	return key, aead.Seal(nil, make([]byte, nonceSize), content, nil), nil
}

func openOnce(key, sealed []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	return aead.Open(nil, make([]byte, nonceSize), sealed, nil)
}

// resolve gives what a body carries, fetching chunks with chunk, which returns
// nil for one that is not there.
func (b body) resolve(chunk func(position uint32) []byte) ([]byte, error) {
	if b.Ref == nil {
		return b.Inline, nil
	}
	var joined []byte
	for _, p := range b.Ref.Positions {
		c := chunk(p)
		if c == nil {
			return nil, fmt.Errorf("channel: chunk %d is missing", p)
		}
		joined = append(joined, c...)
	}
	if sha256.Sum256(joined) != b.Ref.Hash {
		return nil, fmt.Errorf("channel: chunks: %w", wire.ErrMalformed)
	}
	if len(b.Ref.Key) == 0 {
		return joined, nil
	}
	plain, err := openOnce(b.Ref.Key, joined)
	if err != nil {
		return nil, fmt.Errorf("channel: chunks: %w", wire.ErrMalformed)
	}
	return plain, nil
}
