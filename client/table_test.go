package client

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"parley/dialogue"
	"parley/relay"
	"parley/relay/server"
)

// A table is a relay on loopback, and people whose clients do nothing by
// themselves: a test says when each syncs.
type table struct {
	t       *testing.T
	address relay.Address
	writes  atomic.Int64 // pieces of requests, of all
}

// A counted connection counts what is written.
type counted struct {
	net.Conn
	x *table
}

func (c counted) Write(b []byte) (int, error) {
	c.x.writes.Add(1)
	return c.Conn.Write(b)
}

func (x *table) dial(a relay.Address) (*relay.Client, error) {
	return relay.NewClient(a, relay.WithDial(func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		return counted{c, x}, err
	}))
}

func newTable(t *testing.T) *table {
	t.Helper()
	r, err := server.Embedded(server.Options{Addr: "127.0.0.1:0", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &table{t: t, address: r.Address()}
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
