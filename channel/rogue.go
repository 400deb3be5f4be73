//go:build rogue

package channel

import (
	"crypto/rand"

	"parley/mls"
	"parley/relay"
)

// What a member can do who has this program's source and keeps to none of it.
// It is built for simulations alone, with the tag rogue.

// StageSpoilt is Stage for a commit that is garbage for some.
func (l *Log) StageSpoilt(r Room, minute uint64, c mls.CommitContent, what mls.Spoil) (*mls.PendingCommit, Delta, error) {
	x := l.rooms[r]
	if x == nil {
		return nil, nil, ErrNoRoom
	}
	p, delta, err := x.group.StageSpoilt(l.data(minute, x.group.Generation(mls.Commit)), c, what)
	if err != nil {
		return nil, nil, err
	}
	return p, x.keepStaged(r, p, delta), nil
}

// SealLying is Seal under a header that says something false.
func (l *Log) SealLying(r Room, minute uint64, payload []byte, lie Contradiction) (*relay.Cell, Delta, error) {
	defer l.lie(lie)()
	return l.Seal(r, minute, payload)
}

// lie makes headers false until what it gives is called.
func (l *Log) lie(what Contradiction) (stop func()) {
	honest := l.walk
	switch what {
	case ShowsMore:
		l.walk.position += 1000
	case OtherBox:
		rand.Read(l.walk.running[:])
	case OtherPast:
		rand.Read(l.walk.chain[:])
	}
	return func() { l.walk = honest }
}

// Loot is a head cell's content, as whoever has its key can take it out.
type Loot struct {
	Room    Room
	content []byte
}

// Spy takes the content out of a cell of this box. It is nil where the cell is
// noise, or no head.
func (l *Log) Spy(c *relay.Cell) *Loot {
	for r, x := range l.rooms {
		if k, _, content, err := open(x.key, c); err == nil && k == kindHead {
			return &Loot{r, content}
		}
	}
	return nil
}

// Altered is loot in which a message that lies in the cell, and was not read yet, is
// encrypted once more; nil where there is none.
func (l *Log) Altered(loot *Loot, how mls.Alteration) *Loot {
	b, err := parseBody(loot.content)
	if err != nil || b.Ref != nil {
		return nil
	}
	m, err := l.Alter(loot.Room, b.Inline, how)
	if err != nil {
		return nil
	}
	return &Loot{loot.Room, body{Inline: m}.marshal()}
}

// SealAgain puts somebody's content into another cell, under a header of one's own.
func (l *Log) SealAgain(loot *Loot) (*relay.Cell, error) {
	x := l.rooms[loot.Room]
	if x == nil {
		return nil, ErrNoRoom
	}
	return seal(x.key, kindHead, l.walk.header(), loot.content)
}

// ForgeAs makes a cell with a message on the next generation of somebody else,
// which that one did not sign.
func (l *Log) ForgeAs(r Room, leaf mls.LeafIndex, minute uint64, payload []byte) (*relay.Cell, error) {
	x := l.rooms[r]
	if x == nil {
		return nil, ErrNoRoom
	}
	m, err := x.group.ForgeAs(leaf, l.data(minute, x.group.GenerationOf(leaf)), body{Inline: payload}.marshal())
	if err != nil {
		return nil, err
	}
	return seal(x.key, kindHead, l.walk.header(), body{Inline: m}.marshal())
}

// Nonsense makes a cell of the room that holds nothing that anybody could read.
func (l *Log) Nonsense(r Room) (*relay.Cell, error) {
	x := l.rooms[r]
	if x == nil {
		return nil, ErrNoRoom
	}
	b := make([]byte, 700)
	rand.Read(b)
	b[0] &= 1 // inline or a reference
	return seal(x.key, kindHead, l.walk.header(), b)
}

// Staged is the commit of one's own that waits to be read back.
func (l *Log) Staged(r Room) (*mls.StagedCommit, error) {
	x := l.rooms[r]
	if x == nil || x.pending == nil {
		return nil, ErrNoRoom
	}
	return x.group.View(x.pending)
}

// Alter is mls's, of a message in a room.
func (l *Log) Alter(r Room, message []byte, how mls.Alteration) ([]byte, error) {
	x := l.rooms[r]
	if x == nil {
		return nil, ErrNoRoom
	}
	return x.group.Alter(message, how)
}

// SealCommitLying is SealCommit under a header that shows other cells of the box.
func (l *Log) SealCommitLying(r Room, message []byte) (*relay.Cell, error) {
	defer l.lie(OtherBox)()
	return l.SealCommit(r, message)
}
