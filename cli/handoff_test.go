package cli

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// running is a first process: a note and what answers at its address.
func running(t *testing.T, links ...string) (handoffNote, *httptest.Server) {
	t.Helper()
	var n handoffNote
	next := 0
	s := httptest.NewUnstartedServer(nil)
	n = handoffNote{Address: s.Listener.Addr().String(), Secret: random32()}
	s.Config.Handler = n.handler(func() string { next++; return links[next-1] },
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	s.Start()
	t.Cleanup(s.Close)
	return n, s
}

func TestHandoff(t *testing.T) {
	n, s := running(t, "/open?once=A", "/open?once=B")
	for _, want := range []string{"/open?once=A", "/open?once=B"} {
		if got, err := n.ask(t.Context()); err != nil || got != want {
			t.Errorf("%q, %v", got, err)
		}
	}
	res, err := http.Get(s.URL + "/else")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusTeapot {
		t.Errorf("another path was not left to the pages: %s", res.Status)
	}
}

// TestHandoffRefuses: who does not know the secret gets no link.
func TestHandoffRefuses(t *testing.T) {
	n, s := running(t)
	good := question{Challenge: random32()}
	good.MAC = n.mac("question", good.Challenge)
	encode := func(q question) string {
		b, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	other := handoffNote{n.Address, random32()}
	for name, r := range map[string]struct{ method, host, body string }{
		"a guess":        {"POST", "", encode(question{good.Challenge, strings.Repeat("0", 64)})},
		"another secret": {"POST", "", encode(question{good.Challenge, other.mac("question", good.Challenge)})},
		"an answer's":    {"POST", "", encode(question{good.Challenge, n.mac("answer", good.Challenge)})},
		"no challenge":   {"POST", "", encode(question{"", n.mac("question", "")})},
		"nonsense":       {"POST", "", "{"},
		"too long":       {"POST", "", encode(good) + strings.Repeat(" ", maxHandoff)},
		"a GET":          {"GET", "", encode(good)},
		"another host":   {"POST", "evil.example", encode(good)},
	} {
		req, err := http.NewRequest(r.method, s.URL+handoffPath, strings.NewReader(r.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = r.host
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", name, res.Status)
		}
	}
}

// TestHandoffImpostor: who took the port over after a crash can't send the
// browser anywhere.
func TestHandoffImpostor(t *testing.T) {
	home := t.TempDir()
	q := question{Challenge: random32()}
	var reply func(w http.ResponseWriter, r *http.Request)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { reply(w, r) }))
	defer s.Close()
	n, remove, err := announce(home, s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(http.ResponseWriter, *http.Request){
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://evil.example", http.StatusFound)
		},
		"a guess": func(w http.ResponseWriter, r *http.Request) {
			json.NewEncoder(w).Encode(answer{"/open", strings.Repeat("0", 64)})
		},
		"another challenge's": func(w http.ResponseWriter, r *http.Request) {
			json.NewEncoder(w).Encode(answer{"/open", n.mac("answer", q.Challenge, "/open")})
		},
		"the question back": func(w http.ResponseWriter, r *http.Request) {
			var got question
			json.NewDecoder(r.Body).Decode(&got)
			json.NewEncoder(w).Encode(answer{"/open", got.MAC})
		},
	} {
		reply = f
		if link := askRunning(t.Context(), home); link != "" {
			t.Errorf("%s: %q would be opened", name, link)
		}
	}
	for _, link := range []string{"http://evil.example/", "//evil.example/", "open", "", "/\\evil.example", "/a\nb"} {
		b, err := json.Marshal(answer{link, n.mac("answer", q.Challenge, link)})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := n.check(q, b); err == nil {
			t.Errorf("the link %q passes as %q", link, got)
		}
	}
	remove()
	if _, err := os.Stat(filepath.Join(home, handoffFile)); !os.IsNotExist(err) {
		t.Errorf("the note stays: %v", err)
	}
	if link := askRunning(t.Context(), home); link != "" {
		t.Errorf("nobody runs, and yet %q", link)
	}
}

// TestHandoffRemove: who ends later than another began leaves its note alone.
func TestHandoffRemove(t *testing.T) {
	home := t.TempDir()
	_, removeFirst, err := announce(home, "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := announce(home, "127.0.0.1:2")
	if err != nil {
		t.Fatal(err)
	}
	removeFirst()
	if n, err := readHandoff(home); err != nil || n != second {
		t.Errorf("%v, %v", n, err)
	}
	info, err := os.Stat(filepath.Join(home, handoffFile))
	if err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func FuzzParseHandoff(f *testing.F) {
	good, err := json.Marshal(handoffNote{"127.0.0.1:8000", strings.Repeat("0f", 32)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"address":"192.0.2.1:80","secret":"00"}`))
	f.Add([]byte(`{"address":"127.0.0.1:0","secret":"` + strings.Repeat("00", 32) + `"}`))
	f.Add([]byte(`{"address":"[::1]:80","secret":"` + strings.Repeat("AB", 32) + `"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := parseHandoff(b)
		if err != nil {
			return
		}
		again, err := json.Marshal(n)
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%q comes back as %q, %v", b, again, err)
		}
	})
}
