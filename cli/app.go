package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"parley/client"
	"parley/rehearsal"
	"parley/relay/server"
	"parley/vault"
	"parley/web"
)

// appOptions say how the application comes up.
type appOptions struct {
	port      int
	noBrowser bool
}

func (o *appOptions) flags(f *pflag.FlagSet) {
	f.IntVar(&o.port, "port", 0, "")
	f.BoolVar(&o.noBrowser, "no-browser", false, "")
}

// An application is the Parley that runs in the browser: the vault's life,
// the relay inside, and the rehearsals beside it.
type application struct {
	a    *app
	opt  appOptions
	host *host
	at   string // 127.0.0.1:port

	mu     sync.Mutex
	client *client.Client
	stop   context.CancelFunc
	stage  *stage // a rehearsal, or nil
}

// appLine is what --json prints.
type appLine struct {
	ID      string `json:"id"` // the address to open
	Running bool   `json:"running"`
}

// application serves the application until ctx ends, or opens the one that
// runs already.
func (a *app) application(ctx context.Context, o appOptions) error {
	if o.port < 0 || o.port > 65535 {
		return usage("cli.error.port")
	}
	if link := askRunning(ctx, a.home); link != "" {
		a.tell("cli.said.runs")
		return a.show(link, true, o.noBrowser)
	}
	p := &application{a: a, opt: o, host: &host{home: a.home, tell: a.tell}}
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", o.port))
	if err != nil {
		return err
	}
	p.at = listener.Addr().String()
	pages := web.New(p.config())
	note, remove, err := announce(a.home, p.at)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer remove()
	serving := serve(listener, note.handler(pages.Link, pages))
	a.tell("cli.said.running", "address", p.at)
	if err := a.show("http://"+p.at+pages.Link(), false, o.noBrowser); err != nil {
		return errors.Join(err, serving.end())
	}
	select {
	case <-ctx.Done():
	case err = <-serving.failed:
	}
	return errors.Join(err, pages.PutAway(), serving.end(), p.end())
}

// show prints an address on a line of its own, and opens the browser there.
func (a *app) show(link string, running, noBrowser bool) error {
	if err := a.result(appLine{link, running}, sentence(link)); err != nil {
		return err
	}
	if !noBrowser && a.Browse != nil {
		if err := a.Browse(link); err != nil {
			a.tell("cli.said.nobrowser")
		}
	}
	return nil
}

func (p *application) config() web.Config {
	return web.Config{
		Hosts:     []string{p.at},
		Exists:    func() bool { return vault.Exists(p.a.home) },
		Create:    p.create,
		Open:      p.open,
		Lock:      p.lock,
		Rehearse:  p.rehearse,
		Proposals: func() []web.Proposal { return proposals(p.host.proposals()) },
	}
}

var webReach = map[server.Reach]web.Reach{
	server.ThisComputer: web.ThisComputer, server.SameNetwork: web.SameNetwork, server.Internet: web.Internet,
}

func proposals(all []server.Proposal) (l []web.Proposal) {
	for _, x := range all {
		l = append(l, web.Proposal{Address: x.Address, Reach: webReach[x.Reach]})
	}
	return l
}

func (p *application) options() client.Options {
	return client.Options{Dir: p.a.home, Dial: p.host.dial}
}

func (p *application) create(profile client.Profile, passphrase string) (web.Participant, error) {
	c, err := client.Create(p.options(), profile, passphrase)
	if err != nil {
		return nil, err
	}
	return p.run(c)
}

// open waits for the vault as a command does: one may have it for a moment.
func (p *application) open(passphrase string) (web.Participant, error) {
	key, err := vault.Unlock(p.a.home, []byte(passphrase))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), vaultWait)
	defer cancel()
	v, err := vault.OpenKeyWait(ctx, p.a.home, key)
	if err != nil {
		return nil, err
	}
	c, err := client.With(p.options(), v)
	if err != nil {
		return nil, err
	}
	return p.run(c)
}

// run keeps a client going until lock.
func (p *application) run(c *client.Client) (web.Participant, error) {
	if err := c.SetNote("parley " + p.at); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	p.host.serve(c.Dialogues())
	ctx, stop := context.WithCancel(context.Background())
	p.mu.Lock()
	p.client, p.stop = c, stop
	p.mu.Unlock()
	go c.Run(ctx)
	return c, nil
}

// lock closes the vault. The relay goes on for the others.
func (p *application) lock() error {
	p.mu.Lock()
	c, stop := p.client, p.stop
	p.client, p.stop = nil, nil
	p.mu.Unlock()
	if c == nil {
		return nil
	}
	stop()
	return c.Close()
}

// rehearse begins a rehearsal beside the application, or goes back to the one
// that goes on.
func (p *application) rehearse() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stage == nil {
		language := p.a.w.Name()
		if p.client != nil {
			language = p.client.Profile().Language
		}
		s, err := openStage(context.Background(), rehearsal.Options{As: rehearsal.Convenor, Language: language, Seed: seed()}, 0)
		if err != nil {
			return "", err
		}
		p.stage = s
	}
	return p.stage.link(), nil
}

func (p *application) end() error {
	err := p.lock()
	p.mu.Lock()
	s := p.stage
	p.stage = nil
	p.mu.Unlock()
	if s != nil {
		err = errors.Join(err, s.close())
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	return errors.Join(err, p.host.shutdown(ctx))
}

// A serving is an HTTP server that runs.
type serving struct {
	http   *http.Server
	failed chan error
}

// Times of the loopback server. There is none for a whole request or answer:
// streams stay open, and files are large.
const (
	headerTime = 10 * time.Second
	idleTime   = 2 * time.Minute
	endTime    = time.Second
)

func serve(l net.Listener, h http.Handler) *serving {
	s := &serving{
		http: &http.Server{
			Handler: h, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: 16 << 10,
			ErrorLog: log.New(io.Discard, "", 0), // it would name addresses
		},
		failed: make(chan error, 1),
	}
	go func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- err
		}
	}()
	return s
}

// end lets requests finish for a moment; streams end then.
func (s *serving) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		return s.http.Close()
	}
	return nil
}
