package server

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	engine "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"

	"parley/internal/wire"
	"parley/relay"
)

// The benchmarks run what they measure in a process of its own: the load does
// not count, and the system itself says how much processor time it took. The
// process is this test binary, told by its environment what to be.
const childVariable = "PARLEY_BENCH_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childVariable) {
	case "relay":
		childRelay()
	case "raw":
		childRaw()
	default:
		os.Exit(m.Run())
	}
}

// childRelay serves until its input ends. For each line of input it says how
// much memory it has in use.
func childRelay() {
	r, err := Embedded(Options{Addr: "127.0.0.1:0", Dir: os.Args[len(os.Args)-1]})
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Address())
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Println(m.HeapInuse + m.StackInuse)
	}
	if err := r.Shutdown(context.Background()); err != nil {
		panic(err)
	}
}

const benchWriters = 256

// childRaw makes as many synced appends as its input says: a cell each, under a
// key of 37 bytes, by benchWriters writers, with the options of the relay's store.
func childRaw() {
	o := &engine.Options{MemTableSize: 16 << 20, L0StopWritesThreshold: 24, FormatMajorVersion: engine.FormatValueSeparation, Logger: quiet{}}
	o.CacheSize = 16 << 20
	for i := range o.Levels {
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
	}
	db, err := engine.Open(os.Args[len(os.Args)-1], o)
	if err != nil {
		panic(err)
	}
	var n int64
	fmt.Scan(&n)
	var left atomic.Int64
	left.Store(n)
	var g sync.WaitGroup
	for w := range benchWriters {
		g.Go(func() {
			key, value := make([]byte, 37), make([]byte, wire.CellSize)
			rand.Read(key[:32])
			rand.Read(value)
			key[0] = byte(w)
			for i := uint32(0); left.Add(-1) >= 0; i++ {
				binary.BigEndian.PutUint32(key[33:], i)
				if err := db.Set(key, value, engine.Sync); err != nil {
					panic(err)
				}
			}
		})
	}
	g.Wait()
	if err := db.Close(); err != nil {
		panic(err)
	}
}

// quiet takes the engine's log, which is of no interest here.
type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// A child is a process under measurement.
type child struct {
	b   *testing.B
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startChild(b *testing.B, kind string) *child {
	c := &child{b: b, cmd: exec.Command(os.Args[0], b.TempDir())}
	c.cmd.Env = append(os.Environ(), childVariable+"="+kind)
	c.cmd.Stderr = os.Stderr
	var err error
	c.in, err = c.cmd.StdinPipe()
	must(b, err)
	out, err := c.cmd.StdoutPipe()
	must(b, err)
	c.out = bufio.NewReader(out)
	must(b, c.cmd.Start())
	b.Cleanup(func() { c.in.Close(); c.cmd.Wait() })
	return c
}

func (c *child) line() string {
	s, err := c.out.ReadString('\n')
	must(c.b, err)
	return strings.TrimSpace(s)
}

// clients gives n clients of the relay. A client keeps 16 connections; who has
// more requests at once had better have more clients.
func (c *child) clients(n int) []*relay.Client {
	addr, err := relay.ParseAddress(c.line())
	must(c.b, err)
	all := make([]*relay.Client, n)
	for i := range all {
		all[i], err = relay.NewClient(addr)
		must(c.b, err)
		c.b.Cleanup(all[i].Close)
	}
	return all
}

// memory is what the child has in use, in bytes.
func (c *child) memory() (n float64) {
	_, err := io.WriteString(c.in, "\n")
	must(c.b, err)
	_, err = fmt.Sscan(c.line(), &n)
	must(c.b, err)
	return n
}

// end ends the child, and tells how much processor time it took.
func (c *child) end() time.Duration {
	must(c.b, c.in.Close())
	must(c.b, c.cmd.Wait())
	return c.cmd.ProcessState.UserTime() + c.cmd.ProcessState.SystemTime()
}

// idle is the processor time of a child that does nothing.
func idle(b *testing.B, kind string) time.Duration {
	c := startChild(b, kind)
	if kind == "relay" {
		c.line()
	}
	return c.end()
}

// BenchmarkAppend appends through HTTP on loopback from 256 writers, each to a
// box of its own, and beside it as often to a bare pebble. Both processes'
// processor time is counted, less that of starting and ending.
func BenchmarkAppend(b *testing.B) {
	c := startChild(b, "relay")
	clients := c.clients(benchWriters / 16)
	var left atomic.Int64
	left.Store(int64(b.N))
	times := make([][]time.Duration, benchWriters)
	var g sync.WaitGroup
	b.ResetTimer()
	for w := range benchWriters {
		client := clients[w/16]
		g.Go(func() {
			box, cell := newBox(), new(relay.Cell)
			rand.Read(cell[:])
			for i := uint64(0); left.Add(-1) >= 0; i++ {
				if i%wire.BoxCapacity == 0 {
					box = newBox()
				}
				binary.BigEndian.PutUint64(cell[:], i)
				begin := time.Now()
				if _, err := client.Do(b.Context(), relay.Exchange{Box: box, Append: cell, From: i % wire.BoxCapacity, Mode: relay.Mode1}); err != nil {
					b.Error(err)
					return
				}
				times[w] = append(times[w], time.Since(begin))
			}
		})
	}
	g.Wait()
	b.StopTimer()
	elapsed := b.Elapsed().Seconds()
	cpu := c.end() - idle(b, "relay")

	raw := startChild(b, "raw")
	fmt.Fprintln(raw.in, b.N)
	rawCPU := raw.end() - idle(b, "raw")

	all := slices.Concat(times...)
	slices.Sort(all)
	n := float64(b.N)
	b.ReportMetric(n/elapsed, "appends/s")
	b.ReportMetric(n/cpu.Seconds(), "appends/cpu-s")
	b.ReportMetric(n/rawCPU.Seconds(), "raw/cpu-s")
	b.ReportMetric(rawCPU.Seconds()/cpu.Seconds(), "of-raw")
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkIdleBox tells the memory of a box with a cell that nobody uses, and
// BenchmarkWaitingReader that of a connection whose reader waits.
func BenchmarkIdleBox(b *testing.B) {
	c := startChild(b, "relay")
	client := c.clients(1)[0]
	appendTo := func(n int) {
		var left atomic.Int64
		left.Store(int64(n))
		var g sync.WaitGroup
		for range 32 {
			g.Go(func() {
				for left.Add(-1) >= 0 {
					if _, err := client.Do(b.Context(), relay.Exchange{Box: newBox(), Append: cellOf(1), Mode: relay.Mode1}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		g.Wait()
	}
	appendTo(1000) // what the first ones bring is not per box
	before := c.memory()
	b.ResetTimer()
	appendTo(b.N)
	b.StopTimer()
	b.ReportMetric((c.memory()-before)/float64(b.N), "bytes/box")
}

func BenchmarkWaitingReader(b *testing.B) {
	c := startChild(b, "relay")
	client := c.clients(1)[0]
	n := min(b.N, 4000)
	before := c.memory()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var g sync.WaitGroup
	b.ResetTimer()
	for range n {
		g.Go(func() { client.Do(ctx, relay.Exchange{Box: newBox(), Wait: relay.MaxWait}) })
	}
	for waiting := 0; waiting < n; {
		waiting = waitingReaders(b, client.Address())
	}
	b.StopTimer()
	b.ReportMetric((c.memory()-before)/float64(n), "bytes/reader")
	cancel()
	g.Wait()
}

// waitingReaders reads the relay's own count.
func waitingReaders(b *testing.B, addr relay.Address) (n int) {
	for line := range strings.Lines(getText(b, addr.URL()+"/metrics")) {
		if rest, ok := strings.CutPrefix(line, "parley_relay_waiting_readers "); ok {
			_, err := fmt.Sscan(rest, &n)
			must(b, err)
		}
	}
	return n
}
