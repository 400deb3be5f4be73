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

// fill appends n cells of noise to a box: one as a member does, who so opens it,
// the others past the network.
func (x *table) fill(m *member, box *relay.Box, n int) {
	x.t.Helper()
	r, err := m.relay()
	if err != nil {
		x.t.Fatal(err)
	}
	if _, err := r.Do(x.t.Context(), relay.Exchange{Box: box, Append: new(relay.Cell), Mode: relay.Mode1}); err != nil {
		x.t.Fatal(err)
	}
	var all sync.WaitGroup
	for worker := range 64 {
		all.Go(func() {
			noise := rand.NewChaCha8([32]byte{byte(worker)})
			for i := worker + 1; i < n; i += 64 {
				var c relay.Cell
				noise.Read(c[:])
				if _, err := x.store.Append(x.t.Context(), box.ID(), &c, uint32(x.now().Unix()/3600)); err != nil {
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
	x.fillUp(corin, inCardBox(k.boxKey()), 2) // one for the post, one for the beginning of the Welcome
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
	x.liesBehind(corin, inCardBox(k.boxKey()), 2) // the rest of the Welcome
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
	x.fillUp(corin, door, 0)
	x.loses(halden, LossMissed)
	x.sync(halden)
	x.sync(ruth, halden, ruth, halden)
	if halden.acct.Standing != StandingIn {
		t.Fatalf("Halden is %s", halden.acct.Standing)
	}
	x.liesBehind(corin, door, 1+3) // a post and a Welcome
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

// liesBehind counts the cells in the box that continues another.
func (x *table) liesBehind(m *member, of parcelItem, want uint64) {
	x.t.Helper()
	r, err := m.relay()
	if err != nil {
		x.t.Fatal(err)
	}
	page, err := r.Do(context.Background(), relay.Exchange{Box: of.at(1), Mode: relay.Mode1})
	if err != nil || page.Next != want {
		x.t.Errorf("%d cells lie in the next box, %v", page.Next, err)
	}
}

// TestParcelBox: what was read is not read twice, but where it could not be taken;
// and nobody can destroy a box of parcels before others have read it.
func TestParcelBox(t *testing.T) {
	x := newTable(t)
	_, ruth := x.convenor("Ruth")
	r, err := ruth.relay()
	if err != nil {
		t.Fatal(err)
	}
	of := atDoor(dialogue.Key(relay.NewBoxKey().Bytes()))
	b := newParcelBox(of)
	x.put(ruth, of, "one")
	b.reads(t, r, "one")
	b.reads(t, r)
	x.pass(100 * 365 * 24 * time.Hour)
	if err := r.Destroy(t.Context(), of.at(0)); !errors.Is(err, relay.ErrNotIdle) {
		t.Errorf("a door is destroyed after a hundred years: %v", err)
	}
	x.put(ruth, of, "two")
	full := errors.New("it can't be taken")
	if err := b.read(t.Context(), r, 0, func(*channel.Parcel) error { return full }); !errors.Is(err, full) {
		t.Fatal(err)
	}
	b.reads(t, r, "one", "two")
}

// TestTwoSendToAFullBox: a parcel that two send at once goes on in the next box,
// and not in one behind that, where nobody looks.
func TestTwoSendToAFullBox(t *testing.T) {
	x := newTable(t)
	_, ruth := x.convenor("Ruth")
	r, err := ruth.relay()
	if err != nil {
		t.Fatal(err)
	}
	of := atDoor(dialogue.Key(relay.NewBoxKey().Bytes()))
	x.fillUp(ruth, of, 0)
	b := newParcelBox(of)
	for i := range 5 {
		long := strings.Repeat(fmt.Sprint(i), 9000)
		x.queue(ruth, of, channel.ParcelOffer, []byte(long))
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				if err := ruth.push(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		b.reads(t, r, long)
	}
}

// queue has a member put a parcel into a box with its next push.
func (x *table) queue(m *member, of parcelItem, kind channel.ParcelKind, content []byte) {
	x.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.update(func(sp *vault.Space) error { return m.queueParcel(sp, of, kind, content) }); err != nil {
		x.t.Fatal(err)
	}
}

// put puts a parcel into a box.
func (x *table) put(m *member, of parcelItem, text string) {
	x.t.Helper()
	x.queue(m, of, channel.ParcelOffer, []byte(text))
	if err := m.push(x.t.Context()); err != nil || len(m.out) > 0 {
		x.t.Fatalf("%d wait, %v", len(m.out), err)
	}
}

// reads reads to the end, and finds parcels.
func (b *parcelBox) reads(t *testing.T, r *relay.Client, want ...string) {
	t.Helper()
	var got []string
	for more := true; more; more = b.behind.Load() {
		if err := b.read(t.Context(), r, 0, func(p *channel.Parcel) error {
			got = append(got, string(p.Content))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%.20q is read, not %.20q", got, want)
	}
}

// TestEndOfMore: a relay that calls every box full does not hold up the outbox for
// ever, and nothing else has a parcel go on.
func TestEndOfMore(t *testing.T) {
	it := &item{Kind: itemParcel, Parcel: &parcelItem{Days: 1}}
	n := 0
	for it.refused(it.Parcel.at(it.part), relay.ErrFull) {
		n++
	}
	if n != maxMore || it.refused(it.Parcel.at(it.part), nil) || (&item{Kind: itemEvent}).refused(it.Parcel.at(0), relay.ErrFull) {
		t.Errorf("a parcel goes on %d times", n)
	}
}
