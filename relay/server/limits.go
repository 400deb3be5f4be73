package server

import "time"

// Limits are all limits of a server. Zero fields mean the default.
type Limits struct {
	// What is kept.
	MaxBoxes     uint64 // boxes that can have cells
	MaxCells     uint64 // cells, of 4 KiB
	MaxRetention uint16 // days; a box of longer retention can't be opened

	// How often, for one network: an IPv4 address or an IPv6 /64. This computer
	// itself is not limited; a proxy on it has to limit on its own.
	RequestRate  float64 // requests a second, in the long run
	RequestBurst float64 // requests at once
	BoxRate      float64 // new boxes a second, in the long run
	BoxBurst     float64 // new boxes at once

	// How much at a time.
	MaxConns   int // connections
	MaxWaiting int // readers that wait for a cell

	// How long.
	HeaderTime time.Duration // to send the header of a request, and the TLS handshake
	BodyTime   time.Duration // to send the rest of it
	WriteTime  time.Duration // to take the answer
	IdleTime   time.Duration // between requests
}

// DefaultLimits are for one small machine: 64 GiB of cells.
var DefaultLimits = Limits{
	MaxBoxes:     1 << 20,
	MaxCells:     1 << 24,
	MaxRetention: 800,
	RequestRate:  100,
	RequestBurst: 1000,
	BoxRate:      0.5,
	BoxBurst:     500,
	MaxConns:     16384,
	MaxWaiting:   8192,
	HeaderTime:   10 * time.Second,
	BodyTime:     30 * time.Second,
	WriteTime:    60 * time.Second,
	IdleTime:     2 * time.Minute,
}

// What does not depend on the machine.
const (
	maxHeaderBytes = 8 << 10 // of a request's HTTP header

	// maxNetworks bounds the networks whose rate is remembered one by one.
	maxNetworks = 1 << 16

	// minRetention is the shortest retention of a box, in days.
	minRetention = 1

	// How long clients are asked to stay away.
	retryRate    = 10 * time.Second // after too many requests
	retryWaiting = 15 * time.Second // while too many readers wait
	retrySpace   = time.Hour        // while there is no room
)

// orDefault puts the default in the place of each zero.
func (l Limits) orDefault() Limits {
	d := DefaultLimits
	setDefault(&l.MaxBoxes, d.MaxBoxes)
	setDefault(&l.MaxCells, d.MaxCells)
	setDefault(&l.MaxRetention, d.MaxRetention)
	setDefault(&l.RequestRate, d.RequestRate)
	setDefault(&l.RequestBurst, d.RequestBurst)
	setDefault(&l.BoxRate, d.BoxRate)
	setDefault(&l.BoxBurst, d.BoxBurst)
	setDefault(&l.MaxConns, d.MaxConns)
	setDefault(&l.MaxWaiting, d.MaxWaiting)
	setDefault(&l.HeaderTime, d.HeaderTime)
	setDefault(&l.BodyTime, d.BodyTime)
	setDefault(&l.WriteTime, d.WriteTime)
	setDefault(&l.IdleTime, d.IdleTime)
	return l
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
