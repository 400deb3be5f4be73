package cli

import (
	"context"
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

// reaches says whom an address reaches.
var reaches = map[server.Reach]string{
	server.ThisComputer: "this computer only", server.SameNetwork: "people on the same network",
	server.Internet: "everybody, if no firewall stands between",
}

// shutdownTime is how long a relay lets requests finish when it ends.
const shutdownTime = 10 * time.Second

func (a *app) relayCommand() *cobra.Command {
	var o server.Options
	cmd := &cobra.Command{
		Use: "relay --listen ADDR --data DIR", Short: "Run a relay, which knows nothing of what it carries",
		Long: `Runs a relay until it is interrupted, and prints "listening on URL" once it is
ready. The URL, with its pin where the certificate is the relay's own, is what
goes into --relay of parley dialogue new. Port 0 lets the system choose one. On
loopback it speaks plain HTTP; elsewhere TLS, with --cert and --key or a
certificate that it makes itself.`,
		Example: `  parley relay --listen 127.0.0.1:8000 --data ./relay
  parley relay --listen :443 --data /var/lib/parley --cert fullchain.pem --key privkey.pem`,
		Args: takes(),
	}
	f := cmd.Flags()
	f.StringVar(&o.Addr, "listen", "", "where to listen, such as 127.0.0.1:8000 or :443")
	f.StringVar(&o.Dir, "data", "", "folder for what it keeps")
	f.StringVar(&o.CertFile, "cert", "", "certificate of your own, in PEM")
	f.StringVar(&o.KeyFile, "key", "", "its private key, in PEM")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case o.Addr == "":
			return usage("--listen is missing: where to listen, such as 127.0.0.1:8000")
		case o.Dir == "":
			return usage("--data is missing: the folder for what the relay keeps")
		case (o.CertFile == "") != (o.KeyFile == ""):
			return usage("--cert and --key go together")
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
	if err != nil {
		return err
	}
	for _, p := range r.Proposals()[1:] {
		a.tell("also %s: %s", p.Address, reaches[p.Reach])
	}
	if err := a.result(relayLine{r.Address().String(), "listening"}, "listening on %s", r.Address()); err != nil {
		return err
	}
	<-ctx.Done()
	end, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	return r.Shutdown(end)
}
