package web

import (
	"errors"
	"io"
	"math"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"parley/client"
	"parley/dialogue"
	"parley/internal/wire"
)

// Bounds of a posted message, in bytes: its fields, and what is read of a body
// that is too large, so that the browser hears the answer.
const (
	maxSayForm = 4 * wire.MaxText
	maxDrain   = 1 << 28
)

// A sayForm is a room's form as it arrives: the fields first, then the file,
// which is never kept outside the vault, in memory or on disk, but read from
// the browser while the vault takes it.
type sayForm struct {
	*form
	fileName string
	file     io.Reader // nil: no file
	body     io.Reader
}

// readSay reads the fields of a room's form, up to its file.
func readSay(q *request) (*sayForm, error) {
	s := &sayForm{form: &form{values: url.Values{}}, body: q.Body}
	parts, err := q.MultipartReader()
	if errors.Is(err, http.ErrNotMultipart) {
		f, err := readForm(q.w, q.Request)
		if err != nil {
			return nil, err
		}
		s.form = f
		return s, nil
	}
	if err != nil {
		return nil, errors.Join(errTooLarge, err)
	}
	for left := maxSayForm; ; {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return nil, errors.Join(errTooLarge, err)
		}
		if part.FormName() == "file" {
			if part.FileName() == "" {
				continue // no file was chosen
			}
			s.fileName, s.file = part.FileName(), &fileReader{part: part}
			return s, nil
		}
		b, err := io.ReadAll(io.LimitReader(part, int64(left)+1))
		if left -= len(b); err != nil || left < 0 {
			return nil, errors.Join(errTooLarge, err)
		}
		s.values.Add(part.FormName(), string(b))
	}
}

// drain reads what is left of the body: a browser that is still sending does
// not read the answer.
func (s *sayForm) drain() { io.CopyN(io.Discard, s.body, maxDrain) }

// A fileReader gives a file as it arrives, and says when it is empty or too
// large.
type fileReader struct {
	part *multipart.Part
	n    int64
}

func (f *fileReader) Read(p []byte) (int, error) {
	n, err := f.part.Read(p)
	f.n += int64(n)
	switch {
	case f.n > wire.MaxFile:
		return 0, client.ErrFileSize
	case errors.Is(err, io.EOF) && f.n == 0:
		return 0, client.ErrFileEmpty
	}
	return n, err
}

// postSay sends a message.
func (a *App) postSay(q *request) (result, error) {
	d, r, err := q.roomOf()
	if err != nil {
		return failed(err)
	}
	f, err := readSay(q)
	if err != nil {
		return failed(err)
	}
	draft := a.draftOf(f)
	draft.Room = r.Room
	if f.ok() {
		_, err = q.o.Say(q.within(), d.ID, draft)
		if err == nil {
			return goTo(q.below("r/" + itoa(int(r.Room)) + "#end"))
		}
		if q.o.ctx.Err() != nil {
			a.keepDraft(q.URL.Path, f.Get("text"))
			return failed(err)
		}
		f.fault(fieldOf(err), a.words().Problem(err))
	}
	f.drain()
	v, err := a.roomView(q, d, r, f.form)
	if err != nil {
		return failed(err)
	}
	return show(v)
}

// fieldOf names the field that an error of sending is about.
func fieldOf(err error) string {
	for _, e := range []error{client.ErrFileSize, client.ErrFileEmpty, dialogue.ErrNameBlank, dialogue.ErrNameHidden, dialogue.ErrNameLong} {
		if errors.Is(err, e) {
			return "file"
		}
	}
	if errors.Is(err, client.ErrText) || errors.Is(err, client.ErrOutbox) {
		return "text"
	}
	return ""
}

// draftOf makes a message of the form, and notes what is wrong.
func (a *App) draftOf(f *sayForm) client.Draft {
	w := a.words()
	draft := client.Draft{Text: strings.ReplaceAll(f.Get("text"), "\r\n", "\n"), Readers: readersOf(f.form)}
	switch {
	case len(draft.Text) > wire.MaxText:
		f.fault("text", w.T("problem.textlong", "size", w.Bytes(wire.MaxText)))
	case !utf8.ValidString(draft.Text):
		f.fault("text", w.T("problem.text"))
	case f.file == nil && strings.TrimSpace(draft.Text) == "":
		f.fault("text", w.T("problem.textempty"))
	}
	if reply := f.Get("reply"); reply != "" {
		var err error
		if draft.ReplyTo, err = parseEvent(reply); err != nil {
			f.fault("", w.Problem(err))
		}
	}
	if f.file != nil {
		draft.FileName, draft.File = f.fileName, f.file
	}
	return draft
}

// readersOf reads whom the page named as readers. A page without them, which
// was not ours, leaves it to the client.
func readersOf(f *form) []client.Reader {
	if !f.values.Has("readers") {
		return nil
	}
	l := []client.Reader{}
	for _, s := range strings.Fields(f.Get("readers")) {
		if r, ok := client.ParseReader(s); ok && len(l) < wire.MaxSeats {
			l = append(l, r)
		}
	}
	return l
}

// readersField is what readersOf reads.
func readersField(l []client.Reader) string {
	s := make([]string, len(l))
	for i, r := range l {
		s[i] = r.String()
	}
	return strings.Join(s, " ")
}

// postSeen notes that the person has seen the room as it is; the script posts
// it when lines arrive while the page is looked at.
func (a *App) postSeen(q *request) (result, error) {
	d, r, err := q.roomOf()
	if err != nil {
		return failed(err)
	}
	if err := q.o.MarkRead(d.ID, r.Room); err != nil {
		return failed(err)
	}
	q.w.WriteHeader(http.StatusNoContent)
	return done()
}

// postAgain sends a message that came back, to those whom the page named.
func (a *App) postAgain(q *request) (result, error) {
	f, err := readForm(q.w, q.Request)
	if err != nil {
		return failed(err)
	}
	return a.withWaiting(q, "again", func(id client.ID, event dialogue.EventID) error {
		return q.o.SendAgain(q.within(), id, event, readersOf(f))
	})
}

// postDiscard gives up a message that waits or came back.
func (a *App) postDiscard(q *request) (result, error) {
	return a.withWaiting(q, "discarded", q.o.Discard)
}

func (a *App) withWaiting(q *request, said string, do func(client.ID, dialogue.EventID) error) (result, error) {
	d, r, err := q.roomOf()
	if err != nil {
		return failed(err)
	}
	event, err := q.eventOf()
	if err != nil {
		return failed(err)
	}
	if err := do(d.ID, event); err != nil {
		if errors.Is(err, client.ErrNoMessage) { // it went meanwhile
			return goTo(q.below("r/" + itoa(int(r.Room))))
		}
		return failed(err)
	}
	return goTo(q.below("r/" + itoa(int(r.Room)) + "?said=" + said))
}

// file gives an attachment, to be kept, never to be shown by the browser.
func (a *App) file(q *request) (result, error) {
	d, err := q.dialogueOf()
	if err != nil {
		return failed(err)
	}
	event, err := q.eventOf()
	if err != nil {
		return failed(err)
	}
	out := &attachment{w: q.w, name: fileName(q, d, event)}
	err = q.o.OpenFile(q.Context(), d.ID, event, out)
	if out.begun {
		return done() // what is cut off shows in the length
	}
	if err != nil {
		return failed(err)
	}
	out.begin()
	return done()
}

// fileName finds what a file is called. Its line's number is in the address,
// 0 while it waits.
func fileName(q *request, d client.Dialogue, event dialogue.EventID) string {
	room, _ := strconv.ParseUint(q.PathValue("room"), 10, 8)
	seq, _ := strconv.ParseUint(q.PathValue("seq"), 10, 63)
	one := client.Query{Room: dialogue.Room(room), Before: seq + 1, Limit: 1}
	if seq == 0 {
		one = client.Query{Room: dialogue.Room(room), After: math.MaxUint64 - 1}
	}
	list, err := q.o.Messages(d.ID, one)
	if err != nil {
		return "file"
	}
	for _, m := range list {
		if m.ID == event && m.File != nil {
			return m.File.Name
		}
	}
	return "file"
}

// An attachment is an answer whose headers go out with the first byte, so
// that an error before it can still be a page.
type attachment struct {
	w     http.ResponseWriter
	name  string
	begun bool
}

func (a *attachment) begin() {
	if a.begun {
		return
	}
	a.begun = true
	h := a.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": a.name}))
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'")
}

func (a *attachment) Write(p []byte) (int, error) {
	a.begin()
	return a.w.Write(p)
}
