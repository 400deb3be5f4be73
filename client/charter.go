package client

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/vault"
)

// A newcomer is given no past words, only the skeleton as of its own Add: the
// charter. Until then it holds entries back, follows the commits that it can
// open, and folds all of it afterwards.

// awaitsCharter tells whether this vault does not know yet what was before it
// came in. One that comes back has a state, of the time when it was lost.
func (m *member) awaitsCharter() bool { return m.acct.Awaits }

// A heldEntry is an entry that waits for the charter.
type heldEntry struct {
	_       struct{} `cbor:",toarray"`
	Room    dialogue.Room
	Author  dialogue.SeatID
	Event   []byte
	Commit  *dialogue.Commit
	Members []dialogue.SeatID
	Epoch   uint64
	Place   heldPlace
	Update  uint64
	Seen    uint64 // how far its author had read in this box
}

type heldPlace struct {
	_        struct{} `cbor:",toarray"`
	Part     uint32
	Position uint64
	Running  dialogue.Hash
	Chain    dialogue.Hash
}

func (m *member) hold(sp *vault.Space, got *channel.Got, e dialogue.Entry) error {
	if err := m.putHeld(sp, got.Place, got.Seen, e); err != nil {
		return err
	}
	if e.Event == nil || e.Event.Kind != dialogue.KindCharter {
		return nil
	}
	return m.tryCharter(sp)
}

func (m *member) putHeld(sp *vault.Space, p channel.Place, seen uint64, e dialogue.Entry) error {
	h := heldEntry{Room: e.Room, Author: e.Author, Commit: e.Commit, Members: e.Members, Epoch: p.Epoch, Update: e.Update, Seen: seen,
		Place: heldPlace{Part: p.Part, Position: p.Position, Running: p.Running, Chain: p.Chain}}
	if e.Event != nil {
		h.Event = e.Event.Marshal()
	}
	m.acct.NextSeq++
	return sp.Put(numbered(keyHeld, m.acct.NextSeq-1), wire.Marshal(h))
}

// wasTold tells whether the room has told those whom the last commit let in a
// past: one's own, or another's that one followed since.
func (m *member) wasTold(sp *vault.Space) (bool, error) {
	held, err := m.heldEntries(sp)
	if err != nil {
		return false, err
	}
	epoch := m.log.Epoch()
	added, told := epoch == m.acct.Base, false
	for i := range held {
		h := &held[i]
		added = added || h.Commit != nil && h.Room == dialogue.Plenary && h.Epoch+1 == epoch && len(h.Commit.Adds) > 0
		c, ok := h.charter()
		told = told || ok && c.Base == epoch && len(c.Skeleton) > 0 && hashOf(c.Skeleton) == c.Hash
	}
	return told || !added, nil
}

func (m *member) heldEntries(sp *vault.Space) ([]heldEntry, error) {
	var l []heldEntry
	for p, err := range scan(sp, []byte(keyHeld), scanOptions{}) {
		if err != nil {
			return nil, err
		}
		var h heldEntry
		if err := wire.Unmarshal(p.Value, &h, 2*wire.MaxMessage); err != nil {
			return nil, err
		}
		l = append(l, h)
	}
	return l, nil
}

// tryCharter takes the first skeleton that somebody gave. Until two parties,
// or all that can know, gave the same, it is unconfirmed, and
// the person is told who has not answered; one that differs raises an alarm.
func (m *member) tryCharter(sp *vault.Space) error {
	held, err := m.heldEntries(sp)
	if err != nil {
		return err
	}
	for _, h := range held {
		c, ok := h.charter()
		if !ok || c.Base != m.acct.Base || hashOf(c.Skeleton) != c.Hash {
			continue
		}
		s, err := dialogue.ParseState(c.Skeleton)
		if err != nil || !s.Seated(m.acct.Me) || !s.Seated(h.Author) || h.Author == m.acct.Me || s.Epoch != m.acct.Base {
			continue
		}
		fits, err := m.fits(s)
		if err != nil {
			return err
		}
		former := m.confirmed()
		if !fits || former != nil && !s.Succeeds(former) {
			if err := m.falsePast(sp, &h); err != nil {
				return err
			}
			continue
		}
		was := m.clockOff
		if m.clockOff = !m.rightClock(s, held); m.clockOff != was {
			m.changed(dialogue.Plenary)
		}
		if m.clockOff {
			return nil // it is tried again, with what comes, and once the clock is set
		}
		return m.takeCharter(sp, s, held, h.Author)
	}
	return nil
}

func (h *heldEntry) place() channel.Place {
	return channel.Place{Epoch: h.Epoch, Part: h.Place.Part, Position: h.Place.Position, Running: h.Place.Running, Chain: h.Place.Chain, Known: true}
}

// entry is what is folded of a held entry.
func (h *heldEntry) entry() (dialogue.Entry, error) {
	e := dialogue.Entry{Room: h.Room, Author: h.Author, Commit: h.Commit, Update: h.Update, Members: h.Members}
	if h.Event != nil {
		event, err := dialogue.ParseEvent(h.Event)
		if err != nil {
			return e, err
		}
		e.Event = &event
	}
	return e, nil
}

// A leaf is a seat's in the plenary's tree, with its signature key.
type leaf struct {
	_    struct{} `cbor:",toarray"`
	Seat dialogue.SeatID
	Key  []byte
}

// fits tells whether a past can be that of the epoch that one joined: who sits
// by it has a leaf in the tree, with the same key, and nobody else has; nobody's
// removal is due, for a commit that adds carries out what is due; and the rules
// are those by which one took one's card.
func (m *member) fits(s *dialogue.State) (bool, error) {
	seated := 0
	for i := range s.Seats {
		x := &s.Seats[i]
		if x.Status != dialogue.In {
			continue
		}
		seated++
		if x.Due || !slices.ContainsFunc(m.acct.Tree, func(l leaf) bool { return l.Seat == x.ID && bytes.Equal(l.Key, x.Key) }) {
			return false, nil
		}
	}
	if seated != len(m.acct.Tree) {
		return false, nil
	}
	if m.acct.Joining == nil {
		return s.RulesHash() == m.state.RulesHash(), nil
	}
	o, err := parseOffer(m.acct.Joining.Offer)
	return err == nil && s.RulesHash() == dialogue.RulesHash(o.Sides, o.Rules), err
}

// rightClock tells whether, after all that was read, the time that somebody
// claims is a day off this computer's clock at most. A newcomer whose clock is
// wrong would claim wrong times in all it writes, and delete too early or late.
func (m *member) rightClock(s *dialogue.State, held []heldEntry) bool {
	for i := range held {
		if e, err := held[i].entry(); err == nil {
			s, _ = dialogue.Apply(s, e)
		}
	}
	return s.Near(m.c.minute())
}

// charterAgain tries to take a charter that told another day than the clock.
func (m *member) charterAgain() error {
	if !m.awaitsCharter() {
		return nil
	}
	return m.update(m.tryCharter)
}

func (h *heldEntry) charter() (c dialogue.Charter, ok bool) {
	if h.Event == nil || h.Room != dialogue.Plenary {
		return c, false
	}
	e, err := dialogue.ParseEvent(h.Event)
	if err != nil || e.Kind != dialogue.KindCharter {
		return c, false
	}
	return c, wire.Unmarshal(e.Body, &c, dialogue.MaxEvent) == nil
}

// unconfirmed lists the parties that have not yet confirmed what one was told
// on coming in; empty once two, or all that can know, did. One's own is among them:
// where all others but the liar's came in together, it is the only one that can.
func (m *member) unconfirmed() []dialogue.SideID {
	i := slices.IndexFunc(m.state.Charters, func(c dialogue.CharterState) bool { return c.Base == m.acct.Base })
	if m.acct.Base == 0 || m.acct.Settled || i < 0 {
		return nil
	}
	own, members := m.me().Side, m.members(dialogue.Plenary)
	var missing []dialogue.SideID
	vouched := 0
	for party := range dialogue.SideID(len(m.state.Sides) + 1) {
		there := slices.ContainsFunc(m.state.Seats, func(x dialogue.Seat) bool {
			return x.Side == party && slices.Contains(members, x.ID) && m.wasBefore(x.ID)
		})
		switch {
		case slices.Contains(m.acct.Vouched, party) && (there || party == own):
			vouched++
		case there:
			missing = append(missing, party)
		}
	}
	if vouched >= 2 {
		return nil
	}
	return missing
}

// wasBefore tells whether a seat was there when one came in oneself, and so can
// know what was before.
func (m *member) wasBefore(id dialogue.SeatID) bool {
	return !slices.ContainsFunc(m.state.Charters, func(c dialogue.CharterState) bool {
		return c.Base >= m.acct.Base && slices.Contains(c.For, id)
	})
}

// takeCharter makes the skeleton the state, and folds what was held back.
func (m *member) takeCharter(sp *vault.Space, s *dialogue.State, held []heldEntry, by dialogue.SeatID) error {
	before := m.confirmed()
	if err := m.keepConfirmed(sp); err != nil {
		return err
	}
	m.state, m.acct.Awaits, m.acct.Told, m.acct.Judged = s, false, m.c.minute(), m.acct.NextSeq
	if err := sp.Put(numbered(keySkeleton, m.acct.Base), s.Marshal()); err != nil {
		return err
	}
	if err := m.overlooked(sp, before, mark{Log: m.acct.Logs, Epoch: m.acct.Base}); err != nil {
		return err
	}
	for _, h := range held {
		e, err := h.entry()
		if err != nil {
			return err
		}
		m.hasRead(e.Room, e.Author, h.place(), h.Seen)
		if err := m.fold(sp, h.place(), e); err != nil {
			return err
		}
		if e.Commit != nil && e.Room == dialogue.Plenary && len(e.Commit.Adds) > 0 {
			if err := sp.Put(numbered(keySkeleton, m.state.Epoch), m.state.Marshal()); err != nil {
				return err
			}
		}
	}
	if m.state.Epoch != m.log.Epoch() {
		return m.lose(sp, LossCharter, by)
	}
	if err := m.keepHeld(sp, held); err != nil {
		return err
	}
	if m.acct.Away != nil {
		m.acct.Spare = m.acct.Away.Posts
	}
	m.acct.Standing, m.acct.Joining, m.acct.Away = StandingIn, nil, nil
	if len(m.unconfirmed()) == 0 {
		if err := m.settle(sp); err != nil {
			return err
		}
	}
	if err := m.queueEvent(sp, dialogue.KindHello, dialogue.Hello{}); err != nil {
		return err
	}
	return m.leavePackage(sp)
}

// falsePast raises an alarm, once, over a charter that does not fit, or does not
// go on from what one knew oneself before one was lost. It is not taken.
func (m *member) falsePast(sp *vault.Space, h *heldEntry) error {
	event, err := dialogue.ParseEvent(h.Event)
	if err != nil {
		return err
	}
	n := dialogue.Note{Kind: dialogue.NoteCharter, By: h.Author, Event: event.ID(h.Author), What: event.Kind}
	return m.falseCharter(sp, n, dialogue.Entry{Author: h.Author, Event: &event})
}

// falseCharter raises an alarm over a charter, once.
func (m *member) falseCharter(sp *vault.Space, n dialogue.Note, e dialogue.Entry) error {
	if known, err := has(sp, indexKey(dialogue.Plenary, n.Event)); known || err != nil {
		return err
	}
	return m.record(sp, n, record{ID: n.Event}, e)
}

// charterGiven compares a charter with one's own fold. A false one raises an
// alarm.
func (m *member) charterGiven(sp *vault.Space, n dialogue.Note, c dialogue.Charter, e dialogue.Entry) error {
	b, err := toTell(sp, c.Base)
	if b == nil || err != nil {
		return err
	}
	if agrees(c, b) {
		if side := m.sideOf(n.By); c.Base == m.acct.Base && !slices.Contains(m.acct.Vouched, side) {
			m.acct.Vouched = append(m.acct.Vouched, side)
		}
		if m.undecided() && c.Base == m.acct.Base && len(m.unconfirmed()) == 0 {
			return m.settle(sp)
		}
		return nil
	}
	if err := m.disputed(sp, n, c); err != nil {
		return err
	}
	return m.falseCharter(sp, n, e)
}

// agrees tells whether a charter tells of a skeleton.
func agrees(c dialogue.Charter, skeleton []byte) bool {
	return hashOf(skeleton) == c.Hash && (len(c.Skeleton) == 0 || hashOf(c.Skeleton) == c.Hash)
}

// toTell is the skeleton that newcomers of an epoch are told; nil where there is
// none: from before one's own time, or answered by all.
func toTell(sp *vault.Space, base uint64) ([]byte, error) {
	b, err := sp.Get(numbered(keySkeleton, base))
	if errors.Is(err, vault.ErrNotFound) {
		return nil, nil
	}
	return b, err
}

// vouch is the chore of giving newcomers their charter: whole where nobody did,
// by its hash otherwise. Each party gives it once.
func (m *member) vouch(sp *vault.Space) error {
	me := m.me()
	for _, c := range m.state.Charters {
		if !m.canVouch(c) || m.vouching(c.Base) {
			continue
		}
		party := slices.DeleteFunc(m.state.Plan(dialogue.Plenary), func(id dialogue.SeatID) bool {
			return m.state.Seat(id).Side != me.Side || slices.Contains(c.For, id)
		})
		if !m.myTurn(fmt.Sprint("charter ", c.Base), party, 0) {
			continue
		}
		b, err := toTell(sp, c.Base)
		if err != nil {
			return err
		}
		if b == nil {
			continue
		}
		body := dialogue.Charter{Base: c.Base, Hash: hashOf(b)}
		if !c.Given || slices.Contains(m.acct.Disputed, c.Base) { // so that the newcomer can compare
			body.Skeleton = b
		}
		if err := m.queueEvent(sp, dialogue.KindCharter, body); err != nil {
			return err
		}
	}
	return nil
}

// canVouch tells whether one's own party has yet to give a charter, and one
// was there at the time that it tells of.
func (m *member) canVouch(c dialogue.CharterState) bool {
	me := m.me()
	return c.Base > m.acct.Base && !slices.Contains(c.Answered, me.Side) && !slices.Contains(c.For, me.ID)
}

// vouching tells whether a charter for base waits in the outbox.
func (m *member) vouching(base uint64) bool {
	return m.outHas(dialogue.KindCharter, func(e dialogue.Event) bool {
		var c dialogue.Charter
		return wire.Unmarshal(e.Body, &c, dialogue.MaxEvent) == nil && c.Base == base
	})
}

// outHas tells whether the outbox holds an event of a kind that fits.
func (m *member) outHas(k dialogue.Kind, fits func(dialogue.Event) bool) bool {
	return slices.ContainsFunc(m.out, func(it *item) bool {
		if it.Kind != itemEvent {
			return false
		}
		e, err := dialogue.ParseEvent(it.Event)
		return err == nil && e.Kind == k && fits(e)
	})
}
