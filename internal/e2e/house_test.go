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

	"github.com/chromedp/chromedp"
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

// newHouse starts Chromium with a new profile, or gives nil on a machine that
// has none, except where CI has to be sure.
func newHouse(t *testing.T) *house {
	t.Helper()
	path := os.Getenv("PARLEY_CHROMIUM")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); path == "" && err == nil {
			path = found
		}
	}
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no Chromium")
		}
		t.Log("there is no Chromium: nothing is tried")
		return nil
	}
	if err := build(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := chromedp.NewExecAllocator(t.Context(),
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.Flag("headless", true), chromedp.Flag("no-sandbox", true),
		chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("hide-scrollbars", true))
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
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

// axe is axe-core's source, or empty: then pages are not judged by it, except
// where CI has to be sure.
var axe = sync.OnceValues(func() (string, error) {
	path := os.Getenv("PARLEY_AXE")
	if path == "" {
		if os.Getenv("CI") == "true" {
			return "", fmt.Errorf("PARLEY_AXE does not name axe-core's axe.min.js")
		}
		return "", nil
	}
	b, err := os.ReadFile(path)
	return string(b), err
})
