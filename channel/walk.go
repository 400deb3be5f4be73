package channel

import (
	"crypto/sha256"
	"fmt"

	"parley/internal/wire"
	"parley/relay"
)

// A walk is where a reader stands in the chain of boxes.
type walk struct {
	root     relay.BoxKey // exported from the plenary's epoch
	key      relay.BoxKey // of this box: root, or what continues it
	part     uint32       // 0, or which continuation
	box      *relay.Box
	id       relay.BoxID
	position uint64
	running  Hash
	past     []Hash // running at every position of this box before
	chain    Hash
	known    bool  // the chain hash is known: a newcomer takes it from the first header it reads
	told     *told // by whom, in a newcomer's first box, until another said the same
}

// Config fixes the terms of a dialogue's boxes, in days. All members need the
// same, since a box's id covers them.
type Config struct {
	Retention uint16
	Idle      uint16
}

// enter goes to the first box of an epoch.
func (w *walk) enter(root relay.BoxKey, cfg Config) {
	w.root, w.key, w.part = root, root, 0
	w.begin(cfg)
}

// more goes on where a box is full.
func (w *walk) more(cfg Config) {
	w.part++
	w.key = w.root.More(w.part)
	w.begin(cfg)
}

func (w *walk) begin(cfg Config) {
	w.box = w.key.Box(cfg.Retention, cfg.Idle)
	w.position, w.past = 0, nil
	w.id = w.box.ID()
	w.running = sha256.Sum256(append([]byte("parley box v1\x00"), w.id[:]...))
}

// pass takes a cell into the running hash.
func (w *walk) pass(c *relay.Cell) {
	w.past = append(w.past, w.running)
	w.running = after(w.running, c)
	w.position++
}

func after(running Hash, c *relay.Cell) (sum Hash) {
	h := sha256.New()
	h.Write(running[:])
	h.Write(c[:])
	h.Sum(sum[:0])
	return sum
}

// at is the running hash at a position of this box that was reached.
func (w *walk) at(position uint64) Hash {
	if position == w.position {
		return w.running
	}
	return w.past[position]
}

// close takes the box, up to where it ended, into the hash over all boxes.
func (w *walk) close() {
	b := append([]byte("parley chain v1\x00"), w.chain[:]...)
	b = append(b, w.id[:]...)
	b = wire.AppendU64(b, w.position)
	w.chain = sha256.Sum256(append(b, w.running[:]...))
}

// Past running hashes are stored in blocks, so that a cell costs a small write:
// the walk has those of the block that is not full yet.
const (
	blockHashes = 32
	blockSize   = blockHashes * 32
)

// tail are the hashes of the block that is not full.
func (w *walk) tail() []Hash { return w.past[len(w.past)-int(w.position%blockHashes):] }

// block is the last full block, where one has just become full; otherwise nil.
func (w *walk) block() []byte {
	if w.position == 0 || w.position%blockHashes != 0 {
		return nil
	}
	return joinHashes(nil, w.past[len(w.past)-blockHashes:])
}

func joinHashes(b []byte, l []Hash) []byte {
	for i := range l {
		b = append(b, l[i][:]...)
	}
	return b
}

func splitHashes(b []byte) []Hash {
	l := make([]Hash, len(b)/32)
	for i := range l {
		l[i] = Hash(b[32*i:])
	}
	return l
}

const walkSize = 32 + 4 + 8 + 32 + 32 + 1 // without the tail

func (w *walk) marshal() []byte {
	b := append(make([]byte, 0, walkSize+blockSize), w.root.Bytes()...)
	b = wire.AppendU32(b, w.part)
	b = wire.AppendU64(b, w.position)
	b = append(append(b, w.running[:]...), w.chain[:]...)
	if w.known {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	return joinHashes(b, w.tail())
}

// parseWalk leaves out what is stored apart: full blocks, and who told a
// newcomer.
func parseWalk(in []byte, cfg Config) (walk, error) {
	var w walk
	r := wire.NewReader(in)
	root, err := relay.BoxKeyFrom(r.Bytes(32))
	part := r.U32()
	if err != nil {
		return w, err
	}
	w.enter(root, cfg)
	if part > 0 {
		w.part = part - 1
		w.more(cfg)
	}
	w.position = r.U64()
	r.Fill(w.running[:])
	r.Fill(w.chain[:])
	known := r.U8()
	w.known = known == 1
	if known > 1 || w.position >= wire.BoxCapacity {
		r.Fail(wire.ErrMalformed)
	}
	w.past = splitHashes(r.Bytes(int(w.position % blockHashes * 32)))
	return w, r.Done()
}

// restore puts the full blocks before the tail.
func (w *walk) restore(blocks map[uint32][]byte) error {
	full := make([]Hash, 0, wire.BoxCapacity)
	for i := range uint32(w.position / blockHashes) {
		if len(blocks[i]) != blockSize {
			return fmt.Errorf("block %d of the box: %w", i, wire.ErrMalformed)
		}
		full = append(full, splitHashes(blocks[i])...)
	}
	w.past = append(full, w.past...)
	return nil
}
