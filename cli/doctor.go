package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"parley/client"
	"parley/dialogue"
	"parley/internal/words"
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
		Use: "doctor", Short: "Look at the vault, the relays and the clock, and say what to do",
		Long: `Looks at the home folder, the vault and who has it, the clock, and for each
dialogue at its relay, at lines that could not be understood and at what waits.
It changes nothing. It ends with 1 where something is not as it should be.`,
		Example: "  parley doctor\n  parley doctor --json", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := doctor{a: a}
			return d.examine(cmd.Context())
		},
	}
}

type doctor struct {
	a   *app
	bad int
}

func (d *doctor) say(what string, ok bool, text, hint string) {
	if !ok {
		d.bad++
	}
	f := finding{what, ok, text, hint}
	if d.a.json {
		d.a.emit(f)
		return
	}
	fmt.Fprintf(d.a.Out, "%-4s %s: %s\n", map[bool]string{true: "ok", false: "!!"}[ok], clean(what), clean(text))
	if hint != "" {
		fmt.Fprintf(d.a.Out, "     %s\n", hint)
	}
}

// fault reports an error, and hands it back to end with.
func (d *doctor) fault(what string, err error) error {
	_, text, hint := explain(err)
	d.say(what, false, text, hint)
	return err
}

func (d *doctor) examine(ctx context.Context) error {
	d.folder()
	if !vault.Exists(d.a.home) {
		return d.fault("vault", vault.ErrNone)
	}
	if pid, note, ok := vault.Holder(d.a.home); ok {
		d.say("holder", true, fmt.Sprintf("process %d has the vault: %s", pid, note), "")
	}
	s, err := d.a.open(ctx, "doctor")
	if err != nil {
		return d.fault("vault", err)
	}
	defer s.Close()
	d.say("vault", true, fmt.Sprintf("opens; %d dialogues", len(s.Dialogues())), "")
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
		return &failure{exitFailure, fmt.Sprintf("%d things are not as they should be", d.bad), "What to do stands beside each."}
	}
	return nil
}

// folder looks at the home folder.
func (d *doctor) folder() {
	info, err := os.Stat(d.a.home)
	switch {
	case errors.Is(err, os.ErrNotExist):
		d.say("folder", true, d.a.home+" is not there yet", "")
	case err != nil:
		d.say("folder", false, err.Error(), "Check --home and PARLEY_HOME.")
	case !info.IsDir():
		d.say("folder", false, d.a.home+" is not a folder", "Check --home and PARLEY_HOME.")
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		d.say("folder", false, d.a.home+" can be read by others on this computer", "Close it with: chmod 700 FOLDER")
	default:
		d.say("folder", true, d.a.home, "")
	}
}

// clock compares this computer's clock with what the dialogues' members say.
func (d *doctor) clock(s *session) {
	now := time.Now()
	for _, x := range s.Dialogues() {
		if x.LogTime.After(now.Add(24 * time.Hour)) {
			d.say("clock", false, "it is more than a day behind that of the others in "+x.Title, "Set this computer's date and time.")
			return
		}
	}
	d.say("clock", true, now.Format("2 January 2006 15:04"), "")
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
			_, text, _ := explain(err)
			d.say("relay "+x.Relay, false, text, "Is there a network? Does the relay run? Reading and writing go on without it; what is written waits.")
			continue
		}
		d.say("relay "+x.Relay, true, fmt.Sprintf("answers, in %d ms", time.Since(began).Milliseconds()), "")
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
		_, text, hint := explain(x.Problem)
		d.say(what, false, text, hint)
	}
	switch x.Standing {
	case client.StandingLost:
		return nil // its problem says why
	case client.StandingWaiting:
		d.say(what, true, "waiting to be let in", "Go on with: parley sync --wait 10m")
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
		d.say(what, false, fmt.Sprintf("%d lines that this version can't read", odd), "Others use a newer Parley: get it, too.")
	}
	if back > 0 {
		d.say(what, false, fmt.Sprintf("%d messages came back, because their readers have changed", back), "Look at them in the application: send again, or discard.")
	}
	if len(x.Missing) > 0 {
		d.say(what, true, "not everybody has agreed to the rules: "+words.For(words.English).List(x.Missing), "")
	}
	d.say(what, true, fmt.Sprintf("%s; %d messages wait to be delivered", standings[x.Standing], waiting), mark(waiting > 0, "Send them with: parley sync"))
	return nil
}
