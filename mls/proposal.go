package mls

import "parley/internal/wire"

// proposalType is ProposalType of RFC 9420 §17.4.
type proposalType uint16

const (
	proposalAdd                    proposalType = 1
	proposalUpdate                 proposalType = 2
	proposalRemove                 proposalType = 3
	proposalPreSharedKey           proposalType = 4
	proposalReInit                 proposalType = 5
	proposalExternalInit           proposalType = 6
	proposalGroupContextExtensions proposalType = 7
)

// proposal is Proposal of RFC 9420 §12.1; the fields after kind are used as
// the kind has it. All kinds are decoded; a group processes the first three.
type proposal struct {
	kind       proposalType
	add        *KeyPackage
	update     *leafNode
	remove     LeafIndex
	psk        preSharedKeyID
	reInit     reInit
	kemOutput  []byte      // of an ExternalInit
	extensions []extension // of a GroupContextExtensions
}

// reInit is ReInit of RFC 9420 §12.1.5.
type reInit struct {
	groupID    []byte
	version    uint16
	suite      CipherSuite
	extensions []extension
}

func readProposal(r *wire.Reader) *proposal {
	p := &proposal{kind: proposalType(r.U16())}
	p.readBody(r)
	return p
}

// readBody reads what follows the type.
func (p *proposal) readBody(r *wire.Reader) {
	switch p.kind {
	case proposalAdd:
		p.add = readKeyPackage(r)
	case proposalUpdate:
		p.update = readLeafNode(r)
	case proposalRemove:
		p.remove = LeafIndex(r.U32())
	case proposalPreSharedKey:
		p.psk = readPreSharedKeyID(r)
	case proposalReInit:
		p.reInit = reInit{r.Vec(maxMessage), r.U16(), CipherSuite(r.U16()), readExtensions(r)}
	case proposalExternalInit:
		p.kemOutput = r.Vec(maxMessage)
	case proposalGroupContextExtensions:
		p.extensions = readExtensions(r)
	default:
		r.Fail(unsupported("proposal type %d", p.kind))
	}
}

func (p *proposal) appendTo(b []byte) []byte {
	return p.appendBody(wire.AppendU16(b, uint16(p.kind)))
}

func (p *proposal) appendBody(b []byte) []byte {
	switch p.kind {
	case proposalAdd:
		return p.add.appendTo(b)
	case proposalUpdate:
		return p.update.appendTo(b)
	case proposalRemove:
		return wire.AppendU32(b, uint32(p.remove))
	case proposalPreSharedKey:
		return p.psk.appendTo(b)
	case proposalReInit:
		b = wire.AppendVec(b, p.reInit.groupID)
		b = wire.AppendU16(wire.AppendU16(b, p.reInit.version), uint16(p.reInit.suite))
		return appendExtensions(b, p.reInit.extensions)
	case proposalExternalInit:
		return wire.AppendVec(b, p.kemOutput)
	default: // proposalGroupContextExtensions: there is no other
		return appendExtensions(b, p.extensions)
	}
}

// proposalOrRef is ProposalOrRef of RFC 9420 §12.4: one of the two is set.
type proposalOrRef struct {
	proposal  *proposal
	reference []byte
}

func readProposalOrRef(r *wire.Reader) (p proposalOrRef) {
	switch r.U8() {
	case 1:
		p.proposal = readProposal(r)
	case 2:
		p.reference = r.Vec(maxMessage)
	default:
		r.Fail(ErrMalformed)
	}
	return p
}

func (p proposalOrRef) appendTo(b []byte) []byte {
	if p.proposal != nil {
		return p.proposal.appendTo(append(b, 1))
	}
	return wire.AppendVec(append(b, 2), p.reference)
}

// updatePathNode is UpdatePathNode of RFC 9420 §7.6.
type updatePathNode struct {
	encryptionKey []byte
	secrets       []hpkeCiphertext
}

// updatePath is UpdatePath of RFC 9420 §7.6.
type updatePath struct {
	leaf  *leafNode
	nodes []updatePathNode
}

func readUpdatePath(r *wire.Reader) *updatePath {
	return &updatePath{readLeafNode(r), readList(r, maxPath, func(r *wire.Reader) updatePathNode {
		return updatePathNode{r.Vec(maxMessage), readList(r, maxLeaves, readHPKECiphertext)}
	})}
}

func (p *updatePath) appendTo(b []byte) []byte {
	return appendList(p.leaf.appendTo(b), p.nodes, func(b []byte, n updatePathNode) []byte {
		return appendList(wire.AppendVec(b, n.encryptionKey), n.secrets, func(b []byte, c hpkeCiphertext) []byte {
			return c.appendTo(b)
		})
	})
}

// commit is Commit of RFC 9420 §12.4.
type commit struct {
	proposals []proposalOrRef
	path      *updatePath // nil where there is none
}

func readCommit(r *wire.Reader) *commit {
	c := &commit{proposals: readList(r, maxProposals, readProposalOrRef)}
	c.path, _ = readOptional(r, readUpdatePath)
	return c
}

func (c *commit) appendTo(b []byte) []byte {
	b = appendList(b, c.proposals, func(b []byte, p proposalOrRef) []byte { return p.appendTo(b) })
	if c.path == nil {
		return append(b, 0)
	}
	return c.path.appendTo(append(b, 1))
}
