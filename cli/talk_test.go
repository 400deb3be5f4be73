package cli

import (
	"bytes"
	"strings"
	"testing"

	"parley/client"
	"parley/internal/words"
)

// TestMissedLine: a line says whom it may not have reached, to people and in
// JSON, and names can't steer a terminal.
func TestMissedLine(t *testing.T) {
	var out bytes.Buffer
	a := &app{w: words.For(words.English)}
	a.Out = &out
	m := client.Message{Seq: 7, Mine: true, Kind: client.KindMessage, Text: "Good morning.", State: client.StateRoom, Missed: []string{"Halden", "Co\x1brin"}}
	for _, want := range []string{"Good morning.  [may not have reached Halden and Co\ufffdrin, who lost touch with the room]\n", `"missed":["Halden","Co\u001brin"]`} {
		out.Reset()
		if err := a.line(a.lineOfMessage(m, client.Dialogue{}), m); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q", out.String())
		}
		a.json = true
	}
	m.Missed = nil
	out.Reset()
	if err := a.line(a.lineOfMessage(m, client.Dialogue{}), m); err != nil || strings.Contains(out.String(), "missed") {
		t.Errorf("%q, %v", out.String(), err)
	}
}
