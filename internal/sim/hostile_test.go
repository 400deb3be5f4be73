package sim

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/client"
)

// An impostor answers requests with whatever is in answers, in turn. It stands
// where the relay was.
type impostor struct {
	mu      sync.Mutex
	answers []func(net.Conn)
	asked   int
}

func (i *impostor) serve(l *listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			c.SetDeadline(time.Now().Add(time.Minute))
			req, err := http.ReadRequest(bufio.NewReader(c))
			if err != nil {
				return
			}
			io.Copy(io.Discard, req.Body)
			i.mu.Lock()
			answer := i.answers[i.asked%len(i.answers)]
			i.asked++
			i.mu.Unlock()
			answer(c)
		}()
	}
}

// endless gives zeros without end, and counts what was taken.
type endless struct{ n atomic.Int64 }

func (e *endless) Read(b []byte) (int, error) {
	clear(b)
	e.n.Add(int64(len(b)))
	return len(b), nil
}

// TestHostileAnswers: whatever comes back instead of an answer, at any length,
// clients neither fall over nor take more than an answer's worth, and go on
// when the relay is itself again.
func TestHostileAnswers(t *testing.T) {
	play(t, 30, func(w *World) {
		ruth, halden, corin := table(w)
		body := func(b []byte) func(net.Conn) {
			return func(c net.Conn) {
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", len(b))
				c.Write(b)
			}
		}
		noise := func(n int) []byte {
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(w.Rand.Uint32())
			}
			return b
		}
		chunk := noise(100) // made here: the impostor is another goroutine
		flood := new(endless)
		answers := []func(net.Conn){
			func(net.Conn) {}, // nothing at all
			func(c net.Conn) { c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Le")) },
			func(c net.Conn) { c.Write([]byte("HTTP/1.1 999 \xff\r\n\r\n")) },
			func(c net.Conn) { c.Write([]byte("HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n\r\n")) },
			func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20)+"\r\n\r\n") },
			func(c net.Conn) {
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n")
				io.Copy(c, flood)
			},
			func(c net.Conn) {
				io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n")
				c.Write(chunk)
			},
			func(c net.Conn) {
				io.WriteString(c, "HTTP/1.1 429 Slow\r\nRetry-After: 99999999999\r\nContent-Length: 0\r\n\r\n")
			},
			body(nil), body(noise(1)),
		}
		for _, cells := range []int{1, 8, 64} { // the sizes of true answers, and beside them
			for _, n := range []int{512 + cells*4096 - 1, 512 + cells*4096, 512 + cells*4096 + 1} {
				answers = append(answers, body(noise(n)), body(bytes.Repeat([]byte{0xff}, n)), body(make([]byte, n)))
			}
		}
		i := &impostor{answers: answers}
		l := w.net.listen() // in the relay's place
		go i.serve(l)
		w.net.drop()
		halden.say(0, "Is anybody there?")
		for range 3 * len(answers) {
			time.Sleep(10 * time.Second)
		}
		i.mu.Lock()
		asked := i.asked
		i.mu.Unlock()
		if asked < 3*len(answers) {
			t.Errorf("the impostor was asked only %d times", asked)
		}
		if n := flood.n.Load(); n > 64<<20 {
			t.Errorf("clients took %d MiB of one answer", n>>20)
		}
		l.Close()
		w.CrashRelay() // the true one is back
		for _, p := range []*Person{ruth, halden, corin} {
			w.reads(p, 0, "Halden: Is anybody there?")
			if d := p.Dialogue(); d.Standing != client.StandingIn || d.Problem != nil {
				t.Errorf("%s: %s, %v", p.Name, d.Standing, d.Problem)
			}
		}
	})
}
