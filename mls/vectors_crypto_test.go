package mls

import (
	"bytes"
	"testing"

	"parley/internal/wire"
)

type treeMathVector struct {
	Leaves uint32       `json:"n_leaves"`
	Nodes  uint32       `json:"n_nodes"`
	Root   nodeIndex    `json:"root"`
	Left   []*nodeIndex `json:"left"`
	Right  []*nodeIndex `json:"right"`
	Parent []*nodeIndex `json:"parent"`
	Other  []*nodeIndex `json:"sibling"`
}

func testTreeMath(t *testing.T, _ *suite, v *treeMathVector) {
	if width(v.Leaves) != v.Nodes || rootOf(v.Leaves) != v.Root {
		t.Fatalf("%d leaves have %d nodes and root %d", v.Leaves, width(v.Leaves), rootOf(v.Leaves))
	}
	for i := range v.Nodes {
		x := nodeIndex(i)
		if want := v.Left[i]; want != nil && x.left() != *want || (want == nil) != x.isLeaf() {
			t.Errorf("left of %d", x)
		}
		if want := v.Right[i]; want != nil && x.right() != *want || (want == nil) != x.isLeaf() {
			t.Errorf("right of %d", x)
		}
		if want := v.Parent[i]; want != nil && x.parent() != *want || (want == nil) != (x == v.Root) {
			t.Errorf("parent of %d", x)
		}
		if want := v.Other[i]; want != nil && x.sibling() != *want || (want == nil) != (x == v.Root) {
			t.Errorf("sibling of %d", x)
		}
	}
}

type deserializationVector struct {
	Header octets `json:"vlbytes_header"`
	Length int    `json:"length"`
}

func testDeserialization(t *testing.T, _ *suite, v *deserializationVector) {
	r := wire.NewReader(v.Header)
	if n := r.VarLen(); n != v.Length || r.Done() != nil {
		t.Errorf("%x is length %d, %v", v.Header, n, r.Err())
	}
	equal(t, "header", wire.AppendVarLen(nil, v.Length), v.Header)
}

type cryptoBasicsVector struct {
	Suite   CipherSuite `json:"cipher_suite"`
	RefHash struct {
		Label string `json:"label"`
		Value octets `json:"value"`
		Out   octets `json:"out"`
	} `json:"ref_hash"`
	Expand struct {
		Secret  octets `json:"secret"`
		Label   string `json:"label"`
		Context octets `json:"context"`
		Length  int    `json:"length"`
		Out     octets `json:"out"`
	} `json:"expand_with_label"`
	Derive struct {
		Secret octets `json:"secret"`
		Label  string `json:"label"`
		Out    octets `json:"out"`
	} `json:"derive_secret"`
	Tree struct {
		Secret     octets `json:"secret"`
		Label      string `json:"label"`
		Generation uint32 `json:"generation"`
		Length     int    `json:"length"`
		Out        octets `json:"out"`
	} `json:"derive_tree_secret"`
	Sign struct {
		Private   octets `json:"priv"`
		Public    octets `json:"pub"`
		Content   octets `json:"content"`
		Label     string `json:"label"`
		Signature octets `json:"signature"`
	} `json:"sign_with_label"`
	Encrypt struct {
		Private    octets `json:"priv"`
		Public     octets `json:"pub"`
		Label      string `json:"label"`
		Context    octets `json:"context"`
		Plaintext  octets `json:"plaintext"`
		KEMOutput  octets `json:"kem_output"`
		Ciphertext octets `json:"ciphertext"`
	} `json:"encrypt_with_label"`
}

func testCryptoBasics(t *testing.T, s *suite, v *cryptoBasicsVector) {
	equal(t, "RefHash", s.refHash(v.RefHash.Label, v.RefHash.Value), v.RefHash.Out)
	equal(t, "ExpandWithLabel", s.expandWithLabel(v.Expand.Secret, v.Expand.Label, v.Expand.Context, v.Expand.Length), v.Expand.Out)
	equal(t, "DeriveSecret", s.deriveSecret(v.Derive.Secret, v.Derive.Label), v.Derive.Out)
	equal(t, "DeriveTreeSecret", s.deriveTreeSecret(v.Tree.Secret, v.Tree.Label, v.Tree.Generation, v.Tree.Length), v.Tree.Out)

	key := vectorKey(t, s, v.Sign.Private)
	equal(t, "public key", key.Public(), v.Sign.Public)
	if !s.verifyWithLabel(v.Sign.Public, v.Sign.Label, v.Sign.Content, v.Sign.Signature) ||
		!s.verifyWithLabel(v.Sign.Public, v.Sign.Label, v.Sign.Content, key.signWithLabel(v.Sign.Label, v.Sign.Content)) {
		t.Error("a signature does not hold")
	}
	if s.verifyWithLabel(v.Sign.Public, v.Sign.Label+"x", v.Sign.Content, v.Sign.Signature) {
		t.Error("a signature holds under another label")
	}

	e := v.Encrypt
	plain, err := s.decryptWithLabel(e.Private, e.Label, e.Context, hpkeCiphertext{e.KEMOutput, e.Ciphertext})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "plaintext", plain, e.Plaintext)
	again := must(s.encryptWithLabel(e.Public, e.Label, e.Context, e.Plaintext))(t)
	if plain, err = s.decryptWithLabel(e.Private, e.Label, e.Context, again); err != nil || !bytes.Equal(plain, e.Plaintext) {
		t.Errorf("what was encrypted opens to %x, %v", plain, err)
	}
	if len(again.kemOutput) != s.encLen || len(e.Public) != s.publicLen {
		t.Error("lengths of the KEM are wrong")
	}
}

type pskVector struct {
	Suite CipherSuite `json:"cipher_suite"`
	PSKs  []struct {
		ID    octets `json:"psk_id"`
		Key   octets `json:"psk"`
		Nonce octets `json:"psk_nonce"`
	} `json:"psks"`
	Secret octets `json:"psk_secret"`
}

func testPSKSecret(t *testing.T, s *suite, v *pskVector) {
	var list []preSharedKey
	for _, p := range v.PSKs {
		list = append(list, preSharedKey{preSharedKeyID{kind: pskExternal, id: p.ID, nonce: p.Nonce}, p.Key})
	}
	equal(t, "psk_secret", s.pskSecret(list), v.Secret)
}

type secretTreeVector struct {
	Suite            CipherSuite `json:"cipher_suite"`
	EncryptionSecret octets      `json:"encryption_secret"`
	SenderData       struct {
		Secret     octets `json:"sender_data_secret"`
		Ciphertext octets `json:"ciphertext"`
		Key        octets `json:"key"`
		Nonce      octets `json:"nonce"`
	} `json:"sender_data"`
	Leaves [][]struct {
		Generation       uint32 `json:"generation"`
		ApplicationKey   octets `json:"application_key"`
		ApplicationNonce octets `json:"application_nonce"`
		HandshakeKey     octets `json:"handshake_key"`
		HandshakeNonce   octets `json:"handshake_nonce"`
	} `json:"leaves"`
}

func testSecretTree(t *testing.T, s *suite, v *secretTreeVector) {
	key, nonce := s.senderDataKeys(v.SenderData.Secret, v.SenderData.Ciphertext)
	equal(t, "sender data key", key, v.SenderData.Key)
	equal(t, "sender data nonce", nonce, v.SenderData.Nonce)

	tree := newSecretTree(s, uint32(len(v.Leaves)), v.EncryptionSecret)
	for i, generations := range v.Leaves {
		for _, g := range generations {
			for kind, want := range [...][2]octets{
				ratchetHandshake:   {g.HandshakeKey, g.HandshakeNonce},
				ratchetApplication: {g.ApplicationKey, g.ApplicationNonce},
			} {
				keys, c, err := tree.take(LeafIndex(i), ratchetKind(kind), g.Generation)
				if err != nil {
					t.Fatal(err)
				}
				tree.apply(c)
				equal(t, "key", keys.key, want[0])
				equal(t, "nonce", keys.nonce, want[1])
			}
		}
	}
}

type keyScheduleVector struct {
	Suite   CipherSuite `json:"cipher_suite"`
	GroupID octets      `json:"group_id"`
	Initial octets      `json:"initial_init_secret"`
	Epochs  []struct {
		TreeHash            octets `json:"tree_hash"`
		CommitSecret        octets `json:"commit_secret"`
		PSKSecret           octets `json:"psk_secret"`
		ConfirmedTranscript octets `json:"confirmed_transcript_hash"`
		GroupContext        octets `json:"group_context"`
		Joiner              octets `json:"joiner_secret"`
		Welcome             octets `json:"welcome_secret"`
		Init                octets `json:"init_secret"`
		SenderData          octets `json:"sender_data_secret"`
		Encryption          octets `json:"encryption_secret"`
		Exporter            octets `json:"exporter_secret"`
		Authenticator       octets `json:"epoch_authenticator"`
		External            octets `json:"external_secret"`
		ConfirmationKey     octets `json:"confirmation_key"`
		MembershipKey       octets `json:"membership_key"`
		ResumptionPSK       octets `json:"resumption_psk"`
		ExternalPublic      octets `json:"external_pub"`
		Export              struct {
			Label   string `json:"label"`
			Context octets `json:"context"`
			Length  int    `json:"length"`
			Secret  octets `json:"secret"`
		} `json:"exporter"`
	} `json:"epochs"`
}

func testKeySchedule(t *testing.T, s *suite, v *keyScheduleVector) {
	init := []byte(v.Initial)
	for i, e := range v.Epochs {
		context := groupContext{s.id, v.GroupID, uint64(i), e.TreeHash, e.ConfirmedTranscript, nil}
		equal(t, "group context", context.encode(), e.GroupContext)
		joiner := s.joinerSecret(init, e.CommitSecret, e.GroupContext)
		equal(t, "joiner secret", joiner, e.Joiner)
		member := s.memberSecret(joiner, e.PSKSecret)
		equal(t, "welcome secret", s.welcomeSecret(member), e.Welcome)
		epochSecret := s.epochSecret(member, e.GroupContext)
		keys, encryption, confirmation := s.deriveEpoch(epochSecret)
		equal(t, "init secret", keys.init, e.Init)
		equal(t, "sender data secret", keys.senderData, e.SenderData)
		equal(t, "exporter secret", keys.exporter, e.Exporter)
		equal(t, "epoch authenticator", keys.authenticator, e.Authenticator)
		equal(t, "encryption secret", encryption, e.Encryption)
		equal(t, "confirmation key", confirmation, e.ConfirmationKey)
		equal(t, "membership key", s.deriveSecret(epochSecret, "membership"), e.MembershipKey)
		equal(t, "resumption psk", s.deriveSecret(epochSecret, "resumption"), e.ResumptionPSK)
		external := s.deriveSecret(epochSecret, "external")
		equal(t, "external secret", external, e.External)
		equal(t, "external public key", s.deriveKeyPair(external).public, e.ExternalPublic)
		equal(t, "export", s.export(keys.exporter, e.Export.Label, e.Export.Context, e.Export.Length), e.Export.Secret)
		init = keys.init
	}
}

type transcriptVector struct {
	Suite           CipherSuite `json:"cipher_suite"`
	ConfirmationKey octets      `json:"confirmation_key"`
	Content         octets      `json:"authenticated_content"`
	InterimBefore   octets      `json:"interim_transcript_hash_before"`
	ConfirmedAfter  octets      `json:"confirmed_transcript_hash_after"`
	InterimAfter    octets      `json:"interim_transcript_hash_after"`
}

func testTranscriptHashes(t *testing.T, s *suite, v *transcriptVector) {
	a := must(decode("content", v.Content, readAuthenticatedContent))(t)
	confirmed := s.confirmedHash(v.InterimBefore, a)
	equal(t, "confirmed transcript hash", confirmed, v.ConfirmedAfter)
	equal(t, "interim transcript hash", s.interimHash(confirmed, a.auth.confirmationTag), v.InterimAfter)
	equal(t, "confirmation tag", s.mac(v.ConfirmationKey, confirmed), a.auth.confirmationTag)
}
