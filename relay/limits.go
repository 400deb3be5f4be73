package relay

import (
	"time"

	"parley/internal/wire"
)

// Sizes of the protocol, in bytes. The server's own limits (rates, waiting
// readers, boxes) are in server/limits.go.
const (
	// TokenSize is the size of a token and of a token's hash.
	TokenSize = 32

	// RequestIDSize is the size of the random id of a request.
	RequestIDSize = 16

	// MaxTicket bounds a ticket: a blind signature of RSA-4096 with its key's
	// id and a random number.
	MaxTicket = 640

	// RequestSize is the size of every request: a header and one cell.
	RequestSize = requestHeader + wire.CellSize

	// MaxWait bounds the time that a reader waits. Whatever stands between
	// client and relay often gives up after a minute.
	MaxWait = 55 * time.Second

	// maxAddress bounds the text of an Address.
	maxAddress = 400
)

const (
	requestHeader = 1024
	answerHeader  = 512
	sumSize       = 32
)
