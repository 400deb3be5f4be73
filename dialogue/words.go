package dialogue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/tyler-smith/go-bip39/wordlists"
	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"parley/internal/wire"
)

// Numbers of words: of an approval, and of a reading.
const (
	PostWords    = 4
	ReadingWords = 6
)

// Cost of a reading's words: a middleman who searches for a history with the
// same words pays this for each try.
const (
	wordsTime, wordsMemory, wordsLanes = 3, 64 << 10, 4
)

const bitsPerWord = 11

// words spells the first bits of b: from the language's list of 2,048 words,
// or, for a language without a list, as groups of four digits.
func words(b []byte, n int, language string) []string {
	list := wordList(language)
	out := make([]string, n)
	for i := range out {
		v := bitsAt(b, i*bitsPerWord)
		if list == nil {
			out[i] = fmt.Sprintf("%04d", v)
		} else {
			out[i] = list[v]
		}
	}
	return out
}

// bitsAt reads eleven bits from bit i on.
func bitsAt(b []byte, i int) int {
	var four [4]byte
	copy(four[:], b[i/8:])
	v := binary.BigEndian.Uint32(four[:])
	return int(v << (i % 8) >> (32 - bitsPerWord))
}

// wordList is the BIP 39 list of a language, or nil.
func wordList(language string) []string {
	switch base, _, _ := strings.Cut(language, "-"); base {
	case "en":
		return wordlists.English
	case "fr":
		return wordlists.French
	case "es":
		return wordlists.Spanish
	case "it":
		return wordlists.Italian
	}
	return nil
}

// Words spells the post's hash as four words, which the inviter can have the
// invitee read out before letting them in.
func (h Hash) Words(language string) []string { return words(h[:], PostWords, language) }

// A Reading is what a reading's words are made of: where its Verify entry
// stands, in the reader's and each listener's own view of the log.
type Reading struct {
	Authenticator []byte // epoch authenticator of the plenary
	Position      uint64 // the header's three parts at that place
	Running       Hash
	Chain         Hash
	Nonce         [16]byte
}

// Words computes the six words: Argon2id with 64 MiB, which takes some tenths
// of a second.
func (r Reading) Words(language string) []string {
	salt := append([]byte("parley words v1\x00"), r.Nonce[:]...)
	in := wire.AppendVec(nil, r.Authenticator)
	in = wire.AppendU64(in, r.Position)
	in = append(append(in, r.Running[:]...), r.Chain[:]...)
	return words(argon2.IDKey(in, salt, wordsTime, wordsMemory, wordsLanes, 16), ReadingWords, language)
}

// ErrWord is returned for a word that does not match.
var ErrWord = errors.New("that is not the word")

// SameWord compares a typed word with the right one, as people type: without
// regard to case, accents' encoding, or blanks around it.
func SameWord(typed, right string) bool {
	clean := func(s string) string { return norm.NFKD.String(strings.ToLower(strings.TrimSpace(s))) }
	return clean(typed) == clean(right)
}
