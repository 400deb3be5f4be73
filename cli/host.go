package cli

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"parley/client"
	"parley/relay"
	"parley/relay/server"
)

// A host is the relay inside the application. It runs once somebody wants to
// see its addresses, or has a dialogue on it. Its port is kept, since cards
// name it.
type host struct {
	home string
	tell func(key string, args ...any)

	mu    sync.Mutex
	relay *server.Relay
}

func (h *host) dir() string      { return filepath.Join(h.home, "relay") }
func (h *host) portFile() string { return filepath.Join(h.home, "relay.port") }

// port is the one kept, or 0.
func (h *host) port() uint16 {
	f, err := os.Open(h.portFile())
	if err != nil {
		return 0
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 16))
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// start runs the relay, if it does not run yet.
func (h *host) start() (*server.Relay, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.relay != nil {
		return h.relay, nil
	}
	if err := os.MkdirAll(h.dir(), 0o700); err != nil {
		return nil, err
	}
	before := h.port()
	r, err := server.Embedded(server.Options{Addr: net.JoinHostPort("", strconv.Itoa(int(before))), Dir: h.dir()})
	if err != nil {
		return nil, err
	}
	if before == 0 {
		if err := h.keepPort(r.Address()); err != nil {
			return nil, errors.Join(err, r.Shutdown(context.Background()))
		}
	}
	h.relay = r
	return r, nil
}

func (h *host) keepPort(a relay.Address) error {
	_, port, err := net.SplitHostPort(a.Host())
	if err != nil {
		return err
	}
	return save(h.portFile(), func(w io.Writer) error {
		_, err := io.WriteString(w, port+"\n")
		return err
	})
}

// proposals are the relay's addresses.
func (h *host) proposals() []server.Proposal {
	r, err := h.start()
	if err != nil {
		h.tell("cli.said.relayfailed", "why", err)
		return nil
	}
	return r.Proposals()
}

// serve runs the relay if one of the dialogues is on it: its port is this
// one's, and its host an address rather than a name.
func (h *host) serve(dialogues []client.Dialogue) {
	port := h.port()
	if port == 0 {
		return
	}
	for _, d := range dialogues {
		a, err := relay.ParseAddress(d.Relay)
		if err != nil || a.Pin().IsZero() {
			continue
		}
		if _, p, err := net.SplitHostPort(a.Host()); err == nil && p == strconv.Itoa(int(port)) {
			if _, err := h.start(); err != nil {
				h.tell("cli.said.relayfailed", "why", err)
			}
			return
		}
	}
}

// dial reaches a relay. The one of this computer is reached on loopback,
// whatever address this computer had on the day of the card: its key is known.
func (h *host) dial(a relay.Address) (*relay.Client, error) {
	return relay.NewClient(a, relay.WithDial(func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		if port, own := h.owns(a); own {
			address = net.JoinHostPort("127.0.0.1", port)
		}
		return d.DialContext(ctx, network, address)
	}))
}

// owns tells whether an address is this computer's relay, and its port.
func (h *host) owns(a relay.Address) (port string, own bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.relay == nil || a.Pin().IsZero() || h.relay.Address().Pin() != a.Pin() {
		return "", false
	}
	_, port, err := net.SplitHostPort(h.relay.Address().Host())
	return port, err == nil
}

func (h *host) shutdown(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.relay == nil {
		return nil
	}
	r := h.relay
	h.relay = nil
	return r.Shutdown(ctx)
}
