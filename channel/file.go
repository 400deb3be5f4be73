package channel

import (
	"fmt"

	"parley/internal/wire"
	"parley/relay"
)

// A file lies in a box of its own, part after part from the first cell on.
// Its message carries the box's key, the size and the hash, so whatever else
// somebody appends there does no harm.

// FilePart is how many bytes of a file a cell holds.
const FilePart = plainSize - 4 - 2

// FileParts is the number of cells of a file of size bytes.
func FileParts(size uint64) int { return int((size + FilePart - 1) / FilePart) }

func fileKey(k relay.BoxKey) []byte { b := k.Derive("parley file v1"); return b[:] }

// SealFilePart makes the cell of part i, of FilePart bytes at most. The same
// part gives the same cell, so that an append can be repeated: its nonce comes
// from the key, which seals one file only, and the part's number.
func SealFilePart(k relay.BoxKey, i int, content []byte) (*relay.Cell, error) {
	if len(content) > FilePart {
		return nil, wire.ErrTooLarge
	}
	plain := wire.AppendU32(make([]byte, 0, plainSize), uint32(i))
	plain = append(wire.AppendU16(plain, uint16(len(content))), content...)
	return sealNonce(fileKey(k), fileNonce(k, i), plain[:plainSize])
}

func fileNonce(k relay.BoxKey, i int) []byte {
	b := k.Derive(fmt.Sprintf("parley file nonce v1 %d", i))
	return b[:nonceSize]
}

// OpenFilePart opens the cell of part i.
func OpenFilePart(k relay.BoxKey, i int, c *relay.Cell) ([]byte, error) {
	plain, err := openRaw(fileKey(k), c)
	if err != nil {
		return nil, fmt.Errorf("channel: file part %d: %w", i, err)
	}
	r := wire.NewReader(plain)
	got := r.U32()
	content := r.Bytes(int(r.U16()))
	if r.Err() != nil || got != uint32(i) {
		return nil, fmt.Errorf("channel: file part %d: %w", i, wire.ErrMalformed)
	}
	return content, nil
}
