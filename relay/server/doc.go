// Package server is the relay's HTTP face.
//
// Listen opens a store and a port and gives a Relay: print its Address, call
// Serve, and Shutdown in the end. Embedded does the same inside another program.
// New is the bare http.Handler over any relay.Store, for those who bring their
// own listener, such as tests.
//
// It answers POST /v1 (see package relay and docs/wire.md), GET /healthz, and
// GET /metrics to this computer alone: even totals tell when there is talk.
//
// It speaks HTTP/1.1 only, so that the size of an answer on the line follows
// from the mode of the request, and from nothing else. Its log says when it
// started and stopped and what failed; never a box, an address or a request.
package server
