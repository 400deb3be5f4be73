package relay_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/relay"
)

// A memListener accepts connections that dial makes, in memory.
type memListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemListener() *memListener {
	return &memListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *memListener) Addr() net.Addr { return memAddr{} }

type memAddr struct{}

func (memAddr) Network() string { return "mem" }
func (memAddr) String() string  { return "mem" }

func (l *memListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-l.closed:
		return nil, errors.New("refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve runs a handler for the rest of the test, and gives a client of it.
func serve(t *testing.T, h http.HandlerFunc) *relay.Client {
	l := newMemListener()
	s := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	go s.Serve(l)
	addr, err := relay.ParseAddress("http://localhost")
	if err != nil {
		t.Fatal(err)
	}
	c, err := relay.NewClient(addr, relay.WithDial(l.dial))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c
}

// parse reads a request.
func parse(t *testing.T, r *http.Request) (req relay.Request, sum relay.RequestSum) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	sum, err = relay.ParseRequest(b, &req)
	if err != nil {
		t.Error(err)
	}
	return req, sum
}

// page answers a request with cells from its From on.
func page(req *relay.Request, cells int) relay.Answer {
	a := relay.Answer{Mode: req.Mode, ID: req.ID}
	a.Page = relay.Page{First: req.From, Next: req.From + uint64(cells), Appended: relay.NotAppended}
	for i := range cells {
		a.Page.Cells = append(a.Page.Cells, relay.Cell{byte(i)})
		a.Page.Hours = append(a.Page.Hours, 500_000)
	}
	return a
}

func send(w http.ResponseWriter, status int, b []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	w.Write(b)
}

func testBox() *relay.Box { return relay.NewBoxKey().Box(30, 9) }

// Every way to spoil an answer ends in an error that says to try again.
func TestClientRefusesSpoiltAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(req *relay.Request, a *relay.Answer) // before it gets its sum
		bytes func(b []byte) []byte                     // after
		want  error
	}{
		"untouched":        {},
		"flipped":          {bytes: func(b []byte) []byte { b[700] ^= 1; return b }, want: relay.ErrCorrupt},
		"flipped sum":      {bytes: func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, want: relay.ErrCorrupt},
		"cells swapped":    {bytes: func(b []byte) []byte { b[512], b[512+4096] = b[512+4096], b[512]; return b }, want: relay.ErrCorrupt},
		"short":            {bytes: func(b []byte) []byte { return b[:len(b)-1] }, want: relay.ErrUnavailable},
		"long":             {bytes: func(b []byte) []byte { return append(b, 0) }, want: relay.ErrUnavailable},
		"nothing":          {bytes: func(b []byte) []byte { return nil }, want: relay.ErrUnavailable},
		"other id":         {spoil: func(_ *relay.Request, a *relay.Answer) { a.ID[0]++ }, want: relay.ErrCorrupt},
		"other mode":       {spoil: func(_ *relay.Request, a *relay.Answer) { a.Mode = relay.Mode16 }, want: relay.ErrUnavailable},
		"earlier cells":    {spoil: func(_ *relay.Request, a *relay.Answer) { a.Page.First-- }, want: relay.ErrCorrupt},
		"cells past head":  {spoil: func(_ *relay.Request, a *relay.Answer) { a.Page.Next-- }, want: relay.ErrCorrupt},
		"nothing appended": {spoil: func(_ *relay.Request, a *relay.Answer) { a.Page.Appended = 3 }, want: relay.ErrCorrupt},
		"gone":             {spoil: fail(relay.ErrGone, 0), want: relay.ErrGone},
		"full":             {spoil: fail(relay.ErrFull, 0), want: relay.ErrFull},
		"denied":           {spoil: fail(relay.ErrDenied, 0), want: relay.ErrDenied},
		"limit":            {spoil: fail(relay.ErrLimit, time.Minute), want: relay.ErrLimit},
		"unavailable":      {spoil: fail(relay.ErrUnavailable, 0), want: relay.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				req, sum := parse(t, r)
				a := page(&req, 2)
				if test.spoil != nil {
					test.spoil(&req, &a)
				}
				b := a.Append(nil, sum)
				if test.bytes != nil {
					b = test.bytes(b)
				}
				send(w, a.Code.Status(), b)
			})
			p, err := c.Do(t.Context(), relay.Exchange{Box: testBox(), From: 4})
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if err == nil && len(p.Cells) != 2 || err != nil && len(p.Cells) != 0 {
				t.Errorf("%d cells with %v", len(p.Cells), err)
			}
		})
	}
}

func fail(err error, retry time.Duration) func(*relay.Request, *relay.Answer) {
	return func(_ *relay.Request, a *relay.Answer) {
		a.Code, a.RetryAfter, a.Page = relay.CodeOf(err), retry, relay.Page{Appended: relay.NotAppended}
	}
}

// The answer to an earlier request, whole and rightly signed, is refused.
func TestClientRefusesReplayedAnswers(t *testing.T) {
	var first []byte
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		req, sum := parse(t, r)
		if first == nil {
			a := page(&req, 2)
			first = a.Append(nil, sum)
		}
		send(w, http.StatusOK, first)
	})
	x := relay.Exchange{Box: testBox()}
	if _, err := c.Do(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(t.Context(), x); !errors.Is(err, relay.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

// What is not an answer of a relay is never final, and never followed.
func TestClientBelievesNoBareStatus(t *testing.T) {
	for status, want := range map[int]error{
		200: relay.ErrUnavailable, 302: relay.ErrUnavailable, 307: relay.ErrUnavailable, 400: relay.ErrCorrupt, 403: relay.ErrUnavailable,
		404: relay.ErrUnavailable, 410: relay.ErrUnavailable, 429: relay.ErrLimit, 501: relay.ErrTooOld, 502: relay.ErrUnavailable, 503: relay.ErrUnavailable,
	} {
		requests := 0
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			requests++
			parse(t, r)
			w.Header().Set("Location", "/elsewhere")
			send(w, status, []byte("a page of some proxy"))
		})
		_, err := c.Do(t.Context(), relay.Exchange{Box: testBox()})
		if !errors.Is(err, want) || requests != 1 {
			t.Errorf("status %d: %v after %d requests, want %v", status, err, requests, want)
		}
	}
}

func TestLimitHasATime(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		req, sum := parse(t, r)
		a := relay.Answer{Mode: req.Mode, ID: req.ID}
		fail(relay.ErrLimit, time.Duration(req.From)*time.Second)(nil, &a)
		send(w, 429, a.Append(nil, sum))
	})
	for seconds, want := range map[uint64]time.Duration{0: 0, 7: 7 * time.Second, 4000: time.Hour} {
		_, err := c.Do(t.Context(), relay.Exchange{Box: testBox(), From: seconds})
		var limit *relay.LimitError
		if !errors.As(err, &limit) || limit.RetryAfter != want || !relay.Retryable(err) {
			t.Errorf("%d s: %v", seconds, err)
		}
	}
}

// What the caller got wrong is said without a request.
func TestClientRefusesBadExchanges(t *testing.T) {
	c := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	b := testBox()
	for name, x := range map[string]relay.Exchange{
		"no box":          {},
		"mode":            {Box: b, Mode: 5},
		"long wait":       {Box: b, Wait: relay.MaxWait + 1},
		"negative wait":   {Box: b, Wait: -time.Hour},
		"append and wait": {Box: b, Wait: time.Second, Append: new(relay.Cell)},
		"position":        {Box: b, From: 4097},
		"ticket":          {Box: b, Ticket: make([]byte, relay.MaxTicket+1)},
	} {
		if _, err := c.Do(t.Context(), x); err == nil || relay.Retryable(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := relay.NewClient(relay.Address{}); err == nil {
		t.Error("a client of no address")
	}
}

// In a bubble: time is fake, and every goroutine must end.
func TestClientTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			req, sum := parse(t, r)
			if req.From == 1 {
				<-r.Context().Done() // never answers
				return
			}
			time.Sleep(req.Wait)
			a := page(&req, 0)
			send(w, 200, a.Append(nil, sum))
		})
		start := time.Now()
		if _, err := c.Do(t.Context(), relay.Exchange{Box: testBox(), Wait: relay.MaxWait - time.Millisecond}); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d != relay.MaxWait {
			t.Errorf("waited %v", d)
		}
		start = time.Now()
		_, err := c.Do(t.Context(), relay.Exchange{Box: testBox(), From: 1, Wait: 10 * time.Second})
		if d := time.Since(start); !errors.Is(err, relay.ErrUnavailable) || d != 40*time.Second {
			t.Errorf("%v after %v", err, d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err = c.Do(ctx, relay.Exchange{Box: testBox(), From: 1}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the caller's own time: %v", err)
		}
	})
}

func TestCloseEndsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) { parse(t, r); <-r.Context().Done() })
		var g sync.WaitGroup
		for range 3 {
			g.Go(func() {
				if _, err := c.Do(t.Context(), relay.Exchange{Box: testBox()}); !errors.Is(err, relay.ErrUnavailable) {
					t.Errorf("got %v", err)
				}
			})
		}
		synctest.Wait()
		c.Close()
		g.Wait()
		if _, err := c.Do(t.Context(), relay.Exchange{Box: testBox()}); !errors.Is(err, relay.ErrUnavailable) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// certificate makes a key and a certificate for the names given, long expired.
func certificate(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"somewhere.else"}, NotAfter: time.Unix(1e9, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestPin(t *testing.T) {
	right, wrong := certificate(t), certificate(t)
	l := newMemListener()
	s := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, sum := parse(t, r)
		a := page(&req, 1)
		send(w, 200, a.Append(nil, sum))
	})}
	go s.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{right}}))
	t.Cleanup(func() { s.Close() })
	for name, test := range map[string]struct {
		pin  relay.Pin
		want error
	}{
		"right": {relay.KeyPin(right.Leaf), nil},
		"wrong": {relay.KeyPin(wrong.Leaf), relay.ErrWrongKey},
		"none":  {relay.Pin{}, relay.ErrUnavailable}, // no authority vouches for it
	} {
		addr, err := relay.NewAddress(true, "relay.example.org:443", test.pin)
		if err != nil {
			t.Fatal(err)
		}
		c, err := relay.NewClient(addr, relay.WithDial(l.dial))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Do(t.Context(), relay.Exchange{Box: testBox()}); !errors.Is(err, test.want) || err != nil && !relay.Retryable(err) {
			t.Errorf("%s: %v", name, err)
		}
		c.Close()
	}
}
