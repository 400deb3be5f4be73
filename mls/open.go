package mls

import (
	"bytes"
	"fmt"
)

// A Header is what a message says of itself in the clear. Nothing of it is
// authenticated before Open.
type Header struct {
	GroupID []byte
	Epoch   uint64
	Kind    ContentType
	AAD     []byte
}

// Peek reads the Header of a PrivateMessage, without keys.
func Peek(b []byte) (Header, error) {
	m, err := parsePrivate(b)
	if err != nil {
		return Header{}, err
	}
	return Header{m.groupID, m.epoch, m.kind, m.aad}, nil
}

func parsePrivate(b []byte) (*privateMessage, error) {
	m, err := decode("message", b, readMessage)
	if err != nil {
		return nil, err
	}
	if m.format != formatPrivate {
		return nil, fmt.Errorf("mls: message: %w", unsupported("wire format %d in a group", m.format))
	}
	return m.private, nil
}

// Opened is a message that was decrypted and whose signature holds.
type Opened struct {
	Sender      LeafIndex
	AAD         []byte
	Kind        ContentType
	Application []byte        // of an application message
	Proposal    *ProposalInfo // of a proposal
	Commit      *StagedCommit // of a commit
}

// ProposalInfo says what a proposal asks for: one of the fields after Ref is
// set, as Add, Update and Remove have it.
type ProposalInfo struct {
	Ref    []byte // names it to Drop
	Add    *KeyPackage
	Update *Member // the sender, with its new keys
	Remove *LeafIndex
}

// Open decrypts and verifies a message of the current epoch.
//
// A proposal is kept: a later commit may refer to it, and Stage gathers
// Updates. A commit comes back staged, and the epoch stays: see Enter.
//
// The keys of the message are deleted once it has opened and its signature
// holds. A *RefusedError is returned after that, when an authentic message has
// content that breaks a rule: then the Delta, which is to be stored, has that
// deletion. With any other error nothing has changed and the Delta is empty.
func (g *Group) Open(b []byte) (*Opened, Delta, error) { return g.open(b, nil) }

// OpenBound is Open for a message whose authenticated data says of which
// generation it is, as the caller has read there. All members have each other's
// keys, and a signature covers neither generation, reuse guard nor padding: any
// of them could encrypt once more what another signed. With ErrAltered it refuses
// what is not to the byte what its sender's Seal, Stage or StageUpdate makes of
// what was signed.
func (g *Group) OpenBound(b []byte, generation uint32) (*Opened, Delta, error) {
	return g.open(b, &generation)
}

func (g *Group) open(b []byte, bound *uint32) (*Opened, Delta, error) {
	m, err := parsePrivate(b)
	if err != nil {
		return nil, Delta{}, err
	}
	a, c, err := g.unprotect(m, bound)
	if err != nil {
		return nil, Delta{}, err
	}
	g.secrets.apply(c)
	opened, more, err := g.accept(a)
	if err != nil {
		return nil, c.delta(), &RefusedError{LeafIndex(a.sender.index), a.kind, err}
	}
	c.add(more)
	return opened, c.delta(), nil
}

// unprotect decrypts a message and verifies its signature, and that it is of the
// generation that it is bound to, if to any. The changes delete its keys, and are
// still to be applied.
func (g *Group) unprotect(m *privateMessage, bound *uint32) (*authenticatedContent, changes, error) {
	if !bytes.Equal(m.groupID, g.context.groupID) {
		return nil, nil, ErrWrongGroup
	}
	if m.epoch != g.context.epoch {
		return nil, nil, &EpochError{g.context.epoch, m.epoch}
	}
	data, err := g.suite.openSenderData(m, g.epoch.senderData)
	if err != nil {
		return nil, nil, err
	}
	leaf := g.tree.leaf(data.leaf) // §6.3.2: not blank
	if leaf == nil {
		return nil, nil, fmt.Errorf("mls: open: %w", invalid("§6.3.2: a sender's leaf %d that is blank", data.leaf))
	}
	if bound != nil && data.generation != *bound {
		return nil, nil, ErrAltered
	}
	kind := ratchetOf(m.kind)
	own := data.leaf == g.own
	if own && data.generation < g.secrets.reached(g.own, kind) {
		return nil, nil, ErrOwnMessage
	}
	keys, c, err := g.secrets.take(data.leaf, kind, data.generation)
	if err != nil {
		return nil, nil, err
	}
	a, err := g.suite.openPrivate(m, data, keys)
	if err != nil {
		return nil, nil, fmt.Errorf("mls: open: %w", err)
	}
	if !a.verify(g.suite, leaf.signatureKey, g.encodedContext) {
		return nil, nil, fmt.Errorf("mls: open: %w", invalid("§6.1: the signature of a message"))
	}
	if bound != nil && !bytes.Equal(g.suite.sealPrivate(a, keys, g.epoch.senderData, 0).appendTo(nil), m.appendTo(nil)) {
		return nil, nil, ErrAltered
	}
	if own {
		return nil, nil, ErrOwnAhead
	}
	return a, c, nil
}

// accept takes the content of an authentic message. It changes nothing where
// it fails.
func (g *Group) accept(a *authenticatedContent) (*Opened, changes, error) {
	from := LeafIndex(a.sender.index)
	opened := &Opened{Sender: from, AAD: a.aad, Kind: a.kind}
	switch a.kind {
	case Application:
		opened.Application = a.application
		return opened, nil, nil
	case Proposal:
		if err := g.checkNew(from, a.proposal); err != nil {
			return nil, nil, err
		}
		p := g.newPending(from, a)
		g.pending = append(g.pending, p)
		opened.Proposal = p.info()
		return opened, changes{p.key(): p.encode()}, nil
	default: // Commit: there is no other
		var err error
		opened.Commit, err = g.stageCommit(a)
		return opened, nil, err
	}
}

func (p *pendingProposal) info() *ProposalInfo {
	info := &ProposalInfo{Ref: bytes.Clone(p.ref)}
	switch p.proposal.kind {
	case proposalAdd:
		info.Add = p.proposal.add
	case proposalUpdate:
		m := memberOf(p.sender, p.proposal.update)
		info.Update = &m
	case proposalRemove:
		l := p.proposal.remove
		info.Remove = &l
	}
	return info
}
