package client

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/vault"
)

// Whom one's words may not have reached. The header of each cell says up to
// where its maker had read, so whoever writes shows what it has read of that
// room; every computer writes once a day. Where a seat loses its leaf in a room
// and is kept, what one said there after that may have come while it was cut off.

// A mark is a place in all that this vault has read.
type mark struct {
	_        struct{} `cbor:",toarray"`
	Log      uint64   // which beginning of the log: a room that was founded again counts its epochs anew
	Epoch    uint64   // of the plenary
	Part     uint32   // of the epoch's boxes
	Position uint64
}

func (m *member) mark(p channel.Place) mark {
	return mark{Log: m.acct.Logs, Epoch: p.Epoch, Part: p.Part, Position: p.Position}
}

// compare orders marks as one came by them.
func (a mark) compare(b mark) int {
	return cmp.Or(cmp.Compare(a.Log, b.Log), cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Part, b.Part), cmp.Compare(a.Position, b.Position))
}

// A reach says how far a room is known to have reached one of its members: it
// has read what stands before, or came in there.
type reach struct {
	room dialogue.Room
	seat dialogue.SeatID
}

func (x reach) key() []byte { return append([]byte{keyReach[0], byte(x.room)}, x.seat[:]...) }

// reaches sets how far. The vault learns it at the end of the transaction: once,
// however much somebody wrote.
func (m *member) reaches(r dialogue.Room, id dialogue.SeatID, to mark) {
	if x := (reach{r, id}); id != m.acct.Me {
		m.reached[x], m.reachedNow[x] = to, true
	}
}

// reachesNoMore forgets a seat that has no leaf in a room any more.
func (m *member) reachesNoMore(r dialogue.Room, id dialogue.SeatID) {
	x := reach{r, id}
	if _, ok := m.reached[x]; ok {
		delete(m.reached, x)
		m.reachedNow[x] = true
	}
}

func (m *member) saveReached(sp *vault.Space) error {
	for x := range m.reachedNow {
		var err error
		if to, ok := m.reached[x]; ok {
			err = sp.Put(x.key(), wire.Marshal(to))
		} else {
			err = sp.Delete(x.key())
		}
		if err != nil {
			return err
		}
	}
	clear(m.reachedNow)
	return nil
}

func (m *member) loadReached(sp *vault.Space) error {
	clear(m.reached)
	clear(m.reachedNow)
	for p, err := range scan(sp, []byte(keyReach), scanOptions{}) {
		if err != nil {
			return err
		}
		var to mark
		if err := wire.Unmarshal(p.Value, &to, wire.MaxMessage); err != nil {
			return fmt.Errorf("how far a room reached: %w", err)
		}
		m.reached[reach{dialogue.Room(p.Key[1]), seatOf(p.Key[2:])}] = to
	}
	return nil
}

// hasRead takes from an entry how far its author had read. seen is what its
// header says, of the box in which it stands at p. While a founding may be given
// up, who was in the room that was lost is still judged by what it showed there.
func (m *member) hasRead(r dialogue.Room, author dialogue.SeatID, p channel.Place, seen uint64) {
	x := m.state.Seat(author)
	if author == m.acct.Me || x == nil || x.Status != dialogue.In || x.Replacing || m.acct.Refounding.open() {
		return
	}
	p.Position = seen
	if before, ok := m.reached[reach{r, author}]; !ok || before.compare(m.mark(p)) < 0 {
		m.reaches(r, author, m.mark(p))
	}
}

// leaves goes by the leaves that a commit, which counted, took out and put in.
// In a side room nobody is without one for long, and nothing is said meanwhile.
func (m *member) leaves(sp *vault.Space, p channel.Place, e dialogue.Entry) error {
	var err error
	if e.Room == dialogue.Plenary {
		err = m.cutOff(sp, e.Commit.Removes, m.mark(p))
	}
	for _, a := range e.Commit.Adds {
		err = errors.Join(err, m.beginsAt(sp, e.Room, a.Seat, m.mark(p)))
	}
	return err
}

// cutOff is for seats that lost their leaves in the plenary at a place: they read
// in no room. Of who was removed, or left, nothing is noted: everybody knows.
func (m *member) cutOff(sp *vault.Space, gone []dialogue.SeatID, at mark) error {
	kept := slices.DeleteFunc(slices.Clone(gone), func(id dialogue.SeatID) bool {
		x := m.state.Seat(id)
		return x == nil || x.Status != dialogue.In && x.Status != dialogue.Asleep
	})
	for r := range dialogue.Room(maxRooms) {
		if err := m.mayHaveMissed(sp, r, kept, at); err != nil {
			return err
		}
		for _, id := range gone {
			m.reachesNoMore(r, id)
		}
	}
	return nil
}

// beginsAt is for a seat that reads nothing, or nothing more, of what stands
// before a place.
func (m *member) beginsAt(sp *vault.Space, r dialogue.Room, id dialogue.SeatID, at mark) error {
	err := m.mayHaveMissed(sp, r, []dialogue.SeatID{id}, at)
	m.reaches(r, id, at)
	return err
}

// mayHaveMissed notes, with each of one's own words in a room before a place, which
// of these seats did not show that they had read it.
func (m *member) mayHaveMissed(sp *vault.Space, r dialogue.Room, seats []dialogue.SeatID, at mark) error {
	var least *mark
	seats = slices.DeleteFunc(slices.Clone(seats), func(id dialogue.SeatID) bool {
		to, ok := m.reached[reach{r, id}]
		if ok && (least == nil || to.compare(*least) < 0) {
			least = &to
		}
		return !ok
	})
	if least == nil {
		return nil
	}
	missed := map[uint64]*record{}
	for p, err := range scan(sp, []byte{keyMessage[0], byte(r)}, scanOptions{Reverse: true}) {
		if err != nil {
			return err
		}
		rec, err := parseRecord(p.Value)
		if err != nil {
			return err
		}
		if rec.At == nil || rec.At.compare(at) >= 0 {
			continue
		}
		if rec.At.compare(*least) < 0 {
			break
		}
		for _, id := range seats {
			if rec.At.compare(m.reached[reach{r, id}]) >= 0 && !slices.Contains(rec.Missed, id) {
				rec.Missed = append(rec.Missed, id)
				missed[wire.NewReader(p.Key[2:]).U64()] = rec
			}
		}
	}
	for seq, rec := range missed {
		if err := sp.Put(messageKey(r, seq), wire.Marshal(rec)); err != nil {
			return err
		}
		m.changedLine(r, line{seq, rec})
	}
	if len(missed) > 0 {
		m.c.hub.publish(Change{Dialogue: m.id, Room: r, Older: true})
	}
	return nil
}

// overlooked compares what one knew of the plenary with what one is told after
// having been out of it: who sleeps, or came in since, has been out as well.
func (m *member) overlooked(sp *vault.Space, before *dialogue.State, at mark) error {
	if before == nil {
		before = &dialogue.State{}
	}
	var gone []dialogue.SeatID
	for i := range m.state.Seats {
		x := &m.state.Seats[i]
		if was := before.Seat(x.ID); was == nil || x.Status != dialogue.In || m.state.Refounded != before.Refounded || x.Since != was.Since || m.addedSince(before.Epoch, x.ID) {
			gone = append(gone, x.ID)
		}
	}
	if err := m.cutOff(sp, gone, at); err != nil {
		return err
	}
	m.allBeginAt(dialogue.Plenary, m.state.Plan(dialogue.Plenary), at)
	return nil
}

// addedSince tells whether a seat is among those that latest came in after an
// epoch. Log time, which tells since when it sits, can stand still.
func (m *member) addedSince(epoch uint64, id dialogue.SeatID) bool {
	return slices.ContainsFunc(m.state.Charters, func(c dialogue.CharterState) bool { return c.Base > epoch && slices.Contains(c.For, id) })
}

// allBeginAt is for those members of a room of whom nothing is known.
func (m *member) allBeginAt(r dialogue.Room, members []dialogue.SeatID, at mark) {
	for _, id := range members {
		if _, ok := m.reached[reach{r, id}]; !ok {
			m.reaches(r, id, at)
		}
	}
}

// reachesNobody forgets all of a room that is no more.
func (m *member) reachesNobody(r dialogue.Room) {
	for x := range m.reached {
		if x.room == r {
			m.reachesNoMore(r, x.seat)
		}
	}
}
