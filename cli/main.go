package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"parley/internal/words"
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
	a := newApp(e)
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	code, text, hint := a.explain(err)
	if !a.started { // cobra did not like the arguments
		code = exitUsage
		if hint == "" {
			hint = a.t("cli.hint.help")
		}
	}
	fmt.Fprintf(e.Err, "parley: %s\n", text)
	if hint != "" {
		fmt.Fprintln(e.Err, hint)
	}
	return code
}

// An app is one run of the command line.
type app struct {
	Env
	w              *words.Words
	home           string
	passphraseFile string
	json           bool
	started        bool // the arguments were good
}

func newApp(e Env) *app { return &app{Env: e, w: words.For(languageOf(e.Getenv))} }

// root makes the tree of commands.
func (a *app) root() *cobra.Command {
	var o appOptions
	root := &cobra.Command{
		Use:           "parley",
		Args:          noCommand,
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			a.started = true
			return a.settle()
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return a.application(cmd.Context(), o) },
	}
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { a.help(cmd.OutOrStdout(), cmd) })
	root.SetUsageFunc(func(cmd *cobra.Command) error { return a.help(cmd.OutOrStderr(), cmd) })
	root.SetFlagErrorFunc(flagError)
	f := root.PersistentFlags()
	f.StringVar(&a.home, "home", "", "")
	f.StringVar(&a.passphraseFile, "passphrase-file", "", "")
	f.BoolVar(&a.json, "json", false, "")
	o.flags(root.Flags())
	root.AddCommand(
		a.initCommand(), a.passphraseCommand(), a.dialogueCommand(), a.inviteCommand(), a.revokeCommand(),
		a.joinCommand(), a.returnCommand(), a.foundCommand(), a.approveCommand(), a.sayCommand(), a.readCommand(), a.fileCommand(), a.syncCommand(),
		a.seatsCommand(), a.seatParent(), a.wordsCommand(), a.verifyCommand(), a.removeCommand(), a.leaveCommand(), a.charterCommand(),
		a.doctorCommand(), a.relayCommand(), a.rehearseCommand(),
	)
	extras(root)
	a.dress(root, "cli")
	return root
}

// extras adds the commands that cobra brings, help and completion, and has
// them refuse arguments as ours do.
func extras(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Use, cmd.Run = "help [COMMAND]", nil
			cmd.PersistentPreRunE = func(*cobra.Command, []string) error { return nil }
			cmd.RunE = func(_ *cobra.Command, args []string) error {
				of, rest, err := root.Find(args)
				if err == nil {
					err = noCommand(of, rest)
				}
				if err != nil {
					return err
				}
				return of.Help()
			}
		case "completion":
			for _, shell := range cmd.Commands() {
				shell.Args = takes()
			}
		}
	}
}

// noCommand refuses arguments, and names the commands that are near.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usage("cli.error.nocommand.near", "name", args[0], "near", near)
	}
	return usage("cli.error.nocommand", "name", args[0])
}

// takes checks the number of arguments, naming those that are missing.
func takes(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usage("cli.error.missing", "name", names[len(args)], "use", useOf(cmd))
		case len(args) > len(names):
			return usage("cli.error.toomuch", "arg", args[len(names)], "use", useOf(cmd))
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
			return fail(exitFailure, "cli.hint.home", "cli.error.nofolder")
		}
		a.home = filepath.Join(dir, "parley")
	}
	dir, err := filepath.Abs(a.home)
	a.home = dir
	return err
}
