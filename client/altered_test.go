//go:build rogue

package client

import (
	"testing"

	"parley/channel"
	"parley/mls"
	"parley/relay"
)

// What somebody signed, another member encrypts once more: everybody refuses it,
// the one who signed it, too, and what that one says is in its place.

// altered has a rogue seal what it made of somebody's last message, which it has
// not read yet.
func (x *table) altered(rogue *member, message []byte, how mls.Alteration) []relay.Cell {
	x.t.Helper()
	message, err := rogue.log.Alter(channel.Plenary, message, how)
	if err != nil {
		x.t.Fatal(err)
	}
	if channel.CommitFits(message) {
		head, err := rogue.log.SealCommit(channel.Plenary, message)
		if err != nil {
			x.t.Fatal(err)
		}
		return []relay.Cell{*head}
	}
	cells, ref, err := rogue.log.SealLong(channel.Plenary, message)
	if err != nil {
		x.t.Fatal(err)
	}
	for i := range cells {
		ref.Positions = append(ref.Positions, uint32(rogue.log.Position())+uint32(i))
	}
	head, err := rogue.log.SealCommitHead(channel.Plenary, ref)
	if err != nil {
		x.t.Fatal(err)
	}
	return append(cells, *head)
}

// TestForgedAgain: with the relay, before the author's own cell, and without it,
// after that, and when the author has said something else since.
func TestForgedAgain(t *testing.T) {
	for name, how := range map[string]mls.Alteration{"later": {Later: 1}, "much later": {Later: 900}, "guard": {Guard: true}, "padding": {Padding: 1}} {
		for _, first := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				x := newTable(t)
				ruth, halden, corin := x.seated()
				x.readOn(ruth, halden, corin)
				x.say(halden, "One.")
				again := x.altered(corin, x.lastMessage(halden), how)
				if first {
					x.append(corin, corin.log.Box(), again...)
					x.readOn(corin)
					x.say(corin, "Corin's.")
				} else {
					x.push(halden)
					x.append(corin, corin.log.Box(), again...)
					x.say(halden, "Two.")
				}
				x.push(corin, halden)
				x.readOn(ruth, halden, corin)
				lines := []string{"Corin's.", "One."}
				if !first {
					lines = []string{"One.", "Two."}
				}
				for _, m := range []*member{ruth, halden, corin} {
					x.shows(m, lines...)
					if m.acct.Standing != StandingIn || m.acct.Bad != 1 || len(m.out) > 0 {
						t.Errorf("%s is %s: %d of no use, %d to send", m.c.Profile().Name, m.acct.Standing, m.acct.Bad, len(m.out))
					}
				}
				x.agree(ruth, halden, corin)
			})
		}
	}
}

// TestForgedCommitAgain: so it is with the commit of the day.
func TestForgedCommitAgain(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	it := x.dayStaged(ruth, halden, corin)
	x.append(corin, corin.log.Box(), x.altered(corin, it.Commit.Message, mls.Alteration{Guard: true})...)
	x.readOn(ruth, halden, corin)
	if n := ruth.log.Epoch(); n != halden.log.Epoch() || n != corin.log.Epoch() || ruth.acct.Bad != 1 || halden.acct.Bad != 1 {
		t.Fatalf("epochs %d, %d and %d; %d and %d of no use", n, halden.log.Epoch(), corin.log.Epoch(), ruth.acct.Bad, halden.acct.Bad)
	}
	x.commits(halden, ruth, corin)
}

// TestForgedHeaderOfAnother: one seat alone, by what it puts under false headers,
// makes nobody hold anything against two.
func TestForgedHeaderOfAnother(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.readOn(ruth, halden, corin)
	x.say(halden, "One.")
	message := x.lastMessage(halden)
	later, err := corin.log.Alter(channel.Plenary, message, mls.Alteration{Later: 1})
	if err != nil {
		t.Fatal(err)
	}
	x.sync(halden, ruth, corin)
	for _, m := range [][]byte{later, message} {
		c, err := corin.log.SealCommitLying(channel.Plenary, m)
		if err != nil {
			t.Fatal(err)
		}
		x.append(corin, corin.log.Box(), *c)
	}
	contradict(t, ruth, corin.acct.Me)
	x.readOn(ruth)
	if l := ruth.acct.Doubts.Against; len(l) != 1 || l[0] != corin.acct.Me || ruth.acct.Doubts.Stopped {
		t.Errorf("Ruth holds it against %d seats, and has stopped: %v", len(l), ruth.acct.Doubts.Stopped)
	}
}
