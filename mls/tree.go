package mls

import (
	"fmt"
	"math/bits"
	"slices"

	"parley/internal/wire"
)

// parentNode is ParentNode of RFC 9420 §7.1. It does not change once made.
type parentNode struct {
	encryptionKey []byte
	parentHash    []byte
	unmerged      []LeafIndex // in increasing order
}

func readParentNode(r *wire.Reader) *parentNode {
	n := &parentNode{encryptionKey: r.Vec(maxMessage), parentHash: r.Vec(maxMessage)}
	n.unmerged = readList(r, maxLeaves, func(r *wire.Reader) LeafIndex { return LeafIndex(r.U32()) })
	for i := 1; i < len(n.unmerged); i++ {
		if n.unmerged[i-1] >= n.unmerged[i] {
			r.Fail(invalid("§7.1: unmerged leaves out of order"))
			break
		}
	}
	return n
}

func (n *parentNode) appendTo(b []byte) []byte {
	b = wire.AppendVec(wire.AppendVec(b, n.encryptionKey), n.parentHash)
	return appendList(b, n.unmerged, func(b []byte, l LeafIndex) []byte { return wire.AppendU32(b, uint32(l)) })
}

// node is a leaf, a parent, or blank: neither.
type node struct {
	leaf   *leafNode
	parent *parentNode
}

func (n node) blank() bool { return n.leaf == nil && n.parent == nil }

// key is the public encryption key of a node that is not blank.
func (n node) key() []byte {
	if n.leaf != nil {
		return n.leaf.encryptionKey
	}
	return n.parent.encryptionKey
}

// Types of node in an encoded tree (RFC 9420 §7.8).
const (
	nodeLeaf   = 1
	nodeParent = 2
)

func readNode(r *wire.Reader) (n node) {
	switch r.U8() {
	case nodeLeaf:
		n.leaf = readLeafNode(r)
	case nodeParent:
		n.parent = readParentNode(r)
	default:
		r.Fail(ErrMalformed)
	}
	return n
}

func (n node) appendTo(b []byte) []byte {
	if n.leaf != nil {
		return n.leaf.appendTo(append(b, nodeLeaf))
	}
	return n.parent.appendTo(append(b, nodeParent))
}

// ratchetTree is the public side of the ratchet tree (RFC 9420 §4.1, §7). The
// nodes themselves are shared by the copies of a tree and never change.
type ratchetTree struct {
	suite  *suite
	nodes  []node
	hashes [][]byte // tree hash of each node, nil until it is asked for
}

// newTree makes a tree of the given number of blank leaves, a power of two.
func newTree(s *suite, leaves uint32) *ratchetTree {
	return &ratchetTree{s, make([]node, width(leaves)), make([][]byte, width(leaves))}
}

func (t *ratchetTree) clone() *ratchetTree {
	return &ratchetTree{t.suite, slices.Clone(t.nodes), slices.Clone(t.hashes)}
}

func (t *ratchetTree) size() uint32    { return uint32(len(t.nodes)+1) / 2 }
func (t *ratchetTree) root() nodeIndex { return rootOf(t.size()) }

// leaf is the leaf node at l, nil if it is blank or outside the tree.
func (t *ratchetTree) leaf(l LeafIndex) *leafNode {
	if uint32(l) >= t.size() {
		return nil
	}
	return t.nodes[l.node()].leaf
}

// set puts n at x; the tree hashes from there to the root go stale.
func (t *ratchetTree) set(x nodeIndex, n node) {
	t.nodes[x] = n
	for root := t.root(); x != root && t.hashes[x] != nil; x = x.parent() {
		t.hashes[x] = nil
	}
	// A hash is only known where those below it are: above a stale one all are.
	t.hashes[t.root()] = nil
}

// blankPath blanks the direct path of leaf l.
func (t *ratchetTree) blankPath(l LeafIndex) {
	for _, x := range directPath(l, t.size()) {
		t.set(x, node{})
	}
}

// add puts a new member at the leftmost blank leaf, at from or after it, and
// extends the tree if there is none (RFC 9420 §12.1.1).
func (t *ratchetTree) add(n *leafNode, from LeafIndex) (LeafIndex, error) {
	l := from
	for uint32(l) < t.size() && t.nodes[l.node()].leaf != nil {
		l++
	}
	if uint32(l) == t.size() {
		if t.size() >= maxLeaves {
			return 0, fmt.Errorf("mls: ratchet tree: %w", ErrTooLarge)
		}
		t.nodes = append(t.nodes, make([]node, len(t.nodes)+1)...)
		t.hashes = append(t.hashes, make([][]byte, len(t.hashes)+1)...)
	}
	for _, x := range directPath(l, t.size()) {
		if p := t.nodes[x].parent; p != nil {
			q := *p
			i, _ := slices.BinarySearch(p.unmerged, l)
			q.unmerged = slices.Insert(slices.Clone(p.unmerged), i, l)
			t.set(x, node{parent: &q})
		}
	}
	t.set(l.node(), node{leaf: n})
	return l, nil
}

// update replaces a member's leaf (RFC 9420 §12.1.2).
func (t *ratchetTree) update(l LeafIndex, n *leafNode) {
	t.set(l.node(), node{leaf: n})
	t.blankPath(l)
}

// remove blanks a member's leaf and path (RFC 9420 §12.1.3). The tree keeps
// its size until truncate: other removals may follow.
func (t *ratchetTree) remove(l LeafIndex) {
	t.set(l.node(), node{})
	t.blankPath(l)
}

// truncate drops the right half while it has no member (RFC 9420 §12.1.3).
func (t *ratchetTree) truncate() {
	last := t.size() - 1
	for last > 0 && t.nodes[LeafIndex(last).node()].leaf == nil {
		last--
	}
	size := uint32(1) << bits.Len32(last)
	if size < t.size() {
		t.nodes = slices.Clip(t.nodes[:width(size)])
		t.hashes = slices.Clip(t.hashes[:width(size)])
	}
}

// resolution is the resolution of x (RFC 9420 §4.1.1).
func (t *ratchetTree) resolution(x nodeIndex) []nodeIndex { return t.appendResolution(nil, x) }

func (t *ratchetTree) appendResolution(list []nodeIndex, x nodeIndex) []nodeIndex {
	switch n := t.nodes[x]; {
	case n.parent != nil:
		list = append(list, x)
		for _, l := range n.parent.unmerged {
			list = append(list, l.node())
		}
	case n.leaf != nil:
		list = append(list, x)
	case !x.isLeaf():
		list = t.appendResolution(t.appendResolution(list, x.left()), x.right())
	}
	return list
}

// empty tells whether the resolution of x is empty.
func (t *ratchetTree) empty(x nodeIndex) bool {
	if !t.nodes[x].blank() {
		return false
	}
	return x.isLeaf() || t.empty(x.left()) && t.empty(x.right())
}

// pathStep is a node of a filtered direct path with its child off the path.
type pathStep struct{ node, copath nodeIndex }

// filteredPath is the filtered direct path of l (RFC 9420 §4.1.2).
func (t *ratchetTree) filteredPath(l LeafIndex) []pathStep {
	var path []pathStep
	for _, x := range directPath(l, t.size()) {
		if _, copath := x.childToward(l); !t.empty(copath) {
			path = append(path, pathStep{x, copath})
		}
	}
	return path
}

// members calls f for every leaf that is not blank, in order.
func (t *ratchetTree) members(f func(LeafIndex, *leafNode)) {
	for i := 0; i < len(t.nodes); i += 2 {
		if n := t.nodes[i].leaf; n != nil {
			f(nodeIndex(i).leaf(), n)
		}
	}
}

// readTree reads the ratchet_tree extension (RFC 9420 §12.4.3.3).
func readTree(r *wire.Reader, s *suite) *ratchetTree {
	nodes := readList(r, int(width(maxLeaves)), func(r *wire.Reader) node {
		n, _ := readOptional(r, readNode)
		return n
	})
	if r.Err() != nil {
		return nil
	}
	if len(nodes) == 0 || nodes[len(nodes)-1].blank() {
		r.Fail(invalid("§12.4.3.3: a ratchet tree that ends in a blank node"))
		return nil
	}
	for i, n := range nodes {
		if leaf := nodeIndex(i).isLeaf(); leaf && n.parent != nil || !leaf && n.leaf != nil {
			r.Fail(invalid("§12.4.3.3: a leaf or parent in the other's place"))
			return nil
		}
	}
	t := newTree(s, 1<<bits.Len(uint(len(nodes)/2)))
	copy(t.nodes, nodes)
	return t
}

// appendTo writes the tree without the blank nodes at its end.
func (t *ratchetTree) appendTo(b []byte) []byte {
	last := len(t.nodes)
	for last > 0 && t.nodes[last-1].blank() {
		last--
	}
	return appendList(b, t.nodes[:last], func(b []byte, n node) []byte {
		if n.blank() {
			return append(b, 0)
		}
		return n.appendTo(append(b, 1))
	})
}

// hash is the tree hash of the node at x (RFC 9420 §7.8).
func (t *ratchetTree) hash(x nodeIndex) []byte {
	if t.hashes[x] == nil {
		if x.isLeaf() {
			t.hashes[x] = t.leafHash(x, t.nodes[x].leaf)
		} else {
			t.hashes[x] = t.parentHash(t.nodes[x].parent, t.hash(x.left()), t.hash(x.right()))
		}
	}
	return t.hashes[x]
}

func (t *ratchetTree) rootHash() []byte { return t.hash(t.root()) }

// leafHash hashes TreeHashInput of a leaf.
func (t *ratchetTree) leafHash(x nodeIndex, n *leafNode) []byte {
	b := wire.AppendU32(append(make([]byte, 0, 512), nodeLeaf), uint32(x.leaf()))
	if n == nil {
		return t.suite.hash(append(b, 0))
	}
	return t.suite.hash(n.appendTo(append(b, 1)))
}

// parentHash hashes TreeHashInput of a parent.
func (t *ratchetTree) parentHash(n *parentNode, left, right []byte) []byte {
	b := append(make([]byte, 0, 512), nodeParent)
	if n == nil {
		b = append(b, 0)
	} else {
		b = n.appendTo(append(b, 1))
	}
	return t.suite.hash(wire.AppendVec(wire.AppendVec(b, left), right))
}

// hashWithout is the tree hash that x would have with the leaves in gone, in
// increasing order, blanked and unmerged nowhere (RFC 9420 §7.9: the original
// sibling tree hash).
func (t *ratchetTree) hashWithout(x nodeIndex, gone []LeafIndex) []byte {
	gone = under(gone, x)
	if len(gone) == 0 {
		return t.hash(x)
	}
	if x.isLeaf() {
		return t.leafHash(x, nil)
	}
	p := t.nodes[x].parent
	if p != nil {
		q := *p
		q.unmerged = slices.DeleteFunc(slices.Clone(p.unmerged), func(l LeafIndex) bool {
			_, found := slices.BinarySearch(gone, l)
			return found
		})
		p = &q
	}
	return t.parentHash(p, t.hashWithout(x.left(), gone), t.hashWithout(x.right(), gone))
}

// under is the part of a sorted list of leaves that lies under x.
func under(list []LeafIndex, x nodeIndex) []LeafIndex {
	first, last := x.leaves()
	i, _ := slices.BinarySearch(list, first)
	j, found := slices.BinarySearch(list, last)
	if found {
		j++
	}
	return list[i:j]
}

// parentHashOf is the parent hash of parent p with the given original sibling
// tree hash (RFC 9420 §7.9).
func (t *ratchetTree) parentHashOf(p *parentNode, siblingHash []byte) []byte {
	b := wire.AppendVec(make([]byte, 0, 256), p.encryptionKey)
	b = wire.AppendVec(b, p.parentHash)
	return t.suite.hash(wire.AppendVec(b, siblingHash))
}
