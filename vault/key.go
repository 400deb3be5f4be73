package vault

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"

	"golang.org/x/crypto/chacha20poly1305"

	"parley/internal/secret"
)

// A Key opens one vault without its passphrase, as long as the process lives.
// A change of the passphrase leaves it good.
type Key struct {
	id  [idSize]byte
	key secret.Key
}

// Unlock does the slow work on the passphrase (a fraction of a second, 64 MiB)
// for the vault in dir. It neither opens nor locks the vault. Errors: ErrNone,
// ErrPassphrase, ErrNoPassphrase, ErrDamaged, ErrNewer.
func Unlock(dir string, passphrase []byte) (*Key, error) {
	if len(passphrase) == 0 {
		return nil, ErrNoPassphrase
	}
	h, err := readHeader(dir)
	if err != nil {
		return nil, err
	}
	key, err := h.open(passphrase)
	if err != nil {
		return nil, err
	}
	return &Key{h.id, key}, nil
}

// pages is the key of the file's pages.
func (k *Key) pages() secret.Key { return k.derive("parley vault 1 pages") }

// global is the key that seals the global space.
func (k *Key) global() secret.Key { return k.derive("parley vault 1 global") }

func (k *Key) derive(label string) secret.Key {
	root := k.key.Bytes()
	defer clear(root)
	b, err := hkdf.Key(sha256.New, root, nil, label, secret.Size)
	if err != nil {
		panic(err) // only for more output than HKDF has
	}
	return mustKey(b)
}

func randomKey() secret.Key {
	b := make([]byte, secret.Size)
	rand.Read(b)
	return mustKey(b)
}

// mustKey takes b, of 32 bytes of our own making, and clears it.
func mustKey(b []byte) secret.Key {
	defer clear(b)
	k, err := secret.NewKey(b)
	if err != nil {
		panic(err)
	}
	return k
}

func mustAEAD(k secret.Key) cipher.AEAD {
	b := k.Bytes()
	defer clear(b)
	a, err := chacha20poly1305.NewX(b)
	if err != nil {
		panic(err) // only for a key of another length
	}
	return a
}

// seal returns nonce and ciphertext of value, bound to name.
func seal(a cipher.AEAD, name, value []byte) []byte {
	b := make([]byte, a.NonceSize(), a.NonceSize()+len(value)+a.Overhead())
	rand.Read(b)
	return a.Seal(b, b, value, name)
}

// unseal is the inverse of seal. It copies: sealed may be SQLite's own memory.
func unseal(a cipher.AEAD, name, sealed []byte) ([]byte, error) {
	if len(sealed) < a.NonceSize()+a.Overhead() {
		return nil, damaged("a value is too short")
	}
	value, err := a.Open([]byte{}, sealed[:a.NonceSize()], sealed[a.NonceSize():], name)
	if err != nil {
		return nil, damaged("a value was altered")
	}
	return value, nil
}
