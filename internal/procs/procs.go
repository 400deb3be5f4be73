// Package procs sets up the Go scheduler for a program that waits for the disk.
package procs

import (
	"os"
	"runtime"
)

// Least is how many goroutines may run at a time, at least. A goroutine in a
// disk's sync keeps its place until the scheduler notices, which can take
// longer than the sync: on two cores with two places, two vaults that write
// stop all else. More than twice the cores would give the garbage collector
// both.
const Least = 4

// Raise makes room for Least, unless whoever started the program set
// GOMAXPROCS. Programs call it once, at their start.
func Raise() {
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) < Least {
		runtime.GOMAXPROCS(Least)
	}
}
