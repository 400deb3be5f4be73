package client

import (
	"context"
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/mls"
	"parley/vault"
)

// says puts a witness of one seat beside the Welcome of another: that it was let
// in at another epoch than it was.
func (x *table) says(by, of *member, change func(*dialogue.Witness)) {
	x.t.Helper()
	x.saysWith(by, of, ed25519.NewKeyFromSeed(by.acct.Witness), nil, change)
}

func (x *table) saysWith(by, of *member, key, card ed25519.PrivateKey, change func(*dialogue.Witness)) {
	x.t.Helper()
	p := of.acct.Place
	w := dialogue.Witness{Author: by.acct.Me, Package: p.Package, Group: of.acct.Group, Epoch: of.acct.Base + 1, Tag: p.Tag}
	if change != nil {
		change(&w)
	}
	x.puts(by, p.Beside, w.Sign(key, card))
}

// puts puts a witness into a box.
func (x *table) puts(by *member, beside parcelItem, s dialogue.SignedWitness) {
	x.t.Helper()
	x.queue(by, beside, channel.ParcelWitness, wire.Marshal(s))
	if err := by.push(context.Background()); err != nil {
		x.t.Fatal(err)
	}
}

// newKey is a key that nobody knows.
func newKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// witnesses reads what witnesses lie beside the Welcome of a seat that a member
// let in.
func (x *table) witnesses(m *member, beside parcelItem) (l []*dialogue.SignedWitness) {
	x.t.Helper()
	r, err := m.relay()
	if err != nil {
		x.t.Fatal(err)
	}
	err = newParcelBox(beside).read(context.Background(), r, 0, func(p *channel.Parcel) error {
		if p.Kind != channel.ParcelWitness {
			return nil
		}
		s, err := dialogue.ParseWitness(p.Content)
		l = append(l, s)
		return err
	})
	if err != nil {
		x.t.Fatal(err)
	}
	return l
}

// TestWitnessesOfWhoIsNotHeard: who was let in and is not heard for some minutes
// finds, beside its Welcome, where that was, by each who knows. Who is heard in
// time needs none.
func TestWitnessesOfWhoIsNotHeard(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	x.pass(10 * time.Minute)
	x.sync(ruth, halden, corin)
	if l := x.witnesses(ruth, corin.acct.Place.Beside); len(l) != 0 {
		t.Errorf("%d witnesses of who is there", len(l))
	}
	x.loses(corin, LossMissed)
	x.sync(corin, ruth, halden, ruth) // and Corin does not look
	if len(ruth.acct.LetIn) != 1 || len(halden.acct.LetIn) != 1 {
		t.Fatal("Corin was not let in")
	}
	in := ruth.acct.LetIn[0]
	x.pass((witnessWait - 1) * time.Minute)
	x.sync(ruth, halden)
	if l := x.witnesses(ruth, in.Beside); len(l) != 0 {
		t.Errorf("%d witnesses too early", len(l))
	}
	x.pass(2 * time.Minute)
	x.sync(ruth, halden)
	l := x.witnesses(ruth, in.Beside)
	if len(l) != 2 || l[0].Witness.Author != ruth.acct.Me || l[1].Witness.Author != halden.acct.Me {
		t.Fatalf("%d witnesses", len(l))
	}
	for i, m := range []*member{ruth, halden} {
		if !l[i].By(corin.state.Seat(m.acct.Me).Witness) {
			t.Errorf("witness %d is not by %s, as Corin knows it", i, m.c.Profile().Name)
		}
	}
	if !l[0].ByCard(corin.me().Card) || l[1].ByCard(corin.me().Card) {
		t.Error("Ruth made the card, and Halden did not")
	}
	x.sync(corin, ruth, halden, corin)
	if corin.acct.Standing != StandingIn || len(corin.show().Alarms) != 0 || corin.elsewhere() {
		t.Errorf("Corin is %s, with %d alarms", corin.acct.Standing, len(corin.show().Alarms))
	}
	x.pass(10 * time.Minute)
	x.sync(ruth, halden, corin)
	if n := len(x.witnesses(ruth, in.Beside)); n != 2 || len(ruth.acct.LetIn)+len(halden.acct.LetIn)+len(corin.acct.LetIn) != 0 {
		t.Errorf("%d witnesses in the end", n)
	}
}

// TestLetInToARoomOfItsOwn: Halden lets Corin, who comes back, into a room of its
// own before the others let Corin in to theirs. They miss Corin, and their
// witnesses bring it out of there, and in.
func TestLetInToARoomOfItsOwn(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	_, oake := x.joins(ruth, 1, "Oake")
	x.sync(ruth)
	x.approve(oake, halden, corin)
	x.sync(ruth, oake, ruth, halden, corin, oake, ruth)
	x.clocks(ruth, halden, corin, oake)
	x.loses(corin, LossMissed)
	x.sync(corin)
	if err := corin.returnWith(x.welcome(halden, corin, ruth.log.Group(channel.Plenary))); err != nil || corin.log == nil {
		t.Fatal("that room is not entered: ", err)
	}
	x.sync(ruth, oake, ruth, corin) // Corin's seat is in, and Corin is elsewhere
	x.pass(witnessWait*time.Minute + time.Hour)
	x.sync(ruth, corin)
	if l := corin.show().Alarms; corin.log == nil || len(l) != 1 || l[0].Kind != AlarmElsewhere || l[0].Seat.Name != "Ruth" {
		t.Fatalf("one party's word: %+v", l)
	}
	x.sync(oake, corin)
	if corin.log != nil || corin.acct.Away.Reason != LossElsewhere || len(corin.show().Alarms) != 0 {
		t.Fatalf("Corin is %s, alarms %+v", corin.acct.Standing, corin.show().Alarms)
	}
	x.sync(corin, ruth, oake, ruth)
	if err := corin.returnWith(x.welcome(halden, corin, ruth.log.Group(channel.Plenary))); err != nil || corin.log != nil {
		t.Fatal("a Welcome without a witness is followed: ", err)
	}
	for range 3 {
		x.sync(corin, oake, ruth, corin)
		if corin.log != nil {
			t.Fatal("no witness is there yet")
		}
		x.pass(time.Minute)
	}
	x.pass(witnessWait * time.Minute)
	x.sync(ruth, corin, corin)
	if corin.log != nil {
		t.Fatal("one party's witness is enough to follow a Welcome")
	}
	x.pass(time.Hour)
	x.sync(oake, corin, corin, ruth, oake, halden, corin, ruth)
	if corin.acct.Standing != StandingIn {
		t.Fatalf("Corin is %s", corin.acct.Standing)
	}
	x.sync(oake, halden, corin, ruth, oake, halden, corin)
	x.agree(corin, ruth, oake, halden)
}

// TestOnePartyContradicts: where one party alone says that one was let in
// elsewhere, that is shown; one goes on, and the person can leave.
func TestOnePartyContradicts(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	x.loses(corin, LossMissed)
	x.sync(corin, ruth, corin, halden, corin, ruth)
	if err := corin.c.Return(ctx, corin.id); err != nil || corin.acct.Standing != StandingIn {
		t.Fatal("it leaves without a reason: ", err)
	}
	x.says(halden, corin, nil)
	x.sync(corin)
	x.says(halden, corin, func(w *dialogue.Witness) { w.Epoch += 3 })
	x.sync(corin)
	if k := kinds(corin); len(k) != 1 || k[0] != AlarmElsewhere || corin.acct.Standing != StandingIn {
		t.Fatalf("Corin is %s, and told %v", corin.acct.Standing, k)
	}
	if _, err := corin.c.Say(ctx, corin.id, Draft{Text: "Here."}); err != nil {
		t.Fatal(err)
	}
	x.sync(corin, ruth)
	if l, err := ruth.c.Messages(ruth.id, Query{}); err != nil || spoken(l) != 1 {
		t.Errorf("%d messages, %v", spoken(l), err)
	}
	if _, _, err := corin.c.Invite(ctx, corin.id, InviteOptions{Side: 2, Name: "Nora"}); err != nil {
		t.Fatal(err)
	}
	x.sync(corin)
	if err := corin.c.Return(ctx, corin.id); err != nil || corin.log != nil {
		t.Fatal("it does not leave: ", err)
	}
	if !corin.outHas(dialogue.KindInvite, func(dialogue.Event) bool { return true }) {
		t.Error("the card that was made is not announced again")
	}
	if l := corin.spoke(); len(l) != 1 || l[0].State != StateBack || l[0].Text != "Here." {
		t.Errorf("what was said does not come back: %+v", l)
	}
	x.sync(corin, ruth, corin, ruth)
	if corin.log != nil {
		t.Fatal("it comes back without a witness")
	}
	x.pass(witnessWait * time.Minute)
	x.sync(ruth, corin, corin) // the convenor's, who was not heeded
	if corin.log != nil {
		t.Fatal("it comes back by another's witness")
	}
	x.pass(time.Minute)
	x.sync(halden, corin, corin, ruth, corin)
	if corin.acct.Standing != StandingIn {
		t.Errorf("Corin is %s", corin.acct.Standing)
	}
}

// spoke is what one has said.
func (m *member) spoke() (l []Message) {
	all, _ := m.c.Messages(m.id, Query{})
	for _, msg := range all {
		if msg.Mine && msg.Kind != KindNotice {
			l = append(l, msg)
		}
	}
	return l
}

// TestWaryForADay: who left a room that others contradicted waits for a witness
// for a day. Then it goes where it is let in: whom it heeds may be gone.
func TestWaryForADay(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	x.loses(corin, LossMissed)
	x.sync(corin, ruth, corin, halden, corin, ruth)
	x.says(halden, corin, nil)
	x.sync(corin)
	if err := corin.c.Return(ctx, corin.id); err != nil {
		t.Fatal(err)
	}
	for d, wary := range map[time.Duration]bool{0: true, 23 * time.Hour: true, 25 * time.Hour: false} {
		x.passed.Store(int64(d))
		if corin.wary() != wary {
			t.Errorf("after %v", d)
		}
	}
}

// TestContradictedByTheCard: a newcomer knows nobody but who made its card, whose
// witness takes it out of a room at once; nobody else's is by that card.
func TestContradictedByTheCard(t *testing.T) {
	x := newTable(t)
	_, ruth := x.convenor("Ruth")
	_, halden := x.joins(ruth, 1, "Halden")
	x.sync(ruth, halden, ruth, halden, ruth)
	_, corin := x.joins(ruth, 2, "Corin")
	x.sync(ruth)
	if err := corin.turn(context.Background(), 0); err != nil || corin.log == nil || !corin.acct.Awaits {
		t.Fatal("Corin has not just come in: ", err)
	}
	key := newKey(t)
	x.saysWith(halden, corin, key, key, nil)
	x.sync(corin)
	if corin.log == nil || corin.elsewhere() {
		t.Fatal("Halden's is by the card")
	}
	x.clocks(ruth, halden, corin)
	x.saysWith(ruth, corin, ed25519.NewKeyFromSeed(ruth.acct.Witness), x.made(ruth, corin).signer(), nil)
	x.sync(corin)
	if corin.log != nil || corin.acct.Away == nil || corin.acct.Away.Reason != LossElsewhere {
		t.Fatal("Ruth's is not heeded")
	}
	x.sync(corin, ruth, halden, ruth, halden, corin)
	if corin.log != nil {
		t.Fatal("it comes back without a witness")
	}
	x.pass((witnessWait + 2) * time.Minute)
	x.sync(halden, ruth, halden, corin, corin)
	if corin.log == nil {
		t.Fatal("it does not come back")
	}
	x.sync(ruth, halden, corin, ruth, halden)
	if corin.acct.Standing != StandingIn {
		t.Errorf("Corin is %s", corin.acct.Standing)
	}
	x.agree(corin, ruth, halden)
}

// TestCardIsHeededForADay: whoever made a newcomer's card, and takes it out of the
// room again and again, can do so for a day after the first time.
func TestCardIsHeededForADay(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	x.sync(ruth, halden, corin)
	lies := func() {
		x.saysWith(ruth, corin, ed25519.NewKeyFromSeed(ruth.acct.Witness), x.made(ruth, corin).signer(), nil)
		x.sync(corin)
	}
	lies()
	if corin.log != nil {
		t.Fatal("it is not heeded at first")
	}
	first := corin.acct.Away.Heed.Until
	x.sync(corin, ruth, halden, ruth, halden)
	x.pass((witnessWait + 2) * time.Minute)
	x.sync(halden, ruth, halden, corin, corin)
	if corin.log == nil {
		t.Fatal("Corin does not come back")
	}
	x.pass(20 * time.Hour)
	lies()
	if corin.log != nil || corin.acct.Away.Heed.Until != first {
		t.Fatal("it is heeded anew, or no longer")
	}
	x.pass(5 * time.Hour)
	x.sync(ruth, halden, corin, ruth, halden, corin)
	if corin.log == nil {
		t.Fatal("Corin does not come back again")
	}
	lies()
	if k := kinds(corin); corin.log == nil || len(k) != 1 || k[0] != AlarmElsewhere {
		t.Errorf("Corin is %s, and told %v", corin.acct.Standing, k)
	}
}

// TestDoorIsReadAgainSlowly: witnesses that one heeds, of which each takes the
// other's place, have the door read again once a minute, and not as fast as the
// relay gives it.
func TestDoorIsReadAgainSlowly(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	x.sync(ruth, halden, corin)
	card := x.made(ruth, corin).signer()
	key := ed25519.NewKeyFromSeed(ruth.acct.Witness)
	x.saysWith(ruth, corin, key, card, nil)
	x.sync(corin)
	if corin.log != nil {
		t.Fatal("Corin does not leave")
	}
	welcome := x.welcome(halden, corin, corin.acct.Group)
	p := corin.acct.Away.Posts[len(corin.acct.Away.Posts)-1]
	i := byte(0)
	reads := func() *parcelBox {
		t.Helper()
		if err := corin.returnWith(welcome); err != nil || !corin.passedOver {
			t.Fatal("the Welcome is not passed over: ", err)
		}
		w := dialogue.Witness{Author: ruth.acct.Me, Package: p.pkg(), Group: []byte{i}, Tag: make([]byte, 48)}
		i++
		x.puts(ruth, atDoor(corin.acct.Door), w.Sign(key, card))
		if err := errors.Join(corin.awaitDoor(context.Background(), 0), corin.awaitDoor(context.Background(), 0)); err != nil {
			t.Fatal(err)
		}
		return corin.door
	}
	again := reads()
	if reads() != again {
		t.Error("it is read again at once")
	}
	x.pass(2 * time.Minute)
	if reads() == again {
		t.Error("it is not read again")
	}
}

// TestWitnessesThatDoNotCount: of another key package, by another's key, of a
// seat that one does not know, by oneself, or that says the same.
func TestWitnessesThatDoNotCount(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.loses(corin, LossMissed)
	x.sync(corin, ruth, corin, halden, corin, ruth)
	x.says(halden, corin, func(w *dialogue.Witness) { w.Package[0]++ })
	x.says(halden, corin, func(w *dialogue.Witness) { w.Author = ruth.acct.Me })
	x.says(halden, corin, func(w *dialogue.Witness) { w.Author = dialogue.NewSeatID() })
	x.says(corin, corin, nil)
	x.says(halden, corin, func(w *dialogue.Witness) { w.Epoch = corin.acct.Base })
	x.sync(corin)
	if corin.elsewhere() || len(kinds(corin)) != 0 {
		t.Error("one of them counts")
	}
	x.says(halden, corin, func(w *dialogue.Witness) { w.Epoch, w.Tag = corin.acct.Base, make([]byte, 48) })
	x.sync(corin)
	if len(corin.acct.Place.Against) != 1 {
		t.Error("another tag passes")
	}
}

// TestCardCountsForADay: who made the card takes nobody out of a room by itself
// who came in more than a day ago.
func TestCardCountsForADay(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	x.pass(25 * time.Hour)
	key := newKey(t)
	corin.mu.Lock()
	corin.acct.Place.Card = dialogue.Key(key.Public().(ed25519.PublicKey))
	corin.mu.Unlock()
	x.saysWith(ruth, corin, ed25519.NewKeyFromSeed(ruth.acct.Witness), key, nil)
	x.sync(corin)
	if k := kinds(corin); corin.acct.Standing != StandingIn || len(k) != 1 || k[0] != AlarmElsewhere {
		t.Errorf("Corin is %s, and told %v", corin.acct.Standing, k)
	}
}

// TestWitnessOfAnotherPost: who came in with one post, and reads that the others
// let it in with another that lies at its door, came in elsewhere, unless its log
// is to be read yet.
func TestWitnessOfAnotherPost(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	x.loses(corin, LossMissed)
	x.sync(corin)
	if err := corin.knockAgain(true); err != nil {
		t.Fatal(err)
	}
	first := corin.acct.Away.Posts[0]
	x.sync(corin, ruth, halden, ruth, corin, ruth, corin)
	if corin.acct.Standing != StandingIn || len(corin.acct.Spare) != 1 || corin.acct.Spare[0].pkg() != first.pkg() {
		t.Fatalf("Corin is %s, with %d posts left", corin.acct.Standing, len(corin.acct.Spare))
	}
	w := &dialogue.Witness{Author: ruth.acct.Me, Package: first.pkg(), Group: corin.acct.Group, Epoch: corin.acct.Base, Tag: corin.acct.Place.Tag}
	if !corin.otherPlace(w) {
		t.Error("it is not noticed")
	}
	w.Epoch--
	if corin.otherPlace(w) {
		t.Error("a Welcome that never came is held against a room that others confirm")
	}
	corin.acct.Settled, corin.acct.Vouched, corin.acct.Told = false, nil, corin.c.minute()-doubtWait
	if !corin.unbacked() || !corin.otherPlace(w) {
		t.Error("it is not held against one that nobody confirms")
	}
	corin.acct.Told++
	if corin.otherPlace(w) {
		t.Error("it is too soon")
	}
	w.Epoch, corin.acct.Settled = corin.acct.Base, true
	corin.caughtUp = false
	if corin.otherPlace(w) {
		t.Error("the log may yet have it")
	}
	corin.caughtUp = true
	x.pass(time.Hour)
	if corin.otherPlace(w) {
		t.Error("the log may have it since")
	}
}

// TestNewcomerWaitsInVain: a newcomer whose Welcome leads where nobody tells a
// past leaves after a day, and comes in by its door.
func TestNewcomerWaitsInVain(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	_, mira := x.joins(ruth, 2, "Mira")
	x.clocks(ruth, halden, corin, mira)
	j := mira.acct.Joining
	secrets, err := mls.ParseKeyPackageSecrets(j.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	k, err := parseCard(j.Card)
	if err != nil {
		t.Fatal(err)
	}
	if err := mira.enterWith(x.madeUp(halden, secrets.KeyPackage(), randomGroup()), k, j); mira.log == nil || err != nil {
		t.Fatal("that room is not entered: ", err)
	}
	x.pass(23 * time.Hour)
	x.sync(mira)
	if mira.log == nil {
		t.Fatal("it leaves too soon")
	}
	x.pass(2 * time.Hour)
	x.sync(mira)
	if mira.log != nil {
		t.Fatal("it does not leave")
	}
	x.sync(ruth)
	x.approve(mira, halden, corin) // the true room lets it in only now
	x.sync(ruth, halden, corin, mira)
	for range 5 {
		x.sync(mira, halden, ruth, corin, mira)
		x.pass(time.Minute)
	}
	if mira.acct.Standing != StandingIn {
		t.Fatalf("Mira is %s", mira.acct.Standing)
	}
	x.sync(ruth, mira, ruth)
	x.agree(mira, ruth)
}

// TestLeavesWhereNobodyTellsAPast: a newcomer knows nobody yet. If for some minutes
// nobody tells it a past where it came in, anybody's witness of another place is
// enough to try that.
func TestLeavesWhereNobodyTellsAPast(t *testing.T) {
	x := newTable(t)
	_, ruth := x.convenor("Ruth")
	_, halden := x.joins(ruth, 1, "Halden")
	x.sync(ruth, halden, ruth, halden, ruth)
	_, corin := x.joins(ruth, 2, "Corin")
	if err := ruth.watchCards(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for epoch, i := ruth.state.Epoch, 0; corin.log == nil; i++ { // with a Welcome, and before there is a charter
		if ruth.state.Epoch == epoch {
			if err := ruth.proceed(); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(ruth.push(t.Context()), ruth.readOn(), corin.turn(t.Context(), 0)); err != nil || i == 30 {
			t.Fatal("Corin does not come in: ", err)
		}
	}
	x.clocks(ruth, halden, corin)
	key := newKey(t)
	x.saysWith(halden, corin, key, nil, nil)
	x.sync(corin)
	if corin.log == nil || !corin.acct.Awaits {
		t.Fatal("it leaves too soon, or was told a past")
	}
	x.pass(doubtWait * time.Minute)
	x.sync(corin)
	if corin.log != nil || corin.wary() {
		t.Fatal("it does not leave, or is wary")
	}
	for range 3 {
		x.sync(corin, ruth, halden, ruth, corin)
		x.pass(time.Minute)
	}
	if corin.acct.Standing != StandingIn {
		t.Errorf("Corin is %s", corin.acct.Standing)
	}
}

// TestWitnessesByAFalsePast: who told a newcomer a false past may have told it
// other witness keys, too. Where others told another past, they are there: such
// keys take nobody out of the room.
func TestWitnessesByAFalsePast(t *testing.T) {
	var keys []ed25519.PrivateKey
	x := newTable(t)
	ruth, halden, corin, mira := x.toldThat(func(s *dialogue.State) {
		s.Seats[0].Name = "Somebody else"
		for i := range s.Seats[:3] {
			keys = append(keys, newKey(t))
			s.Seats[i].Witness = keys[i].Public().(ed25519.PublicKey)
		}
	})
	if !mira.contested() || mira.state.Seats[0].Name != "Somebody else" {
		t.Fatal("Mira was not told the false past first")
	}
	for i, m := range []*member{ruth, halden, corin} {
		x.saysWith(halden, mira, keys[i], nil, func(w *dialogue.Witness) { w.Author = m.acct.Me })
	}
	x.sync(mira)
	if mira.log == nil || len(mira.acct.Place.Against) != 3 {
		t.Errorf("Mira is %s, with %d witnesses against the room", mira.acct.Standing, len(mira.acct.Place.Against))
	}
}

// vouches puts a witness at somebody's door: that the latest post there came in
// where a Welcome leads.
func (x *table) vouches(by, of *member, as dialogue.SeatID, key ed25519.PrivateKey, welcome []byte) {
	x.t.Helper()
	p := of.acct.Away.Posts[len(of.acct.Away.Posts)-1]
	secrets, err := mls.ParseKeyPackageSecrets(p.Secrets)
	if err != nil {
		x.t.Fatal(err)
	}
	group, err := mls.Join(welcome, secrets)
	if err != nil {
		x.t.Fatal(err)
	}
	w := dialogue.Witness{Author: as, Package: p.pkg(), Group: group.GroupID(), Epoch: group.Epoch(), Tag: group.ConfirmationTag()}
	x.puts(by, atDoor(of.acct.Door), w.Sign(key, nil))
	if err := errors.Join(of.awaitDoor(x.t.Context(), 0), of.returnWith(welcome)); err != nil {
		x.t.Fatal(err)
	}
}

// made is the card that a member made for another.
func (x *table) made(by, of *member) (k *card) {
	x.t.Helper()
	by.mu.Lock()
	defer by.mu.Unlock()
	err := by.view(func(sp *vault.Space) error {
		b, err := sp.Get(cardKey(of.acct.Me))
		if err != nil {
			return err
		}
		k, err = parseCard(string(b))
		return err
	})
	if err != nil {
		x.t.Fatal(err)
	}
	return k
}

// TestFalseKeysAreNotHeeded: who told a newcomer false witness keys can't, with
// them, send it on from the room that the card's maker took it out of.
func TestFalseKeysAreNotHeeded(t *testing.T) {
	false0 := newKey(t)
	x := newTable(t)
	ruth, halden, _, mira := x.toldBy(func(s *dialogue.State) {
		s.Seats[0].Witness = false0.Public().(ed25519.PublicKey)
	})
	x.saysWith(ruth, mira, ed25519.NewKeyFromSeed(ruth.acct.Witness), x.made(ruth, mira).signer(), nil)
	x.sync(mira)
	if mira.log != nil {
		t.Fatal("Mira does not leave")
	}
	x.vouches(halden, mira, ruth.acct.Me, false0, x.welcome(halden, mira, randomGroup()))
	if mira.log != nil {
		t.Error("a witness by a key that was told there is heeded")
	}
}

// TestLiarIsNotHeededAlone: who let a seat in to a room of its own can witness
// against that room itself. It takes two parties to lead the seat on.
func TestLiarIsNotHeededAlone(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	group := ruth.log.Group(channel.Plenary)
	x.loses(corin, LossMissed)
	x.sync(corin)
	if err := corin.returnWith(x.welcome(halden, corin, group)); err != nil || corin.log == nil {
		t.Fatal("that room is not entered: ", err)
	}
	x.says(halden, corin, nil)
	x.says(ruth, corin, nil)
	if err := corin.readBeside(t.Context(), true); err != nil || corin.log != nil {
		t.Fatal("Corin does not leave: ", err)
	}
	welcome := x.welcome(halden, corin, group)
	x.vouches(halden, corin, halden.acct.Me, ed25519.NewKeyFromSeed(halden.acct.Witness), welcome)
	if corin.log != nil {
		t.Error("the liar alone leads it on")
	}
	x.vouches(ruth, corin, ruth.acct.Me, ed25519.NewKeyFromSeed(ruth.acct.Witness), welcome)
	if corin.log == nil {
		t.Error("two parties do not")
	}
}

// TestContradictedSeatStillWitnesses: a false witness beside one's own Welcome
// does not silence one.
func TestContradictedSeatStillWitnesses(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	x.says(halden, corin, nil)
	x.sync(corin)
	if !corin.elsewhere() {
		t.Fatal("Corin has not seen it")
	}
	x.loses(halden, LossMissed)
	x.sync(halden, ruth, corin, ruth, corin)
	x.pass(time.Hour)
	x.sync(corin, ruth)
	l := x.witnesses(corin, atDoor(halden.acct.Door))
	if len(l) != 2 || l[0].Witness.Author != corin.acct.Me {
		t.Errorf("%d witnesses", len(l))
	}
	if corin.owesWitness() || len(corin.acct.LetIn) != 0 {
		t.Error("Corin still owes one")
	}
}

// TestCardNamesItsMaker: whoever made a card can sign with it what names others.
// It is its maker's word all the same, and one word.
func TestCardNamesItsMaker(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	x.pass(25 * time.Hour)
	other := newKey(t)
	card := x.made(ruth, corin).signer()
	x.saysWith(ruth, corin, other, card, func(w *dialogue.Witness) { w.Author = halden.acct.Me })
	for range 3 {
		x.saysWith(ruth, corin, other, card, func(w *dialogue.Witness) { w.Author = dialogue.NewSeatID() })
	}
	x.sync(corin)
	if l := corin.show().Alarms; corin.log == nil || len(l) != 1 || l[0].Seat.Name != "Ruth" {
		t.Errorf("alarms %+v", l)
	}
}

// TestLeavingKeepsWhatWasKnown: an alarm of the time before one came in stays when
// one leaves; and one is told that what was read there may be made up.
func TestLeavingKeepsWhatWasKnown(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	attempt(t, halden)
	x.sync(halden, corin)
	if k := kinds(corin); len(k) != 1 || k[0] != AlarmAttempt {
		t.Fatalf("before: %v", k)
	}
	x.loses(corin, LossMissed)
	x.sync(corin)
	if err := corin.returnWith(x.welcome(halden, corin, corin.acct.Group)); err != nil || corin.log == nil {
		t.Fatal("that room is not entered: ", err)
	}
	x.says(halden, corin, nil)
	x.says(ruth, corin, nil)
	if err := corin.readBeside(t.Context(), true); err != nil || corin.log != nil {
		t.Fatal("Corin does not leave: ", err)
	}
	if k := kinds(corin); len(k) != 1 || k[0] != AlarmAttempt {
		t.Errorf("after: %v", k)
	}
	l, err := corin.c.Messages(corin.id, Query{})
	if n := len(l); err != nil || n == 0 || l[n-1].Notice == nil || l[n-1].Notice.Kind != NoteLeftElsewhere {
		t.Errorf("nothing is said: %v", err)
	}
}

// TestWitnessesBesideEachWelcome: who was let in twice and not heard finds
// witnesses beside both Welcomes: which of them it followed nobody knows.
func TestWitnessesBesideEachWelcome(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	x.clocks(ruth, halden, corin)
	x.loses(corin, LossMissed)
	x.sync(corin, ruth, halden)
	first, epoch := ruth.acct.LetIn[len(ruth.acct.LetIn)-1], halden.state.Epoch
	if err := corin.knockAgain(true); err != nil {
		t.Fatal(err)
	}
	if err := corin.push(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := 0; halden.state.Epoch == epoch; i++ {
		if i == 9 {
			t.Fatal("Corin is not let in again")
		}
		x.sync(halden)
		x.pass(20 * time.Second)
	}
	x.sync(ruth)
	x.pass(time.Hour)
	x.sync(ruth)
	seen := map[dialogue.Hash]bool{}
	for _, s := range x.witnesses(ruth, first.Beside) {
		seen[s.Witness.Package] = true
	}
	if len(seen) != 2 {
		t.Errorf("witnesses of %d key packages", len(seen))
	}
}
