package client

import (
	"errors"
	"slices"

	"parley/dialogue"
	"parley/relay"
	"parley/vault"
)

// A relay gives a box's cells in one order and never takes one back before its
// time. What it answers is held against what it answered before.

// ErrUnfaithful says that the relay does not give what it gave before. What
// this vault has stays; it takes nothing more until the relay is itself again.
var ErrUnfaithful = errors.New("the relay does not give what it gave before")

// A question is a reading that a relay is asked for, with what it showed before.
type question struct {
	box  *relay.Box
	from uint64
	mode relay.Mode
	head uint64 // as far as it ever said that the box goes
}

// question asks for what is next, in an answer that has room for it. The first
// reading after a pause has the last cell again, which tells whether the relay
// still has the same box. m.mu is held.
func (m *member) question() question {
	q := question{box: m.log.Box(), from: m.log.Position(), mode: relay.Mode1}
	q.head = max(q.from, m.acct.Head)
	if !m.caughtUp {
		q.from = max(q.from, 1) - 1
		if q.mode = relay.Mode8; q.head-q.from > uint64(relay.Mode8) {
			q.mode = relay.Mode64
		}
	}
	return q
}

// faithful holds an answer against the past. Where it does not fit, it alarms,
// takes nothing and gives ErrUnfaithful.
func (m *member) faithful(q question, page relay.Page) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.log == nil || m.log.Box().ID() != q.box.ID() {
		return nil
	}
	lie := m.lie(q, page)
	if lie == "" {
		m.acct.Head = max(m.acct.Head, page.Next)
		if page.Next <= m.log.Position() {
			m.acct.ReadAt = m.c.minute()
		}
		return nil
	}
	return m.unfaithful(q, lie)
}

// unfaithful alarms, once.
func (m *member) unfaithful(q question, lie AlarmKind) error {
	if slices.Contains(m.acct.Doubts.in(q.box.ID()).Relay, lie) {
		return ErrUnfaithful
	}
	return errors.Join(ErrUnfaithful, m.update(func(sp *vault.Space) error { return m.relayAlarm(sp, q.box.ID(), lie) }))
}

// margin is how far off an hour is that a relay knows, in minutes.
const margin = 2 * 60

// boxGone judges that the relay calls the box destroyed that is to be read. It
// can't have been idle for its days since it was last read to its end, unless
// they are over: then this computer was off for too long.
func (m *member) boxGone(q question) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.log == nil || m.log.Box().ID() != q.box.ID() {
		return nil
	}
	if m.acct.ReadAt > 0 && m.c.minute()+margin < m.acct.ReadAt+uint64(m.acct.Terms.Idle)*dialogue.MinutesPerDay {
		return m.unfaithful(q, AlarmVanished)
	}
	return m.update(m.missed)
}

func (m *member) lie(q question, page relay.Page) AlarmKind {
	if page.Next < q.head {
		return AlarmShorter
	}
	for i := range page.Cells {
		if p := page.First + uint64(i); p < m.log.Position() && !m.log.Passed(p, &page.Cells[i]) {
			return AlarmOther
		}
	}
	// Cells arrived after everything there was had been read, so they can't have
	// expired earlier than that and their retention.
	kept := uint64(m.acct.Terms.Retention) * dialogue.MinutesPerDay
	if page.First > m.log.Position() && m.acct.ReadAt > 0 && m.c.minute()+margin < m.acct.ReadAt+kept {
		return AlarmVanished
	}
	return ""
}

// relayAlarm shows what is held against the relay: each kind once for a box.
func (m *member) relayAlarm(sp *vault.Space, box relay.BoxID, k AlarmKind) error {
	x := m.acct.Doubts.in(box)
	if slices.Contains(x.Relay, k) {
		return nil
	}
	x.Relay = append(x.Relay, k)
	for note, kind := range alarmKinds {
		if kind == k {
			return m.notice(sp, note, dialogue.SeatID{})
		}
	}
	return nil
}
