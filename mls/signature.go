package mls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"

	"parley/internal/wire"
)

// signatureScheme is Ed25519 where curve is nil, else ECDSA on that curve.
type signatureScheme struct {
	curve elliptic.Curve
	hash  crypto.Hash
}

var (
	schemeEd25519 = signatureScheme{}
	schemeP256    = signatureScheme{elliptic.P256(), crypto.SHA256}
	schemeP384    = signatureScheme{elliptic.P384(), crypto.SHA384}
	schemeP521    = signatureScheme{elliptic.P521(), crypto.SHA512}
)

// A SignatureKey is the private key that a member signs with. It does not
// print. Whoever holds its Bytes can sign as the member.
type SignatureKey struct {
	hidden
	suite   *suite
	private crypto.Signer
	raw     []byte
	public  []byte
}

// GenerateSignatureKey makes a fresh key for suite id.
func GenerateSignatureKey(id CipherSuite) (*SignatureKey, error) {
	s, err := suiteOf(id)
	if err != nil {
		return nil, err
	}
	if s.signature.curve == nil {
		return ParseSignatureKey(id, randomBytes(ed25519.SeedSize))
	}
	key, err := ecdsa.GenerateKey(s.signature.curve, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("mls: signature key: %w", err)
	}
	raw, err := key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("mls: signature key: %w", err)
	}
	return ParseSignatureKey(id, raw)
}

// ParseSignatureKey takes what Bytes gave: the seed of an Ed25519 key, or the
// scalar of an ECDSA key, big-endian, as long as the curve's order.
func ParseSignatureKey(id CipherSuite, b []byte) (*SignatureKey, error) {
	s, err := suiteOf(id)
	if err != nil {
		return nil, err
	}
	k := &SignatureKey{suite: s, raw: append([]byte(nil), b...)}
	if s.signature.curve == nil {
		if len(b) != ed25519.SeedSize {
			return nil, fmt.Errorf("%w: signature key of %d bytes", ErrMalformed, len(b))
		}
		private := ed25519.NewKeyFromSeed(b)
		k.private, k.public = private, private.Public().(ed25519.PublicKey)
		return k, nil
	}
	private, err := ecdsa.ParseRawPrivateKey(s.signature.curve, b)
	if err != nil {
		return nil, fmt.Errorf("%w: signature key: %v", ErrMalformed, err)
	}
	k.private = private
	if k.public, err = private.PublicKey.Bytes(); err != nil {
		return nil, fmt.Errorf("%w: signature key: %v", ErrMalformed, err)
	}
	return k, nil
}

// Suite is the cipher suite that the key is for.
func (k *SignatureKey) Suite() CipherSuite { return k.suite.id }

// Bytes is a copy of the private key.
func (k *SignatureKey) Bytes() []byte { return append([]byte(nil), k.raw...) }

// Public is a copy of the public key, as it stands in leaf nodes.
func (k *SignatureKey) Public() []byte { return append([]byte(nil), k.public...) }

// signContent is SignContent of RFC 9420 §5.1.2.
func signContent(label string, content []byte) []byte {
	b := wire.AppendVec(make([]byte, 0, 64+len(content)), []byte("MLS 1.0 "+label))
	return wire.AppendVec(b, content)
}

// signWithLabel is SignWithLabel of RFC 9420 §5.1.2.
func (k *SignatureKey) signWithLabel(label string, content []byte) []byte {
	message, opts := signContent(label, content), crypto.Hash(0)
	if scheme := k.suite.signature; scheme.curve != nil {
		message, opts = digest(scheme.hash, message), scheme.hash
	}
	sig, err := k.private.Sign(rand.Reader, message, opts)
	if err != nil {
		panic("mls: sign: " + err.Error()) // the key was checked when it was made
	}
	return sig
}

// verifyWithLabel is VerifyWithLabel of RFC 9420 §5.1.2.
func (s *suite) verifyWithLabel(public []byte, label string, content, signature []byte) bool {
	message := signContent(label, content)
	if s.signature.curve == nil {
		return len(public) == ed25519.PublicKeySize && ed25519.Verify(public, message, signature)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(s.signature.curve, public)
	return err == nil && ecdsa.VerifyASN1(key, digest(s.signature.hash, message), signature)
}

// checkSignatureKey refuses a public key that does not decode.
func (s *suite) checkSignatureKey(public []byte) error {
	if s.signature.curve == nil {
		if len(public) != ed25519.PublicKeySize {
			return invalid("§5.1.1: a signature key of %d bytes", len(public))
		}
		return nil
	}
	if _, err := ecdsa.ParseUncompressedPublicKey(s.signature.curve, public); err != nil {
		return invalid("§5.1.1: signature key: %v", err)
	}
	return nil
}

func digest(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}
