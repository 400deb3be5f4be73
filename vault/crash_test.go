package vault

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"
)

const crashDir = "PARLEY_VAULT_CRASH_DIR"

// TestMain is the process that TestCrash kills, if told so.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := writeUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// rowsOf is how many values one transaction of TestCrash writes: enough that
// some cross the limit of the WAL.
const rowsOf = 40

func crashKey(i int) []byte { return fmt.Appendf(nil, "row-%02d", i) }

// writeUntilKilled writes n, n+1, … to all rows, and says each on stdout once
// it is durable. Every fifth transaction makes a dialogue, the next burns it.
func writeUntilKilled(dir string) error {
	v, err := Open(dir, pass)
	if err != nil {
		return err
	}
	n := 0
	if err := v.View(func(tx *Tx) error {
		b, err := tx.Global().Get(crashKey(0))
		if err == nil {
			_, err = fmt.Sscan(string(b), &n)
		}
		return err
	}); err != nil {
		return err
	}
	for {
		n++
		if err := v.Update(func(tx *Tx) error { return writeRound(tx, n) }); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

func writeRound(tx *Tx, n int) error {
	for i := range rowsOf {
		if err := tx.Global().Put(crashKey(i), fmt.Appendf(nil, "%d %01000d", n, i)); err != nil {
			return err
		}
	}
	ids, err := tx.Dialogues()
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := tx.Burn(id); err != nil {
			return err
		}
	}
	if n%5 != 0 {
		return nil
	}
	_, d, err := tx.NewDialogue()
	for i := 0; err == nil && i < 2*sweepRows; i++ {
		err = d.Put(crashKey(i), []byte("in a dialogue"))
	}
	return err
}

// TestCrash kills a process amid its updates, time after time: all that it had
// acknowledged is there, and no transaction by half.
func TestCrash(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	v, dir := made(t)
	update(t, v, func(tx *Tx) error { return writeRound(tx, 0) })
	closed(t, v)
	for round := range 12 {
		acked := killed(t, dir, 1+r.IntN(25), r.IntN(1500))
		v, err := Open(dir, pass)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		n := consistent(t, v)
		if n < acked {
			t.Errorf("round %d: %d was acknowledged, the vault is at %d", round, acked, n)
		}
		closed(t, v)
	}
}

// killed runs writeUntilKilled, kills it some spins after it has acknowledged
// acks transactions, and returns the last that it acknowledged.
func killed(t *testing.T, dir string, acks, spins int) (last int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ { // to the end: what lay in the pipe was acknowledged too
		if _, err := fmt.Sscan(lines.Text(), &last); err != nil {
			t.Errorf("the child says %q", lines.Text())
		}
		if n == acks {
			for range spins { // to hit any place in the transaction
				_, _, _ = Holder(dir)
			}
			if pid, _, ok := Holder(dir); !ok || pid != cmd.Process.Pid {
				t.Errorf("the holder is %d, %v", pid, ok)
			}
			cmd.Process.Kill()
		}
	}
	if err := cmd.Wait(); err == nil || last == 0 {
		t.Fatalf("the child was not killed at work: %v", err)
	}
	if _, _, ok := Holder(dir); ok {
		t.Error("a killed process holds the vault")
	}
	return last
}

// consistent checks that all rows are of one transaction, and returns which.
func consistent(t *testing.T, v *Vault) (n int) {
	t.Helper()
	err := v.View(func(tx *Tx) error {
		rows := 0
		err := tx.Global().Scan([]byte("row-"), nil, 0, false, func(k, value []byte) error {
			var at, i int
			if _, err := fmt.Sscanf(string(value), "%d %d", &at, &i); err != nil {
				return err
			}
			if rows == 0 {
				n = at
			}
			if at != n || i != rows || string(k) != string(crashKey(rows)) {
				t.Errorf("row %d: %s is of transaction %d, others of %d", rows, k, at, n)
			}
			rows++
			return nil
		})
		if err != nil {
			return err
		}
		if rows != rowsOf {
			t.Errorf("%d rows", rows)
		}
		ids, err := tx.Dialogues()
		want := 0
		if n%5 == 0 {
			want = 1
		}
		if err == nil && len(ids) != want {
			t.Errorf("%d dialogues after transaction %d", len(ids), n)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if left, err := v.db.number("test", "SELECT count(*) FROM burned"); left != 0 || err != nil {
		t.Errorf("%d burned dialogues were not swept, %v", left, err)
	}
	return n
}
