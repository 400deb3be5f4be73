package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"parley/client"
	"parley/internal/words"
	"parley/vault"
)

type vaultLine struct {
	ID   string `json:"id"` // the folder
	Name string `json:"name"`
}

func (a *app) initCommand() *cobra.Command {
	var name, language string
	cmd := &cobra.Command{
		Use:  "init --name NAME",
		Args: takes(),
	}
	cmd.Flags().StringVar(&name, "name", "", "")
	cmd.Flags().StringVar(&language, "language", a.w.Name(), "")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if name == "" {
			return usage("cli.error.noname")
		}
		if vault.Exists(a.home) {
			return vault.ErrExists
		}
		p, err := a.newPassphrase(a.passphraseFile)
		if err != nil {
			return err
		}
		profile := client.DefaultProfile(name)
		profile.Language = language
		a.w = words.For(language)
		c, err := client.Create(client.Options{Dir: a.home}, profile, p)
		if err != nil {
			return err
		}
		if err := c.Close(); err != nil {
			return err
		}
		a.tell("cli.said.made")
		return a.result(vaultLine{a.home, name}, sentence(clean(a.home)))
	}
	return cmd
}

func (a *app) passphraseCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:  "passphrase",
		Args: takes(),
	}
	cmd.Flags().StringVar(&file, "new-passphrase-file", "", "")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if !vault.Exists(a.home) {
			return vault.ErrNone
		}
		old, err := a.passphrase("cli.ask.old")
		if err != nil {
			return err
		}
		key, err := vault.Unlock(a.home, []byte(old))
		if err != nil {
			return err
		}
		fresh, err := a.newPassphrase(file)
		if err != nil {
			return err
		}
		s, err := a.openKey(cmd, key)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		if err := s.ChangePassphrase(old, fresh); err != nil {
			return err
		}
		return a.result(vaultLine{a.home, s.Profile().Name}, a.t("cli.said.passphrase"))
	}
	return cmd
}
