package mls

import (
	"bytes"
	"crypto/hmac"
	"fmt"
	"slices"

	"parley/internal/wire"
)

// Join enters a group by a Welcome that carries the ratchet tree, as Stage
// makes it, and checks all of RFC 9420 §12.4.3.1 that a newcomer can. That the
// group's id is not that of another group is for the caller to check. The
// state is to be stored as State gives it, and secrets are to be deleted.
func Join(b []byte, secrets *KeyPackageSecrets) (*Group, error) {
	g, _, err := JoinBy(b, secrets)
	return g, err
}

// JoinBy is Join, and tells whose Welcome it was: the member, by the tree in
// it, that signed its GroupInfo.
func JoinBy(b []byte, secrets *KeyPackageSecrets) (g *Group, by Member, err error) {
	g, info, err := join(b, secrets)
	if err != nil {
		return nil, by, fmt.Errorf("mls: join: %w", err)
	}
	return g, memberOf(info.signer, g.tree.leaf(info.signer)), nil
}

func join(b []byte, k *KeyPackageSecrets) (*Group, *groupInfo, error) {
	m, err := decode("welcome", b, readMessage)
	if err != nil {
		return nil, nil, err
	}
	if m.format != formatWelcome {
		return nil, nil, fmt.Errorf("%w: not a welcome", ErrMalformed)
	}
	s, err := suiteOf(k.keyPackage.suite)
	if err != nil {
		return nil, nil, err
	}
	if m.welcome.suite != s.id {
		return nil, nil, invalid("§12.4.3.1: a welcome for %v", m.welcome.suite)
	}
	joined, err := openGroupSecrets(s, m.welcome, k)
	if err != nil {
		return nil, nil, err
	}
	member := s.memberSecret(joined.joiner, s.zero())
	info, tree, err := openGroupInfo(s, m.welcome, member)
	if err != nil {
		return nil, nil, err
	}
	if err := checkGroupInfo(s, info, tree); err != nil {
		return nil, nil, err
	}
	g := &Group{suite: s, signature: k.signature, tree: tree, confirmationTag: info.confirmationTag}
	g.setContext(info.context)
	if err := g.findMyself(k, info.signer, joined.pathSecret); err != nil {
		return nil, nil, err
	}
	epoch, encryption, confirmation := s.deriveEpoch(s.epochSecret(member, g.encodedContext))
	if !hmac.Equal(s.mac(confirmation, info.context.confirmedTranscriptHash), info.confirmationTag) {
		return nil, nil, invalid("§12.4.3.1: the confirmation tag of a welcome")
	}
	g.epoch, g.secrets = epoch, newSecretTree(s, tree.size(), encryption)
	return g, info, nil
}

// Invites tells whether a Welcome has something for a key package; whether it
// opens, only Join says.
func Invites(b []byte, kp *KeyPackage) bool {
	m, err := decode("welcome", b, readMessage)
	return err == nil && m.format == formatWelcome && slices.ContainsFunc(m.welcome.secrets, func(e encryptedGroupSecrets) bool {
		return bytes.Equal(e.newMember, kp.Ref())
	})
}

// openGroupSecrets finds what the Welcome has for this key package.
func openGroupSecrets(s *suite, w *welcome, k *KeyPackageSecrets) (*groupSecrets, error) {
	ref := k.keyPackage.Ref()
	i := slices.IndexFunc(w.secrets, func(e encryptedGroupSecrets) bool { return bytes.Equal(e.newMember, ref) })
	if i < 0 {
		return nil, invalid("§12.4.3.1: a welcome for other key packages")
	}
	b, err := s.decryptWithLabel(k.initPrivate, "Welcome", w.groupInfo, w.secrets[i].secrets)
	if err != nil {
		return nil, ErrUndecryptable
	}
	joined, err := decode("group secrets", b, readGroupSecrets)
	if err != nil {
		return nil, err
	}
	if len(joined.psks) > 0 {
		return nil, unsupported("a welcome with pre-shared keys")
	}
	if len(joined.joiner) != s.nh || joined.pathSecret != nil && len(joined.pathSecret) != s.nh {
		return nil, invalid("§12.4.3.1: a secret of the wrong length")
	}
	return joined, nil
}

// openGroupInfo decrypts the GroupInfo and reads the tree in it.
func openGroupInfo(s *suite, w *welcome, member []byte) (*groupInfo, *ratchetTree, error) {
	key, nonce := s.welcomeKeys(s.welcomeSecret(member))
	b, err := s.open(key, nonce, nil, w.groupInfo)
	if err != nil {
		return nil, nil, err
	}
	info, err := decode("group info", b, readGroupInfo)
	if err != nil {
		return nil, nil, err
	}
	data, ok := findExtension(info.extensions, extensionRatchetTree)
	if !ok {
		return nil, nil, unsupported("a welcome without the ratchet tree")
	}
	tree, err := decode("ratchet tree", data, func(r *wire.Reader) *ratchetTree { return readTree(r, s) })
	return info, tree, err
}

// checkGroupInfo is what RFC 9420 §12.4.3 and §12.4.3.1 ask of a GroupInfo and
// its tree.
func checkGroupInfo(s *suite, info *groupInfo, tree *ratchetTree) error {
	if info.context.suite != s.id {
		return invalid("§12.4.3.1: a group info for %v", info.context.suite)
	}
	signer := tree.leaf(info.signer)
	if signer == nil {
		return invalid("§12.4.3.1: a group info signed by leaf %d, which is blank", info.signer)
	}
	if !s.verifyWithLabel(signer.signatureKey, "GroupInfoTBS", info.tbs(), info.signature) {
		return invalid("§12.4.3.1: the signature of a group info")
	}
	// §13.4: we must support every extension of the group. Those of external
	// commits and senders are known, and not supported.
	for _, e := range info.context.extensions {
		if e.kind != extensionRequiredCapabilities {
			return unsupported("group extension %d", e.kind)
		}
	}
	if !bytes.Equal(tree.rootHash(), info.context.treeHash) {
		return invalid("§12.4.3.1: the tree hash of a group info")
	}
	return tree.check(info.context.groupID, info.context.extensions)
}

// findMyself finds this member's leaf, and the private keys that the path
// secret gives (RFC 9420 §12.4.3.1).
func (g *Group) findMyself(k *KeyPackageSecrets, signer LeafIndex, pathSecret []byte) error {
	found := false
	g.tree.members(func(l LeafIndex, n *leafNode) {
		if bytes.Equal(n.raw, k.keyPackage.leaf.raw) {
			g.own, found = l, true
		}
	})
	if !found {
		return invalid("§12.4.3.1: a tree without this member's leaf")
	}
	if signer == g.own {
		return invalid("§12.4.3.1: a group info by the newcomer itself")
	}
	g.keys = map[nodeIndex][]byte{g.own.node(): k.leafPrivate}
	if pathSecret != nil {
		if err := g.takePath(signer, pathSecret); err != nil {
			return err
		}
	}
	return g.checkOwnPath()
}

// takePath derives this member's private keys from the path secret of the
// lowest node above it and the signer.
func (g *Group) takePath(signer LeafIndex, pathSecret []byte) error {
	path := g.tree.filteredPath(signer)
	first := slices.IndexFunc(path, func(s pathStep) bool { return s.copath.covers(g.own) })
	if first < 0 {
		return invalid("§12.4.3.1: a path that leaves this member out")
	}
	_, pairs, _ := g.suite.pathKeys(pathSecret, len(path)-first)
	for i, pair := range pairs {
		x := path[first+i].node
		if n := g.tree.nodes[x]; n.blank() || !bytes.Equal(n.key(), pair.public) {
			return invalid("§12.4.3.1: a path secret that does not give the key of node %d", x)
		}
		g.keys[x] = pair.private
	}
	return nil
}

// checkOwnPath verifies that this member has the key of every parent above it
// that does not list it as unmerged (RFC 9420 §4.2). A Welcome that keeps one
// back would make the newcomer lose the group later, by another's commit.
func (g *Group) checkOwnPath() error {
	for _, x := range directPath(g.own, g.tree.size()) {
		p := g.tree.nodes[x].parent
		if p == nil || g.keys[x] != nil {
			continue
		}
		if _, unmerged := slices.BinarySearch(p.unmerged, g.own); !unmerged {
			return invalid("§4.2: a welcome without the key of node %d, above this member", x)
		}
	}
	return nil
}
