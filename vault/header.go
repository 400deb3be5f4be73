package vault

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/text/unicode/norm"

	"parley/internal/secret"
	"parley/internal/wire"
)

// The header file, numbers big-endian, every field of fixed size:
//
//	magic     8  "parleyvk"
//	version   2  1
//	id       16  random; names this vault to whoever holds its Key
//	time      4  passes of Argon2id
//	memory    4  KiB
//	lanes     1
//	salt     16
//	nonce    24
//	sealed   48  the database's key, XChaCha20-Poly1305 under the key that
//	             Argon2id makes; associated data: all that precedes the nonce
//	check     8  of SHA-256 over all the rest: a damaged header is not taken
//	             for a wrong passphrase
const (
	headerMagic   = "parleyvk"
	headerVersion = 1
	headerSize    = 8 + 2 + idSize + 4 + 4 + 1 + saltSize +
		chacha20poly1305.NonceSizeX + secret.Size + chacha20poly1305.Overhead + checkSize

	idSize    = 16
	saltSize  = 16
	checkSize = 8
)

// A cost is the parameters of Argon2id (RFC 9106).
type cost struct {
	time   uint32 // passes
	memory uint32 // KiB
	lanes  uint8
}

// defaultCost is the second recommendation of RFC 9106 §4.
var defaultCost = cost{time: 3, memory: 64 << 10, lanes: 4}

// valid bounds what a header may make us spend, and keeps argon2 from panicking.
func (c cost) valid() bool {
	return c.time >= 1 && c.time <= 64 &&
		c.lanes >= 1 && c.lanes <= 64 &&
		c.memory >= 8*uint32(c.lanes) && c.memory <= 1<<20
}

type header struct {
	id     [idSize]byte
	cost   cost
	salt   [saltSize]byte
	nonce  [chacha20poly1305.NonceSizeX]byte
	sealed [secret.Size + chacha20poly1305.Overhead]byte
}

// prefix is what the sealed key is bound to.
func (h *header) prefix() []byte {
	b := append(make([]byte, 0, headerSize), headerMagic...)
	b = wire.AppendU16(b, headerVersion)
	b = append(b, h.id[:]...)
	b = wire.AppendU32(b, h.cost.time)
	b = wire.AppendU32(b, h.cost.memory)
	b = append(b, h.cost.lanes)
	return append(b, h.salt[:]...)
}

func (h *header) encode() []byte {
	b := append(h.prefix(), h.nonce[:]...)
	b = append(b, h.sealed[:]...)
	sum := sha256.Sum256(b)
	return append(b, sum[:checkSize]...)
}

// parseHeader reads a header; it accepts what encode writes and nothing else.
func parseHeader(b []byte) (*header, error) {
	r := wire.NewReader(b)
	magic, version := r.Bytes(len(headerMagic)), r.U16()
	switch {
	case r.Err() != nil || string(magic) != headerMagic:
		return nil, damaged("vault.key is not a vault's")
	case version > headerVersion:
		return nil, fmt.Errorf("%w (vault.key has version %d)", ErrNewer, version)
	case version < headerVersion || len(b) != headerSize:
		return nil, damaged("vault.key")
	}
	sum := sha256.Sum256(b[:headerSize-checkSize])
	if !bytes.Equal(sum[:checkSize], b[headerSize-checkSize:]) {
		return nil, damaged("vault.key")
	}
	h := new(header)
	r.Fill(h.id[:])
	h.cost = cost{time: r.U32(), memory: r.U32(), lanes: r.U8()}
	r.Fill(h.salt[:])
	r.Fill(h.nonce[:])
	r.Fill(h.sealed[:])
	r.Bytes(checkSize)
	if r.Done() != nil || !h.cost.valid() {
		return nil, damaged("vault.key")
	}
	return h, nil
}

// newHeader seals key for passphrase.
func newHeader(id [idSize]byte, key secret.Key, passphrase []byte, c cost) *header {
	h := &header{id: id, cost: c}
	rand.Read(h.salt[:])
	rand.Read(h.nonce[:])
	plain := key.Bytes()
	defer clear(plain)
	mustAEAD(h.stretch(passphrase)).Seal(h.sealed[:0], h.nonce[:], plain, h.prefix())
	return h
}

// open returns the database's key, or ErrPassphrase.
func (h *header) open(passphrase []byte) (secret.Key, error) {
	plain, err := mustAEAD(h.stretch(passphrase)).Open(nil, h.nonce[:], h.sealed[:], h.prefix())
	if err != nil {
		return secret.Key{}, ErrPassphrase
	}
	defer clear(plain)
	return secret.NewKey(plain)
}

// stretch makes a key of a passphrase. Composed and decomposed accents are the
// same passphrase, whichever the keyboard sends (RFC 8265 §4.2.2).
func (h *header) stretch(passphrase []byte) secret.Key {
	text := norm.NFC.Append(nil, passphrase...) // a copy: it is cleared
	defer clear(text)
	return mustKey(argon2.IDKey(text, h.salt[:], h.cost.time, h.cost.memory, h.cost.lanes, secret.Size))
}

// readHeader reads the header of the vault in dir.
func readHeader(dir string) (*header, error) {
	f, err := os.Open(filepath.Join(dir, keyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, failed("open vault.key", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, headerSize+1))
	if err != nil {
		return nil, failed("read vault.key", err)
	}
	return parseHeader(b)
}

// writeDurably writes a file that was not there, or replaces it, down to the
// disk. The name of it is durable after syncDir.
func writeDurably(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
