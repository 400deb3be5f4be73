package server

import (
	"cmp"
	"net"
	"net/netip"
	"slices"

	"parley/relay"
)

// A Reach says whom an address reaches.
type Reach int

// The reaches, the wider the larger.
const (
	ThisComputer Reach = iota
	SameNetwork        // people on the same network: a hotel table, an office
	Internet           // everybody, if no firewall stands between
)

// A Proposal is an address at which a relay may be reached, and by whom.
type Proposal struct {
	Address relay.Address
	Reach   Reach
	ip4     bool
}

// ReachOf tells whom an IP address reaches.
func ReachOf(ip netip.Addr) Reach {
	ip = ip.Unmap()
	switch {
	case ip.IsLoopback():
		return ThisComputer
	case ip.IsPrivate(), ip.IsLinkLocalUnicast(), shared.Contains(ip), !ip.IsGlobalUnicast():
		return SameNetwork
	}
	return Internet
}

// shared is the space of carriers' own networks (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

// Interfaces are the IP addresses of this computer that others can be told:
// without those that need a zone.
func Interfaces() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var ips []netip.Addr
	for _, a := range all {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		if ip, ok := netip.AddrFromSlice(n.IP); ok && !(ip.Is6() && ip.IsLinkLocalUnicast()) {
			ips = append(ips, ip.Unmap())
		}
	}
	return ips, nil
}

// propose gives the addresses of a relay that listens at place on a computer
// with the given IP addresses, the best for a card first: IPv4, which every
// network has, before IPv6, then the widest reach; this computer itself last.
func propose(secure bool, place netip.AddrPort, pin relay.Pin, ips []netip.Addr) ([]Proposal, error) {
	if !place.Addr().IsUnspecified() {
		ips = []netip.Addr{place.Addr().Unmap()}
	}
	var all []Proposal
	for _, ip := range ips {
		if place.Addr().Is4() && !ip.Is4() {
			continue
		}
		a, err := relay.NewAddress(secure, netip.AddrPortFrom(ip, place.Port()).String(), pin)
		if err != nil {
			return nil, err
		}
		all = append(all, Proposal{a, ReachOf(ip), ip.Is4()})
	}
	slices.SortStableFunc(all, func(a, b Proposal) int {
		if (a.Reach == ThisComputer) == (b.Reach == ThisComputer) && a.ip4 != b.ip4 {
			if a.ip4 {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.Reach, a.Reach)
	})
	return all, nil
}
