package vault

import (
	"fmt"
	"testing"
)

// benchVault has 20,000 values of 1 KiB in one dialogue.
func benchVault(b *testing.B) (*Vault, string, DialogueID) {
	b.Helper()
	v, dir := made(b)
	var id DialogueID
	update(b, v, func(tx *Tx) (err error) {
		var d *Space
		id, d, err = tx.NewDialogue()
		for i := 0; err == nil && i < 20_000; i++ {
			err = d.Put(benchKey(i), make([]byte, 1024))
		}
		return err
	})
	return v, dir, id
}

func benchKey(i int) []byte { return fmt.Appendf(nil, "m%08d", i) }

func in(b *testing.B, do func(func(*Tx) error) error, id DialogueID, fn func(*Space) error) {
	b.Helper()
	if err := do(func(tx *Tx) error {
		d, err := tx.Dialogue(id)
		if err != nil {
			return err
		}
		return fn(d)
	}); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkOpen opens with the key at hand, reads one value, and closes.
func BenchmarkOpen(b *testing.B) {
	v, dir, id := benchVault(b)
	key := v.Key()
	closed(b, v)
	for b.Loop() {
		v, err := OpenKey(dir, key)
		if err != nil {
			b.Fatal(err)
		}
		in(b, v.View, id, func(d *Space) error { _, err := d.Get(benchKey(7)); return err })
		closed(b, v)
	}
}

// BenchmarkUnlock is Argon2id at full cost.
func BenchmarkUnlock(b *testing.B) {
	h := newHeader([idSize]byte{}, randomKey(), pass, defaultCost)
	for b.Loop() {
		if _, err := h.open(pass); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUpdate writes ten new values of 1 KiB, down to the disk.
func BenchmarkUpdate(b *testing.B) { benchUpdate(b, "full", 1000) }

// BenchmarkUpdateNoSync is the same without fsync: our own share of it.
func BenchmarkUpdateNoSync(b *testing.B) { benchUpdate(b, "off", 1000) }

// BenchmarkOverwriteNoSync writes the same ten values again and again.
func BenchmarkOverwriteNoSync(b *testing.B) { benchUpdate(b, "off", 0) }

func benchUpdate(b *testing.B, sync string, step int) {
	v, _, id := benchVault(b)
	if err := v.db.db.Exec("PRAGMA synchronous = " + sync); err != nil {
		b.Fatal(err)
	}
	value := make([]byte, 1024)
	next := 100_000
	for b.Loop() {
		in(b, v.Update, id, func(d *Space) error {
			for i := range 10 {
				if err := d.Put(benchKey(next+i), value); err != nil {
					return err
				}
			}
			return nil
		})
		next += step / 100
	}
}

func BenchmarkGet(b *testing.B) {
	v, _, id := benchVault(b)
	i := 0
	for b.Loop() {
		in(b, v.View, id, func(d *Space) error { _, err := d.Get(benchKey(i * 7919 % 20_000)); return err })
		i++
	}
}

// BenchmarkScan reads the last fifty values.
func BenchmarkScan(b *testing.B) {
	v, _, id := benchVault(b)
	for b.Loop() {
		n := 0
		in(b, v.View, id, func(d *Space) error {
			return d.Scan([]byte("m"), nil, 50, true, func(_, _ []byte) error { n++; return nil })
		})
		if n != 50 {
			b.Fatal(n)
		}
	}
}
