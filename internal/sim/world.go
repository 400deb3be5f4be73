package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"parley/client"
	"parley/dialogue"
	"parley/relay"
	"parley/relay/server"
	"parley/relay/store/pebble"
	"parley/vault"
)

// A World is a relay and people around it.
type World struct {
	T      testing.TB
	Rand   *rand.Rand
	People []*Person

	steps *steps
	net   *network
	disk  *vfs.MemFS // the relay's
	relay *server.Relay
	dir   string

	others []*server.Relay // faces of a relay that lies

	read func(*Person, client.Passage) // where it is set, it is told what people's clients read
}

// New makes a world with an honest relay and a good network. Call it in a
// synctest bubble, and Close in the end.
func New(t testing.TB, seed uint64) *World {
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	w := &World{T: t, Rand: r, net: &network{rand: rand.New(rand.NewPCG(seed, 2))}, disk: vfs.NewCrashableMem(), steps: newSteps()}
	var err error
	if w.dir, err = os.MkdirTemp(memory(), "parley-sim"); err != nil {
		t.Fatal(err)
	}
	w.StartRelay()
	return w
}

// Close ends everything.
func (w *World) Close() {
	for _, p := range w.People {
		if p.Client != nil {
			p.stop()
		}
	}
	for _, r := range w.others {
		w.stop(r)
	}
	w.StopRelay()
	time.Sleep(10 * time.Second) // what the network delays ends, too
	for _, err := range w.steps.repeated() {
		w.T.Error(err)
	}
	if err := os.RemoveAll(w.dir); err != nil {
		w.T.Error(err)
	}
}

// Faults sets what the network does from now on.
func (w *World) Faults(f Faults) { w.net.set(f) }

// StartRelay starts the relay on what its disk holds.
func (w *World) StartRelay() {
	store, err := pebble.Open("relay", pebble.Options{FS: w.disk, NoTicks: true})
	if err != nil {
		w.T.Fatal(err)
	}
	w.relay, err = server.Embedded(server.Options{Listener: w.net.listen(), Store: w.steps.tap(store)})
	if err != nil {
		w.T.Fatal(err)
	}
}

// StopRelay stops it in order.
func (w *World) StopRelay() { w.stop(w.relay) }

func (w *World) stop(r *server.Relay) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := r.Shutdown(ctx); err != nil {
		w.T.Error(err)
	}
}

// CrashRelay cuts the relay's power: what its disk had not synced is lost, by
// chance more or less of it. Then it starts again.
func (w *World) CrashRelay() {
	w.net.cut() // what was answered before is on the disk; nothing is answered after
	left := w.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: w.Rand.IntN(101), RNG: w.Rand})
	w.StopRelay() // what it still does goes to the old disk, which nobody sees again
	w.disk = left
	w.StartRelay()
}

// A Person is somebody with a vault.
type Person struct {
	*client.Client
	Name string
	W    *World

	drive  func(context.Context, *client.Client) // runs the person's clients; Client.Run
	clock  time.Duration                         // by how much the person's computer is ahead
	stored func()                                // is told of each transaction
	ghost  bool                                  // an older copy runs on, whose steps may repeat

	dir    string
	net    atomic.Pointer[network]
	key    *vault.Key
	cancel context.CancelFunc
}

// Person makes somebody with a new vault and a client that runs.
func (w *World) Person(name string) *Person {
	p := &Person{Name: name, W: w, dir: filepath.Join(w.dir, name)}
	p.drive = func(ctx context.Context, c *client.Client) { c.Run(ctx) }
	p.net.Store(w.net)
	v, err := newVault(p.dir)
	if err != nil {
		w.T.Fatal(err)
	}
	p.key = v.Key()
	if err := client.NewProfile(v, client.DefaultProfile(name)); err != nil {
		w.T.Fatal(err)
	}
	p.run(v)
	w.People = append(w.People, p)
	return p
}

func (p *Person) options() client.Options {
	ahead := p.clock
	now := func() time.Time { return time.Now().Add(ahead) }
	read := func(x client.Passage) {
		if p.W.read != nil {
			p.W.read(p, x)
		}
	}
	made := p.W.steps.made
	if p.ghost {
		made = nil
	}
	return client.Options{Dir: p.dir, Now: now, Made: made, Stored: p.stored, Read: read, Dial: func(a relay.Address) (*relay.Client, error) {
		return relay.NewClient(a, relay.WithDial(func(ctx context.Context, network, address string) (net.Conn, error) {
			return p.net.Load().dial(ctx, network, address)
		}))
	}}
}

func (p *Person) run(v *vault.Vault) {
	var err error
	if p.Client, err = client.With(p.options(), v); err != nil {
		p.W.T.Fatalf("%s: %v", p.Name, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	c := p.Client
	go p.drive(ctx, c)
}

func (p *Person) stop() {
	p.cancel()
	if err := p.Client.Close(); err != nil {
		p.W.T.Errorf("%s: close: %v", p.Name, err)
	}
	p.Client = nil
}

// Crash ends the person's client as kill -9 would, and starts it again from
// its vault.
func (p *Person) Crash() {
	p.cancel()
	p.Client.Abandon()
	p.Restart()
}

// Restart opens the vault again.
func (p *Person) Restart() {
	v, err := vault.OpenKey(p.dir, p.key)
	if err != nil {
		p.W.T.Fatalf("%s: %v", p.Name, err)
	}
	p.run(v)
}

// Address is the relay's.
func (w *World) Address() relay.Address { return w.relay.Address() }

// Start starts a dialogue between North and South.
func (p *Person) Start(rules dialogue.Rules) client.ID {
	id, err := p.Client.Start(context.Background(), client.StartOptions{
		Title: "The Orva Waters", Rules: rules, Sides: []string{"North", "South"}, Relay: p.W.Address(),
	})
	if err != nil {
		p.W.T.Fatal(err)
	}
	p.W.Until(p.Name+" sits at the table", func() bool { return p.Dialogue().Me.Me })
	return id
}

// Until waits for something to become true, ten minutes of fake time at most.
func (w *World) Until(what string, ok func() bool) {
	w.T.Helper()
	for end := time.Now().Add(10 * time.Minute); !ok(); {
		if time.Now().After(end) {
			for _, p := range w.People {
				for _, d := range p.Dialogues() {
					var seats, rooms strings.Builder
					for _, s := range d.Seats {
						fmt.Fprintf(&seats, " [%s of side %d: %d, due %v, missing %q]", s.Name, s.Side, s.Status, s.Due, s.Missing)
					}
					for _, r := range d.Rooms {
						fmt.Fprintf(&rooms, " [%d %q]", r.Room, r.Why)
					}
					w.T.Logf("%s: %s, online %v, problem %v, %s; alarms %+v; seats%s; rooms%s", p.Name, d.Standing, d.Online, d.Problem, p.Outbox(d.ID), d.Alarms, seats.String(), rooms.String())
				}
			}
			w.T.Fatalf("in vain: %s", what)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// Dialogue is a person's picture of their only dialogue.
func (p *Person) Dialogue() client.Dialogue {
	l := p.Dialogues()
	if len(l) != 1 {
		p.W.T.Fatalf("%s has %d dialogues", p.Name, len(l))
	}
	return l[0]
}

// ID is the id of the person's only dialogue.
func (p *Person) ID() client.ID { return p.Dialogue().ID }

// Seat finds somebody in the person's seat plan, once it is there.
func (p *Person) Seat(name string) (s client.Seat) {
	p.W.T.Helper()
	p.W.Until(p.Name+" sees "+name, func() bool {
		seats := p.Dialogue().Seats
		i := slices.IndexFunc(seats, func(x client.Seat) bool { return x.Name == name })
		if i >= 0 {
			s = seats[i]
		}
		return i >= 0
	})
	return s
}

// Invite has by make a card for somebody new, who takes it; whoever has to
// approve does.
func (w *World) Invite(by *Person, side dialogue.SideID, name string) *Person {
	w.T.Helper()
	p := w.Person(name)
	w.Seat(by, side, p)
	return p
}

// Seat brings somebody to a seat.
func (w *World) Seat(by *Person, side dialogue.SideID, p *Person) {
	w.T.Helper()
	ctx := context.Background()
	card, seat, err := by.Client.Invite(ctx, by.ID(), client.InviteOptions{Side: side, Name: p.Name})
	if err != nil {
		w.T.Fatal(err)
	}
	w.Until(p.Name+" joins", func() bool { _, _, err := p.Join(ctx, card); return err == nil })
	w.Until(p.Name+" is seated", func() bool {
		for _, q := range w.People {
			if q == p || len(q.Dialogues()) == 0 {
				continue
			}
			for _, s := range q.Dialogue().Seats {
				if s.ID == seat && s.MayDo.Approve {
					if err := q.Approve(ctx, q.ID(), seat); err != nil {
						w.T.Fatal(err)
					}
				}
			}
		}
		d := p.Dialogue() // its own seat is there once the charter is
		return d.Standing == client.StandingIn && d.Me.ID == seat
	})
}
