package relay

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"parley/internal/secret"
	"parley/internal/wire"
)

// Every hash and every derivation of this protocol starts with its label, so
// that no value of one kind can pass for another.
const (
	labelRead      = "parley relay 1 read token"
	labelWrite     = "parley relay 1 write token"
	labelDestroy   = "parley relay 1 destroy token"
	labelMore      = "parley relay 1 more"
	labelDerive    = "parley relay 1 derive "
	labelTokenHash = "parley relay 1 token hash"
	labelBoxID     = "parley relay 1 box id"
	labelRequest   = "parley relay 1 request"
	labelAnswer    = "parley relay 1 answer"
)

// A Cell is what a relay stores: bytes that look random.
type Cell [wire.CellSize]byte

// Hash is the SHA-256 of the cell: what makes its append idempotent.
func (c *Cell) Hash() [32]byte { return sha256.Sum256(c[:]) }

// A BoxKey is the secret that makes a box. Who holds it can read, write and,
// once the box is idle, destroy. It is never sent to the relay.
type BoxKey struct{ secret.Key }

// NewBoxKey returns a random key.
func NewBoxKey() BoxKey {
	b := make([]byte, secret.Size)
	rand.Read(b) // never fails (crypto/rand)
	k, err := BoxKeyFrom(b)
	if err != nil {
		panic(err)
	}
	return k
}

// BoxKeyFrom copies b, of secret.Size bytes that an attacker can't guess.
func BoxKeyFrom(b []byte) (BoxKey, error) {
	k, err := secret.NewKey(b)
	if err != nil {
		return BoxKey{}, fmt.Errorf("relay: box key: %w", err)
	}
	return BoxKey{k}, nil
}

// Equal compares in constant time.
func (k BoxKey) Equal(other BoxKey) bool { return k.Key.Equal(other.Key) }

// More is the key of the box that continues this one when it is full, for the
// i-th time.
func (k BoxKey) More(i uint32) BoxKey {
	b := k.derive(string(wire.AppendU32([]byte(labelMore), i)))
	next, err := BoxKeyFrom(b[:])
	if err != nil {
		panic(err)
	}
	return next
}

// Derive makes another key from k, for a purpose of the caller's own. No label
// gives a token of the box.
func (k BoxKey) Derive(label string) [32]byte { return k.derive(labelDerive + label) }

func (k BoxKey) derive(info string) (out [32]byte) {
	b, err := hkdf.Key(sha256.New, k.Bytes(), nil, info, len(out))
	if err != nil {
		panic(err) // the length is a constant
	}
	copy(out[:], b)
	return out
}

// Box derives the box of k that keeps its cells for retentionDays and can be
// destroyed once nothing was appended for idleDays. Other days are another
// box. Keep the result: it costs some ten hashes.
func (k BoxKey) Box(retentionDays, idleDays uint16) *Box {
	b := &Box{read: k.derive(labelRead), write: k.derive(labelWrite), destroy: k.derive(labelDestroy)}
	b.proof = Proof{
		Read:      tokenHash(&b.read),
		Write:     tokenHash(&b.write),
		Destroy:   tokenHash(&b.destroy),
		Retention: retentionDays,
		Idle:      idleDays,
	}
	b.id = b.proof.ID()
	return b
}

// A Box is a box's id and the tokens that open it. It does not change, and does
// not print its tokens.
type Box struct {
	id                   BoxID
	proof                Proof
	read, write, destroy [TokenSize]byte
}

// ID is the id of the box.
func (b *Box) ID() BoxID { return b.id }

// Proof is what the id is the hash of.
func (b *Box) Proof() Proof { return b.proof }

// Tokens are the three tokens, for who speaks the protocol without a Client.
func (b *Box) Tokens() (read, write, destroy [TokenSize]byte) { return b.read, b.write, b.destroy }

// Format hides the tokens from every verb of fmt.
func (b Box) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[box]") }

// A BoxID names a box to the relay.
type BoxID [32]byte

// String is the id in hexadecimal. Nothing of the relay logs it.
func (id BoxID) String() string { return hex.EncodeToString(id[:]) }

// A Proof is what a box id is the hash of: the hashes of the three tokens and
// the terms of the box.
type Proof struct {
	Read, Write, Destroy [TokenSize]byte // hashes
	Retention            uint16          // days that a cell is kept
	Idle                 uint16          // days without an append before the box can be destroyed
}

// ID is the id of the box that p proves.
func (p *Proof) ID() BoxID {
	b := make([]byte, 0, len(labelBoxID)+3*TokenSize+4)
	b = append(b, labelBoxID...)
	b = append(b, p.Read[:]...)
	b = append(b, p.Write[:]...)
	b = append(b, p.Destroy[:]...)
	b = wire.AppendU16(b, p.Retention)
	b = wire.AppendU16(b, p.Idle)
	return sha256.Sum256(b)
}

func tokenHash(token *[TokenSize]byte) [TokenSize]byte {
	b := make([]byte, 0, len(labelTokenHash)+TokenSize)
	b = append(b, labelTokenHash...)
	return sha256.Sum256(append(b, token[:]...))
}
