package channel

import (
	"crypto/sha256"

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
	chain    Hash
	known    bool // the chain hash is known: a newcomer takes it from the first header it reads
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
	w.position = 0
	w.id = w.box.ID()
	w.running = sha256.Sum256(append([]byte("parley box v1\x00"), w.id[:]...))
}

// pass takes a cell into the running hash.
func (w *walk) pass(c *relay.Cell) {
	h := sha256.New()
	h.Write(w.running[:])
	h.Write(c[:])
	h.Sum(w.running[:0])
	w.position++
}

// close takes the box, up to where it ended, into the hash over all boxes.
func (w *walk) close() {
	b := append([]byte("parley chain v1\x00"), w.chain[:]...)
	b = append(b, w.id[:]...)
	b = wire.AppendU64(b, w.position)
	w.chain = sha256.Sum256(append(b, w.running[:]...))
}

func (w *walk) header() header {
	return header{Position: w.position, Running: w.running, Chain: w.chain}
}

const walkSize = 32 + 4 + 8 + 32 + 32 + 1

func (w *walk) marshal() []byte {
	b := append(make([]byte, 0, walkSize), w.root.Bytes()...)
	b = wire.AppendU32(b, w.part)
	b = wire.AppendU64(b, w.position)
	b = append(append(b, w.running[:]...), w.chain[:]...)
	if w.known {
		return append(b, 1)
	}
	return append(b, 0)
}

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
	w.known = r.U8() == 1
	return w, r.Done()
}
