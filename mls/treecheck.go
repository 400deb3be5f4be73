package mls

import (
	"bytes"
	"slices"
)

// checkParentHashes verifies that every parent is parent-hash valid: exactly
// one node below it was set in the same update path (RFC 9420 §7.9.2).
func (t *ratchetTree) checkParentHashes() error {
	for i := 1; i < len(t.nodes); i += 2 {
		x := nodeIndex(i)
		p := t.nodes[x].parent
		if p == nil {
			continue
		}
		if n := t.chained(p, x.left(), x.right()) + t.chained(p, x.right(), x.left()); n != 1 {
			return invalid("§7.9.2: parent node %d is chained to %d nodes", x, n)
		}
	}
	return nil
}

// chained counts the nodes under child whose parent hash is valid with respect
// to p, whose other child is sibling.
func (t *ratchetTree) chained(p *parentNode, child, sibling nodeIndex) (n int) {
	resolution := t.resolution(child)
	unmerged := under(p.unmerged, child)
	if len(resolution) != len(unmerged)+1 {
		return 0
	}
	want := t.parentHashOf(p, t.hashWithout(sibling, p.unmerged))
	for _, d := range resolution {
		if !bytes.Equal(t.parentHashIn(d), want) {
			continue
		}
		rest := slices.ContainsFunc(resolution, func(x nodeIndex) bool {
			_, found := slices.BinarySearch(unmerged, x.leaf())
			return x != d && !(x.isLeaf() && found)
		})
		if !rest {
			n++
		}
	}
	return n
}

// parentHashIn is the parent_hash field of the node at x, nil where it has none.
func (t *ratchetTree) parentHashIn(x nodeIndex) []byte {
	n := t.nodes[x]
	if n.parent != nil {
		return n.parent.parentHash
	}
	return n.leaf.parentHash
}

// checkUnmerged verifies the lists of unmerged leaves (RFC 9420 §12.4.3.1): each
// is a member below the node, and unmerged in every parent between the two.
func (t *ratchetTree) checkUnmerged() error {
	for i := 1; i < len(t.nodes); i += 2 {
		x := nodeIndex(i)
		p := t.nodes[x].parent
		if p == nil {
			continue
		}
		for _, l := range p.unmerged {
			if !x.covers(l) || t.leaf(l) == nil {
				return invalid("§12.4.3.1: an unmerged leaf %d of node %d that is not below it", l, x)
			}
			// The next parent below is enough: it is held against the next itself.
			below, _ := x.childToward(l)
			for !below.isLeaf() && t.nodes[below].parent == nil {
				below, _ = below.childToward(l)
			}
			if q := t.nodes[below].parent; q != nil {
				if _, found := slices.BinarySearch(q.unmerged, l); !found {
					return invalid("§12.4.3.1: leaf %d is unmerged in node %d and not in node %d below", l, x, below)
				}
			}
		}
	}
	return nil
}

// checkKeysUnique verifies that no two nodes share an encryption key, and no
// two members a signature key (RFC 9420 §7.3, §12.4.3.1).
func (t *ratchetTree) checkKeysUnique() error {
	encryption := make(map[string]bool, len(t.nodes))
	signature := make(map[string]bool, t.size())
	for _, n := range t.nodes {
		if n.blank() {
			continue
		}
		if k := string(n.key()); encryption[k] {
			return invalid("§7.3: an encryption key that is in the tree twice")
		} else {
			encryption[k] = true
		}
		if n.leaf == nil {
			continue
		}
		if k := string(n.leaf.signatureKey); signature[k] {
			return invalid("§7.3: a signature key that is in the tree twice")
		} else {
			signature[k] = true
		}
	}
	return nil
}

// checkNodes verifies every node by itself: the leaves as of RFC 9420 §7.3, the
// keys of the parents.
func (t *ratchetTree) checkNodes(groupID []byte) error {
	return inParallel(len(t.nodes), func(i int) error {
		switch n := t.nodes[i]; {
		case n.leaf != nil:
			return n.leaf.check(t.suite, groupID, nodeIndex(i).leaf())
		case n.parent != nil:
			return t.suite.checkPublicKey(n.parent.encryptionKey)
		}
		return nil
	})
}

// checkMembers verifies that all members fit the group and one another:
// required capabilities, and credential types both ways (RFC 9420 §7.3), and
// the group's extensions (§13.4).
func (t *ratchetTree) checkMembers(extensions []extension) error {
	var required requiredCapabilities
	if data, ok := findExtension(extensions, extensionRequiredCapabilities); ok {
		var err error
		if required, err = parseRequiredCapabilities(data); err != nil {
			return err
		}
	}
	inUse := map[uint16]bool{}
	t.members(func(_ LeafIndex, n *leafNode) { inUse[n.credential.kind] = true })
	var err error
	t.members(func(l LeafIndex, n *leafNode) {
		if err == nil {
			err = n.fits(l, &required, extensions, inUse)
		}
	})
	return err
}

func (n *leafNode) fits(l LeafIndex, required *requiredCapabilities, extensions []extension, credentials map[uint16]bool) error {
	if !required.metBy(&n.capabilities) {
		return invalid("§7.3: leaf %d lacks a required capability", l)
	}
	for kind := range credentials {
		if !slices.Contains(n.capabilities.credentials, kind) {
			return invalid("§7.3: leaf %d does not support credential type %d, which is in use", l, kind)
		}
	}
	for _, e := range extensions {
		if !n.capabilities.supportsExtension(e.kind) {
			return invalid("§13.4: leaf %d does not support extension %d of the group", l, e.kind)
		}
	}
	return nil
}

// check is the whole validation of a tree that somebody else gives: RFC 9420
// §12.4.3.1 without the comparison of its hash.
func (t *ratchetTree) check(groupID []byte, extensions []extension) error {
	t.rootHash() // fills the hashes in before anything runs in parallel
	for _, step := range []func() error{
		t.checkUnmerged, t.checkKeysUnique, t.checkParentHashes,
		func() error { return t.checkMembers(extensions) },
		func() error { return t.checkNodes(groupID) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
