package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/relay"
)

// A network sends requests to a server from one address. Its clock stands still.
type network struct {
	t      testing.TB
	server *Server
	from   string
}

// do sends a request and parses the answer.
func (n network) do(box *relay.Box, change func(*relay.Request)) (relay.Page, error) {
	n.t.Helper()
	b := request(box, change)
	var req relay.Request
	sum, err := relay.ParseRequest(b, &req)
	must(n.t, err)
	r := httptest.NewRequest("POST", relay.Path, bytes.NewReader(b))
	r.RemoteAddr = n.from
	w := httptest.NewRecorder()
	n.server.ServeHTTP(w, r)
	a, err := relay.ParseAnswer(w.Body.Bytes(), sum)
	must(n.t, err)
	if a.Code.Err() == relay.ErrLimit && a.RetryAfter <= 0 {
		n.t.Error("a limit without a time")
	}
	return a.Page, a.Code.Err()
}

func appending(n int) func(*relay.Request) {
	return func(r *relay.Request) { r.Op, r.Cell = relay.OpAppend, *cellOf(n) }
}

func TestRequestRate(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := New(Config{
		Store: memStore(t), Now: func() time.Time { return now },
		Limits: Limits{RequestRate: 2, RequestBurst: 5},
	})
	box := newBox()
	allowed := func(from string) (n int) {
		for {
			if _, err := (network{t, s, from}).do(box, nil); err != nil {
				wantErr(t, err, relay.ErrLimit)
				return n
			}
			if n++; n == 100 {
				return n
			}
		}
	}
	for _, test := range []struct {
		from string
		want int
	}{
		{"192.0.2.1:1", 5}, {"192.0.2.1:2", 0}, {"192.0.2.2:1", 5}, {"[::ffff:192.0.2.2]:1", 0},
		{"[2001:db8::1]:1", 5}, {"[2001:db8::2]:1", 0}, {"[2001:db8:0:1::]:1", 5}, {"127.0.0.1:1", 100}, {"[::1]:1", 100}, {"pipe", 100},
	} {
		if n := allowed(test.from); n != test.want {
			t.Errorf("%s: %d requests, want %d", test.from, n, test.want)
		}
	}
	now = now.Add(time.Second)
	if n := allowed("192.0.2.1:3"); n != 2 {
		t.Errorf("a second later: %d requests", n)
	}
	now = now.Add(-time.Hour) // a clock that goes back gives nothing
	if n := allowed("192.0.2.1:3"); n != 0 {
		t.Errorf("an hour before: %d requests", n)
	}
}

func TestRateForgets(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r := newRate(1, 2)
	for i := range 3 * maxNetworks {
		ip := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		r.allow(netip.PrefixFrom(ip, 32), now)
		if len(r.buckets) > maxNetworks+1 {
			t.Fatalf("%d networks are remembered", len(r.buckets))
		}
	}
	// Those beyond share one bucket, which is empty; the first still has a token.
	if r.allow(netip.MustParsePrefix("192.0.2.1/32"), now) || !r.allow(netip.MustParsePrefix("10.0.0.0/32"), now) {
		t.Error("when there are too many networks, the wrong ones suffer")
	}
	now = now.Add(time.Minute)
	if !r.allow(netip.MustParsePrefix("192.0.2.1/32"), now) || len(r.buckets) > 2 {
		t.Errorf("a minute later %d networks are remembered", len(r.buckets))
	}
}

func TestBoxRate(t *testing.T) {
	s := New(Config{Store: memStore(t), Limits: Limits{BoxRate: 1e-9, BoxBurst: 3}})
	n := network{t, s, "192.0.2.1:1"}
	boxes := []*relay.Box{newBox(), newBox(), newBox(), newBox()}
	for i, b := range boxes {
		_, err := n.do(b, appending(1))
		if i < 3 {
			must(t, err)
		} else {
			wantErr(t, err, relay.ErrLimit)
		}
	}
	_, err := n.do(boxes[0], appending(2)) // no new box
	must(t, err)
	_, err = (network{t, s, "192.0.2.2:1"}).do(boxes[3], appending(1)) // from elsewhere
	must(t, err)
}

func TestSpace(t *testing.T) {
	s := New(Config{Store: memStore(t), Limits: Limits{MaxBoxes: 2, MaxCells: 5, MaxRetention: 30}})
	n := network{t, s, "192.0.2.1:1"}
	for name, b := range map[string]*relay.Box{"long": relay.NewBoxKey().Box(31, 0), "none": relay.NewBoxKey().Box(0, 0)} {
		if _, err := n.do(b, appending(1)); !errors.Is(err, relay.ErrDenied) {
			t.Errorf("retention %s: %v", name, err)
		}
	}
	a, b := relay.NewBoxKey().Box(30, 0), newBox()
	for i := range 2 {
		_, err := n.do(a, appending(i))
		must(t, err)
		_, err = n.do(b, appending(i))
		must(t, err)
	}
	_, err := n.do(newBox(), appending(1))
	wantErr(t, err, relay.ErrLimit)
	_, err = n.do(a, appending(2))
	must(t, err)
	_, err = n.do(a, appending(3))
	wantErr(t, err, relay.ErrLimit)
	p, err := n.do(a, nil) // reading goes on
	must(t, err)
	if p.Next != 3 {
		t.Errorf("next %d", p.Next)
	}
	_, err = n.do(b, func(r *relay.Request) { r.Op = relay.OpDestroy })
	must(t, err)
	_, err = n.do(a, appending(3)) // there is room again
	must(t, err)
}

func TestWaitingReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, c := startInMemory(t, Options{Limits: Limits{MaxWaiting: 3}})
		box := newBox()
		results := make(chan error)
		for range 5 {
			go func() {
				_, err := c.Do(t.Context(), relay.Exchange{Box: box, Wait: 30 * time.Second})
				results <- err
			}()
		}
		synctest.Wait()
		for range 2 {
			wantErr(t, <-results, relay.ErrLimit)
		}
		if n := r.server.hub.count(); n != 3 {
			t.Errorf("%d wait", n)
		}
		for range 3 {
			must(t, <-results)
		}
		if n := r.server.hub.count(); n != 0 || len(r.server.hub.boxes) != 0 {
			t.Errorf("%d still wait, for %d boxes", n, len(r.server.hub.boxes))
		}
	})
}

// Connections that send too slowly, or nothing, are closed in time.
func TestSlowConnections(t *testing.T) {
	body := request(newBox(), nil)
	for name, test := range map[string]struct {
		send  func(w io.Writer)
		after time.Duration
	}{
		"nothing":     {func(io.Writer) {}, 10 * time.Second},
		"half header": {func(w io.Writer) { io.WriteString(w, "POST /v1 HTTP/1.1\r\nHo") }, 10 * time.Second},
		"drops of a header": {func(w io.Writer) {
			io.WriteString(w, "POST /v1 HTTP/1.1\r\n")
			for i := range 100 {
				if _, err := fmt.Fprintf(w, "X-%d: y\r\n", i); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}, 10 * time.Second},
		"half a body": {func(w io.Writer) {
			fmt.Fprintf(w, "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:3000])
		}, 30 * time.Second},
		"drops of a body": {func(w io.Writer) {
			fmt.Fprintf(w, "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", len(body))
			for i := range body {
				if _, err := w.Write(body[i : i+1]); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}, 30 * time.Second},
		"huge header": {func(w io.Writer) {
			io.WriteString(w, "POST /v1 HTTP/1.1\r\nX: "+strings.Repeat("y", 1<<17)+"\r\n\r\n")
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newMemListener()
				startInMemory(t, Options{Listener: l})
				c, err := l.dial(t.Context(), "", "")
				must(t, err)
				begin := time.Now()
				var sending sync.WaitGroup
				sending.Go(func() { test.send(c) })
				io.Copy(io.Discard, c)
				// net/http lingers half a second so that its answer is read.
				if d := time.Since(begin); d < test.after || d > test.after+time.Second {
					t.Errorf("closed after %v, want %v", d, test.after)
				}
				c.Close()
				sending.Wait()
			})
		})
	}
}

// A client that does not take its answer does not hold the connection for ever.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemListener()
		startInMemory(t, Options{Listener: l})
		c, err := l.dial(t.Context(), "", "")
		must(t, err)
		body := request(newBox(), func(r *relay.Request) { r.Wait = 40 * time.Second })
		fmt.Fprintf(c, "POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		begin := time.Now()
		time.Sleep(40*time.Second + DefaultLimits.WriteTime + time.Second)
		n, _ := io.Copy(io.Discard, c)
		if n >= int64(relay.Mode8.AnswerSize()) {
			t.Errorf("%d bytes came after %v", n, time.Since(begin))
		}
		c.Close()
	})
}

func TestConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemListener()
		startInMemory(t, Options{Listener: l, Limits: Limits{MaxConns: 2}})
		for range 2 {
			c, err := l.dial(t.Context(), "", "")
			must(t, err)
			defer c.Close()
		}
		begin := time.Now()
		c, err := l.dial(t.Context(), "", "") // taken only when one of the two is given up
		must(t, err)
		c.Close()
		if d := time.Since(begin); d < DefaultLimits.HeaderTime {
			t.Errorf("a third connection after %v", d)
		}
	})
}

func TestIdleConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemListener()
		startInMemory(t, Options{Listener: l})
		c, err := l.dial(t.Context(), "", "")
		must(t, err)
		begin := time.Now()
		go io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		io.Copy(io.Discard, c)
		if d := time.Since(begin); d != DefaultLimits.IdleTime {
			t.Errorf("closed after %v", d)
		}
		c.Close()
	})
}

var _ http.Handler = (*Server)(nil)
