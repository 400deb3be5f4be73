package client

import (
	"context"
	"slices"
	"testing"

	"parley/channel"
	"parley/dialogue"
	"parley/vault"
)

// contradict has seats contradict what somebody read.
func contradict(t *testing.T, m *member, by ...dialogue.SeatID) {
	t.Helper()
	for _, id := range by {
		doubt(t, m, &channel.Got{Author: id[:], Against: channel.OtherBox})
	}
}

func doubt(t *testing.T, m *member, got *channel.Got) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.update(func(sp *vault.Space) error { return m.compare(sp, m.log.Box().ID(), got) }); err != nil {
		t.Fatal(err)
	}
}

func kinds(m *member) (l []AlarmKind) {
	for _, a := range m.show().Alarms {
		l = append(l, a.Kind)
	}
	slices.Sort(l)
	return l
}

// reads has somebody read words, and somebody else hear them.
func (x *table) reads(reader, hearer *member) {
	x.t.Helper()
	ctx := context.Background()
	if err := reader.c.ReadWords(ctx, reader.id); err != nil {
		x.t.Fatal(err)
	}
	x.sync(reader, hearer)
	x.hears(reader, hearer)
}

func (x *table) hears(reader, hearer *member) {
	x.t.Helper()
	word, err := hearer.c.LastWord(hearer.id, reader.acct.Me)
	if err != nil {
		x.t.Fatal(err)
	}
	if err := hearer.c.Heard(context.Background(), hearer.id, reader.acct.Me, word); err != nil {
		x.t.Fatal(err)
	}
	x.sync(hearer, reader)
}

// lines counts a room's notices of a kind, of the plenary.
func lines(t *testing.T, m *member, k dialogue.NoteKind) (n int) {
	t.Helper()
	l, err := m.c.Messages(m.id, Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range l {
		if x.Notice != nil && x.Notice.Kind == k {
			n++
		}
	}
	return n
}

// TestManyAlarms: alarms by one seat, however many, push out no other: of each
// kind the latest by each seat is shown, and each is a line of the plenary.
func TestManyAlarms(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	contradict(t, ruth, corin.acct.Me)
	for range 30 {
		halden.mu.Lock()
		err := halden.update(func(sp *vault.Space) error {
			return halden.queueEvent(sp, dialogue.KindCharter, dialogue.Charter{Base: ruth.state.Epoch, Hash: dialogue.Hash{1}})
		})
		halden.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
	}
	x.sync(halden, ruth)
	for _, again := range []bool{false, true} {
		if again {
			if err := ruth.reload(); err != nil {
				t.Fatal(err)
			}
		}
		if l, n := kinds(ruth), lines(t, ruth, dialogue.NoteCharter); !slices.Equal(l, []AlarmKind{AlarmCharter, AlarmContradicted}) || n != 30 {
			t.Errorf("opened again %v: alarms %q, %d lines of charters", again, l, n)
		}
	}
}

// TestDroppedCell: the relay says that a cell lies where another's is read.
func TestDroppedCell(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	ctx := context.Background()
	if _, err := halden.c.Say(ctx, halden.id, Draft{Text: "Here."}); err != nil {
		t.Fatal(err)
	}
	x.sync(halden, corin, ruth)
	if l := kinds(halden); len(l) != 0 {
		t.Fatalf("an honest relay: %q", l)
	}
	if _, err := halden.c.Say(ctx, halden.id, Draft{Text: "Dropped."}); err != nil {
		t.Fatal(err)
	}
	halden.mu.Lock()
	dropped := &halden.out[len(halden.out)-1].Cells[0]
	dropped.posted, dropped.at = true, halden.log.Position()+1
	halden.mu.Unlock()
	if err := halden.readOn(); err != nil || len(kinds(halden)) != 0 {
		t.Fatalf("nothing lies there yet: %q, %v", kinds(halden), err)
	}
	if _, err := corin.c.Say(ctx, corin.id, Draft{Text: "Another's."}); err != nil {
		t.Fatal(err)
	}
	x.sync(corin)
	if err := halden.readOn(); err != nil || !slices.Equal(kinds(halden), []AlarmKind{AlarmOther}) {
		t.Errorf("another's cell lies there: %q, %v", kinds(halden), err)
	}
}

func TestContradictions(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin := x.seated()

	// Once for each seat and box; one's own and nobody's do not add up.
	contradict(t, ruth, halden.acct.Me, halden.acct.Me, dialogue.SeatID{}, dialogue.SeatID{})
	doubt(t, ruth, &channel.Got{Own: true, Against: channel.OtherBox})
	if l := kinds(ruth); !slices.Equal(l, []AlarmKind{AlarmContradicted, AlarmContradicted, AlarmOther}) || ruth.show().Stopped {
		t.Fatalf("%q, stopped %v", l, ruth.show().Stopped)
	}
	if err := ruth.reload(); err != nil {
		t.Fatal(err)
	}
	contradict(t, ruth, halden.acct.Me)
	if l := kinds(ruth); len(l) != 3 {
		t.Errorf("opened again, the same is shown again: %q", l)
	}

	// In another box again, and that is still one seat.
	ruth.acct.Doubts.Box[0] ^= 1
	contradict(t, ruth, halden.acct.Me)
	if l := kinds(ruth); len(l) != 3 || lines(t, ruth, NoteContradicted) != 3 || ruth.show().Stopped {
		t.Errorf("in another box: %q, %d lines, stopped %v", l, lines(t, ruth, NoteContradicted), ruth.show().Stopped)
	}
	x.reads(ruth, corin) // begun after the contradiction: it settles that
	if l := ruth.acct.Doubts.Against; len(l) != 0 {
		t.Errorf("after the words %d seats are held against", len(l))
	}

	// A reading from before a stop does not end it.
	if err := corin.c.ReadWords(ctx, corin.id); err != nil {
		t.Fatal(err)
	}
	x.sync(corin, ruth)
	ruth.acct.Doubts.Box[0] ^= 1
	contradict(t, ruth, halden.acct.Me, corin.acct.Me)
	if err := ruth.reload(); err != nil {
		t.Fatal(err)
	}
	if !ruth.show().Stopped || !slices.Contains(kinds(ruth), AlarmStopped) {
		t.Fatalf("two seats: %q", kinds(ruth))
	}
	id, err := ruth.c.Say(ctx, ruth.id, Draft{Text: "It waits."})
	if err != nil {
		t.Fatal(err)
	}
	x.sync(ruth)
	x.hears(corin, ruth)
	if !ruth.show().Stopped {
		t.Error("a reading from before ended the stop")
	}

	// A seat that contradicted can say that it heard whatever it likes.
	x.reads(ruth, corin)
	if !ruth.show().Stopped {
		t.Error("the word of a seat that contradicted ended the stop")
	}
	x.sync(halden)
	if l, err := halden.c.Messages(halden.id, Query{}); err != nil || spoken(l) != 0 {
		t.Errorf("it went out: %d, %v", spoken(l), err)
	}

	// What this person heard counts, from whomever.
	x.reads(corin, ruth)
	if ruth.show().Stopped || slices.Contains(kinds(ruth), AlarmStopped) {
		t.Errorf("a match does not end the stop: %+v", ruth.acct.Doubts)
	}
	x.sync(ruth, halden)
	l, err := halden.c.Messages(halden.id, Query{})
	if err != nil || spoken(l) != 1 || !slices.ContainsFunc(l, func(m Message) bool { return m.ID == id }) {
		t.Errorf("what waited did not go out: %d, %v", spoken(l), err)
	}
}

// TestStopHoldsWhatIsMade: also what was made before, files and Welcomes wait;
// a sync ends all the same.
func TestStopHoldsWhatIsMade(t *testing.T) {
	x := newTable(t)
	ctx := context.Background()
	ruth, halden, corin := x.seated()
	if len(ruth.out) > 0 {
		t.Fatalf("after the seating: %s", ruth.c.Outbox(ruth.id))
	}
	if _, err := ruth.c.Say(ctx, ruth.id, Draft{Text: "Made, not posted."}); err != nil {
		t.Fatal(err)
	}
	if it := ruth.out[0]; it.Stage != stageHead {
		t.Fatalf("stage %d", it.Stage)
	}
	if _, _, err := ruth.c.Invite(ctx, ruth.id, InviteOptions{Side: 1, Name: "Mira"}); err != nil {
		t.Fatal(err)
	}
	contradict(t, ruth, halden.acct.Me, corin.acct.Me)
	if _, err := ruth.c.Say(ctx, ruth.id, Draft{Text: "Not made."}); err != nil {
		t.Fatal(err)
	}
	if err := corin.c.Leave(ctx, corin.id); err != nil {
		t.Fatal(err)
	}
	if err := corin.push(ctx); err != nil {
		t.Fatal(err)
	}
	n := len(ruth.out)
	x.sync(ruth)
	if len(ruth.out) != n || !ruth.state.Seat(corin.acct.Me).Due {
		t.Fatalf("of %d things %d wait, %s; Corin is to be removed: %v", n, len(ruth.out), ruth.c.Outbox(ruth.id), ruth.state.Seat(corin.acct.Me).Due)
	}
	if last := ruth.out[n-1]; last.Stage != stageWaiting {
		t.Errorf("what is said while stopped is made: stage %d", last.Stage)
	}
	ruth.mu.Lock()
	for _, it := range ruth.out {
		for _, c := range it.Cells {
			if c.posted {
				t.Errorf("something of kind %d was posted", it.Kind)
			}
		}
	}
	ruth.mu.Unlock()
}

// TestOutvotedFirst: a newcomer whom the first seat told a false past holds it
// against that seat, and no more against who told the truth. The two are one
// doubt, which stops nobody, though the liar contradicts itself.
func TestOutvotedFirst(t *testing.T) {
	x := newTable(t)
	ruth, halden, corin := x.seated()
	doubt(t, corin, &channel.Got{Author: halden.acct.Me[:], Against: channel.OtherPast, Unsure: true})
	doubt(t, corin, &channel.Got{Author: ruth.acct.Me[:], Against: channel.OtherPast})
	if corin.show().Stopped || len(corin.show().Alarms) != 2 {
		t.Errorf("Corin is stopped %v, and is shown the alarms %+v", corin.show().Stopped, corin.show().Alarms)
	}
	doubt(t, corin, &channel.Got{Author: []byte{1}, Outvoted: ruth.acct.Me[:], Cleared: halden.acct.Me[:]})
	if l := corin.acct.Doubts.Against; !slices.Equal(l, []dialogue.SeatID{ruth.acct.Me}) || corin.show().Stopped {
		t.Errorf("%v, stopped %v", l, corin.show().Stopped)
	}
	if l := corin.show().Alarms; len(l) != 1 || l[0].Seat.Name != "Ruth" {
		t.Errorf("Corin is shown the alarms %+v", l)
	}
	contradict(t, corin, halden.acct.Me)
	doubt(t, corin, &channel.Got{Author: []byte{1}, Outvoted: ruth.acct.Me[:], Cleared: halden.acct.Me[:]})
	if l := corin.show().Alarms; len(l) != 3 { // two stop writing
		t.Errorf("a contradiction after that, which is sure, is not shown: %+v", l)
	}
}
