package mls

import "math/bits"

// A LeafIndex is the place of a member in the ratchet tree, from 0.
type LeafIndex uint32

// nodeIndex is the place of a node in the array of RFC 9420 appendix C:
// leaf i at 2i, parents at the odd places between. Trees are full: the number
// of leaves is a power of two, and a node keeps its place as the tree grows.
type nodeIndex uint32

func (l LeafIndex) node() nodeIndex { return nodeIndex(l) * 2 }

func (x nodeIndex) isLeaf() bool { return x&1 == 0 }

// leaf is the LeafIndex of a leaf's node.
func (x nodeIndex) leaf() LeafIndex { return LeafIndex(x / 2) }

// level is 0 for leaves, and one more than its children's for a parent.
func (x nodeIndex) level() int { return bits.TrailingZeros32(^uint32(x)) }

// width is the number of nodes of a tree of n leaves.
func width(leaves uint32) uint32 { return 2*leaves - 1 }

// rootOf is the root of a tree of n leaves.
func rootOf(leaves uint32) nodeIndex { return nodeIndex(leaves - 1) }

func (x nodeIndex) left() nodeIndex  { return x ^ 1<<(x.level()-1) }
func (x nodeIndex) right() nodeIndex { return x ^ 3<<(x.level()-1) }

// parent is the parent of x, which is not the root.
func (x nodeIndex) parent() nodeIndex {
	k := x.level()
	return (x | 1<<k) &^ (1 << (k + 1))
}

// sibling is the other child of x's parent.
func (x nodeIndex) sibling() nodeIndex {
	if p := x.parent(); x < p {
		return p.right()
	} else {
		return p.left()
	}
}

// leaves is the range of leaves under x, both ends in it.
func (x nodeIndex) leaves() (first, last LeafIndex) {
	half := nodeIndex(1)<<x.level() - 1
	return (x - half).leaf(), (x + half).leaf()
}

// covers tells whether leaf l is x or lies under it.
func (x nodeIndex) covers(l LeafIndex) bool {
	first, last := x.leaves()
	return first <= l && l <= last
}

// directPath lists the ancestors of leaf l from its parent to the root.
func directPath(l LeafIndex, leaves uint32) []nodeIndex {
	path := make([]nodeIndex, 0, 16)
	for x, root := l.node(), rootOf(leaves); x != root; {
		x = x.parent()
		path = append(path, x)
	}
	return path
}

// childToward is the child of parent x on whose side leaf l lies, and the other.
func (x nodeIndex) childToward(l LeafIndex) (toward, other nodeIndex) {
	if x.left().covers(l) {
		return x.left(), x.right()
	}
	return x.right(), x.left()
}
