package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"parley/client"
	"parley/dialogue"
	"parley/internal/words"
	"parley/relay"
	"parley/vault"
)

// Exit codes; doc.go says what each means.
const (
	exitDone       = 0
	exitFailure    = 1
	exitUsage      = 2
	exitPassphrase = 3
	exitNotFound   = 4
	exitRules      = 5
	exitWaiting    = 6
	exitInUse      = 7
	exitSafety     = 8
)

// A failure is an error that knows its exit code and what to do about it.
type failure struct {
	code int
	text string
	hint string
}

func (f *failure) Error() string { return f.text }

func usage(format string, args ...any) error {
	return &failure{code: exitUsage, text: fmt.Sprintf(format, args...), hint: "See: parley --help"}
}

// errAlarm ends a command that did its work and met a new alarm.
var errAlarm = &failure{code: exitSafety, text: "there is a safety warning above", hint: "Tell the others by another road, and read: parley seats DIALOGUE"}

// kinds maps errors to exit codes and hints: the first that matches counts.
var kinds = []struct {
	err  error
	code int
	hint string
}{
	{vault.ErrPassphrase, exitPassphrase, "Try again. A forgotten passphrase can't be recovered."},
	{vault.ErrNoPassphrase, exitPassphrase, "Type it when asked, or give it with --passphrase-file FILE"},
	{client.ErrPassphraseShort, exitPassphrase, "Several words that you can remember make a good one."},
	{vault.ErrNone, exitNotFound, "Make one with: parley init --name NAME, or choose another folder with --home"},
	{vault.ErrExists, exitFailure, "Use it, or choose another folder with --home"},
	{vault.ErrNewer, exitFailure, "Use the newer Parley on this vault."},
	{vault.ErrDamaged, exitFailure, "Put back a copy of the folder, or start anew and ask for new cards."},
	{client.ErrNoDialogue, exitNotFound, "See: parley dialogue list"},
	{client.ErrNoSeat, exitNotFound, "See: parley seats DIALOGUE"},
	{client.ErrNoRoom, exitNotFound, "The plenary needs no --room; a side room has its side's name, and only its side sits in it."},
	{client.ErrNoMessage, exitNotFound, "See: parley read DIALOGUE"},
	{client.ErrNoFile, exitNotFound, "See which lines have a file: parley read DIALOGUE"},
	{client.ErrNoReading, exitNotFound, "Whoever is to be verified starts with: parley words DIALOGUE"},
	{client.ErrCardUsed, exitRules, "If it was not you, tell whoever gave you the card, by another road."},
	{client.ErrCardRevoked, exitRules, "Ask whoever gave it to you for a new one."},
	{client.ErrCardExpired, exitRules, "Ask whoever gave it to you for a new one."},
	{client.ErrCard, exitUsage, "A card is one link that begins with parley: and is copied whole."},
	{client.ErrOffline, exitWaiting, "Nothing is lost. Try again with: parley sync"},
	{client.ErrNotSeated, exitWaiting, "The others have to let you in. Go on with: parley sync --wait 10m"},
	{client.ErrWaiting, exitWaiting, "Try again later with: parley sync"},
	{client.ErrFileSize, exitUsage, "Make it smaller, or send it in parts."},
	{client.ErrFileEmpty, exitUsage, "Is it the right file?"},
	{client.ErrFileDamaged, exitFailure, "Ask its author to send it again."},
	{client.ErrText, exitUsage, "A message has between 1 and 32,768 bytes."},
	{client.ErrOutbox, exitFailure, "Connect to the relay and run: parley sync"},
	{dialogue.ErrWord, exitSafety, "Is a letter missing? If not: stop, write nothing more here, and tell the convenor by another road."},
	{dialogue.ErrNameBlank, exitUsage, ""},
	{dialogue.ErrNameLong, exitUsage, ""},
	{dialogue.ErrNameHidden, exitUsage, ""},
	{relay.ErrAddress, exitUsage, "It looks like https://relay.example.org or http://127.0.0.1:8000"},
	{relay.ErrDenied, exitFailure, "Ask who runs the relay."},
	{context.DeadlineExceeded, exitWaiting, "Nothing is lost. Try again with: parley sync"},
	{context.Canceled, exitFailure, "It was interrupted. What had been done stays done."},
}

// explain gives the exit code of an error, what happened, and what to do.
func explain(err error) (code int, text, hint string) {
	var f *failure
	var rule *client.RuleError
	var many *client.AmbiguousError
	var used *vault.InUseError
	var lost *client.LostError
	switch {
	case err == nil:
		return exitDone, "", ""
	case errors.As(err, &f):
		return f.code, f.text, f.hint
	case errors.As(err, &rule):
		return exitRules, words.For(words.English).Refusal(rule), "See the rules and who sits where: parley seats DIALOGUE"
	case errors.As(err, &many):
		return exitNotFound, fmt.Sprintf("%q could be: %s", many.Prefix, strings.Join(many.Names, ", ")), "Write more of it, or its id."
	case errors.As(err, &used):
		return exitInUse, inUse(used), "Wait until it is done, or end it."
	case errors.As(err, &lost) && lost.Reason == client.LossReplaced:
		return exitRules, lost.Error(), "Use that one, and only that one. If you have no other, tell the convenor at once."
	case errors.As(err, &lost):
		return exitWaiting, lost.Error(), lostHint
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.code, firstLine(err), k.hint
		}
	}
	return exitFailure, firstLine(err), ""
}

// inUse says who has the vault.
func inUse(e *vault.InUseError) string {
	switch {
	case e.PID == 0:
		return "the vault is in use by another process"
	case e.Note == "":
		return fmt.Sprintf("the vault is in use by process %d", e.PID)
	}
	return fmt.Sprintf("the vault is in use by process %d: %s", e.PID, e.Note)
}

// firstLine is an error in one line, without the names of packages.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	for _, name := range []string{"vault: ", "relay: ", "client: "} {
		line = strings.TrimPrefix(line, name)
	}
	return line
}
