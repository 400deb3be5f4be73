package client

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"parley/dialogue"
	"parley/relay"
	"parley/relay/server"
	"parley/relay/store/pebble"
)

// A table is a relay on loopback, and people whose clients do nothing by
// themselves: a test says when each syncs.
type table struct {
	t       *testing.T
	address relay.Address
	store   relay.Store
	asked   atomic.Pointer[func(*relay.Request)] // told of each request, of all
	passed  atomic.Int64                         // nanoseconds that a test let pass
}

// An observed connection shows the requests that go out on it.
type observed struct {
	net.Conn
	copy *io.PipeWriter
}

func (c observed) Write(b []byte) (int, error) {
	if _, err := c.copy.Write(b); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func (c observed) Close() error {
	c.copy.Close()
	return c.Conn.Close()
}

// observe reads the requests of a connection.
func (x *table) observe(r *io.PipeReader) {
	in := bufio.NewReader(r)
	for {
		q, err := http.ReadRequest(in)
		if err != nil {
			r.CloseWithError(err)
			return
		}
		var request relay.Request
		body, err := io.ReadAll(q.Body)
		if err == nil {
			_, err = relay.ParseRequest(body, &request)
		}
		if err != nil {
			r.CloseWithError(err)
			return
		}
		if f := x.asked.Load(); f != nil {
			(*f)(&request)
		}
	}
}

func (x *table) dial(a relay.Address) (*relay.Client, error) {
	return relay.NewClient(a, relay.WithDial(func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		r, w := io.Pipe()
		go x.observe(r)
		return observed{c, w}, nil
	}))
}

func newTable(t *testing.T) *table {
	t.Helper()
	t.Parallel() // most of a test is waiting for the disk
	x := &table{t: t}
	var err error
	if x.store, err = pebble.Open(t.TempDir(), pebble.Options{}); err != nil {
		t.Fatal(err)
	}
	r, err := server.Embedded(server.Options{Addr: "127.0.0.1:0", Store: x.store, Now: x.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	x.address = r.Address()
	return x
}

// now is the relay's time.
func (x *table) now() time.Time { return time.Now().Add(time.Duration(x.passed.Load())) }

// pass lets time pass, for the relay and for those whose clocks follow.
func (x *table) pass(d time.Duration) { x.passed.Add(int64(d)) }

// clocks gives people clocks that stand still but for what passes.
func (x *table) clocks(l ...*member) {
	began := time.Now()
	for _, m := range l {
		m.c.opt.Now = func() time.Time { return began.Add(time.Duration(x.passed.Load())) }
	}
}

func (x *table) person(name string) *Client {
	x.t.Helper()
	c, err := CreateThrowaway(Options{Dir: x.t.TempDir(), Dial: x.dial}, DefaultProfile(name))
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() {
		if err := c.Close(); err != nil {
			x.t.Error(err)
		}
	})
	return c
}

// convenor starts a dialogue between North and South and reads its opening.
func (x *table) convenor(name string) (*Client, *member) {
	x.t.Helper()
	c := x.person(name)
	if _, err := c.Start(context.Background(), StartOptions{
		Title: "The Orva Waters", Rules: dialogue.Preset(dialogue.TrackTwo), Sides: []string{"North", "South"}, Relay: x.address,
	}); err != nil {
		x.t.Fatal(err)
	}
	m := c.all()[0]
	x.sync(m)
	return c, m
}

// joins has somebody take a card; the convenor is by.
func (x *table) joins(by *member, side dialogue.SideID, name string) (*Client, *member) {
	x.t.Helper()
	ctx := context.Background()
	card, _, err := by.c.Invite(ctx, by.id, InviteOptions{Side: side, Name: name})
	if err != nil {
		x.t.Fatal(err)
	}
	x.sync(by)
	c := x.person(name)
	if _, _, err := c.Join(ctx, card); err != nil {
		x.t.Fatal(err)
	}
	return c, c.all()[0]
}

// approve has heads, each in turn and up to date, let somebody in.
func (x *table) approve(who *member, heads ...*member) {
	x.t.Helper()
	for _, m := range heads {
		x.sync(m)
		if err := m.c.Approve(context.Background(), m.id, who.acct.Me); err != nil {
			x.t.Fatal(err)
		}
		x.sync(m)
	}
}

// sync brings each in turn up to date.
func (x *table) sync(l ...*member) {
	x.t.Helper()
	for _, m := range l {
		if err := m.c.Sync(context.Background(), m.id, 0); err != nil {
			x.t.Fatal(err)
		}
	}
}

// seated has a convenor and the heads of North and South sit.
func (x *table) seated() (ruth, halden, corin *member) {
	x.t.Helper()
	_, ruth = x.convenor("Ruth")
	_, halden = x.joins(ruth, 1, "Halden")
	x.sync(ruth, halden, ruth, halden, ruth)
	_, corin = x.joins(ruth, 2, "Corin")
	x.sync(ruth, corin, ruth, halden, corin, ruth, halden, corin)
	for _, m := range []*member{ruth, halden, corin} {
		if m.acct.Standing != StandingIn || len(m.state.Disagreed()) != 0 {
			x.t.Fatalf("%s is %s", m.c.Profile().Name, m.acct.Standing)
		}
	}
	return ruth, halden, corin
}
