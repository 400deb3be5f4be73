package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"parley/client"
	"parley/vault"
)

type vaultLine struct {
	ID   string `json:"id"` // the folder
	Name string `json:"name"`
}

func (a *app) initCommand() *cobra.Command {
	var name, language string
	cmd := &cobra.Command{
		Use: "init --name NAME", Short: "Make a vault for one person",
		Long: `Makes an encrypted vault in the home folder. Its passphrase has 12 characters
or more. A forgotten one can't be recovered, by anybody.`,
		Example: `  parley init --name "Ruth Abernay"
  parley init --name Ruth --home ./ruth --passphrase-file ./secret`,
		Args: takes(),
	}
	cmd.Flags().StringVar(&name, "name", "", "the name to use in dialogues")
	cmd.Flags().StringVar(&language, "language", "en", "language of the pages, such as en")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if name == "" {
			return usage("a name is missing: parley init --name NAME")
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
		c, err := client.Create(client.Options{Dir: a.home}, profile, p)
		if err != nil {
			return err
		}
		if err := c.Close(); err != nil {
			return err
		}
		a.tell("The vault is made. A forgotten passphrase can't be recovered.")
		return a.result(vaultLine{a.home, name}, "%s", clean(a.home))
	}
	return cmd
}

func (a *app) passphraseCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "passphrase", Short: "Change the vault's passphrase",
		Example: `  parley passphrase
  parley passphrase --passphrase-file old --new-passphrase-file new`,
		Args: takes(),
	}
	cmd.Flags().StringVar(&file, "new-passphrase-file", "", "file with the new passphrase; one newline at its end is dropped")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if !vault.Exists(a.home) {
			return vault.ErrNone
		}
		old, err := a.passphrase("The passphrase as it is: ")
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
		s, err := a.openKey(cmd.Context(), key, "passphrase")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		if err := s.ChangePassphrase(old, fresh); err != nil {
			return err
		}
		return a.result(vaultLine{a.home, s.Profile().Name}, "The passphrase is changed.")
	}
	return cmd
}
