package mls

import "parley/internal/wire"

// welcome is Welcome of RFC 9420 §12.4.3.1.
type welcome struct {
	suite     CipherSuite
	secrets   []encryptedGroupSecrets
	groupInfo []byte // encrypted
}

type encryptedGroupSecrets struct {
	newMember []byte // KeyPackageRef
	secrets   hpkeCiphertext
}

func readWelcome(r *wire.Reader) *welcome {
	w := &welcome{suite: CipherSuite(r.U16())}
	w.secrets = readList(r, maxLeaves, func(r *wire.Reader) encryptedGroupSecrets {
		return encryptedGroupSecrets{r.Vec(maxMessage), readHPKECiphertext(r)}
	})
	w.groupInfo = r.Vec(maxMessage)
	return w
}

func (w *welcome) appendTo(b []byte) []byte {
	b = wire.AppendU16(b, uint16(w.suite))
	b = appendList(b, w.secrets, func(b []byte, e encryptedGroupSecrets) []byte {
		return e.secrets.appendTo(wire.AppendVec(b, e.newMember))
	})
	return wire.AppendVec(b, w.groupInfo)
}

// groupSecrets is GroupSecrets of RFC 9420 §12.4.3.1.
type groupSecrets struct {
	joiner     []byte
	pathSecret []byte // nil where the commit had no path
	psks       []preSharedKeyID
}

func readGroupSecrets(r *wire.Reader) *groupSecrets {
	g := &groupSecrets{joiner: r.Vec(maxMessage)}
	g.pathSecret, _ = readOptional(r, func(r *wire.Reader) []byte { return r.Vec(maxMessage) })
	g.psks = readList(r, maxPSKs, readPreSharedKeyID)
	return g
}

func (g *groupSecrets) appendTo(b []byte) []byte {
	b = wire.AppendVec(b, g.joiner)
	if g.pathSecret == nil {
		b = append(b, 0)
	} else {
		b = wire.AppendVec(append(b, 1), g.pathSecret)
	}
	return appendList(b, g.psks, func(b []byte, p preSharedKeyID) []byte { return p.appendTo(b) })
}

// groupInfo is GroupInfo of RFC 9420 §12.4.3.
type groupInfo struct {
	context         groupContext
	extensions      []extension
	confirmationTag []byte
	signer          LeafIndex
	signature       []byte
}

func readGroupInfo(r *wire.Reader) *groupInfo {
	return &groupInfo{readGroupContext(r), readExtensions(r), r.Vec(maxMessage), LeafIndex(r.U32()), r.Vec(maxMessage)}
}

func (g *groupInfo) tbs() []byte {
	size := 1024
	for _, e := range g.extensions { // the tree is one: it should not be moved about
		size += len(e.data)
	}
	b := appendExtensions(g.context.appendTo(make([]byte, 0, size)), g.extensions)
	return wire.AppendU32(wire.AppendVec(b, g.confirmationTag), uint32(g.signer))
}

func (g *groupInfo) appendTo(b []byte) []byte {
	return wire.AppendVec(append(b, g.tbs()...), g.signature)
}
