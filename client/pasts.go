package client

import (
	"bytes"
	"errors"
	"reflect"
	"slices"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/mls"
	"parley/vault"
)

// A newcomer goes on with the first charter that it was given. Until two parties
// gave the same, or its person chose, it keeps what it needs to fold all of it
// again from another: the entries, without anybody's words.

// A past is a charter for oneself that differs from the one taken.
type past struct {
	_       struct{} `cbor:",toarray"`
	Hash    dialogue.Hash
	Parties []dialogue.SideID // who gave it
	Whole   bool              // the skeleton itself was given
}

func pastKey(h dialogue.Hash) []byte { return append([]byte(keyPast), h[:]...) }

// undecided tells whether another past may yet have to take the place of the
// one taken.
func (m *member) undecided() bool {
	return m.acct.Base > 0 && m.acct.Standing == StandingIn && !m.acct.Settled
}

// holdsBack tells whether one makes no commit, because by a false past it would be
// one against the rules: while one was told pasts that differ, and has not
// chosen, or one that nobody else has confirmed, for a while: who is there answers
// at once.
func (m *member) holdsBack() bool {
	return m.contested() || m.inDoubt() || m.unbacked() && m.elsewhere() || m.unbacked() && m.c.minute() < m.acct.Told+doubtWait
}

// unbacked tells whether somebody has still to confirm the past taken.
func (m *member) unbacked() bool { return m.undecided() && len(m.unconfirmed()) > 0 }

// contested tells whether one was told pasts that differ, and has not chosen.
func (m *member) contested() bool { return m.undecided() && len(m.acct.Pasts) > 0 }

// holdOn keeps an entry that was folded.
func (m *member) holdOn(sp *vault.Space, place channel.Place, e dialogue.Entry) error {
	if !m.undecided() || e.Room != dialogue.Plenary {
		return nil // side rooms' entries change nothing that charters tell
	}
	return m.putHeld(sp, place, 0, wordless(e))
}

// wordless leaves of a message only that its author was heard.
func wordless(e dialogue.Entry) dialogue.Entry {
	if e.Event != nil && e.Event.Kind == dialogue.KindSay && e.Event.Time > 0 {
		e.Update, e.Event = e.Event.Time, nil
	}
	return e
}

// keepHeld keeps, of the entries that waited for the charter, what folds again.
func (m *member) keepHeld(sp *vault.Space, held []heldEntry) error {
	if err := sp.DeletePrefix([]byte(keyHeld)); err != nil || m.acct.Settled {
		return err
	}
	for _, h := range held {
		e, err := h.entry()
		if err != nil {
			return err
		}
		if e.Room != dialogue.Plenary {
			continue
		}
		if err := m.putHeld(sp, h.place(), 0, wordless(e)); err != nil {
			return err
		}
	}
	return nil
}

// settle ends the doubt about the past: what was kept for it goes.
func (m *member) settle(sp *vault.Space) error {
	m.acct.Settled, m.acct.Pasts, m.acct.Unsure = true, nil, false
	m.acct.Tree, m.acct.Keys, m.acct.Refused = nil, nil, 0
	m.sure, m.beside = nil, nil // witnesses are judged anew by what is sure now
	return errors.Join(sp.DeletePrefix([]byte(keyHeld)), sp.DeletePrefix([]byte(keyPast)), sp.Delete([]byte(keyConfirmed)))
}

// confirmed is what one knows of the room by oneself, or by a charter that was
// confirmed: who told a false past must not make the true one look false on
// coming back. Nil where that is nothing.
func (m *member) confirmed() *dialogue.State {
	if !m.acct.Unsure {
		return m.state
	}
	return m.sure
}

// knownAt is a skeleton that may be missing: nil.
func knownAt(sp *vault.Space, key string) (*dialogue.State, error) {
	s, err := skeletonAt(sp, []byte(key))
	if errors.Is(err, vault.ErrNotFound) {
		return nil, nil
	}
	return s, err
}

// putKnown keeps a skeleton for knownAt, or that there is none.
func putKnown(sp *vault.Space, key string, s *dialogue.State) error {
	if s == nil {
		return sp.Delete([]byte(key))
	}
	return sp.Put([]byte(key), s.Marshal())
}

// keepSure keeps what is confirmed while the skeleton is not.
func (m *member) keepSure(sp *vault.Space, s *dialogue.State) error {
	m.sure = s
	return putKnown(sp, keyConfirmed, s)
}

// keepConfirmed keeps it when a charter takes its place.
func (m *member) keepConfirmed(sp *vault.Space) error {
	if m.acct.Unsure {
		return nil
	}
	m.acct.Unsure = true
	return m.keepSure(sp, m.state)
}

// doubtWait is how long others have to confirm a past before one commits by it,
// or, where it refused a commit, leaves.
const doubtWait = 5 // minutes

// refused takes note of a commit that was refused.
func (m *member) refused(r dialogue.Room) {
	if r == dialogue.Plenary && m.acct.Refused == 0 && !m.acct.Settled {
		m.acct.Refused = m.c.minute()
	}
}

// inDoubt tells whether a commit was refused by a past that nobody else has
// confirmed since: everybody else may have followed it.
func (m *member) inDoubt() bool {
	return m.acct.Refused > 0 && !m.contested() && m.unbacked()
}

// leftInDoubt leaves a room where one is in doubt for long. The door leads to
// where the others are.
func (m *member) leftInDoubt() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.log == nil || !m.caughtUp || !m.inDoubt() || m.c.minute() < m.acct.Refused+doubtWait {
		return nil
	}
	return m.update(func(sp *vault.Space) error { return m.lose(sp, LossCharter, dialogue.SeatID{}) })
}

// keepKeys keeps the keys of an epoch that one leaves: if the past that leads on
// is false, the room knows one by such a key.
func (m *member) keepKeys(keys []*mls.SignatureKey) {
	for _, k := range keys {
		m.acct.Keys = append(m.acct.Keys, k.Bytes())
	}
	m.acct.Keys = m.acct.Keys[max(0, len(m.acct.Keys)-dialogue.MaxReturnKeys):]
}

// unblame takes back alarms, and their lines, which have the same numbers.
func (m *member) unblame(sp *vault.Space, which func(seq uint64, r *record) bool) error {
	back := map[uint64]dialogue.EventID{}
	for p, err := range scan(sp, []byte(keyAlarm), scanOptions{}) {
		if err != nil {
			return err
		}
		r, err := parseRecord(p.Value)
		if err != nil {
			return err
		}
		if seq := wire.NewReader(p.Key[len(keyAlarm):]).U64(); which(seq, r) {
			back[seq] = r.ID
		}
	}
	for seq, id := range back {
		if err := sp.Delete(numbered(keyAlarm, seq)); err != nil {
			return err
		}
		for r := range dialogue.Room(maxRooms) { // an attempt may be of any
			if err := deleteLine(sp, r, seq, id); err != nil {
				return err
			}
		}
	}
	m.forgetRecent()
	return m.loadAlarms(sp)
}

// disputed takes note of a charter that differs from one's own: of one for
// others, so that one's party gives them the whole; of one for oneself, so that
// the person can choose. Each party's first counts.
func (m *member) disputed(sp *vault.Space, n dialogue.Note, c dialogue.Charter) error {
	if c.Base != m.acct.Base {
		if !slices.Contains(m.acct.Disputed, c.Base) {
			m.acct.Disputed = append(m.acct.Disputed[max(0, len(m.acct.Disputed)-maxDisputed+1):], c.Base)
		}
		return nil
	}
	side := m.sideOf(n.By)
	if m.acct.Settled || slices.Contains(m.acct.Vouched, side) {
		return nil
	}
	s, err := dialogue.ParseState(c.Skeleton)
	whole := err == nil && hashOf(c.Skeleton) == c.Hash
	if whole {
		if fits, err := m.fits(s); !fits || err != nil {
			return err
		}
	}
	i := slices.IndexFunc(m.acct.Pasts, func(p past) bool { return p.Hash == c.Hash })
	given := slices.ContainsFunc(m.acct.Pasts, func(p past) bool { return slices.Contains(p.Parties, side) })
	switch {
	case given && (i < 0 || !slices.Contains(m.acct.Pasts[i].Parties, side)):
		return nil
	case i < 0:
		m.acct.Pasts, i = append(m.acct.Pasts, past{Hash: c.Hash}), len(m.acct.Pasts)
	}
	p := &m.acct.Pasts[i]
	if !given {
		p.Parties = append(p.Parties, side)
	}
	if !whole || !s.Seated(m.acct.Me) || !s.Seated(n.By) || s.Epoch != c.Base {
		return nil
	}
	p.Whole = true
	return sp.Put(pastKey(c.Hash), c.Skeleton)
}

// toldOtherwise hears whom the past taken has no say: a false one would say so of
// who knows better.
func (m *member) toldOtherwise(sp *vault.Space, n dialogue.Note, e dialogue.Entry) error {
	if n.What != dialogue.KindCharter || !m.undecided() || m.state.Seat(n.By) == nil {
		return nil
	}
	c, ok := decodeBody[dialogue.Charter](*e.Event)
	if !ok || c.Base != m.acct.Base {
		return nil
	}
	b, err := toTell(sp, c.Base)
	if b == nil || err != nil || hashOf(b) == c.Hash {
		return err
	}
	return m.disputed(sp, n, c)
}

// maxDisputed is for how many bases it is remembered that they are disputed.
const maxDisputed = 16

// charters shows the pasts that differ, the one taken first; nil where none do.
func (m *member) charters() (l []Charter) {
	if !m.undecided() || len(m.acct.Pasts) == 0 {
		return nil
	}
	taken := Charter{Parties: m.sideNames(m.acct.Vouched), Taken: true, Told: true}
	if len(m.acct.Vouched) > 0 {
		taken.Party = m.acct.Vouched[0]
	}
	l = []Charter{taken}
	err := m.view(func(sp *vault.Space) error {
		own, err := skeletonAt(sp, numbered(keySkeleton, m.acct.Base))
		if err != nil {
			return err
		}
		for _, p := range m.acct.Pasts {
			c := Charter{Party: p.Parties[0], Parties: m.sideNames(p.Parties), Told: p.Whole}
			if p.Whole {
				other, err := skeletonAt(sp, pastKey(p.Hash))
				if err != nil {
					return err
				}
				c.Differences = differences(own, other)
			}
			l = append(l, c)
		}
		return nil
	})
	if err != nil {
		m.problem = err
	}
	return l
}

func skeletonAt(sp *vault.Space, key []byte) (*dialogue.State, error) {
	b, err := sp.Get(key)
	if err != nil {
		return nil, err
	}
	return dialogue.ParseState(b)
}

// differences says in what another past differs from the one taken.
func differences(taken, other *dialogue.State) (l []Difference) {
	if !slices.Equal(taken.SideNames(), other.SideNames()) {
		l = append(l, Difference{Kind: DifferenceSides})
	}
	if taken.Rules != other.Rules {
		l = append(l, Difference{Kind: DifferenceRules})
	}
	add := func(k DifferenceKind, s *dialogue.State, x *dialogue.Seat) {
		l = append(l, Difference{Kind: k, Name: x.Name, Side: s.SideName(x.Side)})
	}
	for i := range other.Seats {
		x := &other.Seats[i]
		switch y := taken.Seat(x.ID); {
		case x.Status == dialogue.In && !taken.Seated(x.ID):
			add(DifferenceMore, other, x)
		case x.Status != dialogue.In && taken.Seated(x.ID):
			add(DifferenceLess, other, x)
		case y == nil || y.Name != x.Name || y.Side != x.Side || y.Capacity != x.Capacity || y.Role != x.Role || y.Status != x.Status ||
			y.Due != x.Due || !bytes.Equal(y.Key, x.Key) || y.IsVerified() != x.IsVerified():
			add(DifferenceSeat, other, x)
		}
	}
	for i := range taken.Seats {
		if x := &taken.Seats[i]; other.Seat(x.ID) == nil {
			kind := DifferenceSeat
			if x.Status == dialogue.In {
				kind = DifferenceLess
			}
			add(kind, taken, x)
		}
	}
	if len(l) == 0 && !reflect.DeepEqual(taken, other) {
		l = append(l, Difference{Kind: DifferenceRest})
	}
	return l
}

// ChooseCharter decides between pasts that differ: the one that a party told
// counts from now on. Where this vault did not follow what counted by it, it
// loses the room, and comes back by its door. ErrNoCharter: that party told none,
// or there is nothing to choose; ErrWaiting: it told only that it was otherwise.
func (c *Client) ChooseCharter(id ID, party dialogue.SideID) error {
	m, err := c.member(id)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.seated(); err != nil {
		return err
	}
	if !m.undecided() || len(m.acct.Pasts) == 0 {
		return ErrNoCharter
	}
	if slices.Contains(m.acct.Vouched, party) {
		err = m.update(m.settle)
	} else {
		i := slices.IndexFunc(m.acct.Pasts, func(p past) bool { return slices.Contains(p.Parties, party) })
		switch {
		case i < 0:
			return ErrNoCharter
		case !m.acct.Pasts[i].Whole:
			return ErrWaiting
		}
		p := m.acct.Pasts[i]
		err = m.update(func(sp *vault.Space) error {
			held, err := m.heldEntries(sp)
			if err != nil {
				return err
			}
			if err := m.foldAgain(sp, p, held); err != nil || m.state.Epoch == m.log.Epoch() {
				return err
			}
			// By the past that was taken first, commits that count were none, or
			// others counted: that room is lost, and the door leads to the other.
			return m.lose(sp, LossCharter, dialogue.SeatID{})
		})
	}
	m.toPost.ring()
	m.changed(dialogue.Plenary)
	return err
}

// foldAgain makes another past the one taken.
func (m *member) foldAgain(sp *vault.Space, p past, held []heldEntry) error {
	s, err := skeletonAt(sp, pastKey(p.Hash))
	if err != nil {
		return err
	}
	if err := sp.Put(numbered(keySkeleton, m.acct.Base), s.Marshal()); err != nil {
		return err
	}
	var guilty []dialogue.SeatID
	for i := range held {
		e, err := held[i].entry()
		if err != nil {
			return err
		}
		epoch := s.Epoch
		var notes []dialogue.Note
		if s, notes = dialogue.Apply(s, e); attempted(notes) {
			guilty = append(guilty, e.Author)
		}
		if s.Epoch != epoch && len(e.Commit.Adds) > 0 {
			if err := sp.Put(numbered(keySkeleton, s.Epoch), s.Marshal()); err != nil {
				return err
			}
		}
	}
	m.state, m.stored, m.acct.Vouched = s, s.Marshal(), p.Parties
	return errors.Join(sp.Put([]byte(keyState), m.stored), m.blameAgain(sp, held, guilty), m.settle(sp))
}

// blameAgain turns the alarms of what goes by one's past when another is taken:
// who told that one, or those who came in later what follows from it, is not to
// be blamed, and who told another is; of those whose commits were refused, only
// the guilty are.
func (m *member) blameAgain(sp *vault.Space, held []heldEntry, guilty []dialogue.SeatID) error {
	right, wrong := map[dialogue.EventID]bool{}, map[dialogue.EventID]*heldEntry{}
	for i := range held {
		h := &held[i]
		c, ok := h.charter()
		if !ok {
			continue
		}
		b, err := toTell(sp, c.Base)
		if b == nil && err == nil {
			continue
		}
		event, perr := dialogue.ParseEvent(h.Event)
		if err := errors.Join(err, perr); err != nil {
			return err
		}
		if id := event.ID(h.Author); agrees(c, b) {
			right[id] = true
		} else {
			wrong[id] = h
		}
	}
	if err := m.unblame(sp, func(seq uint64, r *record) bool {
		delete(wrong, r.ID)
		return r.Note == dialogue.NoteCharter && right[r.ID] ||
			r.Note == dialogue.NoteAttempt && seq >= m.acct.Judged && !slices.Contains(guilty, r.Seat)
	}); err != nil {
		return err
	}
	for _, h := range wrong {
		if err := m.falsePast(sp, h); err != nil {
			return err
		}
	}
	return nil
}
