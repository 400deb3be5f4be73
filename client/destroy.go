package client

import (
	"context"
	"errors"
	"iter"
	"time"

	"parley/dialogue"
	"parley/internal/wire"
	"parley/relay"
	"parley/vault"
)

// A box of the chain that was read to its end is destroyed, so that what the
// host kept of it can't be read any more by who takes its disk later. Every
// client that read it does so once it has been idle for the days that its id
// fixes: the days to sleep and two more. By then, who has not read it sleeps, and
// returns by the door. The relay holds everybody to these days, whoever has a
// box's key. The boxes of cards and of files only expire: their idle days are
// their retention.

// destroyEvery is how often old boxes are looked at, and how long to leave one
// that the relay calls in use: somebody who has its key adds noise to it.
const destroyEvery = time.Hour

// An oldBox is a box of the chain that this vault has read to its end. Its key
// opens no cell: that takes the secrets of its epoch, too, and they are gone.
type oldBox struct {
	_    struct{} `cbor:",toarray"`
	Key  dialogue.Key
	Left uint64 // when it was left, by this computer's clock: minutes since 1970
	Next uint64 // not to be tried before
}

func oldKey(id relay.BoxID) []byte { return append([]byte(keyOld), id[:]...) }

// passed notes that the chain has moved on from a box.
func (m *member) passed(sp *vault.Space, id relay.BoxID, key relay.BoxKey) error {
	if m.log == nil {
		return nil
	}
	now := m.c.minute()
	old := oldBox{Key: dialogue.Key(key.Bytes()), Left: now, Next: now + uint64(m.acct.Terms.Idle)*dialogue.MinutesPerDay}
	return sp.Put(oldKey(id), wire.Marshal(old))
}

// destroyOnce destroys what is due, then waits.
func (m *member) destroyOnce(ctx context.Context) error {
	if err := m.destroy(ctx); err != nil {
		return err
	}
	sleep(ctx, destroyEvery)
	return nil
}

// destroy destroys the old boxes that are due. Each is forgotten only after the
// relay has said that it is gone, so a crash, or a relay that can't be reached,
// only puts it off.
func (m *member) destroy(ctx context.Context) error {
	due, t, err := m.dueToDestroy()
	if err != nil || len(due) == 0 {
		return err
	}
	r, err := m.relay()
	if err != nil {
		return err
	}
	for _, old := range due {
		box := boxKey(old.Key).Box(t.Retention, t.Idle)
		err = r.Destroy(ctx, box)
		busy := errors.Is(err, relay.ErrNotIdle)
		if err != nil && !busy && !errors.Is(err, relay.ErrGone) {
			return err
		}
		if err := m.destroyed(box.ID(), old, busy && !m.expired(old, t)); err != nil {
			return err
		}
	}
	return nil
}

// eachOldBox gives those that are still to be destroyed.
func eachOldBox(sp *vault.Space) iter.Seq2[oldBox, error] {
	return func(yield func(oldBox, error) bool) {
		for p, err := range scan(sp, []byte(keyOld), scanOptions{}) {
			var old oldBox
			if err == nil {
				err = wire.Unmarshal(p.Value, &old, 1<<10)
			}
			if !yield(old, err) || err != nil {
				return
			}
		}
	}
}

func (m *member) dueToDestroy() (due []oldBox, t terms, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.acct.Standing != StandingIn || m.log == nil {
		return nil, t, nil
	}
	now := m.c.minute()
	err = m.view(func(sp *vault.Space) error {
		for old, err := range eachOldBox(sp) {
			if err != nil {
				return err
			}
			if now >= old.Next || old.Left > now+dialogue.MinutesPerDay { // or the clock was ahead
				due = append(due, old)
			}
		}
		return nil
	})
	return due, m.acct.Terms, err
}

// expired tells whether all cells that members put into a box have expired:
// what still lies there is noise.
func (m *member) expired(old oldBox, t terms) bool {
	return m.c.minute() >= old.Left+uint64(t.Retention+t.Idle)*dialogue.MinutesPerDay
}

// destroyed takes note of what became of a box: it is gone, or, where again is
// set, is to be tried again later.
func (m *member) destroyed(id relay.BoxID, old oldBox, again bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.update(func(sp *vault.Space) error {
		if there, err := has(sp, oldKey(id)); !there || err != nil {
			return err // one has been removed meanwhile
		}
		if !again {
			return sp.Delete(oldKey(id))
		}
		old.Next = m.c.minute() + uint64(destroyEvery/time.Minute)
		return sp.Put(oldKey(id), wire.Marshal(old))
	})
}
