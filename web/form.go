package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// A form is what somebody filled in, and what is wrong with it. Its page
// shows both, so nothing has to be typed again.
type form struct {
	values url.Values
	wrong  []fault
}

// A fault is a sentence about one field; Field is empty where it is about all.
type fault struct{ Field, Text string }

// Limits of what a form may hold, in bytes, apart from files.
const maxForm = 1 << 20

var errTooLarge = errors.New("web: the form is too large")

// readForm reads a posted form that has no file in it.
func readForm(w http.ResponseWriter, r *http.Request) (*form, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return nil, errors.Join(errTooLarge, err)
	}
	return &form{values: r.PostForm}, nil
}

// filled is a form with these values: pairs of name and value.
func filled(pairs ...string) *form {
	f := &form{values: url.Values{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.values.Set(pairs[i], pairs[i+1])
	}
	return f
}

// Get is a field's value as typed.
func (f *form) Get(name string) string {
	if f == nil {
		return ""
	}
	return f.values.Get(name)
}

// line is a field's value without blanks around it.
func (f *form) line(name string) string { return strings.TrimSpace(f.Get(name)) }

// Is tells whether a field has that value.
func (f *form) Is(name, value string) bool { return f.Get(name) == value }

// fault notes what is wrong with a field.
func (f *form) fault(field, text string) { f.wrong = append(f.wrong, fault{field, text}) }

func (f *form) ok() bool { return f == nil || len(f.wrong) == 0 }

// Err is what is wrong with a field, or empty.
func (f *form) Err(field string) string {
	if f == nil {
		return ""
	}
	for _, w := range f.wrong {
		if w.Field == field {
			return w.Text
		}
	}
	return ""
}

// First tells whether a field is the first that is wrong: it gets the focus.
func (f *form) First(field string) bool {
	return f != nil && len(f.wrong) > 0 && f.wrong[0].Field == field
}
