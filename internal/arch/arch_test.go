package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "parley"

// arrows is the picture of the house: for each package, which others of the
// house its code may import. What is not drawn is a wall.
var arrows = map[string][]string{
	"internal/wire":     {},
	"internal/secret":   {},
	"internal/procs":    {},
	"internal/words":    {"dialogue", "client"},
	"internal/arch":     {},
	"internal/mutants":  {},
	"internal/chromium": {},

	"mls":      {"internal/wire", "internal/secret"},
	"dialogue": {"internal/wire", "internal/secret"},
	"vault":    {"internal/wire", "internal/secret"},

	"relay":              {"internal/wire", "internal/secret"},
	"relay/server":       {"internal/wire", "internal/secret", "relay", "relay/store/pebble"},
	"relay/store/pebble": {"internal/wire", "internal/secret", "relay"},
	"relay/storetest":    {"internal/wire", "internal/secret", "relay"},

	"channel":   {"internal/wire", "internal/secret", "mls", "relay"},
	"client":    {"internal/wire", "internal/secret", "mls", "relay", "channel", "dialogue", "vault"},
	"rehearsal": {"internal/wire", "internal/words", "client", "dialogue", "relay", "relay/server"},
	"web":       {"internal/wire", "internal/words", "client", "dialogue", "relay"},
	"cli":       {"internal/wire", "internal/words", "client", "dialogue", "vault", "relay", "relay/server", "web", "rehearsal"},

	"cmd/parley":   {"cli", "internal/procs"},
	"internal/e2e": {},
	"internal/sim": {"internal/wire", "client", "dialogue", "vault", "relay", "relay/server", "relay/store/pebble"},
	"bench":        {"internal/wire", "internal/procs", "client", "dialogue", "relay", "relay/server", "relay/store/pebble", "mls", "web"},
}

// pure lists packages that do no I/O and read no clock: time and randomness
// are passed in, and the same log gives every member the same state.
var pure = []string{"mls", "dialogue"}

// impure is what a pure package may not import.
var impure = []string{"net", "net/http", "os", "os/exec", "io/ioutil", "time", "syscall"}

// An imported is one import of one file.
type imported struct {
	pkg, file, path string
	test            bool
}

// imports parses every Go file of the house, in this process, so that the test
// cache sees the files.
func imports(t *testing.T) []imported {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var all []imported
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root {
			_, nested := os.Stat(filepath.Join(path, "go.mod"))
			if strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "testdata" || nested == nil {
				return filepath.SkipDir
			}
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			all = append(all, imported{filepath.ToSlash(filepath.Dir(rel)), filepath.ToSlash(rel), p, strings.HasSuffix(path, "_test.go")})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("only %d imports were found", len(all))
	}
	return all
}

func TestArrows(t *testing.T) {
	for _, i := range imports(t) {
		allowed, drawn := arrows[i.pkg]
		if !drawn {
			t.Errorf("%s: the picture has no room %s", i.file, i.pkg)
			continue
		}
		to, inside := strings.CutPrefix(i.path, module+"/")
		if !inside || i.test || to == i.pkg {
			continue
		}
		if !slices.Contains(allowed, to) {
			t.Errorf("%s: no arrow from %s to %s", i.file, i.pkg, to)
		}
	}
}

// TestHostIsBlind: nothing under relay, tests included, knows what a cell says.
func TestHostIsBlind(t *testing.T) {
	for _, i := range imports(t) {
		if i.pkg != "relay" && !strings.HasPrefix(i.pkg, "relay/") {
			continue
		}
		for _, wall := range []string{"mls", "dialogue", "sounding", "hat", "channel", "vault", "client"} {
			if i.path == module+"/"+wall {
				t.Errorf("%s imports %s", i.file, wall)
			}
		}
	}
}

func TestPure(t *testing.T) {
	for _, i := range imports(t) {
		if slices.Contains(pure, i.pkg) && !i.test && slices.Contains(impure, i.path) {
			t.Errorf("%s imports %s", i.file, i.path)
		}
	}
}

// TestPictureIsDrawn: every room of the picture is there, and no arrow leads nowhere.
func TestPictureIsDrawn(t *testing.T) {
	for room, to := range arrows {
		if _, err := os.Stat(filepath.Join("../..", filepath.FromSlash(room))); err != nil {
			t.Errorf("room %s: %v", room, err)
		}
		for _, x := range to {
			if _, ok := arrows[x]; !ok {
				t.Errorf("an arrow from %s leads to %s, which is not drawn", room, x)
			}
		}
	}
}

// rogues are the files that a simulation alone is built with, by the tag rogue:
// what a member could do who has the source and keeps to none of it.
var rogues = []string{
	"mls/rogue.go", "mls/rogue_test.go",
	"channel/rogue.go",
	"cli/found_rogue_test.go",
	"client/altered_test.go", "client/rogue.go", "client/rogue_moves.go",
}

// TestRoguesStayInSimulations: no file but those, and tests of internal/sim,
// has a build constraint that names the tag; each of those has it alone.
func TestRoguesStayInSimulations(t *testing.T) {
	seen := map[string]bool{}
	for _, i := range imports(t) {
		if seen[i.file] {
			continue
		}
		seen[i.file] = true
		b, err := os.ReadFile(filepath.Join("../..", filepath.FromSlash(i.file)))
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(string(b), "\npackage ")
		var constraint string
		for line := range strings.Lines(head) {
			if c, ok := strings.CutPrefix(line, "//go:build "); ok {
				constraint = strings.TrimSpace(c)
			}
		}
		allowed := slices.Contains(rogues, i.file) || i.pkg == "internal/sim" && i.test
		switch {
		case strings.Contains(constraint, "rogue") && (!allowed || constraint != "rogue"):
			t.Errorf("%s is built with %q", i.file, constraint)
		case slices.Contains(rogues, i.file) && constraint != "rogue":
			t.Errorf("%s is built without the tag rogue", i.file)
		}
	}
	for _, f := range rogues {
		if !seen[f] {
			t.Errorf("%s is not there", f)
		}
	}
	for _, f := range []string{"Makefile", ".ci/run"} {
		b, err := os.ReadFile(filepath.Join("../..", f))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, "go build") && strings.Contains(line, "-tags") {
				t.Errorf("%s builds the program with a tag: %s", f, line)
			}
		}
	}
}
