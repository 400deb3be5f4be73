package cli

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"parley/client"
)

func (a *app) syncCommand() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "sync [DIALOGUE...]",
	}
	cmd.Flags().DurationVar(&wait, "wait", 0, "")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if wait < 0 {
			return usage("cli.error.negative", "flag", "--wait")
		}
		return a.with(cmd, func(s *session) error { return s.sync(args, wait) })
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
	if fresh {
		return errAlarm // each dialogue's problem was said in its line
	}
	return worst(results)
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
	l := s.a.lineOf(d)
	l.State = string(client.StateRoom)
	text := s.a.t("cli.synced.done")
	if err != nil {
		l.State = string(client.StateWaiting)
		_, text, _ = s.a.explain(err)
		l.Problem = string(text)
	}
	var more []sentence
	if d.Standing != client.StandingIn {
		more = append(more, s.a.standing(d.Standing))
	}
	if l.Unread > 0 {
		more = append(more, s.a.t("cli.synced.unread", "n", l.Unread))
	}
	for _, t := range d.Tasks {
		more = append(more, s.a.task(t))
	}
	for _, next := range more {
		text = s.a.t("cli.synced.join", "head", text, "next", next)
	}
	return s.a.result(l, sentence(d.ID)+"  "+s.a.t("cli.synced.line", "title", d.Title, "state", text))
}

// task says what waits for this person.
func (a *app) task(t client.Task) sentence {
	switch t.Kind {
	case client.TaskApprove:
		return a.t("cli.synced.approve", "name", t.Seat.Name)
	case client.TaskReplace:
		return a.t("cli.synced.replace", "name", t.Seat.Name)
	case client.TaskInvite:
		return a.t("cli.synced.invite", "side", t.Seat.SideName)
	case client.TaskListen:
		return a.t("cli.synced.listen", "name", t.Seat.Name)
	case client.TaskBack:
		return a.t("cli.synced.back")
	case client.TaskFounded:
		return a.t("cli.synced.founded", "name", t.Seat.Name)
	case client.TaskTell:
		return a.t("cli.synced.tell")
	}
	return sentence(t.Kind)
}

// worst picks the error that decides how sync ends: one that is no mere
// waiting before one that is.
func worst(errs []error) (w error) {
	for _, err := range errs {
		if err == nil {
			continue
		}
		if w == nil || codeOf(err) != exitWaiting {
			w = err
		}
	}
	return w
}
