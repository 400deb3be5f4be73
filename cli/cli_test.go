package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"parley/client"
	"parley/dialogue"
	"parley/relay"
	"parley/vault"
)

func TestExplain(t *testing.T) {
	a := newApp(Env{Getenv: inLanguage("en")})
	for _, c := range []struct {
		err  error
		code int
	}{
		{nil, 0},
		{errors.New("something"), 1},
		{usage("no"), 2},
		{vault.ErrPassphrase, 3},
		{client.ErrPassphraseShort, 3},
		{fmt.Errorf("a step: %w", client.ErrNoDialogue), 4},
		{&client.AmbiguousError{Prefix: "h", Names: []string{"Hal", "Hanna"}}, 4},
		{&client.RuleError{Reason: dialogue.ReasonNotYours}, 5},
		{client.ErrCardUsed, 5},
		{errors.Join(client.ErrOffline, errors.New("dial tcp: refused")), 6},
		{&vault.InUseError{PID: 7, Note: "the application"}, 7},
		{dialogue.ErrWord, 8},
		{errAlarm, 8},
		{client.ErrUnfaithful, 8},
	} {
		code, text, hint := a.explain(c.err)
		if code != c.code {
			t.Errorf("%v: %d, not %d", c.err, code, c.code)
		}
		if c.err != nil && (text == "" || strings.ContainsAny(string(text+hint), "\n")) {
			t.Errorf("%v: %q, %q", c.err, text, hint)
		}
	}
	if _, text, _ := a.explain(&vault.InUseError{PID: 7, Note: "the application"}); !strings.Contains(string(text), "process 7: the application") {
		t.Errorf("nobody is named: %q", text)
	}
}

// obeyed tells whether a terminal would obey something in s.
func obeyed(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return r != '\n' && unicode.IsControl(r) || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
	})
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                        "plain",
		"a\x1b[31mb":                   "a\ufffd[31mb",
		"a\u009b31mb":                  "a\ufffd31mb",
		"\u202eevil":                   "\ufffdevil",
		"two\r\nlines":                 "two lines",
		"می\u200cخواهم":                "می\u200cخواهم",
		"Тихий голос":                  "Тихий голос",
		"bell\a, back\b, title\x1b]0;": "bell\ufffd, back\ufffd, title\ufffd]0;",
	} {
		if got := clean(in); got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
	}
	if got := cleanLines("a\nb\x1b\n", "  "); got != "a\n  b\ufffd" {
		t.Errorf("%q", got)
	}
}

// FuzzEmit: what is written says the same, in one line that a terminal only
// shows.
func FuzzEmit(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b[2J\u009b2J\u2028\u202e\U000e0001")
	f.Add("\"quoted\" \\ <tag> & \x00\xff")
	f.Fuzz(func(t *testing.T, s string) {
		var out bytes.Buffer
		a := &app{Env: Env{Out: &out}}
		if err := a.emit(seatLine{ID: "x", Name: s}); err != nil {
			t.Fatal(err)
		}
		line := strings.TrimSuffix(out.String(), "\n")
		if strings.Contains(line, "\n") || obeyed(line) || !strings.HasPrefix(line, `{"id":"x"`) || obeyed(clean(s)) {
			t.Errorf("%q", line)
		}
		var back seatLine
		if err := json.Unmarshal([]byte(line), &back); err != nil || back.Name != strings.ToValidUTF8(s, "\ufffd") && !strings.Contains(back.Name, "\ufffd") {
			t.Errorf("%q became %q, %v", s, back.Name, err)
		}
	})
}

// run runs Main in this process, with answers to prompts.
func run(t *testing.T, answers []string, args ...string) (code int, out, problem string) {
	t.Helper()
	var o, e bytes.Buffer
	env := Env{In: strings.NewReader(""), Out: &o, Err: &e, Getenv: func(string) string { return "" }}
	env.ReadPassphrase = func() (string, error) {
		if len(answers) == 0 {
			return "", errors.New("asked too often")
		}
		a := answers[0]
		answers = answers[1:]
		return a, nil
	}
	code = Main(t.Context(), env, args)
	return code, o.String(), e.String()
}

// TestPrompts: passphrases are asked for, new ones twice; nothing is made of
// two that differ.
func TestPrompts(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	if code, _, problem := run(t, []string{testPassphrase, "another one"}, "--home", home, "init", "--name", "Ruth"); code != exitPassphrase || !strings.Contains(problem, "differ") {
		t.Errorf("%d %s", code, problem)
	}
	if vault.Exists(home) {
		t.Error("a vault was made")
	}
	if code, _, problem := run(t, []string{"short"}, "--home", home, "init", "--name", "Ruth"); code != exitPassphrase {
		t.Errorf("%d %s", code, problem)
	}
	if code, out, problem := run(t, []string{testPassphrase, testPassphrase}, "--home", home, "init", "--name", "Ruth"); code != exitDone || strings.Contains(out+problem, testPassphrase) {
		t.Errorf("%d %s", code, problem)
	}
	fresh := "a fresh passphrase"
	if code, _, problem := run(t, []string{testPassphrase, fresh, fresh}, "--home", home, "passphrase"); code != exitDone {
		t.Errorf("%d %s", code, problem)
	}
	if code, _, _ := run(t, []string{fresh}, "--home", home, "dialogue", "list"); code != exitDone {
		t.Errorf("the new passphrase does not open: %d", code)
	}
}

func TestPassphraseFile(t *testing.T) {
	for in, want := range map[string]string{
		"p": "p", "p\n": "p", "p\r\n": "p", "p\n\n": "p\n", " p ": " p ", "p\r": "p\r",
	} {
		path := filepath.Join(t.TempDir(), "pw")
		if err := os.WriteFile(path, []byte(in), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readPassphraseFile(path); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	big := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(big, make([]byte, maxPassphrase+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readPassphraseFile(big); err == nil {
		t.Error("too much was taken")
	}
}

// TestHost: the relay inside keeps its port, and is reached on loopback
// whatever address a card has.
func TestHost(t *testing.T) {
	home := t.TempDir()
	tell := func(key string, args ...any) { t.Log(key, args) }
	h := &host{home: home, tell: tell}
	h.serve([]client.Dialogue{{Relay: "http://127.0.0.1:8000"}})
	if h.relay != nil {
		t.Error("it runs though nobody uses it")
	}
	l := h.proposals()
	if len(l) == 0 {
		t.Fatal("no address")
	}
	first := l[0].Address
	if err := h.shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}

	h = &host{home: home, tell: tell}
	_, port, err := net.SplitHostPort(first.Host())
	if err != nil {
		t.Fatal(err)
	}
	moved, err := relay.NewAddress(true, net.JoinHostPort("192.0.2.7", port), first.Pin()) // as of another network
	if err != nil {
		t.Fatal(err)
	}
	h.serve([]client.Dialogue{{Relay: moved.String()}})
	if h.relay == nil {
		t.Fatal("it does not run though a dialogue is on it")
	}
	defer h.shutdown(t.Context())
	if again := h.proposals()[0].Address; again.Pin() != first.Pin() {
		t.Errorf("another key: %s, not %s", again, first)
	}
	c, err := h.dial(moved)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Do(t.Context(), relay.Exchange{Box: relay.NewBoxKey().Box(1, 1), Mode: relay.Mode1}); err != nil && !errors.Is(err, relay.ErrNoBox) {
		t.Errorf("not reached: %v", err)
	}
}
