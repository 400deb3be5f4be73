package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// harmless tells whether a terminal shows r and does nothing else with it.
// Joiners are part of how some languages are written; marks that turn the
// direction of a whole line are not let through.
func harmless(r rune) bool {
	switch {
	case r == '\u200c' || r == '\u200d':
		return true
	case r == '\u2028' || r == '\u2029':
		return false
	}
	return !unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs)
}

// clean makes somebody's text harmless in one line of a terminal: what would
// be obeyed instead of shown becomes U+FFFD, and a line end a blank.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r == '\r':
			return -1
		case !harmless(r):
			return utf8.RuneError
		}
		return r
	}, s)
}

// cleaned is clean for each of a list.
func cleaned(list []string) []string {
	safe := make([]string, len(list))
	for i, s := range list {
		safe[i] = clean(s)
	}
	return safe
}

// cleanLines is clean for a text of several lines, each after indent but the
// first.
func cleanLines(s, indent string) string {
	lines := strings.Split(strings.TrimRight(s, "\r\n"), "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return strings.Join(lines, "\n"+indent)
}

// emit writes one JSON object in a line. Beyond what JSON asks for, it escapes
// what a terminal would obey.
func (a *app) emit(v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	var out strings.Builder
	for _, r := range strings.TrimSuffix(b.String(), "\n") {
		switch {
		case harmless(r):
			out.WriteRune(r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	_, err := fmt.Fprintln(a.Out, out.String())
	return err
}

// A sentence is text that a terminal may have as it is: it comes from words,
// and what it fills in was made harmless.
type sentence string

// t gives a sentence. What it fills in may be a string, which is made
// harmless, a number, a list of names, an error, or a sentence.
func (a *app) t(key string, args ...any) sentence {
	safe := slices.Clone(args)
	for i, v := range args {
		switch v := v.(type) {
		case string:
			safe[i] = clean(v)
		case []string:
			safe[i] = sentence(a.w.List(cleaned(v)))
		case error:
			_, safe[i], _ = a.explain(v)
		}
	}
	return sentence(a.w.T(key, safe...))
}

// result writes what a command was asked for: the object with --json, else
// the line.
func (a *app) result(v any, line sentence) error {
	if a.json {
		return a.emit(v)
	}
	_, err := fmt.Fprintln(a.Out, line)
	return err
}

// tell writes a sentence beside the result.
func (a *app) tell(key string, args ...any) { fmt.Fprintln(a.Err, a.t(key, args...)) }

// table aligns rows whose cells stand between tabs.
func table(w io.Writer, rows []string) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(t, r)
	}
	return t.Flush()
}

// row makes a row of a table of sentences and of other people's words.
func row(cells ...any) string {
	safe := make([]string, len(cells))
	for i, c := range cells {
		switch c := c.(type) {
		case sentence:
			safe[i] = string(c)
		default:
			safe[i] = clean(fmt.Sprint(c))
		}
	}
	return strings.Join(safe, "\t")
}

// head makes the row above a table.
func (a *app) head(keys ...string) string {
	cells := make([]any, len(keys))
	for i, key := range keys {
		cells[i] = a.t(key)
	}
	return row(cells...)
}

// stamp is a time in JSON: RFC 3339, in UTC; empty for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
