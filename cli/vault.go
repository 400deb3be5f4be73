package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"parley/client"
	"parley/internal/words"
	"parley/relay"
	"parley/vault"
)

// vaultWait is how long a command waits for a vault that another process has.
const vaultWait = 10 * time.Second

// maxPassphrase bounds what a passphrase file may hold, in bytes.
const maxPassphrase = 4096

// passphrase gives the passphrase: from the file, or asked for on the terminal.
func (a *app) passphrase(prompt string) (string, error) {
	if a.passphraseFile != "" {
		return readPassphraseFile(a.passphraseFile)
	}
	return a.ask(prompt)
}

// newPassphrase gives a new one: from the file, or asked for twice.
func (a *app) newPassphrase(file string) (string, error) {
	if file != "" {
		p, err := readPassphraseFile(file)
		return p, errors.Join(err, ifRead(err, p))
	}
	p, err := a.ask("cli.ask.new")
	if err != nil {
		return "", err
	}
	if err := client.CheckPassphrase(p); err != nil {
		return "", err
	}
	again, err := a.ask("cli.ask.again")
	if err == nil && again != p {
		err = fail(exitPassphrase, "cli.hint.again", "cli.error.differ")
	}
	return p, err
}

func ifRead(err error, p string) error {
	if err != nil {
		return nil
	}
	return client.CheckPassphrase(p)
}

func (a *app) ask(prompt string) (string, error) {
	if a.ReadPassphrase == nil {
		return "", fail(exitPassphrase, "cli.hint.nopassphrase", "cli.error.noterminal")
	}
	fmt.Fprint(a.Err, a.t(prompt), " ")
	p, err := a.ReadPassphrase()
	fmt.Fprintln(a.Err)
	if err != nil {
		return "", fail(exitPassphrase, "cli.hint.nopassphrase", "cli.error.noanswer", "why", a.reason(err))
	}
	return p, nil
}

func readPassphraseFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fail(exitPassphrase, "cli.hint.passfile", "cli.error.passfile", "why", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPassphrase+1))
	if err != nil {
		return "", fail(exitPassphrase, "cli.hint.passfile", "cli.error.passfile", "why", err)
	}
	if len(b) > maxPassphrase {
		return "", fail(exitPassphrase, "cli.hint.rightfile", "cli.error.passfile.long", "n", maxPassphrase)
	}
	p := strings.TrimSuffix(string(b), "\n")
	if p != string(b) {
		p = strings.TrimSuffix(p, "\r")
	}
	if p == "" {
		return "", vault.ErrNoPassphrase
	}
	return p, nil
}

// A session is an open vault.
type session struct {
	*client.Client
	a   *app
	v   *vault.Vault
	ctx context.Context
}

// unlock does the slow work on the passphrase, without opening the vault.
func (a *app) unlock() (*vault.Key, error) {
	if !vault.Exists(a.home) {
		return nil, vault.ErrNone
	}
	p, err := a.passphrase("cli.ask.passphrase")
	if err != nil {
		return nil, err
	}
	return vault.Unlock(a.home, []byte(p))
}

// open opens the vault for a command, waiting a while for whoever has it.
func (a *app) open(cmd *cobra.Command) (*session, error) {
	key, err := a.unlock()
	if err != nil {
		return nil, err
	}
	return a.openKey(cmd, key)
}

// openKey is open for a passphrase that is known. From then on the commands
// speak the vault's language.
func (a *app) openKey(cmd *cobra.Command, key *vault.Key) (*session, error) {
	ctx := cmd.Context()
	wait, cancel := context.WithTimeout(ctx, vaultWait)
	defer cancel()
	v, err := vault.OpenKeyWait(wait, a.home, key)
	if err != nil {
		return nil, err
	}
	c, err := client.With(client.Options{Dir: a.home, Dial: dialRelay}, v)
	if err != nil {
		return nil, err
	}
	if err := c.SetNote(cmd.CommandPath()); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	a.w = words.For(c.Profile().Language)
	return &session{Client: c, a: a, v: v, ctx: ctx}, nil
}

func dialRelay(addr relay.Address) (*relay.Client, error) { return relay.NewClient(addr) }

// with opens the vault, does f and closes it.
func (a *app) with(cmd *cobra.Command, f func(*session) error) (err error) {
	s, err := a.open(cmd)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return f(s)
}
