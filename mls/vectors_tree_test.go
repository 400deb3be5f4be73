package mls

import (
	"bytes"
	"slices"
	"testing"

	"parley/internal/wire"
)

func parseTree(t *testing.T, s *suite, b []byte) *ratchetTree {
	t.Helper()
	return must(decode("tree", b, func(r *wire.Reader) *ratchetTree { return readTree(r, s) }))(t)
}

type treeOperationsVector struct {
	Suite      CipherSuite `json:"cipher_suite"`
	Before     octets      `json:"tree_before"`
	Proposal   octets      `json:"proposal"`
	Sender     LeafIndex   `json:"proposal_sender"`
	HashBefore octets      `json:"tree_hash_before"`
	After      octets      `json:"tree_after"`
	HashAfter  octets      `json:"tree_hash_after"`
}

func testTreeOperations(t *testing.T, s *suite, v *treeOperationsVector) {
	tree := parseTree(t, s, v.Before)
	equal(t, "tree hash before", tree.rootHash(), v.HashBefore)
	switch p := must(decode("proposal", v.Proposal, readProposal))(t); p.kind {
	case proposalAdd:
		must(tree.add(p.add.leaf, 0))(t)
	case proposalUpdate:
		tree.update(v.Sender, p.update)
	case proposalRemove:
		tree.remove(p.remove)
		tree.truncate()
	default:
		t.Fatalf("proposal type %d", p.kind)
	}
	equal(t, "tree", tree.appendTo(nil), v.After)
	equal(t, "tree hash", tree.rootHash(), v.HashAfter)
}

type treeValidationVector struct {
	Suite       CipherSuite   `json:"cipher_suite"`
	Tree        octets        `json:"tree"`
	GroupID     octets        `json:"group_id"`
	Hashes      []octets      `json:"tree_hashes"`
	Resolutions [][]nodeIndex `json:"resolutions"`
}

func testTreeValidation(t *testing.T, s *suite, v *treeValidationVector) {
	tree := parseTree(t, s, v.Tree)
	equal(t, "tree", tree.appendTo(nil), v.Tree)
	if len(tree.nodes) != len(v.Hashes) {
		t.Fatalf("%d nodes, want %d", len(tree.nodes), len(v.Hashes))
	}
	for i := range tree.nodes {
		equal(t, "tree hash", tree.hash(nodeIndex(i)), v.Hashes[i])
		if got := tree.resolution(nodeIndex(i)); !slices.Equal(got, v.Resolutions[i]) {
			t.Errorf("resolution of %d is %v, want %v", i, got, v.Resolutions[i])
		}
	}
	for _, check := range []func() error{tree.checkParentHashes, tree.checkUnmerged, tree.checkKeysUnique} {
		if err := check(); err != nil {
			t.Error(err)
		}
	}
	// Lifetimes in the vectors are without end, which this package refuses:
	// of the leaves, all else is checked.
	tree.members(func(l LeafIndex, n *leafNode) {
		if !s.verifyWithLabel(n.signatureKey, "LeafNodeTBS", n.tbs(v.GroupID, l), n.signature) {
			t.Errorf("the signature of leaf %d", l)
		}
		if err := n.checkCapabilities(s); err != nil {
			t.Error(err)
		}
	})
	if err := tree.checkMembers(nil); err != nil {
		t.Error(err)
	}
}

type treeKEMVector struct {
	Suite               CipherSuite `json:"cipher_suite"`
	GroupID             octets      `json:"group_id"`
	Epoch               uint64      `json:"epoch"`
	ConfirmedTranscript octets      `json:"confirmed_transcript_hash"`
	Tree                octets      `json:"ratchet_tree"`
	Leaves              []struct {
		Index       LeafIndex `json:"index"`
		Encryption  octets    `json:"encryption_priv"`
		Signature   octets    `json:"signature_priv"`
		PathSecrets []struct {
			Node   nodeIndex `json:"node"`
			Secret octets    `json:"path_secret"`
		} `json:"path_secrets"`
	} `json:"leaves_private"`
	Paths []struct {
		Sender       LeafIndex `json:"sender"`
		Path         octets    `json:"update_path"`
		PathSecrets  []*octets `json:"path_secrets"`
		CommitSecret octets    `json:"commit_secret"`
		TreeHash     octets    `json:"tree_hash_after"`
	} `json:"update_paths"`
}

func (v *treeKEMVector) context(s *suite, tree *ratchetTree) []byte {
	c := groupContext{s.id, v.GroupID, v.Epoch, tree.rootHash(), v.ConfirmedTranscript, nil}
	return c.encode()
}

func testTreeKEM(t *testing.T, s *suite, v *treeKEMVector) {
	tree := parseTree(t, s, v.Tree)
	if err := tree.checkParentHashes(); err != nil {
		t.Error(err)
	}
	private := map[LeafIndex]map[nodeIndex][]byte{}
	for _, l := range v.Leaves {
		private[l.Index] = map[nodeIndex][]byte{l.Index.node(): l.Encryption}
		equal(t, "leaf key", must(s.parsePrivateKey(l.Encryption))(t).public, tree.leaf(l.Index).encryptionKey)
		for _, p := range l.PathSecrets {
			_, pairs, _ := s.pathKeys(p.Secret, 1)
			equal(t, "path key", pairs[0].public, tree.nodes[p.Node].key())
			private[l.Index][p.Node] = pairs[0].private
		}
	}
	for _, u := range v.Paths {
		path := must(decode("path", u.Path, readUpdatePath))(t)
		after := tree.clone()
		steps := after.filteredPath(u.Sender)
		if err := after.checkPathShape(steps, path.nodes, nil); err != nil {
			t.Fatal(err)
		}
		var keys [][]byte
		for _, n := range path.nodes {
			keys = append(keys, n.encryptionKey)
		}
		equal(t, "parent hash", after.mergePath(u.Sender, steps, keys), path.leaf.parentHash)
		after.set(u.Sender.node(), node{leaf: path.leaf})
		equal(t, "tree hash", after.rootHash(), u.TreeHash)
		for l, keys := range private {
			if l == u.Sender {
				continue
			}
			got, commitSecret, err := after.decryptPath(l, keys, steps, path.nodes, nil, v.context(s, after))
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "commit secret", commitSecret, u.CommitSecret)
			first := slices.IndexFunc(steps, func(p pathStep) bool { return p.copath.covers(l) })
			_, pairs, _ := s.pathKeys(*u.PathSecrets[l], 1)
			equal(t, "path secret", got[steps[first].node], pairs[0].private)
		}
		v.makePath(t, s, tree, private, u.Sender)
	}
}

// makePath lets sender make a path of its own, and all others follow it.
func (v *treeKEMVector) makePath(t *testing.T, s *suite, tree *ratchetTree, private map[LeafIndex]map[nodeIndex][]byte, from LeafIndex) {
	after := tree.clone()
	steps := after.filteredPath(from)
	secrets, pairs, commitSecret := s.pathKeys(randomBytes(s.nh), len(steps))
	var keys [][]byte
	for _, p := range pairs {
		keys = append(keys, p.public)
	}
	parentHash := after.mergePath(from, steps, keys)
	for _, l := range v.Leaves {
		if l.Index == from {
			leaf := *tree.leaf(from)
			leaf.encryptionKey, leaf.source, leaf.parentHash = s.generateKeyPair().public, sourceCommit, parentHash
			after.set(from.node(), node{leaf: leaf.sign(vectorKey(t, s, l.Signature), v.GroupID, from)})
		}
	}
	if err := after.checkParentHashes(); err != nil {
		t.Error(err)
	}
	context := v.context(s, after)
	nodes := must(after.encryptPath(steps, secrets, pairs, nil, context))(t)
	for l, keys := range private {
		if l == from {
			continue
		}
		if _, got, err := after.decryptPath(l, keys, steps, nodes, nil, context); err != nil || !bytes.Equal(got, commitSecret) {
			t.Errorf("leaf %d follows our path: %v", l, err)
		}
	}
}
