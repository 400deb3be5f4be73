package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"parley/client"
	"parley/dialogue"
	"parley/relay"
	"parley/vault"
)

// A finding is what the doctor says of one thing.
type finding struct {
	ID   string `json:"id"` // what was looked at
	OK   bool   `json:"ok"`
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"`
}

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := doctor{a: a}
			return d.examine(cmd)
		},
	}
}

type doctor struct {
	a   *app
	bad int
}

func (d *doctor) say(what string, ok bool, text, hint sentence) {
	if !ok {
		d.bad++
	}
	f := finding{what, ok, string(text), string(hint)}
	if d.a.json {
		d.a.emit(f)
		return
	}
	verdict := d.a.t(map[bool]string{true: "cli.found.ok", false: "cli.found.bad"}[ok])
	fmt.Fprintf(d.a.Out, "%-4s %s: %s\n", verdict, clean(what), text)
	if hint != "" {
		fmt.Fprintf(d.a.Out, "     %s\n", hint)
	}
}

// fault reports an error, and hands it back to end with.
func (d *doctor) fault(what string, err error) error {
	_, text, hint := d.a.explain(err)
	d.say(what, false, text, hint)
	return err
}

func (d *doctor) examine(cmd *cobra.Command) error {
	d.folder()
	if !vault.Exists(d.a.home) {
		return d.fault("vault", vault.ErrNone)
	}
	if pid, note, ok := vault.Holder(d.a.home); ok {
		d.say("holder", true, d.a.t("cli.found.holder", "process", strconv.Itoa(pid), "note", note), "")
	}
	s, err := d.a.open(cmd)
	if err != nil {
		return d.fault("vault", err)
	}
	defer s.Close()
	d.say("vault", true, d.a.t("cli.found.opens", "n", len(s.Dialogues())), "")
	d.clock(s)
	d.relays(s)
	var fresh bool
	for _, x := range s.Dialogues() {
		if err := d.dialogue(s, x); err != nil {
			return err
		}
		again, err := s.warn(x, true)
		if err != nil {
			return err
		}
		fresh = fresh || again
	}
	switch {
	case fresh:
		return errAlarm
	case d.bad > 0:
		return fail(exitFailure, "cli.hint.beside", "cli.error.unwell", "n", d.bad)
	}
	return nil
}

// folder looks at the home folder.
func (d *doctor) folder() {
	info, err := os.Stat(d.a.home)
	switch {
	case errors.Is(err, os.ErrNotExist):
		d.say("folder", true, d.a.t("cli.found.nofolder", "path", d.a.home), "")
	case err != nil:
		d.say("folder", false, d.a.t("cli.found.unreadable", "path", d.a.home, "why", d.a.reason(err)), d.a.t("cli.hint.folder"))
	case !info.IsDir():
		d.say("folder", false, d.a.t("cli.found.notfolder", "path", d.a.home), d.a.t("cli.hint.folder"))
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		d.say("folder", false, d.a.t("cli.found.open", "path", d.a.home), d.a.t("cli.hint.chmod"))
	default:
		d.say("folder", true, d.a.t("cli.found.path", "path", d.a.home), "")
	}
}

// clock compares this computer's clock with what the dialogues' members say.
func (d *doctor) clock(s *session) {
	now := time.Now()
	for _, x := range s.Dialogues() {
		if x.LogTime.After(now.Add(24 * time.Hour)) {
			d.say("clock", false, d.a.t("cli.found.behind", "title", x.Title), d.a.t("cli.hint.clock"))
			return
		}
	}
	d.say("clock", true, sentence(d.a.w.Moment(now, now)), "")
}

// relays asks each relay for a box that nobody has.
func (d *doctor) relays(s *session) {
	asked := map[string]bool{}
	for _, x := range s.Dialogues() {
		if asked[x.Relay] {
			continue
		}
		asked[x.Relay] = true
		began := time.Now()
		if err := ping(s.ctx, x.Relay); err != nil {
			_, text, _ := d.a.explain(err)
			d.say("relay "+x.Relay, false, text, d.a.t("cli.hint.relay"))
			continue
		}
		d.say("relay "+x.Relay, true, d.a.t("cli.found.answers", "ms", int(time.Since(began).Milliseconds())), "")
	}
}

func ping(ctx context.Context, address string) error {
	at, err := relay.ParseAddress(address)
	if err != nil {
		return err
	}
	c, err := relay.NewClient(at)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, deliverTime)
	defer cancel()
	_, err = c.Do(ctx, relay.Exchange{Box: relay.NewBoxKey().Box(1, 1), Mode: relay.Mode1})
	if relay.Retryable(err) {
		return client.ErrOffline
	}
	if errors.Is(err, relay.ErrNoBox) {
		return nil
	}
	return err
}

// dialogue looks at what can't be understood and at what waits.
func (d *doctor) dialogue(s *session, x client.Dialogue) error {
	what := "dialogue " + x.Title
	if x.Problem != nil {
		_, text, hint := d.a.explain(x.Problem)
		d.say(what, false, text, hint)
	}
	switch x.Standing {
	case client.StandingLost:
		return nil // its problem says why
	case client.StandingWaiting:
		d.say(what, true, d.a.t("cli.found.waiting"), d.a.t("cli.hint.letin"))
		return nil
	}
	var odd, waiting, back int
	for _, r := range x.Rooms {
		list, err := s.Messages(x.ID, client.Query{Room: r.Room})
		if err != nil {
			return d.fault(what, err)
		}
		for _, m := range list {
			switch {
			case m.Notice != nil && m.Notice.Kind == dialogue.NoteUnknown:
				odd++
			case m.State == client.StateWaiting:
				waiting++
			case m.State == client.StateBack:
				back++
			}
		}
	}
	if odd > 0 {
		d.say(what, false, d.a.t("cli.found.odd", "n", odd), d.a.t("cli.hint.odd"))
	}
	if back > 0 {
		d.say(what, false, d.a.t("cli.found.back", "n", back), d.a.t("cli.hint.back"))
	}
	if len(x.Missing) > 0 {
		d.say(what, true, d.a.t("cli.found.unagreed", "sides", x.Missing), "")
	}
	var hint sentence
	if waiting > 0 {
		hint = d.a.t("cli.hint.send")
	}
	d.say(what, true, d.a.t("cli.found.queued", "n", waiting, "standing", d.a.standing(x.Standing)), hint)
	return nil
}
