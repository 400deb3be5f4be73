package relay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// answerTime bounds a request besides the time that it waits on purpose: slow
// hotel networks need some 20 s for the largest answer.
const answerTime = 30 * time.Second

// An Exchange is one request to a box: append a cell, read cells, or both.
type Exchange struct {
	Box    *Box
	Append *Cell  // nil: only read
	From   uint64 // the first position to read; wire.BoxCapacity at most
	Mode   Mode   // how many cells the answer has room for; zero means Mode8
	// Wait is how long to wait for a cell at From, also in a box that does not
	// exist yet: MaxWait at most, in whole seconds (a part counts as one). It
	// must be zero where there is a cell to append.
	Wait   time.Duration
	Ticket []byte // MaxTicket bytes at most
}

// A Client talks to one relay. It may be used by several goroutines. It does
// not try again by itself: see Retryable.
type Client struct {
	addr   Address
	url    string
	http   *http.Client
	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	answers Buffers // of answers while they are read

	mu     sync.Mutex
	closed bool
	busy   sync.WaitGroup // requests under way
}

// A ClientOption changes how a client reaches its relay.
type ClientOption func(*http.Transport)

// WithDial makes the client's connections with dial, as a simulation or a
// proxy needs it; TLS, where the address asks for it, is on top.
func WithDial(dial func(ctx context.Context, network, address string) (net.Conn, error)) ClientOption {
	return func(t *http.Transport) { t.DialContext = dial }
}

// WithRoots replaces the system's certificate authorities, for an address
// without a pin.
func WithRoots(roots *x509.CertPool) ClientOption {
	return func(t *http.Transport) { t.TLSClientConfig.RootCAs = roots }
}

// NewClient returns a client of the relay at addr. It connects when first
// used.
func NewClient(addr Address, opts ...ClientOption) (*Client, error) {
	if addr.IsZero() {
		return nil, ErrAddress
	}
	// HTTP/1.1 only: the size of what goes over the line is then exactly known.
	t := &http.Transport{
		DialContext:            (&net.Dialer{Timeout: answerTime}).DialContext,
		TLSClientConfig:        tlsConfig(addr.Pin()),
		TLSHandshakeTimeout:    answerTime,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 8 << 10,
		WriteBufferSize:        8 << 10,
		ReadBufferSize:         8 << 10,
	}
	for _, o := range opts {
		o(t)
	}
	c := &Client{addr: addr, url: addr.URL() + Path}
	c.http = &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// Path is where a relay takes requests.
const Path = "/v1"

// ContentType is the type of requests and answers.
const ContentType = "application/octet-stream"

// tlsConfig trusts the pinned key alone, whatever the names and dates on its
// certificate; without a pin, what the system trusts.
func tlsConfig(pin Pin) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}}
	if pin.IsZero() {
		return c
	}
	c.InsecureSkipVerify = true // VerifyConnection is stricter; the handshake proves the key
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return errors.New("the relay shows no certificate")
		}
		if KeyPin(s.PeerCertificates[0]) != pin {
			return ErrWrongKey
		}
		return nil
	}
	return c
}

// KeyPin is the pin of a certificate's key.
func KeyPin(cert *x509.Certificate) Pin { return sha256.Sum256(cert.RawSubjectPublicKeyInfo) }

// Address is the relay's address.
func (c *Client) Address() Address { return c.addr }

// Do makes one request. After an error an append may or may not have happened;
// the same cell again is safe, and gives the same position. The errors are
// those of this package, the context's own, or an error about x itself.
func (c *Client) Do(ctx context.Context, x Exchange) (Page, error) {
	r := Request{Mode: x.Mode, From: x.From, Ticket: x.Ticket}
	if r.Mode == 0 {
		r.Mode = Mode8
	}
	op := OpRead
	if x.Append != nil {
		op, r.Cell = OpAppend, *x.Append
	}
	r.Wait = (x.Wait + time.Second - 1).Truncate(time.Second)
	if x.Box == nil {
		return Page{}, errors.New("relay: an exchange needs a box")
	}
	r.fill(op, x.Box)
	return c.do(ctx, &r)
}

// Destroy ends a box for good: its cells can't be read any more, and no cell
// can be appended, by anybody. It gives ErrNotIdle before the box's idle days
// are over. To destroy again, or what never was, is no error.
func (c *Client) Destroy(ctx context.Context, b *Box) error {
	r := Request{Mode: Mode1}
	r.fill(OpDestroy, b)
	_, err := c.do(ctx, &r)
	return err
}

// Close ends all requests under way, and waits for them.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.busy.Wait()
	c.http.CloseIdleConnections()
}

var errClosed = fmt.Errorf("%w: the client is closed", ErrUnavailable)

func (c *Client) start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errClosed
	}
	c.busy.Add(1)
	return nil
}

func (c *Client) do(ctx context.Context, r *Request) (Page, error) {
	if err := r.check(); err != nil {
		return Page{}, fmt.Errorf("relay: %w", err)
	}
	if err := c.start(); err != nil {
		return Page{}, err
	}
	defer c.busy.Done()
	inner, cancel := context.WithTimeout(ctx, r.Wait+answerTime)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()

	body, sum := r.Append(make([]byte, 0, RequestSize))
	b, err := c.post(inner, body, r.Mode)
	if err != nil {
		if ctx.Err() != nil {
			return Page{}, fmt.Errorf("relay: %w", context.Cause(ctx))
		}
		return Page{}, err
	}
	a, err := ParseAnswer(*b, sum)
	c.answers.Put(r.Mode, b) // the page holds copies
	if err != nil {
		return Page{}, err
	}
	return r.accept(a)
}

// post sends a request and reads an answer of the mode's size, whatever it
// says, into one of the client's buffers.
func (c *Client) post(ctx context.Context, body []byte, mode Mode) (*[]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrUnavailable, err)
	}
	req.Header.Set("Content-Type", ContentType)
	req.Header.Set("User-Agent", "") // nothing that tells programs apart
	res, err := c.http.Do(req)
	if errors.Is(err, ErrWrongKey) {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, ErrWrongKey)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrUnavailable, withoutURL(err))
	}
	defer res.Body.Close()
	if res.ContentLength != int64(mode.AnswerSize()) {
		return nil, bareError(res)
	}
	b := c.answers.Get(mode)
	if _, err := io.ReadFull(res.Body, *b); err != nil {
		return nil, fmt.Errorf("%w: the answer broke off: %v", ErrUnavailable, err)
	}
	// Read to the end, so that the connection can be used again.
	if n, err := res.Body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return nil, fmt.Errorf("%w: the answer goes on", ErrCorrupt)
	}
	return b, nil
}

// bareError is the error for an answer that is not of this protocol.
func bareError(res *http.Response) error {
	err := errorOfStatus(res.StatusCode)
	if err == ErrLimit {
		return &LimitError{RetryAfter: defaultRetry}
	}
	return fmt.Errorf("%w: HTTP status %d", err, res.StatusCode)
}

// defaultRetry is the time to wait where somebody else than the relay, such as
// a proxy, asks to.
const defaultRetry = 10 * time.Second

// maxRetry bounds what a relay can ask for.
const maxRetry = time.Hour

// withoutURL drops the address from an error: it may be shown or logged.
func withoutURL(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// accept checks that a answers r.
func (r *Request) accept(a *Answer) (Page, error) {
	p := a.Page
	switch {
	case a.ID != r.ID || a.Mode != r.Mode:
		return Page{}, fmt.Errorf("%w: the answer to another request", ErrCorrupt)
	case a.Code.Err() == ErrLimit:
		return Page{}, &LimitError{RetryAfter: min(a.RetryAfter, maxRetry)}
	case a.Code != CodeOK:
		return Page{}, a.Code.Err()
	case (p.Appended != noPosition) != (r.Op == OpAppend):
		return Page{}, fmt.Errorf("%w: nothing was appended, or too much", ErrCorrupt)
	case p.First < r.From:
		return Page{}, fmt.Errorf("%w: cells that were not asked for", ErrCorrupt)
	case r.Op == OpDestroy && len(p.Cells) != 0:
		return Page{}, fmt.Errorf("%w: cells of a destroyed box", ErrCorrupt)
	}
	return p, nil
}
