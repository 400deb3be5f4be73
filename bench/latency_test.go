package bench

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/client"
	"parley/dialogue"
	"parley/relay/server"
	"parley/web"
)

// A table is a dialogue of n people, each with a vault on disk and a page of
// their own, and an embedded relay, all in this process.
type table struct {
	b      testing.TB
	relay  *server.Relay
	people []*person
}

type person struct {
	*client.Client
	id     client.ID
	base   string // address of the pages
	browse *http.Client
	stop   func()
}

func newTable(b testing.TB, n int) *table {
	b.Helper()
	r, err := server.Embedded(server.Options{Addr: "127.0.0.1:0", Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	t := &table{b: b, relay: r}
	b.Cleanup(func() {
		for _, p := range t.people {
			p.stop()
		}
		r.Shutdown(context.Background())
	})
	convenor := t.sit("Convenor")
	convenor.id, err = convenor.Start(context.Background(), client.StartOptions{
		Rules: dialogue.Preset(dialogue.TrackTwo), Sides: []string{"North", "South"}, Relay: r.Address(),
	})
	if err != nil {
		b.Fatal(err)
	}
	for i := 1; i < n; i++ {
		t.seat(convenor, dialogue.SideID(1+i%2), fmt.Sprintf("Seat %d", i))
	}
	return t
}

// sit makes somebody with a vault on disk.
func (t *table) sit(name string) *person {
	c, err := client.Create(client.Options{Dir: t.b.TempDir()}, client.DefaultProfile(name), "a passphrase to measure with")
	if err != nil {
		t.b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go c.Run(ctx)
	p := &person{Client: c}
	p.stop = func() { cancel(); c.Close() }
	t.people = append(t.people, p)
	return p
}

func (t *table) seat(by *person, side dialogue.SideID, name string) {
	ctx := context.Background()
	p := t.sit(name)
	card, seat, err := by.Invite(ctx, by.id, client.InviteOptions{Side: side, Name: name})
	if err != nil {
		t.b.Fatal(err)
	}
	t.until(func() bool { p.id, _, err = p.Join(ctx, card); return err == nil })
	t.until(func() bool {
		for _, q := range t.people {
			if d, err := q.Dialogue(q.id); err == nil {
				for _, s := range d.Seats {
					if s.ID == seat && s.MayDo.Approve {
						q.Approve(ctx, q.id, seat)
					}
				}
			}
		}
		d, err := p.Dialogue(p.id)
		return err == nil && d.Standing == client.StandingIn
	})
}

func (t *table) until(ok func() bool) {
	t.b.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.b.Fatal("the table was not set in two minutes")
		}
	}
}

// open serves a person's pages and enters them as a browser does.
func (t *table) open(p *person) {
	srv := httptest.NewUnstartedServer(nil)
	app := web.New(web.Config{Hosts: []string{srv.Listener.Addr().String()}, Rehearsing: p.Client})
	srv.Config.Handler = app
	srv.Start()
	t.b.Cleanup(srv.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.b.Fatal(err)
	}
	p.browse = &http.Client{Jar: jar}
	res, err := p.browse.Get(srv.URL + app.Link())
	if err != nil {
		t.b.Fatal(err)
	}
	res.Body.Close()
	p.base = strings.TrimSuffix(res.Request.URL.String(), "/")
	if res.StatusCode != http.StatusOK {
		t.b.Fatalf("%s: %s", res.Request.URL, res.Status)
	}
}

func (p *person) room() string { return p.base + "/d/" + string(p.id) + "/r/0" }

// watch reads the event stream of the plenary and tells when each marked text came.
func (t *table) watch(p *person, seen func(mark string, at time.Time)) {
	req, err := http.NewRequest("GET", p.room(), nil)
	if err != nil {
		t.b.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	res, err := p.browse.Do(req)
	if err != nil {
		t.b.Fatal(err)
	}
	t.b.Cleanup(func() { res.Body.Close() })
	ready := make(chan bool)
	go func() {
		lines := bufio.NewReaderSize(res.Body, 1<<20)
		for first := true; ; first = false {
			line, err := lines.ReadString('\n')
			at := time.Now()
			if first {
				close(ready)
			}
			if err != nil {
				return
			}
			if !strings.HasPrefix(line, "data:") {
				continue
			}
			for rest := line; ; {
				_, after, ok := strings.Cut(rest, "mark-")
				if !ok {
					break
				}
				mark, after, _ := strings.Cut(after, "-")
				seen(mark, at)
				rest = after
			}
		}
	}()
	<-ready
}

// post sends a message as the form of a page does.
func (t *table) post(p *person, mark string) error {
	form := url.Values{"text": {"mark-" + mark + "- A calm and sensible sentence about the waters of the Orva."}}
	res, err := p.browse.PostForm(p.room(), form)
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", res.Status)
	}
	return nil
}

// BenchmarkLatency: 12 vaults on disk, the hybrid suite, five messages a
// second whatever happens, by seats in turn. A sample is the time from the
// start of a POST to the text in one receiver's event stream.
func BenchmarkLatency(b *testing.B) {
	t := newTable(b, 12)
	var mu sync.Mutex
	sent := map[string]time.Time{}
	var samples []time.Duration
	for _, p := range t.people {
		t.open(p)
	}
	for i, p := range t.people {
		t.watch(p, func(mark string, at time.Time) {
			mu.Lock()
			defer mu.Unlock()
			if by, _, _ := strings.Cut(mark, "x"); by == fmt.Sprint(i) {
				return // one's own
			}
			if start, ok := sent[mark+"/"+fmt.Sprint(i)]; ok {
				samples = append(samples, at.Sub(start))
				delete(sent, mark+"/"+fmt.Sprint(i))
			}
		})
	}
	time.Sleep(3 * time.Second) // side rooms and key packages settle
	b.ResetTimer()
	var posts sync.WaitGroup
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for n := range b.N {
		<-tick.C
		by := n % len(t.people)
		mark := fmt.Sprintf("%dx%d", by, n)
		posts.Go(func() {
			mu.Lock()
			for i := range t.people {
				if i != by {
					sent[mark+"/"+fmt.Sprint(i)] = time.Now()
				}
			}
			mu.Unlock()
			if err := t.post(t.people[by], mark); err != nil {
				b.Error(err)
			}
		})
	}
	posts.Wait()
	want := b.N * (len(t.people) - 1)
	t.until(func() bool { mu.Lock(); defer mu.Unlock(); return len(samples) == want })
	b.StopTimer()
	slices.Sort(samples)
	b.ReportMetric(ms(samples[len(samples)/2]), "p50-ms")
	b.ReportMetric(ms(samples[len(samples)*99/100]), "p99-ms")
	b.ReportMetric(ms(samples[len(samples)-1]), "max-ms")
	b.ReportMetric(float64(len(samples)), "samples")
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
