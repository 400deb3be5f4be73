// Package secret has the types of keys: they do not print, can't be compared
// with ==, and compare in constant time.
package secret

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
)

// Size of a Key, in bytes.
const Size = 32

// A Key is a 32-byte secret. The zero Key is no key.
type Key struct {
	_ [0]func() // not comparable with ==
	b [Size]byte
}

// ErrSize is returned for a key of another length than Size.
var ErrSize = errors.New("secret: a key has 32 bytes")

// NewKey copies b, of Size bytes.
func NewKey(b []byte) (Key, error) {
	var k Key
	if len(b) != Size {
		return k, ErrSize
	}
	copy(k.b[:], b)
	return k, nil
}

// Bytes is a copy of the key.
func (k Key) Bytes() []byte { return append([]byte(nil), k.b[:]...) }

// Equal compares in constant time.
func (k Key) Equal(other Key) bool { return subtle.ConstantTimeCompare(k.b[:], other.b[:]) == 1 }

// IsZero tells whether k is no key.
func (k Key) IsZero() bool { return k.Equal(Key{}) }

const hidden = "[secret]"

// Format hides the key from every verb of fmt, %d too.
func (Key) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// String hides the key, as the other methods do that fmt and the encoders call.
func (Key) String() string { return hidden }

// GoString hides the key from %#v.
func (Key) GoString() string { return hidden }

// MarshalText hides the key from encoders of text.
func (Key) MarshalText() ([]byte, error) { return []byte(hidden), nil }
