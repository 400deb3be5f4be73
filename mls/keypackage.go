package mls

import (
	"bytes"
	"fmt"

	"parley/internal/wire"
)

// A KeyPackage is how somebody who is not there can be added to a group
// (RFC 9420 §10). It is used once. It does not change once made.
type KeyPackage struct {
	version    uint16
	suite      CipherSuite
	initKey    []byte
	leaf       *leafNode
	extensions []extension
	signature  []byte
	raw        []byte
}

// KeyPackageSecrets are the private half of a KeyPackage: what Join needs.
type KeyPackageSecrets struct {
	hidden
	keyPackage  *KeyPackage
	initPrivate []byte
	leafPrivate []byte
	signature   *SignatureKey
}

// NewKeyPackage makes a key package with a basic credential: identity, 1,024
// bytes at most, is a bare assertion that the caller must check some other way.
func NewKeyPackage(id CipherSuite, identity []byte, sig *SignatureKey, life Lifetime) (*KeyPackage, *KeyPackageSecrets, error) {
	s, leaf, private, err := newLeaf(id, identity, sig, life)
	if err != nil {
		return nil, nil, err
	}
	init := s.generateKeyPair()
	kp := &KeyPackage{version: mls10, suite: id, initKey: init.public, leaf: leaf}
	kp.signature = sig.signWithLabel("KeyPackageTBS", kp.tbs())
	kp.raw = kp.encode()
	return kp, &KeyPackageSecrets{keyPackage: kp, initPrivate: init.private, leafPrivate: private, signature: sig}, nil
}

// newLeaf makes a leaf node as a key package, or a new group, has it.
func newLeaf(id CipherSuite, identity []byte, sig *SignatureKey, life Lifetime) (*suite, *leafNode, []byte, error) {
	s, err := suiteOf(id)
	if err != nil {
		return nil, nil, nil, err
	}
	if sig == nil || sig.suite != s {
		return nil, nil, nil, fmt.Errorf("mls: the signature key is not for %v", id)
	}
	if len(identity) > maxIdentity {
		return nil, nil, nil, fmt.Errorf("mls: identity: %w", ErrTooLarge)
	}
	if err := life.check(); err != nil {
		return nil, nil, nil, err
	}
	pair := s.generateKeyPair()
	leaf := &leafNode{
		encryptionKey: pair.public,
		signatureKey:  sig.Public(),
		credential:    credential{kind: credentialBasic, identity: append([]byte{}, identity...)},
		capabilities:  ownCapabilities(),
		source:        sourceKeyPackage,
		lifetime:      life,
	}
	return s, leaf.sign(sig, nil, 0), pair.private, nil
}

func readKeyPackage(r *wire.Reader) *KeyPackage {
	kp := &KeyPackage{
		version:    r.U16(),
		suite:      CipherSuite(r.U16()),
		initKey:    r.Vec(maxMessage),
		leaf:       readLeafNode(r),
		extensions: readExtensions(r),
		signature:  r.Vec(maxMessage),
	}
	if r.Err() == nil {
		kp.raw = kp.encode()
	}
	return kp
}

func (kp *KeyPackage) tbs() []byte {
	b := wire.AppendU16(wire.AppendU16(nil, kp.version), uint16(kp.suite))
	b = wire.AppendVec(b, kp.initKey)
	b = kp.leaf.appendTo(b)
	return appendExtensions(b, kp.extensions)
}

func (kp *KeyPackage) encode() []byte { return wire.AppendVec(kp.tbs(), kp.signature) }

func (kp *KeyPackage) appendTo(b []byte) []byte { return append(b, kp.raw...) }

// ParseKeyPackage decodes what Marshal gave. Nothing is checked yet: see Validate.
func ParseKeyPackage(b []byte) (*KeyPackage, error) {
	m, err := decode("key package", b, readMessage)
	if err != nil {
		return nil, err
	}
	if m.format != formatKeyPackage {
		return nil, fmt.Errorf("mls: key package: %w: another kind of message", ErrMalformed)
	}
	return m.keyPackage, nil
}

// Marshal encodes the key package as an MLSMessage (RFC 9420 §6).
func (kp *KeyPackage) Marshal() []byte {
	return kp.appendTo(messageHeader(formatKeyPackage))
}

// Suite is the cipher suite of the key package.
func (kp *KeyPackage) Suite() CipherSuite { return kp.suite }

// SignatureKey is a copy of the member's public signature key.
func (kp *KeyPackage) SignatureKey() []byte { return bytes.Clone(kp.leaf.signatureKey) }

// Identity is a copy of the identity that the key package claims; nil where
// its credential is not basic.
func (kp *KeyPackage) Identity() []byte { return bytes.Clone(kp.leaf.credential.identity) }

// Lifetime is when the key package may be used. Judging it needs a clock, so
// it is the caller's to judge.
func (kp *KeyPackage) Lifetime() Lifetime { return kp.leaf.lifetime }

// Ref is the KeyPackageRef, a hash that names the key package (RFC 9420 §5.2);
// nil for a suite that is not supported.
func (kp *KeyPackage) Ref() []byte {
	s, err := suiteOf(kp.suite)
	if err != nil {
		return nil
	}
	return s.refHash("MLS 1.0 KeyPackage Reference", kp.raw)
}

// Validate checks all of RFC 9420 §10.1 that needs neither a clock nor a group.
func (kp *KeyPackage) Validate() error {
	s, err := suiteOf(kp.suite)
	if err != nil {
		return err
	}
	// §10.1: the version is the group's, and there is one.
	if kp.version != mls10 {
		return invalid("§10.1: protocol version %d", kp.version)
	}
	// §7.3: the leaf of a key package says that it is one.
	if kp.leaf.source != sourceKeyPackage {
		return invalid("§7.3: the leaf of a key package has source %d", kp.leaf.source)
	}
	if err := kp.leaf.check(s, nil, 0); err != nil {
		return err
	}
	// §10: extensions are listed in the leaf's capabilities.
	for _, e := range kp.extensions {
		if !kp.leaf.capabilities.supportsExtension(e.kind) {
			return invalid("§10: a key package extension of type %d that its capabilities lack", e.kind)
		}
	}
	if err := s.checkPublicKey(kp.initKey); err != nil {
		return err
	}
	// §10.1: the init key is not the leaf's.
	if bytes.Equal(kp.initKey, kp.leaf.encryptionKey) {
		return invalid("§10.1: the init key is the leaf's encryption key")
	}
	if !s.verifyWithLabel(kp.leaf.signatureKey, "KeyPackageTBS", kp.tbs(), kp.signature) {
		return invalid("§10.1: the signature of a key package")
	}
	return nil
}

// KeyPackage is the public half.
func (k *KeyPackageSecrets) KeyPackage() *KeyPackage { return k.keyPackage }

// SignatureKey is the key that its holder signs with.
func (k *KeyPackageSecrets) SignatureKey() *SignatureKey { return k.signature }

// Marshal encodes the secrets, with the key package, for the member's own store.
func (k *KeyPackageSecrets) Marshal() []byte {
	b := k.keyPackage.appendTo([]byte{stateVersion})
	b = wire.AppendVec(b, k.initPrivate)
	b = wire.AppendVec(b, k.leafPrivate)
	return wire.AppendVec(b, k.signature.raw)
}

// ParseKeyPackageSecrets decodes what Marshal gave, and checks that the
// private keys are those of the key package.
func ParseKeyPackageSecrets(b []byte) (*KeyPackageSecrets, error) {
	return decode("key package secrets", b, func(r *wire.Reader) *KeyPackageSecrets {
		readVersion(r)
		k := &KeyPackageSecrets{keyPackage: readKeyPackage(r), initPrivate: r.Vec(maxOpaque), leafPrivate: r.Vec(maxOpaque)}
		raw := r.Vec(maxOpaque)
		if r.Err() != nil {
			return nil
		}
		s, err := suiteOf(k.keyPackage.suite)
		if err != nil {
			r.Fail(err)
			return nil
		}
		if k.signature, err = ParseSignatureKey(s.id, raw); err != nil {
			r.Fail(err)
			return nil
		}
		leaf := k.keyPackage.leaf
		if !s.isPrivateOf(k.initPrivate, k.keyPackage.initKey) || !s.isPrivateOf(k.leafPrivate, leaf.encryptionKey) ||
			!bytes.Equal(k.signature.public, leaf.signatureKey) {
			r.Fail(fmt.Errorf("%w: keys that do not match", ErrMalformed))
		}
		return k
	})
}
