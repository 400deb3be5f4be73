package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// An Env is what a process has around it.
type Env struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
	// ReadPassphrase reads a line from the terminal without showing it. Nil:
	// there is no terminal to ask on.
	ReadPassphrase func() (string, error)
	// Browse opens a browser.
	Browse func(url string) error
}

// System is the Env of this process.
func System() Env {
	e := Env{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv, Browse: browse}
	if fd := int(os.Stdin.Fd()); term.IsTerminal(fd) {
		e.ReadPassphrase = func() (string, error) {
			b, err := term.ReadPassword(fd)
			return string(b), err
		}
	}
	return e
}

// Main does what args say and returns the exit code.
func Main(ctx context.Context, e Env, args []string) int {
	a := &app{Env: e}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(e.In)
	root.SetOut(e.Out)
	root.SetErr(e.Err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	code, text, hint := explain(err)
	if !a.started { // cobra did not like the arguments
		code = exitUsage
		if hint == "" {
			hint = "See: parley --help"
		}
	}
	fmt.Fprintf(e.Err, "parley: %s\n", clean(text))
	if hint != "" {
		fmt.Fprintln(e.Err, hint)
	}
	return code
}

// An app is one run of the command line.
type app struct {
	Env
	home           string
	passphraseFile string
	json           bool
	started        bool // the arguments were good
}

// root makes the tree of commands.
func (a *app) root() *cobra.Command {
	var o appOptions
	root := &cobra.Command{
		Use:   "parley",
		Short: "Confidential dialogue between sides",
		Long: `Parley holds confidential dialogues between sides that distrust one another,
through a relay that knows nothing of them.

Without a command it opens the application in the browser, served by this
computer alone. The commands do the same for scripts. DIALOGUE and SEAT are a
name or an id, or the beginning of one.

Exit: 0 done, 1 failure, 2 usage, 3 passphrase, 4 not found or ambiguous,
5 against the rules, 6 waiting, 7 vault in use, 8 safety warning.`,
		Example: `  parley                                   open the application
  parley rehearse                          try everything, alone
  parley init --name "Ruth Abernay"        make a vault
  parley relay --listen 127.0.0.1:8000 --data /var/lib/parley`,
		Args:          noCommand,
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			a.started = true
			return a.settle()
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return a.application(cmd.Context(), o) },
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	f := root.PersistentFlags()
	f.StringVar(&a.home, "home", "", "folder of the vault (default: PARLEY_HOME, or the folder that the system has for settings)")
	f.StringVar(&a.passphraseFile, "passphrase-file", "", "file with the passphrase; one newline at its end is dropped")
	f.BoolVar(&a.json, "json", false, "one JSON object a line on stdout, its first field \"id\"")
	o.flags(root.Flags())
	root.AddCommand(
		a.initCommand(), a.passphraseCommand(), a.dialogueCommand(), a.inviteCommand(), a.revokeCommand(),
		a.joinCommand(), a.returnCommand(), a.approveCommand(), a.sayCommand(), a.readCommand(), a.fileCommand(), a.syncCommand(),
		a.seatsCommand(), a.wordsCommand(), a.verifyCommand(), a.removeCommand(), a.leaveCommand(),
		a.doctorCommand(), a.relayCommand(), a.rehearseCommand(),
	)
	return root
}

// noCommand refuses arguments, and proposes a command where one is near.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("there is no command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return usage("%s", text)
}

// takes checks the number of arguments, naming those that are missing.
func takes(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usage("%s is missing: parley %s", names[len(args)], useOf(cmd))
		case len(args) > len(names):
			return usage("%q is too much: parley %s", args[len(names)], useOf(cmd))
		}
		return nil
	}
}

// useOf is a command's line of use, from the root's subcommand on.
func useOf(cmd *cobra.Command) string {
	if cmd.Parent() == nil || cmd.Parent().Parent() == nil {
		return cmd.Use
	}
	return useOf(cmd.Parent()) + " " + cmd.Use
}

// settle finds the home folder.
func (a *app) settle() error {
	if a.home == "" {
		a.home = a.Getenv("PARLEY_HOME")
	}
	if a.home == "" {
		dir, err := os.UserConfigDir()
		if err != nil {
			return &failure{exitFailure, "this system names no folder for settings", "Choose one with --home DIR"}
		}
		a.home = filepath.Join(dir, "parley")
	}
	dir, err := filepath.Abs(a.home)
	a.home = dir
	return err
}
