package client

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/vault"
)

// Where a commit was garbage for all but its maker, the room is founded again
// by hand (found.go). Here is what a client that lost it that way finds: at the
// doors of the others that they lost it, too, and at its own that somebody
// founded the room again. A person decides; nothing here enters anything.

// A foundingParcel is what a founder puts at the doors of the others.
type foundingParcel struct {
	_       struct{} `cbor:",toarray"`
	Signed  dialogue.SignedFounding
	Former  []byte // the skeleton that it goes on from
	Welcome []byte
}

// A refounding is a founding that this vault accepted, or made itself. Until
// somebody besides its founder was heard there, another may be accepted instead.
// It is kept until all were heard: its words are to be read to them.
type refounding struct {
	_       struct{} `cbor:",toarray"`
	Founder dialogue.SeatID
	Hash    dialogue.Hash
	Door    dialogue.Key // one's own, at which others look for one until it is settled: it has moved since
	Group   []byte       // of the room as it was lost
	Lost    LossReason   // for which it was lost
	Settled bool
}

// open tells whether a founding counts that can still be given up for another.
func (r *refounding) open() bool { return r != nil && !r.Settled }

// A judged founding is one that one's person may accept.
type judged struct {
	parcel   foundingParcel
	hash     dialogue.Hash
	former   *dialogue.State
	state    *dialogue.State // of the new room
	same     bool            // its past is the very one that is known here
	words    []string        // once computed
	counting bool
}

func (j *judged) founding() *dialogue.Founding { return &j.parcel.Signed.Founding }

func foundingKey(founder dialogue.SeatID) []byte { return append([]byte(keyFounding), founder[:]...) }

// known is the skeleton by which foundings are judged: of the room as it was
// lost, whatever was accepted since; but nobody's unconfirmed word, if there is
// anything surer: who let one in may be who left the others out.
func (m *member) known() *dialogue.State {
	if m.acct.Refounding.open() {
		return m.former
	}
	return cmp.Or(m.confirmed(), m.state)
}

// nobodyFollows tells whether one has lost the room by a commit of somebody's,
// so that it may have to be founded again.
func (m *member) nobodyFollows() bool {
	a := m.acct.Away
	return m.acct.Standing == StandingLost && m.log == nil && m.acct.Refounding == nil && m.state != nil &&
		a != nil && a.Reason == LossLeftOut && !a.By.IsZero()
}

// chooses tells whether one's person may accept a founding: one lost the room,
// or is in one founded again in which nobody but its founder was heard.
func (m *member) chooses() bool {
	if m.known() == nil || m.acct.Away == nil {
		return false
	}
	return m.acct.Standing == StandingLost && m.log == nil || m.tentative()
}

// tentative tells whether one is in a room founded again in which nobody but
// its founder, and oneself, was heard.
func (m *member) tentative() bool {
	r := m.acct.Refounding
	return r.open() && m.acct.Standing == StandingIn && !slices.ContainsFunc(m.state.Seats, func(x dialogue.Seat) bool {
		return x.Status == dialogue.In && x.Heard > 0 && x.ID != m.acct.Me && x.ID != r.Founder
	})
}

// judge reads a founding, and says whether it is one that counts by what is
// known here.
func (m *member) judge(content []byte) (*judged, bool) {
	j, err := parseFounding(content)
	if err != nil {
		return nil, false
	}
	f := j.founding()
	if j.former, err = dialogue.ParseState(j.parcel.Former); err != nil || hashOf(j.parcel.Welcome) != f.Welcome {
		return nil, false
	}
	for _, x := range f.Members {
		kp, err := m.c.packages.check(x.Return.Package, x.Return.Signed.Post.Seat)
		if err != nil || !bytes.Equal(kp.SignatureKey(), x.Key) {
			return nil, false
		}
	}
	known := m.known()
	var reason dialogue.Reason
	if j.state, reason = known.Accepts(j.parcel.Signed, j.former, m.acct.Away.By); reason != dialogue.ReasonNone {
		return nil, false
	}
	j.same = f.Former == known.Digest()
	me := j.state.Seat(m.acct.Me)
	return j, me.Status == dialogue.In || me.Status == dialogue.Asleep
}

// parseFounding reads a founding's parcel. Nothing of it is checked yet.
func parseFounding(content []byte) (*judged, error) {
	j := new(judged)
	if err := wire.Unmarshal(content, &j.parcel, wire.MaxMessage); err != nil {
		return nil, err
	}
	j.hash = j.founding().Hash()
	return j, nil
}

// sawFounding keeps a founding that counts: of each founder the latest.
func (m *member) sawFounding(content []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.chooses() {
		return nil
	}
	j, ok := m.judge(content)
	if !ok {
		return nil
	}
	founder := j.founding().Founder
	if before := m.foundings[founder]; before != nil && before.founding().Time >= j.founding().Time {
		return nil
	}
	m.foundings[founder] = j
	m.changed(dialogue.Plenary)
	return m.update(func(sp *vault.Space) error { return sp.Put(foundingKey(founder), content) })
}

// loadFoundings reads what was kept.
func (m *member) loadFoundings(sp *vault.Space) error {
	m.foundings, m.former = map[dialogue.SeatID]*judged{}, nil
	r := m.acct.Refounding
	if r.open() {
		b, err := sp.Get([]byte(keyFormer))
		if err != nil {
			return err
		}
		if m.former, err = dialogue.ParseState(b); err != nil {
			return err
		}
	}
	for p, err := range scan(sp, []byte(keyFounding), scanOptions{}) {
		if err != nil {
			return err
		}
		j, err := parseFounding(p.Value)
		if err != nil {
			return err
		}
		ok := r != nil && r.Hash == j.hash
		if !ok && m.chooses() {
			j, ok = m.judge(p.Value)
		}
		if ok {
			m.foundings[j.founding().Founder] = j
		}
	}
	return nil
}

// forgetFoundings forgets what was founded again, and that one accepted it.
func (m *member) forgetFoundings(sp *vault.Space) error {
	m.acct.Refounding, m.former, m.foundings = nil, nil, map[dialogue.SeatID]*judged{}
	return errors.Join(sp.Delete([]byte(keyFormer)), sp.DeletePrefix([]byte(keyFounding)))
}

// settleFounding ends the choice between foundings once somebody besides the
// founder was heard, and forgets the one taken once all were.
func (m *member) settleFounding() error {
	r := m.acct.Refounding
	if r == nil || m.acct.Standing != StandingIn || m.tentative() {
		return nil
	}
	if !r.Settled {
		return m.update(func(sp *vault.Space) error {
			if err := m.overlooked(sp, m.former, mark{Log: m.acct.Logs}); err != nil {
				return err
			}
			m.acct.Spare = m.posts()
			r.Settled, m.acct.Away, m.former = true, nil, nil
			for founder := range m.foundings {
				if founder != r.Founder {
					delete(m.foundings, founder)
					if err := sp.Delete(foundingKey(founder)); err != nil {
						return err
					}
				}
			}
			return sp.Delete([]byte(keyFormer))
		})
	}
	j := m.foundings[r.Founder]
	if j == nil || len(m.unheardSince()) == 0 || m.c.opt.Now().After(time.UnixMilli(int64(j.founding().Time)).AddDate(0, 0, doorDays)) {
		return m.update(m.forgetFoundings)
	}
	return nil
}

// staysAccepted tells whether a founding still counts when one loses its room
// before it is settled, through nobody's fault: the others may yet enter it, and
// have its words read to them, or found another.
func (m *member) staysAccepted(reason LossReason, by dialogue.SeatID) bool {
	return m.acct.Refounding.open() && by.IsZero() && reason != LossReplaced && reason != LossNewCard
}

// unheardSince lists who may yet have to accept the founding: it sits and was
// not heard, or sleeps.
func (m *member) unheardSince() []dialogue.SeatID {
	var l []dialogue.SeatID
	for i := range m.state.Seats {
		x := &m.state.Seats[i]
		if x.ID != m.acct.Me && (x.Status == dialogue.In && x.Heard == 0 || x.Status == dialogue.Asleep) {
			l = append(l, x.ID)
		}
	}
	return l
}

// readOwnDoor looks for further foundings while one may choose between them and
// is in a room.
func (m *member) readOwnDoor(ctx context.Context) error {
	m.mu.Lock()
	if !m.tentative() || m.acct.Away == nil {
		m.mu.Unlock()
		return nil
	}
	door := m.acct.Refounding.Door
	m.mu.Unlock()
	return m.readDoor(ctx, door, 0, func(p *channel.Parcel) error {
		if p.Kind != channel.ParcelFounding {
			return nil
		}
		return m.sawFounding(p.Content)
	})
}

// readDoor reads what is new at one's own door.
func (m *member) readDoor(ctx context.Context, door dialogue.Key, wait time.Duration, take func(*channel.Parcel) error) error {
	m.mu.Lock()
	if m.door == nil {
		m.door = newParcelBox(atDoor(door))
	}
	b := m.door
	m.mu.Unlock()
	r, err := m.relay()
	if err != nil {
		return err
	}
	return b.read(ctx, r, wait, take)
}

// lostDoors lists the doors of the others to read while the room is lost.
func (m *member) lostDoors(all bool) map[doorKey]*doorWatch {
	due := map[doorKey]*doorWatch{}
	for i := range m.state.Seats {
		x := &m.state.Seats[i]
		if x.ID == m.acct.Me || x.ID == m.acct.Away.By || x.Due || x.Status != dialogue.In && x.Status != dialogue.Asleep {
			continue
		}
		m.watchDoors(due, x, all, doorAbsent)
	}
	return due
}

// watchDoors adds those doors of a seat that are due to be read, every so often.
func (m *member) watchDoors(due map[doorKey]*doorWatch, x *dialogue.Seat, all bool, every time.Duration) {
	now := m.c.opt.Now()
	for _, d := range x.Doors {
		k := doorKey{x.ID, d}
		w := m.doors[k]
		if w == nil {
			w = &doorWatch{parcelBox: newParcelBox(atDoor(d))}
			m.doors[k] = w
		}
		if all || w.due(now) {
			due[k] = w
			w.next = now.Add(every)
		}
	}
}

// sawLoss keeps the latest post of somebody else who has lost the room, with
// which a founding could let them in.
func (m *member) sawLoss(w *doorWatch, r dialogue.Return, key []byte) {
	x := dialogue.FoundingMember{Return: r, Key: key}
	if m.state.CheckMember(x, m.acct.Away.By) != dialogue.ReasonNone {
		return
	}
	if w.latest == nil || w.latest.Signed.Post.KeyPackage != r.Signed.Post.KeyPackage {
		w.latest = &r
		m.changed(dialogue.Plenary)
	}
}

// alsoLost lists, in plan order, whose posts say that they have lost the room,
// each with the latest at its latest door that has one.
func (m *member) alsoLost() []dialogue.Return {
	var l []dialogue.Return
	for i := range m.state.Seats {
		x := &m.state.Seats[i]
		for _, d := range x.Doors {
			if w := m.doors[doorKey{x.ID, d}]; w != nil && w.latest != nil {
				l = append(l, *w.latest)
				break
			}
		}
	}
	return l
}
