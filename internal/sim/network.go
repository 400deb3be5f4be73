package sim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Faults say how often, of a thousand, a piece of traffic meets with what.
type Faults struct {
	Refuse  int // a connection is not made
	Cut     int // a connection ends in the middle of a piece
	Corrupt int // a byte changes
	Delay   int // a piece is late, by up to five seconds
	Repeat  int // a whole request goes again, later, on a connection of its own
}

// A network joins clients to whatever listens at the moment.
type network struct {
	mu     sync.Mutex
	rand   *rand.Rand
	faults Faults
	at     *listener // nil: nobody listens
	conns  map[net.Conn]bool
}

// chance is true n times of a thousand.
func (n *network) chance(of int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return of > 0 && n.rand.IntN(1000) < of
}

func (n *network) pick(limit int) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.rand.IntN(limit)
}

func (n *network) set(f Faults) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = f
}

func (n *network) now() Faults {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.faults
}

// cut ends every connection at once, and lets none come after it.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.at = nil
	for c := range n.conns {
		c.Close()
	}
	n.conns = nil
}

// drop ends every connection; others may come.
func (n *network) drop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		c.Close()
	}
	n.conns = nil
}

// A listener is one life of the relay.
type listener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

var errRefused = errors.New("sim: connection refused")

// listen makes a listener that is reached from now on.
func (n *network) listen() *listener {
	l := &listener{conns: make(chan net.Conn), done: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.at = l
	return l
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error { l.once.Do(func() { close(l.done) }); return nil }

type address struct{}

func (address) Network() string    { return "sim" }
func (address) String() string     { return "sim" }
func (l *listener) Addr() net.Addr { return address{} }

func (n *network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	n.mu.Lock()
	l := n.at
	n.mu.Unlock()
	if l == nil || n.chance(n.now().Refuse) {
		return nil, errRefused
	}
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.at != l {
			ours.Close()
			return nil, errRefused
		}
		if n.conns == nil {
			n.conns = map[net.Conn]bool{}
		}
		n.conns[ours] = true
		return &faulty{Conn: ours, n: n}, nil
	case <-l.done:
		return nil, errRefused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A faulty connection does to pieces of traffic what the network does.
type faulty struct {
	net.Conn
	n *network

	mu      sync.Mutex
	request []byte // what was written since the last answer
	reading bool
}

func (f *faulty) Write(b []byte) (int, error) {
	now := f.n.now()
	f.record(b)
	if now.Corrupt > 0 {
		b = bytes.Clone(b) // the writer's stays as it is
	}
	if cut := f.harm(b, now); cut >= 0 {
		f.Conn.Write(b[:cut])
		f.Conn.Close()
		return cut, net.ErrClosed
	}
	return f.Conn.Write(b)
}

func (f *faulty) Read(b []byte) (int, error) {
	n, err := f.Conn.Read(b)
	if err != nil {
		return n, err
	}
	f.answered()
	if cut := f.harm(b[:n], f.n.now()); cut >= 0 {
		f.Conn.Close()
		return cut, nil
	}
	return n, nil
}

// record keeps a request as it was sent.
func (f *faulty) record(b []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reading {
		f.request, f.reading = f.request[:0], false
	}
	f.request = append(f.request, b...)
}

// answered repeats, by chance, the request that an answer has begun for.
func (f *faulty) answered() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.reading && f.n.chance(f.n.now().Repeat) {
		go f.n.repeat(bytes.Clone(f.request), time.Duration(f.n.pick(8000))*time.Millisecond)
	}
	f.reading = true
}

// repeat sends a request again, as whoever recorded it could. Nobody reads the
// answer.
func (n *network) repeat(request []byte, after time.Duration) {
	time.Sleep(after)
	n.mu.Lock()
	l := n.at
	n.mu.Unlock()
	if l == nil {
		return
	}
	ours, theirs := net.Pipe()
	defer ours.Close()
	ours.SetDeadline(time.Now().Add(time.Second))
	select {
	case l.conns <- theirs:
	case <-l.done:
		return
	}
	ours.Write(request)
	io.Copy(io.Discard, ours)
}

// harm alters, delays, or says after how many bytes to cut, as now says; -1 is
// not at all.
func (f *faulty) harm(b []byte, now Faults) int {
	if f.n.chance(now.Delay) {
		time.Sleep(time.Duration(f.n.pick(5000)) * time.Millisecond)
	}
	if len(b) > 0 && f.n.chance(now.Corrupt) {
		b[f.n.pick(len(b))] ^= byte(1 + f.n.pick(255))
	}
	if f.n.chance(now.Cut) {
		return f.n.pick(len(b) + 1)
	}
	return -1
}
