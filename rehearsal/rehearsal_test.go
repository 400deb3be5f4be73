package rehearsal

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/client"
	"parley/dialogue"
)

// A wire joins the clients of a bubble to its relay.
type wire struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newWire() *wire { return &wire{conns: make(chan net.Conn), done: make(chan struct{})} }

func (w *wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.done:
		return nil, net.ErrClosed
	}
}

func (w *wire) Close() error    { w.once.Do(func() { close(w.done) }); return nil }
func (w *wire) Addr() net.Addr  { return w }
func (w *wire) Network() string { return "wire" }
func (w *wire) String() string  { return "wire" }

func (w *wire) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case w.conns <- theirs:
		return ours, nil
	case <-w.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// rehearse runs f in a rehearsal of its own, in fake time.
func rehearse(t *testing.T, as Role, f func(*testing.T, *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		const seed = 7
		t.Logf("seed %d", seed)
		r, err := Start(t.Context(), Options{As: as, Seed: seed, Listener: w, Dial: w.dial})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(r.dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the rehearsal left %s: %v", r.dir, err)
			}
		}()
		f(t, &stage{t, r})
	})
}

type stage struct {
	t *testing.T
	*Rehearsal
}

func (s *stage) dialogue() client.Dialogue {
	d, err := s.me.Dialogue(s.id)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// seat is somebody's in the person's plan, the zero Seat where it is not there yet.
func (s *stage) seat(name string) client.Seat {
	for _, x := range s.dialogue().Seats {
		if x.Name == name {
			return x
		}
	}
	return client.Seat{} // not read back yet
}

// until waits for something to become true, in fake time.
func (s *stage) until(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(30 * time.Minute); !ok(); {
		if time.Now().After(end) {
			s.t.Fatalf("in vain: %s", what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// lines are what others said in a room.
func (s *stage) lines(r dialogue.Room) (l []client.Message) {
	list, err := s.me.Messages(s.id, client.Query{Room: r})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range list {
		if m.Kind != client.KindNotice && !m.Mine {
			l = append(l, m)
		}
	}
	return l
}

// key finds an action by the beginning of its key and a name in its title.
func (s *stage) key(word, who string) string {
	for _, a := range s.Actions() {
		if a.Title == "" || a.Help == "" || strings.Contains(a.Title+a.Help, "{") {
			s.t.Errorf("action %s lacks words: %q %q", a.Key, a.Title, a.Help)
		}
		if strings.HasPrefix(a.Key, word) && strings.Contains(a.Title, who) {
			return a.Key
		}
	}
	s.t.Fatalf("there is no action %s of %s", word, who)
	return ""
}

func (s *stage) do(word, who string) string {
	s.t.Helper()
	said, err := s.Do(s.key(word, who))
	if err != nil || said == "" || strings.Contains(said, "{") {
		s.t.Fatalf("%s of %s: %q, %v", word, who, said, err)
	}
	return said
}

func (s *stage) say(room dialogue.Room, text string) {
	s.t.Helper()
	if _, err := s.me.Say(s.t.Context(), s.id, client.Draft{Room: room, Text: text}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) open() {
	s.until("both sides agree", func() bool { return len(s.dialogue().Missing) == 0 && canWrite(s.dialogue(), dialogue.Plenary) })
}

func TestConvenor(t *testing.T) {
	rehearse(t, Convenor, func(t *testing.T, s *stage) {
		s.open()
		s.until("both heads greet", func() bool { return len(s.lines(dialogue.Plenary)) == 2 })
		s.say(dialogue.Plenary, "Shall we begin?")
		s.until("an answer", func() bool { return len(s.lines(dialogue.Plenary)) == 3 })
		if a := s.lines(dialogue.Plenary)[2]; a.ReplyTo == nil || a.ReplyTo.Text != "Shall we begin?" {
			t.Errorf("the answer does not answer: %+v", a)
		}
		s.say(dialogue.Plenary, "Is there a document about it?")
		s.until("a file", func() bool { return len(s.lines(dialogue.Plenary)) == 4 })
		m := s.lines(dialogue.Plenary)[3]
		var text strings.Builder
		if m.File == nil {
			t.Fatalf("no file: %+v", m)
		}
		if err := s.me.OpenFile(t.Context(), s.id, m.ID, &text); err != nil || text.String() != s.Rehearsal.lines.one("file.text") {
			t.Errorf("the file is %q, %v", text.String(), err)
		}
	})
}

func TestWords(t *testing.T) {
	rehearse(t, Convenor, func(t *testing.T, s *stage) {
		s.open()
		said := s.do("words", "Corin Vash")
		last := strings.TrimSuffix(said[strings.LastIndex(said, " ")+1:], ".")
		reader := s.seat("Corin Vash").ID
		s.until("the reading arrives", func() bool {
			l, _, err := s.me.Words(t.Context(), s.id, reader)
			if err == nil && !strings.Contains(said, strings.Join(l[:5], ", ")) {
				t.Errorf("%q is not %q", said, l)
			}
			return err == nil
		})
		if err := s.me.Heard(t.Context(), s.id, reader, "nonsense"); !errors.Is(err, dialogue.ErrWord) {
			t.Errorf("a wrong word: %v", err)
		}
		if err := s.me.Heard(t.Context(), s.id, reader, last); err != nil {
			t.Fatal(err)
		}
		s.until("Corin is verified by two", func() bool { return len(s.seat("Corin Vash").VerifiedBy) == 2 })
		if err := s.me.ReadWords(t.Context(), s.id); err != nil {
			t.Fatal(err)
		}
		s.until("I am verified by two", func() bool { return len(s.dialogue().Me.VerifiedBy) == 2 })
	})
}

func TestTwiceAndLeave(t *testing.T) {
	rehearse(t, Convenor, func(t *testing.T, s *stage) {
		s.open()
		s.do("twice", "Halden Royce")
		s.until("the alarm", func() bool {
			for _, a := range s.dialogue().Alarms {
				if a.Kind == client.AlarmSecondUse && a.Seat.Name == "Halden Royce" {
					return true
				}
			}
			return false
		})
		s.do("leave", "Corin Vash")
		s.until("Corin has left", func() bool { return s.seat("Corin Vash").Status == dialogue.Left })
		if _, err := s.Do("words-z"); !errors.Is(err, ErrAction) {
			t.Errorf("an action that is not there: %v", err)
		}
	})
}

func TestCards(t *testing.T) {
	rehearse(t, Convenor, func(t *testing.T, s *stage) {
		s.open()
		invite := func(name string) dialogue.SeatID {
			_, seat, err := s.me.Invite(t.Context(), s.id, client.InviteOptions{Side: 2, Name: name})
			if err != nil {
				t.Fatal(err)
			}
			return seat
		}
		invite("Leonie Farrow")
		s.until("she is let in by both heads", func() bool { return s.seat("Leonie Farrow").Status == dialogue.In })
		if _, err := s.Do("hold"); err != nil {
			t.Fatal(err)
		}
		gone := invite("Tamsin Drey")
		time.Sleep(time.Minute)
		if x := s.seat("Tamsin Drey"); x.Status != dialogue.Invited {
			t.Fatalf("a card was picked up: %v", x.Status)
		}
		if err := s.me.Revoke(t.Context(), s.id, gone); err != nil {
			t.Fatal(err)
		}
		invite("Anselm Oake")
		if _, err := s.Do("take"); err != nil {
			t.Fatal(err)
		}
		s.until("he is let in", func() bool { return s.seat("Anselm Oake").Status == dialogue.In })
		if x := s.seat("Tamsin Drey"); x.Status != dialogue.Revoked {
			t.Errorf("a revoked card: %v", x.Status)
		}
	})
}

func TestHead(t *testing.T) {
	rehearse(t, Head, func(t *testing.T, s *stage) {
		if d := s.dialogue(); d.Standing != client.StandingIn || !d.Me.Head || len(d.Missing) != 0 {
			t.Fatalf("not a head from the start: %s %v %v", d.Standing, d.Me.Head, d.Missing)
		}
		adviser := s.Rehearsal.lines.one("adviser")
		s.until("the adviser asks to be let in", func() bool {
			for _, task := range s.dialogue().Tasks {
				if task.Kind == client.TaskApprove && task.Seat.Name == adviser {
					return s.me.Approve(t.Context(), s.id, task.Seat.ID) == nil
				}
			}
			return false
		})
		side := dialogue.SideRoom(1)
		s.until("the side room holds two", func() bool {
			for _, r := range s.dialogue().Rooms {
				if r.Room == side && r.CanWrite && len(r.Readers) == 1 {
					return true
				}
			}
			return false
		})
		s.say(side, "Between us: what do you make of it?")
		s.until("an answer in the side room", func() bool { return len(s.lines(side)) > 0 })
		if a := s.lines(side)[0]; a.Name != adviser {
			t.Errorf("%s answered in the side room", a.Name)
		}
		s.do("newcomer", "Ruth Abernay")
		s.until("a newcomer asks", func() bool {
			for _, task := range s.dialogue().Tasks {
				if task.Kind == client.TaskApprove {
					return true
				}
			}
			return false
		})
	})
}

func TestNoSuchPart(t *testing.T) {
	if _, err := Start(t.Context(), Options{As: "minister"}); err == nil {
		t.Error("there is no such part")
	}
}

// TestLoopback rehearses on the real loopback, with real pauses, as the
// command does.
func TestLoopback(t *testing.T) {
	r, err := Start(t.Context(), Options{As: Head, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	d, err := r.Me().Dialogue(r.Dialogue())
	if err != nil || d.Standing != client.StandingIn || d.Relay != r.Relay().String() {
		t.Errorf("%+v, %v", d.Standing, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
