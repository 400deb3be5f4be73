package mls

import (
	"fmt"

	"parley/internal/wire"
)

// readList reads a variable-size vector of max elements at most.
func readList[T any](r *wire.Reader, max int, read func(*wire.Reader) T) []T {
	sub := r.Sub(maxMessage)
	list := []T{}
	for sub.Err() == nil && sub.Len() > 0 {
		if len(list) == max {
			sub.Fail(ErrTooLarge)
			break
		}
		list = append(list, read(sub))
	}
	if err := sub.Err(); err != nil {
		r.Fail(err)
	}
	return list
}

// appendList writes what readList reads.
func appendList[T any](b []byte, list []T, write func([]byte, T) []byte) []byte {
	return wire.AppendNested(b, func(b []byte) []byte {
		for _, v := range list {
			b = write(b, v)
		}
		return b
	})
}

// readU16s reads a list of capabilities.
func readU16s(r *wire.Reader) []uint16 { return readList(r, maxCapabilities, (*wire.Reader).U16) }

// readOptional reads optional<T> (RFC 9420 §2.1.1); absent is the zero T.
func readOptional[T any](r *wire.Reader, read func(*wire.Reader) T) (v T, present bool) {
	switch r.U8() {
	case 0:
		return v, false
	case 1:
		return read(r), r.Err() == nil
	}
	r.Fail(ErrMalformed)
	return v, false
}

// decode reads one whole object from b, which it copies: what was decoded
// does not change under the caller's hands.
func decode[T any](what string, b []byte, read func(*wire.Reader) T) (T, error) {
	var none T
	if len(b) > maxMessage {
		return none, fmt.Errorf("mls: %s: %w", what, ErrTooLarge)
	}
	r := wire.NewReader(append([]byte(nil), b...))
	v := read(r)
	if err := r.Done(); err != nil {
		return none, fmt.Errorf("mls: %s: %w", what, err)
	}
	return v, nil
}
