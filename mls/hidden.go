package mls

import (
	"fmt"
	"io"
)

// hidden, embedded, keeps what holds secrets from being printed or logged.
type hidden struct{}

const hiddenText = "[secret]"

// Format hides the value, whatever the verb.
func (hidden) Format(f fmt.State, _ rune) { io.WriteString(f, hiddenText) }

// MarshalText hides the value from encoders and loggers.
func (hidden) MarshalText() ([]byte, error) { return []byte(hiddenText), nil }
