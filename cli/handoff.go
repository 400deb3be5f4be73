package cli

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A second parley finds the first, and gets from it a fresh address to open.
//
// The first writes HOME/app.json, which only its owner can read: the address
// at which it listens, and a secret of this run. The second posts a random
// challenge to /handoff there, with an HMAC under the secret that shows that
// it may ask; the first answers with a link that works once, and an HMAC over
// the challenge and the link. So neither a web page nor another user of this
// computer gets a link, and a stranger that took the port over after a crash
// can't send a browser anywhere: the passphrase would be typed there.

const (
	handoffPath = "/handoff"
	handoffFile = "app.json"
	handoffTime = 3 * time.Second

	maxHandoff = 4096 // bytes of the file, a question or an answer
)

// A handoffNote is the file.
type handoffNote struct {
	Address string `json:"address"` // ip:port
	Secret  string `json:"secret"`  // 32 bytes in hexadecimal
}

// A question is what the second process posts, an answer what it gets.
type question struct {
	Challenge string `json:"challenge"` // 32 bytes in hexadecimal
	MAC       string `json:"mac"`
}

type answer struct {
	Link string `json:"link"` // a path with its query
	MAC  string `json:"mac"`
}

// mac is the HMAC-SHA256, in hexadecimal, of a purpose and parts. No part has
// a line feed.
func (n handoffNote) mac(purpose string, parts ...string) string {
	h := hmac.New(sha256.New, []byte(n.Secret))
	io.WriteString(h, "parley handoff v1 "+purpose+"\n"+strings.Join(parts, "\n"))
	return hex.EncodeToString(h.Sum(nil))
}

func random32() string {
	b := make([]byte, 32)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// announce writes the file; remove it in the end.
func announce(home, address string) (n handoffNote, remove func(), err error) {
	n = handoffNote{Address: address, Secret: random32()}
	b, err := json.Marshal(n)
	if err != nil {
		return n, nil, err
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return n, nil, err
	}
	path := filepath.Join(home, handoffFile)
	err = save(path, func(w io.Writer) error { // of a temporary file, which only its owner can read
		_, err := w.Write(b)
		return err
	})
	return n, func() {
		if now, err := readHandoff(home); err == nil && now == n {
			os.Remove(path)
		}
	}, err
}

// readHandoff reads the file and checks all of it.
func readHandoff(home string) (n handoffNote, err error) {
	f, err := os.Open(filepath.Join(home, handoffFile))
	if err != nil {
		return n, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxHandoff))
	if err != nil {
		return n, err
	}
	return parseHandoff(b)
}

var errHandoff = errors.New("not what a running Parley writes")

// parseHandoff accepts what announce writes: a loopback address and a secret.
func parseHandoff(b []byte) (n handoffNote, err error) {
	if err := json.Unmarshal(b, &n); err != nil {
		return handoffNote{}, err
	}
	if again, err := json.Marshal(n); err != nil || !bytes.Equal(again, b) {
		return handoffNote{}, errHandoff
	}
	at, err := netip.ParseAddrPort(n.Address)
	secret, serr := hex.DecodeString(n.Secret)
	if err != nil || serr != nil || !at.Addr().IsLoopback() || at.Port() == 0 || at.String() != n.Address || len(secret) != 32 {
		return handoffNote{}, errHandoff
	}
	return n, nil
}

// handler answers /handoff with fresh links, and leaves the rest to next.
func (n handoffNote) handler(link func() string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != handoffPath {
			next.ServeHTTP(w, r)
			return
		}
		var q question
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxHandoff))
		if err != nil || r.Method != http.MethodPost || r.Host != n.Address || json.Unmarshal(body, &q) != nil ||
			len(q.Challenge) != 64 || !hmac.Equal([]byte(q.MAC), []byte(n.mac("question", q.Challenge))) {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		a := answer{Link: link()}
		a.MAC = n.mac("answer", q.Challenge, a.Link)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		json.NewEncoder(w).Encode(a)
	})
}

// askRunning gets a fresh address from the Parley that runs on this home;
// "" where there is none.
func askRunning(ctx context.Context, home string) string {
	n, err := readHandoff(home)
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, handoffTime)
	defer cancel()
	link, err := n.ask(ctx)
	if err != nil {
		return ""
	}
	return "http://" + n.Address + link
}

func (n handoffNote) ask(ctx context.Context) (string, error) {
	q := question{Challenge: random32()}
	q.MAC = n.mac("question", q.Challenge)
	body, err := json.Marshal(q)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+n.Address+handoffPath, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	c := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true}, // and no proxy
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxHandoff))
	if err != nil || res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("handoff: %s: %w", res.Status, errors.Join(errHandoff, err))
	}
	return n.check(q, b)
}

// check takes an answer apart.
func (n handoffNote) check(q question, b []byte) (string, error) {
	var a answer
	if err := json.Unmarshal(b, &a); err != nil {
		return "", err
	}
	u, err := url.Parse(a.Link)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(a.Link, "/") || strings.ContainsAny(a.Link, "\n\\") ||
		!hmac.Equal([]byte(a.MAC), []byte(n.mac("answer", q.Challenge, a.Link))) {
		return "", errHandoff
	}
	return a.Link, nil
}
