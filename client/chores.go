package client

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/mls"
	"parley/vault"
)

// Chores are what clients do without being asked: commits that carry out what
// is due, charters, rooms, reports. Each falls to one client first and to the
// next in the order after a wait; the first valid one wins.

// turnWait is how long each waits for the one before it in the order.
const turnWait = 10 * time.Second

// myTurn tells whether a chore falls to this client now. order says who comes
// first; only who is in it comes at all. The key is
// text, as CBOR has it.
func (m *member) myTurn(key string, order []dialogue.SeatID, first time.Duration) bool {
	i := slices.Index(order, m.acct.Me)
	if i < 0 {
		return false
	}
	m.seen[key] = true
	wait := first + time.Duration(i)*turnWait
	if wait == 0 {
		return true
	}
	now := uint64(m.c.opt.Now().Unix())
	since, ok := m.acct.Due[key]
	if !ok {
		if m.acct.Due == nil {
			m.acct.Due = map[string]uint64{}
		}
		m.acct.Due[key] = now
		return false
	}
	return now >= since+uint64(wait/time.Second)
}

// chores does what is due. The log has been read to its end, and m.mu is held.
func (m *member) chores() error {
	if m.log == nil || m.acct.Standing != StandingIn || m.me() == nil || m.me().Status != dialogue.In || m.acct.Doubts.Stopped {
		return nil
	}
	if !m.anyChore() {
		return nil
	}
	return m.update(func(sp *vault.Space) error {
		m.seen = map[string]bool{}
		for _, do := range []func(*vault.Space) error{m.report, m.tellReturns, m.stayAwake, m.renew, m.commitDue, m.vouch, m.putWitnesses, m.foundRoom, m.sayLost, m.keepRoom} {
			if err := do(sp); err != nil {
				return err
			}
		}
		for key := range m.acct.Due {
			if !m.seen[key] {
				delete(m.acct.Due, key)
			}
		}
		return nil
	})
}

// anyChore tells, from what is in memory, whether there may be something to
// do: most of the time there is not, and a transaction would be for nothing.
func (m *member) anyChore() bool {
	me := m.me()
	if len(m.acct.Due) > 0 || m.owesLost() || m.waitsInVain() || m.owesWitness() || len(m.state.Due()) > 0 || len(m.state.At(me.ID, m.c.minute()).MayGo()) > 0 {
		return true
	}
	for r := range dialogue.Room(maxRooms) {
		if m.owesUpdate(r) || m.dayIsOver(r) {
			return true
		}
	}
	for _, w := range m.doors {
		if m.toTell(w) {
			return true
		}
	}
	for i := range m.state.Seats {
		x := &m.state.Seats[i]
		if m.state.Ready(x) || x.Replacing || x.Back != nil && x.ID != me.ID {
			return true
		}
	}
	for x := range m.cards() {
		if m.unreported(x) {
			return true
		}
	}
	for _, c := range m.state.Charters {
		if m.canVouch(c) && !m.vouching(c.Base) {
			return true
		}
	}
	if me.Side == 0 {
		return false
	}
	r := m.myRoom()
	if !m.log.In(channel.Room(r)) {
		return m.state.Founded(r) == nil && slices.Contains(m.founders(), me.ID)
	}
	members := m.members(r)
	founded := m.state.Founded(r)
	return len(m.state.Strangers(r, members))+len(m.state.Absent(r, members)) > 0 || founded != nil && len(founded.Lost) > 0
}

// commitDue stages the plenary commit that removes whoever is due and adds
// whoever is ready.
func (m *member) commitDue(sp *vault.Space) error {
	if m.log.Pending(channel.Plenary) || m.me().Due || m.state.Barred(m.acct.Me) || m.state.OwesCharter() || m.holdsBack() {
		return nil
	}
	if owes, err := m.owesAnswer(sp); owes || err != nil {
		return err
	}
	c, err := m.whatIsDue(sp)
	if err != nil {
		return err
	}
	if err := m.addReturns(sp, c); err != nil {
		return err
	}
	m.putToSleep(c)
	if len(c.content.Adds)+len(c.content.Removes) == 0 {
		return m.commitDay(sp, dialogue.Plenary, c.order)
	}
	if !m.myTurn(fmt.Sprint("commit ", m.state.Epoch), c.order, 0) {
		return nil
	}
	return m.stage(sp, dialogue.Plenary, c.content)
}

// A commitPlan is what a commit is to do, and in which order seats come to it.
type commitPlan struct {
	content mls.CommitContent
	order   []dialogue.SeatID
}

// owesAnswer tells whether one's own party has yet to tell the last newcomers
// their past. It does so before one commits: who was told a false one could
// refuse the commit, and never read what was said of that past afterwards.
func (m *member) owesAnswer(sp *vault.Space) (bool, error) {
	for _, c := range m.state.Charters {
		if c.Base != m.state.Epoch || !m.canVouch(c) {
			continue
		}
		if b, err := toTell(sp, c.Base); b != nil || err != nil {
			return b != nil, err
		}
	}
	return false, nil
}

// whatIsDue gathers the adds and removals, and in which order seats come to
// commit them: who made the card, then the plan.
func (m *member) whatIsDue(sp *vault.Space) (*commitPlan, error) {
	c := new(commitPlan)
	for _, id := range m.state.Due() {
		if leaf, ok := m.leaf(dialogue.Plenary, id); ok {
			c.content.Removes = append(c.content.Removes, leaf)
		}
	}
	plan := slices.DeleteFunc(m.state.Plan(dialogue.Plenary), m.state.Barred)
	for i := range m.state.Seats {
		x := &m.state.Seats[i]
		if !m.state.Ready(x) && !x.Replacing || len(plan)+len(c.content.Adds) >= wire.MaxSeats {
			continue
		}
		kp, err := m.postedPackage(sp, x)
		if err != nil {
			return nil, err
		}
		if kp == nil || !m.state.Fresh(kp.SignatureKey()) {
			continue
		}
		c.content.Adds = append(c.content.Adds, kp)
		if slices.Contains(plan, x.By) && !slices.Contains(c.order, x.By) {
			c.order = append(c.order, x.By)
		}
	}
	for _, id := range plan {
		if !slices.Contains(c.order, id) {
			c.order = append(c.order, id)
		}
	}
	return c, nil
}

// postedPackage is the key package that a seat's holder posted, as consented
// to; nil while it is not here, or where it is no good.
func (m *member) postedPackage(sp *vault.Space, x *dialogue.Seat) (*mls.KeyPackage, error) {
	b, err := sp.Get(postKey(x.ID, x.Card))
	if errors.Is(err, vault.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var p posted
	if err := wire.Unmarshal(b, &p, wire.MaxMessage); err != nil {
		return nil, err
	}
	kp, err := m.c.packages.check(p.Package, x.ID)
	if err != nil || hashOf(p.Package) != x.Package {
		return nil, nil
	}
	return kp, nil
}
