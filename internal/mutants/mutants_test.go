package mutants

import (
	"bytes"
	"encoding/json"
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

// atOnce is how many run at a time: each compiles and links.
const atOnce = 2

// TestMutants: each mutant compiles, and is caught; without a mutant the same
// tests pass.
func TestMutants(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Concat(ofDialogue, ofReplacing, ofClient, ofFounding, ofCrypto, ofKeeping, ofRogues)
	places := make(chan struct{}, atOnce)
	begin := func(t *testing.T) {
		t.Parallel()
		places <- struct{}{}
		t.Cleanup(func() { <-places })
	}
	runs := map[string][]string{} // by package
	for _, m := range all {
		if !slices.Contains(runs[m.by.pkg], m.by.run) {
			runs[m.by.pkg] = append(runs[m.by.pkg], m.by.run)
		}
		t.Run(m.rule, func(t *testing.T) {
			begin(t)
			m.isCaught(t, root)
		})
	}
	for pkg, l := range runs {
		t.Run("nothing taken out of what "+pkg+" tests", func(t *testing.T) {
			begin(t)
			if out, err := (catcher{pkg, strings.Join(l, "|")}).test(root); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestRulesAreNamedOnce: a mutant is known by its rule.
func TestRulesAreNamedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range slices.Concat(ofDialogue, ofReplacing, ofClient, ofFounding, ofCrypto, ofKeeping, ofRogues) {
		if seen[m.rule] || !strings.HasPrefix(m.rule, "§") {
			t.Errorf("rule %q", m.rule)
		}
		seen[m.rule] = true
	}
}

func (m *mutant) isCaught(t *testing.T, root string) {
	original := filepath.Join(root, filepath.FromSlash(m.file))
	source, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		t.Fatalf("%s has the text of this mutant %d times, not once. Adapt the table in internal/mutants, so that it takes out the rule as it is written now:\n%s", m.file, n, m.old)
	}
	dir := t.TempDir()
	mutated, overlay := filepath.Join(dir, filepath.Base(m.file)), filepath.Join(dir, "overlay.json")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {original: mutated}})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{mutated: []byte(strings.Replace(string(source), m.old, m.new, 1)), overlay: list} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := m.by.test(root, "-overlay", overlay)
	switch {
	case err == nil:
		t.Errorf("without this rule %s passes all the same. Let it, or another test, fail", m.by)
	case bytes.Contains(out, []byte("[build failed]")) || bytes.Contains(out, []byte("[setup failed]")):
		t.Errorf("%s with the mutant does not compile. Adapt the table:\n%s", m.file, out)
	case bytes.Contains(out, []byte("panic: test timed out")):
		t.Errorf("without this rule %s does not end. Choose a test that fails:\n%s", m.by, out)
	case !bytes.Contains(out, []byte("--- FAIL")) && !bytes.Contains(out, []byte("panic: ")):
		t.Errorf("%s ended without a test that failed: %v\n%s", m.by, err, out)
	}
}

// test runs the catcher in a process of its own and gives what it prints.
func (c catcher) test(root string, flags ...string) ([]byte, error) {
	args := append([]string{"test", "-count=1", "-vet=off", "-ldflags=-s -w", "-timeout=90s", "-run", c.run}, flags...)
	if c.pkg == "internal/sim" || c.pkg == "mls" {
		args = append(args, "-tags=rogue")
	}
	cmd := exec.Command("go", append(args, "./"+c.pkg)...)
	cmd.Dir = root
	return cmd.CombinedOutput()
}

func (c catcher) String() string { return fmt.Sprintf("%s in %s", c.run, c.pkg) }
