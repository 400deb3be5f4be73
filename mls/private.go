package mls

import (
	"crypto/subtle"

	"parley/internal/wire"
)

// privateMessage is PrivateMessage of RFC 9420 §6.3.
type privateMessage struct {
	groupID    []byte
	epoch      uint64
	kind       ContentType
	aad        []byte
	senderData []byte // encrypted
	ciphertext []byte
}

func readPrivateMessage(r *wire.Reader) *privateMessage {
	m := &privateMessage{
		groupID: r.Vec(maxMessage), epoch: r.U64(), kind: ContentType(r.U8()),
		aad: r.Vec(maxMessage), senderData: r.Vec(maxMessage), ciphertext: r.Vec(maxMessage),
	}
	if m.kind < Application || m.kind > Commit {
		r.Fail(ErrMalformed)
	}
	return m
}

func (m *privateMessage) appendTo(b []byte) []byte {
	b = append(wire.AppendU64(wire.AppendVec(b, m.groupID), m.epoch), byte(m.kind))
	b = wire.AppendVec(b, m.aad)
	b = wire.AppendVec(b, m.senderData)
	return wire.AppendVec(b, m.ciphertext)
}

// senderDataAAD is SenderDataAAD of RFC 9420 §6.3.2.
func (m *privateMessage) senderDataAAD() []byte {
	return append(wire.AppendU64(wire.AppendVec(nil, m.groupID), m.epoch), byte(m.kind))
}

// contentAAD is PrivateContentAAD of RFC 9420 §6.3.1.
func (m *privateMessage) contentAAD() []byte {
	return wire.AppendVec(m.senderDataAAD(), m.aad)
}

// senderData is SenderData of RFC 9420 §6.3.2.
type senderData struct {
	leaf       LeafIndex
	generation uint32
	reuseGuard [4]byte
}

func readSenderData(r *wire.Reader) senderData {
	d := senderData{leaf: LeafIndex(r.U32()), generation: r.U32()}
	r.Fill(d.reuseGuard[:])
	return d
}

func (d senderData) appendTo(b []byte) []byte {
	b = wire.AppendU32(wire.AppendU32(b, uint32(d.leaf)), d.generation)
	return append(b, d.reuseGuard[:]...)
}

// guard mixes the reuse guard into a nonce (RFC 9420 §6.3.1).
func (d senderData) guard(nonce []byte) []byte {
	guarded := append([]byte(nil), nonce...)
	subtle.XORBytes(guarded, guarded, d.reuseGuard[:])
	return guarded
}

// senderDataKeys derives key and nonce from a sample of the ciphertext
// (RFC 9420 §6.3.2).
func (s *suite) senderDataKeys(secret, ciphertext []byte) (key, nonce []byte) {
	sample := ciphertext[:min(len(ciphertext), s.nh)]
	return s.expandWithLabel(secret, "key", sample, s.nk), s.expandWithLabel(secret, "nonce", sample, nonceSize)
}

// sealPrivate encrypts a by the keys of one generation of its sender's ratchet,
// with padding zero bytes. The reuse guard is of the signature, and not random as
// RFC 9420 §6.3.1 has it: what a generation makes of what was signed is
// determined, which OpenBound needs, and a state that went back has two nonces for
// two contents all the same.
func (s *suite) sealPrivate(a *authenticatedContent, keys messageKeys, senderDataSecret []byte, padding int) *privateMessage {
	return s.sealUnder(a, keys, senderDataSecret, padding, [4]byte(s.hash(a.auth.appendTo(nil, a.kind))))
}

func (s *suite) sealUnder(a *authenticatedContent, keys messageKeys, senderDataSecret []byte, padding int, reuseGuard [4]byte) *privateMessage {
	m := &privateMessage{groupID: a.groupID, epoch: a.epoch, kind: a.kind, aad: a.aad}
	plaintext := a.content.appendTo(make([]byte, 0, 256+len(a.application)+padding))
	plaintext = a.auth.appendTo(plaintext, a.kind)
	plaintext = append(plaintext, make([]byte, padding)...)

	data := senderData{leaf: LeafIndex(a.sender.index), generation: keys.generation, reuseGuard: reuseGuard}
	m.ciphertext = s.seal(keys.key, data.guard(keys.nonce), m.contentAAD(), plaintext)
	key, nonce := s.senderDataKeys(senderDataSecret, m.ciphertext)
	m.senderData = s.seal(key, nonce, m.senderDataAAD(), data.appendTo(nil))
	return m
}

// openSenderData decrypts who sent m, and by which generation.
func (s *suite) openSenderData(m *privateMessage, senderDataSecret []byte) (senderData, error) {
	key, nonce := s.senderDataKeys(senderDataSecret, m.ciphertext)
	b, err := s.open(key, nonce, m.senderDataAAD(), m.senderData)
	if err != nil {
		return senderData{}, err
	}
	return decode("sender data", b, readSenderData)
}

// openPrivate decrypts m. The signature is still to be verified.
func (s *suite) openPrivate(m *privateMessage, data senderData, keys messageKeys) (*authenticatedContent, error) {
	plaintext, err := s.open(keys.key, data.guard(keys.nonce), m.contentAAD(), m.ciphertext)
	if err != nil {
		return nil, err
	}
	a := &authenticatedContent{format: formatPrivate}
	a.groupID, a.epoch, a.aad = m.groupID, m.epoch, m.aad
	a.sender = sender{senderMember, uint32(data.leaf)}
	r := wire.NewReader(plaintext)
	a.content = readContent(r, m.kind)
	a.auth = readAuthData(r, m.kind)
	for _, b := range r.Rest() { // §6.3.1: all padding is zero
		if b != 0 {
			r.Fail(ErrMalformed)
		}
	}
	return a, r.Done()
}
