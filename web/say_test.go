package web

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"parley/client"
	"parley/dialogue"
	"parley/internal/wire"
)

// FuzzParseEvent: what is read of an address stands there as it would be
// written.
func FuzzParseEvent(f *testing.F) {
	f.Add(strings.Repeat("0a", 16))
	f.Add("")
	f.Add(strings.Repeat("zz", 16))
	f.Fuzz(func(t *testing.T, s string) {
		id, err := parseEvent(s)
		if err == nil && id.String() != strings.ToLower(s) || err != nil && id != (dialogue.EventID{}) && len(s) != 32 {
			t.Errorf("%q is read as %v, %v", s, id, err)
		}
	})
}

// FuzzReadSay: whatever is posted is read within bounds, and a form that is
// ours is read whole.
func FuzzReadSay(f *testing.F) {
	f.Add("Hello", "file.txt", []byte("content"))
	f.Add("", "", []byte{})
	f.Add("\r\n--x--", "a\"b", []byte("\r\n--x"))
	f.Fuzz(func(t *testing.T, text, name string, content []byte) {
		var b bytes.Buffer
		m := multipart.NewWriter(&b)
		m.WriteField("text", text)
		part, err := m.CreateFormFile("file", name)
		if err != nil {
			return
		}
		part.Write(content)
		m.Close()
		r := httptest.NewRequest("POST", "/", &b)
		r.Header.Set("Content-Type", m.FormDataContentType())
		s, err := readSay(&request{Request: r, w: httptest.NewRecorder()})
		if len(text) > maxSayForm {
			if err == nil {
				t.Error("a text without bound was read")
			}
			return
		}
		if err != nil {
			return // a name that can't stand in a header
		}
		if s.Get("text") != text {
			t.Errorf("the text %q is read as %q", text, s.Get("text"))
		}
		if s.file == nil {
			return
		}
		got, err := io.ReadAll(s.file)
		if len(content) == 0 && !errors.Is(err, client.ErrFileEmpty) || len(content) > 0 && (err != nil || !bytes.Equal(got, content)) {
			t.Errorf("%d bytes are read as %d, %v", len(content), len(got), err)
		}
	})
}

// FuzzPosted: no body makes it fail.
func FuzzPosted(f *testing.F) {
	f.Add([]byte("--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nHello\r\n--x--\r\n"), "multipart/form-data; boundary=x")
	f.Add([]byte("text=Hello&readers=00"), "application/x-www-form-urlencoded")
	f.Add([]byte("%zz"), "application/x-www-form-urlencoded")
	f.Fuzz(func(t *testing.T, body []byte, kind string) {
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		r.Header.Set("Content-Type", kind)
		s, err := readSay(&request{Request: r, w: httptest.NewRecorder()})
		if (s == nil) == (err == nil) {
			t.Errorf("%v, %v", s, err)
		}
	})
}

// TestNoCopyOnDisk: a file on its way into the vault leaves nothing in the
// clear on this computer.
func TestNoCopyOnDisk(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	_, o, v := openedApp(t)
	content := bytes.Repeat([]byte("secret "), wire.MaxFile/8)
	seen := 0
	o.d.watch = func() {
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) > 0 {
			t.Errorf("%v lies beside the vault (%v)", entries, err)
		}
		seen++
	}
	v.leads(v.upload(orvaPath+"/r/0", "large.bin", bytes.NewReader(content), "text", "A large one."), orvaPath+"/r/0#end")
	if !bytes.Equal(o.d.lastFile, content) || seen == 0 {
		t.Error("the file did not arrive")
	}
}
