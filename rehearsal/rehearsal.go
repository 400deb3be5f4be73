package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"parley/client"
	"parley/dialogue"
	"parley/relay"
	"parley/relay/server"
)

// A Role is what the person plays.
type Role string

// The roles.
const (
	Convenor Role = "convenor" // of a dialogue that has just begun, with a head on each side
	Head     Role = "head"     // of a side, invited by a partner
)

// Options say what to rehearse.
type Options struct {
	As       Role   // Convenor if empty
	Name     string // the person's; one of the cast if empty
	Language string // of the person's pages; "en" if empty
	Seed     uint64 // of what partners say, and when

	// Pause is how long a partner thinks before it answers; a second or two if
	// zero.
	Pause time.Duration
	// Listener and Dial stand in for loopback, in simulations.
	Listener net.Listener
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
}

// A Rehearsal is one that goes on.
type Rehearsal struct {
	opt   Options
	lines lines
	dir   string
	relay *server.Relay

	ctx  context.Context
	stop context.CancelFunc
	work sync.WaitGroup

	me *client.Client
	id client.ID

	mu       sync.Mutex
	rand     *rand.Rand
	partners []*partner
	taken    map[dialogue.SeatID]bool // cards that somebody picked up
	hold     bool                     // cards are left untouched
	newcomer int                      // of the cast, who comes next
	clients  []*client.Client         // all, the person's too
	closed   bool
}

// startTime bounds how long the person waits to be seated in the beginning.
const startTime = time.Minute

// Start begins a rehearsal. ctx bounds the beginning only.
func Start(ctx context.Context, o Options) (_ *Rehearsal, err error) {
	if o.As == "" {
		o.As = Convenor
	}
	if o.As != Convenor && o.As != Head {
		return nil, fmt.Errorf("rehearsal: there is no part %q", o.As)
	}
	r := &Rehearsal{opt: o, rand: rand.New(rand.NewPCG(o.Seed, 1)), taken: map[dialogue.SeatID]bool{}}
	if r.lines, err = loadLines(); err != nil {
		return nil, err
	}
	if r.opt.Name == "" {
		r.opt.Name = r.lines.one("you." + string(o.As))
	}
	if r.dir, err = os.MkdirTemp("", "parley-rehearsal-"); err != nil {
		return nil, err
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := r.begin(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Rehearsal) begin(ctx context.Context) (err error) {
	r.relay, err = server.Embedded(server.Options{Addr: "127.0.0.1:0", Dir: filepath.Join(r.dir, "relay"), Listener: r.opt.Listener})
	if err != nil {
		return err
	}
	if r.me, err = r.person(r.opt.Name); err != nil {
		return err
	}
	if r.opt.As == Convenor {
		err = r.asConvenor(ctx)
	} else {
		err = r.asHead(ctx)
	}
	if err == nil {
		r.work.Go(r.direct)
	}
	return err
}

// person makes a client with a throw-away vault, which runs until Close.
func (r *Rehearsal) person(name string) (*client.Client, error) {
	dir, err := os.MkdirTemp(r.dir, "vault-")
	if err != nil {
		return nil, err
	}
	p := client.DefaultProfile(name)
	if r.opt.Language != "" {
		p.Language = r.opt.Language
	}
	o := client.Options{Dir: dir, Dial: r.dial}
	c, err := client.CreateThrowaway(o, p)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.clients = append(r.clients, c)
	r.mu.Unlock()
	r.work.Go(func() { c.Run(r.ctx) })
	return c, nil
}

func (r *Rehearsal) dial(a relay.Address) (*relay.Client, error) {
	if r.opt.Dial != nil {
		return relay.NewClient(a, relay.WithDial(r.opt.Dial))
	}
	return relay.NewClient(a)
}

func (r *Rehearsal) startOptions() client.StartOptions {
	return client.StartOptions{
		Title: r.lines.one("title"), Rules: dialogue.Preset(dialogue.TrackTwo), Sides: r.lines["sides"], Relay: r.relay.Address(),
	}
}

// asConvenor starts a dialogue and makes a card for the head of each side.
// The heads take them while the person looks on.
func (r *Rehearsal) asConvenor(ctx context.Context) (err error) {
	if r.id, err = r.me.Start(ctx, r.startOptions()); err != nil {
		return err
	}
	if err := until(ctx, r.me, func() bool { return begun(r.me, r.id) }); err != nil {
		return err
	}
	for i, name := range r.lines["heads"] {
		if _, _, err := r.me.Invite(ctx, r.id, client.InviteOptions{Side: dialogue.SideID(i + 1), Name: name, Head: true}); err != nil {
			return err
		}
	}
	return nil
}

// asHead has a partner start a dialogue, in which the person gets a seat as
// head of the first side.
func (r *Rehearsal) asHead(ctx context.Context) error {
	convenor, err := r.person(r.lines.one("convenor"))
	if err != nil {
		return err
	}
	id, err := convenor.Start(ctx, r.startOptions())
	if err != nil {
		return err
	}
	if err := until(ctx, convenor, func() bool { return begun(convenor, id) }); err != nil {
		return err
	}
	host := r.enter(convenor, r.lines.one("convenor"), "")
	card, seat, err := convenor.Invite(ctx, id, client.InviteOptions{Side: 1, Name: r.opt.Name, Head: true})
	if err != nil {
		return err
	}
	r.mark(seat)
	other, second, err := convenor.Invite(ctx, id, client.InviteOptions{Side: 2, Name: r.lines["heads"][1], Head: true})
	if err != nil {
		return err
	}
	r.mark(second)
	if err := r.pickUp(other, r.lines["heads"][1]); err != nil {
		return err
	}
	if err := r.seatMe(ctx, card); err != nil {
		return err
	}
	return host.invite(ctx, r, dialogue.SideID(1), r.lines.one("adviser"))
}

// begun tells whether a dialogue's opening was read back.
func begun(c *client.Client, id client.ID) bool {
	d, err := c.Dialogue(id)
	return err == nil && len(d.Seats) > 0
}

// until waits for something that the client's changes bring about.
func until(ctx context.Context, c *client.Client, ok func() bool) error {
	changes, cancel := c.Subscribe()
	defer cancel()
	for !ok() {
		select {
		case <-changes:
		case <-ctx.Done():
			return fmt.Errorf("rehearsal: waited in vain: %w", ctx.Err())
		}
	}
	return nil
}

// seatMe takes the person's seat and waits until they sit in an open room.
func (r *Rehearsal) seatMe(ctx context.Context, card string) (err error) {
	if r.id, err = join(ctx, r.me, card); err != nil {
		return err
	}
	if err := r.me.SetTitle(r.id, r.lines.one("title")); err != nil {
		return err
	}
	return until(ctx, r.me, func() bool {
		d, err := r.me.Dialogue(r.id)
		return err == nil && d.Standing == client.StandingIn && len(d.Seats) > 0 && len(d.Missing) == 0
	})
}

// join joins with a card, again and again until its maker's client has put it
// into its box.
func join(ctx context.Context, c *client.Client, card string) (client.ID, error) {
	for {
		id, _, err := c.Join(ctx, card)
		if !errors.Is(err, client.ErrOffline) {
			return id, err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return "", err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Me is the person's client, which runs.
func (r *Rehearsal) Me() *client.Client { return r.me }

// Dialogue is the one to begin with.
func (r *Rehearsal) Dialogue() client.ID { return r.id }

// Relay is the address of the rehearsal's relay.
func (r *Rehearsal) Relay() relay.Address { return r.relay.Address() }

// Close ends everything and deletes it.
func (r *Rehearsal) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	r.mu.Unlock()
	r.stop()
	r.work.Wait()
	var errs []error
	for _, c := range r.clients {
		errs = append(errs, c.Close())
	}
	if r.relay != nil {
		end, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		errs = append(errs, r.relay.Shutdown(end))
	}
	return errors.Join(append(errs, os.RemoveAll(r.dir))...)
}
