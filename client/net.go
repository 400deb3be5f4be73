package client

import (
	"context"
	"errors"
	"sync"
	"time"

	"parley/dialogue"
	"parley/relay"
	"parley/vault"
)

// How long to wait for the relay, and between tries.
const (
	longWait   = 50 * time.Second
	choreWait  = 3 * time.Second // while a chore waits for its turn
	firstPause = 200 * time.Millisecond
	lastPause  = 15 * time.Second
)

// run keeps a dialogue in step until ctx ends: one loop reads, one posts, one
// looks into cards' boxes, one moves files, one deletes what is over, one
// destroys old boxes, one reads doors.
func (m *member) run(ctx context.Context) {
	var loops sync.WaitGroup
	for _, f := range []func(context.Context) error{m.readOnce, m.pushOnce, m.watchOnce, m.filesOnce, m.expireOnce, m.destroyOnce, m.doorsOnce} {
		loops.Go(func() { m.loop(ctx, f) })
	}
	loops.Wait()
}

// loop calls f again and again, more slowly while it fails.
func (m *member) loop(ctx context.Context, f func(context.Context) error) {
	pause := firstPause
	for ctx.Err() == nil {
		if err := f(ctx); err == nil {
			pause = firstPause
			continue
		} else if !m.failed(ctx, err) {
			return
		}
		sleep(ctx, pause)
		pause = min(2*pause, lastPause)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// failed takes note of an error, and tells whether trying again may help.
func (m *member) failed(ctx context.Context, err error) bool {
	if ctx.Err() != nil || errors.Is(err, vault.ErrClosed) {
		return false
	}
	if _, gone := m.c.member(m.id); gone != nil {
		return false
	}
	m.setOnline(false, err)
	return true
}

func (m *member) setOnline(on bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.online
	m.online = on
	if on {
		m.heardAt = m.c.opt.Now()
	}
	if err != nil && !relay.Retryable(err) && !errors.Is(err, context.DeadlineExceeded) {
		m.problem = err
	} else if on {
		m.problem = nil
	}
	if was != on {
		m.changed(dialogue.Plenary)
	}
}

// over tells whether the dialogue has ended for this vault.
func (m *member) over() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch m.acct.Standing {
	case StandingIn, StandingWaiting:
		return false
	case StandingLost: // over where nothing of one's own waits at the door
		return m.log == nil && (m.acct.Away == nil || len(m.acct.Away.Posts) == 0)
	}
	return true
}

func (m *member) readOnce(ctx context.Context) error {
	if m.over() {
		m.toRead.wait(ctx, 0) // a new card begins it again
		return nil
	}
	m.mu.Lock()
	wait := longWait
	if len(m.acct.Due) > 0 {
		wait = choreWait
	}
	if !m.caughtUp && m.log != nil {
		wait = 0
	}
	m.mu.Unlock()
	return m.turn(ctx, wait)
}

// turn reads once, waiting for something new up to wait, and does what is due.
func (m *member) turn(ctx context.Context, wait time.Duration) error {
	m.mu.Lock()
	log := m.log
	m.mu.Unlock()
	if log == nil {
		return m.awaitTurn(ctx, wait)
	}
	m.mu.Lock()
	if m.log == nil {
		m.mu.Unlock()
		return nil
	}
	q := m.question()
	m.mu.Unlock()
	r, err := m.relay()
	if err != nil {
		return err
	}
	page, err := r.Do(ctx, relay.Exchange{Box: q.box, From: q.from, Mode: q.mode, Wait: wait})
	if errors.Is(err, relay.ErrGone) {
		return m.boxGone(q)
	}
	if err != nil {
		return err
	}
	if err := m.faithful(q, page); err != nil {
		return err
	}
	m.setOnline(true, nil)
	if _, err := m.take(q.box, page); err != nil {
		return err
	}
	if err := errors.Join(m.waitedInVain(), m.leftInDoubt()); err != nil {
		return err
	}
	return m.proceed()
}

func (m *member) awaitTurn(ctx context.Context, wait time.Duration) error {
	m.mu.Lock()
	lost := m.acct.Standing == StandingLost
	m.mu.Unlock()
	if lost {
		err := m.awaitDoor(ctx, wait)
		m.setOnline(err == nil, err)
		return err
	}
	if err := m.await(ctx, wait); err != nil {
		return err
	}
	m.setOnline(true, nil)
	return nil
}

// proceed does chores and makes what waits, once the log was read to its end.
func (m *member) proceed() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.caughtUp || m.log == nil {
		return nil
	}
	if err := m.charterAgain(); err != nil {
		return err
	}
	if err := m.settleFounding(); err != nil {
		return err
	}
	if err := m.dropVoid(); err != nil {
		return err
	}
	if err := m.chores(); err != nil {
		return err
	}
	return m.makeDue()
}

// makeDue makes what can be made of the outbox, and has it posted.
func (m *member) makeDue() error {
	if m.somethingToMake() {
		if err := m.update(m.make); err != nil {
			return err
		}
	}
	if it, _ := m.next(); it != nil {
		m.toPost.ring()
	}
	return nil
}

func (m *member) somethingToMake() bool {
	if m.owesDoor() {
		return true
	}
	for _, it := range m.out {
		if m.makeable(it) {
			return true
		}
	}
	return false
}

func (m *member) pushOnce(ctx context.Context) error {
	if err := m.push(ctx); err != nil {
		return err
	}
	m.toPost.wait(ctx, 0)
	return nil
}

// doorsOnce reads the doors that are due, then waits.
func (m *member) doorsOnce(ctx context.Context) error {
	if err := m.readDoors(ctx, false); err != nil {
		return err
	}
	if err := m.proceed(); err != nil {
		return err
	}
	m.mu.Lock()
	more := m.moreAtDoors
	m.mu.Unlock()
	if !more {
		sleep(ctx, doorAbsent/2)
	}
	return nil
}

// isBehind tells whether there is more in a box of parcels than was read at a time.
func (m *member) isBehind() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	waits := m.log == nil && (m.door != nil && m.door.behind.Load() || m.cardBox != nil && m.cardBox.behind.Load())
	return m.moreAtDoors || m.moreInCards || waits || m.isToReadAgain()
}

func (m *member) watchOnce(ctx context.Context) error {
	if err := m.watchCards(ctx, false); err != nil {
		return err
	}
	if err := m.proceed(); err != nil {
		return err
	}
	m.toLook.wait(ctx, m.lookAgain())
	return nil
}

// Sync pulls, does all that is due, and returns when what is one's own was
// read back. With wait it keeps on for that long. Without the network it
// returns ErrOffline; nothing is lost.
func (c *Client) Sync(ctx context.Context, id ID, wait time.Duration) error {
	m, err := c.member(id)
	if err != nil {
		return err
	}
	deadline := c.opt.Now().Add(wait)
	for first := true; ; first = false {
		err := m.syncOnce(ctx, first)
		left := deadline.Sub(c.opt.Now())
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && left <= 0:
			return err
		case err != nil:
			sleep(ctx, min(left, time.Second))
		case m.over():
			return nil
		case left <= 0 && m.done():
			return m.clock()
		case left > 0 && m.done():
			if err := m.turn(ctx, min(left, choreWait)); err != nil && left <= 0 {
				return offline(err)
			}
		}
	}
}

// clock gives ErrClock while this computer's clock keeps one from coming in.
func (m *member) clock() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.clockOff {
		return ErrClock
	}
	return nil
}

// done tells whether a Sync has nothing more to do by itself.
func (m *member) done() bool {
	m.mu.Lock()
	behind := m.log != nil && !m.caughtUp
	m.mu.Unlock()
	return !behind && !m.isBehind() && m.settled()
}

func (m *member) syncOnce(ctx context.Context, first bool) error {
	if m.over() {
		return offline(m.push(ctx)) // Welcomes, to newcomers' cards
	}
	// What was posted comes back at once. Where it does not, asking again and again would not bring it.
	wait := time.Second
	m.mu.Lock()
	if first || !m.caughtUp {
		wait = 0
	}
	m.mu.Unlock()
	for _, step := range []func() error{
		func() error { return m.push(ctx) },
		func() error { return m.turn(ctx, wait) },
		m.proceed, // what one's person wrote does not wait for boxes that somebody may have filled
		func() error { return m.push(ctx) },
		func() error { return m.watchCards(ctx, first) },
		func() error { return m.readDoors(ctx, first) },
		m.proceed,
		func() error { return m.filesStep(ctx) },
		func() error { return m.push(ctx) },
		m.expire,
		func() error { return m.destroy(ctx) },
	} {
		if err := step(); err != nil {
			m.failed(ctx, err)
			return offline(err)
		}
	}
	return nil
}

func offline(err error) error {
	if relay.Retryable(err) {
		return errors.Join(ErrOffline, err)
	}
	return err
}
