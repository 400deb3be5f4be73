package mutants

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// without is the variable of the environment that names the rule to do without.
const without = "PARLEY_WITHOUT"

// besides is a file that each package with mutants gets besides its own.
const besides = `package %s

import "os"

var mutantWithout = os.Getenv("` + without + `")
`

// withMutants gives a file with its mutants in it, and its package. A function
// that mutants are made of has the body of each, and its own for where none of
// them is chosen:
//
//	if mutantWithout == "a rule" { … } else if … { … } else { … }
//
// A comment before each body tells the compiler where its text is from, so that
// what it says of a mutant names the rule.
func withMutants(file, source string, l []*mutant) (pkg, out string, err error) {
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, file, source, parser.SkipObjectResolution)
	if err != nil {
		return "", "", err
	}
	done := 0 // up to where out has the source
	for _, d := range parsed.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		open, end := fset.Position(f.Body.Lbrace), fset.Position(f.Body.Rbrace).Offset
		body := source[open.Offset+1 : end]
		branch := func(head, from, body string) {
			out += fmt.Sprintf("%s {\n//line %s:%d\n%s\n}", head, from, open.Line, body)
		}
		var here []*mutant
		l = slices.DeleteFunc(l, func(m *mutant) bool {
			if !strings.Contains(body, m.old) {
				return false
			}
			here = append(here, m)
			return true
		})
		if len(here) == 0 {
			continue
		}
		out += source[done : open.Offset+1]
		for _, m := range here {
			branch(fmt.Sprintf("if mutantWithout == %q", m.rule), m.rule, strings.Replace(body, m.old, m.new, 1))
			out += " else "
		}
		branch("", filepath.Base(file), body)
		done = end
	}
	for _, m := range l {
		return "", "", fmt.Errorf("%s: the text of %q is in no function", file, m.rule)
	}
	return parsed.Name.Name, out + source[done:], nil
}

// writeSources writes the sources with all mutants in them, and gives the file
// that tells go build to take them (its flag -overlay).
func writeSources(t *testing.T, root, dir string) string {
	t.Helper()
	files := map[string][]*mutant{}
	for i, m := range all {
		files[m.file] = append(files[m.file], &all[i])
	}
	replace := map[string]string{}
	write := func(name, text string) {
		to := filepath.Join(dir, strings.ReplaceAll(name, "/", "-"))
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(root, filepath.FromSlash(name))] = to
	}
	for file, l := range files {
		source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range l {
			if n := strings.Count(string(source), m.old); n != 1 {
				t.Errorf("%s has the text of the mutant %q %d times, not once. Adapt the table in internal/mutants, so that it takes out the rule as it is written now:\n%s", file, m.rule, n, m.old)
			}
		}
		if t.Failed() {
			continue // with the texts of the other files
		}
		pkg, text, err := withMutants(file, string(source), l)
		if err != nil {
			t.Fatal(err)
		}
		write(file, text)
		write(file[:strings.LastIndex(file, "/")+1]+"mutants.go", fmt.Sprintf(besides, pkg))
	}
	if t.Failed() {
		t.FailNow()
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, list, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}
