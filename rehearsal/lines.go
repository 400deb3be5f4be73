package rehearsal

import (
	_ "embed"
	"encoding/json"
	"strings"
)

//go:embed en.json
var english []byte

// lines are what partners are called and say, by key.
type lines map[string][]string

func loadLines() (lines, error) {
	var l lines
	err := json.Unmarshal(english, &l)
	return l, err
}

// one is the only line of a key, with pairs of a name in braces and its value
// filled in.
func (l lines) one(key string, pairs ...string) string {
	args := make([]string, len(pairs))
	for i, p := range pairs {
		if args[i] = p; i%2 == 0 {
			args[i] = "{" + p + "}"
		}
	}
	return strings.NewReplacer(args...).Replace(l[key][0])
}
