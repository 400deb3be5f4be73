package channel

import (
	"crypto/sha256"
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
	linkSize      = 16
	parcelContent = plainSize - 1 - linkSize - 2 - 2 - 2
	maxParcel     = wire.MaxMessage
	maxParts      = maxParcel/parcelContent + 1
	maxHeld       = 1024 // cells of parcels that are not complete; then the one that waits longest for its next is given up
)

// A link is what a cell of a parcel says of the next: a hash of its plaintext.
// So who has seen the first can't put anything else in the place of the rest.
type link [linkSize]byte

func linkTo(plain []byte) link {
	h := sha256.Sum256(append([]byte("parley parcel part v1\x00"), plain...))
	return link(h[:linkSize])
}

func parcelKey(k relay.BoxKey) []byte { b := k.Derive("parley parcel v1"); return b[:] }

// Wrap makes the cells of a parcel for the box of key k.
func Wrap(k relay.BoxKey, kind ParcelKind, content []byte) ([]relay.Cell, error) {
	if len(content) > maxParcel {
		return nil, wire.ErrTooLarge
	}
	n := max(1, (len(content)+parcelContent-1)/parcelContent)
	cells := make([]relay.Cell, n)
	var next link
	for i := n - 1; i >= 0; i-- {
		part := content[min(len(content), i*parcelContent):min(len(content), (i+1)*parcelContent)]
		plain := append(make([]byte, 0, plainSize), byte(kind))
		plain = append(plain, next[:]...)
		plain = wire.AppendU16(wire.AppendU16(plain, uint16(i)), uint16(n))
		plain = append(wire.AppendU16(plain, uint16(len(part))), part...)
		plain = plain[:plainSize]
		c, err := sealRaw(parcelKey(k), plain)
		if err != nil {
			return nil, err
		}
		cells[i], next = *c, linkTo(plain)
	}
	return cells, nil
}

// An Unwrapper puts parcels together from the cells of one box, and of those that
// continue it, in their order.
type Unwrapper struct {
	key  []byte
	open map[link]*partial // by the cell that comes next
	ages []link            // of open, the one whose last cell came first before others
	held int               // cells of open
}

type partial struct {
	kind    ParcelKind
	n, have int // cells
	content []byte
}

// NewUnwrapper reads the box of key k.
func NewUnwrapper(k relay.BoxKey) *Unwrapper {
	return &Unwrapper{key: parcelKey(k), open: map[link]*partial{}}
}

// Add takes a cell and returns the parcel that it completes, or nil. Noise is
// passed over; an error says that somebody who holds the key wrote nonsense.
func (u *Unwrapper) Add(c *relay.Cell) (*Parcel, error) {
	plain, err := openRaw(u.key, c)
	if err != nil {
		return nil, nil
	}
	x, err := parsePart(plain)
	if err != nil {
		return nil, err
	}
	p := &partial{kind: x.kind, n: x.n}
	if x.i > 0 {
		this := linkTo(plain)
		if p = u.open[this]; p == nil {
			return nil, nil // its parcel is complete, or was given up
		}
		if p.kind != x.kind || p.n != x.n || p.have != x.i {
			return nil, fmt.Errorf("channel: parcel: %w", wire.ErrMalformed)
		}
		u.forget(this)
	}
	p.have++
	p.content = append(p.content, x.content...)
	if p.have == p.n {
		return &Parcel{Kind: p.kind, Content: p.content}, nil
	}
	u.keep(x.next, p)
	return nil, nil
}

// keep waits for the rest of a parcel. The first that waits for a cell has it.
func (u *Unwrapper) keep(next link, p *partial) {
	if u.open[next] != nil {
		return
	}
	u.open[next], u.ages, u.held = p, append(u.ages, next), u.held+p.have
	for u.held > maxHeld {
		u.forget(u.ages[0])
	}
}

func (u *Unwrapper) forget(next link) {
	u.held -= u.open[next].have
	delete(u.open, next)
	i := slices.Index(u.ages, next)
	u.ages = slices.Delete(u.ages, i, i+1)
}

// A parcelPart is what a cell holds of a parcel.
type parcelPart struct {
	kind    ParcelKind
	next    link // to the cell with the next part; zero in the last
	i, n    int
	content []byte
}

func parsePart(plain []byte) (x parcelPart, err error) {
	r := wire.NewReader(plain)
	x.kind = ParcelKind(r.U8())
	r.Fill(x.next[:])
	x.i, x.n = int(r.U16()), int(r.U16())
	x.content = r.Bytes(int(r.U16()))
	if x.n == 0 || x.n > maxParts || x.i >= x.n {
		r.Fail(wire.ErrMalformed)
	}
	if x.content == nil {
		x.content = []byte{}
	}
	if err := r.Err(); err != nil {
		return parcelPart{}, fmt.Errorf("channel: parcel: %w", err)
	}
	return x, nil
}
