package mls

import (
	"parley/internal/wire"
)

// A ContentType is what a message carries (RFC 9420 §6).
type ContentType uint8

// The three kinds of content.
const (
	Application ContentType = 1
	Proposal    ContentType = 2
	Commit      ContentType = 3
)

func (c ContentType) String() string {
	switch c {
	case Application:
		return "application message"
	case Proposal:
		return "proposal"
	case Commit:
		return "commit"
	}
	return "message of no known kind"
}

// senderType is SenderType of RFC 9420 §6.
type senderType uint8

const (
	senderMember            senderType = 1
	senderExternal          senderType = 2
	senderNewMemberProposal senderType = 3
	senderNewMemberCommit   senderType = 4
)

// sender is Sender of RFC 9420 §6; index is a leaf's, or an external sender's.
type sender struct {
	kind  senderType
	index uint32
}

func readSender(r *wire.Reader) (s sender) {
	switch s.kind = senderType(r.U8()); s.kind {
	case senderMember, senderExternal:
		s.index = r.U32()
	case senderNewMemberProposal, senderNewMemberCommit:
	default:
		r.Fail(ErrMalformed)
	}
	return s
}

func (s sender) appendTo(b []byte) []byte {
	b = append(b, byte(s.kind))
	if s.kind == senderMember || s.kind == senderExternal {
		b = wire.AppendU32(b, s.index)
	}
	return b
}

// content is what a message carries, as its ContentType has it.
type content struct {
	kind        ContentType
	application []byte
	proposal    *proposal
	commit      *commit
}

func readContent(r *wire.Reader, kind ContentType) content {
	c := content{kind: kind}
	switch kind {
	case Application:
		c.application = r.Vec(maxMessage)
	case Proposal:
		c.proposal = readProposal(r)
	case Commit:
		c.commit = readCommit(r)
	default:
		r.Fail(ErrMalformed)
	}
	return c
}

// appendTo writes the content without its type.
func (c *content) appendTo(b []byte) []byte {
	switch c.kind {
	case Application:
		return wire.AppendVec(b, c.application)
	case Proposal:
		return c.proposal.appendTo(b)
	default: // Commit: there is no other
		return c.commit.appendTo(b)
	}
}

// framedContent is FramedContent of RFC 9420 §6.
type framedContent struct {
	groupID []byte
	epoch   uint64
	sender  sender
	aad     []byte
	content
}

func readFramedContent(r *wire.Reader) framedContent {
	f := framedContent{groupID: r.Vec(maxMessage), epoch: r.U64(), sender: readSender(r), aad: r.Vec(maxMessage)}
	f.content = readContent(r, ContentType(r.U8()))
	return f
}

func (f *framedContent) appendTo(b []byte) []byte {
	b = wire.AppendU64(wire.AppendVec(b, f.groupID), f.epoch)
	b = wire.AppendVec(f.sender.appendTo(b), f.aad)
	return f.content.appendTo(append(b, byte(f.kind)))
}

// authData is FramedContentAuthData of RFC 9420 §6.1.
type authData struct {
	signature       []byte
	confirmationTag []byte // of a commit
}

func readAuthData(r *wire.Reader, kind ContentType) authData {
	a := authData{signature: r.Vec(maxMessage)}
	if kind == Commit {
		a.confirmationTag = r.Vec(maxMessage)
	}
	return a
}

func (a *authData) appendTo(b []byte, kind ContentType) []byte {
	b = wire.AppendVec(b, a.signature)
	if kind == Commit {
		b = wire.AppendVec(b, a.confirmationTag)
	}
	return b
}

// authenticatedContent is AuthenticatedContent of RFC 9420 §6.
type authenticatedContent struct {
	format wireFormat
	framedContent
	auth authData
}

func readAuthenticatedContent(r *wire.Reader) *authenticatedContent {
	a := &authenticatedContent{format: wireFormat(r.U16()), framedContent: readFramedContent(r)}
	if a.format != formatPublic && a.format != formatPrivate {
		r.Fail(ErrMalformed)
	}
	a.auth = readAuthData(r, a.kind)
	return a
}

func (a *authenticatedContent) appendTo(b []byte) []byte {
	b = a.framedContent.appendTo(wire.AppendU16(b, uint16(a.format)))
	return a.auth.appendTo(b, a.kind)
}

// tbs is FramedContentTBS of RFC 9420 §6.1; context is the encoded
// GroupContext of the epoch.
func (a *authenticatedContent) tbs(context []byte) []byte {
	b := make([]byte, 0, 256+len(a.application)+len(context))
	b = wire.AppendU16(wire.AppendU16(b, mls10), uint16(a.format))
	b = a.framedContent.appendTo(b)
	if a.sender.kind == senderMember || a.sender.kind == senderNewMemberCommit {
		b = append(b, context...)
	}
	return b
}

func (a *authenticatedContent) sign(key *SignatureKey, context []byte) {
	a.auth.signature = key.signWithLabel("FramedContentTBS", a.tbs(context))
}

func (a *authenticatedContent) verify(s *suite, public, context []byte) bool {
	return s.verifyWithLabel(public, "FramedContentTBS", a.tbs(context), a.auth.signature)
}

// proposalRef is MakeProposalRef of RFC 9420 §5.2.
func (a *authenticatedContent) proposalRef(s *suite) []byte {
	return s.refHash("MLS 1.0 Proposal Reference", a.appendTo(nil))
}

// publicMessage is PublicMessage of RFC 9420 §6.2. A group refuses it.
type publicMessage struct {
	framedContent
	auth          authData
	membershipTag []byte // of a member
}

func readPublicMessage(r *wire.Reader) *publicMessage {
	m := &publicMessage{framedContent: readFramedContent(r)}
	m.auth = readAuthData(r, m.kind)
	if m.sender.kind == senderMember {
		m.membershipTag = r.Vec(maxMessage)
	}
	return m
}

func (m *publicMessage) appendTo(b []byte) []byte {
	b = m.auth.appendTo(m.framedContent.appendTo(b), m.kind)
	if m.sender.kind == senderMember {
		b = wire.AppendVec(b, m.membershipTag)
	}
	return b
}

// authenticated is the message as its signature covers it.
func (m *publicMessage) authenticated() *authenticatedContent {
	return &authenticatedContent{formatPublic, m.framedContent, m.auth}
}

// membershipMAC is the membership_tag of RFC 9420 §6.2.
func (m *publicMessage) membershipMAC(s *suite, membershipKey, context []byte) []byte {
	return s.mac(membershipKey, m.auth.appendTo(m.authenticated().tbs(context), m.kind))
}

// wireFormat is WireFormat of RFC 9420 §17.2.
type wireFormat uint16

const (
	formatPublic     wireFormat = 1
	formatPrivate    wireFormat = 2
	formatWelcome    wireFormat = 3
	formatGroupInfo  wireFormat = 4
	formatKeyPackage wireFormat = 5
)

// message is MLSMessage of RFC 9420 §6: the field that format names is set.
type message struct {
	format     wireFormat
	public     *publicMessage
	private    *privateMessage
	welcome    *welcome
	groupInfo  *groupInfo
	keyPackage *KeyPackage
}

// messageHeader starts the encoding of an MLSMessage.
func messageHeader(format wireFormat) []byte {
	return wire.AppendU16(wire.AppendU16(make([]byte, 0, 512), mls10), uint16(format))
}

func readMessage(r *wire.Reader) *message {
	if version := r.U16(); r.Err() == nil && version != mls10 {
		r.Fail(unsupported("protocol version %d", version))
	}
	m := &message{format: wireFormat(r.U16())}
	switch m.format {
	case formatPublic:
		m.public = readPublicMessage(r)
	case formatPrivate:
		m.private = readPrivateMessage(r)
	case formatWelcome:
		m.welcome = readWelcome(r)
	case formatGroupInfo:
		m.groupInfo = readGroupInfo(r)
	case formatKeyPackage:
		// §10: the key package has the version of the message around it.
		m.keyPackage = readKeyPackage(r)
		if r.Err() == nil && m.keyPackage.version != mls10 {
			r.Fail(invalid("§10: a key package of another version than its message"))
		}
	default:
		r.Fail(unsupported("wire format %d", m.format))
	}
	return m
}

func (m *message) marshal() []byte {
	b := messageHeader(m.format)
	switch m.format {
	case formatPublic:
		return m.public.appendTo(b)
	case formatPrivate:
		return m.private.appendTo(b)
	case formatWelcome:
		return m.welcome.appendTo(b)
	case formatGroupInfo:
		return m.groupInfo.appendTo(b)
	default: // formatKeyPackage: there is no other
		return m.keyPackage.appendTo(b)
	}
}
