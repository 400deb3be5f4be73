package relay

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"parley/internal/secret"
	"parley/internal/wire"
)

func testKey(t testing.TB, fill byte) BoxKey {
	t.Helper()
	k, err := BoxKeyFrom(bytes.Repeat([]byte{fill}, secret.Size))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The vectors were made by another program from docs/wire.md. They never
// change: cards and logs hold keys, not ids.
func TestVectors(t *testing.T) {
	k := testKey(t, 7)
	seal := k.Derive("seal")
	r := request(t, OpAppend)
	r.ID = [RequestIDSize]byte{1, 2, 3}
	raw, sum := r.Append(nil)
	whole := sha256.Sum256(raw)
	end := answer(Mode8, 3).Append(nil, sum)
	for _, v := range []struct{ name, got, want string }{
		{"id", k.Box(30, 9).ID().String(), "cf4580c037fade6903b054ce368b28969cb07e09ab4652139a867b742524e0b0"},
		{"id of more", k.More(1).Box(30, 9).ID().String(), "a5b608277afc5ea1a6580df168ea1bc0b21a708258d9999882a1233ada395e7f"},
		{"derived", hex.EncodeToString(seal[:]), "1f8c235c38d5a9eea08d6f261ea764399b9b77c62495c4af247eaa97eddeb965"},
		{"request", hex.EncodeToString(whole[:]), "e6ad6ec05e2ac5ca6e40201d4e076595d707c0ad2bf58b09434790a597c6b827"},
		{"sum of the answer", hex.EncodeToString(end[len(end)-sumSize:]), "ee611085ac08c5a98692ef4984bfa16ae447e3fba201bd5e2f18f97a570b36be"},
	} {
		if v.got != v.want {
			t.Errorf("%s is %s, want %s", v.name, v.got, v.want)
		}
	}
}

func TestOtherTermsAreAnotherBox(t *testing.T) {
	k := testKey(t, 7)
	seen := map[BoxID]bool{}
	for _, b := range []*Box{k.Box(30, 9), k.Box(31, 9), k.Box(30, 8), k.More(0).Box(30, 9), k.More(1).Box(30, 9), NewBoxKey().Box(30, 9)} {
		if seen[b.ID()] {
			t.Errorf("%v twice", b.ID())
		}
		seen[b.ID()] = true
		p := b.Proof()
		if p.ID() != b.ID() {
			t.Error("the proof is of another box")
		}
	}
	if k.Derive("a") == k.Derive("b") || k.Derive("a") != testKey(t, 7).Derive("a") {
		t.Error("Derive does not depend on its label alone")
	}
	if !k.Equal(testKey(t, 7)) || k.Equal(testKey(t, 8)) {
		t.Error("Equal is wrong")
	}
	if _, err := BoxKeyFrom(make([]byte, 31)); err == nil {
		t.Error("a key of 31 bytes was taken")
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	k := testKey(t, 'k')
	b := k.Box(30, 9)
	inside := struct {
		K BoxKey
		B *Box
		V Box
	}{k, b, *b}
	js, err := json.Marshal(inside)
	if err != nil {
		t.Fatal(err)
	}
	out := fmt.Sprintf("%v %+v %#v %s %x %d | %v %+v %#v %s %x %d | %v %+v %#v %s", k, k, k, k, k, k, b, *b, *b, *b, *b, *b, inside, inside, inside, js)
	for _, token := range [][TokenSize]byte{b.read, b.write, b.destroy, [32]byte(k.Bytes())} {
		for _, form := range []string{"%x", "%v", "%#v", "%s", "%X"} {
			text := strings.Trim(fmt.Sprintf(form, token[:]), "[]byte{}")
			if strings.Contains(out, text[:12]) {
				t.Errorf("%s of a secret is in %s", form, out)
			}
		}
	}
}

func request(t testing.TB, op Op) *Request {
	r := &Request{Mode: Mode16, From: 5, Ticket: []byte("ticket"), Cell: Cell{1, 2, 3}}
	if op == OpRead {
		r.Wait = 55 * time.Second
	}
	r.fill(op, testKey(t, 7).Box(30, 9))
	return r
}

func TestRequestProves(t *testing.T) {
	box := testKey(t, 7).Box(30, 9)
	for _, op := range []Op{OpRead, OpAppend, OpDestroy} {
		b, sum := request(t, op).Append(nil)
		if len(b) != RequestSize {
			t.Fatalf("%d bytes", len(b))
		}
		var r Request
		got, err := ParseRequest(b, &r)
		if err != nil || got != sum {
			t.Fatal(err)
		}
		p, err := r.Proof()
		if err != nil || p != box.Proof() {
			t.Errorf("operation %d: %v", op, err)
		}
		// It shows the tokens that it needs, and no others.
		for name, token := range map[string]struct {
			bytes [TokenSize]byte
			shown bool
		}{
			"read": {box.read, op != OpDestroy}, "write": {box.write, op == OpAppend}, "destroy": {box.destroy, op == OpDestroy},
		} {
			if bytes.Contains(b, token.bytes[:]) != token.shown {
				t.Errorf("operation %d shows the %s token: %v", op, name, !token.shown)
			}
		}
		// Any other operation with the same bytes is denied, and so are other terms.
		for _, change := range []func(*Request){
			func(r *Request) { r.Op = (r.Op + 1) % 3 },
			func(r *Request) { r.Op = (r.Op + 2) % 3 },
			func(r *Request) { r.Retention++ },
			func(r *Request) { r.Idle++ },
			func(r *Request) { r.Box[0]++ },
			func(r *Request) { r.Read[0]++ },
			func(r *Request) { r.Write[0]++ },
			func(r *Request) { r.Destroy[0]++ },
		} {
			other := r
			change(&other)
			if _, err := other.Proof(); !errors.Is(err, ErrDenied) {
				t.Errorf("operation %d was allowed: %v", op, err)
			}
		}
	}
}

func TestParseRequestRefuses(t *testing.T) {
	good, _ := request(t, OpRead).Append(nil)
	sign := func(b []byte) []byte {
		var c Cell
		copy(c[:], b[requestHeader:])
		sum := requestSum(b[:requestHeader-sumSize], c.Hash())
		copy(b[requestHeader-sumSize:], sum[:])
		return b
	}
	at := func(i int, x byte) []byte { b := bytes.Clone(good); b[i] = x; return sign(b) }
	for name, test := range map[string]struct {
		b    []byte
		want error
	}{
		"empty":            {nil, ErrCorrupt},
		"short":            {good[:RequestSize-1], ErrCorrupt},
		"long":             {append(bytes.Clone(good), 0), ErrCorrupt},
		"other version":    {at(0, 2), ErrTooOld},
		"operation":        {at(1, 3), ErrCorrupt},
		"mode":             {at(2, 2), ErrCorrupt},
		"wait too long":    {at(3, 56), ErrCorrupt},
		"an append waits":  {at(1, 1), ErrCorrupt},
		"position":         {at(8, 1), ErrCorrupt},
		"ticket length":    {at(160, 255), ErrCorrupt},
		"ticket padding":   {at(162+6, 1), ErrCorrupt},
		"reserved":         {at(900, 1), ErrCorrupt},
		"flipped header":   {flip(good, 40), ErrCorrupt},
		"flipped cell":     {flip(good, 4000), ErrCorrupt},
		"flipped checksum": {flip(good, 1000), ErrCorrupt},
	} {
		if _, err := ParseRequest(test.b, new(Request)); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 0x10
	return b
}

func answer(mode Mode, cells int) *Answer {
	a := &Answer{Mode: mode, ID: [16]byte{9}}
	a.Page = Page{First: 7, Next: 7 + uint64(cells), Appended: NotAppended}
	for i := range cells {
		a.Page.Cells = append(a.Page.Cells, Cell{byte(i)})
		a.Page.Hours = append(a.Page.Hours, uint32(400_000+i))
	}
	return a
}

func TestAnswer(t *testing.T) {
	sum := RequestSum{1}
	for _, a := range []*Answer{
		answer(Mode1, 0), answer(Mode1, 1), answer(Mode8, 3), answer(Mode16, 16), answer(Mode32, 0), answer(Mode64, 64),
		{Mode: Mode8, Code: CodeOf(ErrFull), Page: Page{Appended: NotAppended}},
		{Mode: Mode8, Code: CodeOf(ErrLimit), RetryAfter: time.Minute, Page: Page{Appended: NotAppended}},
	} {
		b := a.Append(nil, sum)
		if len(b) != a.Mode.AnswerSize() {
			t.Errorf("mode %d: %d bytes", a.Mode, len(b))
		}
		got, err := ParseAnswer(b, sum)
		if err != nil || !reflect.DeepEqual(got, a) {
			t.Errorf("mode %d: %v", a.Mode, err)
		}
		for i := 0; i < len(b); i += 97 {
			if _, err := ParseAnswer(flip(b, i), sum); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("byte %d flipped: %v", i, err)
			}
		}
		if _, err := ParseAnswer(b, RequestSum{2}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("the answer to another request: %v", err)
		}
	}
}

func TestParseAnswerRefuses(t *testing.T) {
	sum := RequestSum{1}
	at := func(changes map[int]byte) []byte {
		b := answer(Mode8, 3).Append(nil, sum)
		for i, x := range changes {
			b[i] = x
		}
		end := answerSum(b[:len(b)-sumSize], sum)
		copy(b[len(b)-sumSize:], end[:])
		return b
	}
	if _, err := ParseAnswer(at(nil), sum); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"empty":             nil,
		"short":             at(nil)[:4000],
		"version":           at(map[int]byte{0: 2}),
		"unknown code":      at(map[int]byte{1: 200}),
		"error with page":   at(map[int]byte{1: 1}),
		"mode":              at(map[int]byte{2: 9}),
		"other mode":        at(map[int]byte{2: 16}),
		"too many cells":    at(map[int]byte{3: 9}),
		"fewer cells":       at(map[int]byte{3: 2}),
		"wait for nothing":  at(map[int]byte{7: 1}),
		"past the head":     at(map[int]byte{15: 8}),
		"past the end":      at(map[int]byte{16: 1}),
		"appended too far":  at(map[int]byte{24: 0, 25: 0, 26: 0, 27: 0, 28: 0, 29: 0, 30: 0, 31: 99}),
		"reserved":          at(map[int]byte{48: 1}),
		"hour of no cell":   at(map[int]byte{64 + 4*3: 1}),
		"reserved at end":   at(map[int]byte{answerHeader - 1: 1}),
		"bytes in no cell":  at(map[int]byte{answerHeader + 3*wire.CellSize: 1}),
		"bytes in last one": at(map[int]byte{answerHeader + 8*wire.CellSize - 1: 1}),
	} {
		if _, err := ParseAnswer(b, sum); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCodes(t *testing.T) {
	for code, o := range outcomes {
		c := Code(code)
		if CodeOf(o.err) != c || CodeOf(fmt.Errorf("wrapped: %w", o.err)) != c && o.err != nil || c.Err() != o.err || c.Status() != o.status {
			t.Errorf("code %d does not come back", code)
		}
		if o.bare && errorOfStatus(o.status) != o.err {
			t.Errorf("status %d does not come back", o.status)
		}
	}
	if CodeOf(&LimitError{}) != CodeOf(ErrLimit) || CodeOf(errors.New("disk")) != CodeOf(ErrUnavailable) {
		t.Error("other errors have the wrong code")
	}
	for _, status := range []int{200, 302, 403, 404, 410, 507, 502} {
		if errorOfStatus(status) != ErrUnavailable {
			t.Errorf("a bare %d is believed", status)
		}
	}
	if !Retryable(ErrCorrupt) || !Retryable(&LimitError{}) || !Retryable(ErrUnavailable) || Retryable(ErrGone) || Retryable(ErrDenied) {
		t.Error("Retryable is wrong")
	}
}

func TestAddress(t *testing.T) {
	pin := "#pin=" + strings.Repeat("A", 42) + "E"
	for _, good := range []string{
		"https://relay.example.org", "https://relay.example.org:8443", "https://192.0.2.7:8443" + pin, "https://[2001:db8::7]:8443" + pin,
		"https://[2001:db8::7]", "http://127.0.0.1:8080", "http://localhost", "http://[::1]:80" + "80", "https://hotel-laptop:1" + pin, "https://1a.b2",
	} {
		a, err := ParseAddress(good)
		if err != nil || a.String() != good || a.IsZero() {
			t.Errorf("%s: %q, %v", good, a, err)
			continue
		}
		if again, err := NewAddress(a.Secure(), a.Host(), a.Pin()); err != nil || again != a {
			t.Errorf("%s: NewAddress gave %q, %v", good, again, err)
		}
		if strings.Contains(good, "#") == a.Pin().IsZero() || strings.Contains(a.URL(), "#") {
			t.Errorf("%s: pin %v, URL %s", good, a.Pin(), a.URL())
		}
	}
	for _, bad := range []string{
		"", "relay.example.org", "https://", "https://:8443", "ftp://relay.example.org", "HTTPS://relay.example.org", "https://Relay.example.org",
		"https://relay.example.org/", "https://relay.example.org/v1", "https://relay.example.org?x", "https://user@relay.example.org",
		"https://relay.example.org:443", "https://relay.example.org:0", "https://relay.example.org:65536", "https://relay.example.org:08443",
		"https://relay.example.org:", "https://relay..org", "https://-relay.org", "https://relay.example.org.", "https://rélay.org",
		"http://relay.example.org", "http://192.0.2.7:8080", "http://localhost.example.org", "http://127.0.0.1:80", "http://127.0.0.1:8080" + pin,
		"https://0.0.0.0:8443", "https://[::]:8443", "https://[fe80::1%25eth0]:8443", "https://[::ffff:192.0.2.7]:8443", "https://2001:db8::7",
		"https://[2001:DB8::7]", "https://[2001:db8:0::7]", "https://192.0.2", "https://1.2.3.4.5", "https://relay.example.org#", "https://relay.example.org#pin=",
		"https://relay.example.org" + pin[:len(pin)-1], "https://relay.example.org" + pin + "A", "https://relay.example.org" + pin[:len(pin)-1] + "F",
		"https://relay.example.org" + "#pin=" + strings.Repeat("A", 43), "https://relay.example.org" + pin + "#", "https://relay.example.org " + pin,
		"https://" + strings.Repeat("a.", 200) + "org", "https://" + strings.Repeat("a", 64) + ".org", "https://a b.org", "https://a\n.org",
	} {
		if a, err := ParseAddress(bad); !errors.Is(err, ErrAddress) || !a.IsZero() {
			t.Errorf("%q was taken as %q, %v", bad, a, err)
		}
	}
	if (Address{}).String() != "" {
		t.Error("the zero address has a text")
	}
}

func FuzzParseRequest(f *testing.F) {
	for _, op := range []Op{OpRead, OpAppend, OpDestroy} {
		b, _ := request(f, op).Append(nil)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Request
		if len(b) == RequestSize { // a mutation has the right sum, too
			sum := requestSum(b[:requestHeader-sumSize], (*Cell)(b[requestHeader:]).Hash())
			copy(b[requestHeader-sumSize:], sum[:])
		}
		sum, err := ParseRequest(b, &r)
		if err != nil {
			return
		}
		if again, sum2 := r.Append(nil); !bytes.Equal(again, b) || sum != sum2 {
			t.Error("re-encodes otherwise")
		}
	})
}

func FuzzParseAnswer(f *testing.F) {
	for _, a := range []*Answer{answer(Mode1, 1), answer(Mode8, 3), answer(Mode8, 0), {Mode: Mode1, Code: 4, RetryAfter: time.Minute, Page: Page{Appended: NotAppended}}} {
		f.Add(a.Append(nil, RequestSum{}))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > sumSize {
			end := answerSum(b[:len(b)-sumSize], RequestSum{})
			copy(b[len(b)-sumSize:], end[:])
		}
		a, err := ParseAnswer(b, RequestSum{})
		if err == nil && !bytes.Equal(a.Append(nil, RequestSum{}), b) {
			t.Error("re-encodes otherwise")
		}
	})
}

func FuzzParseAddress(f *testing.F) {
	f.Add("https://relay.example.org:8443#pin=" + strings.Repeat("A", 42) + "E")
	f.Add("http://[::1]:8080")
	f.Add("https://192.0.2.7")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAddress(text)
		if err == nil && a.String() != text {
			t.Errorf("%q became %q", text, a)
		}
	})
}

// BenchmarkAnswer writes and reads the largest answer, with nothing in it.
func BenchmarkAnswer(b *testing.B) {
	a := Answer{Mode: Mode64, Page: Page{Appended: NotAppended}}
	var buffers Buffers
	b.SetBytes(int64(Mode64.AnswerSize()))
	b.ReportAllocs()
	for b.Loop() {
		raw := buffers.Get(Mode64)
		if _, err := ParseAnswer(a.Append((*raw)[:0], RequestSum{}), RequestSum{}); err != nil {
			b.Fatal(err)
		}
		buffers.Put(Mode64, raw)
	}
}
