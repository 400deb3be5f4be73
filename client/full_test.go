package client

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"parley/internal/wire"
	"parley/relay"
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
