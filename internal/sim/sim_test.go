package sim

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/client"
	"parley/dialogue"
)

var (
	seedFlag = flag.Uint64("seed", 1, "seed of the first schedule")
	runs     = flag.Int("schedules", 4, "how many random schedules of each kind")
)

// TestMain lets garbage lie for longer than programs do: most of what a
// schedule makes is garbage at once, and collecting it took a fifth of the
// time. GOGC, where it is set, counts.
func TestMain(m *testing.M) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	os.Exit(m.Run())
}

// schedules is how many to play: half of them with the race detector, which
// takes five times as long.
func schedules() int {
	if testing.Short() {
		return (*runs + 1) / 2
	}
	return *runs
}

// several plays as many random schedules as are wanted of a kind, whose seeds
// begin at first.
func several(t *testing.T, first uint64, f func(*World)) {
	for i := range schedules() {
		seed := *seedFlag + first + uint64(i)
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { play(t, seed, f) })
	}
}

// play runs f in a bubble with a world of its own, beside other tests.
func play(t *testing.T, seed uint64, f func(*World)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := New(t, seed)
		defer w.Close()
		f(w)
	})
}

// table seats a convenor and two heads.
func table(w *World) (ruth, halden, corin *Person) {
	return tableOf(w, dialogue.Preset(dialogue.TrackTwo))
}

func tableOf(w *World, rules dialogue.Rules) (ruth, halden, corin *Person) {
	ruth = w.Person("Ruth")
	ruth.Start(rules)
	return ruth, w.Invite(ruth, 1, "Halden"), w.Invite(ruth, 2, "Corin")
}

// lines lists what was said in a room, oldest first.
func (p *Person) lines(room dialogue.Room) []client.Message {
	l, err := p.Messages(p.ID(), client.Query{Room: room})
	if err != nil {
		p.W.T.Fatal(err)
	}
	return slices.DeleteFunc(l, func(m client.Message) bool { return m.Kind == client.KindNotice })
}

func (p *Person) said(room dialogue.Room) []string {
	var l []string
	for _, m := range p.lines(room) {
		if m.State == client.StateRoom {
			l = append(l, m.Name+": "+m.Text)
		}
	}
	return l
}

func (p *Person) say(room dialogue.Room, text string) {
	if _, err := p.Say(context.Background(), p.ID(), client.Draft{Room: room, Text: text}); err != nil {
		p.W.T.Fatalf("%s: %v", p.Name, err)
	}
}

func (w *World) reads(p *Person, room dialogue.Room, lines ...string) {
	w.T.Helper()
	w.Until(fmt.Sprintf("%s reads %q", p.Name, lines), func() bool { return slices.Equal(p.said(room), lines) })
}

func TestTalk(t *testing.T) {
	play(t, 1, func(w *World) {
		ctx := context.Background()
		ruth, halden, corin := table(w)
		halden.say(0, "Good morning.")
		for _, p := range w.People {
			w.reads(p, 0, "Halden: Good morning.")
		}
		id := ruth.lines(0)[0].ID
		long := strings.Repeat("A long answer. ", 1500)
		if _, err := corin.Say(ctx, corin.ID(), client.Draft{Text: long, ReplyTo: id}); err != nil {
			t.Fatal(err)
		}
		for _, p := range w.People {
			w.reads(p, 0, "Halden: Good morning.", "Corin: "+long)
			if q := p.lines(0)[1].ReplyTo; q == nil || q.Name != "Halden" || q.Text != "Good morning." {
				t.Errorf("%s sees the reply quote %+v", p.Name, q)
			}
		}
		late := w.Invite(ruth, 1, "Mira")
		w.Until("Mira is in her side room", func() bool { return len(late.Dialogue().Rooms) == 2 && late.Dialogue().Rooms[1].CanWrite })
		if len(late.said(0)) != 0 {
			t.Errorf("a newcomer sees %q", late.said(0))
		}
		late.say(1, "Among ourselves.")
		w.reads(halden, 1, "Mira: Among ourselves.")
		halden.say(0, "Welcome.")
		w.reads(late, 0, "Halden: Welcome.")
		for _, p := range []*Person{ruth, corin} {
			if l, _ := p.Messages(p.ID(), client.Query{Room: 1}); len(l) != 0 {
				t.Errorf("%s reads North's side room: %+v", p.Name, l)
			}
			if err := first(p.Say(ctx, p.ID(), client.Draft{Room: 1, Text: "x"})); err == nil {
				t.Errorf("%s writes in North's side room", p.Name)
			}
		}
	})
}

func first[T any](_ T, err error) error { return err }

func TestFile(t *testing.T) {
	play(t, 2, func(w *World) {
		ctx := context.Background()
		ruth, halden, _ := table(w)
		content := make([]byte, 300_000)
		for i := range content {
			content[i] = byte(w.Rand.Uint32())
		}
		id, err := halden.Say(ctx, halden.ID(), client.Draft{Text: "The gauge.", FileName: "gauge.pdf", File: bytes.NewReader(content)})
		if err != nil {
			t.Fatal(err)
		}
		w.reads(ruth, 0, "Halden: The gauge.")
		if f := ruth.lines(0)[0].File; f == nil || f.Name != "gauge.pdf" || f.Size != 300_000 || f.Here {
			t.Fatalf("%+v", f)
		}
		var got bytes.Buffer
		if err := ruth.OpenFile(ctx, ruth.ID(), id, &got); err != nil || !bytes.Equal(got.Bytes(), content) {
			t.Errorf("%d bytes, %v", got.Len(), err)
		}
		if !ruth.lines(0)[0].File.Here {
			t.Error("the file is not kept")
		}
	})
}

func TestWords(t *testing.T) {
	play(t, 3, func(w *World) {
		ctx := context.Background()
		ruth, halden, corin := table(w)
		if err := halden.ReadWords(ctx, halden.ID()); err != nil {
			t.Fatal(err)
		}
		for _, p := range w.People {
			w.Until(p.Name+" has the words", func() bool { r := p.Dialogue().Reading; return r != nil && r.Words != nil })
		}
		a, b := halden.Dialogue().Reading.Words, corin.Dialogue().Reading.Words
		if len(a) != 6 || !slices.Equal(a[:5], b) {
			t.Fatalf("%q and %q", a, b)
		}
		seat := ruth.Seat("Halden").ID
		if err := ruth.Heard(ctx, ruth.ID(), seat, "nonsense"); err != dialogue.ErrWord {
			t.Errorf("a wrong word: %v", err)
		}
		last := a[5]
		if err := ruth.Heard(ctx, ruth.ID(), seat, " "+strings.ToUpper(last)); err != nil {
			t.Fatal(err)
		}
		w.Until("Corin sees that Ruth heard Halden", func() bool { return slices.Equal(corin.Seat("Halden").VerifiedBy, []string{"Ruth"}) })
	})
}

func TestRemoveAndLeave(t *testing.T) {
	play(t, 4, func(w *World) {
		ctx := context.Background()
		ruth, halden, corin := table(w)
		mira := w.Invite(ruth, 1, "Mira")
		w.Until("Mira is in her side room", func() bool { return len(mira.Dialogue().Rooms) == 2 && mira.Dialogue().Rooms[1].CanWrite })
		if err := halden.Remove(ctx, halden.ID(), halden.Seat("Mira").ID); err != nil {
			t.Fatal(err)
		}
		w.Until("Mira is removed", func() bool { return mira.Dialogue().Standing == client.StandingRemoved })
		w.Until("the side room is Halden's alone", func() bool { return halden.Dialogue().Rooms[1].CanWrite })
		halden.say(0, "She has gone.")
		halden.say(1, "From here, too.")
		w.reads(ruth, 0, "Halden: She has gone.")
		w.reads(halden, 1, "Halden: From here, too.")
		if l := append(mira.said(0), mira.said(1)...); len(l) != 0 {
			t.Errorf("Mira reads %q", l)
		}
		if err := corin.Leave(ctx, corin.ID()); err != nil {
			t.Fatal(err)
		}
		w.Until("Corin has left", func() bool { return corin.Dialogue().Standing == client.StandingLeft })
		if s := ruth.Seat("Corin"); s.Status != dialogue.Left {
			t.Errorf("Ruth sees Corin as %d", s.Status)
		}
	})
}

func TestSecondUse(t *testing.T) {
	play(t, 5, func(w *World) {
		ctx := context.Background()
		ruth, halden, corin := table(w)
		card, _, err := ruth.Client.Invite(ctx, ruth.ID(), client.InviteOptions{Side: 1, Name: "Mira"})
		if err != nil {
			t.Fatal(err)
		}
		mira, thief := w.Person("Mira"), w.Person("Thief")
		w.Until("Mira uses the card", func() bool { return first2(mira.Join(ctx, card)) == nil })
		if err := first2(thief.Join(ctx, card)); err == nil {
			t.Error("the card worked twice")
		}
		for _, p := range []*Person{ruth, halden, corin} {
			w.Until(p.Name+" is alarmed", func() bool { a := p.Dialogue().Alarms; return len(a) == 1 && a[0].Kind == client.AlarmSecondUse })
		}
		if s := thief.Dialogue().Standing; s != client.StandingRefused {
			t.Errorf("the second stands as %s", s)
		}
	})
}

func first2[T, U any](_ T, _ U, err error) error { return err }

func TestMessageComesBack(t *testing.T) {
	play(t, 6, func(w *World) {
		ctx := context.Background()
		ruth, halden, corin := table(w)
		// Corin writes without a network; somebody is seated before it is back.
		corin.cancel()
		if err := corin.Client.Close(); err != nil {
			t.Fatal(err)
		}
		card, seat, err := ruth.Client.Invite(ctx, ruth.ID(), client.InviteOptions{Side: 1, Name: "Mira"})
		if err != nil {
			t.Fatal(err)
		}
		corin.Restart()
		mira := w.Person("Mira")
		w.Until("Mira joins", func() bool { return first2(mira.Join(ctx, card)) == nil })
		w.Until("Mira asks", func() bool { return corin.Seat("Mira").MayDo.Approve && halden.Seat("Mira").MayDo.Approve })
		if err := corin.Approve(ctx, corin.ID(), seat); err != nil {
			t.Fatal(err)
		}
		w.Until("Corin's consent is in", func() bool { return slices.Equal(halden.Seat("Mira").Missing, []string{"North"}) })
		shown := []client.Reader{corin.Seat("Ruth").Reader(), corin.Seat("Halden").Reader()}
		corin.stop()
		if err := halden.Approve(ctx, halden.ID(), seat); err != nil {
			t.Fatal(err)
		}
		w.Until("Mira is in", func() bool { return mira.Dialogue().Standing == client.StandingIn })
		w.Faults(Faults{Refuse: 1000})
		corin.Restart()
		if _, err := corin.Say(ctx, corin.ID(), client.Draft{Text: "For two only.", Readers: shown}); err != nil {
			t.Fatal(err)
		}
		w.Faults(Faults{})
		w.Until("it comes back", func() bool { l := corin.lines(0); return len(l) == 1 && l[0].State == client.StateBack })
		m := corin.lines(0)[0]
		if !slices.Contains(m.Readers, "Mira") {
			t.Errorf("Corin is told that %q would read it", m.Readers)
		}
		if len(ruth.said(0)) != 0 {
			t.Error("it went out all the same")
		}
		if err := corin.SendAgain(ctx, corin.ID(), m.ID, m.Shown); err != nil {
			t.Fatal(err)
		}
		w.reads(mira, 0, "Corin: For two only.")
	})
}

func TestMessagesDisappear(t *testing.T) {
	play(t, 7, func(w *World) {
		rules := dialogue.Preset(dialogue.TrackTwo)
		rules.RetentionDays = 1
		ruth, halden, corin := tableOf(w, rules)
		halden.say(0, "For a day.")
		w.reads(ruth, 0, "Halden: For a day.")
		w.reads(corin, 0, "Halden: For a day.")
		time.Sleep(23 * time.Hour)
		for _, p := range w.People {
			if l := p.said(0); len(l) != 1 {
				t.Errorf("too early: %s has %q", p.Name, l)
			}
		}
		// Nobody speaks, but everybody's computer says once a day that it is there.
		time.Sleep(28 * time.Hour)
		for _, p := range w.People {
			if l := p.said(0); len(l) != 0 {
				t.Errorf("%s still has %q", p.Name, l)
			}
		}
		corin.say(0, "For another.")
		w.reads(ruth, 0, "Corin: For another.")
		// Where one computer alone is on, log time stands still, and its clock alone does not count yet.
		halden.stop()
		corin.stop()
		time.Sleep(50 * time.Hour)
		if l := ruth.said(0); len(l) != 1 {
			t.Errorf("too early for one alone: %q", l)
		}
	})
}

// chatter has everybody say numbered things at random while do makes trouble,
// and checks that all of it is read by all, once, in one order.
func chatter(w *World, messages int, do func(i int)) {
	w.T.Helper()
	want := map[string]bool{}
	for i := range messages {
		p := w.People[w.Rand.IntN(len(w.People))]
		text := fmt.Sprintf("%s %d", p.Name, i)
		p.say(0, text)
		want[p.Name+": "+text] = true
		do(i)
		time.Sleep(time.Duration(w.Rand.IntN(3000)) * time.Millisecond)
	}
	w.Faults(Faults{})
	for _, p := range w.People {
		w.Until(p.Name+" has read everything", func() bool { return len(p.said(0)) >= len(want) })
	}
	all := w.People[0].said(0)
	for _, line := range all {
		if !want[line] {
			w.T.Errorf("%q was not said, or is there twice", line)
		}
		delete(want, line)
	}
	if len(want) > 0 {
		w.T.Errorf("lost: %v", want)
	}
	for _, p := range w.People[1:] {
		if l := p.said(0); !slices.Equal(l, all) {
			w.T.Errorf("%s reads another order:\n%q\n%q", p.Name, l, all)
		}
	}
	for _, p := range w.People {
		if d := p.Dialogue(); d.Standing != client.StandingIn || len(d.Alarms) > 0 {
			w.T.Errorf("%s is %s: %v, alarms %+v", p.Name, d.Standing, d.Problem, d.Alarms)
		}
	}
}

func TestBadNetwork(t *testing.T) {
	several(t, 0, func(w *World) {
		table(w)
		w.Faults(Faults{Refuse: 50, Cut: 40, Corrupt: 40, Delay: 100, Repeat: 200})
		chatter(w, 40, func(int) {})
	})
}

func TestCrashes(t *testing.T) {
	several(t, 100, func(w *World) {
		table(w)
		w.Faults(Faults{Refuse: 20, Cut: 20, Delay: 50})
		chatter(w, 40, func(i int) {
			switch w.Rand.IntN(4) {
			case 0:
				w.People[w.Rand.IntN(len(w.People))].Crash()
			case 1:
				w.CrashRelay()
			}
		})
	})
}
