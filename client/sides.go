package client

import (
	"bytes"
	"errors"
	"slices"

	"parley/channel"
	"parley/dialogue"
	"parley/mls"
	"parley/vault"
)

// Side rooms: founded by the head's client, joined through Welcomes that
// travel in the plenary, with key packages that seats left there.

func (m *member) myRoom() dialogue.Room { return dialogue.SideRoom(m.me().Side) }

// leavePackage leaves a key package for one's side room.
func (m *member) leavePackage(sp *vault.Space) error {
	me := m.me()
	if me == nil || me.Side == 0 {
		return nil
	}
	kp, err := m.keptPackage(sp)
	if err != nil {
		return err
	}
	return m.queueEvent(sp, dialogue.KindKeyPackage, dialogue.KeyPackage{Room: m.myRoom(), Package: kp})
}

// keptPackage makes a key package for one's side room and keeps its secrets.
func (m *member) keptPackage(sp *vault.Space) ([]byte, error) {
	kp, secrets, err := m.newPackage()
	if err != nil {
		return nil, err
	}
	return kp.Marshal(), sp.Put(append([]byte(keySecrets), kp.Ref()...), secrets.Marshal())
}

func (m *member) newPackage() (*mls.KeyPackage, *mls.KeyPackageSecrets, error) {
	sig, err := mls.GenerateSignatureKey(Suite)
	if err != nil {
		return nil, nil, err
	}
	return mls.NewKeyPackage(Suite, m.acct.Me[:], sig, lifetime(m.c.opt.Now()))
}

// foundRoom is the chore of founding the side's room, its head's first.
func (m *member) foundRoom(sp *vault.Space) error {
	me := m.me()
	if me.Side == 0 || m.state.Founded(m.myRoom()) != nil || m.log.In(channel.Room(m.myRoom())) {
		return nil
	}
	if !m.myTurn("found", m.founders(), 0) {
		return nil
	}
	sig, err := mls.GenerateSignatureKey(Suite)
	if err != nil {
		return err
	}
	group, err := mls.NewGroup(Suite, randomGroup(), m.acct.Me[:], sig, lifetime(m.c.opt.Now()))
	if err != nil {
		return err
	}
	delta, err := m.log.Join(channel.Room(m.myRoom()), group)
	if err != nil {
		return err
	}
	if err := apply(sp, delta); err != nil {
		return err
	}
	m.renewed(m.myRoom())
	return m.queueEvent(sp, dialogue.KindFound, dialogue.Found{Room: m.myRoom(), Group: group.GroupID(), Tag: group.ConfirmationTag()})
}

// founders are who may found one's side room, in the order in which it falls to
// them.
func (m *member) founders() []dialogue.SeatID {
	order := slices.DeleteFunc(m.state.Plan(m.myRoom()), m.state.Barred)
	if h := m.state.Head(m.me().Side); h != nil && !slices.Contains(order, h.ID) && !m.state.Barred(h.ID) {
		order = append([]dialogue.SeatID{h.ID}, order...) // it is heard with this
	}
	return order
}

// founded sees which founding won. Where it was another's, one's own group is
// forgotten.
func (m *member) founded(sp *vault.Space, n dialogue.Note, b dialogue.Found) error {
	m.acct.Commits[b.Room] = m.state.LogTime
	if n.By == m.acct.Me || b.Room != m.myRoom() || bytes.Equal(m.log.Tag(channel.Room(b.Room)), b.Tag) {
		return nil
	}
	if m.log.In(channel.Room(b.Room)) {
		return m.leaveRoom(sp, b.Room)
	}
	return m.leavePackage(sp) // its founder may have come after one's first
}

// greeted sees somebody come in. Who still waits to be let into the side room
// leaves a key package again: the newcomer, who may be the one to do it, has
// not seen the first.
func (m *member) greeted(sp *vault.Space, n dialogue.Note) error {
	me := m.me()
	if n.By == m.acct.Me || me.Side == 0 || m.sideOf(n.By) != me.Side || m.log.In(channel.Room(m.myRoom())) {
		return nil
	}
	return m.leavePackage(sp)
}

// leaveRoom forgets one's group of a side room, and asks to be let in.
func (m *member) leaveRoom(sp *vault.Space, r dialogue.Room) error {
	return errors.Join(m.dropRoom(sp, r), m.leavePackage(sp))
}

func (m *member) dropRoom(sp *vault.Space, r dialogue.Room) error {
	m.acct.Adding[r] = addition{}
	delta := m.log.Leave(channel.Room(r))
	m.changed(r)
	return errors.Join(apply(sp, delta), m.void(sp, func(it *item) bool { return it.Room == r }))
}

// keepRoom is the chore that makes a side room's members those of the plan.
func (m *member) keepRoom(sp *vault.Space) error {
	me := m.me()
	if me.Side == 0 {
		return nil
	}
	r := m.myRoom()
	room := channel.Room(r)
	if !m.log.In(room) || m.log.Pending(room) || m.state.Founded(r) == nil || m.adding(r) || m.holdsBack() {
		return nil
	}
	members := m.members(r)
	var content mls.CommitContent
	lost := m.lostMembers(r, members)
	for _, id := range append(m.state.Strangers(r, members), lost...) {
		if leaf, ok := m.leaf(r, id); ok {
			content.Removes = append(content.Removes, leaf)
		}
	}
	for _, id := range append(m.state.Absent(r, members), lost...) {
		kp, err := m.packageOf(sp, r, id)
		if err != nil {
			return err
		}
		if kp != nil && m.state.Fresh(kp.SignatureKey()) {
			content.Adds = append(content.Adds, kp)
		}
	}
	there := slices.DeleteFunc(m.state.Plan(r), func(id dialogue.SeatID) bool {
		return !slices.Contains(members, id) || slices.Contains(lost, id) || m.state.Barred(id)
	})
	if len(content.Adds)+len(content.Removes) == 0 {
		return m.commitDay(sp, r, there)
	}
	if !m.myTurn("room", there, 0) {
		return nil
	}
	return m.stage(sp, r, content)
}

// packageOf is the key package that a seat left for a room, or nil.
func (m *member) packageOf(sp *vault.Space, r dialogue.Room, id dialogue.SeatID) (*mls.KeyPackage, error) {
	b, err := sp.Get(packageKey(r, id))
	if errors.Is(err, vault.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	kp, err := m.c.packages.check(b, id)
	if err != nil {
		return nil, sp.Delete(packageKey(r, id))
	}
	return kp, nil
}

// committed does what follows from a commit of one's own: Welcomes go out.
func (m *member) committed(sp *vault.Space, it *item, room dialogue.Room) error {
	if len(it.Commit.Content.Adds) == 0 {
		return nil
	}
	if room == dialogue.Plenary {
		return m.sendWelcome(sp, it)
	}
	var seats []dialogue.SeatID
	for _, a := range it.Commit.Content.Adds {
		seats = append(seats, a.Seat)
	}
	return m.queueEvent(sp, dialogue.KindWelcome, dialogue.Welcome{Room: room, Seats: seats, Last: m.acct.Commits[room], Welcome: it.Commit.Welcome})
}

// welcomed joins a side room through a Welcome in the plenary.
func (m *member) welcomed(sp *vault.Space, n dialogue.Note, b dialogue.Welcome, place channel.Place) error {
	a := &m.acct.Adding[b.Room]
	if n.By == a.By && slices.ContainsFunc(a.Seats, func(id dialogue.SeatID) bool { return slices.Contains(b.Seats, id) }) {
		m.acct.Commits[b.Room] = b.Last // what newcomers go by, all go by
	}
	a.Seats = slices.DeleteFunc(a.Seats, func(id dialogue.SeatID) bool { return slices.Contains(b.Seats, id) })
	if !slices.Contains(b.Seats, m.acct.Me) || m.log.In(channel.Room(b.Room)) {
		return nil
	}
	mine := false
	for p, err := range scan(sp, []byte(keySecrets), scanOptions{}) {
		if err != nil {
			return err
		}
		secrets, err := mls.ParseKeyPackageSecrets(p.Value)
		if err != nil {
			return err
		}
		mine = mine || mls.Invites(b.Welcome, secrets.KeyPackage())
		group, err := mls.Join(b.Welcome, secrets)
		if err != nil {
			continue // for another of one's key packages, or for none
		}
		if !bytes.Equal(group.GroupID(), m.state.Founded(b.Room).Group) {
			break
		}
		delta, err := m.log.Join(channel.Room(b.Room), group)
		if err != nil {
			return err
		}
		m.acct.Commits[b.Room] = b.Last
		m.renewed(b.Room)
		m.allBeginAt(b.Room, m.members(b.Room), m.mark(place))
		m.changed(b.Room)
		return errors.Join(apply(sp, delta), sp.DeletePrefix([]byte(keySecrets)))
	}
	if !mine { // for a key package of another time: nobody's fault
		n.By = dialogue.SeatID{}
	}
	return m.loseSideRoom(sp, b.Room, n.By)
}

// adding tells whether somebody was added to a side room and has no Welcome
// yet. They read from its place in the log on, so until then nobody makes
// anything in the room that they would miss. Whoever owes the Welcome may have
// gone; then there is none to wait for.
func (m *member) adding(r dialogue.Room) bool {
	a := m.acct.Adding[r]
	return len(a.Seats) > 0 && slices.Contains(m.state.Plan(r), a.By)
}

// canWrite says whether, and why not, one can write in a room now.
func (m *member) canWrite(r dialogue.Room) WhyNot {
	me := m.me()
	switch {
	case m.acct.Standing == StandingLost:
		return WhyAway
	case m.acct.Standing != StandingIn || m.log == nil || me == nil || me.Status != dialogue.In || me.Due:
		return WhyNotIn
	case !m.log.In(channel.Room(r)) || r != dialogue.Plenary && m.state.Founded(r) == nil:
		return WhyNotThere
	case r == dialogue.Plenary && len(m.state.Disagreed()) > 0:
		return WhyMissing
	case m.acct.Doubts.Stopped:
		return WhyStopped
	}
	members := m.members(r)
	if m.adding(r) || len(m.state.Strangers(r, members))+len(m.state.Absent(r, members)) > 0 || r != dialogue.Plenary && len(m.lostMembers(r, members)) > 0 {
		return WhyChanging
	}
	return WhyNone
}
