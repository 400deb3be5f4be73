package mls

import (
	"bytes"
	"crypto/hmac"
	"fmt"
	"slices"
)

// A StagedCommit is a commit that passes every check that all members of its
// epoch can make, and has not been entered. It says what the commit does, for
// the caller to judge; then Enter it, or drop it. It serves until the group
// enters another epoch.
type StagedCommit struct {
	hidden
	group     *Group
	context   []byte // encoded GroupContext of the epoch it was made in
	content   *authenticatedContent
	committer LeafIndex

	adds    []*KeyPackage
	added   []LeafIndex // where adds were put, in the same order, increasing
	updates []pendingProposal
	removes []LeafIndex
	changed []LeafIndex // leaves of adds and updates, increasing
	fresh   *freshKeys  // of adds and updates

	pathRequired, hasPath bool
	path                  []pathStep
	tree                  *ratchetTree // as the commit makes it
}

// Committer is the member who made the commit, as the commit leaves it.
func (c *StagedCommit) Committer() Member { return memberOf(c.committer, c.tree.leaf(c.committer)) }

// Adds are the key packages of those it adds, in order.
func (c *StagedCommit) Adds() []*KeyPackage { return slices.Clone(c.adds) }

// Added are those it adds, with the leaves they get, in the order of Adds.
func (c *StagedCommit) Added() []Member {
	var list []Member
	for i, l := range c.added {
		list = append(list, memberOf(l, c.adds[i].leaf))
	}
	return list
}

// Removes are the leaves of those it removes.
func (c *StagedCommit) Removes() []LeafIndex { return slices.Clone(c.removes) }

// Updates are the members whose Update proposals it carries out, with their
// new keys.
func (c *StagedCommit) Updates() []Member {
	var list []Member
	for _, p := range c.updates {
		list = append(list, memberOf(p.sender, p.proposal.update))
	}
	return list
}

// HasPath tells whether it gives the committer fresh keys.
func (c *StagedCommit) HasPath() bool { return c.hasPath }

// RemovesMe tells whether it removes this member.
func (c *StagedCommit) RemovesMe() bool { return slices.Contains(c.removes, c.group.own) }

// stageCommit does with a commit's content what every member can (RFC 9420
// §12.4.2 up to the decryption of the path).
func (g *Group) stageCommit(a *authenticatedContent) (*StagedCommit, error) {
	committer := LeafIndex(a.sender.index)
	c, err := g.applyProposals(committer, a.commit.proposals)
	if err != nil {
		return nil, err
	}
	if len(a.auth.confirmationTag) != g.suite.nh {
		return nil, invalid("§6.1: a confirmation tag of %d bytes", len(a.auth.confirmationTag))
	}
	c.content = a
	return c, c.applyPath(a.commit.path)
}

// nodesOfPath lists the nodes of the filtered direct path.
func (c *StagedCommit) nodesOfPath() []nodeIndex {
	var nodes []nodeIndex
	for _, step := range c.path {
		nodes = append(nodes, step.node)
	}
	return nodes
}

// provisional is the GroupContext that path secrets are encrypted under
// (RFC 9420 §12.4.1): the new epoch's with the old transcript hash.
func (c *StagedCommit) provisional() groupContext {
	context := c.group.context
	context.epoch++
	context.treeHash = c.tree.rootHash()
	return context
}

// Enter moves the group into the epoch that c begins. A *LostError says that
// this member can't follow, for reasons that others do not see; ErrRemoved
// that it was removed. In both cases nothing has changed: the caller says so
// to its person, and deletes the group's records once it has no use for them.
func (g *Group) Enter(c *StagedCommit) (Delta, error) {
	if c.group != g || !bytes.Equal(c.context, g.encodedContext) {
		return Delta{}, ErrStale
	}
	if c.RemovesMe() {
		return Delta{}, ErrRemoved
	}
	keys, signature := g.ownKeys(c)
	commitSecret := g.suite.zero()
	context := c.provisional()
	if c.hasPath {
		private, secret, err := c.tree.decryptPath(g.own, keys, c.path, c.content.commit.path.nodes, c.added, context.encode())
		if err != nil {
			return Delta{}, &LostError{c.committer, err}
		}
		for x, key := range private {
			keys[x] = key
		}
		commitSecret = secret
	}
	context.confirmedTranscriptHash = g.suite.confirmedHash(g.interim(), c.content)
	encoded := context.encode()
	joiner := g.suite.joinerSecret(g.epoch.init, commitSecret, encoded)
	member := g.suite.memberSecret(joiner, g.suite.zero())
	epoch, encryption, confirmation := g.suite.deriveEpoch(g.suite.epochSecret(member, encoded))
	if !hmac.Equal(g.suite.mac(confirmation, context.confirmedTranscriptHash), c.content.auth.confirmationTag) {
		return Delta{}, &LostError{c.committer, invalid("§12.4.2: the confirmation tag")}
	}
	return g.begin(c, context, keys, signature, epoch, encryption), nil
}

// ownKeys are the private keys that still fit once the proposals of c are
// applied, and the signature key: an own Update brings new ones.
func (g *Group) ownKeys(c *StagedCommit) (map[nodeIndex][]byte, *SignatureKey) {
	keys, signature := map[nodeIndex][]byte{}, g.signature
	for x, key := range g.keys {
		if int(x) < len(c.tree.nodes) && !c.tree.nodes[x].blank() {
			keys[x] = key
		}
	}
	for _, p := range c.updates {
		if p.sender == g.own && p.own != nil {
			keys[g.own.node()], signature = p.own.leafPrivate, p.own.signature
		}
	}
	return keys, signature
}

// begin makes g the group in the epoch that c begins.
func (g *Group) begin(c *StagedCommit, context groupContext, keys map[nodeIndex][]byte, signature *SignatureKey, epoch epochKeys, encryption []byte) Delta {
	next := &Group{
		suite: g.suite, own: g.own, signature: signature, epoch: epoch,
		tree: c.tree, keys: keys, secrets: newSecretTree(g.suite, c.tree.size(), encryption),
		confirmationTag: c.content.auth.confirmationTag,
	}
	next.setContext(context)
	d := next.recordsSince(g).delta()
	*g = *next
	return d
}

// CommitContent is what a commit is to do, besides giving the committer fresh
// keys and carrying out pending Updates: the latest of each member who is not
// removed and not the committer.
type CommitContent struct {
	Adds         []*KeyPackage
	Removes      []LeafIndex
	NewSignature *SignatureKey // the committer's from the new epoch on; nil keeps it

	// Leave tells of which pending Updates, by the member as it would be, none is
	// carried out; nil leaves none.
	Leave func(Member) bool
}

// A PendingCommit is a commit of this member's own. It holds secrets of the
// epoch it begins: store it with the Delta of Stage before Message is sent;
// Merge it when Message was read back, or forget it when another commit won.
type PendingCommit struct {
	hidden
	Message []byte // MLSMessage with a PrivateMessage
	Welcome []byte // MLSMessage with a Welcome, for all that are added; nil if none are

	content    *authenticatedContent
	signature  *SignatureKey
	private    map[nodeIndex][]byte // of the own leaf and the path
	epoch      epochKeys
	encryption []byte
}

// Stage makes a commit, always with a path. The group stays in its epoch; only
// a generation of its handshake ratchet is used up.
func (g *Group) Stage(aad []byte, content CommitContent) (*PendingCommit, Delta, error) {
	p, c, err := g.makeCommit(aad, content, true)
	if err != nil {
		return nil, Delta{}, fmt.Errorf("mls: stage: %w", err)
	}
	g.secrets.apply(c)
	return p, c.delta(), nil
}

// proposals lists what a commit is to carry out.
func (g *Group) proposals(content CommitContent) []proposalOrRef {
	var list []proposalOrRef
	gone := map[LeafIndex]bool{g.own: true}
	for _, l := range content.Removes {
		gone[l] = true
		list = append(list, proposalOrRef{proposal: &proposal{kind: proposalRemove, remove: l}})
	}
	taken := newFreshKeys()
	for _, kp := range content.Adds {
		taken.addLeaf(kp.leaf)
		list = append(list, proposalOrRef{proposal: &proposal{kind: proposalAdd, add: kp}})
	}
	// The latest Update of each, unless somebody who is added has its keys.
	for _, p := range slices.Backward(g.pending) {
		if p.proposal.kind != proposalUpdate || gone[p.sender] || content.Leave != nil && content.Leave(memberOf(p.sender, p.proposal.update)) {
			continue
		}
		if taken.addLeaf(p.proposal.update) == nil {
			gone[p.sender] = true
			list = append(list, proposalOrRef{reference: p.ref})
		}
	}
	return list
}

// A draft is a commit that is being made.
type draft struct {
	made         *commit
	staged       *StagedCommit
	pending      *PendingCommit
	pathSecrets  [][]byte
	commitSecret []byte
}

// makeCommit is RFC 9420 §12.4.1. Without a path it serves tests only.
func (g *Group) makeCommit(aad []byte, content CommitContent, withPath bool) (*PendingCommit, changes, error) {
	d, err := g.draftCommit(content, withPath)
	if err != nil {
		return nil, nil, err
	}
	return g.finishCommit(aad, d)
}

// draftCommit applies a commit's proposals and makes its path.
func (g *Group) draftCommit(content CommitContent, withPath bool) (*draft, error) {
	signature := g.signature
	if withPath && content.NewSignature != nil {
		signature = content.NewSignature
	}
	if signature.suite != g.suite {
		return nil, fmt.Errorf("the signature key is for %v", signature.Suite())
	}
	list := g.proposals(content)
	c, err := g.applyProposals(g.own, list)
	if err != nil {
		return nil, err
	}
	d := &draft{
		made: &commit{proposals: list}, staged: c, commitSecret: g.suite.zero(),
		pending: &PendingCommit{signature: signature, private: map[nodeIndex][]byte{}},
	}
	if withPath {
		if d.made.path, d.pathSecrets, d.commitSecret, err = g.makePath(c, d.pending); err != nil {
			return nil, err
		}
	}
	return d, c.tree.checkMembers(g.context.extensions)
}

// finishCommit signs a commit, makes the keys of the epoch that it begins, and
// encrypts it and the Welcome.
func (g *Group) finishCommit(aad []byte, d *draft) (*PendingCommit, changes, error) {
	c, p := d.staged, d.pending
	a := g.newContent(aad, contentOf(d.made))
	a.sign(g.signature, g.encodedContext)
	c.content, p.content = a, a

	context := c.provisional()
	context.confirmedTranscriptHash = g.suite.confirmedHash(g.interim(), a)
	encoded := context.encode()
	joiner := g.suite.joinerSecret(g.epoch.init, d.commitSecret, encoded)
	member := g.suite.memberSecret(joiner, g.suite.zero())
	epoch, encryption, confirmation := g.suite.deriveEpoch(g.suite.epochSecret(member, encoded))
	p.epoch, p.encryption = epoch, encryption
	a.auth.confirmationTag = g.suite.mac(confirmation, context.confirmedTranscriptHash)

	var err error
	if p.Welcome, err = g.makeWelcome(c, context, p.signature, joiner, g.suite.welcomeSecret(member), d.pathSecrets); err != nil {
		return nil, nil, err
	}
	var step changes
	p.Message, step, err = g.protect(a)
	return p, step, err
}

// View is a commit of this member's own as the others will see it.
func (g *Group) View(p *PendingCommit) (*StagedCommit, error) {
	if !bytes.Equal(p.content.groupID, g.context.groupID) || p.content.epoch != g.context.epoch {
		return nil, ErrStale
	}
	return g.stageCommit(p.content)
}

func contentOf(c *commit) content { return content{kind: Commit, commit: c} }

// makePath gives the own leaf and its path fresh keys (RFC 9420 §7.4, §7.5).
// The private ones go to p.
func (g *Group) makePath(c *StagedCommit, p *PendingCommit) (*updatePath, [][]byte, []byte, error) {
	c.hasPath, c.path = true, c.tree.filteredPath(g.own)
	secrets, pairs, commitSecret := g.suite.pathKeys(randomBytes(g.suite.nh), len(c.path))
	keys := make([][]byte, len(pairs))
	for i, pair := range pairs {
		keys[i] = pair.public
		p.private[c.path[i].node] = pair.private
	}
	own := g.suite.generateKeyPair()
	p.private[g.own.node()] = own.private
	fresh := newFreshKeys() // a new signature key might be a member's
	if err := fresh.addLeaf(&leafNode{encryptionKey: own.public, signatureKey: p.signature.public}); err != nil {
		return nil, nil, nil, err
	}
	if err := fresh.check(c.tree, nil, g.own); err != nil {
		return nil, nil, nil, err
	}
	parentHash := c.tree.mergePath(g.own, c.path, keys)
	leaf := g.renewedLeaf(sourceCommit, own.public, p.signature, parentHash)
	c.tree.set(g.own.node(), node{leaf: leaf})
	context := c.provisional()
	nodes, err := c.tree.encryptPath(c.path, secrets, pairs, c.added, context.encode())
	return &updatePath{leaf, nodes}, secrets, commitSecret, err
}

// makeWelcome makes one Welcome for all that c adds, nil if there are none
// (RFC 9420 §12.4.3.1).
func (g *Group) makeWelcome(c *StagedCommit, context groupContext, signature *SignatureKey, joiner, welcomeSecret []byte, pathSecrets [][]byte) ([]byte, error) {
	if len(c.adds) == 0 {
		return nil, nil
	}
	s := g.suite
	info := &groupInfo{
		context:         context,
		extensions:      []extension{{extensionRatchetTree, c.tree.appendTo(nil)}},
		confirmationTag: c.content.auth.confirmationTag,
		signer:          g.own,
	}
	info.signature = signature.signWithLabel("GroupInfoTBS", info.tbs())
	key, nonce := s.welcomeKeys(welcomeSecret)
	w := &welcome{suite: s.id, groupInfo: s.seal(key, nonce, nil, info.appendTo(nil)), secrets: make([]encryptedGroupSecrets, len(c.adds))}
	err := inParallel(len(c.adds), func(i int) (err error) {
		secrets := &groupSecrets{joiner: joiner}
		if pathSecrets != nil {
			// §12.4.3.1: the path secret of the lowest node above both.
			lowest := slices.IndexFunc(c.path, func(s pathStep) bool { return s.copath.covers(c.added[i]) })
			secrets.pathSecret = pathSecrets[lowest]
		}
		w.secrets[i].newMember = c.adds[i].Ref()
		w.secrets[i].secrets, err = s.encryptWithLabel(c.adds[i].initKey, "Welcome", w.groupInfo, secrets.appendTo(nil))
		return err
	})
	if err != nil {
		return nil, err
	}
	b := w.appendTo(messageHeader(formatWelcome))
	if len(b) > maxMessage {
		return nil, fmt.Errorf("welcome: %w", ErrTooLarge)
	}
	return b, nil
}

// welcomeKeys are welcome_key and welcome_nonce of RFC 9420 §12.4.3.1.
func (s *suite) welcomeKeys(welcomeSecret []byte) (key, nonce []byte) {
	return s.expandWithLabel(welcomeSecret, "key", nil, s.nk), s.expandWithLabel(welcomeSecret, "nonce", nil, nonceSize)
}

// Merge moves the group into the epoch of its own commit. ErrStale says that
// the group has left the epoch that p was made in.
func (g *Group) Merge(p *PendingCommit) (Delta, error) {
	a := p.content
	if !bytes.Equal(a.groupID, g.context.groupID) || a.epoch != g.context.epoch || LeafIndex(a.sender.index) != g.own ||
		p.signature.suite != g.suite || !a.verify(g.suite, g.signature.public, g.encodedContext) {
		return Delta{}, ErrStale
	}
	c, err := g.stageCommit(a)
	if err != nil {
		return Delta{}, fmt.Errorf("mls: merge: %w", err)
	}
	keys, _ := g.ownKeys(c)
	for _, x := range append([]nodeIndex{g.own.node()}, c.nodesOfPath()...) {
		if keys[x] = p.private[x]; keys[x] == nil {
			return Delta{}, fmt.Errorf("mls: merge: %w: a private key is missing", ErrMalformed)
		}
	}
	context := c.provisional()
	context.confirmedTranscriptHash = g.suite.confirmedHash(g.interim(), a)
	return g.begin(c, context, keys, p.signature, p.epoch, p.encryption), nil
}
