package client

import (
	"bytes"
	"errors"
	"reflect"
	"slices"

	"parley/channel"
	"parley/dialogue"
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

// holdOn keeps an entry that was folded.
func (m *member) holdOn(sp *vault.Space, place channel.Place, e dialogue.Entry) error {
	if !m.undecided() || e.Room != dialogue.Plenary {
		return nil // side rooms' entries change nothing that charters tell
	}
	return m.putHeld(sp, place, wordless(e))
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
		if err := m.putHeld(sp, h.place(), wordless(e)); err != nil {
			return err
		}
	}
	return nil
}

// settle ends the doubt about the past: what was kept for it goes.
func (m *member) settle(sp *vault.Space) error {
	m.acct.Settled, m.acct.Pasts = true, nil
	return errors.Join(sp.DeletePrefix([]byte(keyHeld)), sp.DeletePrefix([]byte(keyPast)))
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
	if m.acct.Settled || side == m.me().Side || slices.Contains(m.acct.Vouched, side) {
		return nil
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
	s, err := dialogue.ParseState(c.Skeleton)
	if err != nil || hashOf(c.Skeleton) != c.Hash || !s.Seated(m.acct.Me) || !s.Seated(n.By) || s.Epoch != c.Base {
		return nil
	}
	p.Whole = true
	return sp.Put(pastKey(c.Hash), c.Skeleton)
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
// counts from now on. ErrNoCharter: that party told none, or there is nothing to
// choose; ErrWaiting: it told only that it was otherwise; ErrCharter: what it
// told can't have led to what is there.
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
		err = m.update(func(sp *vault.Space) error { return m.foldAgain(sp, p) })
	}
	m.toPost.ring()
	m.changed(dialogue.Plenary)
	return err
}

// foldAgain makes another past the one taken.
func (m *member) foldAgain(sp *vault.Space, p past) error {
	s, err := skeletonAt(sp, pastKey(p.Hash))
	if err != nil {
		return err
	}
	if err := sp.Put(numbered(keySkeleton, m.acct.Base), s.Marshal()); err != nil {
		return err
	}
	held, err := m.heldEntries(sp)
	if err != nil {
		return err
	}
	for i := range held {
		e, err := held[i].entry()
		if err != nil {
			return err
		}
		epoch := s.Epoch
		if s, _ = dialogue.Apply(s, e); s.Epoch != epoch && len(e.Commit.Adds) > 0 {
			if err := sp.Put(numbered(keySkeleton, s.Epoch), s.Marshal()); err != nil {
				return err
			}
		}
	}
	if s.Epoch != m.log.Epoch() {
		return ErrCharter
	}
	m.state, m.stored, m.acct.Vouched = s, s.Marshal(), p.Parties
	return errors.Join(sp.Put([]byte(keyState), m.stored), m.settle(sp))
}
