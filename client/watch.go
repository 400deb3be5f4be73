package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/vault"
)

// The boxes of cards are watched: by who made a card closely, by everybody
// else now and then. What is seen there, a use or a further one, is reported
// to the log.

// A watch is what one knows of a card's box.
type watch struct {
	*parcelBox
	posts []dialogue.SignedPost
}

// How often a card's box is read: by who made the card, before the seat is
// taken and after; and by everybody else.
const (
	watchOwn   = 2 * time.Second
	watchTaken = 10 * time.Second
	watchEvery = 30 * time.Second
)

// watchSoon reads a card's box at once.
func (m *member) watchSoon(seat dialogue.SeatID) {
	for x := range m.cards() {
		if w := m.watched[x.Card]; w != nil && x.ID == seat {
			w.next = time.Time{}
		}
	}
	m.toLook.ring()
}

// lookAgain is when the next card's box is due to be read; 0 is never.
func (m *member) lookAgain() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seated() != nil {
		return 0
	}
	var next time.Duration
	for _, x := range m.toWatch() {
		wait := watchOwn
		if w := m.watched[x.Card]; w != nil {
			wait = max(w.next.Sub(m.c.opt.Now()), time.Millisecond)
			if w.behind.Load() {
				wait = time.Millisecond
			}
		}
		if next == 0 || wait < next {
			next = wait
		}
	}
	return next
}

// cards gives every seat, and once more as it would stand with each new card
// that was asked for.
func (m *member) cards() iter.Seq[*dialogue.Seat] {
	return func(yield func(*dialogue.Seat) bool) {
		for i := range m.state.Seats {
			x := &m.state.Seats[i]
			if !yield(x) {
				return
			}
			for j := range x.Replacements {
				y := x.WithCard(&x.Replacements[j])
				if !yield(&y) {
					return
				}
			}
		}
	}
}

// withCard is a seat as it stands with a card; nil where the card is void.
func (m *member) withCard(seat dialogue.SeatID, card dialogue.Key) *dialogue.Seat {
	for x := range m.cards() {
		if x.ID == seat && x.Card == card {
			return x
		}
	}
	return nil
}

// toWatch lists the seats whose card may yet be used, or used again.
func (m *member) toWatch() []dialogue.Seat {
	var l []dialogue.Seat
	now := m.c.minute()
	for x := range m.cards() {
		if x.Box != (dialogue.Key{}) && x.Status != dialogue.Revoked && now <= x.Expires+dialogue.MinutesPerDay {
			l = append(l, *x)
		}
	}
	return l
}

// watchCards reads the boxes of cards. all reads every one, whenever it was
// read last.
func (m *member) watchCards(ctx context.Context, all bool) error {
	m.looking.Lock()
	defer m.looking.Unlock()
	m.mu.Lock()
	if m.moreInCards = false; m.seated() != nil {
		m.mu.Unlock()
		return nil
	}
	seats := m.toWatch()
	now, more := m.c.opt.Now(), false
	m.mu.Unlock()
	for _, x := range seats {
		m.mu.Lock()
		w := m.watched[x.Card]
		if w == nil {
			w = &watch{parcelBox: newParcelBox(inCardBox(x.Box))}
			m.watched[x.Card] = w
		}
		due := all || w.due(now)
		w.next = now.Add(watchEvery)
		switch {
		case x.By == m.acct.Me && x.Status != dialogue.In:
			w.next = now.Add(watchOwn)
		case x.By == m.acct.Me:
			w.next = now.Add(watchTaken)
		}
		m.mu.Unlock()
		if due {
			if err := m.readCard(ctx, x, w); err != nil {
				return err
			}
		}
		more = more || w.behind.Load()
	}
	m.mu.Lock()
	m.moreInCards = more
	m.mu.Unlock()
	return nil
}

// readCard reads what is new in a card's box. m.looking is held: it guards w's
// place and parcels.
func (m *member) readCard(ctx context.Context, x dialogue.Seat, w *watch) error {
	r, err := m.relay()
	if err != nil {
		return err
	}
	return w.read(ctx, r, 0, func(p *channel.Parcel) error {
		if p.Kind != channel.ParcelPost {
			return nil
		}
		return m.sawPost(x, w, p.Content)
	})
}

// sawPost keeps a valid post of a card, the first with its key package.
func (m *member) sawPost(x dialogue.Seat, w *watch, content []byte) error {
	kept, err := m.keptPost(x)
	if err != nil {
		return err
	}
	known := bytes.Equal(kept, content) // and was found good: each start reads the boxes anew
	var p posted
	if wire.Unmarshal(content, &p, wire.MaxMessage) != nil || !known && !m.goodPost(x, &p) {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	h := p.Signed.Post.Hash()
	if len(w.posts) >= 8 || slices.ContainsFunc(w.posts, func(q dialogue.SignedPost) bool { return q.Post.Hash() == h }) {
		return nil
	}
	now := m.withCard(x.ID, x.Card)
	counts := now != nil && (now.Post == h || now.Status == dialogue.Invited && len(w.posts) == 0) // the first in the box is the one to report
	if counts && !known {
		if err := m.update(func(sp *vault.Space) error { return sp.Put(postKey(x.ID, x.Card), content) }); err != nil {
			return err
		}
	}
	w.posts = append(w.posts, p.Signed)
	return nil
}

// goodPost checks a post and its key package.
func (m *member) goodPost(x dialogue.Seat, p *posted) bool {
	if p.Signed.Post.Seat != x.ID || !p.Signed.Verify(x.Card) || hashOf(p.Package) != p.Signed.Post.KeyPackage {
		return false
	}
	_, err := m.c.packages.check(p.Package, x.ID)
	return err == nil
}

// keptPost is the post of a card that the vault holds, or nil.
func (m *member) keptPost(x dialogue.Seat) (content []byte, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	err = m.view(func(sp *vault.Space) (err error) {
		if content, err = sp.Get(postKey(x.ID, x.Card)); errors.Is(err, vault.ErrNotFound) {
			return nil
		}
		return err
	})
	return content, err
}

// report is the chore of telling the log what was seen in a card's box: its
// use, or a second use.
func (m *member) report(sp *vault.Space) error {
	for x := range m.cards() {
		if !m.unreported(x) {
			continue
		}
		kind, p := m.toReport(x)
		others := slices.DeleteFunc(m.state.Plan(dialogue.Plenary), func(id dialogue.SeatID) bool { return id == x.By })
		h := p.Post.Hash()
		if !m.myTurn(fmt.Sprintf("report %x", h[:]), append([]dialogue.SeatID{x.By}, others...), 0) {
			continue
		}
		if err := m.queueEvent(sp, kind, *p); err != nil {
			return err
		}
	}
	return nil
}

// toReport is what was seen of a card and the log does not have: its first
// use, or a further one, of which one is enough for the alarm.
func (m *member) toReport(x *dialogue.Seat) (dialogue.Kind, *dialogue.SignedPost) {
	w := m.watched[x.Card]
	if w == nil || len(w.posts) == 0 || x.Status == dialogue.Revoked {
		return 0, nil
	}
	if x.Status == dialogue.Invited {
		if m.c.minute() > x.Expires {
			return 0, nil
		}
		return dialogue.KindArrive, &w.posts[0]
	}
	for i := range w.posts {
		if w.posts[i].Post.Hash() != x.Post && len(x.Seconds) == 0 {
			return dialogue.KindSecondUse, &w.posts[i]
		}
	}
	return 0, nil
}

// unreported tells whether there is something to report of a card, and it
// does not wait in the outbox yet.
func (m *member) unreported(x *dialogue.Seat) bool {
	kind, p := m.toReport(x)
	return p != nil && m.wouldCount(kind, *p) && !m.outHas(kind, func(e dialogue.Event) bool {
		b, ok := decodeBody[dialogue.SignedPost](e)
		return ok && b.Post.Seat == x.ID
	})
}

// wouldCount asks the fold whether an event of one's own would count now: what
// it refuses (other rules were agreed to, log time is past the card's end, one
// is leaving oneself) would be told again and again, in vain.
func (m *member) wouldCount(k dialogue.Kind, body any) bool {
	e := dialogue.NewEvent(k, m.c.minute(), body)
	_, notes := dialogue.Apply(m.state, dialogue.Entry{Author: m.acct.Me, Event: &e})
	return !slices.ContainsFunc(notes, func(n dialogue.Note) bool { return n.Kind == dialogue.NoteRefused })
}

func decodeBody[T any](e dialogue.Event) (b T, ok bool) {
	ok = wire.Unmarshal(e.Body, &b, dialogue.MaxEvent) == nil
	return b, ok
}
