//go:build rogue

package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/mls"
	"parley/relay"
	"parley/vault"
)

// The moves of a Rogue. Each works on its only dialogue, and gives
// ErrNotSeated while it is not in the room.

func (r *Rogue) act(f func(m *member, sp *vault.Space) error) error {
	m := r.c.only()
	if m == nil {
		return ErrNotSeated
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.seated(); err != nil {
		return err
	}
	if m.me() == nil {
		return ErrNotSeated
	}
	err := m.update(func(sp *vault.Space) error { return f(m, sp) })
	m.toPost.ring()
	return err
}

// only is a client's only dialogue, or nil.
func (c *Client) only() *member {
	if l := c.all(); len(l) > 0 {
		return l[0]
	}
	return nil
}

// Commit commits at once: it removes whom it is told to, due or not, and
// carries out nothing else. It gives ErrWaiting while another commit is on its
// way: who forgets one that the log took stays behind alone.
func (r *Rogue) Commit(room dialogue.Room, removes ...dialogue.SeatID) error {
	return r.act(func(m *member, sp *vault.Space) error {
		var content mls.CommitContent
		for _, id := range removes {
			leaf, in := m.leaf(room, id)
			if !in {
				return ErrNoSeat
			}
			content.Removes = append(content.Removes, leaf)
		}
		commits := func(it *item) bool { return it.Kind == itemCommit && it.Room == room }
		if slices.ContainsFunc(m.out, func(it *item) bool { return commits(it) && it.Stage == stageHead }) {
			return ErrWaiting
		}
		if err := m.dropAll(sp, commits); err != nil {
			return err
		}
		if err := m.stageAny(sp, room, content, mls.Spoil{}, false); err != nil {
			return err
		}
		return m.make(sp) // at once: what it reads next may make another's count
	})
}

// Put puts any event into a room, whatever the rules say of it.
func (r *Rogue) Put(room dialogue.Room, k dialogue.Kind, body any) error {
	return r.act(func(m *member, sp *vault.Space) error {
		e := dialogue.NewEvent(k, m.c.minute(), body)
		return m.enqueue(sp, &item{Kind: itemEvent, Room: room, Event: e.Marshal()})
	})
}

// Twin says two things under one id.
func (r *Rogue) Twin(room dialogue.Room, one, other string) error {
	return r.act(func(m *member, sp *vault.Space) error {
		e := dialogue.NewEvent(dialogue.KindSay, m.c.minute(), dialogue.Say{Text: one})
		f := e
		f.Body = wire.Marshal(dialogue.Say{Text: other})
		return errors.Join(
			m.enqueue(sp, &item{Kind: itemEvent, Room: room, Event: e.Marshal()}),
			m.enqueue(sp, &item{Kind: itemEvent, Room: room, Event: f.Marshal()}))
	})
}

// Lie says something under a false header.
func (r *Rogue) Lie(room dialogue.Room, text string, lie channel.Contradiction) error {
	return r.act(func(m *member, sp *vault.Space) error {
		if !m.caughtUp || m.canWrite(room) != WhyNone {
			return ErrWaiting
		}
		e := dialogue.NewEvent(dialogue.KindSay, m.c.minute(), dialogue.Say{Text: text})
		cell, delta, err := m.log.SealLying(channel.Room(room), m.c.minute(), e.Marshal(), lie)
		if err != nil {
			return err
		}
		it := &item{Kind: itemEvent, Room: room, Event: e.Marshal(), Stage: stageHead}
		if err := errors.Join(apply(sp, delta), m.enqueue(sp, it), m.addCells(sp, it, *cell)); err != nil {
			return err
		}
		m.made(delta, it.Cells[0])
		return m.saveItem(sp, it)
	})
}

// Forge speaks on the next generation of somebody else's ratchet.
func (r *Rogue) Forge(ctx context.Context, room dialogue.Room, as dialogue.SeatID, text string) error {
	return r.append(ctx, func(m *member) (*relay.Cell, error) {
		leaf, in := m.leaf(room, as)
		if !in {
			return nil, ErrNoSeat
		}
		e := dialogue.NewEvent(dialogue.KindSay, m.c.minute(), dialogue.Say{Text: text})
		return m.log.ForgeAs(channel.Room(room), leaf, m.c.minute(), e.Marshal())
	})
}

// Nonsense puts into a room what nobody can read.
func (r *Rogue) Nonsense(ctx context.Context, room dialogue.Room) error {
	return r.append(ctx, func(m *member) (*relay.Cell, error) { return m.log.Nonsense(channel.Room(room)) })
}

// Again seals once more what somebody made before, of this box or an earlier
// one: n says which.
func (r *Rogue) Again(ctx context.Context, n int) error {
	return r.append(ctx, func(m *member) (*relay.Cell, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.loot) == 0 {
			return nil, ErrNotSeated
		}
		return m.log.SealAgain(r.loot[n%len(r.loot)])
	})
}

// Overtake seals once more what a cell carries that is not in the log yet, for a
// relay that lays it before that cell. It is nil where the rogue can't.
func (r *Rogue) Overtake(c *relay.Cell) *relay.Cell {
	m := r.c.only()
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seated() != nil || m.own[sha256.Sum256(c[:])] != nil {
		return nil
	}
	loot := m.log.Spy(c)
	if loot == nil {
		return nil
	}
	if n := int(c[1]) % (len(alterations) + 1); n < len(alterations) {
		loot = cmp.Or(m.log.Altered(loot, alterations[n]), loot)
	}
	first, err := m.log.SealAgain(loot)
	if err != nil {
		return nil
	}
	return first
}

// append puts a cell into the box that lives, past its own outbox.
func (r *Rogue) append(ctx context.Context, f func(*member) (*relay.Cell, error)) error {
	m := r.c.only()
	if m == nil {
		return ErrNotSeated
	}
	m.mu.Lock()
	if err := m.seated(); err != nil {
		m.mu.Unlock()
		return err
	}
	box := m.log.Box()
	cell, err := f(m)
	m.mu.Unlock()
	if err != nil {
		return err
	}
	return r.post(ctx, m, box, cell)
}

func (r *Rogue) post(ctx context.Context, m *member, box *relay.Box, cell *relay.Cell) error {
	at, err := m.relay()
	if err != nil {
		return err
	}
	_, err = at.Do(ctx, relay.Exchange{Box: box, Append: cell, Mode: relay.Mode1})
	return err
}

// Destroy asks the relay to destroy the box that lives, and all that it knows of
// before. It opens the box that lives with no idle days, too, and destroys that.
func (r *Rogue) Destroy(ctx context.Context) error {
	m := r.c.only()
	if m == nil {
		return ErrNotSeated
	}
	loose, boxes, err := m.boxesToDestroy()
	if err != nil {
		return err
	}
	if err := r.post(ctx, m, loose, new(relay.Cell)); err != nil {
		return err
	}
	at, err := m.relay()
	if err != nil {
		return err
	}
	for _, b := range append(boxes, loose) {
		at.Destroy(ctx, b) // whatever comes of it
	}
	return nil
}

// boxesToDestroy are the box that lives, with no idle days and as it is, and
// those before.
func (m *member) boxesToDestroy() (loose *relay.Box, boxes []*relay.Box, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.seated(); err != nil {
		return nil, nil, err
	}
	t, live := m.acct.Terms, m.log.BoxKey()
	boxes = []*relay.Box{live.Box(t.Retention, t.Idle)}
	err = m.view(func(sp *vault.Space) error {
		for old, err := range eachOldBox(sp) {
			if err != nil {
				return err
			}
			boxes = append(boxes, boxKey(old.Key).Box(t.Retention, t.Idle))
		}
		return nil
	})
	return live.Box(t.Retention, 0), boxes, err
}

// Mislead puts false witnesses beside others' Welcomes, of seats that use their
// cards, and of the latest that came in.
func (r *Rogue) Mislead(seats ...dialogue.SeatID) error {
	return r.act(func(m *member, sp *vault.Space) error {
		r.mu.Lock()
		for _, x := range m.acct.LetIn {
			if !slices.ContainsFunc(r.letIn, func(y letIn) bool { return y.Package == x.Package }) {
				r.letIn = append(r.letIn[max(0, len(r.letIn)-maxLetIn):], x)
			}
		}
		l := slices.Clone(r.letIn)
		r.mu.Unlock()
		for _, id := range seats {
			if x := m.state.Seat(id); x != nil && x.Box != (dialogue.Key{}) {
				l = append(l, letIn{Seat: id, Package: x.Package, Beside: inCardBox(x.Box), Epoch: x.Cards})
			}
		}
		for _, x := range l {
			x.Tag = make([]byte, 48)
			if err := m.putWitness(sp, &x); err != nil {
				return err
			}
		}
		return nil
	})
}

// Fill fills a box with noise that has room: one of the cards that wait, or of a
// seat's doors.
func (r *Rogue) Fill(ctx context.Context, whose dialogue.SeatID) error {
	m := r.c.only()
	if m == nil {
		return ErrNotSeated
	}
	m.mu.Lock()
	var cards, doors []parcelItem
	if m.seated() == nil {
		for x := range m.cards() {
			if x.Status == dialogue.Invited || x.Status == dialogue.Arrived {
				cards = append(cards, inCardBox(x.Box))
			}
			if x.ID == whose {
				for _, d := range x.Doors {
					doors = append(doors, atDoor(d))
				}
			}
		}
	}
	m.mu.Unlock()
	for _, of := range append(cards, doors...) {
		if r.fill(ctx, m, of.at(0)) {
			return nil
		}
	}
	return ErrNoSeat
}

// fill fills one box, and tells whether there was room.
func (r *Rogue) fill(ctx context.Context, m *member, box *relay.Box) bool {
	var all sync.WaitGroup
	var room atomic.Bool
	for range 16 {
		all.Go(func() {
			for breaks := 0; breaks < 100; { // of the network
				var noise relay.Cell
				rand.Read(noise[:])
				switch err := r.post(ctx, m, box, &noise); {
				case errors.Is(err, relay.ErrFull):
					return
				case err != nil:
					breaks++
				default:
					room.Store(true)
				}
			}
		})
	}
	all.Wait()
	return room.Load()
}

// Accuse posts at its own door, as if it could not follow, and names others.
// Its vault waits for the answers, each of which lets it in anew.
func (r *Rogue) Accuse(named ...dialogue.SeatID) error {
	return r.act(func(m *member, sp *vault.Space) error {
		if m.acct.Away == nil {
			m.acct.Away = &away{Since: m.c.minute()}
		}
		a := m.acct.Away
		a.holdKeys(m.log.Signers(channel.Plenary))
		for _, id := range named {
			a.By = id
			if err := m.postReturn(sp); err != nil {
				return err
			}
		}
		return nil
	})
}

// UseCard posts with a card that it made, as if it held it.
func (r *Rogue) UseCard(text string) error {
	k, err := parseCard(text)
	if err != nil {
		return err
	}
	return r.act(func(m *member, sp *vault.Space) error {
		_, content, _, err := m.c.newPost(k, m.state.RulesHash())
		if err != nil {
			return err
		}
		return m.queueParcel(sp, inCardBox(k.boxKey()), channel.ParcelPost, content)
	})
}

// An Insight is where a client stands in its dialogue, for simulations to hold
// against others that stand at the same place.
type Insight struct {
	Place         channel.Place
	Authenticator string // of the plenary's epoch
	Skeleton      dialogue.Hash
	Key           string // of the member, as the plenary knows it
	Sure          bool   // all have confirmed the past that it was told, and nobody tells another
	Doubt         bool   // it may leave again, because of a past that nobody confirmed
	Quiet         bool   // nothing of the member's own is on its way
	Group         string // id of the plenary's: a room that was founded again is another
	Stay          string // the member's, in the room
	Base          uint64 // the epoch with which it began
	Side          bool   // the member is in its side room
}

// Insight is a client's, on its only dialogue; false while it is not in the
// room, or does not know the past.
func (c *Client) Insight() (Insight, bool) {
	m := c.only()
	if m == nil {
		return Insight{}, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seated() != nil || m.awaitsCharter() {
		return Insight{}, false
	}
	me := m.me()
	return Insight{
		Group: string(m.log.Group(channel.Plenary)), Stay: m.stay(), Base: m.acct.Base, Side: me != nil && me.Side != 0 && m.log.In(channel.Room(m.myRoom())),
		Place: m.log.Here(), Authenticator: string(m.log.Authenticator()), Skeleton: m.state.Digest(),
		Key: string(m.log.SignatureKey(channel.Plenary)), Sure: me != nil && len(m.unconfirmed()) == 0 && len(m.charters()) == 0, Doubt: m.inDoubt(), Quiet: len(m.out) == 0,
	}, true
}
