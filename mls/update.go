package mls

import (
	"bytes"
	"fmt"

	"parley/internal/wire"
)

// A PendingUpdate is an Update proposal of this member's own. It holds the
// secrets that it would bring: store it with the Delta of StageUpdate before
// Message is sent; Propose it when Message was read back, or forget it when the
// epoch has ended.
type PendingUpdate struct {
	hidden
	Message []byte // MLSMessage with a PrivateMessage

	groupID  []byte
	epoch    uint64
	proposal *pendingProposal
}

// StageUpdate makes a proposal of fresh keys for this member's own leaf: an
// encryption key, and newSig unless it is nil. The group takes no note of it but
// for a generation of its handshake ratchet. It counts for this member from
// Propose on, in the order in which it counts for the others.
func (g *Group) StageUpdate(aad []byte, newSig *SignatureKey) (*PendingUpdate, Delta, error) {
	sig := newSig
	if sig == nil {
		sig = g.signature
	}
	if sig.suite != g.suite {
		return nil, Delta{}, fmt.Errorf("mls: stage update: the key is for %v", sig.Suite())
	}
	pair := g.suite.generateKeyPair()
	p := &proposal{kind: proposalUpdate, update: g.renewedLeaf(sourceUpdate, pair.public, sig, nil)}
	if err := g.checkNew(g.own, p); err != nil {
		return nil, Delta{}, fmt.Errorf("mls: stage update: %w", err)
	}
	a := g.newContent(aad, content{kind: Proposal, proposal: p})
	a.sign(g.signature, g.encodedContext)
	m, c, err := g.protect(a)
	if err != nil {
		return nil, Delta{}, err
	}
	g.secrets.apply(c)
	pending := g.newPending(g.own, a)
	pending.own = &updateSecrets{pair.private, sig}
	return &PendingUpdate{Message: m, groupID: g.GroupID(), epoch: g.Epoch(), proposal: &pending}, c.delta(), nil
}

// Propose keeps an Update of this member's own that was read back, as Open does
// with those of others, and by the same rules: where it fails, they have
// refused it. ErrStale says that the group has left the epoch that p was made in.
func (g *Group) Propose(p *PendingUpdate) (Delta, error) {
	if !bytes.Equal(p.groupID, g.context.groupID) || p.epoch != g.Epoch() || p.proposal.sender != g.own {
		return Delta{}, ErrStale
	}
	if err := g.checkNew(g.own, p.proposal.proposal); err != nil {
		return Delta{}, fmt.Errorf("mls: propose: %w", err)
	}
	pending := *p.proposal
	pending.seq = g.nextSeq()
	g.pending = append(g.pending, pending)
	return changes{pending.key(): pending.encode()}.delta(), nil
}

// SignatureKeys are those that the others may know this member by: its present
// one, then those of its Updates, which a commit that it could not follow may
// have taken up.
func (g *Group) SignatureKeys() []*SignatureKey {
	keys := []*SignatureKey{g.signature}
	for _, p := range g.pending {
		if p.own != nil {
			keys = append(keys, p.own.signature)
		}
	}
	return keys
}

// SignatureKey is the key that the update would bring.
func (p *PendingUpdate) SignatureKey() *SignatureKey { return p.proposal.own.signature }

// SignatureKey is the committer's after the commit.
func (p *PendingCommit) SignatureKey() *SignatureKey { return p.signature }

// checkNew tells whether a proposal may be kept.
func (g *Group) checkNew(from LeafIndex, p *proposal) error {
	if err := g.checkProposal(from, p); err != nil {
		return err
	}
	return g.checkPending(from, p)
}

// Marshal encodes the pending update, secrets included, for the member's own
// store.
func (p *PendingUpdate) Marshal() []byte {
	b := wire.AppendU16([]byte{stateVersion}, uint16(p.proposal.own.signature.suite.id))
	b = wire.AppendVec(wire.AppendVec(b, p.Message), p.groupID)
	return append(wire.AppendU64(b, p.epoch), p.proposal.encode()...)
}

// ParsePendingUpdate decodes what Marshal gave.
func ParsePendingUpdate(b []byte) (*PendingUpdate, error) {
	return decode("pending update", b, readPendingUpdate)
}

func readPendingUpdate(r *wire.Reader) *PendingUpdate {
	readVersion(r)
	s, err := suiteOf(CipherSuite(r.U16()))
	if err != nil {
		r.Fail(err)
		return nil
	}
	p := &PendingUpdate{Message: r.Vec(maxMessage), groupID: r.Vec(maxOpaque), epoch: r.U64()}
	if r.Err() != nil {
		return nil
	}
	if p.proposal = readPending(r, s); r.Err() == nil && p.proposal.own == nil {
		r.Fail(ErrMalformed)
	}
	return p
}
