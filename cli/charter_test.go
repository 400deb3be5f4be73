package cli

import (
	"bytes"
	"strings"
	"testing"

	"parley/client"
	"parley/dialogue"
	"parley/internal/words"
)

// TestCharters: who told which past, and what differs, a line each; a party is
// called by its side's name, or the convenor.
func TestCharters(t *testing.T) {
	d := client.Dialogue{ID: "abcdefgh", Title: "Orva", Sides: []client.Side{{ID: 1, Name: "North"}, {ID: 2, Name: "South"}}, Charters: []client.Charter{
		{Party: 1, Parties: []string{"North"}, Taken: true, Told: true},
		{Party: 0, Parties: []string{"", "South"}, Told: true, Differences: []client.Difference{{Kind: client.DifferenceRules}, {Kind: client.DifferenceLess, Name: "Gh\x1bost", Side: "North"}}},
	}}
	var out, json bytes.Buffer
	s := &session{a: &app{w: words.For(words.English)}}
	s.a.Out = &out
	if err := s.charters(d); err != nil {
		t.Fatal(err)
	}
	s.a.Out, s.a.json = &json, true
	if err := s.charters(d); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "North: ") || !strings.HasPrefix(lines[1], "convenor: ") ||
		!strings.Contains(lines[1], "ground rules") || !strings.Contains(lines[1], "ost (North)") || strings.Contains(lines[1], "\x1b") {
		t.Errorf("%q", lines)
	}
	if !strings.Contains(json.String(), `"party":"convenor","taken":false,"whole":true,"differences":["rules",`) {
		t.Errorf("%s", json.String())
	}
	for name, want := range map[string]dialogue.SideID{"south": 2, "Convenor": 0, "North": 1} {
		if got, ok := partyOf(d, name); !ok || got != want {
			t.Errorf("%q is %d, %v", name, got, ok)
		}
	}
	if _, ok := partyOf(d, "East"); ok {
		t.Error("a party that there is not")
	}
}
