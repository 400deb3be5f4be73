package mls

import (
	"bytes"
	"fmt"
	"maps"
	"math/bits"
	"slices"

	"parley/internal/wire"
)

// stateVersion starts every stored object, so that a later one can differ.
const stateVersion = 1

func readVersion(r *wire.Reader) {
	if v := r.U8(); r.Err() == nil && v != stateVersion {
		r.Fail(unsupported("state version %d", v))
	}
}

// Tags of a group's records besides those of the secret tree:
//
//	"e"       the epoch: context, tag, own leaf and signature key, epoch secrets
//	"n" node  a node of the ratchet tree that is not blank
//	"k" node  a private key of this member's
//	"p" seq   a pending proposal
const (
	tagEpoch   = 'e'
	tagNode    = 'n'
	tagPrivate = 'k'
	tagPending = 'p'
)

var epochKey = string([]byte{tagEpoch})

func (p *pendingProposal) key() string { return recordKey(tagPending, p.seq) }

func (g *Group) encodeEpoch() []byte {
	b := g.context.appendTo([]byte{stateVersion})
	b = wire.AppendVec(b, g.confirmationTag)
	b = wire.AppendU32(wire.AppendU32(b, uint32(g.own)), g.tree.size())
	b = wire.AppendVec(b, g.signature.raw)
	return g.epoch.appendTo(b)
}

// readEpoch starts a Group with what encodeEpoch wrote; its tree is blank.
func readEpoch(r *wire.Reader) *Group {
	readVersion(r)
	g := &Group{keys: map[nodeIndex][]byte{}}
	context := readGroupContext(r)
	s, err := suiteOf(context.suite)
	if err != nil {
		r.Fail(err)
	}
	if r.Err() != nil {
		return nil
	}
	g.suite = s
	g.setContext(context)
	g.confirmationTag = readSecret(r, s)
	g.own = LeafIndex(r.U32())
	size := r.U32()
	if size == 0 || size > maxLeaves || bits.OnesCount32(size) != 1 {
		r.Fail(ErrMalformed)
		return nil
	}
	if g.signature, err = ParseSignatureKey(s.id, r.Vec(maxOpaque)); err != nil {
		r.Fail(err)
		return nil
	}
	g.epoch = readEpochKeys(r, s)
	g.tree = newTree(s, size)
	g.secrets = &secretTree{s, size, map[string][]byte{}}
	return g
}

func (p *pendingProposal) encode() []byte {
	b := wire.AppendVec(nil, p.ref)
	b = p.proposal.appendTo(wire.AppendU32(b, uint32(p.sender)))
	if p.own == nil {
		return append(b, 0)
	}
	b = wire.AppendVec(append(b, 1), p.own.leafPrivate)
	return wire.AppendVec(b, p.own.signature.raw)
}

func readPending(r *wire.Reader, s *suite) *pendingProposal {
	p := &pendingProposal{ref: readSecret(r, s), sender: LeafIndex(r.U32()), proposal: readProposal(r)}
	p.own, _ = readOptional(r, func(r *wire.Reader) *updateSecrets {
		u := &updateSecrets{leafPrivate: r.Vec(maxOpaque)}
		raw := r.Vec(maxOpaque)
		if r.Err() != nil {
			return nil
		}
		var err error
		if u.signature, err = ParseSignatureKey(s.id, raw); err != nil {
			r.Fail(err)
			return nil
		}
		if p.proposal.kind != proposalUpdate || !s.isPrivateOf(u.leafPrivate, p.proposal.update.encryptionKey) ||
			!bytes.Equal(u.signature.public, p.proposal.update.signatureKey) {
			r.Fail(fmt.Errorf("%w: keys that do not match", ErrMalformed))
		}
		return u
	})
	return p
}

// recordsSince is what must be written and deleted to come from the records of
// old, nil for none, to those of g. Tree nodes are compared by identity: they
// do not change once made.
func (g *Group) recordsSince(old *Group) changes {
	if old == nil {
		old = &Group{tree: &ratchetTree{}, secrets: &secretTree{}}
	}
	c := changes{epochKey: g.encodeEpoch()}
	for i := range max(len(g.tree.nodes), len(old.tree.nodes)) {
		var was, is node
		if i < len(old.tree.nodes) {
			was = old.tree.nodes[i]
		}
		if i < len(g.tree.nodes) {
			is = g.tree.nodes[i]
		}
		if was == is {
			continue
		}
		if is.blank() {
			c[recordKey(tagNode, uint32(i))] = nil
		} else {
			c[recordKey(tagNode, uint32(i))] = is.appendTo(nil)
		}
	}
	for x := range old.keys {
		if g.keys[x] == nil {
			c[recordKey(tagPrivate, uint32(x))] = nil
		}
	}
	for x, key := range g.keys {
		if !bytes.Equal(old.keys[x], key) {
			c[recordKey(tagPrivate, uint32(x))] = key
		}
	}
	for key := range old.secrets.records {
		c[key] = nil
	}
	c.add(g.secrets.records)
	for _, p := range old.pending {
		c[p.key()] = nil
	}
	for _, p := range g.pending {
		c[p.key()] = p.encode()
	}
	return c
}

// State is the whole state, sorted by key: what to store for a group that was
// just made or joined. From then on the Deltas keep it up to date.
func (g *Group) State() []Pair { return g.recordsSince(nil).delta().Put }

// Load takes up a group from its records, in any order. It fails on records
// that are malformed, missing or too many, and on a tree whose hash is not the
// group's; signatures are not verified again.
func Load(records []Pair) (*Group, error) {
	g, err := load(records)
	if err != nil {
		return nil, fmt.Errorf("mls: load: %w", err)
	}
	return g, nil
}

func load(records []Pair) (*Group, error) {
	all := make(map[string][]byte, len(records))
	for _, p := range records {
		if _, twice := all[p.Key]; twice {
			return nil, fmt.Errorf("%w: record %q twice", ErrMalformed, p.Key)
		}
		all[p.Key] = bytes.Clone(p.Value)
	}
	g, err := decode("epoch", all[epochKey], readEpoch)
	if err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if err := g.loadRecord(key, all[key]); err != nil {
			return nil, fmt.Errorf("record %q: %w", key, err)
		}
	}
	return g, g.checkLoaded()
}

// loadRecord takes one record. Pending proposals come in the order of their keys.
func (g *Group) loadRecord(key string, value []byte) error {
	r := wire.NewReader([]byte(key))
	tag, n := r.U8(), r.U32()
	switch tag {
	case tagEpoch:
		if key != epochKey {
			return ErrMalformed
		}
		return nil
	case tagSecret, tagRatchet, tagSkipped:
		if !g.secrets.load(key, value) {
			return ErrMalformed
		}
		return nil
	}
	if err := r.Done(); err != nil {
		return err
	}
	switch tag {
	case tagNode:
		return g.loadNode(n, value)
	case tagPrivate:
		if n >= width(g.tree.size()) || !nodeIndex(n).covers(g.own) {
			return ErrMalformed
		}
		g.keys[nodeIndex(n)] = value
	case tagPending:
		p, err := decode("pending proposal", value, func(r *wire.Reader) *pendingProposal { return readPending(r, g.suite) })
		if err != nil {
			return err
		}
		p.seq = n
		g.pending = append(g.pending, *p)
	default:
		return ErrMalformed
	}
	return nil
}

func (g *Group) loadNode(n uint32, value []byte) error {
	if n >= width(g.tree.size()) {
		return ErrMalformed
	}
	read, err := decode("node", value, readNode)
	if err != nil {
		return err
	}
	if nodeIndex(n).isLeaf() != (read.leaf != nil) {
		return ErrMalformed
	}
	g.tree.nodes[n] = read
	return nil
}

// checkLoaded holds the parts against one another.
func (g *Group) checkLoaded() error {
	leaf := g.tree.leaf(g.own)
	if leaf == nil || !bytes.Equal(leaf.signatureKey, g.signature.public) || g.keys[g.own.node()] == nil {
		return fmt.Errorf("%w: no leaf or keys of the member's own", ErrMalformed)
	}
	for x, key := range g.keys {
		if n := g.tree.nodes[x]; n.blank() || !g.suite.isPrivateOf(key, n.key()) {
			return fmt.Errorf("%w: a private key that does not fit node %d", ErrMalformed, x)
		}
	}
	if !bytes.Equal(g.tree.rootHash(), g.context.treeHash) {
		return fmt.Errorf("%w: the tree hash", ErrMalformed)
	}
	return nil
}

// Marshal encodes the pending commit, secrets included, for the member's own
// store.
func (p *PendingCommit) Marshal() []byte {
	b := wire.AppendU16([]byte{stateVersion}, uint16(p.signature.suite.id))
	b = wire.AppendVec(wire.AppendVec(b, p.Message), p.Welcome)
	b = wire.AppendVec(p.content.appendTo(b), p.signature.raw)
	b = appendList(b, slices.Sorted(maps.Keys(p.private)), func(b []byte, x nodeIndex) []byte {
		return wire.AppendVec(wire.AppendU32(b, uint32(x)), p.private[x])
	})
	return wire.AppendVec(p.epoch.appendTo(b), p.encryption)
}

// ParsePendingCommit decodes what Marshal gave.
func ParsePendingCommit(b []byte) (*PendingCommit, error) {
	return decode("pending commit", b, readPendingCommit)
}

func readPendingCommit(r *wire.Reader) *PendingCommit {
	readVersion(r)
	s, err := suiteOf(CipherSuite(r.U16()))
	if err != nil {
		r.Fail(err)
		return nil
	}
	p := &PendingCommit{Message: r.Vec(maxMessage), Welcome: r.Vec(maxMessage), content: readAuthenticatedContent(r), private: map[nodeIndex][]byte{}}
	if len(p.Welcome) == 0 {
		p.Welcome = nil
	}
	if r.Err() == nil && p.content.kind != Commit {
		r.Fail(ErrMalformed)
	}
	if p.signature, err = ParseSignatureKey(s.id, r.Vec(maxOpaque)); err != nil {
		r.Fail(err)
		return nil
	}
	last := -1
	readList(r, maxPath+1, func(r *wire.Reader) struct{} {
		x := r.U32()
		if int(x) <= last {
			r.Fail(ErrMalformed)
		}
		last = int(x)
		p.private[nodeIndex(x)] = r.Vec(maxOpaque)
		return struct{}{}
	})
	p.epoch, p.encryption = readEpochKeys(r, s), readSecret(r, s)
	return p
}
