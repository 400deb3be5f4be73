//go:build rogue

package client

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/mls"
	"parley/relay"
	"parley/vault"
)

// A Rogue is a seat whose holder has this program's source and keeps to none
// of it. Its client reads and follows like any other; what it makes is as its
// Ways say, and the rest are moves that a simulation calls. It is built with
// the tag rogue alone.
type Rogue struct {
	c    *Client
	ways Ways

	mu    sync.Mutex
	loot  []*channel.Loot        // of others' cells
	aside map[dialogue.Hash]bool // key packages that it let in to rooms of its own
	letIn []letIn                // whom others were seen to let in
	later []func(context.Context) error
}

// Ways are what a Rogue does whenever its client acts by itself.
type Ways struct {
	First    bool                                                                        // it does every chore at once, whoever's turn it is
	Idle     bool                                                                        // it does no chore
	Deaf     bool                                                                        // it reads nothing, and stays where it was
	Withhold bool                                                                        // it sends no Welcome
	Aside    bool                                                                        // it lets everybody in to a room of its own
	Spares   bool                                                                        // it spoils no commit that lets somebody in
	Charter  func(*dialogue.State)                                                       // what it changes in the pasts that it tells
	Spoil    func(r dialogue.Room, leaf func(dialogue.SeatID) []mls.LeafIndex) mls.Spoil // what of its commits is garbage
}

// NewRogue makes a rogue of a client that does not run yet.
func NewRogue(c *Client, w Ways) *Rogue { return &Rogue{c: c, ways: w} }

// Run is Client.Run for it.
func (r *Rogue) Run(ctx context.Context) {
	c := r.c
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.base, cancel)()
	c.background(func() { c.tidy(ctx) })
	running := map[ID]bool{}
	for ctx.Err() == nil {
		for _, m := range c.all() {
			if !running[m.id] {
				running[m.id] = true
				c.background(func() { r.run(ctx, m) })
			}
		}
		sleep(ctx, 5*time.Second)
	}
}

// Sync is Client.Sync for it: it reads, does what it does, and posts.
func (r *Rogue) Sync(ctx context.Context) error {
	for _, m := range r.c.all() {
		for range 8 {
			for _, step := range []func() error{
				func() error { return m.push(ctx) },
				func() error { return r.read(ctx, m, 0) },
				func() error { return m.watchCards(ctx, true) },
				func() error { return r.proceed(ctx, m) },
			} {
				if err := step(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (r *Rogue) run(ctx context.Context, m *member) {
	var loops sync.WaitGroup
	read := func(ctx context.Context) error { return r.read(ctx, m, 10*time.Second) }
	act := func(ctx context.Context) error {
		sleep(ctx, time.Second)
		return r.proceed(ctx, m)
	}
	look := func(ctx context.Context) error { return r.look(ctx, m) }
	for _, f := range []func(context.Context) error{read, act, m.pushOnce, look, m.filesOnce, m.expireOnce, m.destroyOnce} {
		loops.Go(func() { m.loop(ctx, f) })
	}
	loops.Wait()
}

// look reads cards' boxes and doors, now and then.
func (r *Rogue) look(ctx context.Context, m *member) error {
	if err := m.watchCards(ctx, false); err != nil {
		return err
	}
	if err := m.readDoors(ctx, false); err != nil {
		return err
	}
	if err := r.proceed(ctx, m); err != nil {
		return err
	}
	m.toLook.wait(ctx, watchOwn)
	return nil
}

// read is member.turn, but that it spies.
func (r *Rogue) read(ctx context.Context, m *member, wait time.Duration) error {
	m.mu.Lock()
	if r.ways.Deaf {
		m.mu.Unlock()
		sleep(ctx, wait)
		return nil
	}
	if m.log == nil {
		m.mu.Unlock()
		return m.readOnce(ctx)
	}
	q := m.question()
	caughtUp := m.caughtUp
	m.mu.Unlock()
	at, err := m.relay()
	if err != nil {
		return err
	}
	if !caughtUp {
		wait = 0
	}
	page, err := at.Do(ctx, relay.Exchange{Box: q.box, From: q.from, Mode: q.mode, Wait: wait})
	if err != nil {
		return err
	}
	m.setOnline(true, nil)
	r.spy(m, q.box, page)
	if _, err := m.take(q.box, page); err != nil {
		return err
	}
	return r.proceed(ctx, m)
}

// alterations are what a rogue makes of a message that others are still to read.
var alterations = []mls.Alteration{{Later: 1}, {Guard: true}}

func (r *Rogue) spy(m *member, box *relay.Box, page relay.Page) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.log == nil || m.log.Box().ID() != box.ID() {
		return
	}
	for i := range page.Cells {
		l := m.log.Spy(&page.Cells[i])
		if l == nil {
			continue
		}
		r.mu.Lock()
		r.loot = append(r.loot[max(0, len(r.loot)-50):], l)
		for _, how := range alterations {
			if x := m.log.Altered(l, how); x != nil {
				r.loot = append(r.loot, x)
			}
		}
		r.mu.Unlock()
	}
}

// proceed does what is to be done, and then posts what goes past its outbox.
func (r *Rogue) proceed(ctx context.Context, m *member) error {
	if err := r.chores(m); err != nil {
		return err
	}
	r.mu.Lock()
	later := r.later
	r.later = nil
	r.mu.Unlock()
	for _, do := range later {
		if err := do(ctx); err != nil {
			return err
		}
	}
	return nil
}

// chores is member.proceed after its own fashion.
func (r *Rogue) chores(m *member) error {
	w := r.ways
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.caughtUp || m.log == nil {
		return nil
	}
	if err := m.charterAgain(); err != nil {
		return err
	}
	before := slices.Clone(m.out)
	for range 2 {
		if w.Idle {
			break
		}
		if err := m.chores(); err != nil {
			return err
		}
		for key := range m.acct.Due {
			if w.First {
				m.acct.Due[key] = 1 // others have had their turn since 1970
			}
		}
	}
	for _, it := range slices.Clone(m.out) {
		if slices.Contains(before, it) {
			continue
		}
		if err := r.pervert(m, w, it); err != nil {
			return err
		}
	}
	return m.makeDue()
}

// pervert makes of what a chore made what the ways say. m.mu is held since.
func (r *Rogue) pervert(m *member, w Ways, it *item) error {
	if it.Kind == itemCommit && it.Room == dialogue.Plenary && len(it.Commit.Content.Adds) > 0 && w.Aside {
		return m.update(func(sp *vault.Space) error { return r.letAside(m, sp, it) })
	}
	if w.Spares && it.Kind == itemCommit && len(it.Commit.Content.Adds) > 0 {
		w.Spoil = nil
	}
	if it.Kind == itemCommit && (w.Spoil != nil || w.Withhold) {
		return m.update(func(sp *vault.Space) error { return m.spoil(sp, w, it) })
	}
	e, err := dialogue.ParseEvent(it.Event)
	if it.Kind != itemEvent || err != nil {
		return nil
	}
	switch {
	case e.Kind == dialogue.KindWelcome && w.Withhold:
		return m.update(func(sp *vault.Space) error { return m.drop(sp, it) })
	case e.Kind == dialogue.KindCharter && w.Charter != nil:
		return m.update(func(sp *vault.Space) error { return m.falsify(sp, w, it, e) })
	}
	return nil
}

// spoil puts a commit with the same content, and garbage in it, in the place of
// one that was just staged.
func (m *member) spoil(sp *vault.Space, w Ways, it *item) error {
	room := channel.Room(it.Room)
	staged, err := m.log.Staged(room)
	if err != nil {
		return err
	}
	content := mls.CommitContent{Adds: staged.Adds(), Removes: staged.Removes()}
	if err := m.drop(sp, it); err != nil {
		return err
	}
	var what mls.Spoil
	if w.Spoil != nil {
		what = w.Spoil(it.Room, func(id dialogue.SeatID) []mls.LeafIndex {
			if l, in := m.leaf(it.Room, id); in {
				return []mls.LeafIndex{l}
			}
			return nil
		})
	}
	return m.stageAny(sp, it.Room, content, what, w.Withhold)
}

// letAside carries out a commit that lets somebody in, but in a branch of its
// own: the log never takes it. There it tells the past as it is. Each is let in
// so once; after that, others have to do it.
func (r *Rogue) letAside(m *member, sp *vault.Space, it *item) error {
	branch, err := loadLog(sp, m.acct.Terms)
	if err != nil {
		return err
	}
	if err := errors.Join(m.drop(sp, it), apply(sp, m.log.Unstage(channel.Plenary))); err != nil {
		return err
	}
	c := it.Commit
	r.mu.Lock()
	known := r.aside[c.Content.Adds[0].Package]
	if r.aside == nil {
		r.aside = map[dialogue.Hash]bool{}
	}
	r.aside[c.Content.Adds[0].Package] = true
	r.mu.Unlock()
	if known {
		return nil
	}
	if _, err := branch.Merge(channel.Plenary); err != nil {
		return err
	}
	s, _ := dialogue.Apply(m.state, dialogue.Entry{Author: m.acct.Me, Commit: &c.Content})
	b := s.Marshal()
	minute := m.c.minute()
	past := dialogue.NewEvent(dialogue.KindCharter, minute, dialogue.Charter{Base: branch.Epoch(), Hash: hashOf(b), Skeleton: b})
	cells, ref, err := branch.SealLong(channel.Plenary, past.Marshal())
	if err != nil {
		return err
	}
	for i := range cells {
		ref.Positions = append(ref.Positions, uint32(i)) // nobody else writes there
	}
	head, _, err := branch.SealHead(channel.Plenary, minute, ref)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.later = append(r.later, func(ctx context.Context) error {
		for _, cell := range append(cells, *head) {
			if err := r.post(ctx, m, branch.Box(), &cell); err != nil {
				return err
			}
		}
		return nil
	})
	r.mu.Unlock()
	return m.sendWelcome(sp, it)
}

// stageAny stages whatever it is told to, and enqueues it.
func (m *member) stageAny(sp *vault.Space, r dialogue.Room, content mls.CommitContent, what mls.Spoil, withhold bool) error {
	room := channel.Room(r)
	if err := apply(sp, m.log.Unstage(room)); err != nil {
		return err
	}
	var err error
	if content.NewSignature, err = mls.GenerateSignatureKey(Suite); err != nil {
		return err
	}
	minute := m.c.minute()
	p, delta, err := m.log.StageSpoilt(room, minute, content, what)
	if err != nil {
		return err
	}
	it, err := m.commitItem(r, minute, p)
	if err != nil {
		return err
	}
	if withhold {
		it.Commit.To = nil
	}
	return m.queueHandshake(sp, delta, it)
}

// falsify changes the past that a charter tells.
func (m *member) falsify(sp *vault.Space, w Ways, it *item, e dialogue.Event) error {
	c, ok := decodeBody[dialogue.Charter](e)
	if !ok {
		return nil
	}
	b, err := sp.Get(numbered(keySkeleton, c.Base))
	if err != nil {
		return err
	}
	s, err := dialogue.ParseState(b)
	if err != nil {
		return err
	}
	w.Charter(s)
	c.Skeleton = s.Marshal()
	c.Hash = hashOf(c.Skeleton)
	again := dialogue.NewEvent(dialogue.KindCharter, e.Time, c)
	it.Event = again.Marshal()
	return m.saveItem(sp, it)
}
