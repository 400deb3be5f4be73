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
		Use:  "return DIALOGUE",
		Args: takes("DIALOGUE"),
	}
	cmd.Flags().DurationVar(&wait, "wait", 10*time.Minute, "")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if wait < 0 {
			return usage("cli.error.negative", "flag", "--wait")
		}
		key, err := a.unlock()
		if err != nil {
			return err
		}
		j := joiner{a: a, cmd: cmd, key: key, hold: holdTime, until: time.Now().Add(wait)}
		return j.comeBack(cmd.Context(), args[0])
	}
	return cmd
}

// comeBack posts at one's door where the dialogue is lost, and waits.
func (j *joiner) comeBack(ctx context.Context, prefix string) error {
	err := j.turn(func(s *session) (err error) {
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
	if err := j.a.result(returnLine{string(j.id), string(d.Standing)}, sentence(j.id)); err != nil {
		return err
	}
	switch d.Standing {
	case client.StandingIn:
		j.a.tell("cli.said.in")
		return nil
	case client.StandingWaiting, client.StandingLost:
		if len(d.Foundings) > 0 || d.Lost != nil && len(d.Lost.Said) > 0 {
			return fail(exitWaiting, "cli.hint.foundings", "cli.error.lostroom")
		}
		if d.Problem != nil {
			return d.Problem
		}
		return fail(exitWaiting, "cli.hint.lost", "cli.error.notin")
	}
	return fail(exitRules, "", "cli.error.out", "standing", j.a.standing(d.Standing))
}
