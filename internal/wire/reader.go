package wire

import (
	"encoding/binary"
	"errors"
)

// Errors of this package. Wrap them with what was being read.
var (
	ErrMalformed = errors.New("malformed")
	ErrTooLarge  = errors.New("too large")
)

// A Reader reads from a byte slice. After its first error every further read
// gives zero values, so a decoder checks once, with Err or Done.
// What it returns aliases the input.
type Reader struct {
	rest []byte
	err  error
}

// NewReader returns a Reader of b.
func NewReader(b []byte) *Reader { return &Reader{rest: b} }

// Err is the first error met, or nil.
func (r *Reader) Err() error { return r.err }

// Len is the number of bytes not yet read.
func (r *Reader) Len() int { return len(r.rest) }

// Rest reads all that is left.
func (r *Reader) Rest() []byte { return r.Bytes(len(r.rest)) }

// Done is Err, or ErrMalformed if bytes are left over.
func (r *Reader) Done() error {
	if r.err == nil && len(r.rest) != 0 {
		r.err = ErrMalformed
	}
	return r.err
}

// Fail makes err the Reader's error, unless it has one.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err, r.rest = err, nil
	}
}

// Bytes reads n bytes.
func (r *Reader) Bytes(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > len(r.rest) {
		r.Fail(ErrMalformed)
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// Fill reads len(dst) bytes into dst.
func (r *Reader) Fill(dst []byte) { copy(dst, r.Bytes(len(dst))) }

// U8 reads one byte.
func (r *Reader) U8() uint8 {
	if b := r.Bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// U16 reads two bytes, big-endian, as all numbers here.
func (r *Reader) U16() uint16 {
	if b := r.Bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// U32 reads four bytes.
func (r *Reader) U32() uint32 {
	if b := r.Bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// U64 reads eight bytes.
func (r *Reader) U64() uint64 {
	if b := r.Bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// VarLen reads the length of a variable-size vector (RFC 9420 §2.1.2):
// one, two or four bytes, in the shortest form only.
func (r *Reader) VarLen() int {
	first := r.U8()
	if r.err != nil {
		return 0
	}
	size := 1 << (first >> 6)
	if size > 4 {
		r.Fail(ErrMalformed)
		return 0
	}
	n := int(first & 0x3f)
	for range size - 1 {
		n = n<<8 | int(r.U8())
	}
	if size == 2 && n < 1<<6 || size == 4 && n < 1<<14 {
		r.Fail(ErrMalformed)
	}
	if r.err != nil {
		return 0
	}
	return n
}

// Vec reads a variable-size vector of max bytes at most.
func (r *Reader) Vec(max int) []byte {
	n := r.VarLen()
	if r.err == nil && n > max {
		r.Fail(ErrTooLarge)
	}
	if r.err == nil && n == 0 {
		return []byte{}
	}
	return r.Bytes(n)
}

// Sub is a Reader of the variable-size vector that comes next.
// Its error is for the caller to check.
func (r *Reader) Sub(max int) *Reader {
	b := r.Vec(max)
	return &Reader{rest: b, err: r.err}
}
