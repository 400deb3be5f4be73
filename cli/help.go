package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"parley/internal/words"
)

// languageOf is the language that the environment asks for, BCP 47; the vault's
// own counts once it is open.
func languageOf(getenv func(string) string) string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if locale := getenv(name); locale != "" { // as en_GB.UTF-8
			locale, _, _ = strings.Cut(locale, "@")
			locale, _, _ = strings.Cut(locale, ".")
			return strings.ReplaceAll(locale, "_", "-")
		}
	}
	return words.English
}

// dress gives a command, its flags and the commands below it their texts:
// their names follow from those of the commands, as cli.dialogue.new.short.
func (a *app) dress(cmd *cobra.Command, key string) {
	cmd.InitDefaultHelpFlag()
	cmd.Short = string(a.t(key + ".short"))
	cmd.Long = string(a.t(key + ".long"))
	cmd.Example = string(a.t(key + ".example"))
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		text := key + ".flag." + f.Name
		if !a.w.Has(text) { // one that several commands share
			text = "cli.flag." + f.Name
		}
		f.Usage = string(a.t(text))
	})
	for _, sub := range cmd.Commands() {
		a.dress(sub, key+"."+sub.Name())
	}
}

// helpWidth is how wide the paragraphs of help are, in columns.
const helpWidth = 80

// help writes what a command is for and how it is used.
func (a *app) help(out io.Writer, cmd *cobra.Command) error {
	fmt.Fprintln(out, wrap(cmd.Long, helpWidth))
	section := func(title string, rows []string) error {
		if len(rows) == 0 {
			return nil
		}
		fmt.Fprintf(out, "\n%s\n", a.t(title))
		for i := range rows {
			rows[i] = "  " + rows[i]
		}
		return table(out, rows)
	}
	uses := []string{cmd.UseLine()}
	if cmd.HasAvailableSubCommands() {
		uses = append(uses, cmd.CommandPath()+" COMMAND")
	}
	var commands []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "help" {
			commands = append(commands, row(sub.Name(), sentence(sub.Short)))
		}
	}
	err := errors.Join(
		section("cli.frame.usage", uses),
		section("cli.frame.examples", strings.Split(cmd.Example, "\n")),
		section("cli.frame.commands", commands),
		section("cli.frame.flags", a.flagRows(cmd.LocalFlags())),
		section("cli.frame.global", a.flagRows(cmd.InheritedFlags())),
	)
	if len(commands) > 0 {
		fmt.Fprintf(out, "\n%s\n", a.t("cli.frame.more"))
	}
	return err
}

// flagRows describes flags, one a row.
func (a *app) flagRows(flags *pflag.FlagSet) (rows []string) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name := "    --" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", --" + f.Name
		}
		if kind := valueKinds[f.Value.Type()]; kind != "" {
			name += " " + string(a.t(kind))
		}
		text := sentence(f.Usage)
		switch f.DefValue {
		case "", "0", "0s", "false", "[]":
		default:
			text = a.t("cli.frame.default", "text", text, "value", f.DefValue)
		}
		rows = append(rows, row(sentence(name), text))
	})
	return rows
}

// valueKinds says what the flags of each type take; a switch takes nothing.
var valueKinds = map[string]string{
	"string": "cli.frame.text", "stringArray": "cli.frame.text", "duration": "cli.frame.time",
	"int": "cli.frame.number", "uint64": "cli.frame.number",
}

// wrap breaks the lines of a text that are longer than width.
func wrap(text string, width int) string {
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		at := 0
		for j, word := range strings.Fields(line) {
			n := utf8.RuneCountInString(word)
			switch {
			case j > 0 && at+1+n > width:
				b.WriteByte('\n')
				at = 0
			case j > 0:
				b.WriteByte(' ')
				at++
			}
			b.WriteString(word)
			at += n
		}
	}
	return b.String()
}

// flagError says in words what is wrong with a flag.
func flagError(_ *cobra.Command, err error) error {
	var none *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var wrong *pflag.InvalidValueError
	var form *pflag.InvalidSyntaxError
	switch {
	case errors.As(err, &none):
		return usage("cli.error.noflag", "flag", given(none.GetSpecifiedName(), none.GetSpecifiedShortnames()))
	case errors.As(err, &missing):
		return usage("cli.error.novalue", "flag", given(missing.GetSpecifiedName(), missing.GetSpecifiedShortnames()))
	case errors.As(err, &wrong):
		hint := "cli.hint.help"
		if wrong.GetFlag().Value.Type() == "duration" {
			hint = "cli.hint.time"
		}
		return fail(exitUsage, hint, "cli.error.value", "flag", "--"+wrong.GetFlag().Name, "value", wrong.GetValue())
	case errors.As(err, &form):
		return usage("cli.error.flagform", "flag", form.GetSpecifiedFlag())
	}
	return err
}

// given is a flag as it was typed: shorts is empty for a long one.
func given(name, shorts string) string {
	if shorts != "" {
		return "-" + name
	}
	return "--" + name
}
