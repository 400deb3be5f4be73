package wire

import (
	"bytes"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Bounds on a CBOR item, whoever wrote it.
const (
	maxCBORNesting = 16
	maxCBORItems   = 1 << 16
)

var (
	encoding cbor.EncMode
	decoding cbor.DecMode
)

func init() {
	var err error
	if encoding, err = cbor.CoreDetEncOptions().EncMode(); err != nil {
		panic(err)
	}
	decoding, err = cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		MaxNestedLevels:   maxCBORNesting,
		MaxArrayElements:  maxCBORItems,
		MaxMapPairs:       maxCBORItems,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}.DecMode()
	if err != nil {
		panic(err)
	}
}

// Marshal encodes v as deterministic CBOR. It panics on a type that has no
// encoding, which is a mistake in this program.
func Marshal(v any) []byte {
	b, err := encoding.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("wire: marshal %T: %v", v, err))
	}
	return b
}

// Unmarshal decodes b, of max bytes at most, into v. It accepts only what
// Marshal would have written for the same value: one value has one encoding.
func Unmarshal(b []byte, v any, max int) error {
	if len(b) > max {
		return ErrTooLarge
	}
	if err := decoding.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	again, err := encoding.Marshal(v)
	if err != nil || !bytes.Equal(again, b) {
		return fmt.Errorf("%w: not in the shortest form", ErrMalformed)
	}
	return nil
}
