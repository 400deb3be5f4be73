package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"parley/relay"
	"parley/relay/store/pebble"
)

// Options are what a Relay is made of.
type Options struct {
	// Addr is where to listen, "host:port"; port 0 lets the system choose. On
	// loopback without a certificate it is plain HTTP; everywhere else TLS.
	Addr string
	// Dir holds the store, and the self-signed certificate if one is needed.
	Dir string
	// CertFile and KeyFile are a certificate of one's own, in PEM.
	CertFile, KeyFile string

	Limits Limits           // zero fields: DefaultLimits
	Log    *slog.Logger     // nothing if nil
	Now    func() time.Time // time.Now if nil

	// Listener stands in for Addr, and Store for what is in Dir, in simulations.
	// The relay closes both. A Listener that is not on the network has the
	// address http://localhost.
	Listener net.Listener
	Store    relay.Store
}

// A Relay is a relay that listens. What it acknowledged survives a kill -9.
type Relay struct {
	server    *Server
	http      *http.Server
	listener  net.Listener
	store     relay.Store
	proposals []Proposal
	log       *slog.Logger

	stop     context.CancelFunc // ends the expiry
	expiring sync.WaitGroup
	served   chan struct{} // closed when Embedded's Serve returned
	shutdown sync.Once
	err      error // of the shutdown
}

// Listen opens the store and the port. Connections are accepted from then on
// and answered once Serve runs.
func Listen(o Options) (_ *Relay, err error) {
	r := &Relay{listener: o.Listener, store: o.Store, log: o.Log}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if r.store == nil {
		s, err := pebble.Open(o.Dir, pebble.Options{Log: o.Log})
		if err != nil {
			return nil, err
		}
		r.store = s
	}
	if r.listener == nil {
		l, err := net.Listen("tcp", o.Addr)
		if err != nil {
			return nil, err
		}
		r.listener = l
	}
	config, pin, name, err := security(o, r.listener.Addr())
	if err != nil {
		return nil, err
	}
	if r.proposals, err = proposals(config != nil, r.listener.Addr(), name, pin); err != nil {
		return nil, err
	}
	r.server = New(Config{Store: r.store, Limits: o.Limits, Now: o.Now, Log: o.Log})
	limits := r.server.limits
	r.listener = netutil.LimitListener(r.listener, limits.MaxConns)
	if config != nil {
		r.listener = tls.NewListener(r.listener, config)
	}
	r.http = &http.Server{
		Handler:           r.server,
		ReadHeaderTimeout: limits.HeaderTime,
		IdleTimeout:       limits.IdleTime,
		MaxHeaderBytes:    maxHeaderBytes,
		// net/http logs addresses of peers.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	r.http.Protocols = new(http.Protocols)
	r.http.Protocols.SetHTTP1(true)
	r.expire()
	return r, nil
}

// Embedded is Listen and Serve in the background, for a relay inside another
// program. Shutdown ends it.
func Embedded(o Options) (*Relay, error) {
	r, err := Listen(o)
	if err != nil {
		return nil, err
	}
	r.served = make(chan struct{})
	go func() {
		defer close(r.served)
		if err := r.Serve(); err != nil {
			r.log.Error("the relay stopped", "error", err)
		}
	}()
	return r, nil
}

// Address is the address to put on cards: the first of Proposals.
func (r *Relay) Address() relay.Address { return r.proposals[0].Address }

// Proposals are all addresses of the relay and whom each reaches, the best for
// a card first. There is at least one.
func (r *Relay) Proposals() []Proposal { return append([]Proposal(nil), r.proposals...) }

// Serve answers requests until Shutdown. It returns nil then.
func (r *Relay) Serve() error {
	r.log.Info("the relay runs")
	err := r.http.Serve(r.listener)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Shutdown takes no further requests, answers those that wait at once, lets
// the others finish until ctx ends, and closes the store. It may be called more
// than once.
func (r *Relay) Shutdown(ctx context.Context) error {
	r.shutdown.Do(func() {
		r.server.Release()
		if r.err = r.http.Shutdown(ctx); r.err != nil {
			r.http.Close()
		}
		if r.served != nil {
			<-r.served
		}
		r.err = errors.Join(r.err, r.close())
		r.log.Info("the relay stopped")
	})
	return r.err
}

func (r *Relay) close() error {
	if r.stop != nil {
		r.stop()
		r.expiring.Wait()
	}
	var err error
	if r.listener != nil {
		r.listener.Close() // closed already after Serve
	}
	if r.store != nil {
		err = r.store.Close()
	}
	return err
}

// expire runs the expiry now and every hour.
func (r *Relay) expire() {
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	r.expiring.Go(func() {
		tick := time.NewTicker(time.Hour)
		defer tick.Stop()
		for {
			if err := r.server.Expire(ctx); err != nil && ctx.Err() == nil {
				r.log.Error("expiry failed", "error", err)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

// ErrCertificate says that Options.CertFile and KeyFile are not a certificate
// and its key.
var ErrCertificate = errors.New("the relay's certificate can't be used")

// security decides between plain HTTP (no config) and TLS, with the pin and the
// name for the address, each if there is one.
func security(o Options, place net.Addr) (config *tls.Config, pin relay.Pin, name string, err error) {
	tcp, onNetwork := place.(*net.TCPAddr)
	var cert tls.Certificate
	switch {
	case o.CertFile != "" || o.KeyFile != "":
		if cert, err = tls.LoadX509KeyPair(o.CertFile, o.KeyFile); err != nil {
			return nil, pin, "", fmt.Errorf("%w: %w", ErrCertificate, err)
		}
		name = trustedName(cert)
	case !onNetwork || tcp.IP.IsLoopback():
		return nil, pin, "", nil
	default:
		if cert, err = ownCertificate(o.Dir); err != nil {
			return nil, pin, "", err
		}
	}
	if name == "" {
		pin = relay.KeyPin(cert.Leaf)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{cert},
		MinVersion:   tls.VersionTLS13,
		NextProtos:   []string{"http/1.1"},
	}, pin, name, nil
}

// trustedName is the first name on a certificate that the system's authorities
// vouch for, or "". Such a relay needs no pin, which would break when the
// certificate is renewed.
func trustedName(cert tls.Certificate) string {
	if len(cert.Leaf.DNSNames) == 0 {
		return ""
	}
	between := x509.NewCertPool()
	for _, der := range cert.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(c)
		}
	}
	name := cert.Leaf.DNSNames[0]
	if _, err := cert.Leaf.Verify(x509.VerifyOptions{DNSName: name, Intermediates: between}); err != nil {
		return ""
	}
	return name
}

// proposals are the addresses of a relay that listens at place.
func proposals(secure bool, place net.Addr, name string, pin relay.Pin) ([]Proposal, error) {
	tcp, ok := place.(*net.TCPAddr)
	if !ok {
		a, err := relay.NewAddress(false, "localhost:80", relay.Pin{})
		return []Proposal{{Address: a, Reach: ThisComputer}}, err
	}
	if name != "" {
		a, err := relay.NewAddress(secure, net.JoinHostPort(name, fmt.Sprint(tcp.Port)), pin)
		return []Proposal{{Address: a, Reach: Internet}}, err
	}
	ips, err := Interfaces()
	if err != nil {
		return nil, err
	}
	ip, ok := netip.AddrFromSlice(tcp.IP)
	if !ok {
		ip = netip.IPv6Unspecified()
	}
	all, err := propose(secure, netip.AddrPortFrom(ip, uint16(tcp.Port)), pin, ips)
	if err == nil && len(all) == 0 {
		err = errors.New("this computer has no address to listen at")
	}
	return all, err
}
