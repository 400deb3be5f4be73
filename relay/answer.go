package relay

import (
	"crypto/sha256"
	"fmt"
	"math"
	"sync"
	"time"

	"parley/internal/wire"
)

// A Page is what a box showed.
type Page struct {
	// First is the position of Cells[0]. It is larger than the position asked
	// for where cells between have expired; also if there is no cell.
	First uint64
	Cells []Cell
	Hours []uint32 // when each arrived: hours since 1970, rounded down
	// Next is the head of the box: the position that the next cell will have.
	Next uint64
	// Appended is the position of the cell that the request appended; it means
	// nothing in the answer to another request.
	Appended uint64
}

// An Answer is an answer as it lies on the wire: Mode.AnswerSize bytes. An
// error has no page.
type Answer struct {
	Code       Code
	Mode       Mode
	RetryAfter time.Duration // whole seconds, with the code of ErrLimit
	ID         [RequestIDSize]byte
	Page       Page
}

// noPosition stands for "nothing was appended".
const noPosition = math.MaxUint64

// NotAppended is Page.Appended in the answer to a request that appends nothing.
const NotAppended uint64 = noPosition

const answerReserved = 16

// Append appends the answer to the request whose sum is given.
func (a *Answer) Append(b []byte, sum RequestSum) []byte {
	p := &a.Page
	start := len(b)
	b = append(b, Version, byte(a.Code), byte(a.Mode), byte(len(p.Cells)))
	b = wire.AppendU32(b, uint32(a.RetryAfter/time.Second))
	b = wire.AppendU64(b, p.First)
	b = wire.AppendU64(b, p.Next)
	b = wire.AppendU64(b, p.Appended)
	b = append(b, a.ID[:]...)
	b = append(b, make([]byte, answerReserved)...)
	for _, hour := range p.Hours {
		b = wire.AppendU32(b, hour)
	}
	b = append(b, make([]byte, start+answerHeader-len(b))...)
	for i := range p.Cells {
		b = append(b, p.Cells[i][:]...)
	}
	b = append(b, make([]byte, (int(a.Mode)-len(p.Cells))*wire.CellSize)...)
	end := answerSum(b[start:], sum)
	return append(b, end[:]...)
}

// Buffers are for answers on their way, which take up to 263 KB each and live
// for moments. The zero value is ready.
type Buffers struct{ pools [MaxMode + 1]sync.Pool }

// Get gives a buffer of m's AnswerSize, with anything in it.
func (p *Buffers) Get(m Mode) *[]byte {
	if b, ok := p.pools[m].Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, m.AnswerSize())
	return &b
}

// Put takes back a buffer that Get gave for m, when nobody uses it any more.
func (p *Buffers) Put(m Mode, b *[]byte) { p.pools[m].Put(b) }

func answerSum(body []byte, sum RequestSum) [sumSize]byte {
	h := sha256.New()
	h.Write([]byte(labelAnswer))
	h.Write(sum[:])
	h.Write(body)
	var end [sumSize]byte
	h.Sum(end[:0])
	return end
}

// ParseAnswer reads the answer to the request whose sum is given. Its errors
// are ErrCorrupt. The page has the shape that a page has; whether it answers
// what was asked is for the caller to check.
func ParseAnswer(b []byte, sum RequestSum) (*Answer, error) {
	a, err := parseAnswer(b, sum)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrCorrupt, err)
	}
	return a, nil
}

func parseAnswer(b []byte, sum RequestSum) (*Answer, error) {
	if len(b) < answerHeader+sumSize || b[0] != Version {
		return nil, wire.ErrMalformed
	}
	a := &Answer{Mode: Mode(b[2])}
	if !a.Mode.Valid() || len(b) != a.Mode.AnswerSize() {
		return nil, wire.ErrMalformed
	}
	body := b[:len(b)-sumSize]
	if answerSum(body, sum) != [sumSize]byte(b[len(body):]) {
		return nil, fmt.Errorf("%w: wrong sum", wire.ErrMalformed)
	}
	p := &a.Page
	in := wire.NewReader(body[1:])
	a.Code = Code(in.U8())
	in.U8() // the mode
	count := int(in.U8())
	a.RetryAfter = time.Duration(in.U32()) * time.Second
	p.First, p.Next, p.Appended = in.U64(), in.U64(), in.U64()
	in.Fill(a.ID[:])
	if count > int(a.Mode) || !isZero(in.Bytes(answerReserved)) {
		return nil, wire.ErrMalformed
	}
	if count > 0 {
		p.Hours, p.Cells = make([]uint32, count), make([]Cell, count)
	}
	for i := range p.Hours {
		p.Hours[i] = in.U32()
	}
	if !isZero(in.Bytes(answerHeader - 64 - 4*count)) {
		return nil, wire.ErrMalformed
	}
	for i := range p.Cells {
		in.Fill(p.Cells[i][:])
	}
	if !isZero(in.Rest()) {
		return nil, wire.ErrMalformed
	}
	if err := in.Done(); err != nil {
		return nil, err
	}
	return a, a.check()
}

// check holds the rules that an answer keeps besides its layout.
func (a *Answer) check() error {
	p := &a.Page
	count := uint64(len(p.Cells))
	appended := p.Appended != noPosition
	switch {
	case !a.Code.valid():
		return fmt.Errorf("%w: unknown code", wire.ErrMalformed)
	case a.RetryAfter != 0 && a.Code.Err() != ErrLimit:
		return fmt.Errorf("%w: time to wait without reason", wire.ErrMalformed)
	case a.Code != CodeOK && (count != 0 || p.First != 0 || p.Next != 0 || appended):
		return fmt.Errorf("%w: an error with a page", wire.ErrMalformed)
	case p.Next > wire.BoxCapacity || p.First > wire.BoxCapacity:
		return fmt.Errorf("%w: position past the end of a box", wire.ErrMalformed)
	case count > 0 && p.First+count > p.Next, appended && p.Appended >= p.Next:
		return fmt.Errorf("%w: cells past the head", wire.ErrMalformed)
	}
	return nil
}
