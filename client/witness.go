package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"maps"
	"slices"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/mls"
	"parley/vault"
)

// Whoever lets a seat in can do so in a room of its own. The others, who never
// hear that seat, put witnesses beside its Welcome; who came in reads them, and
// leaves a room that others contradict. See docs/decisions/0013.

const (
	// witnessWait is how long who was let in has to be heard before the others put
	// a witness, one a minute.
	witnessWait = 5 // minutes

	// witnessDays is how long one looks for witnesses after one came in.
	witnessDays = 14

	// cardCounts is how long after one came in for the first time the witness of who
	// made the card takes one out of a room by itself.
	cardCounts = dialogue.MinutesPerDay

	// besideCells is how many cells a minute one reads again there, at most.
	besideCells = 256

	// maxLetIn is of how many who were let in one remembers where.
	maxLetIn = 16

	// maxWitnesses is how many witnesses one keeps on the way back.
	maxWitnesses = 256

	// enoughToLeave is how many parties' witnesses take one out of a room.
	enoughToLeave = 2
)

// A letIn is where the log says that a seat was let in.
type letIn struct {
	_       struct{} `cbor:",toarray"`
	Seat    dialogue.SeatID
	Package dialogue.Hash
	Beside  parcelItem // where its Welcome lies
	Epoch   uint64
	Tag     []byte
	At      uint64 // when that was said to be, minutes since 1970; not in the future
}

// A place is where a Welcome led.
type place struct {
	_       struct{}          `cbor:",toarray"`
	Package dialogue.Hash     // that it was for; zero where one came in without
	Tag     []byte            // confirmation tag of its epoch, which is the account's Base
	Beside  parcelItem        // where the Welcome lay
	Card    dialogue.Key      // of the card with which one came for the first time, or whose maker one heeds; else zero
	Until   uint64            // when one heeds the card's maker no longer, minutes since 1970; 0 where one came for the first time
	Former  []byte            // id of the group that one knew before; nil where that is none
	Keys    [][]byte          // private signature keys that the room has for the seat, whichever room that is
	At      uint64            // minutes since 1970
	From    uint64            // the first seq of what one read there
	Against []dialogue.SeatID // whose witnesses name another place
}

// A heeded says whose witness a Welcome needs after one has left a place that
// others contradicted.
type heeded struct {
	_     struct{}          `cbor:",toarray"`
	Card  dialogue.Key      // by which one left; or else:
	Seats []dialogue.SeatID // by which one left
	Need  uint8             // of how many parties of theirs
	Until uint64            // minutes since 1970: whom one heeds may be gone
}

// noteLetIn takes note of whom a commit let in, and where their Welcomes lie.
func (m *member) noteLetIn(c *dialogue.Commit, to []parcelItem) {
	for i, a := range c.Adds {
		l := append(m.acct.LetIn, letIn{Seat: a.Seat, Package: a.Package, Beside: to[i], Epoch: m.log.Epoch(), Tag: m.log.Tag(channel.Plenary),
			At: min(c.Time, m.c.minute())})
		m.acct.LetIn = l[max(0, len(l)-maxLetIn):]
	}
}

// witnessAt is when it is one's turn to put a witness, minutes since 1970.
func (m *member) witnessAt(x *letIn) uint64 {
	return x.At + witnessWait + uint64(max(0, slices.Index(m.state.Plan(dialogue.Plenary), m.acct.Me)))
}

func (m *member) owesWitness() bool {
	return len(m.acct.LetIn) > 0 && !m.unbacked() && slices.ContainsFunc(m.acct.LetIn, func(x letIn) bool { return m.c.minute() >= m.witnessAt(&x) })
}

// putWitnesses is the chore of telling who was let in, and was never heard,
// where that was.
func (m *member) putWitnesses(sp *vault.Space) error {
	if !m.owesWitness() {
		return nil
	}
	var later []letIn
	for _, x := range m.acct.LetIn {
		s := m.state.Seat(x.Seat)
		switch {
		case s == nil || s.Status != dialogue.In || s.Due || s.Heard > 0: // it is here, or gone
		case m.c.minute() < m.witnessAt(&x):
			later = append(later, x)
		default:
			if err := m.putWitness(sp, &x); err != nil {
				return err
			}
		}
	}
	m.acct.LetIn = later
	return nil
}

func (m *member) putWitness(sp *vault.Space, x *letIn) error {
	var card ed25519.PrivateKey
	switch b, err := sp.Get(cardKey(x.Seat)); {
	case err == nil:
		k, err := parseCard(string(b))
		if err != nil {
			return err
		}
		card = k.signer()
	case !errors.Is(err, vault.ErrNotFound):
		return err
	}
	w := dialogue.Witness{Author: m.acct.Me, Package: x.Package, Group: m.log.Group(channel.Plenary), Epoch: x.Epoch, Tag: x.Tag}
	m.toPost.ring()
	return m.queueParcel(sp, x.Beside, channel.ParcelWitness, wire.Marshal(w.Sign(ed25519.NewKeyFromSeed(m.acct.Witness), card)))
}

// cameTo takes note of where a Welcome led, and of what one knew before.
func (m *member) cameTo(sp *vault.Space, p place, group *mls.Group) error {
	p.Tag, p.Former, p.At, p.From = group.ConfirmationTag(), m.acct.Group, m.c.minute(), m.acct.NextSeq
	m.acct.Place, m.beside = p, nil
	return putKnown(sp, keyBefore, m.confirmed())
}

// looksBeside tells whether one looks for witnesses, and how often.
func (m *member) looksBeside() (every time.Duration, ok bool) {
	p := &m.acct.Place
	now := m.c.minute()
	if m.log == nil || p.Package == (dialogue.Hash{}) || now >= p.At+witnessDays*dialogue.MinutesPerDay {
		return 0, false
	}
	if now < p.At+dialogue.MinutesPerDay {
		return doorAbsent, true
	}
	return doorEvery, true
}

// A besideWatch is the box where one's Welcome lay, while one looks for witnesses.
type besideWatch struct {
	*parcelBox
	began time.Time // to be read from its beginning
}

// readBeside looks for witnesses beside the Welcome that one came with.
func (m *member) readBeside(ctx context.Context, now bool) error {
	m.mu.Lock()
	every, looks := m.looksBeside()
	at, w := m.c.opt.Now(), m.beside
	if !looks || !now && w != nil && !w.due(at) {
		m.mu.Unlock()
		return nil
	}
	if w == nil {
		w = &besideWatch{parcelBox: newParcelBox(m.acct.Place.Beside), began: at}
		m.beside = w
	}
	if (m.acct.Awaits || m.unbacked() || m.unjudged) && // what did not count before may count now
		!at.Before(w.began.Add(time.Duration(w.cells()/besideCells)*time.Minute)) {
		m.unjudged, w.began, w.parcelBox = false, at, newParcelBox(w.of)
	}
	w.next = at.Add(every)
	m.mu.Unlock()
	r, err := m.relay()
	if err != nil {
		return err
	}
	return w.read(ctx, r, 0, func(p *channel.Parcel) error {
		if p.Kind != channel.ParcelWitness {
			return nil
		}
		return m.sawWitness(p.Content)
	})
}

// sawWitness holds where one came in against somebody's witness.
func (m *member) sawWitness(content []byte) error {
	s, err := dialogue.ParseWitness(content)
	if err != nil {
		return nil // anybody who knows the box can put anything there
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p := &m.acct.Place
	w := &s.Witness
	if m.log == nil || w.Author == m.acct.Me || !m.otherPlace(w) {
		return nil
	}
	return m.update(func(sp *vault.Space) error {
		known, sure, err := m.judges(sp)
		if err != nil {
			return err
		}
		if known == nil && m.acct.Awaits && m.c.minute() >= p.At+doubtWait {
			return m.leavePlaceFor(sp, heeded{}) // nobody tells a past here, and nothing was said: leaving costs little
		}
		byCard := p.Card != (dialogue.Key{}) && s.ByCard(p.Card)
		if byCard && m.c.minute() < p.cardUntil() {
			return m.leavePlaceFor(sp, heeded{Card: p.Card, Until: p.Until})
		}
		by := w.Author
		if !isBy(s, known) {
			me := m.me()
			if !byCard || me == nil {
				return nil
			}
			by = me.By // whatever name it gives
		}
		if slices.Contains(p.Against, by) {
			return nil
		}
		p.Against = append(p.Against, by)
		if (sure || m.unbacked() && !m.contested()) && parties(known, p.Against) >= enoughToLeave {
			return m.leavePlace(sp)
		}
		return m.notice(sp, NoteElsewhere, by)
	})
}

// cardUntil is when the witness of who made the card takes one out of a room no
// longer: a day after one came in for the first time, or after one left by it for
// the first time, and not again and again.
func (p *place) cardUntil() uint64 {
	if p.Until > 0 {
		return p.Until
	}
	return p.At + cardCounts
}

// otherPlace tells whether a witness says that one came in elsewhere: with the key
// package that one did; or with another that lies at one's door and that the log,
// read to its end, never took. What it says of an epoch before one came in may
// be a Welcome that never came: that counts where nobody else confirms the past.
func (m *member) otherPlace(w *dialogue.Witness) bool {
	p := &m.acct.Place
	if w.Package == p.Package {
		return !w.At(m.acct.Group, m.acct.Base, p.Tag)
	}
	now := m.c.minute()
	if w.Epoch < m.acct.Base && !(m.unbacked() && now >= m.acct.Told+doubtWait) {
		return false
	}
	if !slices.ContainsFunc(m.posts(), func(p doorPost) bool { return p.pkg() == w.Package }) {
		return false
	}
	read := m.caughtUp && m.acct.ReadAt+1 >= now
	m.unjudged = m.unjudged || !read
	return read
}

// judges is the skeleton by whose witness keys one judges witnesses: that which
// one had before one came in, and otherwise, not so sure, what one was told here.
func (m *member) judges(sp *vault.Space) (known *dialogue.State, sure bool, err error) {
	known, err = knownAt(sp, keyBefore)
	switch {
	case known != nil || err != nil:
		return known, true, err
	case m.acct.Awaits:
		return nil, false, nil // what one has is of another room
	}
	return m.state, false, nil
}

func isBy(s *dialogue.SignedWitness, known *dialogue.State) bool {
	if known == nil {
		return false
	}
	x := known.Seat(s.Witness.Author)
	return x != nil && s.By(x.Witness)
}

// parties counts those of seats.
func parties(known *dialogue.State, seats []dialogue.SeatID) int {
	if known == nil {
		return 0
	}
	sides := map[dialogue.SideID]bool{}
	for _, id := range seats {
		if x := known.Seat(id); x != nil {
			sides[x.Side] = true
		}
	}
	return len(sides)
}

// leavePlace leaves a room that others say one was not let in to. What was told
// there is forgotten, what one said there comes back, and the next Welcome has to
// have the witness of one of them. Cards that one made there are announced again.
func (m *member) leavePlace(sp *vault.Space) error {
	known, _, err := m.judges(sp)
	if err != nil {
		return err
	}
	against := m.acct.Place.Against
	return m.leavePlaceFor(sp, heeded{Seats: against, Need: uint8(min(parties(known, against), enoughToLeave))})
}

// leavePlaceFor is leavePlace for where those whom one heeds say.
func (m *member) leavePlaceFor(sp *vault.Space, heed heeded) error {
	p := m.acct.Place
	m.acct.Unsure, m.acct.Awaits, m.acct.Keys, m.acct.Group = true, false, p.Keys, p.Former
	keys := m.log.Signers(channel.Plenary) // if it is they who are wrong, the room knows one by these
	before, err := knownAt(sp, keyBefore)
	if err := errors.Join(err, m.keepSure(sp, before)); err != nil {
		return err
	}
	m.acct.Judged = max(m.acct.Judged, p.From) // whom one blamed before stays blamed
	if err := errors.Join(m.takeBack(sp, p.From), m.inviteAgain(sp)); err != nil {
		return err
	}
	if err := m.loseAs(sp, keys, LossElsewhere, dialogue.SeatID{}); err != nil {
		return err
	}
	if heed.Until == 0 && (heed.Need > 0 || heed.Card != (dialogue.Key{})) {
		heed.Until = m.c.minute() + postAgain
	}
	m.acct.Away.Heed = heed
	if p.From < m.acct.NextSeq {
		if err := m.notice(sp, NoteLeftElsewhere, dialogue.SeatID{}); err != nil {
			return err
		}
	}
	m.witnesses, m.passedOver, m.heededMore = nil, false, false
	return nil
}

// takeBack takes back what one said since a seq: the others may not have read it.
func (m *member) takeBack(sp *vault.Space, from uint64) error {
	for r := range dialogue.Room(maxRooms) {
		back := map[uint64]*record{}
		for p, err := range scan(sp, []byte{keyMessage[0], byte(r)}, scanOptions{From: messageKey(r, from)}) {
			if err != nil {
				return err
			}
			rec, err := parseRecord(p.Value)
			if err != nil {
				return err
			}
			if rec.Note == dialogue.NoteSaid && rec.Seat == m.acct.Me {
				back[wire.NewReader(p.Key[2:]).U64()] = rec
			}
		}
		for _, seq := range slices.Sorted(maps.Keys(back)) {
			rec := back[seq]
			e := dialogue.NewEvent(dialogue.KindSay, rec.Time, dialogue.Say{Text: rec.Text, ReplyTo: rec.ReplyTo, File: rec.File})
			e.Nonce = rec.Nonce // who has read it is not shown it again
			it := &item{Kind: itemEvent, Room: r, Event: e.Marshal(), Readers: []Reader{}, Back: true}
			if err := errors.Join(m.enqueue(sp, it), deleteLine(sp, r, seq, rec.ID)); err != nil {
				return err
			}
		}
	}
	m.forgetRecent()
	return nil
}

// inviteAgain announces again the cards that one made in a room that one leaves.
func (m *member) inviteAgain(sp *vault.Space) error {
	if m.state == nil {
		return nil
	}
	known, sure, err := m.judges(sp)
	if err != nil {
		return err
	}
	for i := range m.state.Seats {
		x := &m.state.Seats[i]
		if x.By != m.acct.Me || x.Status != dialogue.Invited && x.Status != dialogue.Arrived && x.Status != dialogue.In ||
			sure && known.Seat(x.ID) != nil || m.c.minute() > x.Expires {
			continue
		}
		if err := m.queueEvent(sp, dialogue.KindInvite, dialogue.Invite{
			Seat: x.ID, Side: x.Side, Name: x.Name, Capacity: x.Capacity, Role: x.Role, Box: x.Box, Card: x.Card, Expires: x.Expires,
		}); err != nil {
			return err
		}
	}
	return nil
}

// elsewhere tells whether somebody says that one came in elsewhere.
func (m *member) elsewhere() bool { return len(m.acct.Place.Against) > 0 }

// wary tells whether a Welcome needs a witness.
func (m *member) wary() bool { return m.c.minute() < m.acct.Away.Heed.Until }

// witnessed tells whether a Welcome leads where those whom one heeds say.
func (m *member) witnessed(group *mls.Group, pkg dialogue.Hash) bool {
	if !m.wary() {
		return true
	}
	var by []dialogue.SeatID
	for _, s := range m.witnesses {
		w := &s.Witness
		if w.Package != pkg || !w.At(group.GroupID(), group.Epoch(), group.ConfirmationTag()) {
			continue
		}
		if m.byCard(s) {
			return true
		}
		by = append(by, w.Author)
	}
	h, enough := &m.acct.Away.Heed, false
	err := m.view(func(sp *vault.Space) error {
		known, err := m.heedsBy(sp)
		enough = h.Need > 0 && parties(known, by) >= int(h.Need)
		return err
	})
	if err != nil {
		m.problem = err
	}
	m.passedOver = m.passedOver || !enough
	return enough
}

// byCard tells whether a witness is by the card by which one left a room.
func (m *member) byCard(s *dialogue.SignedWitness) bool {
	c := m.acct.Away.Heed.Card
	return c != (dialogue.Key{}) && s.ByCard(c)
}

// cardHeeded is the card whose maker can take one out of the room that one comes
// to, and until when: the one by which one left another, while one is wary.
func (m *member) cardHeeded() (c dialogue.Key, until uint64) {
	if h := m.acct.Away.Heed; m.wary() && h.Card != (dialogue.Key{}) {
		return h.Card, h.Until
	}
	return c, 0
}

// heedsBy is the skeleton with the witness keys of those whom one heeds: where one
// was sure of none, that of the room which one left by them.
func (m *member) heedsBy(sp *vault.Space) (*dialogue.State, error) {
	known, err := knownAt(sp, keyBefore)
	if known == nil && err == nil {
		known = m.state
	}
	return known, err
}

// heeds tells whether a witness is by somebody whom one heeds.
func (m *member) heeds(sp *vault.Space, s *dialogue.SignedWitness) (bool, error) {
	if m.byCard(s) {
		return true, nil
	}
	if !slices.Contains(m.acct.Away.Heed.Seats, s.Witness.Author) {
		return false, nil
	}
	known, err := m.heedsBy(sp)
	return isBy(s, known), err
}

// sawHeeded keeps a witness on the way back. Where a Welcome was passed over, the
// door is read again: it may be the one.
func (m *member) sawHeeded(content []byte) error {
	s, err := dialogue.ParseWitness(content)
	if err != nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.acct.Away == nil || m.log != nil || !m.wary() ||
		slices.ContainsFunc(m.witnesses, func(o *dialogue.SignedWitness) bool { return bytes.Equal(o.Signature, s.Signature) }) {
		return nil
	}
	var heeds bool
	err = m.view(func(sp *vault.Space) (err error) {
		heeds, err = m.heeds(sp, s)
		return err
	})
	if err != nil || !heeds {
		return err
	}
	m.witnesses = slices.DeleteFunc(m.witnesses, func(o *dialogue.SignedWitness) bool {
		return o.Witness.Author == s.Witness.Author && o.Witness.Package == s.Witness.Package
	})
	m.witnesses = append(m.witnesses[max(0, len(m.witnesses)-maxWitnesses+1):], s)
	if m.heededMore = m.heededMore || m.passedOver; m.door != nil {
		m.doorCells = m.door.cells()
	}
	return nil
}

// readAgain has the door read from its beginning where a Welcome was passed over
// and a witness came since. Whoever makes witnesses that one heeds can make them
// without end, so that is at most once a minute, and so many cells a minute. m.mu
// is held.
func (m *member) readAgain() {
	if !m.isToReadAgain() {
		return
	}
	m.door, m.passedOver, m.heededMore = nil, false, false
	m.doorAgain = m.c.opt.Now().Add(time.Duration(1+m.doorCells/besideCells) * time.Minute)
}

func (m *member) isToReadAgain() bool {
	return m.log == nil && m.passedOver && m.heededMore && !m.c.opt.Now().Before(m.doorAgain)
}
