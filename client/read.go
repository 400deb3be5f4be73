package client

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"parley/channel"
	"parley/dialogue"
	"parley/mls"
	"parley/relay"
	"parley/vault"
)

// take reads a page of cells from the box that the log stands in, in one
// transaction. It stops where the box ends; what follows lies elsewhere.
func (m *member) take(box *relay.Box, page relay.Page) (n int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.log == nil || m.log.Box().ID() != box.ID() {
		return 0, nil
	}
	if page.First > m.log.Position() {
		return 0, m.update(m.missed)
	}
	if len(page.Cells) > 0 {
		err = m.update(func(sp *vault.Space) error {
			for i := range page.Cells {
				if page.First+uint64(i) < m.log.Position() {
					continue
				}
				if err := m.cell(sp, &page.Cells[i]); err != nil {
					return err
				}
				n++
				if m.log == nil || m.log.Box().ID() != box.ID() {
					return nil
				}
			}
			if page.Next <= m.log.Position() {
				m.acct.ReadAt = m.c.minute()
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	if m.log != nil && m.log.Box().ID() == box.ID() {
		m.caughtUp = page.Next <= m.log.Position()
	} else {
		m.caughtUp = false
	}
	return n, nil
}

// cell takes one cell of the log.
func (m *member) cell(sp *vault.Space, c *relay.Cell) error {
	own := m.own[sha256.Sum256(c[:])]
	box := m.log.Box().ID()
	key := m.log.BoxKey()
	position := m.log.Position()
	got, delta, err := m.log.Step(c, own != nil)
	if err != nil {
		return fmt.Errorf("cell %d: %w", position, err)
	}
	if err := apply(sp, delta); err != nil {
		return err
	}
	if own != nil && own.it.Stage == stageChunks {
		own.it.Positions[own.index] = uint32(position) + 1
		if err := m.saveItem(sp, own.it); err != nil {
			return err
		}
	}
	if m.misplaced(own, position) {
		if err := m.relayAlarm(sp, box, AlarmOther); err != nil {
			return err
		}
	}
	if got != nil {
		if err := m.compare(sp, box, got); err != nil {
			return err
		}
		if err := m.entry(sp, got, own); err != nil {
			return err
		}
	}
	if m.log != nil && m.log.Box().ID() != box {
		m.acct.Head = 0
		return errors.Join(m.passed(sp, box, key), m.void(sp, func(*item) bool { return true }))
	}
	return nil
}

// misplaced tells whether the relay had said something else of a place: that
// the cell read there, own, lies elsewhere, or that another of one's own does there.
func (m *member) misplaced(own *ownCell, position uint64) bool {
	for _, x := range m.own {
		c := &x.it.Cells[x.index]
		read, said := own != nil && *x == *own, c.at-1 == position
		if x.it.Kind != itemParcel && c.at > 0 && read != said {
			return true
		}
	}
	return false
}

// entry takes what the log gave: an event or a commit, of one's own or of
// somebody else.
func (m *member) entry(sp *vault.Space, got *channel.Got, own *ownCell) error {
	room := dialogue.Room(got.Room)
	if got.Older {
		return m.lose(sp, LossOlder, dialogue.SeatID{})
	}
	if got.Mine != nil { // Step was not told of an own cell
		var err error
		if own, err = m.carrying(sp, room, got.Mine); err != nil {
			return err
		}
		if got.Own = own != nil; got.Own {
			var delta channel.Delta
			delta, got.Bad = m.log.ReadBack(got.Room, got.Mine)
			if err := apply(sp, delta); err != nil {
				return err
			}
		}
	}
	if got.Bad != nil {
		m.acct.Bad++
		if own == nil {
			return nil
		}
		return m.void(sp, func(it *item) bool { return it == own.it })
	}
	e := dialogue.Entry{Room: room, Author: seatOf(got.Author), Members: m.members(room)}
	if int(room) < maxRooms {
		e.LastCommit = m.acct.Commits[room]
	}
	if !got.Own && got.Against == channel.Agrees && !m.awaitsCharter() {
		m.hasRead(room, e.Author, got.Place, got.Seen)
	}
	switch {
	case got.Own && own.it.Kind == itemCommit:
		e.Author, e.Commit = m.acct.Me, &own.it.Commit.Content
	case got.Own && own.it.Kind == itemUpdate:
		e.Author = m.acct.Me
		return m.ownUpdate(sp, got, e, own.it)
	case got.Own:
		e.Author = m.acct.Me
		return m.eventEntry(sp, got, e, own.it, own.it.Event)
	case got.Commit != nil:
		e.Commit = m.commitOf(got.Commit, room, got.Minute)
	case got.Update != nil:
		return m.updateEntry(sp, got, e)
	default:
		return m.eventEntry(sp, got, e, nil, got.Payload)
	}
	return m.commitEntry(sp, got, e, own)
}

// carrying finds the item of the outbox whose message lies in a cell that is not
// one's own: a copy of this vault, or whoever reads the room with the relay's
// help, can have put it there. For everybody it counts where it lies first, so
// for its maker, too. It is nil where there is none.
func (m *member) carrying(sp *vault.Space, room dialogue.Room, message []byte) (*ownCell, error) {
	for _, it := range m.out {
		if it.Room != room {
			continue
		}
		mine, err := m.messageOf(sp, it)
		if err != nil {
			return nil, err
		}
		if bytes.Equal(mine, message) {
			return &ownCell{it: it}, nil
		}
	}
	return nil, nil
}

// messageOf is the MLS message of an item, or nil where none is made.
func (m *member) messageOf(sp *vault.Space, it *item) ([]byte, error) {
	if it.Kind != itemEvent || it.Stage != stageHead {
		return it.handshake(), nil
	}
	head, err := it.load(sp, len(it.Cells)-1)
	if err != nil {
		return nil, err
	}
	return m.log.Message(channel.Room(it.Room), head), nil
}

func (m *member) eventEntry(sp *vault.Space, got *channel.Got, e dialogue.Entry, it *item, payload []byte) error {
	event, err := dialogue.ParseEvent(payload)
	if err != nil {
		m.acct.Bad++
		return nil
	}
	e.Event = &event
	if it != nil && it.Readers != nil && !m.awaitsCharter() {
		// A removal that stood before it in the log made it stale: it goes again.
		if next, notes := dialogue.Apply(m.state, e); stale(notes) {
			return errors.Join(m.keep(sp, next, nil, got.Place, e), m.void(sp, func(x *item) bool { return x == it }))
		}
	}
	if it != nil {
		if err := m.drop(sp, it); err != nil {
			return err
		}
	}
	if m.awaitsCharter() {
		return m.hold(sp, got, e)
	}
	return m.fold(sp, got.Place, e)
}

// stale tells whether a message has no effect because of who was in the room.
func stale(notes []dialogue.Note) bool {
	return slices.ContainsFunc(notes, func(n dialogue.Note) bool {
		return n.Kind == dialogue.NoteRefused && n.Reason == dialogue.ReasonStrangers
	})
}

// commitOf reads from a staged commit, one's own or another's, what the dialogue
// judges it by.
func (m *member) commitOf(staged *mls.StagedCommit, room dialogue.Room, minute uint64) *dialogue.Commit {
	c := &dialogue.Commit{Time: minute}
	by := map[uint32]dialogue.SeatID{}
	for _, x := range m.log.Members(channel.Room(room)) {
		by[uint32(x.Leaf)] = seatOf(x.Identity)
	}
	for _, kp := range staged.Adds() {
		c.Adds = append(c.Adds, dialogue.Added{Seat: seatOf(kp.Identity()), Package: sha256.Sum256(kp.Marshal()), Key: kp.SignatureKey()})
	}
	for _, leaf := range staged.Removes() {
		c.Removes = append(c.Removes, by[uint32(leaf)])
	}
	for _, u := range append(staged.Updates(), staged.Committer()) {
		c.Keys = append(c.Keys, dialogue.KeyChange{Seat: by[uint32(u.Leaf)], Key: u.SignatureKey})
	}
	return c
}

// commitEntry judges a commit and follows it, or leaves it.
func (m *member) commitEntry(sp *vault.Space, got *channel.Got, e dialogue.Entry, own *ownCell) error {
	if m.awaitsCharter() {
		// A newcomer can't judge yet: it follows what it can open, and the charter's fold says later whether it was right.
		// But nothing counts before there is a charter, or who runs ahead would take every newcomer along, to where there is none.
		if err := m.hold(sp, got, e); err != nil {
			return err
		}
		if e.Room == dialogue.Plenary {
			if told, err := m.wasTold(sp); !told || err != nil {
				return err
			}
		}
		return m.follow(sp, got, own, e, nil)
	}
	next, notes := dialogue.Apply(m.state, e)
	for _, n := range notes {
		if n.Kind == dialogue.NoteAttempt {
			if own != nil { // what voids it stood before it in the log: the chores stage another
				if err := apply(sp, m.log.Unstage(got.Room)); err != nil {
					return err
				}
				if err := m.drop(sp, own.it); err != nil {
					return err
				}
			}
			m.refused(e.Room)
			if !m.couldSee(got.Place, got.Seen, e, n.Reason) {
				notes = nil // a race that somebody lost
			}
			return m.keep(sp, next, notes, got.Place, e)
		}
	}
	var to []parcelItem
	if e.Room == dialogue.Plenary {
		to = m.welcomesGo(e.Commit.Adds)
	}
	if err := m.keep(sp, next, notes, got.Place, e); err != nil {
		return err
	}
	if err := m.leaves(sp, got.Place, e); err != nil {
		return err
	}
	return m.follow(sp, got, own, e, to)
}

// follow enters a commit's epoch. to is where the plenary's Welcomes go.
func (m *member) follow(sp *vault.Space, got *channel.Got, own *ownCell, e dialogue.Entry, to []parcelItem) error {
	room := e.Room
	var delta channel.Delta
	var removed bool
	keys := m.log.Signers(channel.Plenary)
	if room == dialogue.Plenary && m.undecided() {
		m.keepKeys(keys)
	}
	var err error
	if own != nil {
		delta, err = m.log.Merge(got.Room)
	} else {
		delta, removed, err = m.log.Follow(got)
	}
	if err != nil {
		return m.lost(sp, room, e.Author)
	}
	if err := apply(sp, delta); err != nil {
		return err
	}
	if removed {
		return errors.Join(m.void(sp, func(it *item) bool { return it.Room == room }), m.gone(sp, room, e.Commit, keys))
	}
	if room != dialogue.Plenary && !m.awaitsCharter() {
		m.acct.Commits[room] = m.state.LogTime
		m.acct.Adding[room] = addition{By: e.Author}
		for _, a := range e.Commit.Adds {
			m.acct.Adding[room].Seats = append(m.acct.Adding[room].Seats, a.Seat)
			if err := sp.Delete(packageKey(room, a.Seat)); err != nil {
				return err
			}
		}
	}
	if own != nil {
		if err := m.committed(sp, own.it, room); err != nil {
			return err
		}
		if err := m.drop(sp, own.it); err != nil {
			return err
		}
	}
	if room == dialogue.Plenary && len(e.Commit.Adds) > 0 && !m.awaitsCharter() {
		m.noteLetIn(e.Commit, to)
		if err := sp.Put(numbered(keySkeleton, m.log.Epoch()), m.state.Marshal()); err != nil {
			return err
		}
	}
	return m.void(sp, func(it *item) bool { return it.Room == room })
}

// gone sees that one's own leaf was removed: for good, because one slept, or
// because one comes back with another.
func (m *member) gone(sp *vault.Space, room dialogue.Room, c *dialogue.Commit, keys []*mls.SignatureKey) error {
	if room != dialogue.Plenary {
		return nil
	}
	me, post := m.me(), m.tookUp(c)
	switch {
	case post != nil: // its Welcome lies where it lay: one's door may have moved
		a := m.goAway()
		a.holdKeys(keys)
		a.Reason, a.Since, a.Door = LossAnew, m.c.minute(), post.post().Door
		return m.leaveLog(sp)
	case m.unbacked(): // by what one party alone told; at the door it shows
		return m.loseAs(sp, keys, LossCharter, dialogue.SeatID{})
	case !m.awaitsCharter() && (me.Replacing || m.comesBack(c) && me.Lost == dialogue.LossCard):
		return m.loseAs(sp, keys, LossNewCard, dialogue.SeatID{})
	case m.comesBack(c):
		return m.loseAs(sp, keys, LossReplaced, dialogue.SeatID{})
	case m.awaitsCharter():
	case me.Status == dialogue.Asleep && me.Back == nil:
		return m.loseAs(sp, keys, LossSlept, dialogue.SeatID{})
	case me.Status == dialogue.Asleep:
		return m.loseAs(sp, keys, LossReplaced, dialogue.SeatID{})
	}
	return m.removed(sp, me)
}

// removed forgets what a removed seat can't use any more.
func (m *member) removed(sp *vault.Space, me *dialogue.Seat) error {
	m.acct.Standing = StandingRemoved
	if me != nil && me.Status == dialogue.Left {
		m.acct.Standing = StandingLeft
	}
	m.log = nil
	if err := errors.Join(sp.DeletePrefix([]byte(keyChannel)), sp.DeletePrefix([]byte(keyOld))); err != nil {
		return err
	}
	// A parcel may be a Welcome that only this vault has.
	return m.dropAll(sp, func(it *item) bool { return it.Kind != itemParcel })
}

// lost says that this vault can't follow a commit that holds for all others.
func (m *member) lost(sp *vault.Space, room dialogue.Room, by dialogue.SeatID) error {
	if by == m.acct.Me {
		by = dialogue.SeatID{}
	}
	if room != dialogue.Plenary {
		return m.loseSideRoom(sp, room, by)
	}
	return m.lose(sp, LossLeftOut, by)
}

// missed says that the relay no longer has what follows.
func (m *member) missed(sp *vault.Space) error { return m.lose(sp, LossMissed, dialogue.SeatID{}) }
