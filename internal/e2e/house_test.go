package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"parley/internal/chromium"
)

// The binary is built once.
var (
	binary string
	build  = sync.OnceValue(func() error {
		cmd := exec.Command("go", "build", "-o", binary, "parley/cmd/parley")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("the binary was not built: %w\n%s", err, out)
		}
		return nil
	})
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "parley-e2e-")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "parley")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// A house is the browser in which people's contexts are.
type house struct {
	*testing.T
	browser context.Context
}

// newHouse starts Chromium, or gives nil on a machine that has none.
func newHouse(t *testing.T) *house {
	t.Helper()
	ctx := chromium.Start(t)
	if ctx == nil {
		return nil
	}
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return &house{t, ctx}
}

// parley runs the binary in the background, gives the first line that it
// prints, and ends it with the test.
func (h *house) parley(args ...string) string {
	h.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = environment()
	out, err := cmd.StdoutPipe()
	if err != nil {
		h.Fatal(err)
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		h.Fatal(err)
	}
	in := bufio.NewReader(out)
	first, err := in.ReadString('\n')
	h.Cleanup(func() {
		end := cmd.Process.Signal
		if runtime.GOOS == "windows" {
			end = func(os.Signal) error { return cmd.Process.Kill() }
		}
		end(os.Interrupt)
		io.Copy(io.Discard, in)
		if err := cmd.Wait(); err != nil && runtime.GOOS != "windows" {
			h.Errorf("parley %s: %v: %s", strings.Join(args, " "), err, said.String())
		}
	})
	if err != nil {
		h.Fatalf("parley %s: %v: %s", strings.Join(args, " "), err, said.String())
	}
	return strings.TrimSpace(first)
}

// environment is this process's, without a vault of its own.
func environment() (l []string) {
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PARLEY_") {
			l = append(l, v)
		}
	}
	return l
}
