package client

import (
	"context"
	"errors"
	"time"

	"parley/dialogue"
	"parley/internal/wire"
	"parley/vault"
)

// Lines of a room disappear when log time and this computer's clock both say
// that the rules' days are over, or this clock alone says so by thirty days
// more: no single party, and no stopped log, keeps words for ever, and a wrong
// clock deletes nothing early.
const (
	expireEvery = time.Hour
	expireAlone = 30 * dialogue.MinutesPerDay

	// expireBatch is how many lines go in one transaction.
	expireBatch = 200
)

// expireOnce deletes what is over, then waits.
func (m *member) expireOnce(ctx context.Context) error {
	if err := m.expire(); err != nil {
		return err
	}
	sleep(ctx, expireEvery)
	return nil
}

func (m *member) expire() error {
	for r := range dialogue.Room(maxRooms) {
		for more := true; more; {
			var err error
			if more, err = m.expireSome(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// expireSome deletes the oldest lines of a room, and tells whether there may
// be more to delete.
func (m *member) expireSome(r dialogue.Room) (more bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state == nil {
		return false, nil
	}
	var over []uint64
	err = m.view(func(sp *vault.Space) error {
		for p, err := range scan(sp, []byte{keyMessage[0], byte(r)}, scanOptions{Limit: expireBatch}) {
			if err != nil {
				return err
			}
			rec, err := parseRecord(p.Value)
			if err != nil {
				return err
			}
			if !m.isOver(rec) {
				return nil
			}
			over = append(over, wire.NewReader(p.Key[2:]).U64())
		}
		return nil
	})
	if err != nil || len(over) == 0 {
		return false, err
	}
	err = m.update(func(sp *vault.Space) error {
		for _, seq := range over {
			if err := m.forgetLine(sp, r, seq); err != nil {
				return err
			}
		}
		m.forgetRecent()
		return errors.Join(m.countUnread(sp), m.loadAlarms(sp))
	})
	m.changed(r)
	return len(over) == expireBatch, err
}

// isOver counts the days from the author's claim: the first who speaks after a
// silence is ahead of log time. A claim can't lie before log time or after the
// moment of reading, so a wrong date moves nothing far.
func (m *member) isOver(rec *record) bool {
	end := max(rec.LogTime, min(rec.Time, rec.Read)) + uint64(m.state.Rules.RetentionDays)*dialogue.MinutesPerDay
	now := m.c.minute()
	return now >= end && m.state.LogTime >= end || now >= end+expireAlone
}

// forgetLine deletes a line, its file and what finds it.
func (m *member) forgetLine(sp *vault.Space, r dialogue.Room, seq uint64) error {
	rec, err := m.message(sp, r, seq)
	if err != nil {
		return err
	}
	if err := errors.Join(deleteLine(sp, r, seq, rec.ID), sp.Delete(numbered(keyAlarm, seq))); err != nil {
		return err
	}
	return sp.DeletePrefix(append([]byte(keyFile), rec.ID[:]...))
}
