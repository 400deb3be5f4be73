package cli

import (
	"bytes"
	"strings"
	"testing"

	"parley/client"
	"parley/internal/words"
)

// TestFoundingText: without --json the words stand alone on stdout, and names
// can't steer a terminal.
func TestFoundingText(t *testing.T) {
	s := &session{a: &app{w: words.For(words.English)}}
	var out, problem bytes.Buffer
	s.a.Out, s.a.Err = &out, &problem
	f := client.Founding{Founder: client.Seat{Name: "Ru\x1bth"}, Without: client.Seat{Name: "Halden"}, Members: []client.Seat{{Name: "Corin"}},
		Later: []client.Seat{{Name: "Nora"}}, Differences: []client.Difference{{Kind: client.DifferenceLess, Name: "Mira", Side: "North"}},
		Words: []string{"one", "two", "three", "four", "five"}}
	if err := s.showFounding(client.Dialogue{ID: "abcdefgh"}, f); err != nil {
		t.Fatal(err)
	}
	if out.String() != "one two three four five\n" {
		t.Errorf("%q", out.String())
	}
	for _, want := range []string{"Corin can enter", "Nora can come back", "not the one known", "Mira (North)", "Have Ru\ufffdth read"} {
		if !strings.Contains(problem.String(), want) {
			t.Errorf("%q is missing:\n%s", want, problem.String())
		}
	}
	if strings.Contains(problem.String(), "\x1b") {
		t.Error("a name steers the terminal")
	}
	problem.Reset()
	err := s.showLost(client.Dialogue{ID: "abcdefgh"}, client.LostRoom{By: client.Seat{Name: "Halden"}, Founders: []client.Seat{{Name: "Ruth"}}})
	if codeOf(err) != exitWaiting || !strings.Contains(problem.String(), "All others have said so") || !strings.Contains(problem.String(), "founded again by Ruth") {
		t.Errorf("%v\n%s", err, problem.String())
	}
}
