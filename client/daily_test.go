package client

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/mls"
	"parley/vault"
)

// updates counts the proposals of a day that wait in an outbox.
func updates(m *member, r dialogue.Room) (n int) {
	for _, it := range m.out {
		if it.Kind == itemUpdate && it.Room == r {
			n++
		}
	}
	return n
}

func keyOf(m, of *member) []byte { return m.state.Seat(of.acct.Me).Key }

// agree checks that all have the same skeleton, in the same epoch.
func (x *table) agree(l ...*member) {
	x.t.Helper()
	for _, m := range l[1:] {
		if m.state.Digest() != l[0].state.Digest() || m.log.Epoch() != l[0].log.Epoch() || m.log.Box().ID() != l[0].log.Box().ID() {
			x.t.Errorf("%s and %s do not have the same log: epochs %d and %d", m.c.Profile().Name, l[0].c.Profile().Name, m.log.Epoch(), l[0].log.Epoch())
		}
	}
}

// TestKeysOfTheDay: on every day each client proposes fresh keys once, and one
// commit takes all of them into use, in a new box. Nobody writes a word.
func TestKeysOfTheDay(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	all := []*member{ruth, halden, corin}
	x.clocks(all...)
	for day := range 3 {
		epoch, box := ruth.log.Epoch(), ruth.log.Box().ID()
		var was [][]byte
		for _, m := range all {
			was = append(was, keyOf(ruth, m))
		}
		x.pass(24 * time.Hour)
		x.sync(ruth, halden, corin, ruth, halden, corin)
		x.sync(ruth, halden, corin, ruth, halden, corin) // nothing more is to come
		if n := ruth.log.Epoch() - epoch; n != 1 {
			t.Errorf("day %d: %d commits", day, n)
		}
		if ruth.log.Box().ID() == box {
			t.Errorf("day %d: the box is the same", day)
		}
		x.agree(all...)
		for i, m := range all {
			if bytes.Equal(keyOf(ruth, m), was[i]) {
				t.Errorf("day %d: %s has the keys of the day before", day, m.c.Profile().Name)
			}
			if !bytes.Equal(keyOf(ruth, m), m.log.SignatureKey(channel.Plenary)) {
				t.Errorf("day %d: %s signs with another key than the others know", day, m.c.Profile().Name)
			}
			if m.state.Seat(m.acct.Me).Heard != ruth.state.LogTime {
				t.Errorf("day %d: %s was not heard", day, m.c.Profile().Name)
			}
		}
		if err := halden.reload(); err != nil { // with keys of its own Update
			t.Fatal(err)
		}
	}
	for _, m := range all {
		if len(m.show().Alarms) > 0 || m.acct.Bad > 0 {
			t.Errorf("%s is shown %+v, %d bad entries", m.c.Profile().Name, m.show().Alarms, m.acct.Bad)
		}
	}
}

// TestUpdateOnceADay: neither a crash nor a clock that goes back makes a second
// proposal, and one that was ahead makes no seat wait.
func TestUpdateOnceADay(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	x.pass(24 * time.Hour)
	if err := halden.turn(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if n := updates(halden, dialogue.Plenary); n != 1 {
		t.Fatalf("%d proposals", n)
	}
	if err := halden.reload(); err != nil { // a crash before it left
		t.Fatal(err)
	}
	if err := halden.turn(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if n := updates(halden, dialogue.Plenary); n != 1 {
		t.Fatalf("%d proposals after a crash", n)
	}
	if err := halden.push(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := halden.reload(); err != nil { // and one before it was read back
		t.Fatal(err)
	}
	x.sync(halden)
	for _, d := range []time.Duration{0, -24 * time.Hour, 24 * time.Hour} {
		x.pass(d)
		if halden.owesUpdate(dialogue.Plenary) {
			t.Errorf("%v later there is another to make", d)
		}
	}
	halden.acct.Renewed[dialogue.Plenary] += 30 // a clock that was a month ahead
	if !halden.owesUpdate(dialogue.Plenary) {
		t.Error("a clock that was ahead stops it for good")
	}
}

// TestLateUpdate: what a commit did not gather is void, and is proposed again on
// the next day, not before.
func TestLateUpdate(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	x.pass(24 * time.Hour)
	if err := corin.turn(t.Context(), 0); err != nil { // makes it, and does not get it out
		t.Fatal(err)
	}
	was := keyOf(ruth, corin)
	x.sync(ruth, halden, ruth, halden)
	if ruth.state.Epoch == corin.state.Epoch {
		t.Fatal("nobody committed")
	}
	x.sync(corin, ruth)
	if n := updates(corin, dialogue.Plenary); n != 0 || corin.owesUpdate(dialogue.Plenary) || !bytes.Equal(keyOf(ruth, corin), was) {
		t.Errorf("%d proposals of Corin wait", n)
	}
	x.agree(ruth, halden, corin)
	x.pass(24 * time.Hour)
	x.sync(ruth, halden, corin, ruth, corin)
	if bytes.Equal(keyOf(ruth, corin), was) {
		t.Error("Corin has the keys of two days ago")
	}
}

// TestDayWithoutConvenor: where the convenor's computer is away, the next in
// plan order commits the day, a little later.
func TestDayWithoutConvenor(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	epoch := halden.log.Epoch()
	x.pass(24 * time.Hour)
	x.sync(halden, corin, halden)
	if halden.log.Epoch() != epoch {
		t.Fatal("Halden did not wait for the convenor")
	}
	x.pass(turnWait)
	x.sync(halden, corin)
	if halden.log.Epoch() != epoch+1 || corin.log.Epoch() != epoch+1 {
		t.Error("nobody committed")
	}
	x.sync(ruth, halden, corin)
	x.agree(ruth, halden, corin)
}

const north = dialogue.Room(1)

// inNorth seats three people, and Mira, who is in North's room with Halden.
func (x *table) inNorth() (ruth, halden, corin, mira *member) {
	x.t.Helper()
	ruth, halden, corin = x.seated()
	_, mira = x.joins(halden, 1, "Mira")
	x.sync(halden, ruth, corin, halden)
	x.approve(mira, halden, corin)
	for range 3 {
		x.sync(halden, mira, ruth, corin)
	}
	if !mira.log.In(channel.Room(north)) {
		x.t.Fatal("Mira is not in her side's room")
	}
	return ruth, halden, corin, mira
}

// TestDayOfASideRoom: a side room's keys change daily as well, and whoever came
// in by a Welcome judges its commits as the others do.
func TestDayOfASideRoom(t *testing.T) {
	x := newTable(t)
	ctx := t.Context()
	ruth, halden, corin, mira := x.inNorth()
	x.clocks(ruth, halden, corin, mira)
	if mira.acct.Commits[north] != halden.acct.Commits[north] || mira.acct.Commits[north] == 0 {
		t.Errorf("the room's last commit: Mira has %d, Halden %d", mira.acct.Commits[north], halden.acct.Commits[north])
	}
	// One that runs ahead counts for neither.
	tag := halden.log.Tag(channel.Room(north))
	halden.mu.Lock()
	err := halden.update(func(sp *vault.Space) error { return halden.stage(sp, north, mls.CommitContent{}) })
	halden.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	x.sync(halden, mira)
	if !bytes.Equal(halden.log.Tag(channel.Room(north)), tag) || !bytes.Equal(mira.log.Tag(channel.Room(north)), tag) {
		t.Error("a commit within the day counts")
	}
	keys := func() (l [][]byte) {
		for _, x := range halden.log.Members(channel.Room(north)) {
			l = append(l, x.SignatureKey)
		}
		return l
	}
	was := keys()
	x.pass(25 * time.Hour)
	for range 3 {
		x.sync(ruth, mira, corin, halden)
	}
	if tag2 := halden.log.Tag(channel.Room(north)); bytes.Equal(tag2, tag) || !bytes.Equal(mira.log.Tag(channel.Room(north)), tag2) {
		t.Fatal("the room has no commit of the day, or not all follow it")
	}
	for i, k := range keys() {
		if bytes.Equal(k, was[i]) {
			t.Errorf("member %d of the room has the keys of the day before", i)
		}
	}
	if _, err := mira.c.Say(ctx, mira.id, Draft{Room: north, Text: "Among ourselves."}); err != nil {
		t.Fatal(err)
	}
	x.sync(mira, halden)
	if l, err := halden.c.Messages(halden.id, Query{Room: north}); err != nil || spoken(l) != 1 {
		t.Errorf("%d messages, %v", spoken(l), err)
	}
}

// TestCommitInAnotherCell: a commit of one's own whose head a newer copy of the
// vault posted, or somebody who reads the room, counts where it lies first, for
// its maker, too: what follows there is of the next epoch.
func TestCommitInAnotherCell(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin, mira := x.inNorth()
	x.clocks(ruth, halden, corin, mira)
	x.pass(25 * time.Hour)
	x.sync(ruth, corin)
	tag := halden.log.Tag(channel.Room(north))
	x.readOn(halden)
	if err := halden.chore(func(sp *vault.Space) error { return halden.stage(sp, north, mls.CommitContent{}) }); err != nil {
		t.Fatal(err)
	}
	if err := halden.push(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.readOn(halden)
	it := halden.out[len(halden.out)-1]
	if it.Kind != itemCommit || it.Stage != stageChunks || slices.Contains(it.Positions, 0) {
		t.Fatalf("the commit is at stage %d, %v", it.Stage, it.Positions)
	}
	ref := it.Ref
	ref.Positions = placed(it.Positions)
	head, err := halden.log.SealCommitHead(channel.Room(north), ref)
	if err != nil {
		t.Fatal(err)
	}
	x.append(halden, halden.log.Box(), *head)
	x.readOn(halden, mira)
	if now := halden.log.Tag(channel.Room(north)); bytes.Equal(now, tag) || !bytes.Equal(now, mira.log.Tag(channel.Room(north))) {
		t.Error("Halden and Mira are not in the same epoch, the next")
	}
	if slices.Contains(halden.out, it) || halden.acct.Bad != 0 || mira.acct.Bad != 0 {
		t.Errorf("Halden still has it to send, or something is bad: %d and %d", halden.acct.Bad, mira.acct.Bad)
	}
	x.sync(halden, mira, ruth, corin, halden, mira)
	x.agree(ruth, halden, corin, mira)
}

// TestMessageInAnotherCell: what somebody says, and another who reads the room puts
// into a cell that the relay lays before its author's, stands where it lies first,
// for its author, too, and once.
func TestMessageInAnotherCell(t *testing.T) {
	for name, text := range map[string]string{"in one cell": "Halden's.", "in several": strings.Repeat("Halden's. ", 900)} {
		t.Run(name, func(t *testing.T) {
			x := newTable(t)
			ruth, halden, corin := x.seated()
			x.readOn(halden, corin)
			x.say(halden, text)
			if halden.out[len(halden.out)-1].Stage == stageChunks {
				x.push(halden)
				x.readOn(halden)
				if err := halden.chore(halden.make); err != nil {
					t.Fatal(err)
				}
			}
			if err := halden.reload(); err != nil {
				t.Fatal(err)
			}
			x.readOn(corin)
			head, err := corin.log.SealCommit(channel.Plenary, x.lastMessage(halden))
			if err != nil {
				t.Fatal(err)
			}
			x.append(corin, corin.log.Box(), *head)
			x.readOn(corin)
			x.say(corin, "Corin's.")
			x.sync(corin, halden, ruth, corin)
			for _, m := range []*member{ruth, halden, corin} {
				x.shows(m, text, "Corin's.")
				if m.acct.Bad != 1 || len(m.out) > 0 {
					t.Errorf("%s: %d of no use, %d to send", m.c.Profile().Name, m.acct.Bad, len(m.out))
				}
			}
			x.agree(ruth, halden, corin)
		})
	}
}

// TestUpdateWhileSomebodyComesIn: a proposal that a newcomer to a side room
// would miss is not made, and one that was made all the same is refused by all
// who are there: no commit gathers it.
func TestUpdateWhileSomebodyComesIn(t *testing.T) {
	for gathered, comesIn := range []bool{true, false} {
		t.Run(fmt.Sprintf("somebody comes in %v", comesIn), func(t *testing.T) {
			x := newTable(t)
			_, halden, _, mira := x.inNorth()
			for _, m := range []*member{halden, mira} {
				m.mu.Lock()
				if comesIn {
					m.acct.Adding[north] = addition{By: halden.acct.Me, Seats: []dialogue.SeatID{{1}}}
				}
				m.mu.Unlock()
			}
			halden.mu.Lock()
			halden.acct.Renewed[north] = 0
			if halden.owesUpdate(north) == comesIn {
				t.Errorf("a proposal is owed: %v", !comesIn)
			}
			halden.mu.Unlock()
			sig, err := mls.GenerateSignatureKey(Suite)
			if err != nil {
				t.Fatal(err)
			}
			x.proposes(halden, north, sig)
			x.sync(halden, mira)
			if updates(halden, north) != 0 {
				t.Error("it still waits")
			}
			mira.mu.Lock()
			defer mira.mu.Unlock()
			pending, _, err := mira.log.Stage(channel.Room(north), mira.c.minute(), mls.CommitContent{})
			if err != nil {
				t.Fatal(err)
			}
			staged, err := mira.log.View(channel.Room(north), pending)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(staged.Updates()); n != gathered {
				t.Errorf("Mira's commit gathers %d proposals", n)
			}
		})
	}
}

// proposes has somebody propose a signature key of the caller's choice for its
// leaf in a room.
func (x *table) proposes(m *member, r dialogue.Room, sig *mls.SignatureKey) {
	x.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	minute := m.c.minute()
	if err := m.update(func(sp *vault.Space) error {
		message, delta, err := m.log.StageUpdate(channel.Room(r), minute, sig)
		if err != nil {
			return err
		}
		m.renewed(r)
		return m.queueHandshake(sp, delta, &item{Kind: itemUpdate, Room: r, Update: &updateItem{Minute: minute, Message: message}})
	}); err != nil {
		x.t.Fatal(err)
	}
}

// commitsWith has somebody commit with a signature key of the caller's choice.
func (x *table) commitsWith(m *member, r dialogue.Room, sig *mls.SignatureKey) {
	x.t.Helper()
	m.mu.Lock()
	err := m.update(func(sp *vault.Space) error {
		minute := m.c.minute()
		p, delta, err := m.log.Stage(channel.Room(r), minute, mls.CommitContent{NewSignature: sig})
		if err != nil {
			return err
		}
		it, err := m.commitItem(r, minute, p)
		if err != nil {
			return err
		}
		it.Commit.Content.Keys = nil // or it would give it up itself
		return m.queueHandshake(sp, delta, it)
	})
	m.mu.Unlock()
	ctx := x.t.Context()
	for range 4 { // its chunks are read back before its head goes out
		err = errors.Join(err, m.push(ctx), m.turn(ctx, 0))
	}
	if err != nil {
		x.t.Fatal(err)
	}
}

// turns has somebody read and do what is due, a few times.
func (x *table) turns(m *member) {
	x.t.Helper()
	for range 9 {
		if err := errors.Join(m.turn(x.t.Context(), 0), m.push(x.t.Context())); err != nil {
			x.t.Fatal(err)
		}
	}
}

// TestRetiredKeyServesNobody: a key that served, and that others may hold by
// now, comes into use neither by an Update, which an honest commit leaves out,
// nor by a commit that brings it, nor with a newcomer. The day's commit of
// everybody else counts all the same.
func TestRetiredKeyServesNobody(t *testing.T) {
	x := newTable(t)
	ctx := t.Context()
	ruth, halden, corin := x.seated()
	all := []*member{ruth, halden, corin}
	x.clocks(all...)
	retired := corin.log.Signers(channel.Plenary)[0]
	x.pass(24 * time.Hour)
	x.sync(ruth, halden, corin, ruth, halden, corin)
	if ruth.state.Fresh(retired.Public()) || bytes.Equal(keyOf(ruth, corin), retired.Public()) {
		t.Fatal("the key is not retired")
	}

	card, seat, err := ruth.c.Invite(ctx, ruth.id, InviteOptions{Side: 1, Name: "Mira"})
	if err != nil {
		t.Fatal(err)
	}
	x.postAs(ruth, card, retired)
	x.sync(ruth, halden, corin)
	for _, m := range []*member{halden, corin} {
		if err := m.c.Approve(ctx, m.id, seat); err != nil {
			t.Fatal(err)
		}
		x.sync(m)
	}
	x.pass(24 * time.Hour)
	x.proposes(halden, dialogue.Plenary, retired)
	was := [][]byte{keyOf(ruth, ruth), keyOf(ruth, halden), keyOf(ruth, corin)}
	epoch := ruth.log.Epoch()
	for _, m := range []*member{halden, corin, ruth} {
		x.turns(m)
	}
	if ruth.log.Epoch() == epoch {
		t.Fatal("nobody committed")
	}
	x.sync(halden, corin, ruth)
	x.agree(all...)
	if x := ruth.state.Seat(seat); x.Status != dialogue.Arrived || !ruth.state.Ready(x) {
		t.Errorf("Mira is %d", x.Status)
	}
	for i, m := range all {
		if changed := !bytes.Equal(keyOf(ruth, m), was[i]); changed != (m != halden) {
			t.Errorf("%s has another key: %v", m.c.Profile().Name, changed)
		}
	}

	// A commit of somebody who brings it counts for nobody, and is seen.
	x.pass(24 * time.Hour)
	epoch = ruth.log.Epoch()
	x.sync(halden) // whose Update moves log time
	x.commitsWith(corin, dialogue.Plenary, retired)
	for range 3 {
		if err := ruth.turn(ctx, 0); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(ruth.show().Alarms); ruth.log.Epoch() != epoch || n != 1 || ruth.show().Alarms[0].Kind != AlarmAttempt {
		t.Errorf("epoch %d, alarms %+v", ruth.log.Epoch(), ruth.show().Alarms)
	}
	x.sync(ruth, halden, ruth)
	x.agree(ruth, halden)
	if ruth.log.Epoch() == epoch {
		t.Error("nobody else committed")
	}
}
