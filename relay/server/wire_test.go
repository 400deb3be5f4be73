package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"parley/internal/wire"
	"parley/relay"
)

// request makes a request as it lies on the wire.
func request(box *relay.Box, change func(*relay.Request)) []byte {
	r := &relay.Request{Op: relay.OpRead, Mode: relay.Mode8, Box: box.ID(), ID: [16]byte{1}}
	r.Read, r.Write, r.Destroy = box.Tokens()
	p := box.Proof()
	r.Retention, r.Idle = p.Retention, p.Idle
	if change != nil {
		change(r)
	}
	if r.Op != relay.OpAppend {
		r.Write = p.Write
	}
	if r.Op != relay.OpDestroy {
		r.Destroy = p.Destroy
	} else {
		r.Read = p.Read
	}
	b, _ := r.Append(nil)
	return b
}

// onTheLine sends a request by hand, and returns the size of all that comes
// back, and its status.
func onTheLine(t *testing.T, addr relay.Address, body []byte) (size, status int) {
	t.Helper()
	c, err := net.Dial("tcp", addr.Host())
	must(t, err)
	defer c.Close()
	_, err = fmt.Fprintf(c, "POST /v1 HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", addr.Host(), len(body), body)
	must(t, err)
	all, err := io.ReadAll(c)
	must(t, err)
	res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(all)), nil)
	must(t, err)
	return len(all), res.StatusCode
}

// A brokenStore fails to read one box.
type brokenStore struct {
	relay.Store
	broken relay.BoxID
}

var errDisk = errors.New("the disk is on fire")

func (s brokenStore) Read(ctx context.Context, id relay.BoxID, from uint64, max int) (relay.Page, error) {
	if id == s.broken {
		return relay.Page{}, errDisk
	}
	return s.Store.Read(ctx, id, from, max)
}

// All answers of a mode have one size on the line, whatever they say.
func TestAnswersHaveOneSize(t *testing.T) {
	broken, store := newBox(), memStore(t)
	r, c := start(t, Options{
		Store:  brokenStore{store, broken.ID()},
		Limits: Limits{MaxBoxes: 3, MaxWaiting: -1},
	})
	ctx := t.Context()
	empty, some, full, gone, busy, tooMany := newBox(), newBox(), newBox(), newBox(), relay.NewBoxKey().Box(30, 3), newBox()
	for i := range 70 {
		_, err := c.Do(ctx, relay.Exchange{Box: some, Append: cellOf(i)})
		must(t, err)
	}
	must(t, store.Open(ctx, full.Proof(), 500_000))
	for i := range wire.BoxCapacity {
		_, err := store.Append(ctx, full.ID(), cellOf(i), 500_000)
		must(t, err)
	}
	_, err := c.Do(ctx, relay.Exchange{Box: gone, Append: cellOf(0)})
	must(t, err)
	must(t, c.Destroy(ctx, gone))
	_, err = c.Do(ctx, relay.Exchange{Box: busy, Append: cellOf(0)})
	must(t, err)

	read := func(r *relay.Request) {}
	appending := func(r *relay.Request) { r.Op = relay.OpAppend; r.Cell = relay.Cell{9, 9, 9} }
	destroying := func(r *relay.Request) { r.Op = relay.OpDestroy }
	waiting := func(r *relay.Request) { r.Wait = time.Second }
	denied := func(r *relay.Request) { r.Retention++ }
	for _, mode := range []relay.Mode{relay.Mode1, relay.Mode8, relay.Mode16, relay.Mode32, relay.Mode64} {
		sizes := map[int]string{}
		for _, test := range []struct {
			name   string
			box    *relay.Box
			change func(*relay.Request)
			status int
		}{
			{"empty", empty, read, 200}, {"some", some, read, 200}, {"append", some, appending, 200}, {"denied", some, denied, 403},
			{"full", full, appending, 507}, {"gone", gone, read, 410}, {"gone too", gone, appending, 410}, {"not idle", busy, destroying, 409},
			{"too many boxes", tooMany, appending, 429}, {"too many readers", empty, waiting, 429}, {"broken", broken, read, 503},
		} {
			size, status := onTheLine(t, r.Address(), request(test.box, func(r *relay.Request) { r.Mode = mode; test.change(r) }))
			if status != test.status {
				t.Errorf("%s: status %d, want %d", test.name, status, test.status)
			}
			sizes[size] += test.name + " "
		}
		if len(sizes) != 1 {
			t.Errorf("mode %d: %v", mode, sizes)
		}
	}
}

func TestWhatIsNoRequest(t *testing.T) {
	s := New(Config{Store: memStore(t)})
	good := request(newBox(), nil)
	oldVersion := bytes.Clone(good)
	oldVersion[0] = 0
	flipped := bytes.Clone(good)
	flipped[3000] ^= 1
	for name, test := range map[string]struct {
		method, path string
		body         io.Reader
		want         int
	}{
		"good":         {"POST", "/v1", bytes.NewReader(good), 200},
		"GET":          {"GET", "/v1", nil, 405},
		"PUT":          {"PUT", "/v1", bytes.NewReader(good), 405},
		"other path":   {"POST", "/v2", bytes.NewReader(good), 404},
		"root":         {"GET", "/", nil, 404},
		"empty":        {"POST", "/v1", nil, 400},
		"short":        {"POST", "/v1", bytes.NewReader(good[1:]), 400},
		"long":         {"POST", "/v1", bytes.NewReader(append(bytes.Clone(good), 1)), 400},
		"no length":    {"POST", "/v1", io.MultiReader(bytes.NewReader(good)), 400},
		"huge":         {"POST", "/v1", bytes.NewReader(make([]byte, 1<<20)), 400},
		"flipped":      {"POST", "/v1", bytes.NewReader(flipped), 400},
		"version":      {"POST", "/v1", bytes.NewReader(oldVersion), 501},
		"post metrics": {"POST", "/metrics", nil, 405},
	} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(test.method, test.path, test.body))
		if w.Code != test.want {
			t.Errorf("%s: %d, want %d", name, w.Code, test.want)
		}
		if w.Code != 200 && w.Body.Len() > 100 {
			t.Errorf("%s: %d bytes of explanation", name, w.Body.Len())
		}
	}
}

// A body that is announced and does not come whole.
func TestTruncatedRequest(t *testing.T) {
	r, _ := start(t, Options{})
	c, err := net.Dial("tcp", r.Address().Host())
	must(t, err)
	defer c.Close()
	fmt.Fprintf(c, "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\nhalf", relay.RequestSize)
	must(t, c.(*net.TCPConn).CloseWrite())
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	must(t, err)
	if res.StatusCode != 400 || !res.Close {
		t.Errorf("status %d, close %v", res.StatusCode, res.Close)
	}
}

func TestHealthAndMetrics(t *testing.T) {
	r, c := start(t, Options{})
	box := newBox()
	for i := range 3 {
		_, err := c.Do(t.Context(), relay.Exchange{Box: box, Append: cellOf(i)})
		must(t, err)
	}
	get := func(path string) string {
		t.Helper()
		res, err := http.Get(r.Address().URL() + path)
		must(t, err)
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		must(t, err)
		if res.StatusCode != 200 {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
		return string(b)
	}
	if b := get("/healthz"); b != "ok\n" {
		t.Errorf("health: %q", b)
	}
	m := get("/metrics")
	for _, line := range []string{
		`parley_relay_requests_total{operation="append",outcome="ok"} 3`, "parley_relay_appends_total 3",
		"parley_relay_boxes 1", "parley_relay_cells 3", "parley_relay_waiting_readers 0", "parley_relay_malformed_requests_total 0",
	} {
		if !strings.Contains(m, line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
	if strings.Contains(m, box.ID().String()[:8]) || strings.Contains(m, "127.0.0.1") {
		t.Error("the metrics name a box or an address")
	}
}

func TestMetricsAreForThisComputer(t *testing.T) {
	s := New(Config{Store: memStore(t)})
	for _, test := range []struct {
		remote, host string
		want         int
	}{
		{"127.0.0.1:5", "127.0.0.1:8080", 200}, {"[::1]:5", "[::1]", 200}, {"127.0.0.1:5", "localhost", 200},
		{"192.0.2.1:5", "127.0.0.1", 403}, {"127.0.0.1:5", "relay.example.org", 403}, {"127.0.0.1:5", "192.168.1.2:80", 403}, {"pipe", "localhost", 403},
	} {
		r := httptest.NewRequest("GET", "/metrics", nil)
		r.RemoteAddr, r.Host = test.remote, test.host
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("from %s for %s: %d", test.remote, test.host, w.Code)
		}
	}
}

func TestHealthOfABrokenStore(t *testing.T) {
	s := New(Config{Store: brokenStore{memStore(t), relay.BoxID{}}})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/healthz", nil))
	if w.Code != 503 {
		t.Errorf("status %d", w.Code)
	}
}
