package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"parley/client"
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
	p, err := a.ask("A new passphrase, of 12 characters or more: ")
	if err != nil {
		return "", err
	}
	if err := client.CheckPassphrase(p); err != nil {
		return "", err
	}
	again, err := a.ask("The same once more: ")
	if err == nil && again != p {
		err = &failure{exitPassphrase, "the two passphrases differ", "Nothing was changed. Try again."}
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
		return "", &failure{exitPassphrase, "a passphrase is needed, and there is no terminal to ask for it", "Give it with --passphrase-file FILE"}
	}
	fmt.Fprint(a.Err, prompt)
	p, err := a.ReadPassphrase()
	fmt.Fprintln(a.Err)
	if err != nil {
		return "", &failure{exitPassphrase, "no passphrase was read: " + err.Error(), "Give it with --passphrase-file FILE"}
	}
	return p, nil
}

func readPassphraseFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", &failure{exitPassphrase, "the passphrase file can't be read: " + err.Error(), "Check --passphrase-file"}
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPassphrase+1))
	if err != nil {
		return "", &failure{exitPassphrase, "the passphrase file can't be read: " + err.Error(), "Check --passphrase-file"}
	}
	if len(b) > maxPassphrase {
		return "", &failure{exitPassphrase, fmt.Sprintf("the passphrase file has more than %d bytes", maxPassphrase), "Is it the right file?"}
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
	p, err := a.passphrase("Passphrase: ")
	if err != nil {
		return nil, err
	}
	return vault.Unlock(a.home, []byte(p))
}

// open opens the vault for a command, waiting a while for whoever has it.
func (a *app) open(ctx context.Context, what string) (*session, error) {
	key, err := a.unlock()
	if err != nil {
		return nil, err
	}
	return a.openKey(ctx, key, what)
}

func (a *app) openKey(ctx context.Context, key *vault.Key, what string) (*session, error) {
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
	if err := c.SetNote("parley " + what); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &session{Client: c, a: a, v: v, ctx: ctx}, nil
}

func dialRelay(addr relay.Address) (*relay.Client, error) { return relay.NewClient(addr) }

// with opens the vault, does f and closes it.
func (a *app) with(ctx context.Context, what string, f func(*session) error) (err error) {
	s, err := a.open(ctx, what)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return f(s)
}
