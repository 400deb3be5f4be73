package relay

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"parley/internal/wire"
)

// Version is the first byte of every request and answer.
const Version = 1

// A Mode is the number of cells that an answer has room for. It alone decides
// the size of the answer.
type Mode uint8

// The modes there are.
const (
	Mode1  Mode = 1
	Mode8  Mode = 8
	Mode16 Mode = 16
	Mode32 Mode = 32
	Mode64 Mode = 64
)

// MaxMode is the largest mode.
const MaxMode = Mode64

// Valid tells whether m is one of the modes.
func (m Mode) Valid() bool {
	switch m {
	case Mode1, Mode8, Mode16, Mode32, Mode64:
		return true
	}
	return false
}

// AnswerSize is the size of an answer in mode m, in bytes.
func (m Mode) AnswerSize() int { return answerHeader + int(m)*wire.CellSize + sumSize }

// An Op is what a request asks for.
type Op uint8

// The operations. OpAppend reads too.
const (
	OpRead    Op = 0
	OpAppend  Op = 1
	OpDestroy Op = 2
)

// A Request is a request as it lies on the wire: RequestSize bytes. Clients
// use Client.Do; the server parses and answers it.
type Request struct {
	Op     Op
	Mode   Mode
	Wait   time.Duration // whole seconds up to MaxWait; zero unless Op is OpRead
	From   uint64        // the first position to read
	ID     [RequestIDSize]byte
	Box    BoxID
	Ticket []byte // MaxTicket bytes at most

	// Read, Write and Destroy are tokens where the operation needs them, and
	// hashes of tokens elsewhere: OpRead shows the read token, OpAppend the read
	// and the write token, OpDestroy the destroy token.
	Read, Write, Destroy [TokenSize]byte
	Retention, Idle      uint16 // days

	Cell Cell // the cell to append, or filler
}

// Proof checks that the tokens of the request belong to its box. It returns
// ErrDenied if they don't.
func (r *Request) Proof() (Proof, error) {
	p := Proof{Read: r.Read, Write: r.Write, Destroy: r.Destroy, Retention: r.Retention, Idle: r.Idle}
	switch r.Op {
	case OpAppend:
		p.Write = tokenHash(&r.Write)
		fallthrough
	case OpRead:
		p.Read = tokenHash(&r.Read)
	case OpDestroy:
		p.Destroy = tokenHash(&r.Destroy)
	}
	// The id is public to who holds the tokens: no constant time is needed.
	if p.ID() != r.Box {
		return Proof{}, ErrDenied
	}
	return p, nil
}

// A RequestSum binds an answer to its request: the SHA-256 that the request
// carries over itself.
type RequestSum [sumSize]byte

const requestReserved = requestHeader - 162 - MaxTicket - sumSize

// Append appends the request, and returns its sum. The request must be one
// that ParseRequest would give; anything else panics.
func (r *Request) Append(b []byte) ([]byte, RequestSum) {
	if err := r.check(); err != nil {
		panic(err)
	}
	start := len(b)
	b = append(b, Version, byte(r.Op), byte(r.Mode), byte(r.Wait/time.Second))
	b = wire.AppendU16(b, r.Retention)
	b = wire.AppendU16(b, r.Idle)
	b = wire.AppendU64(b, r.From)
	b = append(b, r.ID[:]...)
	b = append(b, r.Box[:]...)
	b = append(b, r.Read[:]...)
	b = append(b, r.Write[:]...)
	b = append(b, r.Destroy[:]...)
	b = wire.AppendU16(b, uint16(len(r.Ticket)))
	b = append(b, r.Ticket...)
	b = append(b, make([]byte, MaxTicket-len(r.Ticket)+requestReserved)...)
	sum := requestSum(b[start:], r.Cell.Hash())
	b = append(b, sum[:]...)
	return append(b, r.Cell[:]...), sum
}

func requestSum(header []byte, cellHash [32]byte) RequestSum {
	h := sha256.New()
	h.Write([]byte(labelRequest))
	h.Write(header)
	h.Write(cellHash[:])
	var sum RequestSum
	h.Sum(sum[:0])
	return sum
}

// check holds the rules that a request keeps besides its layout.
func (r *Request) check() error {
	switch {
	case r.Op > OpDestroy:
		return errors.New("unknown operation")
	case !r.Mode.Valid():
		return errors.New("unknown mode")
	case r.Wait < 0 || r.Wait > MaxWait || r.Wait%time.Second != 0:
		return errors.New("wait out of range")
	case r.Wait != 0 && r.Op != OpRead:
		return errors.New("only a read waits")
	case r.From > wire.BoxCapacity:
		return errors.New("position out of range")
	case len(r.Ticket) > MaxTicket:
		return errors.New("ticket too long")
	}
	return nil
}

// ParseRequest reads a request of RequestSize bytes into r, which keeps no part
// of b. Its errors are ErrTooOld for another version and ErrCorrupt for the
// rest; neither can be answered in the usual form.
func ParseRequest(b []byte, r *Request) (RequestSum, error) {
	var sum RequestSum
	if len(b) != RequestSize {
		return sum, fmt.Errorf("%w: a request has %d bytes", ErrCorrupt, RequestSize)
	}
	if b[0] != Version {
		return sum, ErrTooOld
	}
	copy(r.Cell[:], b[requestHeader:])
	copy(sum[:], b[requestHeader-sumSize:])
	if sum != requestSum(b[:requestHeader-sumSize], r.Cell.Hash()) {
		return sum, fmt.Errorf("%w: wrong sum", ErrCorrupt)
	}
	in := wire.NewReader(b[1 : requestHeader-sumSize])
	r.Op = Op(in.U8())
	r.Mode = Mode(in.U8())
	r.Wait = time.Duration(in.U8()) * time.Second
	r.Retention, r.Idle = in.U16(), in.U16()
	r.From = in.U64()
	in.Fill(r.ID[:])
	in.Fill(r.Box[:])
	in.Fill(r.Read[:])
	in.Fill(r.Write[:])
	in.Fill(r.Destroy[:])
	ticket := int(in.U16())
	r.Ticket = append([]byte(nil), in.Bytes(min(ticket, MaxTicket))...)
	if ticket > MaxTicket || !isZero(in.Rest()) {
		return sum, fmt.Errorf("%w: padding", ErrCorrupt)
	}
	if err := in.Done(); err != nil {
		return sum, fmt.Errorf("%w: %v", ErrCorrupt, err)
	}
	if err := r.check(); err != nil {
		return sum, fmt.Errorf("%w: %v", ErrCorrupt, err)
	}
	return sum, nil
}

// isZero compares b with itself, a byte on: most of an answer of 64 KiB can be
// padding.
func isZero(b []byte) bool {
	return len(b) == 0 || b[0] == 0 && bytes.Equal(b[1:], b[:len(b)-1])
}

// fill makes r the request of x with a fresh id, and filler where there is no
// cell.
func (r *Request) fill(op Op, box *Box) {
	r.Op, r.Box = op, box.id
	r.Retention, r.Idle = box.proof.Retention, box.proof.Idle
	r.Read, r.Write, r.Destroy = box.proof.Read, box.proof.Write, box.proof.Destroy
	switch op {
	case OpAppend:
		r.Write = box.write
		fallthrough
	case OpRead:
		r.Read = box.read
	case OpDestroy:
		r.Destroy = box.destroy
	}
	rand.Read(r.ID[:])
	if op != OpAppend {
		rand.Read(r.Cell[:])
	}
}
