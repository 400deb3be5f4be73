package mls

import (
	"bytes"
	"testing"

	"parley/internal/wire"
)

type messageProtectionVector struct {
	Suite               CipherSuite `json:"cipher_suite"`
	GroupID             octets      `json:"group_id"`
	Epoch               uint64      `json:"epoch"`
	TreeHash            octets      `json:"tree_hash"`
	ConfirmedTranscript octets      `json:"confirmed_transcript_hash"`
	SignaturePrivate    octets      `json:"signature_priv"`
	SignaturePublic     octets      `json:"signature_pub"`
	Encryption          octets      `json:"encryption_secret"`
	SenderData          octets      `json:"sender_data_secret"`
	MembershipKey       octets      `json:"membership_key"`
	Proposal            octets      `json:"proposal"`
	ProposalPrivate     octets      `json:"proposal_priv"`
	ProposalPublic      octets      `json:"proposal_pub"`
	Commit              octets      `json:"commit"`
	CommitPrivate       octets      `json:"commit_priv"`
	CommitPublic        octets      `json:"commit_pub"`
	Application         octets      `json:"application"`
	ApplicationPrivate  octets      `json:"application_priv"`
}

func testMessageProtection(t *testing.T, s *suite, v *messageProtectionVector) {
	c := groupContext{s.id, v.GroupID, v.Epoch, v.TreeHash, v.ConfirmedTranscript, nil}
	p := &protection{t, s, v, c.encode(), vectorKey(t, s, v.SignaturePrivate)}
	for _, m := range []struct {
		kind    ContentType
		content []byte
		private []byte
		public  []byte
	}{
		{Application, v.Application, v.ApplicationPrivate, nil},
		{Proposal, v.Proposal, v.ProposalPrivate, v.ProposalPublic},
		{Commit, v.Commit, v.CommitPrivate, v.CommitPublic},
	} {
		a := p.openPrivate(m.private)
		p.compare(m.kind, a, m.content)
		p.compare(m.kind, p.openPrivate(p.sealPrivate(a)), m.content)
		if m.public != nil {
			a := p.openPublic(m.public)
			p.compare(m.kind, a, m.content)
			p.compare(m.kind, p.openPublic(p.sealPublic(a)), m.content)
		}
	}
}

type protection struct {
	t       *testing.T
	suite   *suite
	v       *messageProtectionVector
	context []byte
	key     *SignatureKey
}

func (p *protection) compare(kind ContentType, a *authenticatedContent, want []byte) {
	p.t.Helper()
	if a.kind != kind || a.sender != (sender{senderMember, 1}) {
		p.t.Errorf("a %v by %v", a.kind, a.sender)
	}
	got := a.content.appendTo(nil)
	if kind == Application {
		got = a.application
	}
	equal(p.t, "content", got, want)
	if !a.verify(p.suite, p.v.SignaturePublic, p.context) {
		p.t.Error("the signature does not hold")
	}
}

func (p *protection) openPrivate(b []byte) *authenticatedContent {
	p.t.Helper()
	m := must(parsePrivate(b))(p.t)
	equal(p.t, "message", (&message{format: formatPrivate, private: m}).marshal(), b)
	data := must(p.suite.openSenderData(m, p.v.SenderData))(p.t)
	tree := newSecretTree(p.suite, 2, p.v.Encryption)
	keys, _, err := tree.take(data.leaf, ratchetOf(m.kind), data.generation)
	if err != nil {
		p.t.Fatal(err)
	}
	return must(p.suite.openPrivate(m, data, keys))(p.t)
}

func (p *protection) sealPrivate(a *authenticatedContent) []byte {
	p.t.Helper()
	tree := newSecretTree(p.suite, 2, p.v.Encryption)
	keys, _, err := tree.next(1, ratchetOf(a.kind))
	if err != nil {
		p.t.Fatal(err)
	}
	again := *a
	again.format = formatPrivate
	again.sign(p.key, p.context)
	m := p.suite.sealPrivate(&again, keys, p.v.SenderData, 17)
	return (&message{format: formatPrivate, private: m}).marshal()
}

func (p *protection) openPublic(b []byte) *authenticatedContent {
	p.t.Helper()
	m := must(decode("message", b, readMessage))(p.t)
	if m.format != formatPublic {
		p.t.Fatalf("wire format %d", m.format)
	}
	equal(p.t, "message", m.marshal(), b)
	equal(p.t, "membership tag", m.public.membershipMAC(p.suite, p.v.MembershipKey, p.context), m.public.membershipTag)
	return m.public.authenticated()
}

func (p *protection) sealPublic(a *authenticatedContent) []byte {
	again := *a
	again.format = formatPublic
	again.sign(p.key, p.context)
	m := &publicMessage{framedContent: again.framedContent, auth: again.auth}
	m.membershipTag = m.membershipMAC(p.suite, p.v.MembershipKey, p.context)
	return (&message{format: formatPublic, public: m}).marshal()
}

type welcomeVector struct {
	Suite      CipherSuite `json:"cipher_suite"`
	Init       octets      `json:"init_priv"`
	KeyPackage octets      `json:"key_package"`
	Signer     octets      `json:"signer_pub"`
	Welcome    octets      `json:"welcome"`
}

func testWelcome(t *testing.T, s *suite, v *welcomeVector) {
	kp := must(ParseKeyPackage(v.KeyPackage))(t)
	m := must(decode("welcome", v.Welcome, readMessage))(t)
	secrets := must(openGroupSecrets(s, m.welcome, &KeyPackageSecrets{keyPackage: kp, initPrivate: v.Init}))(t)
	member := s.memberSecret(secrets.joiner, s.zero())
	key, nonce := s.welcomeKeys(s.welcomeSecret(member))
	plain := must(s.open(key, nonce, nil, m.welcome.groupInfo))(t)
	info := must(decode("group info", plain, readGroupInfo))(t)
	if !s.verifyWithLabel(v.Signer, "GroupInfoTBS", info.tbs(), info.signature) {
		t.Error("the signature does not hold")
	}
	_, _, confirmation := s.deriveEpoch(s.epochSecret(member, info.context.encode()))
	equal(t, "confirmation tag", s.mac(confirmation, info.context.confirmedTranscriptHash), info.confirmationTag)
}

type messagesVector struct {
	Welcome      octets `json:"mls_welcome"`
	GroupInfo    octets `json:"mls_group_info"`
	KeyPackage   octets `json:"mls_key_package"`
	Tree         octets `json:"ratchet_tree"`
	Secrets      octets `json:"group_secrets"`
	Add          octets `json:"add_proposal"`
	Update       octets `json:"update_proposal"`
	Remove       octets `json:"remove_proposal"`
	PSK          octets `json:"pre_shared_key_proposal"`
	ReInit       octets `json:"re_init_proposal"`
	ExternalInit octets `json:"external_init_proposal"`
	Extensions   octets `json:"group_context_extensions_proposal"`
	Commit       octets `json:"commit"`
	PublicApp    octets `json:"public_message_application"`
	PublicProp   octets `json:"public_message_proposal"`
	PublicCommit octets `json:"public_message_commit"`
	Private      octets `json:"private_message"`
}

func testMessages(t *testing.T, s *suite, v *messagesVector) {
	for _, b := range [][]byte{v.Welcome, v.GroupInfo, v.KeyPackage, v.PublicApp, v.PublicProp, v.PublicCommit, v.Private} {
		equal(t, "message", must(decode("message", b, readMessage))(t).marshal(), b)
	}
	for kind, b := range map[proposalType][]byte{
		proposalAdd: v.Add, proposalUpdate: v.Update, proposalRemove: v.Remove, proposalPreSharedKey: v.PSK,
		proposalReInit: v.ReInit, proposalExternalInit: v.ExternalInit, proposalGroupContextExtensions: v.Extensions,
	} {
		p := must(decode("proposal", append(wire.AppendU16(nil, uint16(kind)), b...), readProposal))(t)
		equal(t, "proposal", p.appendBody(nil), b)
	}
	equal(t, "tree", parseTree(t, s, v.Tree).appendTo(nil), v.Tree)
	equal(t, "secrets", must(decode("secrets", v.Secrets, readGroupSecrets))(t).appendTo(nil), v.Secrets)
	equal(t, "commit", must(decode("commit", v.Commit, readCommit))(t).appendTo(nil), v.Commit)
	if h, err := Peek(v.Private); err != nil || !bytes.Contains(v.Private, h.AAD) {
		t.Errorf("a message's header: %v", err)
	}
}
