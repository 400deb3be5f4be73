package client

import (
	"encoding/binary"
	"fmt"
	"slices"

	"parley/channel"
	"parley/dialogue"
	"parley/mls"
	"parley/vault"
)

// The keys of the day: each client proposes fresh ones for its own leaf once in
// its own day, in every room that it sits in, whether or not its person writes;
// one commit a day gathers the proposals, and in the plenary begins a new box.
// What a commit leaves behind, or voids, is proposed again the next day.

// today numbers the days of this seat by its own clock. They begin at a time of
// day that its pseudonym gives, so that not all propose in the same minute, nor
// at a time that tells where on earth somebody is.
func (m *member) today() uint64 {
	begins := uint64(binary.BigEndian.Uint64(m.acct.Me[:]) % dialogue.MinutesPerDay)
	return (m.c.minute() + begins) / dialogue.MinutesPerDay
}

// renewed notes that one's keys in a room are of today.
func (m *member) renewed(r dialogue.Room) { m.acct.Renewed[r] = m.today() }

// owesUpdate tells whether one has yet to propose keys in a room today. A clock
// that was days ahead once holds up nothing. Nobody can gather a proposal where
// one sits alone; none is made where a commit of one's own is on its way, nor
// where a newcomer to the room would miss it, nor while one of an earlier day is on
// its way.
func (m *member) owesUpdate(r dialogue.Room) bool {
	last, today := m.acct.Renewed[r], m.today()
	if last == today || last == today+1 {
		return false
	}
	if slices.ContainsFunc(m.out, func(it *item) bool { return it.Kind == itemUpdate && it.Room == r }) {
		return false // its secrets are the only ones kept
	}
	return m.inRoom(r) && !m.me().Due && !m.log.Pending(channel.Room(r)) && !m.adding(r) && len(m.members(r)) > 1
}

// inRoom tells whether one sits in a room that is founded.
func (m *member) inRoom(r dialogue.Room) bool {
	return m.log.In(channel.Room(r)) && (r == dialogue.Plenary || m.state.Founded(r) != nil)
}

// renew proposes the keys of the day.
func (m *member) renew(sp *vault.Space) error {
	for r := range dialogue.Room(maxRooms) {
		if !m.owesUpdate(r) {
			continue
		}
		sig, err := mls.GenerateSignatureKey(Suite)
		if err != nil {
			return err
		}
		minute := m.c.minute()
		message, delta, err := m.log.StageUpdate(channel.Room(r), minute, sig)
		if err != nil {
			return err
		}
		if err := m.queueHandshake(sp, delta, &item{Kind: itemUpdate, Room: r, Update: &updateItem{Minute: minute, Message: message}}); err != nil {
			return err
		}
		m.renewed(r)
	}
	return nil
}

// dayIsOver tells whether a commit that adds and removes nobody would count in
// a room now.
func (m *member) dayIsOver(r dialogue.Room) bool {
	if !m.inRoom(r) || m.me().Due {
		return false
	}
	last := m.acct.Commits[r]
	if r == dialogue.Plenary {
		last = m.state.LastCommit
	}
	now := m.c.minute()
	if max(now, m.state.LogTime) < last+dialogue.MinutesPerDay {
		return false // as nearly always
	}
	return !m.isVoid(r, &dialogue.Commit{Time: now})
}

// commitDay is the chore of the commit that gathers a day's proposals.
func (m *member) commitDay(sp *vault.Space, r dialogue.Room, order []dialogue.SeatID) error {
	if !m.dayIsOver(r) || !m.myTurn(fmt.Sprint("day ", r, " ", m.state.Epoch), order, 0) {
		return nil
	}
	return m.stage(sp, r, mls.CommitContent{})
}

// updateEntry takes somebody else's proposal. One that is made in a side room
// while a newcomer has no Welcome yet is refused by all, as the newcomer misses it.
func (m *member) updateEntry(sp *vault.Space, got *channel.Got, e dialogue.Entry) error {
	if m.adding(e.Room) {
		m.acct.Bad++
		return apply(sp, m.log.Refuse(got))
	}
	return m.proposed(sp, got, e, got.Minute)
}

// ownUpdate takes one's own, by the same rules.
func (m *member) ownUpdate(sp *vault.Space, got *channel.Got, e dialogue.Entry, it *item) error {
	minute := it.Update.Minute
	if err := m.drop(sp, it); err != nil {
		return err
	}
	if m.adding(e.Room) {
		return apply(sp, m.log.DropUpdate(got.Room))
	}
	delta, refused := m.log.Propose(got.Room)
	if err := apply(sp, delta); err != nil || refused != nil {
		return err
	}
	return m.proposed(sp, got, e, minute)
}

// proposed folds a proposal: its author was heard.
func (m *member) proposed(sp *vault.Space, got *channel.Got, e dialogue.Entry, minute uint64) error {
	if e.Update = minute; minute == 0 {
		return nil
	}
	if m.awaitsCharter() {
		return m.hold(sp, got, e)
	}
	return m.fold(sp, got.Place, e)
}
