package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"slices"
	"testing"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/mls"
	"parley/relay"
	"parley/vault"
)

// loses has a member lose the room, without fault of anybody.
func (x *table) loses(m *member, reason LossReason) {
	x.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.update(func(sp *vault.Space) error { return m.lose(sp, reason, dialogue.SeatID{}) }); err != nil {
		x.t.Fatal(err)
	}
}

// TestReturnTakesTurns: who came back has another key, which the room knows; a
// post serves once; what waited goes out.
func TestReturnTakesTurns(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin := x.seated()
	for range 2 {
		before := ruth.state.Seat(corin.acct.Me).Key
		corin.mu.Lock()
		corin.caughtUp = false // it does not go out at once
		corin.mu.Unlock()
		if _, err := corin.c.Say(ctx, corin.id, Draft{Text: "Written before."}); err != nil {
			t.Fatal(err)
		}
		x.loses(corin, LossMissed)
		if _, err := corin.c.Say(ctx, corin.id, Draft{Text: "x"}); err == nil {
			t.Error("one that is out of the room can write")
		}
		x.sync(corin, ruth, corin, halden, corin, ruth, corin, halden)
		x.sync(corin, ruth, halden)
		after := ruth.state.Seat(corin.acct.Me).Key
		if corin.acct.Standing != StandingIn || corin.acct.Away != nil || string(before) == string(after) ||
			string(after) != string(corin.log.SignatureKey(channel.Plenary)) {
			t.Fatalf("Corin is %s", corin.acct.Standing)
		}
		if ruth.state.Fresh(before) {
			t.Error("the former key is not retired")
		}
	}
	if l, err := ruth.c.Messages(ruth.id, Query{}); err != nil || spoken(l) != 2 {
		t.Errorf("%d messages, %v", spoken(l), err)
	}
	if ruth.state.Digest() != corin.state.Digest() || ruth.state.Digest() != halden.state.Digest() {
		t.Error("other skeletons")
	}
}

// TestFalsePast: who returns takes no charter that does not go on from what it
// knew itself, and names who gave it.
func TestFalsePast(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.loses(corin, LossMissed)
	corin.mu.Lock()
	known := *corin.state
	known.Departures++ // as if somebody had gone of whom the others say nothing
	corin.state = &known
	corin.mu.Unlock()
	x.sync(corin, ruth, corin, halden, corin, ruth, corin)
	if corin.acct.Standing != StandingLost || !corin.acct.Awaits {
		t.Errorf("Corin is %s", corin.acct.Standing)
	}
	alarms := corin.show().Alarms
	if len(alarms) == 0 || alarms[0].Kind != AlarmCharter || alarms[0].Seat.Name == "Corin" {
		t.Errorf("%+v", alarms)
	}
	n := len(alarms)
	x.sync(ruth, corin, halden, corin)
	if m := len(corin.show().Alarms); m > 2 || m < n {
		t.Errorf("%d alarms", m)
	}
}

// TestWelcomeThatNeverCame: a newcomer that was let in, and whose Welcome was
// never sent, comes in by its door.
func TestWelcomeThatNeverCame(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	_, ruth := x.convenor("Ruth")
	_, halden := x.joins(ruth, 1, "Halden")
	for ruth.state.Epoch == 0 { // one step at a time, until the commit is in the log
		if err := ruth.push(ctx); err != nil {
			t.Fatal(err)
		}
		if err := ruth.watchCards(ctx, true); err != nil {
			t.Fatal(err)
		}
		if err := ruth.turn(ctx, 0); err != nil {
			t.Fatal(err)
		}
	}
	ruth.mu.Lock()
	err := ruth.update(func(sp *vault.Space) error {
		for i := 0; i < len(ruth.out); {
			if it := ruth.out[i]; it.Kind == itemParcel {
				if err := ruth.drop(sp, it); err != nil {
					return err
				}
				continue
			}
			i++
		}
		return nil
	})
	ruth.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	x.sync(ruth, halden, ruth, halden)
	if halden.acct.Standing != StandingWaiting {
		t.Fatalf("Halden is %s", halden.acct.Standing)
	}
	if err := halden.c.Return(ctx, halden.id); err != nil {
		t.Fatal(err)
	}
	x.sync(ruth, halden, ruth, halden, ruth)
	if halden.acct.Standing != StandingIn || ruth.state.Digest() != halden.state.Digest() {
		t.Errorf("Halden is %s", halden.acct.Standing)
	}
}

// TestDoorMoves: with its first entry after a removal each moves its door;
// what lies at the former is still read.
func TestDoorMoves(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin := x.seated()
	first := corin.acct.Door
	if err := halden.c.Leave(ctx, halden.id); err != nil {
		t.Fatal(err)
	}
	x.sync(halden, ruth, halden, corin, ruth)
	if corin.acct.Door != first {
		t.Error("the door moved with nothing said")
	}
	if err := corin.c.ReadWords(ctx, corin.id); err != nil {
		t.Fatal(err)
	}
	x.sync(corin, ruth, corin)
	x.sync(ruth)
	doors := ruth.state.Seat(corin.acct.Me).Doors
	if corin.acct.Door == first || len(doors) != 2 || doors[0] != corin.acct.Door || doors[1] != first {
		t.Fatalf("%d doors", len(doors))
	}
	corin.mu.Lock()
	corin.acct.Door = first // as an older copy has it
	corin.mu.Unlock()
	x.loses(corin, LossOlder)
	x.sync(corin, ruth, corin, ruth, corin)
	if corin.acct.Standing != StandingIn {
		t.Errorf("Corin is %s", corin.acct.Standing)
	}
}

// TestDoorMovesWithinADay: who writes nothing moves its door with the Update of
// its day, once, and so does who was seen to write in its side room alone.
func TestDoorMovesWithinADay(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin, nora := x.four()
	all := []*member{ruth, corin, nora}
	x.clocks(ruth, halden, corin, nora)
	doors := func() (l []dialogue.Key) {
		for _, m := range all {
			l = append(l, ruth.state.Seat(m.acct.Me).Doors[0])
		}
		return l
	}
	if err := halden.c.Leave(ctx, halden.id); err != nil {
		t.Fatal(err)
	}
	x.sync(halden, ruth, corin, nora, ruth, corin, nora)
	first := doors()
	if _, err := nora.c.Say(ctx, nora.id, Draft{Room: 2, Text: "Among ourselves."}); err != nil {
		t.Fatal(err)
	}
	x.sync(nora, ruth, corin, nora)
	if now := doors(); now[2] == first[2] || now[1] != first[1] {
		t.Error("a word in a side room moves no door, or another's")
	}
	x.pass(24 * time.Hour)
	x.sync(ruth, corin, nora, ruth, corin, nora, ruth)
	x.agree(all...)
	now := doors()
	for i, m := range all {
		s := ruth.state.Seat(m.acct.Me)
		if now[i] == first[i] || ruth.state.DoorKnown(s) || m.acct.Door != now[i] || len(s.Doors) != 2 {
			t.Errorf("%s has %d doors, known: %v", m.c.Profile().Name, len(s.Doors), ruth.state.DoorKnown(s))
		}
	}
	for range 2 { // and once for each removal
		x.pass(24 * time.Hour)
		x.sync(ruth, corin, nora, ruth, corin, nora, ruth)
	}
	if !slices.Equal(doors(), now) {
		t.Error("a door moves every day")
	}
}

// TestDoorIsToldOnce: a door that went out before a commit that removes somebody
// was read by that one. What is told after it is another.
func TestDoorIsToldOnce(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin, nora := x.four()
	if err := halden.c.Leave(ctx, halden.id); err != nil {
		t.Fatal(err)
	}
	x.sync(halden, ruth, corin, nora, ruth)
	if err := nora.c.Leave(ctx, nora.id); err != nil {
		t.Fatal(err)
	}
	told := func() (k dialogue.Key) {
		for _, it := range corin.out {
			if isDoor(it) {
				e, _ := dialogue.ParseEvent(it.Event)
				d, _ := decodeBody[dialogue.Door](e)
				k = d.Key
			}
		}
		return k
	}
	if err := corin.c.ReadWords(ctx, corin.id); err != nil {
		t.Fatal(err)
	}
	stale := told()
	if stale == (dialogue.Key{}) {
		t.Fatal("no door is told")
	}
	x.sync(nora, ruth) // the commit stands before it in the log
	x.sync(corin, ruth, corin)
	if d := ruth.state.Seat(corin.acct.Me).Doors[0]; d == stale || d != corin.acct.Door {
		t.Error("Nora knows the new door, too")
	}
}

// welcome makes a Welcome to a group that a seat made up, for what lies at
// somebody's door.
func (x *table) welcome(by, to *member, id []byte) []byte {
	x.t.Helper()
	var post dialogue.Return
	if err := wire.Unmarshal(to.acct.Away.Posts[len(to.acct.Away.Posts)-1].Content, &post, wire.MaxMessage); err != nil {
		x.t.Fatal(err)
	}
	kp, err := mls.ParseKeyPackage(post.Package)
	if err != nil {
		x.t.Fatal(err)
	}
	return x.madeUp(by, kp, id)
}

// madeUp makes a Welcome to a group of a seat's own.
func (x *table) madeUp(by *member, kp *mls.KeyPackage, id []byte) []byte {
	x.t.Helper()
	sig, err := mls.GenerateSignatureKey(Suite)
	if err != nil {
		x.t.Fatal(err)
	}
	group, err := mls.NewGroup(Suite, id, by.acct.Me[:], sig, lifetime(by.c.opt.Now()))
	if err != nil {
		x.t.Fatal(err)
	}
	p, _, err := group.Stage(nil, mls.CommitContent{Adds: []*mls.KeyPackage{kp}})
	if err != nil {
		x.t.Fatal(err)
	}
	return p.Welcome
}

// TestWelcomeToAnotherRoom: who knows a door can put a Welcome there that leads
// to a room of its own. Where it is not called as the one that was lost, it is
// none; where it is, nobody can tell the past there: a day later the vault is at
// its door again, and comes back.
func TestWelcomeToAnotherRoom(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin := x.seated()
	x.loses(corin, LossMissed)
	if err := corin.returnWith(x.welcome(halden, corin, randomGroup())); err != nil {
		t.Fatal(err)
	}
	if corin.log != nil || len(corin.acct.Away.Posts) != 1 {
		t.Fatal("a room with another id is entered")
	}
	if err := corin.returnWith(x.welcome(halden, corin, ruth.log.Group(channel.Plenary))); err != nil {
		t.Fatal(err)
	}
	if corin.log == nil || corin.acct.Standing != StandingLost {
		t.Fatalf("Corin is %s", corin.acct.Standing)
	}
	if _, err := corin.c.Say(ctx, corin.id, Draft{Text: "x"}); err == nil {
		t.Error("one can write in a room whose past nobody told")
	}
	corin.mu.Lock()
	corin.acct.Place.At -= postAgain
	corin.mu.Unlock()
	x.sync(corin, ruth, corin, halden, corin, ruth, corin, halden, ruth)
	if corin.acct.Standing != StandingIn || corin.state.Digest() != ruth.state.Digest() {
		t.Errorf("Corin is %s", corin.acct.Standing)
	}
}

// TestWelcomeByWhoLeftOneOut: whom a seat named as having left it out does not
// bring it back, by whichever of its posts.
func TestWelcomeByWhoLeftOneOut(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	for _, again := range []bool{false, true} {
		corin.mu.Lock()
		err := corin.update(func(sp *vault.Space) error {
			if again { // it was lost once more, through nobody's fault
				corin.acct.Away.By = dialogue.SeatID{}
				return nil
			}
			return corin.lose(sp, LossLeftOut, halden.acct.Me)
		})
		corin.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		if err := corin.returnWith(x.welcome(halden, corin, ruth.log.Group(channel.Plenary))); err != nil {
			t.Fatal(err)
		}
		if corin.log != nil {
			t.Fatalf("who left Corin out brings it back; lost again: %v", again)
		}
	}
	x.sync(corin, ruth, corin, halden, corin)
	if corin.acct.Standing != StandingIn || !slices.Contains(ruth.state.Seat(halden.acct.Me).NamedBy, corin.acct.Me) {
		t.Errorf("Corin is %s", corin.acct.Standing)
	}
}

// TestJunkAtTheDoor: Welcomes that don't open never push out the key that the
// room knows the seat by, and soon make no further posts.
func TestJunkAtTheDoor(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.loses(corin, LossMissed)
	key := corin.acct.Away.Keys[0]
	for range 12 {
		junk := x.welcome(halden, corin, ruth.log.Group(channel.Plenary))
		junk[len(junk)-1] ^= 1
		if err := corin.returnWith(junk); err != nil {
			t.Fatal(err)
		}
		x.sync(corin)
	}
	a := corin.acct.Away
	if !bytes.Equal(a.Keys[0], key) || len(a.Posts) != 1+maxVain {
		t.Errorf("%d keys, %d posts", len(a.Keys), len(a.Posts))
	}
	for i := range 2 * dialogue.MaxReturnKeys {
		a.holdDoubtful(bytes.Repeat([]byte{byte(i)}, ed25519.SeedSize))
	}
	if signers, err := a.signers(); err != nil || !slices.ContainsFunc(signers, func(k ed25519.PrivateKey) bool { return bytes.Equal(k.Seed(), key) }) {
		t.Errorf("the room's key signs no more, %v", err)
	}
	a.Keys = a.Keys[len(a.Keys)-1:]
	x.sync(corin, ruth, corin, halden, corin, ruth, corin)
	if corin.acct.Standing != StandingIn {
		t.Errorf("Corin is %s", corin.acct.Standing)
	}
}

// TestMissedCells: where the relay begins later than one has read, nothing is
// taken as if it stood at one's place in the log.
func TestMissedCells(t *testing.T) {
	x := newTable(t)
	ruth, _, _ := x.seated()
	at := ruth.log.Position()
	n, err := ruth.take(ruth.log.Box(), relay.Page{First: at + 1, Next: at + 2, Cells: make([]relay.Cell, 1)})
	if n != 0 || err != nil || ruth.acct.Standing != StandingLost || ruth.acct.Away.Reason != LossMissed {
		t.Errorf("%d cells are taken, %v; Ruth is %s", n, err, ruth.acct.Standing)
	}
}
