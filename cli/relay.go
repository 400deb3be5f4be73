package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"parley/relay/server"
)

type relayLine struct {
	ID    string `json:"id"` // the address
	Event string `json:"event"`
}

// reaches are the sentences for whom an address reaches.
var reaches = map[server.Reach]string{
	server.ThisComputer: "cli.reach.computer", server.SameNetwork: "cli.reach.network", server.Internet: "cli.reach.internet",
}

// shutdownTime is how long a relay lets requests finish when it ends.
const shutdownTime = 10 * time.Second

func (a *app) relayCommand() *cobra.Command {
	var o server.Options
	cmd := &cobra.Command{
		Use:  "relay --listen ADDR --data DIR",
		Args: takes(),
	}
	f := cmd.Flags()
	f.StringVar(&o.Addr, "listen", "", "")
	f.StringVar(&o.Dir, "data", "", "")
	f.StringVar(&o.CertFile, "cert", "", "")
	f.StringVar(&o.KeyFile, "key", "", "")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case o.Addr == "":
			return usage("cli.error.listen")
		case o.Dir == "":
			return usage("cli.error.data")
		case (o.CertFile == "") != (o.KeyFile == ""):
			return usage("cli.error.cert")
		}
		o.Log = slog.New(slog.NewTextHandler(a.Err, nil))
		return a.relay(cmd.Context(), o)
	}
	return cmd
}

func (a *app) relay(ctx context.Context, o server.Options) error {
	if err := os.MkdirAll(filepath.Clean(o.Dir), 0o700); err != nil {
		return err
	}
	r, err := server.Embedded(o)
	if errors.Is(err, server.ErrCertificate) {
		return usage("cli.error.certfile", "why", a.reason(err))
	}
	if err != nil {
		return err
	}
	for _, p := range r.Proposals()[1:] {
		a.tell("cli.said.also", "address", p.Address.String(), "reach", a.t(reaches[p.Reach]))
	}
	if err := a.result(relayLine{r.Address().String(), "listening"}, sentence("listening on "+r.Address().String())); err != nil {
		return err
	}
	<-ctx.Done()
	end, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	return r.Shutdown(end)
}
