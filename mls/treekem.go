package mls

import (
	"bytes"
	"slices"
)

// mergePath blanks the direct path of leaf l, puts the keys of an update path
// on its filtered part, and gives the parent hash that the leaf must carry
// (RFC 9420 §7.5). path is the filtered path of l in t, keys has its length.
func (t *ratchetTree) mergePath(l LeafIndex, path []pathStep, keys [][]byte) (parentHash []byte) {
	t.blankPath(l)
	parentHash = []byte{} // §7.9: the root's
	for i := len(path) - 1; i >= 0; i-- {
		p := &parentNode{encryptionKey: keys[i], parentHash: parentHash}
		t.set(path[i].node, node{parent: p})
		// Where P was set by this very path nothing is unmerged, and the
		// original sibling tree hash is the tree hash.
		parentHash = t.parentHashOf(p, t.hash(path[i].copath))
	}
	return parentHash
}

// pathKeys derives the key pairs of a filtered path of n nodes from the first
// path secret, and the commit secret that comes after the last (RFC 9420 §7.4,
// §12.4.1). secrets[i] is the path secret of node i.
func (s *suite) pathKeys(first []byte, n int) (secrets [][]byte, pairs []keyPair, commitSecret []byte) {
	secret := first
	for range n {
		secrets = append(secrets, secret)
		pairs = append(pairs, s.deriveKeyPair(s.deriveSecret(secret, "node")))
		secret = s.deriveSecret(secret, "path")
	}
	return secrets, pairs, secret
}

// copathTargets is the resolution of a copath node without the leaves that the
// same commit added (RFC 9420 §7.6).
func (t *ratchetTree) copathTargets(copath nodeIndex, added []LeafIndex) []nodeIndex {
	targets := t.resolution(copath)
	if len(added) == 0 {
		return targets
	}
	return slices.DeleteFunc(targets, func(x nodeIndex) bool {
		if !x.isLeaf() {
			return false
		}
		_, found := slices.BinarySearch(added, x.leaf())
		return found
	})
}

// encryptPath encrypts each path secret to the targets of its copath node;
// context is the encoded provisional GroupContext (RFC 9420 §7.5, §7.6).
func (t *ratchetTree) encryptPath(path []pathStep, secrets [][]byte, pairs []keyPair, added []LeafIndex, context []byte) ([]updatePathNode, error) {
	type job struct {
		target nodeIndex
		step   int
		out    *hpkeCiphertext
	}
	var jobs []job
	nodes := make([]updatePathNode, len(path))
	for i, step := range path {
		targets := t.copathTargets(step.copath, added)
		nodes[i] = updatePathNode{pairs[i].public, make([]hpkeCiphertext, len(targets))}
		for j, x := range targets {
			jobs = append(jobs, job{x, i, &nodes[i].secrets[j]})
		}
	}
	err := inParallel(len(jobs), func(i int) (err error) {
		j := jobs[i]
		*j.out, err = t.suite.encryptWithLabel(t.nodes[j.target].key(), "UpdatePathNode", context, secrets[j.step])
		return err
	})
	return nodes, err
}

// checkPathShape holds the public side of an update path by leaf l against the
// tree: its length, and the number and lengths of its ciphertexts (RFC 9420 §7.6).
func (t *ratchetTree) checkPathShape(path []pathStep, nodes []updatePathNode, added []LeafIndex) error {
	if len(nodes) != len(path) {
		return invalid("§7.5: an update path of %d nodes where %d belong", len(nodes), len(path))
	}
	for i, step := range path {
		if want := len(t.copathTargets(step.copath, added)); len(nodes[i].secrets) != want {
			return invalid("§7.6: %d path ciphertexts where %d belong", len(nodes[i].secrets), want)
		}
		for _, c := range nodes[i].secrets {
			if len(c.kemOutput) != t.suite.encLen || len(c.ciphertext) != t.suite.nh+tagSize {
				return invalid("§7.6: a path ciphertext of the wrong length")
			}
		}
	}
	return nil
}

// decryptPath finds the first path secret of an update path that member own can
// decrypt, and gives the key pairs that it can derive, by node, and the commit
// secret (RFC 9420 §7.5). keys are its private keys; t has the path merged.
// What fails here only this member can see.
func (t *ratchetTree) decryptPath(own LeafIndex, keys map[nodeIndex][]byte, path []pathStep, nodes []updatePathNode, added []LeafIndex, context []byte) (map[nodeIndex][]byte, []byte, error) {
	first := slices.IndexFunc(path, func(s pathStep) bool { return s.copath.covers(own) })
	if first < 0 {
		return nil, nil, invalid("§7.5: an update path that leaves this member out")
	}
	targets := t.copathTargets(path[first].copath, added)
	i := slices.IndexFunc(targets, func(x nodeIndex) bool { return keys[x] != nil })
	if i < 0 {
		return nil, nil, invalid("§7.5: an update path without a ciphertext for this member")
	}
	secret, err := t.suite.decryptWithLabel(keys[targets[i]], "UpdatePathNode", context, nodes[first].secrets[i])
	if err != nil {
		return nil, nil, ErrUndecryptable
	}
	_, pairs, commitSecret := t.suite.pathKeys(secret, len(path)-first)
	private := map[nodeIndex][]byte{}
	for k, pair := range pairs {
		if !bytes.Equal(pair.public, nodes[first+k].encryptionKey) {
			return nil, nil, invalid("§7.5: a path key that is not the one announced")
		}
		private[path[first+k].node] = pair.private
	}
	return private, commitSecret, nil
}
