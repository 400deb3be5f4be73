package client

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/mls"
	"parley/relay"
	"parley/vault"
)

// What all others make of cells, their author makes of its own.

func (x *table) say(m *member, text string) {
	x.t.Helper()
	if _, err := m.c.Say(x.t.Context(), m.id, Draft{Text: text}); err != nil {
		x.t.Fatal(err)
	}
}

func (x *table) push(l ...*member) {
	x.t.Helper()
	for _, m := range l {
		if err := m.push(x.t.Context()); err != nil {
			x.t.Fatal(err)
		}
	}
}

// shows compares the lines in the room that people said with what they should be.
func (x *table) shows(m *member, lines ...string) {
	x.t.Helper()
	all, err := m.c.Messages(m.id, Query{})
	if err != nil {
		x.t.Fatal(err)
	}
	var l []string
	for _, y := range all {
		if y.Kind != KindNotice && y.State == StateRoom {
			l = append(l, y.Text)
		}
	}
	if !slices.Equal(l, lines) {
		x.t.Errorf("%s shows %.12q, not %.12q", m.c.Profile().Name, l, lines)
	}
}

// lastMessage is that of what somebody made last.
func (x *table) lastMessage(m *member) []byte {
	x.t.Helper()
	it := m.out[len(m.out)-1]
	cell, err := m.cellOf(it, len(it.Cells)-1)
	if err != nil || it.Stage != stageHead {
		x.t.Fatalf("at stage %d, %v: %v", it.Stage, it.Positions, err)
	}
	return m.log.Message(channel.Plenary, cell)
}

// finish makes what waits, and posts it.
func (x *table) finish(m *member) {
	x.t.Helper()
	if err := m.chore(m.make); err != nil {
		x.t.Fatal(err)
	}
	x.push(m)
}

// commits has somebody finish a commit, which all follow.
func (x *table) commits(by *member, others ...*member) {
	x.t.Helper()
	epoch := by.log.Epoch()
	x.finish(by)
	x.readOn(append(others, by)...)
	if by.log.Epoch() != epoch+1 {
		x.t.Errorf("the commit of %s does not count", by.c.Profile().Name)
	}
	x.agree(append(others, by)...)
}

// dayStaged has all read the chunks of Halden's commit of the day.
func (x *table) dayStaged(ruth, halden, corin *member) *item {
	x.t.Helper()
	x.clocks(ruth, halden, corin)
	x.pass(25 * time.Hour)
	for _, m := range []*member{ruth, corin} {
		x.readOn(m)
		if err := m.chore(m.renew); err != nil {
			x.t.Fatal(err)
		}
		x.push(m)
	}
	x.readOn(ruth, halden, corin)
	if err := halden.chore(func(sp *vault.Space) error { return halden.stage(sp, dialogue.Plenary, mls.CommitContent{}) }); err != nil {
		x.t.Fatal(err)
	}
	x.push(halden)
	x.readOn(ruth, halden, corin)
	it := halden.out[len(halden.out)-1]
	if it.Kind != itemCommit || it.Stage != stageChunks || slices.Contains(it.Positions, 0) {
		x.t.Fatalf("the commit is at stage %d, %v", it.Stage, it.Positions)
	}
	return it
}

// named has somebody say something that names another's chunks.
func (x *table) named(rogue *member, it *item) {
	x.t.Helper()
	var head *relay.Cell
	err := rogue.chore(func(sp *vault.Space) error {
		c, d, err := rogue.log.SealHead(channel.Plenary, rogue.c.minute(), &channel.Ref{Positions: placed(it.Positions), Hash: it.Ref.Hash})
		head = c
		if err != nil {
			return err
		}
		return apply(sp, d)
	})
	if err != nil {
		x.t.Fatal(err)
	}
	x.append(rogue, rogue.log.Box(), *head)
}

// TestChunksNamedByAnother: chunks whose head is not there yet are used up by
// nobody else, be they of a text or of a commit.
func TestChunksNamedByAnother(t *testing.T) {
	text := strings.Repeat("Halden's. ", 900)
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.readOn(ruth, halden, corin)
	x.say(halden, text)
	x.push(halden)
	x.readOn(halden, corin)
	x.named(corin, halden.out[len(halden.out)-1])
	x.finish(halden)
	x.readOn(ruth, halden, corin)
	x.shows(ruth, text)
	x.shows(halden, text)
	x.agree(ruth, halden, corin)

	it := x.dayStaged(ruth, halden, corin)
	x.named(corin, it)
	x.commits(halden, ruth, corin)
}

// TestOneUpdateAtATime: while the keys of a day are on their way, those of the next
// are not made: only the latest secrets are kept, and the relay may have lost either.
func TestOneUpdateAtATime(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	for range 2 {
		x.pass(24 * time.Hour)
		x.readOn(ruth, halden, corin)
		if err := halden.chore(halden.renew); err != nil {
			t.Fatal(err)
		}
	}
	var l []*item
	for _, it := range halden.out {
		if it.Kind == itemUpdate && it.Room == dialogue.Plenary {
			l = append(l, it)
		}
	}
	if len(l) != 1 {
		t.Fatalf("%d Updates are on their way", len(l))
	}
	x.finish(halden)
	x.sync(ruth, halden, corin, ruth, halden, corin)
	x.agree(ruth, halden, corin)
}

// TestTooFar: what others can't open any more, as too many messages after it are in
// the log, is of no use for its author, too, and is made again; nothing is made
// that is too far from the latest that was read.
func TestTooFar(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	all := []*member{ruth, halden, corin}
	x.clocks(all...)
	x.readOn(all...)
	lost := func(n int) {
		t.Helper()
		if err := halden.chore(func(sp *vault.Space) error {
			for range n {
				_, d, err := halden.log.Seal(channel.Plenary, 1, []byte("x"))
				if err != nil {
					return err
				}
				if err := apply(sp, d); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	lay := func(it *item) {
		t.Helper()
		cell, err := halden.cellOf(it, 0)
		if err != nil {
			t.Fatal(err)
		}
		x.append(halden, halden.log.Box(), *cell)
		x.readOn(all...)
	}
	last := func() *item { return halden.out[len(halden.out)-1] }

	x.say(halden, "First.")
	first := last()
	lost(500)
	x.say(halden, "Second.")
	lay(last())
	lost(600)
	if err := halden.reload(); err != nil {
		t.Fatal(err)
	}
	x.readOn(halden)
	x.say(halden, "Third.")
	lay(last())
	lay(first)
	for _, m := range all {
		x.shows(m, "Second.", "Third.")
		if m.acct.Bad != 1 {
			t.Errorf("%s: %d of no use", m.c.Profile().Name, m.acct.Bad)
		}
	}
	if last().Stage != stageWaiting {
		t.Errorf("the first is not made again: %+v", last())
	}
	lost(1025)
	x.say(halden, "Fourth.")
	if last().Stage != stageWaiting {
		t.Fatal("what nobody could open is made")
	}
	x.day(all...)
	x.sync(halden, ruth, corin, halden)
	for _, m := range all {
		x.shows(m, "Second.", "Third.", "First.", "Fourth.")
	}
	x.agree(all...)
}
