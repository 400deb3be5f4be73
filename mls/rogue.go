//go:build rogue

package mls

import (
	"fmt"
	"slices"
)

// What a member can do who has this program's source and keeps to none of it.
// It is built for simulations alone, with the tag rogue.

// A Spoil says what of a commit is garbage. Whoever else judges it can't see
// that: signature, tree and counts are right.
type Spoil struct {
	Leaves   []LeafIndex // whose path secret does not open; with it that of all who share the ciphertext
	Secret   []LeafIndex // whose path secret opens, and is another
	Tag      bool        // the confirmation tag is wrong
	Welcome  bool        // what it has for newcomers does not open
	Newcomer bool        // a newcomer's secrets open, and lead nowhere
}

// StageSpoilt is Stage for a commit that is garbage for some.
func (g *Group) StageSpoilt(aad []byte, content CommitContent, what Spoil) (*PendingCommit, Delta, error) {
	p, c, err := g.makeSpoilt(aad, content, what)
	if err != nil {
		return nil, Delta{}, fmt.Errorf("mls: stage: %w", err)
	}
	g.secrets.apply(c)
	return p, c.delta(), nil
}

func (g *Group) makeSpoilt(aad []byte, content CommitContent, what Spoil) (*PendingCommit, changes, error) {
	d, err := g.draftCommit(content, true)
	if err != nil {
		return nil, nil, err
	}
	c := d.staged
	context := c.provisional()
	encoded := context.encode()
	for i, step := range c.path {
		for j, target := range c.tree.copathTargets(step.copath, c.added) {
			out := &d.made.path.nodes[i].secrets[j]
			under := func(l LeafIndex) bool { return target.covers(l) }
			switch {
			case slices.ContainsFunc(what.Leaves, under):
				out.ciphertext = randomBytes(len(out.ciphertext))
			case slices.ContainsFunc(what.Secret, under):
				if *out, err = g.suite.encryptWithLabel(c.tree.nodes[target].key(), "UpdatePathNode", encoded, randomBytes(g.suite.nh)); err != nil {
					return nil, nil, err
				}
			}
		}
	}
	if what.Newcomer {
		for i := range d.pathSecrets {
			d.pathSecrets[i] = randomBytes(g.suite.nh)
		}
	}
	p, step, err := g.finishCommit(aad, d)
	if err != nil {
		return nil, nil, err
	}
	if what.Welcome && p.Welcome != nil {
		p.Welcome[len(p.Welcome)-1] ^= 1 // the GroupInfo stands last
	}
	if what.Tag {
		p.content.auth.confirmationTag[0] ^= 1
		p.Message, step, err = g.protect(p.content) // instead of the one made before
	}
	return p, step, err
}

// ForgeAs makes a message on the next generation of somebody else's ratchet,
// whose keys all members can derive. The signature is this member's own.
func (g *Group) ForgeAs(l LeafIndex, aad, plaintext []byte) ([]byte, error) {
	a := g.newContent(aad, content{kind: Application, application: plaintext})
	a.sender.index = uint32(l)
	a.sign(g.signature, g.encodedContext)
	keys, _, err := g.secrets.next(l, ratchetApplication) // nothing is used up here, as it should be with others
	if err != nil {
		return nil, err
	}
	return g.suite.sealPrivate(a, keys, g.epoch.senderData, 0).appendTo(messageHeader(formatPrivate)), nil
}

// GenerationOf is that of the next application message of somebody else's.
func (g *Group) GenerationOf(l LeafIndex) uint32 { return g.secrets.reached(l, ratchetApplication) }

// An Alteration says how somebody else's message is encrypted once more: all
// members have the keys, and the signature covers nothing of that.
type Alteration struct {
	Later   uint32 // by how many generations later
	Padding int
	Guard   bool // under another reuse guard
}

// Alter encrypts once more what somebody else signed and this member has not
// opened yet.
func (g *Group) Alter(b []byte, how Alteration) ([]byte, error) {
	m, err := parsePrivate(b)
	if err != nil {
		return nil, err
	}
	a, _, err := g.unprotect(m, nil)
	if err != nil {
		return nil, err
	}
	data, err := g.suite.openSenderData(m, g.epoch.senderData)
	if err != nil {
		return nil, err
	}
	keys, _, err := g.secrets.take(data.leaf, ratchetOf(m.kind), data.generation+how.Later)
	if err != nil {
		return nil, err
	}
	sealed := g.suite.sealPrivate(a, keys, g.epoch.senderData, how.Padding)
	if how.Guard {
		sealed = g.suite.sealUnder(a, keys, g.epoch.senderData, how.Padding, [4]byte(randomBytes(4)))
	}
	return sealed.appendTo(messageHeader(formatPrivate)), nil
}
