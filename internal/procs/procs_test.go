package procs

import (
	"runtime"
	"testing"
)

func TestRaise(t *testing.T) {
	was := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(was)
	for _, c := range []struct {
		env       string
		have, get int
	}{
		{"", 1, Least},
		{"", Least + 3, Least + 3},
		{"1", 1, 1},
	} {
		t.Setenv("GOMAXPROCS", c.env)
		runtime.GOMAXPROCS(c.have)
		if Raise(); runtime.GOMAXPROCS(0) != c.get {
			t.Errorf("with %q and %d: %d, want %d", c.env, c.have, runtime.GOMAXPROCS(0), c.get)
		}
	}
}
