package mls

import (
	"bytes"
	"fmt"
	"slices"
)

// checkProposal is what RFC 9420 §12.1 asks of one proposal by itself.
func (g *Group) checkProposal(from LeafIndex, p *proposal) error {
	switch p.kind {
	case proposalAdd:
		// §10.1: the suite is the group's.
		if p.add.suite != g.suite.id {
			return invalid("§10.1: a key package for %v", p.add.suite)
		}
		return p.add.Validate()
	case proposalUpdate:
		return g.checkUpdate(from, p.update)
	case proposalRemove:
		// §12.1.3: the leaf is a member's.
		if g.tree.leaf(p.remove) == nil {
			return invalid("§12.1.3: a removal of leaf %d, which is blank", p.remove)
		}
		return nil
	}
	return unsupported("proposal type %d in a group", p.kind)
}

// checkUpdate is §12.1.2, and of §7.3 what concerns the leaf of an Update.
func (g *Group) checkUpdate(from LeafIndex, n *leafNode) error {
	if n.source != sourceUpdate {
		return invalid("§7.3: the leaf of an update has source %d", n.source)
	}
	old := g.tree.leaf(from)
	if old == nil {
		return invalid("§12.1.2: an update of leaf %d, which is blank", from)
	}
	if bytes.Equal(n.encryptionKey, old.encryptionKey) {
		return invalid("§7.3: an update that keeps its encryption key")
	}
	if err := n.check(g.suite, g.context.groupID, from); err != nil {
		return err
	}
	return n.succeeds(old)
}

// checkPending is what a proposal must pass besides, to be kept: its sender has
// not too many, and an Update fits the tree and the Updates kept before it.
// Otherwise a member could propose what makes any commit invalid that gathers
// it, such as a key it saw in another's Update.
func (g *Group) checkPending(from LeafIndex, p *proposal) error {
	n := 0
	for _, q := range g.pending {
		if q.sender == from {
			n++
		}
	}
	if n >= maxPending {
		return fmt.Errorf("proposals of one member: %w", ErrTooLarge)
	}
	if p.kind != proposalUpdate {
		return nil
	}
	keys := newFreshKeys()
	for _, q := range g.pending {
		if q.proposal.kind == proposalUpdate && q.sender != from {
			keys.addLeaf(q.proposal.update)
		}
	}
	if err := keys.addLeaf(p.update); err != nil {
		return err
	}
	mine := newFreshKeys()
	if err := mine.addLeaf(p.update); err != nil {
		return err
	}
	if err := mine.check(g.tree, nil, from); err != nil {
		return err
	}
	tree := g.tree.clone()
	tree.update(from, p.update)
	return tree.checkMembers(g.context.extensions)
}

// freshKeys are the public keys that a commit brings into the tree.
type freshKeys struct{ encryption, signature map[string]bool }

func newFreshKeys() *freshKeys { return &freshKeys{map[string]bool{}, map[string]bool{}} }

// addEncryption takes a key that may not be there yet.
func (f *freshKeys) addEncryption(key []byte) error {
	if f.encryption[string(key)] {
		return invalid("§7.3: an encryption key that comes twice")
	}
	f.encryption[string(key)] = true
	return nil
}

// addLeaf takes both keys of a leaf, or none.
func (f *freshKeys) addLeaf(n *leafNode) error {
	if f.signature[string(n.signatureKey)] {
		return invalid("§7.3: a signature key that comes twice")
	}
	if err := f.addEncryption(n.encryptionKey); err != nil {
		return err
	}
	f.signature[string(n.signatureKey)] = true
	return nil
}

// noLeaf is no member's place in any tree.
const noLeaf = LeafIndex(maxLeaves)

// check holds the fresh keys against all nodes of t but the leaves in skip,
// which are theirs, in increasing order. The old signature key of leaf self,
// noLeaf for nobody's, may come again (RFC 9420 §7.3, §12.4.2).
func (f *freshKeys) check(t *ratchetTree, skip []LeafIndex, self LeafIndex) error {
	for i, n := range t.nodes {
		if n.blank() {
			continue
		}
		l := nodeIndex(i).leaf()
		if n.leaf != nil {
			if _, own := slices.BinarySearch(skip, l); own {
				continue
			}
			if l != self && f.signature[string(n.leaf.signatureKey)] {
				return invalid("§7.3: a signature key that leaf %d has", l)
			}
		}
		if f.encryption[string(n.key())] {
			return invalid("§7.3: an encryption key that node %d has", i)
		}
	}
	return nil
}

// resolve finds the proposals of a commit and who made them.
func (g *Group) resolve(committer LeafIndex, list []proposalOrRef) ([]pendingProposal, error) {
	found := make([]pendingProposal, 0, len(list))
	refs := map[string]bool{}
	for _, p := range list {
		if p.proposal != nil {
			found = append(found, pendingProposal{sender: committer, proposal: p.proposal})
			continue
		}
		i := slices.IndexFunc(g.pending, func(q pendingProposal) bool { return bytes.Equal(q.ref, p.reference) })
		if i < 0 {
			return nil, invalid("§12.4: a reference to a proposal that is not there")
		}
		if refs[string(p.reference)] {
			return nil, invalid("§12.2: a proposal that is referred to twice")
		}
		refs[string(p.reference)] = true
		found = append(found, g.pending[i])
	}
	return found, nil
}

// applyProposals checks a list of proposals (RFC 9420 §12.2) and applies it to
// a copy of the tree (§12.3).
func (g *Group) applyProposals(committer LeafIndex, list []proposalOrRef) (*StagedCommit, error) {
	resolved, err := g.resolve(committer, list)
	if err != nil {
		return nil, err
	}
	c := &StagedCommit{group: g, context: g.encodedContext, committer: committer, tree: g.tree.clone(), fresh: newFreshKeys()}
	touched := map[LeafIndex]bool{} // by an Update or a Remove
	for _, p := range resolved {
		if err := g.checkProposal(p.sender, p.proposal); err != nil {
			return nil, err
		}
		if err := c.note(p, touched); err != nil {
			return nil, err
		}
	}
	c.pathRequired = len(list) == 0 || len(c.updates) > 0 || len(c.removes) > 0 // §12.4
	return c, c.apply()
}

// note sorts a proposal into its kind, by the rules of RFC 9420 §12.2.
func (c *StagedCommit) note(p pendingProposal, touched map[LeafIndex]bool) error {
	switch p.proposal.kind {
	case proposalAdd:
		c.adds = append(c.adds, p.proposal.add)
		// Two Adds of one client have one signature key.
		return c.fresh.addLeaf(p.proposal.add.leaf)
	case proposalUpdate:
		if p.sender == c.committer {
			return invalid("§12.2: an update by the committer")
		}
		if touched[p.sender] {
			return invalid("§12.2: two updates or removals of leaf %d", p.sender)
		}
		touched[p.sender] = true
		c.updates = append(c.updates, p)
		return c.fresh.addLeaf(p.proposal.update)
	default: // proposalRemove: checkProposal refuses the others
		l := p.proposal.remove
		if l == c.committer {
			return invalid("§12.2: a removal of the committer")
		}
		if touched[l] {
			return invalid("§12.2: two updates or removals of leaf %d", l)
		}
		touched[l] = true
		c.removes = append(c.removes, l)
	}
	return nil
}

// apply changes the tree in the order of RFC 9420 §12.3.
func (c *StagedCommit) apply() error {
	changed := make([]LeafIndex, 0, len(c.updates)+len(c.adds))
	for _, p := range c.updates {
		c.tree.update(p.sender, p.proposal.update)
		changed = append(changed, p.sender)
	}
	for _, l := range c.removes {
		c.tree.remove(l)
	}
	c.tree.truncate()
	next := LeafIndex(0)
	for _, kp := range c.adds {
		l, err := c.tree.add(kp.leaf, next)
		if err != nil {
			return err
		}
		c.added = append(c.added, l)
		next = l + 1
	}
	changed = append(changed, c.added...)
	slices.Sort(changed)
	c.changed = changed
	return c.fresh.check(c.tree, changed, c.committer)
}

// applyPath validates an update path and merges it (RFC 9420 §12.4.2), as far
// as every member can; nil is a commit without one.
func (c *StagedCommit) applyPath(p *updatePath) error {
	g := c.group
	if p == nil {
		if c.pathRequired {
			return invalid("§12.4: a commit without a path where one is required")
		}
		// The committer's leaf stays: nobody who is added may have its key.
		if err := c.fresh.check(c.tree, c.changed, noLeaf); err != nil {
			return err
		}
		return c.tree.checkMembers(g.context.extensions)
	}
	// §7.3, §12.4.2: the leaf says that it comes with a commit.
	if p.leaf.source != sourceCommit {
		return invalid("§12.4.2: the leaf of a path has source %d", p.leaf.source)
	}
	if err := p.leaf.check(g.suite, g.context.groupID, c.committer); err != nil {
		return err
	}
	if err := p.leaf.succeeds(g.tree.leaf(c.committer)); err != nil {
		return err
	}
	c.hasPath, c.path = true, c.tree.filteredPath(c.committer)
	if err := c.tree.checkPathShape(c.path, p.nodes, c.added); err != nil {
		return err
	}
	// §12.4.2: no key of the path is in the tree, the committer's old one
	// included, nor comes twice.
	keys := make([][]byte, len(p.nodes))
	for i, n := range p.nodes {
		keys[i] = n.encryptionKey
		if err := g.suite.checkPublicKey(n.encryptionKey); err != nil {
			return err
		}
	}
	if err := c.checkPathKeys(p.leaf, keys); err != nil {
		return err
	}
	// §7.5, §7.9.2: the leaf signs the parent hash of the merged path.
	if parentHash := c.tree.mergePath(c.committer, c.path, keys); !bytes.Equal(parentHash, p.leaf.parentHash) {
		return invalid("§7.9.2: the parent hash of a path")
	}
	c.tree.set(c.committer.node(), node{leaf: p.leaf})
	return c.tree.checkMembers(g.context.extensions)
}

// checkPathKeys holds the keys of a path against the tree and the other fresh
// keys.
func (c *StagedCommit) checkPathKeys(leaf *leafNode, keys [][]byte) error {
	fresh := newFreshKeys()
	if err := fresh.addLeaf(leaf); err != nil {
		return err
	}
	for _, key := range keys {
		if err := fresh.addEncryption(key); err != nil {
			return err
		}
	}
	return fresh.check(c.tree, nil, c.committer)
}
