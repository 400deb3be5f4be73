package client

import (
	"slices"

	"parley/channel"
	"parley/dialogue"
	"parley/relay"
	"parley/vault"
)

// What a cell's header says is held against what this vault read. One seat's
// contradiction is shown, against that seat and the relay. Two seats' stop all
// writing until words read aloud were compared with a match: on two histories
// they differ. See docs/decisions/0009.

// doubts are what this vault holds against seats and the relay.
type doubts struct {
	_        struct{}           `cbor:",toarray"`
	Box      dialogue.Hash      // the box that Seats and Relay are of
	Seats    []dialogue.SeatID  // whose contradictions were shown; the zero id is somebody in the room
	Relay    []AlarmKind        // what of the relay's was shown
	Against  []dialogue.SeatID  // who contradicted since words were last compared with a match
	Stopped  bool               // nothing goes out but readings of words
	Readings []dialogue.EventID // of words, begun since Against grew
}

// enoughToStop is how many seats' contradictions stop writing: one seat alone,
// on an honest relay, stops nobody.
const enoughToStop = 2

// in gives the doubts of a box.
func (x *doubts) in(box relay.BoxID) *doubts {
	if x.Box != dialogue.Hash(box) {
		x.Box, x.Seats, x.Relay = dialogue.Hash(box), nil, nil
	}
	return x
}

// compare takes what the header of an entry says against this vault's history.
func (m *member) compare(sp *vault.Space, box relay.BoxID, got *channel.Got) error {
	if got.Outvoted != nil {
		if err := m.clear(sp, box, seatOf(got.Cleared)); err != nil {
			return err
		}
		if err := m.contradicted(sp, box, seatOf(got.Outvoted), true); err != nil {
			return err
		}
	}
	switch {
	case got.Against == channel.Agrees:
		return nil
	case got.Own: // nobody but the relay can be the source
		return m.relayAlarm(sp, box, AlarmOther)
	}
	return m.contradicted(sp, box, seatOf(got.Author), !got.Unsure)
}

// clear takes back what was held against a seat since one came in: somebody else
// had told one a false past. What is sure stays.
func (m *member) clear(sp *vault.Space, box relay.BoxID, seat dialogue.SeatID) error {
	x := m.acct.Doubts.in(box)
	if slices.Contains(x.Against, seat) {
		return nil
	}
	x.Seats = slices.DeleteFunc(x.Seats, func(id dialogue.SeatID) bool { return id == seat })
	return m.unblame(sp, func(seq uint64, r *record) bool {
		return r.Note == NoteContradicted && r.Seat == seat && seq >= m.acct.Place.From
	})
}

// contradicted notes a seat's contradiction: once for each box. It counts towards
// the end of all writing where it is sure: one liar who is the first to tell a
// newcomer of the past would otherwise be two against it.
func (m *member) contradicted(sp *vault.Space, box relay.BoxID, by dialogue.SeatID, sure bool) error {
	x := m.acct.Doubts.in(box)
	if !slices.Contains(x.Seats, by) {
		x.Seats = append(x.Seats, by)
		if err := m.notice(sp, NoteContradicted, by); err != nil {
			return err
		}
	}
	if by.IsZero() || !sure || slices.Contains(x.Against, by) {
		return nil
	}
	x.Against, x.Readings = append(x.Against, by), nil
	if x.Stopped || len(x.Against) < enoughToStop {
		return nil
	}
	x.Stopped = true
	return m.notice(sp, NoteStopped, dialogue.SeatID{})
}

// notice puts a line into the plenary, also while there is no skeleton.
func (m *member) notice(sp *vault.Space, k dialogue.NoteKind, by dialogue.SeatID) error {
	m.changed(dialogue.Plenary)
	now := dialogue.Event{Time: m.c.minute()}
	return m.record(sp, dialogue.Note{Kind: k, By: by}, record{}, dialogue.Entry{Event: &now})
}

// began notes a reading of words that can end the doubts.
func (m *member) began(reading dialogue.EventID) {
	if x := &m.acct.Doubts; len(x.Against) > 0 {
		x.Readings = append(x.Readings[max(0, len(x.Readings)-maxReadings+1):], reading)
	}
}

// maxReadings is how many readings are remembered while there are doubts.
const maxReadings = 64

// matched takes note that by heard the reader of a reading, and that the words
// were the same. Between this person and somebody of another party, or who
// contradicted, that ends the doubts. The word of a seat that contradicted is
// not enough for having heard this person: it could say so of any words.
func (m *member) matched(sp *vault.Space, by dialogue.SeatID, h dialogue.Heard) error {
	x := &m.acct.Doubts
	other := h.Reader
	if other == m.acct.Me {
		other = by
	}
	against := slices.Contains(x.Against, other)
	switch {
	case by != m.acct.Me && (h.Reader != m.acct.Me || against):
		return nil
	case !against && m.sideOf(other) == m.sideOf(m.acct.Me):
		return nil
	case !slices.Contains(x.Readings, h.Verify):
		return nil
	}
	was := x.Stopped
	x.Against, x.Readings, x.Stopped = nil, nil, false
	if !was {
		return nil
	}
	m.toPost.ring()
	m.toMove.ring()
	return m.notice(sp, NoteResumed, other)
}

// held tells whether an item has to wait until words were compared. Readings
// go out: they are how that is done.
func (m *member) held(it *item) bool {
	if !m.acct.Doubts.Stopped {
		return false
	}
	e, err := dialogue.ParseEvent(it.Event)
	return it.Kind != itemEvent || err != nil || e.Kind != dialogue.KindVerify && e.Kind != dialogue.KindHeard
}

// Lines that only this vault has: no other need see what it sees.
const (
	NoteContradicted dialogue.NoteKind = 200 + iota // By had read something else
	NoteStopped                                     // two seats had
	NoteResumed                                     // words were compared with By, and matched
	NoteShorter                                     // of the relay: see the alarms
	NoteOther
	NoteVanished
	NoteFoundedAgain // By founded the room again, without Seat
	NoteElsewhere    // By says that one was let in elsewhere

	NoteLeftElsewhere // one has left a room for that reason
)

// alarmKinds are the lines that are alarms.
var alarmKinds = map[dialogue.NoteKind]AlarmKind{
	dialogue.NoteAttempt: AlarmAttempt, dialogue.NoteCharter: AlarmCharter,
	NoteContradicted: AlarmContradicted, NoteStopped: AlarmStopped,
	NoteShorter: AlarmShorter, NoteOther: AlarmOther, NoteVanished: AlarmVanished,
	NoteElsewhere: AlarmElsewhere,
}

// IsAlarm tells whether a line is an alarm.
func (n *Notice) IsAlarm() bool { return n.Kind == dialogue.NoteSecondUse || alarmKinds[n.Kind] != "" }
