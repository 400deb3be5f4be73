package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"parley/client"
)

type returnLine struct {
	ID       string `json:"id"`
	Standing string `json:"standing"`
}

func (a *app) returnCommand() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "return DIALOGUE", Short: "Come back into a dialogue that this vault has lost",
		Long: `A vault that slept, missed what was said, was left out, or is an older copy asks
by itself to be let in again, whenever it syncs; no card is needed. This command
asks now, and waits: it ends with 0 when you are back, and with 6 when you are
not within the time of --wait. Then nothing is lost, and parley sync goes on
with it. In a dialogue that this vault has not lost there is nothing to do.`,
		Example: "  parley return Orva\n  parley return Orva --wait 1h",
		Args:    takes("DIALOGUE"),
	}
	cmd.Flags().DurationVar(&wait, "wait", 10*time.Minute, "how long to wait to be let in")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if wait < 0 {
			return usage("--wait is not negative")
		}
		key, err := a.unlock()
		if err != nil {
			return err
		}
		j := joiner{a: a, key: key, hold: holdTime, until: time.Now().Add(wait), doing: "return"}
		return j.comeBack(cmd.Context(), args[0])
	}
	return cmd
}

// comeBack posts at one's door where the dialogue is lost, and waits.
func (j *joiner) comeBack(ctx context.Context, prefix string) error {
	err := j.turn(ctx, func(s *session) (err error) {
		if j.id, err = s.Find(prefix); err != nil {
			return err
		}
		return s.Return(ctx, j.id)
	})
	if err != nil && !errors.Is(err, client.ErrOffline) {
		return err
	}
	d, err := j.wait(ctx)
	if err != nil {
		return err
	}
	if err := j.a.result(returnLine{string(j.id), string(d.Standing)}, "%s", j.id); err != nil {
		return err
	}
	switch d.Standing {
	case client.StandingIn:
		j.a.tell("You are in.")
		return nil
	case client.StandingWaiting, client.StandingLost:
		_, text, hint := explain(d.Problem)
		if d.Problem == nil {
			text, hint = "the others have not let you in yet", lostHint
		}
		return &failure{exitWaiting, text, hint}
	}
	return &failure{exitRules, "you are not in this dialogue: " + standings[d.Standing], ""}
}

// lostHint says what to do about a dialogue that is lost.
const lostHint = "The way back is under way; nothing is lost. Go on with: parley sync --wait 10m. If that takes more than a day, ask the convenor for a new card."
