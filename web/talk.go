package web

import (
	"bytes"
	"html/template"
	"strings"
	"sync"

	"parley/internal/words"
)

// maxDrawn is how many lines of talk are kept as HTML: those of a few pages.
const maxDrawn = 8 * pageOfTalk

// A drawing is a line in a language, which is all that its HTML depends on.
type drawing struct {
	lang string
	line line
}

// drawn keeps the HTML of lines as long as the vault is open. To make it takes
// most of the time of a room's page.
type drawn struct {
	mu   sync.Mutex
	html map[drawing]string
}

// talk is the HTML of lines.
func (a *App) talk(o *opened, w *words.Words, lines []line) (template.HTML, error) {
	var all strings.Builder
	for _, l := range lines {
		html, err := o.drawn.draw(a.pages.set("room", w), drawing{w.Name(), l})
		if err != nil {
			return "", err
		}
		all.WriteString(html)
	}
	return template.HTML(all.String()), nil
}

func (d *drawn) draw(t *template.Template, x drawing) (string, error) {
	d.mu.Lock()
	html, ok := d.html[x]
	d.mu.Unlock()
	if ok {
		return html, nil
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "line", x.line); err != nil {
		return "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.html == nil || len(d.html) >= maxDrawn {
		d.html = map[drawing]string{}
	}
	d.html[x] = b.String()
	return b.String(), nil
}
