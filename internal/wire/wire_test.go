package wire

import (
	"bytes"
	"errors"
	"testing"
)

func TestVarLen(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 16383, 16384, MaxVec} {
		r := NewReader(AppendVarLen(nil, n))
		if got := r.VarLen(); got != n || r.Done() != nil {
			t.Errorf("%d came back as %d, %v", n, got, r.Err())
		}
	}
	for _, bad := range [][]byte{{}, {0xc0}, {0x40}, {0x40, 0x3f}, {0x80, 0, 0x3f, 0xff}, {0x80, 0, 0}} {
		if r := NewReader(bad); r.VarLen() != 0 || !errors.Is(r.Err(), ErrMalformed) {
			t.Errorf("%x was taken", bad)
		}
	}
}

func TestVecIsBoundedBeforeItIsRead(t *testing.T) {
	r := NewReader([]byte{0xbf, 0xff, 0xff, 0xff, 1})
	if b := r.Vec(MaxVec); b != nil || !errors.Is(r.Err(), ErrMalformed) {
		t.Errorf("a length past the end gave %d bytes, %v", len(b), r.Err())
	}
	r = NewReader(AppendVec(nil, make([]byte, 9)))
	if b := r.Vec(8); b != nil || !errors.Is(r.Err(), ErrTooLarge) {
		t.Errorf("a vector above the limit gave %d bytes, %v", len(b), r.Err())
	}
}

func TestAppendNested(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 100, 16383, 16384, 70000} {
		body := bytes.Repeat([]byte{7}, n)
		want := AppendVec([]byte("before"), body)
		got := AppendNested([]byte("before"), func(b []byte) []byte { return append(b, body...) })
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes: nested and plain differ", n)
		}
	}
}

func TestUnmarshalTakesOneEncoding(t *testing.T) {
	type pair struct {
		A uint64 `cbor:"1,keyasint"`
		B []byte `cbor:"2,keyasint"`
	}
	good := Marshal(pair{5, []byte("x")})
	var p pair
	if err := Unmarshal(good, &p, 100); err != nil || p.A != 5 {
		t.Fatal(err)
	}
	if err := Unmarshal(good, &p, len(good)-1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("above the limit: %v", err)
	}
	for name, bad := range map[string][]byte{
		"trailing byte": append(bytes.Clone(good), 0),
		"long integer":  {0xa2, 1, 0x18, 5, 2, 0x41, 'x'},
		"key order":     {0xa2, 2, 0x41, 'x', 1, 5},
		"twice":         {0xa3, 1, 5, 1, 5, 2, 0x41, 'x'},
		"unknown field": {0xa3, 1, 5, 2, 0x41, 'x', 3, 0},
		"indefinite":    {0xbf, 1, 5, 2, 0x41, 'x', 0xff},
		"tag":           {0xa2, 1, 0xc1, 5, 2, 0x41, 'x'},
	} {
		if err := Unmarshal(bad, new(pair), 100); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{1, 2, 3})
	f.Add(AppendVec(nil, bytes.Repeat([]byte{1}, 70)))
	f.Add([]byte{0xbf, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(b)
		v := r.Vec(1 << 20)
		if r.Done() == nil && !bytes.Equal(AppendVec(nil, v), b) {
			t.Errorf("%x re-encodes otherwise", b)
		}
	})
}
