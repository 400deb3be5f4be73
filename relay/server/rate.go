package server

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// A rate limits how often each network may do something: a bucket of burst
// tokens for each, refilled at perSecond.
type rate struct {
	perSecond, burst float64

	mu      sync.Mutex
	buckets map[netip.Prefix]*bucket
	swept   time.Time // when full buckets were last forgotten
}

type bucket struct {
	tokens float64
	last   time.Time
}

func newRate(perSecond, burst float64) *rate {
	return &rate{perSecond: perSecond, burst: burst, buckets: map[netip.Prefix]*bucket{}}
}

// allow takes a token of the network, and tells whether there was one. The zero
// network is never limited.
func (r *rate) allow(network netip.Prefix, now time.Time) bool {
	if !network.IsValid() {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.buckets[network]
	if b == nil {
		b = r.add(network, now)
	}
	r.refill(b, now)
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

func (r *rate) refill(b *bucket, now time.Time) {
	if d := now.Sub(b.last).Seconds(); d > 0 {
		b.tokens = min(r.burst, b.tokens+d*r.perSecond)
	}
	b.last = now
}

// add makes a bucket. When there are too many it forgets those that are full,
// which changes nothing for them, once a second at most; if that does not help,
// all further networks share one.
func (r *rate) add(network netip.Prefix, now time.Time) *bucket {
	if len(r.buckets) >= maxNetworks && now.Sub(r.swept).Abs() >= time.Second {
		r.swept = now
		for n, b := range r.buckets {
			if r.refill(b, now); b.tokens >= r.burst {
				delete(r.buckets, n)
			}
		}
	}
	if len(r.buckets) >= maxNetworks {
		network = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		if b := r.buckets[network]; b != nil {
			return b
		}
	}
	b := &bucket{tokens: r.burst, last: now}
	r.buckets[network] = b
	return b
}

// networkOf is the network of a request's RemoteAddr; none for this computer,
// and for a listener that is not on a network.
func networkOf(remote string) netip.Prefix {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Unmap().IsLoopback() {
		return netip.Prefix{}
	}
	ip = ip.Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(ip, bits).Masked()
}
