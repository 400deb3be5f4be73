package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/relay"
	"parley/vault"
)

// TestFullBox: where a box is full the log goes on in the next, with what did
// not fit any more, in one order for all.
func TestFullBox(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin := x.seated()
	x.sync(ruth, halden, corin)
	box := ruth.log.Box()
	x.fill(ruth, box, wire.BoxCapacity-int(ruth.log.Position())-5)
	all := []*member{ruth, halden, corin}
	x.sync(all...)
	for i := range 4 { // some of it short, some in chunks that fall on both sides of the end
		for _, m := range all {
			if _, err := m.c.Say(ctx, m.id, Draft{Text: fmt.Sprint(i, strings.Repeat("x", 5000*(i%2)))}); err != nil {
				t.Fatal(err)
			}
		}
		for _, m := range all {
			if err := m.push(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	x.sync(ruth, halden, corin, ruth, halden, corin)
	var order string
	for _, m := range all {
		if m.log.Box().ID() == box.ID() || m.log.Here().Part != 1 {
			t.Fatalf("the log still stands in part %d", m.log.Here().Part)
		}
		l, err := m.c.Messages(m.id, Query{})
		if err != nil || spoken(l) != 12 {
			t.Errorf("%s has %d messages, %v", m.c.Profile().Name, spoken(l), err)
		}
		var o strings.Builder
		for _, line := range l {
			if line.Kind == KindMessage {
				fmt.Fprint(&o, line.Name, line.Text[:1], " ")
			}
		}
		if order == "" {
			order = o.String()
		}
		if o.String() != order {
			t.Errorf("%s\n%s", o.String(), order)
		}
	}
}

// fill appends n cells of noise to a box.
func (x *table) fill(m *member, box *relay.Box, n int) {
	x.t.Helper()
	r, err := m.relay()
	if err != nil {
		x.t.Fatal(err)
	}
	var all sync.WaitGroup
	for worker := range 16 {
		all.Go(func() {
			noise := rand.NewChaCha8([32]byte{byte(worker)})
			for i := worker; i < n; i += 16 {
				var c relay.Cell
				noise.Read(c[:])
				if _, err := r.Do(context.Background(), relay.Exchange{Box: box, Append: &c, Mode: relay.Mode1}); err != nil {
					x.t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// TestFullCardBox: where somebody fills the box of a card, the post and the
// Welcome go on in others, and are found there, though the network breaks while the
// card is looked at.
func TestFullCardBox(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin := x.seated()
	text, _, err := ruth.c.Invite(ctx, ruth.id, InviteOptions{Side: 1, Name: "Mira"})
	if err != nil {
		t.Fatal(err)
	}
	x.sync(ruth)
	k, err := parseCard(text)
	if err != nil {
		t.Fatal(err)
	}
	x.fillUp(corin, inCardBox(k.boxKey()), 1) // the post has two cells
	c := x.person("Mira")
	var over atomic.Bool
	c.opt.Dial = func(a relay.Address) (*relay.Client, error) {
		return relay.NewClient(a, relay.WithDial(func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return &breaking{Conn: conn, left: 3 << 20, over: &over}, err
		}))
	}
	if _, _, err := c.Join(ctx, text); err != nil {
		t.Fatal(err)
	}
	over.Store(true)
	mira := c.all()[0]
	x.sync(ruth)
	x.approve(mira, halden, corin)
	x.sync(ruth, mira, ruth, mira)
	if mira.acct.Standing != StandingIn || mira.acct.Away != nil {
		t.Fatalf("Mira is %s", mira.acct.Standing)
	}
	x.liesBehind(corin, inCardBox(k.boxKey()))
}

// A breaking connection gives some bytes, and no more.
type breaking struct {
	net.Conn
	left int
	over *atomic.Bool // it breaks no more
}

func (b *breaking) Read(p []byte) (int, error) {
	if b.over.Load() {
		return b.Conn.Read(p)
	}
	if b.left <= 0 {
		return 0, net.ErrClosed
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// TestFullDoor: where somebody fills a door, the post and the Welcome go on in
// other boxes, and are found there.
func TestFullDoor(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	door := atDoor(halden.acct.Door)
	x.fillUp(corin, door, 1) // the post has two cells
	x.loses(halden, LossMissed)
	x.sync(halden)
	x.sync(ruth, halden, ruth, halden)
	if halden.acct.Standing != StandingIn {
		t.Fatalf("Halden is %s", halden.acct.Standing)
	}
	x.liesBehind(corin, door)
}

// fillUp fills a box with noise but for some cells.
func (x *table) fillUp(m *member, of parcelItem, free int) {
	x.t.Helper()
	r, err := m.relay()
	if err != nil {
		x.t.Fatal(err)
	}
	page, err := r.Do(context.Background(), relay.Exchange{Box: of.at(0), Mode: relay.Mode1})
	if err != nil {
		x.t.Fatal(err)
	}
	x.fill(m, of.at(0), wire.BoxCapacity-free-int(page.Next))
}

// liesBehind: in the box that continues another lie the other cell of a post, and a
// Welcome of two.
func (x *table) liesBehind(m *member, of parcelItem) {
	x.t.Helper()
	r, err := m.relay()
	if err != nil {
		x.t.Fatal(err)
	}
	page, err := r.Do(context.Background(), relay.Exchange{Box: of.at(1), Mode: relay.Mode1})
	if err != nil || page.Next < 3 {
		x.t.Errorf("%d cells lie in the next box, %v", page.Next, err)
	}
}

// TestParcelsBehindADestroyedBox: a box of parcels that somebody destroyed goes
// on in another, too; what is read there is not read twice, but where it could
// not be taken, or nothing is behind the destroyed one.
func TestParcelsBehindADestroyedBox(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	_, ruth := x.convenor("Ruth")
	r, err := ruth.relay()
	if err != nil {
		t.Fatal(err)
	}
	of := atDoor(dialogue.Key(relay.NewBoxKey().Bytes()))
	put := func(text string) {
		t.Helper()
		ruth.mu.Lock()
		err := ruth.update(func(sp *vault.Space) error { return ruth.queueParcel(sp, of, channel.ParcelOffer, []byte(text)) })
		ruth.mu.Unlock()
		if err := errors.Join(err, ruth.push(ctx)); err != nil || len(ruth.out) > 0 {
			t.Fatalf("%d wait, %v", len(ruth.out), err)
		}
	}
	b := newParcelBox(of)
	reads := func(want ...string) {
		t.Helper()
		var got []string
		err := b.read(ctx, r, 0, func(p *channel.Parcel) error {
			got = append(got, string(p.Content))
			return nil
		})
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%q is read, not %q; %v", got, want, err)
		}
	}
	put("one")
	reads("one")
	x.pass((doorDays + 1) * 24 * time.Hour)
	if err := r.Destroy(ctx, of.at(0)); err != nil {
		t.Fatal(err)
	}
	reads()
	if b.part != 0 {
		t.Error("what one relay calls destroyed is so for ever")
	}
	put("two")
	reads("two")
	reads()
	put("three")
	full := errors.New("it can't be taken")
	if err := b.read(ctx, r, 0, func(*channel.Parcel) error { return full }); !errors.Is(err, full) {
		t.Fatal(err)
	}
	reads("two", "three")
}

// TestEndOfMore: a relay that calls every box full does not hold up the outbox for
// ever, and nothing else has a parcel go on.
func TestEndOfMore(t *testing.T) {
	it := &item{Kind: itemParcel, Parcel: &parcelItem{Days: 1}}
	n := 0
	for it.goesOn(relay.ErrFull) {
		n++
	}
	if n != maxMore || it.goesOn(nil) || (&item{Kind: itemEvent}).goesOn(relay.ErrFull) || (&item{Kind: itemParcel}).goesOn(relay.ErrLimit) {
		t.Errorf("a parcel goes on %d times", n)
	}
}
