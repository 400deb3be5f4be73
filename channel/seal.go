package channel

import (
	"crypto/sha256"

	"parley/internal/wire"
	"parley/mls"
	"parley/relay"
)

// Writing: a message that fits goes out with Seal as one head cell. A longer
// one goes out with SealLong first, which gives chunk cells; when they have
// been read back, SealHead makes the head that names their places. What was
// not read back when the box or the room's epoch ends has to be made again.
// A commit is staged with Stage; its cells come from SealCommit in the same
// two steps.

// MaxInline is the length of a payload that always fits in a head cell: what
// MLS adds is less than slack.
const (
	MaxInline = contentSize - slack
	slack     = 512
)

// data is the authenticated data of every MLS message: the box that it was
// made for, the minute, and its generation.
func (l *Log) data(minute uint64, generation uint32) []byte {
	return wire.AppendU32(wire.AppendU64(append([]byte(nil), l.walk.id[:]...), minute), generation)
}

// A claim is what authenticated data says.
type claim struct {
	box        relay.BoxID
	minute     uint64
	generation uint32
}

func parseData(b []byte) (c claim, err error) {
	r := wire.NewReader(b)
	r.Fill(c.box[:])
	c.minute, c.generation = r.U64(), r.U32()
	return c, r.Done()
}

// Seal makes the head cell of a payload of MaxInline bytes at most.
func (l *Log) Seal(r Room, minute uint64, payload []byte) (*relay.Cell, Delta, error) {
	if len(payload) > MaxInline {
		return nil, nil, wire.ErrTooLarge
	}
	return l.sealBody(r, minute, body{Inline: payload})
}

func (l *Log) sealBody(r Room, minute uint64, inner body) (*relay.Cell, Delta, error) {
	x := l.rooms[r]
	if x == nil {
		return nil, nil, ErrNoRoom
	}
	message, delta, err := x.group.Seal(l.data(minute, x.group.Generation(mls.Application)), inner.marshal())
	if err != nil {
		return nil, nil, err
	}
	var d Delta
	d.group(r, delta)
	c, err := seal(x.key, kindHead, l.walk.header(), body{Inline: message}.marshal())
	return c, d, err
}

// Message gives the MLS message that a head cell of one's own, of this box and the
// room's present epoch, carries whole; nil of any other cell.
func (l *Log) Message(r Room, c *relay.Cell) []byte {
	x := l.rooms[r]
	if x == nil {
		return nil
	}
	k, _, content, err := open(x.key, c)
	if err != nil || k != kindHead {
		return nil
	}
	b, _ := parseBody(content)
	return b.Inline
}

// SealLong seals content, or a handshake message that does not fit in a head cell,
// under a one-time key and gives the chunk cells, and the Ref that SealHead or
// SealCommitHead needs, without its places. Nobody reads chunks before their head
// lies in the log.
func (l *Log) SealLong(r Room, content []byte) ([]relay.Cell, *Ref, error) {
	key, sealed, err := sealOnce(content)
	if err != nil {
		return nil, nil, err
	}
	cells, err := l.chunkCells(r, sealed)
	return cells, &Ref{Hash: sha256.Sum256(sealed), Key: key}, err
}

// SealHead makes the head cell that names chunks.
func (l *Log) SealHead(r Room, minute uint64, ref *Ref) (*relay.Cell, Delta, error) {
	return l.sealBody(r, minute, body{Ref: ref})
}

func (l *Log) chunkCells(r Room, content []byte) ([]relay.Cell, error) {
	x := l.rooms[r]
	if x == nil {
		return nil, ErrNoRoom
	}
	var cells []relay.Cell
	for _, part := range split(content) {
		c, err := seal(x.key, kindChunk, l.walk.header(), part)
		if err != nil {
			return nil, err
		}
		cells = append(cells, *c)
	}
	if len(cells) > MaxChunks {
		return nil, wire.ErrTooLarge
	}
	return cells, nil
}

// StageUpdate stages an Update proposal with fresh keys and keeps its secrets
// until it is read back or the box ends. Its message goes out as a commit's does.
func (l *Log) StageUpdate(r Room, minute uint64, sig *mls.SignatureKey) (message []byte, d Delta, err error) {
	x := l.rooms[r]
	if x == nil {
		return nil, nil, ErrNoRoom
	}
	p, delta, err := x.group.StageUpdate(l.data(minute, x.group.Generation(mls.Proposal)), sig)
	if err != nil {
		return nil, nil, err
	}
	d.group(r, delta)
	d.put(updateKey(r), p.Marshal())
	x.update = p
	return p.Message, d, nil
}

// View is a commit that was just staged, as the others will see it.
func (l *Log) View(r Room, p *mls.PendingCommit) (*mls.StagedCommit, error) {
	return l.rooms[r].group.View(p)
}

// Stage stages a commit and keeps it until it is read back or the box ends.
// One that was staged before is forgotten.
func (l *Log) Stage(r Room, minute uint64, c mls.CommitContent) (*mls.PendingCommit, Delta, error) {
	x := l.rooms[r]
	if x == nil {
		return nil, nil, ErrNoRoom
	}
	p, delta, err := x.group.Stage(l.data(minute, x.group.Generation(mls.Commit)), c)
	if err != nil {
		return nil, nil, err
	}
	return p, x.keepStaged(r, p, delta), nil
}

func (x *room) keepStaged(r Room, p *mls.PendingCommit, delta mls.Delta) (d Delta) {
	d.group(r, delta)
	d.put(pendingKey(r), p.Marshal())
	x.pending = p
	return d
}

// Unstage forgets a staged commit that was read back and does not count.
func (l *Log) Unstage(r Room) Delta {
	var d Delta
	if x := l.rooms[r]; x != nil {
		x.pending = nil
		d.delete(pendingKey(r))
	}
	return d
}

// CommitFits tells whether a handshake message fits in a head cell.
func CommitFits(message []byte) bool { return len(message) < contentSize }

// SealCommit makes the head cell of a handshake message that fits.
func (l *Log) SealCommit(r Room, message []byte) (*relay.Cell, error) {
	return l.sealOuter(r, body{Inline: message})
}

// SealCommitHead makes the head cell that names a handshake message's chunks.
func (l *Log) SealCommitHead(r Room, ref *Ref) (*relay.Cell, error) {
	return l.sealOuter(r, body{Ref: ref})
}

func (l *Log) sealOuter(r Room, outer body) (*relay.Cell, error) {
	x := l.rooms[r]
	if x == nil {
		return nil, ErrNoRoom
	}
	return seal(x.key, kindHead, l.walk.header(), outer.marshal())
}
