package channel

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"

	"golang.org/x/crypto/chacha20poly1305"

	"parley/internal/wire"
	"parley/mls"
	"parley/relay"
)

// A Room numbers a room of the dialogue; 0 is the plenary.
type Room uint8

// Plenary is the room whose commits end boxes.
const Plenary Room = 0

// A Delta is a change of stored state, in order: what to write, and, where the
// value is nil, what to delete.
type Delta []Change

// A Change is one key of a Delta.
type Change struct {
	Key   string
	Value []byte
}

func (d *Delta) put(key string, value []byte) { *d = append(*d, Change{key, value}) }
func (d *Delta) delete(key string)            { *d = append(*d, Change{Key: key}) }

// Ratchets is a hash of what a Delta of Seal, SealHead or Stage does to the
// room's ratchet: another for each step, so that simulations can tell whether
// one was taken twice.
func (d Delta) Ratchets() Hash {
	h := sha256.New()
	for _, c := range d {
		if c.Key[:1] == keyGroup {
			h.Write(wire.AppendVec(wire.AppendVec(nil, []byte(c.Key)), c.Value))
		}
	}
	return Hash(h.Sum(nil))
}

// group takes over what changed in a room's group.
func (d *Delta) group(r Room, g mls.Delta) {
	for _, p := range g.Put {
		d.put(groupPrefix(r)+p.Key, p.Value)
	}
	for _, k := range g.Delete {
		d.delete(groupPrefix(r) + k)
	}
}

// A Log is one member's end of a dialogue's log. It is not safe for use by
// several goroutines. After an error of the vault, drop it and Load again.
type Log struct {
	cfg   Config
	walk  walk
	rooms map[Room]*room
}

type room struct {
	group   *mls.Group
	key     []byte // of cells, in this epoch and box
	pending *mls.PendingCommit
	update  *mls.PendingUpdate
	reached uint32           // the generation after the latest of one's own messages that were read back
	chunks  map[uint32]chunk // of this box and epoch, by position
}

// A chunk is judged with the head that names it: it has no author of its own.
type chunk struct {
	against Contradiction
	content []byte
}

func (c chunk) marshal() []byte { return append([]byte{byte(c.against)}, c.content...) }

func parseChunk(in []byte) (chunk, error) {
	r := wire.NewReader(in)
	c := chunk{against: Contradiction(r.U8())}
	if c.against > OtherPast {
		r.Fail(wire.ErrMalformed)
	}
	c.content = r.Rest()
	return c, r.Err()
}

// ErrNoRoom is returned for a room that this member is not in.
var ErrNoRoom = errors.New("channel: not a member of that room")

// Keys of the stored state.
const (
	keyWalk    = "w"
	keyGroup   = "g" // + room + key of mls
	keyPending = "p" // + room
	keyUpdate  = "u" // + room
	keyReached = "r" // + room
	keyChunk   = "k" // + room + position
	keyBlock   = "h" // + number: running hashes of this box
	keyTold    = "n" // who told a newcomer the chain hash
)

func groupPrefix(r Room) string { return string([]byte{keyGroup[0], byte(r)}) }
func pendingKey(r Room) string  { return string([]byte{keyPending[0], byte(r)}) }
func blockKey(n uint32) string  { return string(wire.AppendU32([]byte(keyBlock), n)) }
func updateKey(r Room) string   { return string([]byte{keyUpdate[0], byte(r)}) }
func reachedKey(r Room) string  { return string([]byte{keyReached[0], byte(r)}) }
func chunkKey(r Room, position uint32) string {
	return string(wire.AppendU32([]byte{keyChunk[0], byte(r)}, position))
}

// Found begins the log of a new dialogue, or of a room founded again, whose
// plenary is group: it has no box before.
func Found(group *mls.Group, cfg Config) (*Log, Delta, error) {
	return begin(group, cfg, true)
}

// Enter begins the log of a newcomer at the first box of the epoch that its
// Welcome led to.
func Enter(group *mls.Group, cfg Config) (*Log, Delta, error) {
	return begin(group, cfg, false)
}

func begin(group *mls.Group, cfg Config, founder bool) (*Log, Delta, error) {
	l := &Log{cfg: cfg, rooms: map[Room]*room{}}
	l.walk.known = founder
	root, err := boxKey(group)
	if err != nil {
		return nil, nil, err
	}
	l.walk.enter(root, cfg)
	var d Delta
	if err := l.join(&d, Plenary, group); err != nil {
		return nil, nil, err
	}
	l.save(&d)
	return l, d, nil
}

// boxKey exports the key of the epoch's first box.
func boxKey(g *mls.Group) (relay.BoxKey, error) {
	b, err := g.Export("parley box", nil, 32)
	if err != nil {
		return relay.BoxKey{}, err
	}
	return relay.BoxKeyFrom(b)
}

// Join enters a room that was founded, or that a Welcome led to.
func (l *Log) Join(r Room, group *mls.Group) (Delta, error) {
	var d Delta
	if _, in := l.rooms[r]; in {
		l.leave(&d, r)
	}
	err := l.join(&d, r, group)
	return d, err
}

func (l *Log) join(d *Delta, r Room, group *mls.Group) error {
	x := &room{group: group, chunks: map[uint32]chunk{}}
	l.rooms[r] = x
	for _, p := range group.State() {
		d.put(groupPrefix(r)+p.Key, p.Value)
	}
	return l.rekey(x)
}

// Leave forgets a room and its keys.
func (l *Log) Leave(r Room) Delta {
	var d Delta
	if l.rooms[r] != nil {
		l.leave(&d, r)
	}
	return d
}

func (l *Log) leave(d *Delta, r Room) {
	for _, p := range l.rooms[r].group.State() {
		d.delete(groupPrefix(r) + p.Key)
	}
	l.forgetStaged(d, r)
	l.dropChunks(d, r)
	d.delete(reachedKey(r))
	delete(l.rooms, r)
}

// forgetStaged forgets what was staged for a room's epoch and this box.
func (l *Log) forgetStaged(d *Delta, r Room) {
	x := l.rooms[r]
	x.pending, x.update = nil, nil
	d.delete(pendingKey(r))
	d.delete(updateKey(r))
}

// rekey makes the key of the room's cells: from its epoch and this box.
func (l *Log) rekey(x *room) error {
	epoch, err := x.group.Export("parley cell", nil, 32)
	if err != nil {
		return err
	}
	x.key, err = hkdf.Key(sha256.New, epoch, l.walk.id[:], "parley cell v1 "+string(l.walk.key.Bytes()), chacha20poly1305.KeySize)
	return err
}

func (l *Log) rekeyAll() error {
	for _, x := range l.rooms {
		if err := l.rekey(x); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) save(d *Delta) {
	d.put(keyWalk, l.walk.marshal())
}

// Load restores a Log from what Deltas have put: pairs gives every stored key
// with its value.
func Load(cfg Config, pairs map[string][]byte) (*Log, error) {
	l := &Log{cfg: cfg, rooms: map[Room]*room{}}
	var err error
	if l.walk, err = parseWalk(pairs[keyWalk], cfg); err != nil {
		return nil, fmt.Errorf("channel: stored state: %w", err)
	}
	groups := map[Room][]mls.Pair{}
	pending, updates := map[Room][]byte{}, map[Room][]byte{}
	reached := map[Room]uint32{}
	chunks := map[Room]map[uint32]chunk{}
	blocks := map[uint32][]byte{}
	for k, v := range pairs {
		switch {
		case len(k) >= 2 && k[:1] == keyGroup:
			r := Room(k[1])
			groups[r] = append(groups[r], mls.Pair{Key: k[2:], Value: v})
		case len(k) == 2 && k[:1] == keyPending:
			pending[Room(k[1])] = v
		case len(k) == 2 && k[:1] == keyUpdate:
			updates[Room(k[1])] = v
		case len(k) == 2 && k[:1] == keyReached && len(v) == 4:
			reached[Room(k[1])] = binary.BigEndian.Uint32(v)
		case len(k) == 1+1+4 && k[:1] == keyChunk:
			r := Room(k[1])
			if chunks[r] == nil {
				chunks[r] = map[uint32]chunk{}
			}
			if chunks[r][binary.BigEndian.Uint32([]byte(k[2:]))], err = parseChunk(v); err != nil {
				return nil, fmt.Errorf("channel: room %d: a chunk: %w", r, err)
			}
		case len(k) == 1+4 && k[:1] == keyBlock:
			blocks[binary.BigEndian.Uint32([]byte(k[1:]))] = v
		case k == keyTold:
			if l.walk.told, err = parseTold(v); err != nil {
				return nil, fmt.Errorf("channel: stored state: %w", err)
			}
		}
	}
	if err := l.walk.restore(blocks); err != nil {
		return nil, fmt.Errorf("channel: stored state: %w", err)
	}
	for r, state := range groups {
		x := &room{chunks: map[uint32]chunk{}, reached: reached[r]}
		maps.Copy(x.chunks, chunks[r])
		if x.group, err = mls.Load(state); err != nil {
			return nil, fmt.Errorf("channel: room %d: %w", r, err)
		}
		if b := pending[r]; b != nil {
			if x.pending, err = mls.ParsePendingCommit(b); err != nil {
				return nil, fmt.Errorf("channel: room %d: %w", r, err)
			}
		}
		if b := updates[r]; b != nil {
			if x.update, err = mls.ParsePendingUpdate(b); err != nil {
				return nil, fmt.Errorf("channel: room %d: %w", r, err)
			}
		}
		l.rooms[r] = x
	}
	if l.rooms[Plenary] == nil {
		return nil, fmt.Errorf("channel: stored state: %w", wire.ErrMalformed)
	}
	return l, l.rekeyAll()
}

// Box is the box to read and to append to.
func (l *Log) Box() *relay.Box { return l.walk.box }

// BoxKey is the key of Box.
func (l *Log) BoxKey() relay.BoxKey { return l.walk.key }

// Position is the place in Box of the next cell to Step.
func (l *Log) Position() uint64 { return l.walk.position }

// Passed tells whether c is the cell that was read at a position of Box before
// this one.
func (l *Log) Passed(position uint64, c *relay.Cell) bool {
	return position < l.walk.position && after(l.walk.at(position), c) == l.walk.at(position+1)
}

// Epoch is the plenary's.
func (l *Log) Epoch() uint64 { return l.rooms[Plenary].group.Epoch() }

// In tells whether this member is in the room.
func (l *Log) In(r Room) bool { return l.rooms[r] != nil }

// Members lists the identities in a room's tree, by leaf; nil where this
// member is not in it.
func (l *Log) Members(r Room) []mls.Member {
	if x := l.rooms[r]; x != nil {
		return x.group.Members()
	}
	return nil
}

// Pending tells whether a commit of one's own for the room waits to be read back.
func (l *Log) Pending(r Room) bool { return l.rooms[r] != nil && l.rooms[r].pending != nil }

// Place is where the next cell stands: what verification words are made of.
type Place struct {
	Epoch    uint64
	Part     uint32
	Position uint64
	Running  Hash
	Chain    Hash
	Known    bool // of Chain; a newcomer learns it from the first header it reads
}

// Here is the place of the next cell.
func (l *Log) Here() Place {
	return Place{l.Epoch(), l.walk.part, l.walk.position, l.walk.running, l.walk.chain, l.walk.known}
}

// Authenticator is the plenary's epoch authenticator.
func (l *Log) Authenticator() []byte { return l.rooms[Plenary].group.EpochAuthenticator() }

// SignatureKey is the public key that this member's messages in a room are
// signed with.
func (l *Log) SignatureKey(r Room) []byte { return l.rooms[r].group.SignatureKey().Public() }

// Signers are the private keys that the members of a room may know this one by:
// its own, and those that an update or a commit of its own brings if it is taken.
func (l *Log) Signers(r Room) []*mls.SignatureKey {
	x := l.rooms[r]
	keys := x.group.SignatureKeys()
	if x.update != nil {
		keys = append(keys, x.update.SignatureKey())
	}
	if x.pending != nil {
		keys = append(keys, x.pending.SignatureKey())
	}
	return keys
}

// Group is the id of a room's group; nil where this member is not in it.
func (l *Log) Group(r Room) []byte {
	if x := l.rooms[r]; x != nil {
		return x.group.GroupID()
	}
	return nil
}

// Tag is a room's confirmation tag.
func (l *Log) Tag(r Room) []byte {
	if x := l.rooms[r]; x != nil {
		return x.group.ConfirmationTag()
	}
	return nil
}
