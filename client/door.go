package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/relay"
	"parley/vault"
)

// The doors of others are read by whoever is awake: of those not heard for a
// day closely, of all others now and then, each a little less often than who
// comes before it in the seat plan. What lies there is told to the room.

// How often who is first in the plan reads a door: of somebody who has not
// been heard for a day, sleeps or never spoke, and of anybody else.
const (
	doorAbsent = time.Minute
	doorEvery  = 5 * time.Minute
	doorUnseen = dialogue.MinutesPerDay

	// sleepWait is how long a seat can be due to sleep before its leaf goes: a
	// client that is there says so meanwhile.
	sleepWait = time.Hour
)

// A doorKey is one of the doors of a seat.
type doorKey struct {
	seat dialogue.SeatID
	door dialogue.Key
}

// A doorWatch is what one knows of somebody's door.
type doorWatch struct {
	*parcelBox
	latest *dialogue.Return // of the posts that the room would take
}

// readDoors reads the doors that are due; all reads every one.
func (m *member) readDoors(ctx context.Context, all bool) error {
	m.knocking.Lock()
	defer m.knocking.Unlock()
	if err := errors.Join(m.readOwnDoor(ctx), m.readBeside(ctx, all)); err != nil {
		return err
	}
	m.mu.Lock()
	due := m.doorsDue(all)
	_, looks := m.looksBeside()
	more := looks && m.beside != nil && m.beside.behind.Load()
	m.mu.Unlock()
	var failed error
	for k, w := range due {
		err := m.readOthersDoor(ctx, k, w)
		more = more || w.behind.Load()
		if err != nil { // the others are read all the same
			failed = errors.Join(failed, err)
			m.mu.Lock()
			w.next = time.Time{}
			m.mu.Unlock()
		}
	}
	m.mu.Lock()
	m.moreAtDoors = more
	m.mu.Unlock()
	return failed
}

func (m *member) readOthersDoor(ctx context.Context, k doorKey, w *doorWatch) error {
	r, err := m.relay()
	if err != nil {
		return err
	}
	return w.read(ctx, r, 0, func(p *channel.Parcel) error {
		if p.Kind != channel.ParcelReturn {
			return nil
		}
		return m.sawReturn(k, w, p.Content)
	})
}

// doorsDue lists the doors to read now, and notes when to read them again.
func (m *member) doorsDue(all bool) map[doorKey]*doorWatch {
	if m.nobodyFollows() {
		return m.lostDoors(all)
	}
	if m.seated() != nil || m.me() == nil {
		return nil
	}
	due := map[doorKey]*doorWatch{}
	rank := time.Duration(max(0, slices.Index(m.state.Plan(dialogue.Plenary), m.acct.Me)) + 1)
	for i := range m.state.Seats {
		x := &m.state.Seats[i]
		if x.ID == m.acct.Me || x.Due || x.Status != dialogue.In && x.Status != dialogue.Asleep {
			continue
		}
		every := doorEvery
		if x.Status == dialogue.Asleep || x.Heard == 0 || m.state.LogTime >= x.Heard+doorUnseen {
			every = doorAbsent
		}
		m.watchDoors(due, x, all, every*rank)
	}
	return due
}

// sawReturn keeps the latest post at a door that the room would take.
func (m *member) sawReturn(k doorKey, w *doorWatch, content []byte) error {
	var r dialogue.Return
	if wire.Unmarshal(content, &r, wire.MaxMessage) != nil || r.Signed.Post.Seat != k.seat || r.Signed.Post.Door != k.door {
		return nil
	}
	kp, err := m.c.packages.check(r.Package, k.seat)
	if err != nil || hashOf(r.Package) != r.Signed.Post.KeyPackage {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.nobodyFollows() {
		m.sawLoss(w, r, kp.SignatureKey())
		return nil
	}
	if m.seated() != nil {
		return nil
	}
	if x := m.state.Seat(k.seat); x != nil && x.Back != nil && x.Back.Package == r.Signed.Post.KeyPackage {
		// The room was told; who came since then has not seen the key package.
		return m.update(func(sp *vault.Space) error { return sp.Put(packageKey(dialogue.Plenary, k.seat), r.Package) })
	}
	if m.state.CheckReturn(r) == dialogue.ReasonNone && m.state.Fresh(kp.SignatureKey()) && !m.told[r.Signed.Post.KeyPackage] {
		w.latest = &r
	}
	return nil
}

// tellReturns is the chore of telling the room what lies at somebody's door.
func (m *member) tellReturns(sp *vault.Space) error {
	for k, w := range m.doors {
		if !m.toTell(w) {
			continue
		}
		h := w.latest.Signed.Post.KeyPackage
		others := slices.DeleteFunc(m.state.Plan(dialogue.Plenary), func(id dialogue.SeatID) bool { return id == k.seat })
		if !m.myTurn(fmt.Sprintf("return %x", h[:]), others, 0) {
			continue
		}
		if err := m.queueEvent(sp, dialogue.KindReturn, *w.latest); err != nil {
			return err
		}
	}
	return nil
}

// toTell tells whether the room does not know yet of what lies at a door.
func (m *member) toTell(w *doorWatch) bool {
	if w.latest == nil || m.told[w.latest.Signed.Post.KeyPackage] || !m.wouldCount(dialogue.KindReturn, *w.latest) {
		return false
	}
	return !m.outHas(dialogue.KindReturn, func(e dialogue.Event) bool {
		b, ok := decodeBody[dialogue.Return](e)
		return ok && b.Signed.Post.KeyPackage == w.latest.Signed.Post.KeyPackage
	})
}

// returning sees that a seat waits at its door, and keeps what it is to be let
// in with.
func (m *member) returning(sp *vault.Space, n dialogue.Note, b dialogue.Return, e dialogue.Entry) error {
	known := m.told[b.Signed.Post.KeyPackage]
	m.told[b.Signed.Post.KeyPackage] = true
	kp, err := m.c.packages.check(b.Package, n.Seat)
	if err != nil || !m.state.Fresh(kp.SignatureKey()) {
		return nil
	}
	if err := sp.Put(packageKey(dialogue.Plenary, n.Seat), b.Package); err != nil || known {
		return err
	}
	n.By = b.Signed.Post.Named
	return m.record(sp, n, record{ID: n.Event}, e)
}

// isBack sees that a seat came back. It has lost its side room: what it had
// left for that is void.
func (m *member) isBack(sp *vault.Space, id dialogue.SeatID) error {
	side := dialogue.SideRoom(m.sideOf(id))
	return errors.Join(sp.Delete(packageKey(dialogue.Plenary, id)), sp.Delete(packageKey(side, id)))
}

// addReturns adds to a commit those who wait at their doors, and removes their
// old leaves. Who was left out by oneself has to wait for somebody else, and so
// does oneself, where an earlier post of one's own was told once one was back.
func (m *member) addReturns(sp *vault.Space, c *commitPlan) error {
	for i := range m.state.Seats {
		x := &m.state.Seats[i]
		if x.Back == nil || x.ID == m.acct.Me || x.Due || !m.state.MayLetIn(m.acct.Me, x.ID) {
			continue
		}
		b, err := sp.Get(packageKey(dialogue.Plenary, x.ID))
		if errors.Is(err, vault.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		kp, err := m.c.packages.check(b, x.ID)
		if err != nil || hashOf(b) != x.Back.Package || !m.state.Fresh(kp.SignatureKey()) {
			continue
		}
		if leaf, in := m.leaf(dialogue.Plenary, x.ID); in {
			c.content.Removes = append(c.content.Removes, leaf)
		}
		c.content.Adds = append(c.content.Adds, kp)
	}
	return nil
}

// putToSleep removes the leaves of those who have been due to sleep for long.
func (m *member) putToSleep(c *commitPlan) {
	now := m.state.At(m.acct.Me, m.c.minute())
	plan := m.state.Plan(dialogue.Plenary)
	for i := range now.Seats {
		x := &now.Seats[i]
		leaf, in := m.leaf(dialogue.Plenary, x.ID)
		if !in || x.ID == m.acct.Me || x.Due || slices.Contains(c.content.Removes, leaf) || !now.Dozes(x) ||
			!m.myTurn(fmt.Sprint("sleep ", x.ID), plan, sleepWait) {
			continue
		}
		c.content.Removes = append(c.content.Removes, leaf)
	}
}

// stayAwake says that one is here, before one would be put to sleep.
func (m *member) stayAwake(sp *vault.Space) error {
	if !m.dozing() {
		return nil
	}
	return m.queueEvent(sp, dialogue.KindHello, dialogue.Hello{})
}

func (m *member) dozing() bool {
	return m.state.Dozes(m.me()) && !m.outHas(dialogue.KindHello, func(dialogue.Event) bool { return true })
}

// moveDoor moves one's door with the first entry after a removal: who was
// removed knows the old one.
func (m *member) moveDoor(sp *vault.Space) error {
	if !m.owesDoor() {
		return nil
	}
	return m.enqueue(sp, &item{Kind: itemEvent, Event: m.newDoor()})
}

// newDoor is an event that moves one's door.
func (m *member) newDoor() []byte {
	e := dialogue.NewEvent(dialogue.KindDoor, m.c.minute(), dialogue.Door{Key: dialogue.Key(relay.NewBoxKey().Bytes())})
	return e.Marshal()
}

// owesDoor tells whether one's door is to be moved now, beside something else
// that goes out: after a removal not all write at once.
func (m *member) owesDoor() bool {
	me := m.me()
	return me != nil && me.Status == dialogue.In && !me.Due && m.state.DoorKnown(me) && m.goesOut() && !slices.ContainsFunc(m.out, isDoor)
}

// goesOut tells whether an entry is on its way, or is to be made: the Update of
// the day, if nothing else. A plenary commit does not count: the end of its box
// would void the door with it.
func (m *member) goesOut() bool {
	return slices.ContainsFunc(m.out, func(it *item) bool {
		return it.Kind != itemParcel && (it.Kind != itemCommit || it.Room != dialogue.Plenary) &&
			(m.makeable(it) || m.writes() && !m.held(it) && !it.Back && it.Stage != stageWaiting)
	})
}

// isDoor tells whether an item moves one's door.
func isDoor(it *item) bool {
	if it.Kind != itemEvent || it.Room != dialogue.Plenary {
		return false
	}
	e, err := dialogue.ParseEvent(it.Event)
	return err == nil && e.Kind == dialogue.KindDoor
}
