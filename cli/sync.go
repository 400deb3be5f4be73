package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"parley/client"
)

func (a *app) syncCommand() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "sync [DIALOGUE...]", Short: "Fetch what is new and do what is due",
		Long: `Fetches what is new, does all that is due and returns when what was written here
has been read back. With --wait it keeps on for that long. Without arguments it
does so for all dialogues.`,
		Example: "  parley sync\n  parley sync Orva --wait 10m",
	}
	cmd.Flags().DurationVar(&wait, "wait", 0, "keep on for that long")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if wait < 0 {
			return usage("--wait is not negative")
		}
		return a.with(cmd.Context(), "sync", func(s *session) error { return s.sync(args, wait) })
	}
	return cmd
}

func (s *session) sync(prefixes []string, wait time.Duration) error {
	ids, err := s.chosen(prefixes)
	if err != nil {
		return err
	}
	results := make([]error, len(ids))
	var all sync.WaitGroup
	for i, id := range ids {
		all.Go(func() { results[i] = s.syncOne(id, wait) })
	}
	all.Wait()
	if s.ctx.Err() != nil && wait == 0 {
		return s.ctx.Err()
	}
	var fresh bool
	for i, id := range ids {
		d, err := s.Dialogue(id)
		if err != nil {
			return err
		}
		if err := s.synced(d, results[i]); err != nil {
			return err
		}
		again, err := s.warn(d, true)
		if err != nil {
			return err
		}
		fresh = fresh || again
	}
	if err := worst(results); err != nil || !fresh {
		return err
	}
	return errAlarm
}

// syncOne syncs one dialogue. One that has nothing to wait for ends with the
// process's interruption, which is no failure: what was done is done.
func (s *session) syncOne(id client.ID, wait time.Duration) error {
	ctx := s.ctx
	if wait == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Minute)
		defer cancel()
	}
	err := s.Sync(ctx, id, wait)
	if wait > 0 && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (s *session) chosen(prefixes []string) (ids []client.ID, err error) {
	if len(prefixes) == 0 {
		for _, d := range s.Dialogues() {
			ids = append(ids, d.ID)
		}
		return ids, nil
	}
	for _, p := range prefixes {
		id, err := s.Find(p)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// synced says how a dialogue stands after a sync.
func (s *session) synced(d client.Dialogue, err error) error {
	l := lineOf(d)
	l.State = string(client.StateRoom)
	text := "up to date"
	if err != nil {
		l.State = string(client.StateWaiting)
		_, text, _ = explain(err)
		l.Problem = text
	}
	if d.Standing != client.StandingIn {
		text += "; " + standings[d.Standing]
	}
	if l.Unread > 0 {
		text += fmt.Sprintf("; %d unread", l.Unread)
	}
	for _, t := range d.Tasks {
		text += "; " + task(t)
	}
	return s.a.result(l, "%s  %s: %s", d.ID, clean(d.Title), clean(text))
}

// task says what waits for this person.
func task(t client.Task) string {
	switch t.Kind {
	case client.TaskApprove:
		return t.Seat.Name + " asks to be let in"
	case client.TaskInvite:
		return t.Seat.SideName + " has nobody yet, and no card is out"
	case client.TaskListen:
		return t.Seat.Name + " reads words aloud"
	case client.TaskBack:
		return "a message came back, because its readers have changed"
	}
	return string(t.Kind)
}

// worst picks the error that decides how sync ends: one that is no mere
// waiting before one that is.
func worst(errs []error) (w error) {
	for _, err := range errs {
		if err == nil {
			continue
		}
		if code, _, _ := explain(err); w == nil || code != exitWaiting {
			w = err
		}
	}
	return w
}
