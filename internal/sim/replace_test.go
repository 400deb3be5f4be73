package sim

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"parley/client"
	"parley/dialogue"
)

// replace has by ask for a new card for somebody's seat, p use it, and the
// others approve it, in that order, until p sits.
func (w *World) replace(by *Person, name string, p *Person, approve ...*Person) {
	w.T.Helper()
	ctx := context.Background()
	card, err := by.Replace(ctx, by.ID(), by.Seat(name).ID, 0)
	if err != nil {
		w.T.Fatal(err)
	}
	w.Until(p.Name+" uses the card", func() bool { _, _, err := p.Join(ctx, card); return err == nil })
	words := p.waiting()
	for _, q := range approve {
		w.Until(q.Name+" may approve", func() bool { return q.Seat(name).MayDo.ApproveNew })
		r, ok := q.Seat(name).ByWords(words)
		if !ok {
			w.T.Fatalf("%s sees %+v, not %q", q.Name, q.Seat(name).Replacements, words)
		}
		if err := q.ApproveNew(ctx, q.ID(), q.Seat(name).ID, r.Post); err != nil {
			w.T.Fatal(err)
		}
	}
	w.standing(p, client.StandingIn)
}

// shown are those whom a person's page of a room names as readers.
func (p *Person) shown(room dialogue.Room) (l []client.Reader) {
	for _, s := range p.Dialogue().Rooms[room].Readers {
		l = append(l, s.Reader())
	}
	return l
}

// waiting are the four words that a card's holder reads out.
func (p *Person) waiting() (words string) {
	v, err := p.Waiting(p.ID())
	if err != nil {
		p.W.T.Fatal(err)
	}
	for _, x := range v.Words {
		words += x + " "
	}
	return words
}

// hasRoom waits until somebody can write in the side room.
func (w *World) hasRoom(people ...*Person) {
	w.T.Helper()
	for _, p := range people {
		w.Until(p.Name+" can write in the side room", func() bool { return len(p.Dialogue().Rooms) == 2 && p.Dialogue().Rooms[1].CanWrite })
	}
}

// TestLostComputer: a side's only seat loses its computer to somebody who lets
// it run on. The convenor and the other head give it a new card: another reader,
// not verified, without the past. The old computer is told, and stays out.
func TestLostComputer(t *testing.T) {
	play(t, 60, func(w *World) {
		ruth, halden, old := table(w)
		ruth.say(0, "Before.")
		w.reads(old, 0, "Ruth: Before.")
		corin := w.Person("Corin anew")
		w.replace(ruth, "Corin", corin, halden, ruth)
		corin.say(0, "Here again.")
		for _, p := range []*Person{ruth, halden} {
			w.reads(p, 0, "Ruth: Before.", "Corin: Here again.")
			if l := p.notices(dialogue.NoteReplaced); len(l) != 1 || l[0].Seat != "Corin" {
				t.Errorf("%s is told %+v", p.Name, l)
			}
			if s := p.Seat("Corin"); s.Lost != dialogue.LossCard || len(s.VerifiedBy) != 0 || !s.Head || s.Replacing || len(s.Replacements) != 0 {
				t.Errorf("%s sees %+v", p.Name, s)
			}
		}
		w.reads(corin, 0, "Corin: Here again.")
		w.hasRoom(corin)
		w.Until("the old computer is told", func() bool { return old.reason() == client.LossNewCard })
		if _, err := old.Say(context.Background(), old.ID(), client.Draft{Text: "x"}); err == nil {
			t.Error("the old computer writes")
		}
		if err := old.Return(context.Background(), old.ID()); err != nil {
			t.Error(err)
		}
		for range 20 {
			time.Sleep(time.Minute)
		}
		ruth.say(0, "Only for those who sit.")
		w.reads(corin, 0, "Corin: Here again.", "Ruth: Only for those who sit.")
		w.reads(old, 0, "Ruth: Before.")
		if l := ruth.notices(dialogue.NoteReturning); len(l) != 0 || old.Dialogue().Standing != client.StandingLost {
			t.Errorf("%d returns, %s", len(l), old.Dialogue().Standing)
		}
		w.agree(ruth, halden, corin)
	})
}

// TestNewCardIsAnotherReader: Mira writes, without a network, to those whom she
// knows there, while somebody else comes to sit at Corin's place. It comes back
// to her, and goes to the new one when she says so.
func TestNewCardIsAnotherReader(t *testing.T) {
	play(t, 65, func(w *World) {
		ruth, halden, old := table(w)
		mira := w.Invite(ruth, 1, "Mira")
		w.Until("Mira can write", func() bool { return len(mira.shown(0)) == 3 })
		back := mira.away()
		corin := w.Person("Corin anew")
		w.People = slices.DeleteFunc(w.People, func(p *Person) bool { return p == mira })
		w.replace(ruth, "Corin", corin, halden, ruth)
		w.Faults(Faults{Refuse: 1000})
		back()
		mira.say(0, "For Corin's ears.")
		w.Faults(Faults{})
		w.Until("it comes back", func() bool { l := mira.lines(0); return len(l) == 1 && l[0].State == client.StateBack })
		for range 5 {
			time.Sleep(time.Minute)
		}
		if l := append(corin.said(0), old.said(0)...); len(l) != 0 {
			t.Errorf("it went out unasked: %q", l)
		}
		m := mira.lines(0)[0]
		if !slices.Equal(m.Shown, mira.shown(0)) || !slices.Contains(m.Readers, "Corin") {
			t.Errorf("Mira is told that %q would read it, %v", m.Readers, m.Shown)
		}
		if errs := mira.sendAgain(); len(errs) != 0 {
			t.Fatal(errs)
		}
		w.reads(corin, 0, "Mira: For Corin's ears.")
		w.People = append(w.People, mira)
		w.agree(ruth, halden, corin, mira)
	})
}

// TestLostComputerWithoutConvenor: a delegate's computer is lost while the
// convenor is away; her head and another's are enough. The old computer, found
// again, is told when it comes back to the net.
func TestLostComputerWithoutConvenor(t *testing.T) {
	play(t, 61, func(w *World) {
		ruth, halden, corin := table(w)
		old := w.Invite(ruth, 1, "Mira")
		w.hasRoom(halden, old)
		old.say(1, "Among us.")
		w.Until("it is read", func() bool { return slices.Contains(halden.said(1), "Mira: Among us.") })
		found, back := old.away(), ruth.away()
		mira := w.Person("Mira anew")
		w.People = slices.DeleteFunc(w.People, func(p *Person) bool { return p == old || p == ruth })
		w.replace(halden, "Mira", mira, halden, corin)
		w.hasRoom(halden, mira)
		halden.say(1, "To the new one.")
		w.Until("it is read", func() bool { return slices.Equal(mira.said(1), []string{"Halden: To the new one."}) })
		back()
		found()
		w.People = append(w.People, ruth, old)
		w.Until("it is told", func() bool { return old.reason() == client.LossNewCard })
		if l := old.said(1); !slices.Equal(l, []string{"Mira: Among us."}) {
			t.Errorf("the old computer reads %q", l)
		}
		w.agree(ruth, halden, corin, mira)
	})
}

// TestLostConvenor: two heads give the convenor a new card. What cards she had
// out are void; with the new one she convenes on.
func TestLostConvenor(t *testing.T) {
	play(t, 62, func(w *World) {
		old, halden, corin := table(w)
		ctx := context.Background()
		out, seat, err := old.Client.Invite(ctx, old.ID(), client.InviteOptions{Side: 1, Name: "Olaf"})
		if err != nil {
			t.Fatal(err)
		}
		w.Until("it is known", func() bool {
			return slices.ContainsFunc(corin.Dialogue().Seats, func(s client.Seat) bool { return s.ID == seat })
		})
		ruth := w.Person("Ruth anew")
		w.replace(corin, "Ruth", ruth, halden, corin)
		if s := ruth.Dialogue().Me; s.Role != dialogue.Convenor || s.Name != "Ruth" {
			t.Errorf("the new card sits as %+v", s)
		}
		if s := halden.Seat("Olaf"); s.Status != dialogue.Revoked {
			t.Errorf("a card of the lost computer: %+v", s)
		}
		w.Until("the old one is told", func() bool { return old.reason() == client.LossNewCard })
		thief := w.Person("Thief")
		w.Until("the thief uses the card", func() bool { _, _, err := thief.Join(ctx, out); return err == nil })
		w.People = slices.DeleteFunc(w.People, func(p *Person) bool { return p == old || p == thief })
		mira := w.Invite(ruth, 1, "Mira")
		w.agree(ruth, halden, corin, mira)
		if thief.Dialogue().Standing == client.StandingIn {
			t.Error("the thief came in with the card")
		}
		w.People = append(w.People, old, thief)
	})
}

// TestNewCardInTheSameVault: a copy whose key was retired can't come back by its
// door. With a new card it does, and has its words still.
func TestNewCardInTheSameVault(t *testing.T) {
	play(t, 63, func(w *World) {
		ruth, halden, corin := table(w)
		older := corin.copyVault()
		corin.say(0, "From the newer one.")
		w.reads(ruth, 0, "Corin: From the newer one.")
		w.reads(corin, 0, "Corin: From the newer one.")
		newer := corin.copyVault()
		older()
		w.Until("it finds out", func() bool { return corin.reason() == client.LossOlder })
		w.standing(corin, client.StandingIn)
		newer()
		w.Until("the newer one is told", func() bool { return corin.reason() == client.LossReplaced })
		id := corin.ID()
		w.replace(halden, "Corin", corin, halden, ruth)
		corin.say(0, "With a new card.")
		for _, p := range []*Person{ruth, halden, corin} {
			w.reads(p, 0, "Corin: From the newer one.", "Corin: With a new card.")
		}
		if corin.ID() != id {
			t.Error("it is another dialogue on this computer")
		}
		w.hasRoom(corin)
		w.agree(ruth, halden, corin)
		card, err := ruth.Replace(context.Background(), ruth.ID(), ruth.Seat("Corin").ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := corin.Join(context.Background(), card); !errors.Is(err, client.ErrSeatHere) {
			t.Errorf("a new card where the seat is held: %v", err)
		}
	})
}

// TestSecondUseOfANewCard: a new card that two hold gives neither the seat. It
// is asked again.
func TestSecondUseOfANewCard(t *testing.T) {
	play(t, 64, func(w *World) {
		ruth, halden, old := table(w)
		ctx := context.Background()
		card, err := ruth.Replace(ctx, ruth.ID(), ruth.Seat("Corin").ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		thief, corin := w.Person("Thief"), w.Person("Corin anew")
		w.Until("the thief uses it", func() bool { _, _, err := thief.Join(ctx, card); return err == nil })
		w.Until("it is known", func() bool { return halden.Seat("Corin").MayDo.ApproveNew })
		if _, _, err := corin.Join(ctx, card); !errors.Is(err, client.ErrCardUsed) {
			t.Fatalf("the second use: %v", err)
		}
		for _, p := range []*Person{ruth, halden, old} {
			w.Until(p.Name+" is alarmed", func() bool {
				s := p.Seat("Corin")
				return len(p.notices(dialogue.NoteSecondUse)) == 1 && len(s.Replacements) == 1 && s.Replacements[0].Twice && !s.MayDo.ApproveNew
			})
		}
		w.replace(ruth, "Corin", corin, halden, ruth)
		w.Until("the old one is told", func() bool { return old.reason() == client.LossNewCard })
		if thief.Dialogue().Standing == client.StandingIn {
			t.Error("the thief came in")
		}
		w.agree(ruth, halden, corin)
	})
}

// TestReplacingInTroubles: while the network and computers fail, a new card is
// asked for, used, approved, and carried out.
func TestReplacingInTroubles(t *testing.T) {
	several(t, 600, func(w *World) {
		ruth, halden, old := table(w)
		mira := w.Invite(ruth, 1, "Mira")
		corin := w.Person("Corin anew")
		w.Faults(Faults{Refuse: 20, Cut: 20, Delay: 50, Repeat: 50})
		ctx := context.Background()
		seat := ruth.Seat("Corin").ID
		trouble := func() {
			time.Sleep(time.Duration(w.Rand.IntN(5000)) * time.Millisecond)
			switch n := w.Rand.IntN(9); {
			case n < 6:
				w.People[n%len(w.People)].Crash()
			case n == 6:
				w.CrashRelay()
			}
		}
		card, err := ruth.Replace(ctx, ruth.ID(), seat, 0)
		if err != nil {
			w.T.Fatal(err)
		}
		for joined := false; !joined; {
			trouble()
			_, _, err := corin.Join(ctx, card)
			joined = len(corin.Dialogues()) == 1
			if err != nil && !errors.Is(err, client.ErrOffline) && !joined {
				w.T.Logf("not yet: %v", err)
			}
		}
		for _, p := range []*Person{halden, ruth} {
			for !p.Seat("Corin").Replacing && p.Dialogue().Standing == client.StandingIn {
				trouble()
				if s := p.Seat("Corin"); s.MayDo.ApproveNew {
					if err := p.ApproveNew(ctx, p.ID(), seat, s.Replacements[0].Post); err != nil {
						w.T.Fatal(err)
					}
					break
				}
			}
		}
		for range 6 {
			trouble()
		}
		w.Faults(Faults{})
		w.standing(corin, client.StandingIn)
		w.Until("the old one is told", func() bool { return old.reason() == client.LossNewCard })
		// To those who had not seen yet that another sits there it comes back, and to nobody else.
		people := []*Person{ruth, halden, mira, corin}
		shown, back := map[*Person]bool{corin: true}, map[*Person]bool{}
		for _, p := range people {
			readers := p.shown(0)
			shown[p] = shown[p] || slices.Contains(readers, client.Reader{Seat: seat, Cards: 1})
			if _, err := p.Say(ctx, p.ID(), client.Draft{Text: p.Dialogue().Me.Name + " is here.", Readers: readers}); err != nil {
				w.T.Fatal(err)
			}
		}
		for _, p := range people {
			for _, q := range people {
				name := q.Dialogue().Me.Name
				w.Until(p.Name+" reads "+name, func() bool {
					back[q] = back[q] || slices.ContainsFunc(q.lines(0), func(m client.Message) bool { return m.State == client.StateBack })
					q.sendAgain()
					return slices.Contains(p.said(0), name+": "+name+" is here.")
				})
			}
			if a := p.Dialogue().Alarms; len(a) != 0 {
				w.T.Errorf("%s is alarmed: %+v", p.Name, a)
			}
		}
		for _, p := range people {
			if back[p] == shown[p] {
				w.T.Errorf("%s was shown the new reader: %v, and had it back: %v", p.Name, shown[p], back[p])
			}
		}
		w.agree(ruth, halden, mira, corin)
		w.hasRoom(halden, mira, corin)
	})
}
