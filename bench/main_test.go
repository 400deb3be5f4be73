package bench

import (
	"testing"

	"parley/internal/procs"
)

// TestMain runs as the program does.
func TestMain(m *testing.M) {
	procs.Raise()
	m.Run()
}
