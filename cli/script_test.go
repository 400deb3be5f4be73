package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"parley/vault"
)

// The scripts in testdata run the real binary. Besides testscript's own
// commands they have:
//
//	as HOME ARGS...       runs parley for the vault $WORK/HOME; exit code 0
//	code N HOME ARGS...   the same, for another exit code
//	relay [stop]          starts a relay and sets $RELAY, or stops it
//	seat D BY NAME SIDE [APPROVER...]
//	                      BY invites NAME to D ($WORK/NAME is the vault), the
//	                      approvers, who may call D otherwise (NAME:D), approve,
//	                      and NAME joins
//	field VAR NAME [FIELD=VALUE]
//	                      sets $VAR to a field of the first JSON line of stdout
//	                      whose FIELD is VALUE
//	line VAR              sets $VAR to stdout, which is one line
//	holder HOME           waits until a process has that vault
func TestScripts(t *testing.T) {
	needBinary(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Values["script"] = &script{}
			return os.WriteFile(filepath.Join(e.WorkDir, "pw"), []byte(testPassphrase+"\n"), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"as": as, "code": code, "relay": relayCmd, "seat": seat, "field": field, "line": lineCmd, "holder": holder,
		},
	})
}

// A script is what one script has running.
type script struct {
	relay   *process
	address string
}

func argsFor(ts *testscript.TestScript, home string, args []string) []string {
	return append([]string{"--home", ts.MkAbs(home), "--passphrase-file", ts.MkAbs("pw")}, args...)
}

func as(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: as HOME ARGS...")
	}
	ts.Check(ts.Exec("parley", argsFor(ts, args[0], args[1:])...))
}

func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: code N HOME ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := exitCode(ts.Exec("parley", argsFor(ts, args[1], args[2:])...)); got != want {
		ts.Fatalf("exit code %d, not %d", got, want)
	}
}

func relayCmd(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value("script").(*script)
	if len(args) == 1 && args[0] == "stop" {
		if code := s.relay.interrupt(); code != 0 {
			ts.Fatalf("the relay ended with %d", code)
		}
		s.relay = nil
		return
	}
	var err error
	s.relay, s.address, err = startRelay(ts.Getenv("WORK"), s.address)
	ts.Check(err)
	ts.Defer(func() {
		if s.relay != nil {
			s.relay.kill()
			s.relay = nil
		}
	})
	ts.Setenv("RELAY", s.address)
}

func seat(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: seat D BY NAME SIDE [APPROVER...]")
	}
	run := func(home string, args ...string) (string, error) {
		cmd := exec.Command(binary, argsFor(ts, home, args)...)
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err
	}
	ts.Check(seatWith(run, func(card string) (*exec.Cmd, error) {
		cmd := exec.Command(binary, argsFor(ts, args[2], []string{"join", card, "--wait", "2m"})...)
		return cmd, cmd.Start()
	}, args[0], args[1], args[2], args[3], args[4:]))
}

// seatWith brings somebody to a seat: join runs in the background while the
// inviter and those who approve do their part again and again.
func seatWith(run func(home string, args ...string) (string, error), join func(card string) (*exec.Cmd, error),
	dialogue, by, name, side string, approvers []string) error {
	card, err := run(by, "invite", dialogue, "--side", side, "--name", name)
	if err != nil {
		return fmt.Errorf("invite: %w", err)
	}
	j, err := join(card)
	if err != nil {
		return err
	}
	joined := make(chan error, 1)
	go func() { joined <- j.Wait() }()
	for {
		select {
		case err := <-joined:
			return err
		default:
		}
		if _, err := run(by, "sync", dialogue); err != nil {
			return fmt.Errorf("sync: %w", err)
		}
		for _, a := range approvers {
			// 6 while the newcomer has not arrived, 4 while its card has not.
			who, called, other := strings.Cut(a, ":")
			if !other {
				called = dialogue
			}
			if _, err := run(who, "approve", called, name); err != nil && exitCode(err) != exitWaiting && exitCode(err) != exitNotFound {
				return fmt.Errorf("approve: %w", err)
			}
		}
	}
}

func field(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: field VAR NAME [FIELD=VALUE]")
	}
	for _, line := range strings.Split(strings.TrimSpace(ts.ReadFile("stdout")), "\n") {
		if !strings.HasPrefix(line, `{"id":`) {
			ts.Fatalf("the first field is not id: %s", line)
		}
		var o map[string]any
		ts.Check(json.Unmarshal([]byte(line), &o))
		if len(args) == 3 {
			k, v, _ := strings.Cut(args[2], "=")
			if fmt.Sprint(o[k]) != v {
				continue
			}
		}
		v, ok := o[args[1]]
		if !ok {
			ts.Fatalf("there is no %s in %s", args[1], line)
		}
		if list, ok := v.([]any); ok && len(list) > 0 {
			v = list[len(list)-1] // the last word, for one
		}
		ts.Setenv(args[0], fmt.Sprint(v))
		return
	}
	ts.Fatalf("there is no such line")
}

func lineCmd(ts *testscript.TestScript, neg bool, args []string) {
	out := strings.TrimSuffix(ts.ReadFile("stdout"), "\n")
	if neg || len(args) != 1 || out == "" || strings.Contains(out, "\n") {
		ts.Fatalf("not one line: %q", out)
	}
	ts.Setenv(args[0], out)
}

func holder(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: holder HOME")
	}
	for end := time.Now().Add(time.Minute); ; {
		if _, note, ok := vault.Holder(ts.MkAbs(args[0])); ok && note != "" {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("nobody takes the vault of %s", args[0])
		}
	}
}

// TestApplication: the application says where it is, a second one finds the
// first, and neither a copied file nor a dead one misleads.
func TestApplication(t *testing.T) {
	needBinary(t)
	t.Parallel()
	home := filepath.Join(t.TempDir(), "home")
	first, err := background(t.TempDir(), "--home", home, "--no-browser")
	if err != nil {
		t.Fatal(err)
	}
	page, at := visit(t, first.out)
	if !strings.Contains(page, "passphrase") {
		t.Errorf("not the first page: %s", page)
	}
	second := func() string {
		out, err := exec.Command(binary, "--home", home, "--no-browser").Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	link := second()
	if !strings.HasPrefix(link, "http://"+at+"/") || link == first.out {
		t.Errorf("the second opens %q, the first was %q", link, first.out)
	}
	visit(t, link)
	if code := first.interrupt(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	if _, err := os.Stat(filepath.Join(home, handoffFile)); !os.IsNotExist(err) {
		t.Errorf("the note is still there: %v", err)
	}
	third, err := background(t.TempDir(), "--home", home, "--no-browser")
	if err != nil {
		t.Fatal(err)
	}
	third.kill() // its note stays
	fourth, err := background(t.TempDir(), "--home", home, "--no-browser")
	if err != nil {
		t.Fatal(err)
	}
	visit(t, fourth.out)
	fourth.kill()
}

// TestRehearse: a rehearsal opens by its address, and leaves nothing behind.
func TestRehearse(t *testing.T) {
	needBinary(t)
	t.Parallel()
	tmp := t.TempDir()
	p := &process{cmd: exec.Command(binary, "rehearse", "--as", "head", "--no-browser", "--home", filepath.Join(tmp, "home")), done: make(chan error, 1)}
	p.cmd.Env = append(quietEnv(), "TMPDIR="+tmp, "TMP="+tmp)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	n, err := out.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	if page, _ := visit(t, strings.TrimSpace(string(b[:n]))); !strings.Contains(page, "Orva Waters") {
		t.Errorf("the rehearsal's dialogue is not there: %s", page)
	}
	if code := p.interrupt(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestTerminal rehearses on stdin and stdout.
func TestTerminal(t *testing.T) {
	needBinary(t)
	t.Parallel()
	cmd := exec.Command(binary, "rehearse", "--terminal", "--as", "head")
	cmd.Env = quietEnv()
	cmd.Stdin = strings.NewReader("?\nGood morning to all.\nq\n")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Ruth Abernay reads words aloud") {
		t.Errorf("%v: %s", err, out)
	}
}
