package client

import (
	"slices"

	"parley/channel"
	"parley/dialogue"
	"parley/vault"
)

// Who can't follow its side room says so in the plenary, with a fresh key
// package and whose fault it was; the others let it in again. Once nearly all
// its seats have lost a room, its head founds another.

// sayLostEvery is how long a seat waits before it says once more that it can't
// follow its side room. Where only somebody who makes garbage can let it in,
// both would otherwise go on as fast as the relay takes it.
const sayLostEvery = 10 // minutes

// letInWithin is how long a seat waits to be let in to its side room before it
// says that it has lost it: whoever is there does not do it. With nobody else
// there the room is founded anew.
const letInWithin = 60 // minutes

// A sideLost is when one said so the last time, and whether it has to be said
// again, and of whom.
type sideLost struct {
	_     struct{} `cbor:",toarray"`
	At    uint64   // minutes since 1970
	Owed  bool
	By    dialogue.SeatID
	Since uint64 // when one began to wait to be let in, by this clock; 0: one does not
}

// waitsInVain tells whether one has waited too long to be let in to the side room.
func (m *member) waitsInVain() bool {
	x := &m.acct.SideLost
	if !m.outside() || m.state.Founded(m.myRoom()) == nil {
		x.Since = 0
		return false
	}
	if now := m.c.minute(); x.Since == 0 || x.Since > now {
		x.Since = now
	}
	return m.c.minute() >= x.Since+letInWithin
}

// outside tells whether one belongs in a side room and is not there.
func (m *member) outside() bool {
	me := m.me()
	return me != nil && me.Side != 0 && me.Status == dialogue.In && !me.Due && me.Heard > 0 && !m.log.In(channel.Room(m.myRoom()))
}

// owesLost tells whether it is time to say again that one has lost the side room.
func (m *member) owesLost() bool {
	return m.acct.SideLost.Owed && m.c.minute() >= m.acct.SideLost.At+sayLostEvery
}

// sayLost is the chore of saying so.
func (m *member) sayLost(sp *vault.Space) error {
	if m.waitsInVain() {
		m.acct.SideLost.Since = 0
		return m.loseSideRoom(sp, m.myRoom(), dialogue.SeatID{})
	}
	if !m.owesLost() {
		return nil
	}
	m.acct.SideLost.Owed = false
	if me := m.me(); me.Side == 0 || m.log.In(channel.Room(m.myRoom())) {
		return nil
	}
	return m.loseSideRoom(sp, m.myRoom(), m.acct.SideLost.By)
}

// loseSideRoom says that one can't follow one's side room.
func (m *member) loseSideRoom(sp *vault.Space, r dialogue.Room, by dialogue.SeatID) error {
	if m.log.In(channel.Room(r)) {
		if err := m.dropRoom(sp, r); err != nil {
			return err
		}
	}
	x := &m.acct.SideLost
	now := m.c.minute()
	if now < x.At+sayLostEvery {
		x.Owed, x.By = true, by
		return nil
	}
	*x = sideLost{At: now, Since: x.Since}
	if m.state.Founded(r) == nil {
		return m.leavePackage(sp)
	}
	kp, err := m.keptPackage(sp)
	if err != nil {
		return err
	}
	return m.queueEvent(sp, dialogue.KindRoomLost, dialogue.RoomLost{Room: r, Package: kp, Named: by})
}

// roomLost keeps what somebody of one's side is to be let in again with.
func (m *member) roomLost(sp *vault.Space, n dialogue.Note, b dialogue.RoomLost, place channel.Place, e dialogue.Entry) error {
	if me := m.me(); me == nil || me.Side != b.Room.Side() {
		return nil
	}
	if err := sp.Put(packageKey(b.Room, n.Seat), b.Package); err != nil {
		return err
	}
	if err := m.beginsAt(sp, b.Room, n.Seat, m.mark(place)); err != nil {
		return err
	}
	n.Room, n.By = b.Room, b.Named
	return m.record(sp, n, record{ID: n.Event}, e)
}

// roomOver forgets one's side room, which nearly all have lost: it is founded
// anew.
func (m *member) roomOver(sp *vault.Space, n dialogue.Note, r dialogue.Room, e dialogue.Entry) error {
	if me := m.me(); me == nil || me.Side != r.Side() {
		return nil
	}
	if m.log.In(channel.Room(r)) {
		if err := m.dropRoom(sp, r); err != nil {
			return err
		}
	}
	m.reachesNobody(r)
	n.Room = r
	return m.record(sp, n, record{ID: n.Event}, e)
}

// owedWelcome sees somebody of one's side go. While one is not in the side
// room oneself, that may be who owes one its Welcome.
func (m *member) owedWelcome(sp *vault.Space, n dialogue.Note) error {
	if !m.outside() || n.Seat == m.acct.Me || m.sideOf(n.Seat) != m.me().Side {
		return nil
	}
	return m.loseSideRoom(sp, m.myRoom(), dialogue.SeatID{})
}

// lostMembers lists the members of a room, by its tree, who lost it and whom
// one can let in again.
func (m *member) lostMembers(r dialogue.Room, members []dialogue.SeatID) []dialogue.SeatID {
	founded, plan := m.state.Founded(r), m.state.Plan(r)
	var l []dialogue.SeatID
	for _, id := range founded.Lost {
		if slices.Contains(members, id) && slices.Contains(plan, id) && id != m.acct.Me && m.state.MayBringBack(m.acct.Me, id) {
			l = append(l, id)
		}
	}
	return l
}
