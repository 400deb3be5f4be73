package relay

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// What a request can come to. Errors of Client.Do wrap one of these, or the
// error of the context that ended it. ErrCorrupt, ErrUnavailable and ErrLimit
// are worth another try with the same cell (Retryable): an append that did
// arrive is not done twice.
var (
	ErrDenied      = errors.New("the relay does not allow this")
	ErrFull        = errors.New("the box is full")
	ErrGone        = errors.New("the box was destroyed")
	ErrLimit       = errors.New("the relay asks to wait")
	ErrNotIdle     = errors.New("the box is still in use")
	ErrTooOld      = errors.New("the relay speaks another version")
	ErrCorrupt     = errors.New("the request or its answer was altered on the way")
	ErrUnavailable = errors.New("the relay can't be reached or can't answer")
)

// ErrWrongKey comes with ErrUnavailable: what answers at the relay's address
// does not have the key that the address names. Somebody stands between, or the
// relay was set up anew.
var ErrWrongKey = errors.New("the relay shows another key than the one in its address")

// A LimitError is ErrLimit with the time after which to try again.
type LimitError struct{ RetryAfter time.Duration }

func (e *LimitError) Error() string {
	return fmt.Sprintf("%v (%v)", ErrLimit, e.RetryAfter)
}

// Is makes a LimitError an ErrLimit.
func (e *LimitError) Is(target error) bool { return target == ErrLimit }

// Retryable tells whether the same request may do better later.
func Retryable(err error) bool {
	return errors.Is(err, ErrCorrupt) || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrLimit)
}

// A Code is an outcome on the wire.
type Code uint8

// CodeOK is the outcome without error.
const CodeOK Code = 0

// outcomes is the one table of outcomes: its place is the code. The HTTP
// status is for proxies and operators; a client believes the code, which the
// sum of the answer covers. Where there is no such answer (a proxy's page, or a
// relay that could not read the request), it believes a status only if bare
// says so: none of those ends anything for good.
var outcomes = []struct {
	err    error
	status int
	bare   bool
}{
	CodeOK: {nil, http.StatusOK, false},
	1:      {ErrDenied, http.StatusForbidden, false},
	2:      {ErrFull, http.StatusInsufficientStorage, false},
	3:      {ErrGone, http.StatusGone, false},
	4:      {ErrLimit, http.StatusTooManyRequests, true},
	5:      {ErrNotIdle, http.StatusConflict, false},
	6:      {ErrTooOld, http.StatusNotImplemented, true},
	7:      {ErrCorrupt, http.StatusBadRequest, true},
	8:      {ErrUnavailable, http.StatusServiceUnavailable, true},
}

// CodeOf is the code of err; what the table does not have is ErrUnavailable.
func CodeOf(err error) Code {
	if err == nil {
		return CodeOK
	}
	for code, o := range outcomes {
		if o.err != nil && errors.Is(err, o.err) {
			return Code(code)
		}
	}
	return CodeOf(ErrUnavailable)
}

// Err is the error of a code, nil for CodeOK.
func (c Code) Err() error {
	if !c.valid() {
		return ErrUnavailable
	}
	return outcomes[c].err
}

// Status is the HTTP status of a code.
func (c Code) Status() int {
	if !c.valid() {
		return http.StatusServiceUnavailable
	}
	return outcomes[c].status
}

func (c Code) valid() bool { return int(c) < len(outcomes) }

// errorOfStatus is the error of an HTTP answer that is not of this protocol.
func errorOfStatus(status int) error {
	for _, o := range outcomes {
		if o.bare && o.status == status {
			return o.err
		}
	}
	return ErrUnavailable
}
