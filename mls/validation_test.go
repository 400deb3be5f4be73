package mls

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const validationTable = "../docs/mls-validation.md"

// rule is a line of the table.
type rule struct{ number, section, text, function, test string }

var ruleLine = regexp.MustCompile("^\\| (\\d+) \\| ([\\d.]+) \\| ([^|]+) \\| `([^`]+)` \\| `([^`]+)` \\|$")

// readRules reads the table: every line of a table there that is no head is a rule.
func readRules(t *testing.T) (rules []rule) {
	for i, line := range strings.Split(string(must(os.ReadFile(validationTable))(t)), "\n") {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| | § |") || strings.HasPrefix(line, "|--") {
			continue
		}
		m := ruleLine.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("line %d is no rule: %s", i+1, line)
			continue
		}
		rules = append(rules, rule{m[1], m[2], m[3], m[4], m[5]})
	}
	return rules
}

// source is what the syntax trees of a folder have. Functions are named
// "file.go:Type.function".
type source struct {
	functions map[string]bool
	refuses   map[string]bool            // those that call invalid
	tests     map[string]map[string]bool // by test, the strings in it
}

func parseFolder(t *testing.T, folder string) *source {
	s := &source{map[string]bool{}, map[string]bool{}, map[string]map[string]bool{}}
	files := must(filepath.Glob(filepath.Join(folder, "*.go")))(t)
	for _, name := range files {
		f := must(parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution))(t)
		isTest := strings.HasSuffix(name, "_test.go")
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			switch {
			case !ok:
			case isTest:
				s.tests[fn.Name.Name] = literals(fn)
			default:
				full := name + ":" + receiver(fn) + fn.Name.Name
				s.functions[full] = true
				s.refuses[full] = refuses(fn)
			}
		}
	}
	return s
}

// receiver is the type of a method and a point.
func receiver(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return ""
	}
	kind := fn.Recv.List[0].Type
	if star, ok := kind.(*ast.StarExpr); ok {
		kind = star.X
	}
	return kind.(*ast.Ident).Name + "."
}

// refuses tells whether fn says that something is against RFC 9420.
func refuses(fn *ast.FuncDecl) (found bool) {
	ast.Inspect(fn, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "invalid" {
				found = true
			}
		}
		return true
	})
	return found
}

func literals(n ast.Node) map[string]bool {
	list := map[string]bool{}
	ast.Inspect(n, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				list[text] = true
			}
		}
		return true
	})
	return list
}

// hasSubtest tells whether a test has a case of that name: as it stands, or put
// together of a prefix and the name of a fault that leaves may have anywhere.
func (s *source) hasSubtest(test, name string) bool {
	list := s.tests[test]
	if list[name] {
		return true
	}
	for _, f := range leafFaults {
		prefix, ok := strings.CutSuffix(name, f.name)
		if ok && (prefix == "" || list[prefix]) {
			return true
		}
	}
	return false
}

// TestValidationTable holds docs/mls-validation.md true.
func TestValidationTable(t *testing.T) {
	here, wire := parseFolder(t, "."), parseFolder(t, "../internal/wire")
	rules := readRules(t)
	named := map[string]bool{}
	for i, r := range rules {
		if r.number != fmt.Sprint(i+1) {
			t.Fatalf("rule %s has the place of rule %d", r.number, i+1)
		}
		if !here.functions[r.function] && !wire.functions[r.function] {
			t.Errorf("rule %s: there is no function %s", r.number, r.function)
		}
		named[r.function] = true
		test, sub, _ := strings.Cut(r.test, "/")
		if !strings.HasPrefix(test, "Test") && !strings.HasPrefix(test, "Fuzz") || here.tests[test] == nil {
			t.Errorf("rule %s: there is no test %s", r.number, test)
		} else if sub != "" && !here.hasSubtest(test, sub) {
			t.Errorf("rule %s: %s has no case %q", r.number, test, sub)
		}
	}
	if len(rules) < 150 {
		t.Errorf("the table has %d rules", len(rules))
	}
	for function, refuses := range here.refuses {
		if refuses && !named[function] {
			t.Errorf("%s refuses what is against RFC 9420, and no rule names it", function)
		}
	}
	if !slices.ContainsFunc(rules, func(r rule) bool { return r.section == "9.2" }) {
		t.Error("no rule is about deletion")
	}
}
