package channel

import (
	"crypto/rand"
	"fmt"
	"slices"

	"parley/internal/wire"
	"parley/relay"
)

// What lies in an invitation box or at a door is a parcel: bytes in one or more cells,
// sealed under the box's key. Every member of the dialogue, and a card's
// holder, can read and write there, so a parcel proves nothing by itself.

// A ParcelKind says what a parcel holds.
type ParcelKind uint8

// The kinds of parcel.
const (
	ParcelOffer   ParcelKind = 1 // what the join page shows
	ParcelPost    ParcelKind = 2 // the signed post and its key package
	ParcelWelcome ParcelKind = 3 // the plenary's Welcome
	ParcelReturn  ParcelKind = 4 // a signed return and its key package, at a door

	ParcelFounding ParcelKind = 5 // a room founded again, at a door
	ParcelWitness  ParcelKind = 6 // a signed witness, beside a Welcome
)

// A Parcel is one whole parcel.
type Parcel struct {
	Kind    ParcelKind
	Content []byte
}

const (
	parcelIDSize  = 8
	parcelContent = plainSize - 1 - parcelIDSize - 2 - 2 - 2
	maxParcel     = wire.MaxMessage
	maxParts      = maxParcel/parcelContent + 1
	maxOpen       = 256 // cells of parcels that are not complete; then the one that waits longest for its next is given up
)

func parcelKey(k relay.BoxKey) []byte { b := k.Derive("parley parcel v1"); return b[:] }

// Wrap makes the cells of a parcel for the box of key k.
func Wrap(k relay.BoxKey, kind ParcelKind, content []byte) ([]relay.Cell, error) {
	if len(content) > maxParcel {
		return nil, wire.ErrTooLarge
	}
	var id [parcelIDSize]byte
	rand.Read(id[:])
	n := max(1, (len(content)+parcelContent-1)/parcelContent)
	cells := make([]relay.Cell, n)
	for i := range cells {
		part := content[min(len(content), i*parcelContent):min(len(content), (i+1)*parcelContent)]
		plain := append(make([]byte, 0, plainSize), byte(kind))
		plain = append(plain, id[:]...)
		plain = wire.AppendU16(wire.AppendU16(plain, uint16(i)), uint16(n))
		plain = append(wire.AppendU16(plain, uint16(len(part))), part...)
		c, err := sealRaw(parcelKey(k), plain[:plainSize])
		if err != nil {
			return nil, err
		}
		cells[i] = *c
	}
	return cells, nil
}

// An Unwrapper puts parcels together from the cells of one box, in any order.
type Unwrapper struct {
	key  []byte
	open map[[parcelIDSize]byte]*partial
	ages [][parcelIDSize]byte // of open, the one whose last cell came first before others
	held int                  // cells of open
}

type partial struct {
	kind  ParcelKind
	parts [][]byte
	left  int
}

// NewUnwrapper reads the box of key k.
func NewUnwrapper(k relay.BoxKey) *Unwrapper {
	return &Unwrapper{key: parcelKey(k), open: map[[parcelIDSize]byte]*partial{}}
}

// Add takes a cell and returns the parcel that it completes, or nil. Noise is
// passed over; an error says that somebody who holds the key wrote nonsense.
func (u *Unwrapper) Add(c *relay.Cell) (*Parcel, error) {
	plain, err := openRaw(u.key, c)
	if err != nil {
		return nil, nil
	}
	kind, id, i, n, content, err := parsePart(plain)
	if err != nil {
		return nil, err
	}
	p := u.open[id]
	if p == nil {
		p = &partial{kind: kind, parts: make([][]byte, n), left: n}
	}
	if p.kind != kind || len(p.parts) != n {
		return nil, fmt.Errorf("channel: parcel: %w", wire.ErrMalformed)
	}
	if p.parts[i] != nil {
		return nil, nil
	}
	u.forget(id)
	p.parts[i] = content
	if p.left--; p.left > 0 {
		u.keep(id, p)
		return nil, nil
	}
	var whole []byte
	for _, part := range p.parts {
		whole = append(whole, part...)
	}
	return &Parcel{Kind: kind, Content: whole}, nil
}

func (p *partial) held() int { return len(p.parts) - p.left }

// keep waits for the rest of a parcel.
func (u *Unwrapper) keep(id [parcelIDSize]byte, p *partial) {
	u.open[id], u.ages, u.held = p, append(u.ages, id), u.held+p.held()
	for u.held > maxOpen {
		u.forget(u.ages[0])
	}
}

func (u *Unwrapper) forget(id [parcelIDSize]byte) {
	p := u.open[id]
	if p == nil {
		return
	}
	u.held -= p.held()
	delete(u.open, id)
	u.ages = slices.DeleteFunc(u.ages, func(x [parcelIDSize]byte) bool { return x == id })
}

func parsePart(plain []byte) (kind ParcelKind, id [parcelIDSize]byte, i, n int, content []byte, err error) {
	r := wire.NewReader(plain)
	kind = ParcelKind(r.U8())
	r.Fill(id[:])
	i, n = int(r.U16()), int(r.U16())
	content = r.Bytes(int(r.U16()))
	if n == 0 || n > maxParts || i >= n {
		r.Fail(wire.ErrMalformed)
	}
	if content == nil {
		content = []byte{}
	}
	if err := r.Err(); err != nil {
		return 0, id, 0, 0, nil, fmt.Errorf("channel: parcel: %w", err)
	}
	return kind, id, i, n, content, nil
}
