package server

import (
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"parley/relay"
)

// metrics are totals over all boxes and everybody.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec // by operation and outcome
	appended prometheus.Counter
	refused  prometheus.Counter // requests that could not be read
}

func newMetrics(store relay.Store, h *hub) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_relay_requests_total", Help: "Requests answered, by operation and outcome.",
		}, []string{"operation", "outcome"}),
		appended: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "parley_relay_appends_total", Help: "Appends acknowledged, repeated ones too.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "parley_relay_malformed_requests_total", Help: "Requests that could not be read.",
		}),
	}
	m.registry.MustRegister(m.requests, m.appended, m.refused,
		gauge("parley_relay_boxes", "Boxes kept.", func() uint64 { return store.Totals().Boxes }),
		gauge("parley_relay_cells", "Cells kept.", func() uint64 { return store.Totals().Cells }),
		gauge("parley_relay_waiting_readers", "Readers that wait for a cell.", func() uint64 { return uint64(h.count()) }))
	return m
}

func gauge(name, help string, f func() uint64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(f()) })
}

var operations = map[relay.Op]string{relay.OpRead: "read", relay.OpAppend: "append", relay.OpDestroy: "destroy"}

var outcomes = map[error]string{
	nil: "ok", relay.ErrDenied: "denied", relay.ErrFull: "full", relay.ErrGone: "gone", relay.ErrLimit: "limit",
	relay.ErrNotIdle: "not_idle", relay.ErrUnavailable: "unavailable",
}

func (m *metrics) count(op relay.Op, code relay.Code) {
	m.requests.WithLabelValues(operations[op], outcomes[code.Err()]).Inc()
	if op == relay.OpAppend && code == relay.CodeOK {
		m.appended.Inc()
	}
}

// handler serves the metrics to this computer. The Host check keeps out pages
// in a browser here, and a proxy here that passes on everything.
func (m *metrics) handler() http.Handler {
	inner := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil || !relay.IsLoopback(from) || !relay.IsLoopback(hostOnly(r.Host)) {
			http.Error(w, "metrics are for this computer only", http.StatusForbidden)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// hostOnly drops the port and the brackets of a Host header.
func hostOnly(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	if n := len(host); n > 1 && host[0] == '[' && host[n-1] == ']' {
		return host[1 : n-1]
	}
	return host
}
