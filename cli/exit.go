package cli

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"strconv"
	"strings"
	"syscall"

	"parley/client"
	"parley/dialogue"
	"parley/internal/words"
	"parley/relay"
	"parley/relay/server"
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

// A failure is an error that knows its exit code, its sentence and what to do
// about it: names of sentences, and what the first one fills in.
type failure struct {
	code int
	text string
	args []any
	hint string // may be empty
}

func (f *failure) Error() string { return words.For(words.English).T(f.text, f.args...) }

func fail(code int, hint, text string, args ...any) error { return &failure{code, text, args, hint} }

func usage(text string, args ...any) error { return fail(exitUsage, "cli.hint.help", text, args...) }

// errAlarm ends a command that did its work and met a new alarm.
var errAlarm = fail(exitSafety, "cli.hint.alarm", "cli.error.alarm")

// kinds maps errors to exit codes, sentences and hints: the first that matches
// counts. One without a sentence here has the one that the pages show.
var kinds = []struct {
	err        error
	code       int
	text, hint string
}{
	{vault.ErrPassphrase, exitPassphrase, "cli.error.passphrase", "cli.hint.passphrase"},
	{vault.ErrNoPassphrase, exitPassphrase, "cli.error.nopassphrase", "cli.hint.nopassphrase"},
	{client.ErrPassphraseShort, exitPassphrase, "", "cli.hint.short"},
	{vault.ErrNone, exitNotFound, "cli.error.novault", "cli.hint.novault"},
	{vault.ErrExists, exitFailure, "cli.error.exists", "cli.hint.exists"},
	{vault.ErrNewer, exitFailure, "cli.error.newer", "cli.hint.newer"},
	{vault.ErrDamaged, exitFailure, "cli.error.damaged", "cli.hint.damaged"},
	{client.ErrNoDialogue, exitNotFound, "", "cli.hint.dialogues"},
	{client.ErrNoSeat, exitNotFound, "", "cli.hint.seats"},
	{client.ErrNoRoom, exitNotFound, "", "cli.hint.room"},
	{client.ErrNoMessage, exitNotFound, "", "cli.hint.message"},
	{client.ErrNoFile, exitNotFound, "cli.error.nofile", "cli.hint.nofile"},
	{client.ErrNoReading, exitNotFound, "", "cli.hint.noreading"},
	{client.ErrCardUsed, exitRules, "", ""},
	{client.ErrCardRevoked, exitRules, "", ""},
	{client.ErrCardExpired, exitRules, "", ""},
	{client.ErrCardLate, exitWaiting, "", ""},
	{client.ErrCard, exitUsage, "", ""},
	{client.ErrSeatHere, exitRules, "", ""},
	{client.ErrWhichCard, exitUsage, "", "cli.hint.whichcard"},
	{client.ErrUnfaithful, exitSafety, "", "cli.hint.unfaithful"},
	{client.ErrOffline, exitWaiting, "", "cli.hint.offline"},
	{client.ErrNoCharter, exitNotFound, "", "cli.hint.charters"},
	{client.ErrNotLost, exitRules, "", "cli.hint.foundings"},
	{client.ErrNobodyWaits, exitWaiting, "", "cli.hint.lost"},
	{client.ErrNoFounding, exitNotFound, "", "cli.hint.foundings"},
	{client.ErrFounding, exitSafety, "", "cli.hint.foundings"},
	{client.ErrClock, exitWaiting, "", "cli.hint.clock"},
	{client.ErrNotSeated, exitWaiting, "", "cli.hint.notseated"},
	{client.ErrWaiting, exitWaiting, "", "cli.hint.offline"},
	{client.ErrFileSize, exitUsage, "", "cli.hint.filesize"},
	{client.ErrFileEmpty, exitUsage, "", "cli.hint.rightfile"},
	{client.ErrFileDamaged, exitFailure, "", ""},
	{client.ErrText, exitUsage, "", "cli.hint.text"},
	{client.ErrOutbox, exitFailure, "", "cli.hint.outbox"},
	{dialogue.ErrWord, exitSafety, "", ""},
	{dialogue.ErrNameBlank, exitUsage, "", ""},
	{dialogue.ErrNameLong, exitUsage, "", ""},
	{dialogue.ErrNameHidden, exitUsage, "", ""},
	{relay.ErrAddress, exitUsage, "cli.error.address", "cli.hint.address"},
	{relay.ErrDenied, exitFailure, "cli.error.denied", "cli.hint.denied"},
	{context.DeadlineExceeded, exitWaiting, "cli.error.late", "cli.hint.late"},
	{context.Canceled, exitFailure, "cli.error.interrupted", "cli.hint.interrupted"},
}

// explain gives the exit code of an error, what happened, and what to do. What
// nobody foresaw is told as it is: whoever types commands can look into it.
func (a *app) explain(err error) (code int, text, hint sentence) {
	var f *failure
	var rule *client.RuleError
	var many *client.AmbiguousError
	var used *vault.InUseError
	var lost *client.LostError
	switch {
	case err == nil:
		return exitDone, "", ""
	case errors.As(err, &f):
		return f.code, a.t(f.text, f.args...), a.hint(f.hint)
	case errors.As(err, &rule):
		r := *rule
		r.Missing = cleaned(r.Missing)
		return exitRules, sentence(a.w.Refusal(&r)), a.t("cli.hint.rules")
	case errors.As(err, &many):
		return exitNotFound, sentence(a.w.Problem(&client.AmbiguousError{Prefix: clean(many.Prefix), Names: cleaned(many.Names)})), a.t("cli.hint.longer")
	case errors.As(err, &used):
		return exitInUse, a.inUse(used), a.t("cli.hint.inuse")
	case errors.As(err, &lost) && lost.Reason == client.LossReplaced:
		return exitRules, sentence(a.w.Problem(lost)), a.t("cli.hint.replaced")
	case errors.As(err, &lost) && lost.Reason == client.LossNewCard:
		return exitRules, sentence(a.w.Problem(lost)), a.t("cli.hint.newcard")
	case errors.As(err, &lost):
		return exitWaiting, sentence(a.w.Problem(lost)), a.t("cli.hint.lost")
	}
	for _, k := range kinds {
		switch {
		case !errors.Is(err, k.err):
		case k.text == "":
			return k.code, sentence(a.w.Problem(k.err)), a.hint(k.hint)
		default:
			return k.code, a.t(k.text), a.hint(k.hint)
		}
	}
	var path *fs.PathError
	var network *net.OpError
	switch {
	case errors.As(err, &path):
		return exitFailure, a.t("cli.error.path", "path", path.Path, "why", a.reason(path.Err)), ""
	case errors.As(err, &network) && network.Op == "listen" && network.Addr != nil:
		return exitFailure, a.t("cli.error.cannotlisten", "address", network.Addr.String(), "why", a.reason(network.Err)), ""
	}
	return exitFailure, a.t("cli.error.other", "why", firstLine(err)), ""
}

// reason says why the system did not do something: in its own words where
// there are no better ones.
func (a *app) reason(err error) sentence {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return a.t("cli.reason.notthere")
	case errors.Is(err, fs.ErrPermission):
		return a.t("cli.reason.notallowed")
	case errors.Is(err, syscall.EADDRINUSE):
		return a.t("cli.reason.taken")
	}
	return sentence(clean(firstLine(err)))
}

// hint is a sentence that may be missing.
func (a *app) hint(key string) sentence {
	if key == "" {
		return ""
	}
	return a.t(key)
}

// codeOf is the exit code of an error.
func codeOf(err error) int {
	code, _, _ := (&app{w: words.For(words.English)}).explain(err)
	return code
}

// inUse says who has the vault.
func (a *app) inUse(e *vault.InUseError) sentence {
	switch {
	case e.PID == 0:
		return a.t("cli.error.inuse")
	case e.Note == "":
		return a.t("cli.error.inuse.process", "process", strconv.Itoa(e.PID))
	}
	return a.t("cli.error.inuse.note", "process", strconv.Itoa(e.PID), "note", e.Note)
}

// firstLine is an error in one line, without the names of packages.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	for _, name := range []string{"vault: ", "relay: ", "client: ", server.ErrCertificate.Error() + ": "} {
		line = strings.TrimPrefix(line, name)
	}
	return line
}
