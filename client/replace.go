package client

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/vault"
)

// A new card for a seat whose computer is lost: somebody else asks for it, its
// holder posts as a newcomer does, two approve, and whoever commits takes the old
// leaf out and the new one in.

// Replace makes a new card for a seat that is held. expires is 0 for 72 hours.
// Nothing changes for the seat before two have approved who uses the card. It
// needs no network.
func (c *Client) Replace(ctx context.Context, id ID, seat dialogue.SeatID, expires time.Duration) (string, error) {
	m, err := c.member(id)
	if err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := errors.Join(m.seated(), m.outboxFull()); err != nil {
		return "", err
	}
	x := m.state.Seat(seat)
	if x == nil {
		return "", ErrNoSeat
	}
	k, err := m.newCard(seat, expires)
	if err != nil {
		return "", err
	}
	event := dialogue.NewEvent(dialogue.KindReplace, c.minute(), dialogue.Replace{
		Seat: seat, Box: k.boxKey(), Card: k.public(), Expires: k.expires,
	})
	if err := m.allowed(&event); err != nil {
		return "", err
	}
	shown := offer{
		Sides: m.state.SideNames(), Rules: m.state.Rules, Side: x.Side, Name: x.Name, Capacity: x.Capacity, Role: x.Role,
		Convenor: m.state.Seats[0].Name, Again: true,
	}
	return k.String(), m.issue(k, event, shown)
}

// announces tells whether the request for a new card waits in the outbox.
func (m *member) announces(k *card) bool {
	return m.outHas(dialogue.KindReplace, func(e dialogue.Event) bool {
		b, ok := decodeBody[dialogue.Replace](e)
		return ok && b.Card == k.public()
	})
}

// ApproveNew approves the new card of a seat whose holder made exactly that
// post. Where two have, the seat is theirs.
func (c *Client) ApproveNew(ctx context.Context, id ID, seat dialogue.SeatID, post dialogue.Hash) error {
	m, err := c.member(id)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.seated(); err != nil {
		return err
	}
	x := m.state.Seat(seat)
	if x == nil {
		return ErrNoSeat
	}
	return m.approveNew(x, &post)
}

// approveNew approves one post of a new card, the only one there is where post
// is nil. Where there is nothing to approve, there is nothing to do.
func (m *member) approveNew(x *dialogue.Seat, post *dialogue.Hash) error {
	var used []dialogue.Hash
	asked := false
	for _, r := range x.Replacements {
		asked = asked || !r.Void
		if r.Used() && !r.Void && !slices.Contains(r.Approved, m.acct.Me) && (post == nil || *post == r.Post) {
			used = append(used, r.Post)
		}
	}
	switch {
	case len(used) > 1:
		return ErrWhichCard
	case len(used) == 1 && m.outHas(dialogue.KindConsent, func(e dialogue.Event) bool {
		b, ok := decodeBody[dialogue.Consent](e)
		return ok && b.Post == used[0]
	}):
		return nil // it is on its way
	case len(used) == 1:
		return m.do(dialogue.KindConsent, dialogue.Consent{Seat: x.ID, Post: used[0]})
	case post != nil:
		return &RuleError{Reason: dialogue.ReasonState}
	case asked && !slices.ContainsFunc(x.Replacements, func(r dialogue.Replacement) bool { return slices.Contains(r.Approved, m.acct.Me) }):
		return ErrWaiting
	}
	return nil
}

// forgetPosts deletes what holders of cards of a seat posted that are void.
func (m *member) forgetPosts(sp *vault.Space, seat dialogue.SeatID) error {
	prefix := append([]byte(keyPost), seat[:]...)
	var over [][]byte
	for p, err := range scan(sp, prefix, scanOptions{}) {
		if err != nil {
			return err
		}
		var card dialogue.Key
		if copy(card[:], p.Key[len(prefix):]) != len(card) || m.withCard(seat, card) == nil {
			over = append(over, slices.Clone(p.Key))
		}
	}
	for _, key := range over {
		if err := sp.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// holdsSeat tells whether one sits in the dialogue with this vault.
func (m *member) holdsSeat() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.acct.Standing == StandingIn
}

// joinAnew has a vault that had the seat before wait for it with a new card.
// What was said before stays to be read, and its skeleton to hold the charter
// against; what its person wrote and nobody has read stays, too.
func (m *member) joinAnew(k *card, acct account, content []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.acct.Standing == StandingIn {
		return ErrSeatHere
	}
	err := m.update(func(sp *vault.Space) error {
		if err := m.leaveLog(sp); err != nil {
			return err
		}
		if err := m.dropAll(sp, func(it *item) bool { return !it.isSay() && !it.isWelcome(m) }); err != nil {
			return err
		}
		m.acct.Standing, m.acct.Joining, m.acct.Door, m.acct.Witness = StandingWaiting, acct.Joining, acct.Door, acct.Witness
		m.acct.Relay, m.acct.Terms, m.acct.Away, m.acct.Pasts = acct.Relay, acct.Terms, nil, nil
		return m.queueParcel(sp, inCardBox(k.boxKey()), channel.ParcelPost, content)
	})
	m.toPost.ring()
	m.toRead.ring()
	m.c.hub.publish(Change{})
	return err
}

// isSay tells whether an item is a message of its person.
func (it *item) isSay() bool {
	if it.Kind != itemEvent {
		return false
	}
	e, err := dialogue.ParseEvent(it.Event)
	return err == nil && e.Kind == dialogue.KindSay
}

// isWelcome tells whether an item may be a Welcome that only this vault has.
func (it *item) isWelcome(m *member) bool { return it.Kind == itemParcel && !m.isKnock(it) }

// replacements shows the new cards that were asked for a seat.
func (m *member) replacements(x *dialogue.Seat) (l []Replacement) {
	who := m.state.Approvers(x)
	me := m.me()
	for i := range x.Replacements {
		r := &x.Replacements[i]
		v := Replacement{
			By: m.nameOf(r.By), Mine: r.By == m.acct.Me, Expires: minuteTime(r.Expires), Expired: !r.Used() && m.c.minute() > r.Expires,
			Twice: r.Void, Used: r.Used(), HaveCard: r.By == m.acct.Me && !r.Used(),
		}
		for _, id := range r.Approved {
			v.Approved = append(v.Approved, m.nameOf(id))
		}
		v.Agreement = m.agreement(who.Missing(r.Approved))
		if r.Used() {
			v.Post, v.Words = r.Post, r.Post.Words(m.state.Rules.Language)
		}
		if m.seated() == nil && me != nil {
			v.MayApprove = r.Used() && !r.Void && who.Has(me.ID) && !slices.Contains(r.Approved, me.ID)
			v.MayWithdraw = v.Mine || m.sideOf(r.By) == me.Side && m.state.MayReplace(me.ID, x)
		}
		l = append(l, v)
	}
	return l
}

// agreement names who has to approve.
func (m *member) agreement(a dialogue.Approvers) Agreement {
	g := Agreement{Own: m.nameOf(a.Own), More: a.More}
	for _, id := range a.Others {
		g.Others = append(g.Others, m.nameOf(id))
	}
	return g
}

// mayReplace says who may ask for a new card for a seat, and what of its new
// cards this person may approve.
func (m *member) mayReplace(x *dialogue.Seat, may *SeatActions) {
	if x.Replaceable() {
		who := m.state.Approvers(x)
		may.Agree = m.agreement(who)
		asks := append([]dialogue.SeatID{m.state.Seats[0].ID, who.Own}, who.Others...)
		for i, id := range asks {
			if !slices.Contains(asks[:i], id) && m.state.MayReplace(id, x) {
				may.Replacers = append(may.Replacers, m.nameOf(id))
				may.Replace = may.Replace || id == m.acct.Me
			}
		}
	}
	may.ApproveNew = slices.ContainsFunc(m.replacements(x), func(r Replacement) bool { return r.MayApprove })
}

// ByWords finds, among the new cards of a seat that were used, the one with
// these four words.
func (s Seat) ByWords(words string) (Replacement, bool) {
	var found []Replacement
	for _, r := range s.Replacements {
		if r.Used && strings.EqualFold(strings.Join(r.Words, " "), strings.Join(strings.Fields(words), " ")) {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		return Replacement{}, false
	}
	return found[0], true
}
