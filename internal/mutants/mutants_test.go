package mutants

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A mutant is the program without one rule.
type mutant struct {
	rule string // which, with the section of the design
	file string // from the root of the module
	old  string // occurs there once
	new  string
	by   catcher
}

// A catcher is the test that fails without the rule.
type catcher struct{ pkg, run string }

func (c catcher) String() string { return fmt.Sprintf("%s in %s", c.run, c.pkg) }

// all are the mutants of the tables.
var all = slices.Concat(ofDialogue, ofReplacing, ofClient, ofFounding, ofCrypto, ofKeeping, ofRogues, ofTime, ofReach, ofSimulation)

// atOnce is how many builds, and then catchers, run at a time.
const atOnce = 2

// TestMutants: each mutant compiles, and is caught; without a mutant the same
// tests pass.
func TestMutants(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	b := bench{root, dir, writeSources(t, root, dir)}
	runs := map[string][]string{} // by package
	for _, m := range all {
		if !slices.Contains(runs[m.by.pkg], m.by.run) {
			runs[m.by.pkg] = append(runs[m.by.pkg], m.by.run)
		}
	}
	// Packages are built before anything runs: what waits for a build would
	// hold a place.
	t.Run("built", func(t *testing.T) {
		begin := places()
		for pkg := range runs {
			t.Run(pkg, func(t *testing.T) {
				begin(t)
				b.build(t, pkg)
			})
		}
	})
	if t.Failed() {
		return
	}
	begin := places()
	// The longest first.
	for pkg, l := range runs {
		t.Run("nothing taken out of what "+pkg+" tests", func(t *testing.T) {
			begin(t)
			if out, err := b.run(catcher{pkg, strings.Join(l, "|")}, ""); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	for _, m := range all {
		t.Run(m.rule, func(t *testing.T) {
			begin(t)
			b.isCaught(t, &m)
		})
	}
}

// places gives what a parallel test begins with: it waits for its place.
func places() func(*testing.T) {
	free := make(chan struct{}, atOnce)
	return func(t *testing.T) {
		t.Parallel()
		free <- struct{}{}
		t.Cleanup(func() { <-free })
	}
}

// TestRulesAreNamedOnce: a mutant is known by its rule.
func TestRulesAreNamedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range all {
		if seen[m.rule] || !strings.HasPrefix(m.rule, "§") {
			t.Errorf("rule %q", m.rule)
		}
		seen[m.rule] = true
	}
}

// A bench has the tests of each package built with all mutants in them.
type bench struct {
	root, dir string // of the module, and for the binaries
	overlay   string // the file for go build
}

func (b bench) binary(pkg string) string {
	return filepath.Join(b.dir, strings.ReplaceAll(pkg, "/", "-")+".test.exe") // .exe is what Windows wants
}

// build builds the tests of a package.
func (b bench) build(t *testing.T, pkg string) {
	t.Helper()
	args := []string{"test", "-c", "-ldflags=-s -w", "-overlay", b.overlay, "-o", b.binary(pkg)}
	if slices.Contains([]string{"internal/sim", "mls", "client"}, pkg) {
		args = append(args, "-tags=rogue")
	}
	cmd := exec.Command("go", append(args, "./"+pkg)...)
	cmd.Dir = b.root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v. A file that is a rule's name is the function without that rule: adapt the table.\n%s", err, out)
	}
}

// isCaught has a mutant's catcher fail.
func (b bench) isCaught(t *testing.T, m *mutant) {
	t.Helper()
	out, err := b.run(m.by, m.rule)
	switch {
	case err == nil:
		t.Errorf("without this rule %s passes all the same. Let it, or another test, fail", m.by)
	case bytes.Contains(out, []byte("panic: test timed out")):
		t.Errorf("without this rule %s does not end. Choose a test that fails:\n%s", m.by, out)
	case !bytes.Contains(out, []byte("--- FAIL")) && !bytes.Contains(out, []byte("panic: ")):
		t.Errorf("%s ended without a test that failed: %v\n%s", m.by, err, out)
	}
}

// run runs the catcher without a rule, or with all, in a process of its own and
// gives what it prints. One failure is enough.
func (b bench) run(c catcher, rule string) ([]byte, error) {
	cmd := exec.Command(b.binary(c.pkg), "-test.timeout=90s", "-test.failfast", "-test.paniconexit0", "-test.run", c.run)
	cmd.Dir = filepath.Join(b.root, filepath.FromSlash(c.pkg)) // as go test does
	cmd.Env = append(os.Environ(), without+"="+rule)
	return cmd.CombinedOutput()
}
