package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"parley/relay"
)

// Config is what a Server is made of.
type Config struct {
	Store  relay.Store
	Limits Limits           // zero fields: DefaultLimits
	Now    func() time.Time // the clock for arrivals and rates; time.Now if nil
	Log    *slog.Logger     // what failed; nothing if nil
}

// A Server is the relay as an http.Handler. Whoever serves it must bound the
// time of headers and the number of connections; Listen does.
type Server struct {
	store   relay.Store
	limits  Limits
	now     func() time.Time
	log     *slog.Logger
	mux     *http.ServeMux
	hub     hub
	metrics *metrics
	rate    *rate
	opening *rate

	closing   chan struct{} // closed by Release
	release   sync.Once
	storeFail sync.Once
	buffers   sync.Pool // *inbox
	answers   relay.Buffers
}

// An inbox is a request being read.
type inbox struct {
	raw [relay.RequestSize]byte
	req relay.Request
}

// New returns a server of c.Store.
func New(c Config) *Server {
	s := &Server{store: c.Store, limits: c.Limits.orDefault(), now: c.Now, log: c.Log, closing: make(chan struct{})}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.buffers.New = func() any { return new(inbox) }
	s.metrics = newMetrics(s.store, &s.hub)
	s.rate = newRate(s.limits.RequestRate, s.limits.RequestBurst)
	s.opening = newRate(s.limits.BoxRate, s.limits.BoxBurst)
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("POST "+relay.Path, s.exchange)
	s.mux.HandleFunc("GET /healthz", s.health)
	s.mux.Handle("GET /metrics", s.metrics.handler())
	return s
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// net/http would log the peer's address with a panic.
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				s.log.Error("a request panicked", "panic", p)
			}
			panic(http.ErrAbortHandler)
		}
	}()
	c := http.NewResponseController(w)
	now := time.Now()
	// Recorders in tests can't do this, connections can.
	_ = c.SetReadDeadline(now.Add(s.limits.BodyTime))
	_ = c.SetWriteDeadline(now.Add(s.limits.WriteTime))
	s.mux.ServeHTTP(w, r)
}

// Release answers all readers that wait, and lets nobody wait any more.
func (s *Server) Release() { s.release.Do(func() { close(s.closing) }) }

// Expire deletes what is past its retention by now. Call it every hour.
func (s *Server) Expire(ctx context.Context) error { return s.store.Expire(ctx, s.hour()) }

// hour is now in hours since 1970, the only time that the relay keeps.
func (s *Server) hour() uint32 { return uint32(s.now().Unix() / 3600) }

func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	if _, err := s.store.Read(r.Context(), relay.BoxID{}, 0, 1); err != nil {
		http.Error(w, "the store does not answer", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	io.WriteString(w, "ok\n")
}

// A question is a request without its cell: what is kept of it while it waits.
type question struct {
	id      [relay.RequestIDSize]byte
	sum     relay.RequestSum
	op      relay.Op
	box     relay.BoxID
	mode    relay.Mode
	from    uint64
	wait    time.Duration
	network netip.Prefix
}

// exchange answers POST /v1.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request) {
	in := s.buffers.Get().(*inbox)
	q, err := s.receive(w, r, in)
	if err != nil {
		s.buffers.Put(in)
		s.metrics.refused.Inc()
		// No mode is known, so this is no answer in the usual form.
		w.Header().Set("Connection", "close")
		http.Error(w, http.StatusText(relay.CodeOf(err).Status()), relay.CodeOf(err).Status())
		return
	}
	page, retry, err := s.act(r.Context(), q, in)
	s.buffers.Put(in)
	if err == nil && q.wait > 0 && len(page.Cells) == 0 {
		page, retry, err = s.await(r.Context(), q)
	}
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // nobody is there to take an answer
	}
	s.reply(w, q, page, retry, err)
}

// receive reads and parses a request.
func (s *Server) receive(w http.ResponseWriter, r *http.Request, in *inbox) (q question, err error) {
	if r.ContentLength != relay.RequestSize {
		return q, relay.ErrCorrupt
	}
	if _, err := io.ReadFull(r.Body, in.raw[:]); err != nil {
		return q, relay.ErrCorrupt
	}
	// A reader may now wait longer than it may take to send.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	sum, err := relay.ParseRequest(in.raw[:], &in.req)
	if err != nil {
		return q, err
	}
	return question{
		id: in.req.ID, sum: sum, op: in.req.Op, box: in.req.Box, mode: in.req.Mode,
		from: in.req.From, wait: in.req.Wait, network: networkOf(r.RemoteAddr),
	}, nil
}

// act does at once what a request asks for. retry is when to try again after
// relay.ErrLimit.
func (s *Server) act(ctx context.Context, q question, in *inbox) (page relay.Page, retry time.Duration, err error) {
	if !s.rate.allow(q.network, s.now()) {
		return page, retryRate, relay.ErrLimit
	}
	proof, err := in.req.Proof()
	if err != nil {
		return page, 0, err
	}
	appended := relay.NotAppended
	switch q.op {
	case relay.OpDestroy:
		err = s.store.Destroy(ctx, q.box, s.hour())
		s.hub.wake(q.box)
		return relay.Page{Appended: appended}, 0, err
	case relay.OpAppend:
		if appended, retry, err = s.append(ctx, q, proof, &in.req.Cell); err != nil {
			return page, retry, err
		}
		s.hub.wake(q.box)
	}
	page, err = s.store.Read(ctx, q.box, q.from, int(q.mode))
	page.Appended = appended
	return page, 0, err
}

// append appends a cell, to a new box if need be. What it has begun it ends,
// also when the client goes away.
func (s *Server) append(ctx context.Context, q question, p relay.Proof, cell *relay.Cell) (uint64, time.Duration, error) {
	ctx = context.WithoutCancel(ctx)
	if s.store.Totals().Cells >= s.limits.MaxCells {
		return 0, retrySpace, relay.ErrLimit
	}
	position, err := s.store.Append(ctx, q.box, cell, s.hour())
	if !errors.Is(err, relay.ErrNoBox) {
		return position, 0, err
	}
	switch {
	case p.Retention < minRetention || p.Retention > s.limits.MaxRetention:
		return 0, 0, relay.ErrDenied
	case s.store.Totals().Boxes >= s.limits.MaxBoxes:
		return 0, retrySpace, relay.ErrLimit
	case !s.opening.allow(q.network, s.now()):
		return 0, retryRate, relay.ErrLimit
	}
	if err := s.store.Open(ctx, p, s.hour()); err != nil {
		return 0, 0, err
	}
	position, err = s.store.Append(ctx, q.box, cell, s.hour())
	return position, 0, err
}

// await waits for a cell, and reads it. It reads once more after it began to
// watch, so that it misses nothing.
func (s *Server) await(ctx context.Context, q question) (page relay.Page, retry time.Duration, err error) {
	timer := time.NewTimer(q.wait)
	defer timer.Stop()
	for over := false; ; {
		changed, done, ok := s.hub.watch(q.box, s.limits.MaxWaiting)
		if !ok {
			return page, retryWaiting, relay.ErrLimit
		}
		page, err = s.store.Read(ctx, q.box, q.from, int(q.mode))
		if err != nil || len(page.Cells) > 0 || over {
			done()
			return page, 0, err
		}
		select {
		case <-changed:
		case <-timer.C:
			over = true
		case <-s.closing:
			over = true
		case <-ctx.Done():
			over = true
		}
		done()
	}
}

// longestStatus is longer than every text of a status in use.
const longestStatus = 32

// reply sends an answer. All answers of a mode have one size, HTTP header
// included: Pad makes up for the text of the status.
func (s *Server) reply(w http.ResponseWriter, q question, page relay.Page, retry time.Duration, err error) {
	code := relay.CodeOf(err)
	if code.Err() == relay.ErrUnavailable && !errors.Is(err, context.Canceled) {
		s.storeFail.Do(func() { s.log.Error("the store fails; said only once", "error", err) })
	}
	s.metrics.count(q.op, code)
	a := relay.Answer{Code: code, Mode: q.mode, RetryAfter: retry, ID: q.id, Page: page}
	if code != relay.CodeOK {
		a.Page = relay.Page{Appended: relay.NotAppended}
	}
	buffer := s.answers.Get(q.mode)
	defer s.answers.Put(q.mode, buffer)
	b := a.Append((*buffer)[:0], q.sum)

	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.limits.WriteTime))
	h := w.Header()
	h.Set("Content-Type", relay.ContentType)
	h.Set("Content-Length", strconv.Itoa(len(b)))
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("Pad", strings.Repeat("0", longestStatus-len(http.StatusText(code.Status()))))
	w.WriteHeader(code.Status())
	w.Write(b)
}
