package mls

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var vectorDir = flag.String("vectors", "", "folder with the official vectors of RFC 9420, as gzipped JSON")

// raceDetector is set where the race detector slows everything down.
var raceDetector bool

// defaultVectors is where the vectors lie if no flag says so, seen from here.
const defaultVectors = "../../shared/mls-vectors"

// octets is a byte string in hexadecimal.
type octets []byte

func (o *octets) UnmarshalText(text []byte) (err error) {
	*o, err = hex.DecodeString(string(text))
	return err
}

// vectorKinds are the kinds of file, each with the test of one case.
var vectorKinds = map[string]func(t *testing.T, s *suite, raw json.RawMessage){
	"tree-math":          vector(testTreeMath),
	"deserialization":    vector(testDeserialization),
	"crypto-basics":      vector(testCryptoBasics),
	"psk_secret":         vector(testPSKSecret),
	"secret-tree":        vector(testSecretTree),
	"message-protection": vector(testMessageProtection),
	"key-schedule":       vector(testKeySchedule),
	"transcript-hashes":  vector(testTranscriptHashes),
	"welcome":            vector(testWelcome),
	"tree-operations":    vector(testTreeOperations),
	"tree-validation":    vector(testTreeValidation),
	"treekem":            vector(testTreeKEM),
	"messages":           vector(testMessages),
}

// laterKinds need what a group refuses so far: pre-shared keys, external
// commits, changes of the group's extensions.
var laterKinds = map[string]bool{
	"passive-client-welcome": true, "passive-client-handling-commit": true, "passive-client-random": true,
}

// vector decodes a case for its test.
func vector[T any](f func(*testing.T, *suite, *T)) func(*testing.T, *suite, json.RawMessage) {
	return func(t *testing.T, s *suite, raw json.RawMessage) {
		t.Helper()
		var v T
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		f(t, s, &v)
	}
}

// vectorFolder is the folder to test, "" if there is none and none was asked for.
func vectorFolder(t *testing.T) string {
	dir := *vectorDir
	if dir == "" {
		dir = defaultVectors
	}
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return dir
	}
	if *vectorDir != "" || os.Getenv("CI") == "true" {
		t.Fatalf("no vectors of RFC 9420 in %s", dir)
	}
	return ""
}

func TestVectors(t *testing.T) {
	seedRandom(t)
	dir := vectorFolder(t)
	if dir == "" {
		t.Log("the official vectors of RFC 9420 are not here; only the tests of our own run")
		return
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	tested := 0
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), ".json.gz")
		if !ok {
			t.Errorf("%s is no gzipped JSON", f.Name())
			continue
		}
		if laterKinds[name] {
			t.Logf("%s: not tested, it needs parts of RFC 9420 that groups refuse so far", name)
			continue
		}
		test := vectorKinds[name]
		if test == nil {
			t.Errorf("%s is of an unknown kind", f.Name())
			continue
		}
		tested++
		t.Run(name, func(t *testing.T) { runVectors(t, filepath.Join(dir, f.Name()), test) })
	}
	if tested == 0 {
		t.Errorf("no vectors in %s", dir)
	}
}

func runVectors(t *testing.T, path string, test func(*testing.T, *suite, json.RawMessage)) {
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []json.RawMessage
	if err := json.NewDecoder(z).Decode(&cases); err != nil {
		t.Fatal(err)
	}
	passed, unsupported, left := 0, 0, 0
	for i, raw := range cases {
		var head struct {
			Suite CipherSuite `json:"cipher_suite"`
		}
		if err := json.Unmarshal(raw, &head); err != nil {
			t.Fatalf("case %d: %v", i, err)
		}
		s := suites[0] // for kinds that have no suite
		if head.Suite != 0 {
			if s, err = suiteOf(head.Suite); err != nil {
				unsupported++
				continue
			}
		}
		if (testing.Short() || raceDetector) && len(cases) > 20 && i%9 != 0 {
			left++
			continue
		}
		test(t, s, raw)
		if t.Failed() {
			t.Fatalf("in case %d", i)
		}
		passed++
	}
	t.Logf("%d passed, %d of suites that Go can't do (X448, Ed448), %d left out in a short run", passed, unsupported, left)
	if passed == 0 {
		t.Error("no case was tested")
	}
}

func equal(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s is\n%x, want\n%x", what, got, want)
	}
}

// vectorKey parses a private signature key. Scalars in the vectors may lack
// their leading zeros, which ParseSignatureKey insists on.
func vectorKey(t *testing.T, s *suite, b []byte) *SignatureKey {
	t.Helper()
	if curve := s.signature.curve; curve != nil {
		b = append(make([]byte, (curve.Params().BitSize+7)/8-len(b)), b...)
	}
	return must(ParseSignatureKey(s.id, b))(t)
}
