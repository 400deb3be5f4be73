package channel

import (
	"errors"
	"fmt"

	"parley/internal/wire"
	"parley/mls"
	"parley/relay"
)

// A Got is an entry read from the log.
type Got struct {
	Place   Place // of the head cell
	Room    Room
	Author  []byte            // identity in the author's leaf
	Minute  uint64            // when it was made, by its author's claim, since 1970
	Payload []byte            // of an application message
	Commit  *mls.StagedCommit // of somebody else's commit
	Update  []byte            // of somebody else's Update proposal: its reference
	Own     bool              // one's own: the payload, the commit or the proposal is in the outbox
	Older   bool              // one's own, and newer than this state: an older copy of the vault
	Mine    []byte            // the MLS message, where it is one's own, and not newer: in another cell than Own's
	Bad     error             // a member of the room made something that is no entry: shown, never fatal

	// Seen is the position in this box up to which its maker says it had read,
	// and Against what its header, or that of a chunk that it names, contradicts.
	// No signature covers headers: of a false one, Author or the relay is the
	// source. Without Author it may be anybody in the room.
	Seen    uint64
	Against Contradiction

	// A newcomer's only: Against is what one other seat alone told.
	Unsure bool

	// A newcomer's only: two seats agree on what was before, against Outvoted,
	// who had told it first. What Cleared was reported for is void.
	Outvoted, Cleared []byte
}

// Step takes the cell at Position. own says that the outbox holds this very
// cell. It returns nil where the cell is noise to this member or a chunk.
// The delta has to be durable before anything of the entry is shown.
func (l *Log) Step(c *relay.Cell, own bool) (*Got, Delta, error) {
	var d Delta
	at := l.Here()
	got, err := l.read(&d, c, own, at)
	if err != nil {
		return nil, nil, err
	}
	l.walk.pass(c)
	if b := l.walk.block(); b != nil {
		d.put(blockKey(uint32(l.walk.position/blockHashes-1)), b)
	}
	if l.walk.position == wire.BoxCapacity {
		if err := l.nextPart(&d); err != nil {
			return nil, nil, err
		}
	}
	l.save(&d)
	return got, d, nil
}

func (l *Log) read(d *Delta, c *relay.Cell, own bool, at Place) (*Got, error) {
	for r, x := range l.rooms {
		k, h, content, err := open(x.key, c)
		if errors.Is(err, errSealed) {
			continue
		}
		got := &Got{Place: at, Room: r, Own: own}
		if err != nil {
			got.Bad = err
			return got, nil
		}
		got.Seen, got.Against = h.Position, l.walk.check(h)
		switch {
		case k == kindChunk:
			p := uint32(l.walk.position)
			x.chunks[p] = chunk{got.Against, content}
			d.put(chunkKey(r, p), x.chunks[p].marshal())
			return nil, nil
		case k == kindCover && got.Against == Agrees:
			return nil, nil
		case k == kindCover:
			got.Bad = errCover
			return got, nil
		case own:
			b, _ := parseBody(content)
			got.Bad = l.readBack(d, r, b.Inline)
			return got, nil
		}
		if got, err = l.head(d, got, x, content); got.Author != nil {
			l.learn(d, got, h)
		}
		return got, err
	}
	return nil, nil
}

// ReadBack takes a message of one's own that was read back in another cell than
// its own, as Step does. It gives an error where the others can't open it, being
// too far from what they opened last: then it has to be made again.
func (l *Log) ReadBack(r Room, message []byte) (d Delta, err error) {
	err = l.readBack(&d, r, message)
	return d, err
}

// readBack does what the others do by the generation of one's own message.
func (l *Log) readBack(d *Delta, r Room, message []byte) error {
	peek, err := mls.Peek(message)
	if err != nil || peek.Kind != mls.Application {
		return nil // of handshakes there are too few in an epoch
	}
	claim, err := parseData(peek.AAD)
	x := l.rooms[r]
	switch g := claim.generation; {
	case err != nil:
		return err
	case g > x.reached+mls.Window || g+mls.Window < x.reached:
		return errFar
	case g >= x.reached:
		x.reached = g + 1
		d.put(reachedKey(r), wire.AppendU32(nil, x.reached))
	}
	return nil
}

// Reaches tells whether the others could open what one would seal now.
func (l *Log) Reaches(r Room) bool {
	x := l.rooms[r]
	return x != nil && x.group.Generation(mls.Application) <= x.reached+mls.Window
}

// head reads a head cell's MLS message. What is wrong with it is the fault of
// a member of that room, and goes into Bad.
func (l *Log) head(d *Delta, got *Got, x *room, content []byte) (*Got, error) {
	bad := func(err error) (*Got, error) { got.Bad = err; return got, nil }
	b, err := parseBody(content)
	if err != nil {
		return bad(err)
	}
	fetch := x.fetch(&got.Against)
	message, err := b.resolve(fetch)
	if err != nil {
		return bad(err)
	}
	peek, err := mls.Peek(message)
	if err != nil {
		return bad(err)
	}
	claim, err := parseData(peek.AAD)
	if err != nil {
		return bad(err)
	}
	if claim.box != l.walk.id {
		return bad(errElsewhere)
	}
	got.Minute = claim.minute
	opened, delta, err := x.group.OpenBound(message, claim.generation)
	d.group(got.Room, delta)
	if err != nil {
		got.Older = errors.Is(err, mls.ErrOwnAhead)
		if errors.Is(err, mls.ErrOwnMessage) {
			got.Mine = message
		}
		return bad(err)
	}
	got.Author = identity(x.group, opened.Sender)
	switch {
	case opened.Commit != nil:
		got.Commit = opened.Commit
	case opened.Proposal != nil && opened.Proposal.Update != nil:
		got.Update = opened.Proposal.Ref
	case opened.Proposal != nil:
		d.group(got.Room, x.group.Drop(opened.Proposal.Ref))
		return bad(errProposal)
	case opened.Kind == mls.Application:
		inner, err := parseBody(opened.Application)
		if err != nil {
			return bad(err)
		}
		if got.Payload, err = inner.resolve(fetch); err != nil {
			return bad(err)
		}
	}
	return got, nil
}

// identity is that of a leaf.
func identity(g *mls.Group, leaf mls.LeafIndex) []byte {
	for _, m := range g.Members() {
		if m.Leaf == leaf {
			return m.Identity
		}
	}
	return nil
}

var (
	errElsewhere = errors.New("channel: a message that was made for another box")
	errProposal  = errors.New("channel: a proposal of something else than an Update")
	errFar       = errors.New("channel: a message too far from the others that were read")
	errCover     = errors.New("channel: cover whose header is false")
)

// fetch gives chunks to a head, which answers for what their headers say.
func (x *room) fetch(against *Contradiction) func(position uint32) []byte {
	return func(position uint32) []byte {
		c := x.chunks[position]
		if *against == Agrees {
			*against = c.against
		}
		return c.content
	}
}

// dropChunks drops those that no head can name any more. What one head has named
// stays for others: it may be somebody else's than who made the chunks.
func (l *Log) dropChunks(d *Delta, r Room) {
	for p := range l.rooms[r].chunks {
		d.delete(chunkKey(r, p))
	}
	clear(l.rooms[r].chunks)
}

// Follow enters the epoch of a commit that was judged valid. A plenary commit
// ends the box. Where this member was removed, removed is true and the room is
// forgotten. An *mls.LostError says that this member can't follow.
func (l *Log) Follow(got *Got) (d Delta, removed bool, err error) {
	x := l.rooms[got.Room]
	if got.Commit.RemovesMe() {
		l.leave(&d, got.Room)
		return d, true, nil
	}
	delta, err := x.group.Enter(got.Commit)
	if err != nil {
		return nil, false, err
	}
	d.group(got.Room, delta)
	err = l.entered(&d, got.Room)
	return d, false, err
}

// Merge enters the epoch of one's own commit, when it was read back.
func (l *Log) Merge(r Room) (Delta, error) {
	x := l.rooms[r]
	if x == nil || x.pending == nil {
		return nil, ErrNoRoom
	}
	delta, err := x.group.Merge(x.pending)
	if err != nil {
		return nil, fmt.Errorf("channel: own commit: %w", err)
	}
	var d Delta
	d.group(r, delta)
	return d, l.entered(&d, r)
}

// Propose takes one's own Update, when it was read back, as all others do: a
// commit can gather it from then on. An error other than of the room or the
// epoch says that all have refused it.
func (l *Log) Propose(r Room) (Delta, error) {
	x := l.rooms[r]
	if x == nil || x.update == nil {
		return nil, ErrNoRoom
	}
	staged := x.update
	d := l.DropUpdate(r)
	delta, err := x.group.Propose(staged)
	d.group(r, delta)
	return d, err
}

// DropUpdate forgets an Update of one's own that was staged.
func (l *Log) DropUpdate(r Room) Delta {
	var d Delta
	if x := l.rooms[r]; x != nil {
		x.update = nil
		d.delete(updateKey(r))
	}
	return d
}

// Refuse forgets somebody else's Update: no commit can gather it. All members of
// the room must refuse the same ones.
func (l *Log) Refuse(got *Got) Delta {
	var d Delta
	if x := l.rooms[got.Room]; x != nil {
		d.group(got.Room, x.group.Drop(got.Update))
	}
	return d
}

// entered does what follows from a room's new epoch: commits staged for the
// former one are void, and the plenary goes to its next box.
func (l *Log) entered(d *Delta, r Room) error {
	x := l.rooms[r]
	x.reached = 0
	d.delete(reachedKey(r))
	l.forgetStaged(d, r)
	l.dropChunks(d, r)
	if r != Plenary {
		return l.rekey(x)
	}
	root, err := boxKey(x.group)
	if err != nil {
		return err
	}
	return l.nextBox(d, func() { l.walk.enter(root, l.cfg) })
}

func (l *Log) nextPart(d *Delta) error {
	return l.nextBox(d, func() { l.walk.more(l.cfg) })
}

// nextBox closes this box and goes to another. Commits, Updates and chunks that
// were made for this one are void.
func (l *Log) nextBox(d *Delta, enter func()) error {
	for n := range uint32(l.walk.position / blockHashes) {
		d.delete(blockKey(n))
	}
	if l.walk.told != nil {
		l.walk.told = nil
		l.saveTold(d)
	}
	l.walk.close()
	enter()
	for r := range l.rooms {
		l.forgetStaged(d, r)
		l.dropChunks(d, r)
	}
	l.save(d)
	return l.rekeyAll()
}
