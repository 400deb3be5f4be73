package relay

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// A Pin is the SHA-256 of a server's public key (the SubjectPublicKeyInfo of
// its certificate). The zero Pin is none.
type Pin [32]byte

// IsZero tells whether there is no pin.
func (p Pin) IsZero() bool { return p == Pin{} }

// An Address says where a relay is and, with a pin, which key it must show.
// Without one a certificate that the system trusts is asked for. The zero
// Address is none. Addresses compare with ==.
type Address struct {
	secure bool
	host   string // "name:port", lower case; IPv6 in brackets
	pin    Pin
}

// ErrAddress is wrapped by every error of ParseAddress.
var ErrAddress = errors.New("not the address of a relay")

const pinPrefix = "pin="

// ParseAddress reads "https://host:port", with "#pin=" and 43 letters of
// base64url where the key is pinned. "http://" is for this computer only:
// 127.0.0.0/8, [::1] and localhost. Only what String writes is taken: lower
// case, a port unless it is 443 (80 for http), no path.
func ParseAddress(text string) (Address, error) {
	a, err := parseAddress(text)
	if err == nil && a.String() != text {
		err = errors.New("not in its usual form")
	}
	if err != nil {
		return Address{}, fmt.Errorf("%w: %v", ErrAddress, err)
	}
	return a, nil
}

func parseAddress(text string) (Address, error) {
	var a Address
	if len(text) > maxAddress {
		return a, errors.New("too long")
	}
	place, fragment, pinned := strings.Cut(text, "#")
	scheme, host, ok := strings.Cut(place, "://")
	if !ok {
		return a, errors.New("it starts with https://")
	}
	switch scheme {
	case "https":
		a.secure = true
	case "http":
	default:
		return a, fmt.Errorf("%q is not https", scheme)
	}
	name, port, err := splitHost(host)
	if err != nil {
		return a, err
	}
	if !a.secure && !IsLoopback(name) {
		return a, errors.New("http is for this computer only")
	}
	if port == "" {
		port = a.defaultPort()
	}
	a.host = net.JoinHostPort(name, port)
	if pinned {
		if !a.secure {
			return a, errors.New("http has no key to pin")
		}
		a.pin, err = parsePin(fragment)
	}
	return a, err
}

// splitHost checks the host of a URL and gives its name without brackets and
// its port, or "".
func splitHost(host string) (name, port string, err error) {
	u := url.URL{Host: host}
	name, port = u.Hostname(), u.Port()
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return "", "", errors.New("the port is a number up to 65535")
		}
		port = strconv.FormatUint(n, 10)
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		if ip.Zone() != "" || ip.Is4In6() || ip.IsUnspecified() {
			return "", "", errors.New("not an address that others can use")
		}
		return ip.String(), port, nil
	}
	if !isName(name) {
		return "", "", errors.New("the host has a name or an IP address")
	}
	return name, port, nil
}

// isName checks the letters of a DNS name (RFC 1123 §2.1), in lower case. Its
// last label has a letter, so that it is not a mistyped IPv4 address.
func isName(name string) bool {
	if len(name) > 253 {
		return false
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

// IsLoopback tells whether a host, a name or an IP address without port, is
// this computer.
func IsLoopback(name string) bool {
	if name == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.IsLoopback()
}

func parsePin(fragment string) (p Pin, err error) {
	text, ok := strings.CutPrefix(fragment, pinPrefix)
	if !ok {
		return p, errors.New("after # comes pin=")
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != len(p) {
		return p, errors.New("a pin has 43 letters")
	}
	copy(p[:], b)
	if p.IsZero() {
		return p, errors.New("a pin is not zero")
	}
	return p, nil
}

// NewAddress makes the address of a relay that listens on host, "name:port".
func NewAddress(secure bool, host string, pin Pin) (Address, error) {
	a := Address{secure: secure, host: host, pin: pin}
	return ParseAddress(a.String())
}

// String is the form that ParseAddress reads, "" for the zero Address.
func (a Address) String() string {
	s := a.URL()
	if !a.pin.IsZero() {
		s += "#" + pinPrefix + base64.RawURLEncoding.EncodeToString(a.pin[:])
	}
	return s
}

// URL is the address without its pin.
func (a Address) URL() string {
	if a.IsZero() {
		return ""
	}
	scheme := "http"
	if a.secure {
		scheme = "https"
	}
	return scheme + "://" + strings.TrimSuffix(a.host, ":"+a.defaultPort())
}

// Host is "name:port", with IPv6 in brackets.
func (a Address) Host() string { return a.host }

// Secure tells whether the relay is reached by TLS.
func (a Address) Secure() bool { return a.secure }

// Pin is the key's hash, zero if there is none.
func (a Address) Pin() Pin { return a.pin }

// IsZero tells whether a is no address.
func (a Address) IsZero() bool { return a.host == "" }

func (a Address) defaultPort() string {
	if a.secure {
		return "443"
	}
	return "80"
}
