package cli

import (
	"bytes"
	"encoding/json"
	"errors"
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

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"parley/client"
	"parley/dialogue"
	"parley/internal/words"
	"parley/vault"
)

// inLanguage is an environment in which somebody reads a language.
func inLanguage(lang string) func(string) string {
	return func(name string) string {
		if name == "LANG" {
			return lang
		}
		return ""
	}
}

// walk visits every command, with the name of its texts.
func walk(cmd *cobra.Command, key string, visit func(cmd *cobra.Command, key string)) {
	visit(cmd, key)
	for _, sub := range cmd.Commands() {
		walk(sub, key+"."+sub.Name(), visit)
	}
}

// TestTexts: every command and every flag has its texts, and no text is for a
// command or a flag that does not exist.
func TestTexts(t *testing.T) {
	b, err := os.ReadFile("../internal/words/en.json")
	if err != nil {
		t.Fatal(err)
	}
	english := map[string]json.RawMessage{}
	if err := json.Unmarshal(b, &english); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	need := func(what, text string, keys ...string) {
		for _, key := range keys {
			if _, ok := english[key]; ok {
				used[key] = true
				if want := words.For(words.English).T(key); text != want {
					t.Errorf("%s says %q, not %q", what, text, want)
				}
				return
			}
		}
		t.Errorf("%s has no words: %q", what, text)
	}
	walk(newApp(Env{Getenv: inLanguage("en")}).root(), "cli", func(cmd *cobra.Command, key string) {
		what := cmd.CommandPath()
		need(what, cmd.Short, key+".short")
		need(what, cmd.Long, key+".long")
		need(what, cmd.Example, key+".example")
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			need(what+" --"+f.Name, f.Usage, key+".flag."+f.Name, "cli.flag."+f.Name)
		})
	})
	of := regexp.MustCompile(`^cli\..*?(short|long|example|flag\.[a-z-]+)$`)
	for key := range english {
		if of.MatchString(key) && !used[key] && !strings.HasPrefix(key, "cli.hint.") && !strings.HasPrefix(key, "cli.error.") {
			t.Errorf("no command says %q", key)
		}
	}
}

// translated are the stretches of the made-up language.
var translated = regexp.MustCompile("(?s)\u202e\\][^\u202e\u202c]*\\[\u202c")

// untranslated is what a text in the made-up language has beside it. What
// stands within another sentence goes first.
func untranslated(s string) string {
	for translated.MatchString(s) {
		s = translated.ReplaceAllString(s, " ")
	}
	return s
}

// TestPseudoHelp: of help, only names and the lines of use are not in the
// reader's language.
func TestPseudoHelp(t *testing.T) {
	root := newApp(Env{Getenv: inLanguage("en")}).root()
	walk(root, "cli", func(cmd *cobra.Command, _ string) {
		args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
		var out, problem bytes.Buffer
		if code := Main(t.Context(), Env{Out: &out, Err: &problem, Getenv: inLanguage(words.Pseudo)}, args); code != exitDone {
			t.Fatalf("%v: %d %s", args, code, &problem)
		}
		names := append(strings.Fields(cmd.UseLine()), strings.Fields(cmd.CommandPath()+" COMMAND")...)
		for _, sub := range cmd.Commands() {
			names = append(names, sub.Name())
		}
		flag := func(f *pflag.Flag) { names = append(names, "--"+f.Name, "-"+f.Shorthand+",") }
		cmd.LocalFlags().VisitAll(flag)
		cmd.InheritedFlags().VisitAll(flag)
		for _, word := range strings.Fields(untranslated(out.String())) {
			if !slices.Contains(names, word) {
				t.Errorf("%v: %q is not in words: %s", args, word, &out)
			}
		}
	})
}

// TestPseudoErrors: nor are errors and hints.
func TestPseudoErrors(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	for _, args := range [][]string{
		{"frobnicate"}, {"sayy"}, {"help", "frobnicate"}, {"dialogue"}, {"dialogue", "frobnicate"}, {"completion", "bash", "more"},
		{"--frobnicate"}, {"-x"}, {"say", "--room"}, {"file", "-o"}, {"sync", "--wait", "soon"}, {"read", "D", "--limit", "many"}, {"--=x"},
		{"say"}, {"say", "D"}, {"say", "D", "text", "more"}, {"file", "D", "1"}, {"init"}, {"--port", "70000"},
		{"dialogue", "new", "--track", "three"}, {"dialogue", "new", "--side", "A", "--side", "a", "--relay", "r"},
		{"dialogue", "new", "--side", "", "--side", "b", "--relay", "r"}, {"dialogue", "new", "--side", "A", "--side", "B", "--relay", "r"},
		{"seats", "D"}, {"doctor"}, {"relay"}, {"relay", "--listen", ":0"}, {"relay", "--listen", ":0", "--data", home, "--cert", "x"},
		{"rehearse", "--as", "nobody"}, {"invite", "D", "--side", "A", "--name", "B", "--role", "none"},
	} {
		var out, problem bytes.Buffer
		env := Env{In: strings.NewReader(""), Out: &out, Err: &problem, Getenv: inLanguage(words.Pseudo)}
		if code := Main(t.Context(), env, append([]string{"--home", home}, args...)); code == exitDone {
			t.Errorf("%v is taken", args)
		}
		rest := untranslated(problem.String())
		if !strings.HasPrefix(rest, "parley: ") || strings.TrimSpace(strings.TrimPrefix(rest, "parley: ")) != "" {
			t.Errorf("%v: %q is not in words: %s", args, rest, &problem)
		}
	}
	a := newApp(Env{Getenv: inLanguage(words.Pseudo)})
	for _, k := range kinds {
		if _, text, hint := a.explain(k.err); text == "" || strings.TrimSpace(untranslated(string(text+hint))) != "" {
			t.Errorf("%v: %q, %q", k.err, text, hint)
		}
	}
	for _, err := range []error{
		errAlarm, &client.RuleError{Missing: []string{"A", "B"}}, &client.AmbiguousError{Prefix: "h", Names: []string{"Hal", "Hanna"}},
		&vault.InUseError{}, &vault.InUseError{PID: 7}, &vault.InUseError{PID: 7, Note: "parley sync"}, errors.New("unforeseen"),
		&os.PathError{Op: "open", Path: "x", Err: os.ErrNotExist},
	} {
		if _, text, hint := a.explain(err); text == "" || strings.TrimSpace(untranslated(string(text+hint))) != "" {
			t.Errorf("%v: %q, %q", err, text, hint)
		}
	}
}

// TestPseudoVault: an open vault speaks its person's language, whatever the
// environment's is.
func TestPseudoVault(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	said := func(args ...string) string {
		code, _, problem := run(t, []string{testPassphrase, testPassphrase}, append([]string{"--home", home}, args...)...)
		if code != exitDone {
			t.Fatalf("%v: %d %s", args, code, problem)
		}
		return problem
	}
	if s := said("init", "--name", "Ruth", "--language", words.Pseudo); !strings.Contains(s, string((&app{w: words.For(words.Pseudo)}).t("cli.said.made"))) {
		t.Errorf("%q", s)
	}
	if s := said("dialogue", "list"); !strings.Contains(s, string((&app{w: words.For(words.Pseudo)}).t("cli.said.nodialogue"))) {
		t.Errorf("%q", s)
	}
}

func TestLanguageOf(t *testing.T) {
	for _, c := range []struct{ all, messages, lang, want string }{
		{"", "", "", "en"}, {"", "", "en_GB.UTF-8", "en-GB"}, {"", "ar_EG@x", "en", "ar-EG"}, {"qps-rtl", "ar", "en", "qps-rtl"}, {"C.UTF-8", "", "", "C"},
	} {
		env := map[string]string{"LC_ALL": c.all, "LC_MESSAGES": c.messages, "LANG": c.lang}
		if got := languageOf(func(name string) string { return env[name] }); got != c.want {
			t.Errorf("%v: %q", c, got)
		}
	}
}

// TestWordsOfEverything: nothing that the commands can say is without words.
func TestWordsOfEverything(t *testing.T) {
	a := newApp(Env{Getenv: inLanguage("en")})
	check := func(key string) {
		t.Helper()
		if !a.w.Has(key) {
			t.Errorf("there are no words %q", key)
		}
	}
	for _, k := range kinds {
		if k.text != "" {
			check(k.text)
		}
		if k.hint != "" {
			check(k.hint)
		}
		if code, text, _ := a.explain(k.err); code != k.code || string(text) == a.w.T("problem.other") {
			t.Errorf("%v: %d %q", k.err, code, text)
		}
	}
	for s := dialogue.Invited; s <= dialogue.Left; s++ {
		check(statusKeys[s])
	}
	for _, key := range standings {
		check(key)
	}
	for _, key := range reaches {
		check(key)
	}
}

// spoken are two words with a blank between them, verbs of formats apart.
var (
	verbs  = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z]`)
	spoken = regexp.MustCompile(`\pL\pP* +\pP*\pL`)
)

// notSaid are the functions and variables whose literals nobody reads.
var notSaid = map[string]string{
	"mac":        "what the MAC is over",
	"errHandoff": "never shown: a second process starts an application of its own then",
	"relay":      "the line that scripts wait for",
}

// TestNoSentences: what people read is in words, none of it in the code. The
// line of use of a command is its interface.
func TestNoSentences(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 15 {
		t.Fatal(files, err)
	}
	met := map[string]bool{}
	for _, file := range append(files, "../cmd/parley/main.go") {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			eachLiteral(d, func(within string, l *ast.BasicLit) {
				s, err := strconv.Unquote(l.Value)
				if err != nil {
					t.Fatal(err)
				}
				if !spoken.MatchString(verbs.ReplaceAllString(s, "")) {
					return
				}
				if notSaid[within] == "" {
					t.Errorf("%s: %s says %q", set.Position(l.Pos()), within, s)
				}
				met[within] = true
			})
		}
	}
	for name := range notSaid {
		if !met[name] {
			t.Errorf("%s says nothing any more", name)
		}
	}
}

// eachLiteral visits the string literals of a declaration, but for imports,
// tags and lines of use, with the name of the function or variable.
func eachLiteral(d ast.Decl, visit func(within string, l *ast.BasicLit)) {
	within := ""
	if f, ok := d.(*ast.FuncDecl); ok {
		within = f.Name.Name
	}
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec, *ast.StructType:
			return false
		case *ast.ValueSpec:
			if _, global := d.(*ast.GenDecl); global {
				within = n.Names[0].Name
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && strings.EqualFold(key.Name, "Use") {
				return false
			}
		case *ast.AssignStmt:
			if to, ok := n.Lhs[0].(*ast.SelectorExpr); ok && to.Sel.Name == "Use" {
				return false
			}
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				visit(within, n)
			}
		}
		return true
	})
}
