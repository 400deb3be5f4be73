package mls

import (
	"parley/internal/wire"
)

// groupContext is GroupContext of RFC 9420 §8.1.
type groupContext struct {
	suite                   CipherSuite
	groupID                 []byte
	epoch                   uint64
	treeHash                []byte
	confirmedTranscriptHash []byte
	extensions              []extension
}

func readGroupContext(r *wire.Reader) groupContext {
	if version := r.U16(); r.Err() == nil && version != mls10 {
		r.Fail(unsupported("protocol version %d", version))
	}
	return groupContext{CipherSuite(r.U16()), r.Vec(maxMessage), r.U64(), r.Vec(maxMessage), r.Vec(maxMessage), readExtensions(r)}
}

func (c *groupContext) appendTo(b []byte) []byte {
	b = wire.AppendU16(wire.AppendU16(b, mls10), uint16(c.suite))
	b = wire.AppendU64(wire.AppendVec(b, c.groupID), c.epoch)
	b = wire.AppendVec(b, c.treeHash)
	b = wire.AppendVec(b, c.confirmedTranscriptHash)
	return appendExtensions(b, c.extensions)
}

func (c *groupContext) encode() []byte { return c.appendTo(make([]byte, 0, 256)) }

// confirmedHash is the confirmed transcript hash after commit a, given the
// interim one before it (RFC 9420 §8.2).
func (s *suite) confirmedHash(interim []byte, a *authenticatedContent) []byte {
	b := wire.AppendU16(append([]byte(nil), interim...), uint16(a.format))
	b = a.framedContent.appendTo(b)
	return s.hash(wire.AppendVec(b, a.auth.signature))
}

// interimHash is the interim transcript hash (RFC 9420 §8.2).
func (s *suite) interimHash(confirmed, confirmationTag []byte) []byte {
	return s.hash(wire.AppendVec(append([]byte(nil), confirmed...), confirmationTag))
}

// joinerSecret takes the init secret of the epoch before, the commit secret and
// the new GroupContext, encoded (RFC 9420 §8).
func (s *suite) joinerSecret(initSecret, commitSecret, context []byte) []byte {
	return s.expandWithLabel(s.extract(initSecret, commitSecret), "joiner", context, s.nh)
}

// memberSecret is what joiner and PSK secret make: the root of the welcome and
// epoch secrets (RFC 9420 §8).
func (s *suite) memberSecret(joiner, psk []byte) []byte { return s.extract(joiner, psk) }

func (s *suite) welcomeSecret(member []byte) []byte { return s.deriveSecret(member, "welcome") }

func (s *suite) epochSecret(member, context []byte) []byte {
	return s.expandWithLabel(member, "epoch", context, s.nh)
}

// zero is the all-zero secret of Nh bytes that stands where there is none.
func (s *suite) zero() []byte { return make([]byte, s.nh) }

// epochKeys are those secrets of an epoch that outlive the making of it; the
// encryption secret goes to the secret tree and the confirmation key is used
// at once.
type epochKeys struct {
	init          []byte // of the next epoch's key schedule
	senderData    []byte
	exporter      []byte
	authenticator []byte
}

// deriveEpoch splits an epoch secret up (RFC 9420 §8, table 4).
func (s *suite) deriveEpoch(epochSecret []byte) (keys epochKeys, encryption, confirmation []byte) {
	keys = epochKeys{
		init:          s.deriveSecret(epochSecret, "init"),
		senderData:    s.deriveSecret(epochSecret, "sender data"),
		exporter:      s.deriveSecret(epochSecret, "exporter"),
		authenticator: s.deriveSecret(epochSecret, "authentication"),
	}
	return keys, s.deriveSecret(epochSecret, "encryption"), s.deriveSecret(epochSecret, "confirm")
}

func readEpochKeys(r *wire.Reader, s *suite) epochKeys {
	return epochKeys{readSecret(r, s), readSecret(r, s), readSecret(r, s), readSecret(r, s)}
}

func (k *epochKeys) appendTo(b []byte) []byte {
	for _, secret := range [][]byte{k.init, k.senderData, k.exporter, k.authenticator} {
		b = wire.AppendVec(b, secret)
	}
	return b
}

// readSecret reads a secret of Nh bytes.
func readSecret(r *wire.Reader, s *suite) []byte {
	b := r.Vec(s.nh)
	if r.Err() == nil && len(b) != s.nh {
		r.Fail(ErrMalformed)
	}
	return b
}

// export is MLS-Exporter of RFC 9420 §8.5.
func (s *suite) export(exporterSecret []byte, label string, context []byte, n int) []byte {
	return s.expandWithLabel(s.deriveSecret(exporterSecret, label), "exported", s.hash(context), n)
}

// Types of pre-shared keys, and what a resumption PSK is for (RFC 9420 §8.4).
const (
	pskExternal   = 1
	pskResumption = 2

	lastPSKUsage = 3
)

// preSharedKeyID is PreSharedKeyID of RFC 9420 §8.4.
type preSharedKeyID struct {
	kind    uint8
	id      []byte // external
	usage   uint8  // resumption, as the two below
	groupID []byte
	epoch   uint64
	nonce   []byte
}

func readPreSharedKeyID(r *wire.Reader) (p preSharedKeyID) {
	switch p.kind = r.U8(); p.kind {
	case pskExternal:
		p.id = r.Vec(maxMessage)
	case pskResumption:
		p.usage, p.groupID, p.epoch = r.U8(), r.Vec(maxMessage), r.U64()
		if p.usage < 1 || p.usage > lastPSKUsage {
			r.Fail(ErrMalformed)
		}
	default:
		r.Fail(ErrMalformed)
	}
	p.nonce = r.Vec(maxMessage)
	return p
}

func (p preSharedKeyID) appendTo(b []byte) []byte {
	b = append(b, p.kind)
	if p.kind == pskExternal {
		b = wire.AppendVec(b, p.id)
	} else {
		b = wire.AppendU64(wire.AppendVec(append(b, p.usage), p.groupID), p.epoch)
	}
	return wire.AppendVec(b, p.nonce)
}

// preSharedKey is a pre-shared key and its name.
type preSharedKey struct {
	id  preSharedKeyID
	key []byte
}

// pskSecret chains pre-shared keys, 65,535 at most, into psk_secret (RFC 9420
// §8.4); without any it is zero. Groups refuse PreSharedKey proposals, so
// theirs always is.
func (s *suite) pskSecret(psks []preSharedKey) []byte {
	secret := s.zero()
	for i, psk := range psks {
		label := psk.id.appendTo(nil)
		label = wire.AppendU16(wire.AppendU16(label, uint16(i)), uint16(len(psks)))
		input := s.expandWithLabel(s.extract(s.zero(), psk.key), "derived psk", label, s.nh)
		secret = s.extract(input, secret)
	}
	return secret
}
