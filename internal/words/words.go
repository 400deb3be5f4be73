package words

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/unicode/bidi"
)

//go:embed *.json
var files embed.FS

// English is the language that everything has, and Pseudo the made-up one
// that is written from right to left.
const (
	English = "en"
	Pseudo  = "qps-rtl"
)

// Words are the sentences of one language. They are safe for use by several
// goroutines.
type Words struct {
	lang    string
	tag     language.Tag
	rtl     bool
	texts   map[string]text
	numbers *message.Printer
}

// A text is a sentence in its plural forms; one without them has "other".
type text map[string]string

// UnmarshalJSON takes a string or an object of plural forms.
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = text{"other": s}
		return nil
	}
	var m map[string]string
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	if m["other"] == "" {
		return fmt.Errorf("a text without the form %q", "other")
	}
	*t = m
	return nil
}

var load = sync.OnceValue(func() map[string]*Words {
	all := map[string]*Words{}
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		lang := strings.TrimSuffix(e.Name(), ".json")
		b, err := files.ReadFile(e.Name())
		if err != nil {
			panic(err)
		}
		w := newWords(lang)
		if err := json.Unmarshal(b, &w.texts); err != nil {
			panic(fmt.Errorf("words: %s: %w", e.Name(), err))
		}
		all[lang] = w
	}
	all[Pseudo] = all[English].pseudo()
	return all
})

func newWords(lang string) *Words {
	tag := language.Make(lang)
	script, _ := tag.Script()
	rtl := script.String() == "Arab" || script.String() == "Hebr"
	return &Words{lang: lang, tag: tag, rtl: rtl, texts: map[string]text{}, numbers: message.NewPrinter(tag)}
}

// Languages lists the languages that there are, English first.
func Languages() []string {
	list := []string{English}
	for lang := range load() {
		if lang != English && lang != Pseudo {
			list = append(list, lang)
		}
	}
	return list
}

// For gives the words of a language (BCP 47), or of the nearest that there
// is; English in the end.
func For(lang string) *Words {
	all := load()
	for l := lang; l != ""; {
		if w := all[l]; w != nil {
			return w
		}
		i := strings.LastIndexByte(l, '-')
		if i < 0 {
			break
		}
		l = l[:i]
	}
	return all[English]
}

// Lang is the language, for the lang attribute.
func (w *Words) Lang() string {
	if w.lang == Pseudo {
		return English
	}
	return w.lang
}

// Name is what the language is called in Parley's lists and profiles.
func (w *Words) Name() string { return w.lang }

// Dir is "ltr" or "rtl".
func (w *Words) Dir() string {
	if w.rtl {
		return "rtl"
	}
	return "ltr"
}

// Has tells whether there is a sentence of that name.
func (w *Words) Has(key string) bool { return w.texts[key] != nil }

// T gives a sentence. Args are pairs of a name and a value; the value stands
// where the sentence has the name in braces. An int called "n" chooses the
// plural form; "zero" is for none in every language. A name that does not exist gives itself, so that nothing is
// hidden; tests keep that from happening.
func (w *Words) T(key string, args ...any) string {
	t := w.texts[key]
	if t == nil {
		return key
	}
	s := t["other"]
	if len(args) == 0 {
		return s
	}
	for i := 0; i+1 < len(args); i += 2 {
		if n, ok := args[i+1].(int); ok && args[i] == "n" {
			if none := t["zero"]; n == 0 && none != "" {
				s = none
			} else if form := t[w.form(n)]; form != "" {
				s = form
			}
		}
	}
	return fill(s, func(name string) (string, bool) {
		for i := 0; i+1 < len(args); i += 2 {
			if args[i] == name {
				return w.value(args[i+1]), true
			}
		}
		return "", false
	})
}

// fill puts values where a sentence has their names in braces; a value is not
// looked at again.
func fill(s string, value func(name string) (string, bool)) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '{')
		if i < 0 {
			break
		}
		j := strings.IndexByte(s[i:], '}')
		if j < 0 {
			break
		}
		b.WriteString(s[:i])
		if v, ok := value(s[i+1 : i+j]); ok {
			b.WriteString(v)
		} else {
			b.WriteString(s[i : i+j+1])
		}
		s = s[i+j+1:]
	}
	b.WriteString(s)
	return b.String()
}

// form is the plural category of n.
func (w *Words) form(n int) string {
	switch plural.Cardinal.MatchPlural(w.tag, n, 0, 0, 0, 0) {
	case plural.Zero:
		return "zero"
	case plural.One:
		return "one"
	case plural.Two:
		return "two"
	case plural.Few:
		return "few"
	case plural.Many:
		return "many"
	}
	return "other"
}

func (w *Words) value(v any) string {
	switch v := v.(type) {
	case int:
		return w.Number(v)
	case string:
		return w.isolate(v)
	}
	return w.isolate(fmt.Sprint(v))
}

// isolate keeps a name that is written in the other direction from turning
// its sentence around (Unicode's first strong isolate).
func (w *Words) isolate(s string) string {
	for _, r := range s {
		p, _ := bidi.LookupRune(r)
		right := p.Class() == bidi.R || p.Class() == bidi.AL
		if right && !w.rtl || w.rtl && p.Class() == bidi.L {
			return "\u2068" + s + "\u2069"
		}
	}
	return s
}

// pseudo makes the right-to-left language of w: each sentence in reversed
// brackets, between the marks that make it run from right to left.
func (w *Words) pseudo() *Words {
	p := newWords(English)
	p.lang, p.rtl = Pseudo, true
	for key, t := range w.texts {
		p.texts[key] = text{}
		for form, s := range t {
			if strings.HasPrefix(key, "pattern.") {
				p.texts[key][form] = s
				continue
			}
			p.texts[key][form] = "\u202e]" + s + "[\u202c"
		}
	}
	return p
}
