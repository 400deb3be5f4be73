package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"parley/relay"
	"parley/relay/store/pebble"
)

// memStore is a store in memory, closed after the test if nobody else does.
func memStore(t testing.TB) relay.Store {
	s, err := pebble.Open("relay", pebble.Options{FS: vfs.NewMem()})
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func newBox() *relay.Box { return relay.NewBoxKey().Box(30, 0) }

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
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// startInMemory runs a relay that needs nothing of the machine, so that a bubble
// can hold it, and a client of it.
func startInMemory(t testing.TB, o Options) (*Relay, *relay.Client) {
	t.Helper()
	if o.Listener == nil {
		o.Listener = newMemListener()
	}
	if o.Store == nil {
		o.Store = memStore(t)
	}
	l := o.Listener.(*memListener)
	r, err := Embedded(o)
	must(t, err)
	c, err := relay.NewClient(r.Address(), relay.WithDial(l.dial))
	must(t, err)
	t.Cleanup(func() {
		c.Close()
		if err := r.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r, c
}

// A year of waiting, expiry and restart takes no time in a bubble.
func TestRelayInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := startInMemory(t, Options{})
		ctx := t.Context()
		box := relay.NewBoxKey().Box(2, 0)
		begin := time.Now()
		p, err := c.Do(ctx, relay.Exchange{Box: box, Wait: relay.MaxWait})
		must(t, err)
		if d := time.Since(begin); d != relay.MaxWait || len(p.Cells) != 0 {
			t.Errorf("%d cells after %v", len(p.Cells), d)
		}
		p, err = c.Do(ctx, relay.Exchange{Box: box, Append: cellOf(1)})
		must(t, err)
		if want := uint32(time.Now().Unix() / 3600); p.Hours[0] != want {
			t.Errorf("arrived in hour %d, want %d", p.Hours[0], want)
		}
		time.Sleep(48 * time.Hour)
		p, err = c.Do(ctx, relay.Exchange{Box: box})
		must(t, err)
		if len(p.Cells) != 1 {
			t.Error("the cell expired too early")
		}
		time.Sleep(2 * time.Hour)
		p, err = c.Do(ctx, relay.Exchange{Box: box})
		must(t, err)
		if len(p.Cells) != 0 || p.First != 1 || p.Next != 1 {
			t.Errorf("after its retention: %d cells, first %d, next %d", len(p.Cells), p.First, p.Next)
		}
	})
}

// Every reader who waits is woken by one append, and by nothing else.
func TestWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := startInMemory(t, Options{})
		box, other := newBox(), newBox()
		begin := time.Now()
		var g sync.WaitGroup
		for from := range uint64(3) {
			for range 3 {
				g.Go(func() {
					p, err := c.Do(t.Context(), relay.Exchange{Box: box, From: from, Wait: relay.MaxWait})
					if want := time.Duration(from+1) * time.Second; err != nil || len(p.Cells) != 1 || time.Since(begin) != want {
						t.Errorf("from %d: %d cells, %v, after %v", from, len(p.Cells), err, time.Since(begin))
					}
				})
			}
		}
		for i := range 3 {
			time.Sleep(time.Second)
			for _, b := range []*relay.Box{other, box} {
				_, err := c.Do(t.Context(), relay.Exchange{Box: b, Append: cellOf(i), Mode: relay.Mode1})
				must(t, err)
			}
		}
		g.Wait()
	})
}

func TestDestroyWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := startInMemory(t, Options{})
		box := newBox()
		_, err := c.Do(t.Context(), relay.Exchange{Box: box, Append: cellOf(0)})
		must(t, err)
		result := make(chan error)
		go func() {
			_, err := c.Do(t.Context(), relay.Exchange{Box: box, From: 1, Wait: relay.MaxWait})
			result <- err
		}()
		synctest.Wait()
		begin := time.Now()
		must(t, c.Destroy(t.Context(), box))
		wantErr(t, <-result, relay.ErrGone)
		if time.Since(begin) != 0 {
			t.Errorf("told after %v", time.Since(begin))
		}
	})
}

// Who goes away while waiting leaves nothing behind.
func TestReaderGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, c := startInMemory(t, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { synctest.Wait(); cancel() }()
		_, err := c.Do(ctx, relay.Exchange{Box: newBox(), Wait: relay.MaxWait})
		wantErr(t, err, context.Canceled)
		synctest.Wait()
		if n := r.server.hub.count(); n != 0 {
			t.Errorf("%d wait", n)
		}
	})
}

func TestShutdownReleasesReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, c := startInMemory(t, Options{})
		results := make(chan error)
		for range 4 {
			go func() {
				_, err := c.Do(t.Context(), relay.Exchange{Box: newBox(), Wait: relay.MaxWait})
				results <- err
			}()
		}
		synctest.Wait()
		begin := time.Now()
		must(t, r.Shutdown(t.Context()))
		for range 4 {
			must(t, <-results)
		}
		if d := time.Since(begin); d > time.Second {
			t.Errorf("shutting down took %v", d)
		}
		_, err := c.Do(t.Context(), relay.Exchange{Box: newBox()})
		wantErr(t, err, relay.ErrUnavailable)
	})
}

// A slowStore takes its time to append.
type slowStore struct{ relay.Store }

func (s slowStore) Append(ctx context.Context, id relay.BoxID, cell *relay.Cell, hour uint32) (uint64, error) {
	time.Sleep(5 * time.Second)
	return s.Store.Append(ctx, id, cell, hour)
}

func TestShutdownLetsAppendsFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, c := startInMemory(t, Options{Store: slowStore{memStore(t)}})
		result := make(chan error)
		go func() {
			p, err := c.Do(t.Context(), relay.Exchange{Box: newBox(), Append: cellOf(1)})
			if err == nil && len(p.Cells) != 1 {
				t.Errorf("%d cells", len(p.Cells))
			}
			result <- err
		}()
		synctest.Wait()
		must(t, r.Shutdown(t.Context()))
		must(t, <-result)
	})
}

func TestShutdownHasAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemListener()
		r, err := Embedded(Options{Listener: l, Store: slowStore{memStore(t)}})
		must(t, err)
		c, err := relay.NewClient(r.Address(), relay.WithDial(l.dial))
		must(t, err)
		defer c.Close()
		go c.Do(t.Context(), relay.Exchange{Box: newBox(), Append: cellOf(1)})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		err = r.Shutdown(ctx)
		wantErr(t, err, context.DeadlineExceeded)
		if again := r.Shutdown(t.Context()); again == nil || again.Error() != err.Error() {
			t.Errorf("a second Shutdown says %v", again)
		}
		if d := time.Since(begin); d != time.Second {
			t.Errorf("took %v", d)
		}
		time.Sleep(time.Minute) // the slow append ends too
	})
}

// Acknowledged cells, and the address, are there after a restart.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	box := newBox()
	for i := range 3 {
		r, c := start(t, Options{Dir: dir})
		p, err := c.Do(t.Context(), relay.Exchange{Box: box, Append: cellOf(i)})
		must(t, err)
		if p.Appended != uint64(i) || len(p.Cells) != i+1 {
			t.Errorf("run %d: position %d, %d cells", i, p.Appended, len(p.Cells))
		}
		c.Close()
		must(t, r.Shutdown(t.Context()))
	}
}

// elsewhere is a listener that says it is at another address.
type elsewhere struct {
	net.Listener
	addr net.Addr
}

func (l elsewhere) Addr() net.Addr { return l.addr }

// startElsewhere runs a relay as if off loopback; clients reach it through dial.
func startElsewhere(t *testing.T, o Options) (r *Relay, dial func(context.Context, string, string) (net.Conn, error)) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	o.Listener = elsewhere{l, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 5), Port: 8443}}
	r, err = Embedded(o)
	must(t, err)
	t.Cleanup(func() { r.Shutdown(context.Background()) })
	return r, func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, l.Addr().String())
	}
}

func TestSelfSigned(t *testing.T) {
	dir := t.TempDir()
	var first relay.Address
	for i := range 2 {
		r, dial := startElsewhere(t, Options{Dir: dir})
		addr := r.Address()
		if !strings.HasPrefix(addr.String(), "https://192.0.2.5:8443#pin=") || i > 0 && addr != first {
			t.Errorf("the address is %s, was %s", addr, first)
		}
		first = addr
		c, err := relay.NewClient(addr, relay.WithDial(dial))
		must(t, err)
		_, err = c.Do(t.Context(), relay.Exchange{Box: newBox(), Append: cellOf(1)})
		must(t, err)
		c.Close()
		must(t, r.Shutdown(t.Context()))
	}
	if info, err := os.Stat(filepath.Join(dir, certFile)); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the key can be read by others: %v, %v", info.Mode(), err)
	}
	must(t, os.WriteFile(filepath.Join(dir, certFile), []byte("damaged"), 0o600))
	if _, err := Listen(Options{Dir: dir, Listener: elsewhere{newMemListener(), &net.TCPAddr{IP: net.IPv4(192, 0, 2, 5), Port: 8443}}}); err == nil {
		t.Error("a damaged key was replaced: cards would name the old one")
	}
}

func TestOwnCertificateFile(t *testing.T) {
	dir := t.TempDir()
	text, err := makeCertificate()
	must(t, err)
	cert, rest := pem.Decode(text)
	key, _ := pem.Decode(rest)
	certPath, keyPath := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(t, os.WriteFile(certPath, pem.EncodeToMemory(cert), 0o600))
	must(t, os.WriteFile(keyPath, pem.EncodeToMemory(key), 0o600))
	pair, err := tls.LoadX509KeyPair(certPath, keyPath)
	must(t, err)
	r, c := start(t, Options{CertFile: certPath, KeyFile: keyPath}) // on loopback, too
	if a := r.Address(); !a.Secure() || a.Pin() != relay.KeyPin(pair.Leaf) {
		t.Errorf("the address is %s", a)
	}
	_, err = c.Do(t.Context(), relay.Exchange{Box: newBox(), Append: cellOf(1)})
	must(t, err)
	for _, o := range []Options{{CertFile: certPath}, {CertFile: certPath, KeyFile: "missing"}, {CertFile: keyPath, KeyFile: keyPath}} {
		o.Addr, o.Dir = "127.0.0.1:0", t.TempDir()
		if _, err := Listen(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

func TestListenFails(t *testing.T) {
	r, _ := start(t, Options{})
	dir := t.TempDir()
	if _, err := Listen(Options{Addr: r.Address().Host(), Dir: dir}); err == nil {
		t.Error("two relays at one address")
	}
	again, err := Listen(Options{Addr: "127.0.0.1:0", Dir: dir}) // the failure left nothing open
	must(t, err)
	if _, err := Listen(Options{Addr: "127.0.0.1:0", Dir: dir}); err == nil {
		t.Error("two relays in one directory")
	}
	must(t, again.Shutdown(t.Context())) // also if it never served
}

func TestProposals(t *testing.T) {
	pin := relay.Pin{1}
	ips := func(texts ...string) (all []netip.Addr) {
		for _, s := range texts {
			all = append(all, netip.MustParseAddr(s))
		}
		return all
	}
	laptop := ips("127.0.0.1", "::1", "2001:db8::9", "192.168.1.20")
	for _, test := range []struct {
		place string
		ips   []netip.Addr
		want  string
	}{
		{"127.0.0.1:80", laptop, "127.0.0.1:80=0"},
		{"192.168.1.20:8443", laptop, "192.168.1.20:8443=1"},
		{"[::]:8443", laptop, "192.168.1.20:8443=1 [2001:db8::9]:8443=2 127.0.0.1:8443=0 [::1]:8443=0"},
		{"0.0.0.0:8443", laptop, "192.168.1.20:8443=1 127.0.0.1:8443=0"},
		{"0.0.0.0:8443", ips("127.0.0.1", "10.0.0.3", "203.0.113.9"), "203.0.113.9:8443=2 10.0.0.3:8443=1 127.0.0.1:8443=0"},
		{"0.0.0.0:8443", ips("169.254.3.4", "100.64.1.2"), "169.254.3.4:8443=1 100.64.1.2:8443=1"},
	} {
		all, err := propose(true, netip.MustParseAddrPort(test.place), pin, test.ips)
		must(t, err)
		var got []string
		for _, p := range all {
			got = append(got, fmt.Sprintf("%s=%d", p.Address.Host(), p.Reach))
			if p.Address.Pin() != pin {
				t.Error("without the pin")
			}
		}
		if s := strings.Join(got, " "); s != test.want {
			t.Errorf("%s: %s, want %s", test.place, s, test.want)
		}
	}
	if _, err := Interfaces(); err != nil {
		t.Error(err)
	}
}

// The log of a busy relay says nothing about anybody, and no file has a token.
func TestNothingToTell(t *testing.T) {
	var out syncBuffer
	dir := t.TempDir()
	broken := newBox()
	store, err := pebble.Open(dir, pebble.Options{})
	must(t, err)
	r, c := start(t, Options{
		Dir: dir, Store: brokenStore{store, broken.ID()},
		Log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	key := relay.NewBoxKey()
	box := key.Box(30, 0)
	_, err = c.Do(t.Context(), relay.Exchange{Box: box, Append: cellOf(1)})
	must(t, err)
	_, err = c.Do(t.Context(), relay.Exchange{Box: broken})
	wantErr(t, err, relay.ErrUnavailable)
	c.Do(t.Context(), relay.Exchange{Box: broken, Append: cellOf(1)})
	must(t, c.Destroy(t.Context(), newBox()))
	onTheLine(t, r.Address(), []byte("nonsense"))
	conn, err := net.Dial("tcp", r.Address().Host()) // and one that breaks off
	must(t, err)
	fmt.Fprint(conn, "\x16\x03\x01 no TLS here\r\n\r\n")
	conn.Close()
	must(t, r.Shutdown(t.Context()))

	text := out.String()
	for _, want := range []string{"the relay runs", "the relay stopped", errDisk.Error()} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q is in the log %d times", want, strings.Count(text, want))
		}
	}
	if lines := strings.Count(text, "\n"); lines != 3 {
		t.Errorf("%d lines: %s", lines, text)
	}
	read, write, destroy := box.Tokens()
	for _, secret := range []string{box.ID().String(), broken.ID().String(), string(read[:]), "127.0.0.1", r.Address().Host(), conn.LocalAddr().String()} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, secret := range [][]byte{read[:], write[:], destroy[:], key.Bytes(), cellOf(1)[:64]} {
			if bytes.Contains(b, secret) {
				t.Errorf("a secret is in %s", path)
			}
		}
		return err
	}))
}

// A syncBuffer may be written by several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
