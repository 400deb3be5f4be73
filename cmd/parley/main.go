// Command parley holds confidential dialogues: the application in a browser,
// the commands, and the relay, in one binary. Package cli does the work.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"parley/cli"
	"parley/internal/procs"
)

func main() {
	procs.Raise()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, cli.System(), os.Args[1:])
	stop()
	os.Exit(code)
}
