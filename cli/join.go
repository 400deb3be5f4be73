package cli

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"parley/client"
	"parley/vault"
)

const (
	// holdTime is how long a join that waits keeps the vault at a time, and
	// restTime how long others then have to take it.
	holdTime = 700 * time.Millisecond
	restTime = 300 * time.Millisecond
	// holdSlow is as far as holdTime grows where a relay is too slow to answer
	// within it: less than others wait for the vault.
	holdSlow = 5 * time.Second

	maxCardText = 64 << 10
)

type joinLine struct {
	ID       string   `json:"id"`
	Standing string   `json:"standing"`
	Side     string   `json:"side"`
	Name     string   `json:"name"`
	Words    []string `json:"words,omitempty"`
}

func (a *app) joinCommand() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:  "join CARD|-",
		Args: takes("CARD"),
	}
	cmd.Flags().DurationVar(&wait, "wait", 10*time.Minute, "")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if wait < 0 {
			return usage("cli.error.negative", "flag", "--wait")
		}
		card, err := a.cardText(args[0])
		if err != nil {
			return err
		}
		key, err := a.unlock()
		if err != nil {
			return err
		}
		j := joiner{a: a, cmd: cmd, key: key, card: card, hold: holdTime, until: time.Now().Add(wait)}
		return j.join(cmd.Context())
	}
	return cmd
}

func (a *app) cardText(arg string) (string, error) {
	if arg != "-" {
		return arg, nil
	}
	b, err := io.ReadAll(io.LimitReader(a.In, maxCardText+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxCardText {
		return "", client.ErrCard
	}
	return strings.TrimSpace(string(b)), nil
}

// A joiner joins and waits, opening the vault again and again for a moment.
type joiner struct {
	a     *app
	cmd   *cobra.Command
	key   *vault.Key
	card  string
	hold  time.Duration
	until time.Time

	id   client.ID
	view client.CardView
}

// turn opens the vault for one step.
func (j *joiner) turn(f func(*session) error) (err error) {
	s, err := j.a.openKey(j.cmd, j.key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return f(s)
}

func (j *joiner) join(ctx context.Context) error {
	if err := j.take(ctx); err != nil {
		return err
	}
	if len(j.view.Words) > 0 {
		j.a.tell("cli.said.yourwords", "words", strings.Join(j.view.Words, " "))
	}
	d, err := j.wait(ctx)
	if err != nil {
		return err
	}
	standing := d.Standing
	l := joinLine{string(j.id), string(standing), j.view.Side, j.view.Name, j.view.Words}
	if err := j.a.result(l, sentence(j.id)); err != nil {
		return err
	}
	switch standing {
	case client.StandingIn:
		j.a.tell("cli.said.in")
		return nil
	case client.StandingWaiting:
		if errors.Is(d.Problem, client.ErrCardLate) {
			return d.Problem
		}
		return fail(exitWaiting, "cli.hint.waiting", "cli.error.notin")
	case client.StandingRefused:
		return client.ErrCardUsed
	}
	return fail(exitRules, "", "cli.error.out", "standing", j.a.standing(standing))
}

// take looks at the card and posts, again and again while the relay does not
// answer or has nothing about the card yet.
func (j *joiner) take(ctx context.Context) error {
	for shown := false; ; {
		err := j.turn(func(s *session) (err error) {
			if !shown {
				view, err := s.Look(ctx, j.card)
				if err != nil && !errors.Is(err, client.ErrCardUsed) { // used, perhaps, by this very vault
					return err
				}
				if err == nil {
					j.show(view)
					j.view, shown = view, true
				}
			}
			var view client.CardView
			j.id, view, err = s.Join(ctx, j.card)
			if err == nil && view.Name != "" {
				j.view = view
			}
			return err
		})
		if !errors.Is(err, client.ErrOffline) || ctx.Err() != nil || !time.Now().Before(j.until) {
			if errors.Is(err, client.ErrOffline) {
				return fail(exitWaiting, "cli.hint.card", "cli.error.nocard")
			}
			return err
		}
		pause(ctx, min(time.Second, time.Until(j.until)))
	}
}

func (j *joiner) show(v client.CardView) {
	invites := "cli.said.invites"
	switch {
	case v.Head:
		invites = "cli.said.invites.head"
	case v.Again:
		invites = "cli.said.invites.again"
	}
	j.a.tell(invites, "convenor", v.Convenor, "name", v.Name, "side", v.Side)
	j.a.rules(v.Rules, v.Sides)
}

// wait waits until the seat is taken, refused or the time is over.
func (j *joiner) wait(ctx context.Context) (client.Dialogue, error) {
	for {
		d := client.Dialogue{Standing: client.StandingWaiting}
		err := j.turn(func(s *session) error {
			hold, cancel := context.WithTimeout(ctx, j.hold)
			defer cancel()
			err := s.Sync(hold, j.id, min(j.hold/2, max(0, time.Until(j.until))))
			if slow := hold.Err() != nil; slow && ctx.Err() == nil {
				j.hold, err = min(2*j.hold, holdSlow), nil
			}
			var derr error
			if d, derr = s.Dialogue(j.id); derr != nil || d.Standing != client.StandingIn {
				return errors.Join(err, derr)
			}
			_, err = s.deliver(j.id) // that one is there
			return err
		})
		switch {
		case errors.Is(err, client.ErrOffline):
		case ctx.Err() != nil:
			return d, nil // interrupted: it goes on with the next sync
		case err != nil:
			return d, err
		}
		pending := d.Standing == client.StandingWaiting || d.Standing == client.StandingLost
		if !pending || !time.Now().Before(j.until) {
			return d, nil
		}
		pause(ctx, restTime)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
