package wire

import "encoding/binary"

// MaxVec is the longest variable-size vector there is (RFC 9420 §2.1.2).
const MaxVec = 1<<30 - 1

// AppendU16 appends n, big-endian.
func AppendU16(b []byte, n uint16) []byte { return binary.BigEndian.AppendUint16(b, n) }

// AppendU32 appends n, big-endian.
func AppendU32(b []byte, n uint32) []byte { return binary.BigEndian.AppendUint32(b, n) }

// AppendU64 appends n, big-endian.
func AppendU64(b []byte, n uint64) []byte { return binary.BigEndian.AppendUint64(b, n) }

// AppendVarLen appends the length of a variable-size vector (RFC 9420 §2.1.2).
// It panics above MaxVec: lengths of one's own making are bounded long before.
func AppendVarLen(b []byte, n int) []byte {
	switch {
	case n < 0 || n > MaxVec:
		panic("wire: vector length out of range")
	case n < 1<<6:
		return append(b, byte(n))
	case n < 1<<14:
		return binary.BigEndian.AppendUint16(b, 1<<14|uint16(n))
	}
	return binary.BigEndian.AppendUint32(b, 1<<31|uint32(n))
}

// AppendVec appends v as a variable-size vector.
func AppendVec(b, v []byte) []byte { return append(AppendVarLen(b, len(v)), v...) }

// AppendNested appends as a variable-size vector what write appends.
func AppendNested(b []byte, write func([]byte) []byte) []byte {
	// Most vectors are short, and the body moves only where the guess of a one-byte length was wrong.
	start := len(b)
	b = write(append(b, 0))
	n := len(b) - start - 1
	if n < 1<<6 {
		b[start] = byte(n)
		return b
	}
	var head [4]byte
	h := AppendVarLen(head[:0], n)
	b = append(b, h[1:]...)
	copy(b[start+len(h):], b[start+1:start+1+n])
	copy(b[start:], h)
	return b
}
