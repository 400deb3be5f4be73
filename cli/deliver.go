package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"parley/client"
	"parley/internal/words"
	"parley/vault"
)

// deliverTime is how long a command tries to bring out what it made.
const deliverTime = 10 * time.Second

// refreshTime is how long a command tries to learn what is new first.
const refreshTime = 5 * time.Second

// deliver brings what was made to the relay and reads it back. It tells
// whether that worked: otherwise it waits in the vault and goes with the next
// command that can.
func (s *session) deliver(id client.ID) (bool, error) { return s.try(id, deliverTime) }

// refresh learns what is new, where the relay answers.
func (s *session) refresh(id client.ID) error {
	_, err := s.try(id, refreshTime)
	return err
}

// stale tells whether an error may come from not knowing what is new, after it
// has learnt that.
func (s *session) stale(id client.ID, err error) bool {
	switch codeOf(err) {
	case exitRules, exitNotFound, exitWaiting:
		return s.refresh(id) == nil
	}
	return false
}

func (s *session) try(id client.ID, limit time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(s.ctx, limit)
	defer cancel()
	err := s.Sync(ctx, id, 0)
	switch {
	case err == nil:
		return true, nil
	case s.ctx.Err() != nil:
		return false, s.ctx.Err()
	case errors.Is(err, client.ErrOffline), errors.Is(err, context.DeadlineExceeded):
		return false, nil
	}
	return false, err
}

// delivery in words, for people and for JSON.
func (a *app) delivery(done bool) (text sentence, state string) {
	if done {
		return a.t("cli.delivery.room"), string(client.StateRoom)
	}
	return a.t("cli.delivery.waiting"), string(client.StateWaiting)
}

// keyAlarms is where the vault keeps which alarms were shown.
const keyAlarms = "cli-alarms"

// warn shows the alarms of a dialogue on stderr. fresh tells whether one is
// there that no earlier command with remember has shown.
func (s *session) warn(d client.Dialogue, remember bool) (fresh bool, err error) {
	if len(d.Alarms) == 0 {
		return false, nil
	}
	known, err := s.knownAlarms()
	if err != nil {
		return false, err
	}
	var shown []string
	for _, al := range d.Alarms {
		s.a.alarm(d.Title, al)
		name := fmt.Sprintf("%s %s %d %d", al.Kind, al.Seat.ID, al.Seat.Seconds, al.Time.Unix())
		fresh = fresh || !slices.Contains(known[d.ID], name)
		shown = append(shown, name)
	}
	if !fresh || !remember {
		return fresh, nil
	}
	known[d.ID] = shown
	return true, s.keepAlarms(known)
}

// alarm shows an alarm on stderr.
func (a *app) alarm(title string, al client.Alarm) {
	al.Seat.Name = clean(al.Seat.Name)
	text := a.w.Alarm(al)
	a.tell("cli.said.alarm", "title", title, "alarm", sentence(text.Title))
	a.answers(text)
}

// answers says what happened, what it means and what to do.
func (a *app) answers(text words.Alarm) {
	for _, answer := range []sentence{
		a.t("cli.said.happened", "text", sentence(text.Happened)),
		a.t("cli.said.safety", "text", sentence(text.Safety)),
		a.t("cli.said.now", "text", sentence(text.Now)),
	} {
		fmt.Fprintf(a.Err, "  %s\n", answer)
	}
}

// warnNew is warn for the commands that end with a safety warning where an
// alarm is new.
func (s *session) warnNew(d client.Dialogue) error {
	fresh, err := s.warn(d, true)
	if err == nil && fresh {
		err = errAlarm
	}
	return err
}

// knownAlarms are the alarms that were shown last, of each dialogue.
func (s *session) knownAlarms() (map[client.ID][]string, error) {
	known := map[client.ID][]string{}
	err := s.v.View(func(tx *vault.Tx) error {
		b, err := tx.Global().Get([]byte(keyAlarms))
		if errors.Is(err, vault.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return json.Unmarshal(b, &known)
	})
	return known, err
}

func (s *session) keepAlarms(known map[client.ID][]string) error {
	b, err := json.Marshal(known)
	if err != nil {
		return err
	}
	return s.v.Update(func(tx *vault.Tx) error { return tx.Global().Put([]byte(keyAlarms), b) })
}

// find finds a dialogue by the beginning of its name or id.
func (s *session) find(prefix string) (client.Dialogue, error) {
	id, err := s.Find(prefix)
	if err != nil {
		return client.Dialogue{}, err
	}
	return s.Dialogue(id)
}
