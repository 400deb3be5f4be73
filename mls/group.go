package mls

import (
	"bytes"
	"fmt"
)

// A Group is one member's state of a group in its current epoch. It holds no
// secret of an epoch that has passed. It is not for concurrent use.
//
// Every operation that changes the group returns a Delta, which the caller
// stores before it acts on the result. An operation that fails changes
// nothing, but for what Open says.
type Group struct {
	hidden
	suite           *suite
	context         groupContext
	encodedContext  []byte
	confirmationTag []byte
	own             LeafIndex
	signature       *SignatureKey
	epoch           epochKeys
	tree            *ratchetTree
	keys            map[nodeIndex][]byte // private keys, of the own leaf and above
	secrets         *secretTree
	pending         []pendingProposal // in the order they were received
}

// pendingProposal is a proposal of this epoch that a commit may refer to.
type pendingProposal struct {
	seq      uint32 // its place among those of the epoch
	ref      []byte
	sender   LeafIndex
	proposal *proposal
	own      *updateSecrets // of this member's own Update
}

// updateSecrets are what an own Update brings in once it is committed.
type updateSecrets struct {
	leafPrivate []byte
	signature   *SignatureKey
}

// A Member is one member of a group, or what a commit makes of it.
type Member struct {
	Leaf         LeafIndex
	Identity     []byte // of its basic credential
	SignatureKey []byte // public
}

func memberOf(l LeafIndex, n *leafNode) Member {
	return Member{l, bytes.Clone(n.credential.identity), bytes.Clone(n.signatureKey)}
}

// NewGroup makes a group of one member, in epoch 0 (RFC 9420 §11). groupID has
// 4,096 bytes at most and should be random; identity has 1,024. The state is to
// be stored as State gives it.
func NewGroup(id CipherSuite, groupID, identity []byte, sig *SignatureKey, life Lifetime) (*Group, error) {
	if len(groupID) > maxOpaque {
		return nil, fmt.Errorf("mls: group id: %w", ErrTooLarge)
	}
	s, leaf, private, err := newLeaf(id, identity, sig, life)
	if err != nil {
		return nil, err
	}
	tree := newTree(s, 1)
	tree.set(0, node{leaf: leaf})
	g := &Group{suite: s, signature: sig, tree: tree, keys: map[nodeIndex][]byte{0: private}}
	g.setContext(groupContext{
		suite: id, groupID: append([]byte{}, groupID...), treeHash: tree.rootHash(),
		confirmedTranscriptHash: []byte{}, extensions: []extension{},
	})
	keys, encryption, confirmation := s.deriveEpoch(randomBytes(s.nh))
	g.epoch = keys
	g.secrets = newSecretTree(s, 1, encryption)
	g.confirmationTag = s.mac(confirmation, nil)
	return g, nil
}

func (g *Group) setContext(c groupContext) { g.context, g.encodedContext = c, c.encode() }

// interim is the interim transcript hash of the epoch.
func (g *Group) interim() []byte {
	return g.suite.interimHash(g.context.confirmedTranscriptHash, g.confirmationTag)
}

// GroupID is a copy of the group's id.
func (g *Group) GroupID() []byte { return bytes.Clone(g.context.groupID) }

// Epoch is the number of the current epoch.
func (g *Group) Epoch() uint64 { return g.context.epoch }

// Suite is the group's cipher suite.
func (g *Group) Suite() CipherSuite { return g.suite.id }

// OwnLeaf is this member's place in the tree.
func (g *Group) OwnLeaf() LeafIndex { return g.own }

// SignatureKey is the key that this member signs with in this epoch.
func (g *Group) SignatureKey() *SignatureKey { return g.signature }

// Members lists the members in the order of their leaves.
func (g *Group) Members() []Member {
	var list []Member
	g.tree.members(func(l LeafIndex, n *leafNode) { list = append(list, memberOf(l, n)) })
	return list
}

// EpochAuthenticator is a secret that is equal for two members only if they
// agree on the whole history of the group (RFC 9420 §8.7); Nh bytes, 32 to 64.
func (g *Group) EpochAuthenticator() []byte { return bytes.Clone(g.epoch.authenticator) }

// ConfirmationTag is the public tag of the epoch (RFC 9420 §6.1); Nh bytes.
func (g *Group) ConfirmationTag() []byte { return bytes.Clone(g.confirmationTag) }

// Generation is that of the next message of a kind that this member makes in this
// epoch: proposals and commits share one ratchet.
func (g *Group) Generation(kind ContentType) uint32 {
	return g.secrets.reached(g.own, ratchetOf(kind))
}

// Export derives n bytes, 1,024 at most, for the application's own use in this
// epoch (RFC 9420 §8.5). Every purpose has a label of its own.
func (g *Group) Export(label string, context []byte, n int) ([]byte, error) {
	if n < 0 || n > maxExport || len(label) > maxOpaque {
		return nil, fmt.Errorf("mls: export: %w", ErrTooLarge)
	}
	return g.suite.export(g.epoch.exporter, label, context, n), nil
}

// Seal encrypts and signs an application message, an MLSMessage with a
// PrivateMessage inside. aad travels in the clear, and is authenticated. The
// keys are gone afterwards: this member can't open its own message.
//
// RFC 9420 §12.4 wants pending proposals committed before anything is sealed.
// That is left to the caller: one whose proposals are only Updates may well
// gather them at leisure.
func (g *Group) Seal(aad, plaintext []byte) ([]byte, Delta, error) {
	if len(plaintext)+len(aad) > maxMessage/2 {
		return nil, Delta{}, fmt.Errorf("mls: seal: %w", ErrTooLarge)
	}
	a := g.newContent(aad, content{kind: Application, application: plaintext})
	a.sign(g.signature, g.encodedContext)
	m, c, err := g.protect(a)
	if err != nil {
		return nil, Delta{}, err
	}
	g.secrets.apply(c)
	return m, c.delta(), nil
}

// newContent frames content of this member's, for a PrivateMessage.
func (g *Group) newContent(aad []byte, c content) *authenticatedContent {
	return &authenticatedContent{format: formatPrivate, framedContent: framedContent{
		groupID: g.context.groupID, epoch: g.context.epoch,
		sender: sender{senderMember, uint32(g.own)}, aad: aad, content: c,
	}}
}

// protect encrypts a by the next generation of the own ratchet. The changes
// are still to be applied.
func (g *Group) protect(a *authenticatedContent) ([]byte, changes, error) {
	keys, c, err := g.secrets.next(g.own, ratchetOf(a.kind))
	if err != nil {
		return nil, nil, fmt.Errorf("mls: seal: %w", err)
	}
	b := g.suite.sealPrivate(a, keys, g.epoch.senderData, 0).appendTo(messageHeader(formatPrivate))
	if len(b) > maxMessage {
		return nil, nil, fmt.Errorf("mls: seal: %w", ErrTooLarge)
	}
	return b, c, nil
}

// renewedLeaf is the own leaf with fresh keys, signed.
func (g *Group) renewedLeaf(source leafSource, public []byte, sig *SignatureKey, parentHash []byte) *leafNode {
	leaf := *g.tree.leaf(g.own)
	leaf.encryptionKey, leaf.signatureKey = public, sig.public
	leaf.source, leaf.lifetime, leaf.parentHash = source, Lifetime{}, parentHash
	leaf.capabilities = ownCapabilities()
	return leaf.sign(sig, g.context.groupID, g.own)
}

// newPending keeps an authentic proposal.
func (g *Group) newPending(from LeafIndex, a *authenticatedContent) pendingProposal {
	return pendingProposal{seq: g.nextSeq(), ref: a.proposalRef(g.suite), sender: from, proposal: a.proposal}
}

// nextSeq is the place of the next proposal among those of the epoch.
func (g *Group) nextSeq() uint32 {
	if n := len(g.pending); n > 0 {
		return g.pending[n-1].seq + 1
	}
	return 0
}

// Drop forgets a pending proposal, by the reference that Opened gave: Stage
// will not gather it, and a commit that refers to it is refused. All members
// must drop the same ones, or they part.
func (g *Group) Drop(ref []byte) Delta {
	for i, p := range g.pending {
		if bytes.Equal(p.ref, ref) {
			g.pending = append(g.pending[:i:i], g.pending[i+1:]...)
			return changes{p.key(): nil}.delta()
		}
	}
	return Delta{}
}
