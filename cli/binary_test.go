package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"parley/relay"
)

// binary is the real one, built once for all tests that ask for it with
// needBinary.
var (
	binary    string
	binaryDir string
	built     = sync.OnceValue(build)
)

func TestMain(m *testing.M) {
	code := m.Run()
	if binaryDir != "" {
		os.RemoveAll(binaryDir)
	}
	os.Exit(code)
}

func needBinary(t *testing.T) {
	t.Helper()
	if err := built(); err != nil {
		t.Fatal(err)
	}
}

func build() (err error) {
	if binaryDir, err = os.MkdirTemp("", "parley-binary-"); err != nil {
		return err
	}
	binary = filepath.Join(binaryDir, "parley")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	cmd := exec.Command("go", "build", "-o", binary, "parley/cmd/parley")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the binary was not built: %w\n%s", err, out)
	}
	return nil
}

const testPassphrase = "correct horse battery"

// A process is one that runs in the background.
type process struct {
	cmd  *exec.Cmd
	done chan error
	out  string // its first line
}

// background starts the binary and waits for its first line.
func background(dir string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(binary, args...), done: make(chan error, 1)}
	p.cmd.Dir = dir
	p.cmd.Env = quietEnv()
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var said strings.Builder
	p.cmd.Stderr = &said
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	in := bufio.NewReader(out)
	p.out, err = in.ReadString('\n')
	if err != nil {
		p.cmd.Process.Kill()
		p.cmd.Wait()
		return nil, fmt.Errorf("parley %s: %w: %s", strings.Join(args, " "), err, said.String())
	}
	p.out = strings.TrimSuffix(p.out, "\n")
	go func() {
		io.Copy(io.Discard, in)
		p.done <- p.cmd.Wait()
	}()
	return p, nil
}

// quietEnv is this process's environment, without a vault of its own.
func quietEnv() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PARLEY_") {
			env = append(env, v)
		}
	}
	return env
}

// kill ends it at once, as a power cut would.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// interrupt asks it to end, and gives its exit code.
func (p *process) interrupt() int {
	p.cmd.Process.Signal(os.Interrupt)
	return exitCode(<-p.done)
}

func exitCode(err error) int {
	var e *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.ExitCode()
	}
	return -1
}

// startRelay runs a relay on its former address, if it had one.
func startRelay(dir, former string) (*process, string, error) {
	listen := "127.0.0.1:0"
	if former != "" {
		a, err := relay.ParseAddress(former)
		if err != nil {
			return nil, "", err
		}
		listen = a.Host()
	}
	p, err := background(dir, "relay", "--listen", listen, "--data", filepath.Join(dir, "relay-data"))
	if err != nil {
		return nil, "", err
	}
	address, ok := strings.CutPrefix(p.out, "listening on ")
	if !ok {
		p.kill()
		return nil, "", fmt.Errorf("a relay said %q", p.out)
	}
	return p, address, nil
}
