package mls

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"

	"parley/internal/wire"
)

// A CipherSuite names the algorithms of a group (RFC 9420 §17.1).
type CipherSuite uint16

// The cipher suites that can be had here. Suites 4 and 6 need X448 and Ed448.
const (
	MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519        CipherSuite = 1
	MLS_128_DHKEMP256_AES128GCM_SHA256_P256             CipherSuite = 2
	MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519 CipherSuite = 3
	MLS_256_DHKEMP521_AES256GCM_SHA512_P521             CipherSuite = 5
	MLS_256_DHKEMP384_AES256GCM_SHA384_P384             CipherSuite = 7

	// The hybrid of draft-ietf-mls-pq-ciphersuites. Its code point is still
	// to be assigned; this one is of the private range, and only here.
	MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519 CipherSuite = 0xF768
)

// Hybrid is the suite whose groups stay closed to a quantum computer that
// comes later: the one to use unless peers can't.
const Hybrid = MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519

const (
	mls10 = uint16(1) // ProtocolVersion (RFC 9420 §6)

	nonceSize = 12 // AEAD.Nn of every suite here
	tagSize   = 16 // AEAD.Nt of every suite here
)

// suite holds the algorithms of one CipherSuite.
type suite struct {
	id        CipherSuite
	name      string
	kem       hpke.KEM
	kdf       hpke.KDF
	aead      hpke.AEAD
	publicLen int // of an encoded public key of kem
	encLen    int // of a KEM output
	newHash   func() hash.Hash
	nh        int // KDF.Nh, and the size of a hash
	nk        int // AEAD.Nk
	newAEAD   func(key []byte) (cipher.AEAD, error)
	signature signatureScheme
}

var suites = []*suite{
	{
		MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
		hpke.DHKEM(ecdh.X25519()), hpke.HKDFSHA256(), hpke.AES128GCM(), 32, 32,
		sha256.New, 32, 16, newGCM, schemeEd25519,
	}, {
		MLS_128_DHKEMP256_AES128GCM_SHA256_P256, "MLS_128_DHKEMP256_AES128GCM_SHA256_P256",
		hpke.DHKEM(ecdh.P256()), hpke.HKDFSHA256(), hpke.AES128GCM(), 65, 65,
		sha256.New, 32, 16, newGCM, schemeP256,
	}, {
		MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519, "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519",
		hpke.DHKEM(ecdh.X25519()), hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), 32, 32,
		sha256.New, 32, 32, chacha20poly1305.New, schemeEd25519,
	}, {
		MLS_256_DHKEMP521_AES256GCM_SHA512_P521, "MLS_256_DHKEMP521_AES256GCM_SHA512_P521",
		hpke.DHKEM(ecdh.P521()), hpke.HKDFSHA512(), hpke.AES256GCM(), 133, 133,
		sha512.New, 64, 32, newGCM, schemeP521,
	}, {
		MLS_256_DHKEMP384_AES256GCM_SHA384_P384, "MLS_256_DHKEMP384_AES256GCM_SHA384_P384",
		hpke.DHKEM(ecdh.P384()), hpke.HKDFSHA384(), hpke.AES256GCM(), 97, 97,
		sha512.New384, 48, 32, newGCM, schemeP384,
	}, {
		Hybrid, "MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519",
		hpke.MLKEM768X25519(), hpke.HKDFSHA384(), hpke.AES256GCM(), 1216, 1120,
		sha512.New384, 48, 32, newGCM, schemeEd25519,
	},
}

// suiteOf finds the algorithms of id; ErrUnsupported if there are none.
func suiteOf(id CipherSuite) (*suite, error) {
	for _, s := range suites {
		if s.id == id {
			return s, nil
		}
	}
	return nil, unsupported("cipher suite %#04x", uint16(id))
}

// Suites lists the cipher suites that are supported.
func Suites() []CipherSuite {
	ids := make([]CipherSuite, len(suites))
	for i, s := range suites {
		ids[i] = s.id
	}
	return ids
}

// String is the name of the suite.
func (id CipherSuite) String() string {
	if s, err := suiteOf(id); err == nil {
		return s.name
	}
	return fmt.Sprintf("cipher suite %#04x", uint16(id))
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// randomBytes gives n bytes fit for a key.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails (crypto/rand)
	return b
}

func (s *suite) hash(b []byte) []byte {
	h := s.newHash()
	h.Write(b)
	return h.Sum(nil)
}

// mac is HMAC with the suite's hash (RFC 9420 §5.1).
func (s *suite) mac(key, b []byte) []byte {
	h := hmac.New(s.newHash, key)
	h.Write(b)
	return h.Sum(nil)
}

// refHash makes hash-based identifiers (RFC 9420 §5.2).
func (s *suite) refHash(label string, value []byte) []byte {
	return s.hash(wire.AppendVec(wire.AppendVec(nil, []byte(label)), value))
}

func (s *suite) extract(salt, ikm []byte) []byte {
	out, err := hkdf.Extract(s.newHash, ikm, salt)
	if err != nil {
		panic("mls: extract: " + err.Error()) // only where a build forbids short secrets
	}
	return out
}

// expandWithLabel derives n bytes, 255·Nh at most (RFC 9420 §8).
func (s *suite) expandWithLabel(secret []byte, label string, context []byte, n int) []byte {
	info := wire.AppendU16(make([]byte, 0, 64), uint16(n))
	info = wire.AppendVec(info, []byte("MLS 1.0 "+label))
	info = wire.AppendVec(info, context)
	out, err := hkdf.Expand(s.newHash, secret, string(info), n)
	if err != nil {
		panic("mls: expand: " + err.Error()) // lengths are of our own choosing
	}
	return out
}

// deriveSecret is DeriveSecret of RFC 9420 §8.
func (s *suite) deriveSecret(secret []byte, label string) []byte {
	return s.expandWithLabel(secret, label, nil, s.nh)
}

// deriveTreeSecret is DeriveTreeSecret of RFC 9420 §9.1.
func (s *suite) deriveTreeSecret(secret []byte, label string, generation uint32, n int) []byte {
	return s.expandWithLabel(secret, label, wire.AppendU32(nil, generation), n)
}

// seal encrypts with a key and nonce of the suite's sizes.
func (s *suite) seal(key, nonce, aad, plaintext []byte) []byte {
	return s.mustAEAD(key).Seal(nil, nonce, plaintext, aad)
}

func (s *suite) open(key, nonce, aad, ciphertext []byte) ([]byte, error) {
	b, err := s.mustAEAD(key).Open(nil, nonce, ciphertext, aad)
	if err != nil {
		return nil, ErrUndecryptable
	}
	return b, nil
}

func (s *suite) mustAEAD(key []byte) cipher.AEAD {
	a, err := s.newAEAD(key)
	if err != nil {
		panic("mls: " + err.Error()) // keys have the suite's length
	}
	return a
}
