package web

import (
	"bytes"
	"embed"
	"fmt"
	"hash/fnv"
	"html/template"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"parley/internal/words"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed static
var staticFiles embed.FS

// pages holds the templates, one set for each page and language: layout.html
// and parts.html with the page's own file, which defines "main" and the
// blocks that change by themselves.
type pages struct {
	mu   sync.Mutex
	sets map[[2]string]*template.Template
}

func newPages() *pages { return &pages{sets: map[[2]string]*template.Template{}} }

// set is the templates of a page in a language. A page that does not parse is
// a mistake in this package, which every test would meet.
func (p *pages) set(name string, w *words.Words) *template.Template {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := [2]string{name, w.Name()}
	t := p.sets[key]
	if t == nil {
		t = template.Must(template.New("layout.html").Funcs(funcs(w)).
			ParseFS(pageFiles, "pages/layout.html", "pages/parts.html", "pages/"+name+".html"))
		p.sets[key] = t
	}
	return t
}

// pageNames lists the pages.
func pageNames() []string {
	var names []string
	entries, _ := fs.ReadDir(pageFiles, "pages")
	for _, e := range entries {
		if n := strings.TrimSuffix(e.Name(), path.Ext(e.Name())); n != "layout" && n != "parts" {
			names = append(names, n)
		}
	}
	return names
}

// funcs are what templates can call.
func funcs(w *words.Words) template.FuncMap {
	return template.FuncMap{
		"t":     w.T,
		"num":   w.Number,
		"bytes": w.Bytes,
		"list":  w.List, "either": w.Either,
		"clock": func(t time.Time) string { return w.Time(t.Local()) },
		"date":  func(t time.Time) string { return w.Date(t.Local()) },
		"stamp": stamp,
		"paras": paragraphs,
		"attrs": attrs,
		"dict":  dict,
		"plus":  func(a, b int) int { return a + b },
	}
}

// stamp is a time as HTML's time element has it.
func stamp(t time.Time) string { return t.Local().Format("2006-01-02T15:04") }

// paragraphs splits a text at blank lines; line ends within one stay.
func paragraphs(s string) []string {
	var l []string
	for _, p := range strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n\n") {
		if p = strings.Trim(p, "\n"); p != "" {
			l = append(l, p)
		}
	}
	return l
}

// attrs are the attributes of a form's field: what describes it, whether it
// is wrong, and the focus where it is the first that is. Hints are ids.
func attrs(f *form, field string, hints ...string) template.HTMLAttr {
	var b strings.Builder
	ids := hints
	if f.Err(field) != "" {
		ids = append([]string{field + "-error"}, hints...)
	}
	if len(ids) > 0 {
		fmt.Fprintf(&b, ` aria-describedby="%s"`, template.HTMLEscapeString(strings.Join(ids, " ")))
	}
	if f.Err(field) != "" {
		b.WriteString(` aria-invalid="true"`)
		if f.First(field) {
			b.WriteString(" autofocus")
		}
	}
	return template.HTMLAttr(b.String())
}

// dict makes a map for a part that takes several things.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: %d values", len(pairs))
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m, nil
}

// A block is a part of a page that changes by itself. Version changes with
// its content, so that the script leaves alone what is the same.
type block struct {
	ID      string
	HTML    template.HTML
	Version string
}

// block renders one of a page's blocks.
func renderBlock(t *template.Template, name string, data any) (block, error) {
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, data); err != nil {
		return block{}, err
	}
	h := fnv.New64a()
	h.Write(b.Bytes())
	return block{ID: name, HTML: template.HTML(b.String()), Version: fmt.Sprintf("%x", h.Sum64())}, nil
}
