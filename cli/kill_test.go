package cli

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var killSeed = flag.Uint64("killseed", 1, "seed of TestKill")

// killRounds is how many messages each of the three tries to say, under fire.
const killRounds = 14

// TestKill kills clients and the relay at random moments, as a power cut
// would, while three people talk. In the end whatever was acknowledged ("in the
// room") stands in everybody's room, once, in one order, and whatever was
// taken to be delivered later was.
func TestKill(t *testing.T) {
	needBinary(t)
	t.Logf("-killseed %d", *killSeed)
	w := newKillWorld(t)
	defer func() { w.relay.kill() }()
	people := []string{"ruth", "hal", "cor"}
	stop := make(chan struct{})
	var relayDone, talk sync.WaitGroup
	relayDone.Go(func() { w.killRelay(stop, rand.New(rand.NewPCG(*killSeed, 100))) })
	for i, name := range people {
		talk.Go(func() { w.chat(name, rand.New(rand.NewPCG(*killSeed, uint64(i)))) })
	}
	talk.Wait()
	close(stop)
	relayDone.Wait()
	t.Logf("%d clients and %d relays were killed; %d messages acknowledged, %d taken", w.clients, w.relays, len(w.acked), len(w.taken))
	if w.clients == 0 || w.relays == 0 || len(w.acked) == 0 {
		t.Error("nothing was killed, or nothing acknowledged: the test tests nothing")
	}
	for range 2 { // what waited in one vault goes out, then everybody reads it
		for _, name := range people {
			if out, err := w.parley(name, "sync").CombinedOutput(); err != nil {
				t.Errorf("%s can't sync: %v: %s", name, err, out)
			}
		}
	}
	w.compare(people)
}

// A killWorld is three vaults and a relay.
type killWorld struct {
	t   *testing.T
	dir string

	mu      sync.Mutex
	relay   *process
	address string
	ids     map[string]string // each one's own name for the dialogue
	acked   []string          // texts that were said to be in the room
	taken   []string          // texts that were said to wait
	clients int               // killed
	relays  int
}

func newKillWorld(t *testing.T) *killWorld {
	w := &killWorld{t: t, dir: t.TempDir(), ids: map[string]string{}}
	if err := os.WriteFile(filepath.Join(w.dir, "pw"), []byte(testPassphrase), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.relay, w.address, err = startRelay(w.dir, ""); err != nil {
		t.Fatal(err)
	}
	must := func(name string, args ...string) string {
		out, err := w.parley(name, args...).Output()
		if err != nil {
			t.Fatalf("%s %v: %v", name, args, err)
		}
		return strings.TrimSpace(string(out))
	}
	for _, name := range []string{"ruth", "hal", "cor"} {
		must(name, "init", "--name", name)
	}
	w.ids["ruth"] = must("ruth", "dialogue", "new", "--side", "North", "--side", "South", "--relay", w.address)
	for name, side := range map[string]string{"hal": "North", "cor": "South"} {
		err := seatWith(func(home string, args ...string) (string, error) {
			out, err := w.parley(home, args...).Output()
			return strings.TrimSpace(string(out)), err
		}, func(card string) (*exec.Cmd, error) {
			cmd := w.parley(name, "join", card, "--wait", "2m")
			return cmd, cmd.Start()
		}, w.ids["ruth"], "ruth", name, side, nil)
		if err != nil {
			t.Fatal(err)
		}
		must(name, "sync")
		w.ids[name] = must(name, "sync", "--json")
		var l dialogueLine
		if err := json.Unmarshal([]byte(w.ids[name]), &l); err != nil {
			t.Fatal(err)
		}
		w.ids[name] = l.ID
	}
	for _, name := range []string{"ruth", "hal", "cor"} {
		must(name, "sync")
	}
	return w
}

func (w *killWorld) parley(name string, args ...string) *exec.Cmd {
	all := append([]string{"--home", filepath.Join(w.dir, name), "--passphrase-file", filepath.Join(w.dir, "pw")}, args...)
	cmd := exec.Command(binary, all...)
	cmd.Env = quietEnv()
	return cmd
}

// chat says one thing after another, and is killed every other time.
func (w *killWorld) chat(name string, r *rand.Rand) {
	for i := range killRounds {
		text := fmt.Sprintf("%s %d", name, i)
		cmd := w.parley(name, "say", w.ids[name], text, "--json")
		var out, problem strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &problem
		if err := cmd.Start(); err != nil {
			w.t.Error(err)
			return
		}
		kill := r.IntN(2) == 0
		after := time.Duration(r.IntN(500)) * time.Millisecond
		var timer *time.Timer
		if kill {
			timer = time.AfterFunc(after, func() { cmd.Process.Kill() })
		}
		err := cmd.Wait()
		if timer != nil {
			timer.Stop()
		}
		w.record(name, text, out.String(), problem.String(), exitCode(err), kill)
	}
}

// record notes what a client said of a message before it ended.
func (w *killWorld) record(name, text, out, problem string, code int, mayDie bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if code != 0 && !mayDie {
		w.t.Errorf("%s: say ended with %d: %s", name, code, problem)
	}
	if code != 0 {
		w.clients++
	}
	var l messageLine
	switch {
	case !strings.HasSuffix(out, "\n"): // killed before it said anything
	case json.Unmarshal([]byte(out), &l) != nil || l.Text != text:
		w.t.Errorf("%s said %q", name, out)
	case l.State == "room":
		w.acked = append(w.acked, text)
	case l.State == "waiting":
		w.taken = append(w.taken, text)
	default:
		w.t.Errorf("%s: %q is %s", name, text, l.State)
	}
}

// killRelay kills the relay again and again, and starts it on what it left.
func (w *killWorld) killRelay(stop chan struct{}, r *rand.Rand) {
	for {
		timer := time.NewTimer(time.Duration(300+r.IntN(1500)) * time.Millisecond)
		select {
		case <-stop:
			timer.Stop()
			return
		case <-timer.C:
		}
		w.relay.kill()
		p, _, err := startRelay(w.dir, w.address)
		if err != nil {
			w.t.Error(err)
			return
		}
		w.relay = p
		w.mu.Lock()
		w.relays++
		w.mu.Unlock()
	}
}

// compare holds everybody's room to everybody else's and to what was promised.
func (w *killWorld) compare(people []string) {
	var first []string
	for _, name := range people {
		var texts []string
		for _, l := range w.read(name) {
			if l.Kind == "message" {
				texts = append(texts, l.Text+" "+l.ID)
				if l.State != "room" {
					w.t.Errorf("%s: %q is still %s", name, l.Text, l.State)
				}
			}
		}
		if first == nil {
			first = texts
		}
		if !slices.Equal(texts, first) {
			w.t.Errorf("%s has\n%s\nand %s\n%s", people[0], strings.Join(first, "\n"), name, strings.Join(texts, "\n"))
		}
	}
	count := map[string]int{}
	for _, l := range w.read(people[0]) {
		if l.Kind == "message" {
			count[l.Text]++
		}
	}
	for text, n := range count {
		if n > 1 {
			w.t.Errorf("%q stands there %d times", text, n)
		}
	}
	for _, text := range append(w.acked, w.taken...) {
		if count[text] != 1 {
			w.t.Errorf("%q was acknowledged, and stands there %d times", text, count[text])
		}
	}
}

func (w *killWorld) read(name string) (list []messageLine) {
	out, err := w.parley(name, "read", w.ids[name], "--json").Output()
	if err != nil {
		w.t.Fatalf("%s can't read: %v", name, err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		var l messageLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			w.t.Fatal(err)
		}
		list = append(list, l)
	}
	return list
}
