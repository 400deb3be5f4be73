package mls

import (
	"bytes"
	"fmt"
	"slices"

	"parley/internal/wire"
)

// Types of credentials (RFC 9420 §17.5).
const (
	credentialBasic uint16 = 1
	credentialX509  uint16 = 2
)

// credential is Credential of RFC 9420 §5.3.
type credential struct {
	kind         uint16
	identity     []byte   // basic
	certificates [][]byte // x509
}

func readCredential(r *wire.Reader) (c credential) {
	switch c.kind = r.U16(); c.kind {
	case credentialBasic:
		c.identity = r.Vec(maxMessage)
	case credentialX509:
		c.certificates = readList(r, maxCertificates, func(r *wire.Reader) []byte { return r.Vec(maxMessage) })
	default:
		r.Fail(unsupported("credential type %d", c.kind))
	}
	return c
}

func (c credential) appendTo(b []byte) []byte {
	b = wire.AppendU16(b, c.kind)
	if c.kind == credentialBasic {
		return wire.AppendVec(b, c.identity)
	}
	return appendList(b, c.certificates, wire.AppendVec)
}

// capabilities is Capabilities of RFC 9420 §7.2.
type capabilities struct {
	versions, suites, extensions, proposals, credentials []uint16
}

func readCapabilities(r *wire.Reader) capabilities {
	return capabilities{readU16s(r), readU16s(r), readU16s(r), readU16s(r), readU16s(r)}
}

func (c capabilities) appendTo(b []byte) []byte {
	for _, list := range [][]uint16{c.versions, c.suites, c.extensions, c.proposals, c.credentials} {
		b = appendList(b, list, wire.AppendU16)
	}
	return b
}

// ownCapabilities is what this package can do; it lists no default types.
func ownCapabilities() capabilities {
	c := capabilities{versions: []uint16{mls10}, credentials: []uint16{credentialBasic}}
	for _, s := range suites {
		c.suites = append(c.suites, uint16(s.id))
	}
	return c
}

// Types of extensions (RFC 9420 §17.3); those up to lastDefaultExtension are
// default and not listed in capabilities.
const (
	extensionRatchetTree          uint16 = 2
	extensionRequiredCapabilities uint16 = 3
	lastDefaultExtension          uint16 = 5
	lastDefaultProposal           uint16 = 7
)

// extension is Extension of RFC 9420 §7.2.
type extension struct {
	kind uint16
	data []byte
}

// readExtensions refuses more than one extension of a type (RFC 9420 §13.4).
func readExtensions(r *wire.Reader) []extension {
	list := readList(r, maxExtensions, func(r *wire.Reader) extension { return extension{r.U16(), r.Vec(maxMessage)} })
	for i, e := range list {
		if slices.ContainsFunc(list[:i], func(o extension) bool { return o.kind == e.kind }) {
			r.Fail(invalid("§13.4: two extensions of type %d", e.kind))
		}
	}
	return list
}

func appendExtensions(b []byte, list []extension) []byte {
	return appendList(b, list, func(b []byte, e extension) []byte {
		return wire.AppendVec(wire.AppendU16(b, e.kind), e.data)
	})
}

func findExtension(list []extension, kind uint16) ([]byte, bool) {
	for _, e := range list {
		if e.kind == kind {
			return e.data, true
		}
	}
	return nil, false
}

// A Lifetime is when a key package may be used, in seconds since 1970.
type Lifetime struct{ NotBefore, NotAfter uint64 }

// check refuses a lifetime that ends before it begins, or lasts too long
// (RFC 9420 §7.2).
func (l Lifetime) check() error {
	if l.NotAfter < l.NotBefore || l.NotAfter-l.NotBefore > MaxLifetime {
		return invalid("§7.2: a lifetime from %d to %d", l.NotBefore, l.NotAfter)
	}
	return nil
}

// leafSource is LeafNodeSource of RFC 9420 §7.2.
type leafSource uint8

const (
	sourceKeyPackage leafSource = 1
	sourceUpdate     leafSource = 2
	sourceCommit     leafSource = 3
)

// leafNode is LeafNode of RFC 9420 §7.2. It does not change once made.
type leafNode struct {
	encryptionKey []byte
	signatureKey  []byte
	credential    credential
	capabilities  capabilities
	source        leafSource
	lifetime      Lifetime // sourceKeyPackage
	parentHash    []byte   // sourceCommit
	extensions    []extension
	signature     []byte
	raw           []byte // the encoding of it all
}

func readLeafNode(r *wire.Reader) *leafNode {
	n := &leafNode{
		encryptionKey: r.Vec(maxMessage),
		signatureKey:  r.Vec(maxMessage),
		credential:    readCredential(r),
		capabilities:  readCapabilities(r),
		source:        leafSource(r.U8()),
	}
	switch n.source {
	case sourceKeyPackage:
		n.lifetime = Lifetime{r.U64(), r.U64()}
	case sourceUpdate:
	case sourceCommit:
		n.parentHash = r.Vec(maxMessage)
	default:
		r.Fail(ErrMalformed)
	}
	n.extensions = readExtensions(r)
	n.signature = r.Vec(maxMessage)
	if r.Err() == nil {
		n.raw = n.encode()
	}
	return n
}

func (n *leafNode) appendUnsigned(b []byte) []byte {
	b = wire.AppendVec(b, n.encryptionKey)
	b = wire.AppendVec(b, n.signatureKey)
	b = n.credential.appendTo(b)
	b = n.capabilities.appendTo(b)
	b = append(b, byte(n.source))
	switch n.source {
	case sourceKeyPackage:
		b = wire.AppendU64(wire.AppendU64(b, n.lifetime.NotBefore), n.lifetime.NotAfter)
	case sourceCommit:
		b = wire.AppendVec(b, n.parentHash)
	}
	return appendExtensions(b, n.extensions)
}

func (n *leafNode) encode() []byte {
	b := n.appendUnsigned(make([]byte, 0, 256+len(n.encryptionKey)))
	return wire.AppendVec(b, n.signature)
}

func (n *leafNode) appendTo(b []byte) []byte { return append(b, n.raw...) }

// tbs is LeafNodeTBS: leaves made inside a group are bound to it and to their
// place (RFC 9420 §7.2).
func (n *leafNode) tbs(groupID []byte, leaf LeafIndex) []byte {
	b := n.appendUnsigned(make([]byte, 0, 256+len(n.encryptionKey)))
	if n.source != sourceKeyPackage {
		b = wire.AppendU32(wire.AppendVec(b, groupID), uint32(leaf))
	}
	return b
}

// sign fills in the signature and the encoding. The group and leaf count only
// for sources other than sourceKeyPackage.
func (n *leafNode) sign(key *SignatureKey, groupID []byte, leaf LeafIndex) *leafNode {
	n.signature = key.signWithLabel("LeafNodeTBS", n.tbs(groupID, leaf))
	n.raw = n.encode()
	return n
}

// check is what RFC 9420 §7.3 asks of a leaf node by itself, where no clock is
// needed: keys, signature, capabilities, extensions, lifetime.
func (n *leafNode) check(s *suite, groupID []byte, leaf LeafIndex) error {
	if len(n.raw) > maxLeaf {
		return fmt.Errorf("leaf node: %w", ErrTooLarge)
	}
	if err := s.checkPublicKey(n.encryptionKey); err != nil {
		return err
	}
	if err := s.checkSignatureKey(n.signatureKey); err != nil {
		return err
	}
	// §5.3: no other credential can be checked here, and our own capabilities
	// say so.
	if n.credential.kind != credentialBasic {
		return unsupported("credential type %d", n.credential.kind)
	}
	if !s.verifyWithLabel(n.signatureKey, "LeafNodeTBS", n.tbs(groupID, leaf), n.signature) {
		return invalid("§7.3: the signature of a leaf node")
	}
	if err := n.checkCapabilities(s); err != nil {
		return err
	}
	if n.source == sourceKeyPackage {
		return n.lifetime.check()
	}
	return nil
}

// succeeds verifies that n may replace a member's leaf old: whom the credential
// names stays the same (RFC 9420 §5.3.1). A member that could rename itself
// could speak as another.
func (n *leafNode) succeeds(old *leafNode) error {
	if !bytes.Equal(n.credential.appendTo(nil), old.credential.appendTo(nil)) {
		return invalid("§5.3.1: a leaf with another credential than the one it replaces")
	}
	return nil
}

// checkCapabilities holds a leaf node against what it says it can do.
func (n *leafNode) checkCapabilities(s *suite) error {
	c := &n.capabilities
	if !slices.Contains(c.versions, mls10) || !slices.Contains(c.suites, uint16(s.id)) {
		return invalid("§7.2: capabilities without the group's version or suite")
	}
	if !slices.Contains(c.credentials, n.credential.kind) {
		return invalid("§7.2: capabilities without the leaf's own credential type")
	}
	for _, e := range n.extensions {
		if !c.supportsExtension(e.kind) {
			return invalid("§7.3: a leaf extension of type %d that its capabilities lack", e.kind)
		}
	}
	return nil
}

func (c *capabilities) supportsExtension(kind uint16) bool {
	return kind >= 1 && kind <= lastDefaultExtension || slices.Contains(c.extensions, kind)
}

func (c *capabilities) supportsProposal(kind uint16) bool {
	return kind >= 1 && kind <= lastDefaultProposal || slices.Contains(c.proposals, kind)
}

// requiredCapabilities is RequiredCapabilities of RFC 9420 §11.1.
type requiredCapabilities struct{ extensions, proposals, credentials []uint16 }

func parseRequiredCapabilities(b []byte) (requiredCapabilities, error) {
	r := wire.NewReader(b)
	q := requiredCapabilities{readU16s(r), readU16s(r), readU16s(r)}
	return q, r.Done()
}

// metBy tells whether c has all that is required.
func (q *requiredCapabilities) metBy(c *capabilities) bool {
	for _, kind := range q.extensions {
		if !c.supportsExtension(kind) {
			return false
		}
	}
	for _, kind := range q.proposals {
		if !c.supportsProposal(kind) {
			return false
		}
	}
	for _, kind := range q.credentials {
		if !slices.Contains(c.credentials, kind) {
			return false
		}
	}
	return true
}
