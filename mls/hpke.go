package mls

import (
	"bytes"
	"crypto/hpke"
	"encoding/hex"
	"fmt"

	"parley/internal/wire"
)

// hpkeCiphertext is HPKECiphertext of RFC 9420 §7.6.
type hpkeCiphertext struct{ kemOutput, ciphertext []byte }

func readHPKECiphertext(r *wire.Reader) hpkeCiphertext {
	return hpkeCiphertext{r.Vec(maxMessage), r.Vec(maxMessage)}
}

func (c hpkeCiphertext) appendTo(b []byte) []byte {
	return wire.AppendVec(wire.AppendVec(b, c.kemOutput), c.ciphertext)
}

// encryptContext is EncryptContext of RFC 9420 §5.1.3.
func encryptContext(label string, context []byte) []byte {
	b := wire.AppendVec(make([]byte, 0, 64+len(context)), []byte("MLS 1.0 "+label))
	return wire.AppendVec(b, context)
}

// encryptWithLabel is EncryptWithLabel of RFC 9420 §5.1.3. It fails only for
// a public key that checkPublicKey refuses.
func (s *suite) encryptWithLabel(public []byte, label string, context, plaintext []byte) (hpkeCiphertext, error) {
	key, err := s.kem.NewPublicKey(public)
	if err != nil {
		return hpkeCiphertext{}, err
	}
	enc, sender, err := hpke.NewSender(key, s.kdf, s.aead, encryptContext(label, context))
	if err != nil {
		return hpkeCiphertext{}, err
	}
	ct, err := sender.Seal(nil, plaintext)
	return hpkeCiphertext{enc, ct}, err
}

// decryptWithLabel is DecryptWithLabel of RFC 9420 §5.1.3.
func (s *suite) decryptWithLabel(private []byte, label string, context []byte, c hpkeCiphertext) ([]byte, error) {
	key, err := s.kem.NewPrivateKey(private)
	if err != nil {
		return nil, err
	}
	recipient, err := hpke.NewRecipient(c.kemOutput, key, s.kdf, s.aead, encryptContext(label, context))
	if err != nil {
		return nil, err
	}
	return recipient.Open(nil, c.ciphertext)
}

// keyPair is an HPKE key pair, both halves encoded as RFC 9180 has it.
type keyPair struct{ private, public []byte }

func newKeyPair(key hpke.PrivateKey, err error) keyPair {
	if err != nil {
		panic("mls: key pair: " + err.Error()) // secrets have the right length
	}
	private, err := key.Bytes()
	if err != nil {
		panic("mls: key pair: " + err.Error())
	}
	return keyPair{private, key.PublicKey().Bytes()}
}

func (s *suite) generateKeyPair() keyPair { return newKeyPair(s.kem.GenerateKey()) }

// deriveKeyPair is KEM.DeriveKeyPair of a secret of Nh bytes.
func (s *suite) deriveKeyPair(secret []byte) keyPair { return newKeyPair(s.kem.DeriveKeyPair(secret)) }

// parsePrivateKey gives back the pair of a private key that was stored.
func (s *suite) parsePrivateKey(private []byte) (keyPair, error) {
	key, err := s.kem.NewPrivateKey(private)
	if err != nil {
		return keyPair{}, fmt.Errorf("%w: private key", ErrMalformed)
	}
	return newKeyPair(key, nil), nil
}

// checkPublicKey refuses a public key that nobody could encrypt to: one that
// does not decode, and one whose X25519 part is of low order. A member who got
// such a key into the tree could keep everybody else from committing.
func (s *suite) checkPublicKey(public []byte) error {
	if len(public) != s.publicLen {
		return invalid("§5.1.1: an encryption key of %d bytes", len(public))
	}
	if _, err := s.kem.NewPublicKey(public); err != nil {
		return invalid("§5.1.1: encryption key: %v", err)
	}
	if x25519 := public[len(public)-32:]; s.hasX25519() && lowOrder(x25519) {
		return invalid("§5.1.1: an encryption key of low order")
	}
	return nil
}

// hasX25519 tells whether the last 32 bytes of a public key are of X25519.
func (s *suite) hasX25519() bool { return s.publicLen == 32 || s.id == Hybrid }

// lowOrderPoints are the u-coordinates of Curve25519 whose order divides 8,
// with the encodings that are not canonical; RFC 7748 §6.1 and §7 want the
// all-zero secret refused that every one of them gives.
var lowOrderPoints = [...]string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

var lowOrderTable = func() (table [len(lowOrderPoints)][]byte) {
	for i, p := range lowOrderPoints {
		b, err := hex.DecodeString(p)
		if err != nil {
			panic(err)
		}
		table[i] = b
	}
	return table
}()

func lowOrder(u []byte) bool {
	masked := bytes.Clone(u)
	masked[31] &= 0x7f // RFC 7748 §5: the top bit is ignored
	for _, p := range lowOrderTable {
		if bytes.Equal(p, masked) {
			return true
		}
	}
	return false
}

// isPrivateOf tells whether private is the other half of public.
func (s *suite) isPrivateOf(private, public []byte) bool {
	pair, err := s.parsePrivateKey(private)
	return err == nil && bytes.Equal(pair.public, public) && bytes.Equal(pair.private, private)
}
