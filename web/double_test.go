package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"parley/client"
	"parley/dialogue"
	"parley/vault"
)

// now is when the tests take place.
var now = time.Date(2026, 11, 17, 10, 42, 0, 0, time.UTC)

const passphrase = "lantern orchard velvet ninety"

// A double is a Participant that keeps dialogues in memory and obeys the
// rules that pages can tell: who may write, which errors come back.
type double struct {
	mu       sync.Mutex
	profile  client.Profile
	list     []*table
	subs     map[chan client.Change]bool
	fail     error // what the next call that could fail returns
	last     client.Draft
	again    []client.Reader // to whom a message goes again
	lastFile []byte
	slow     bool   // the relay has not answered yet
	watch    func() // called while a file arrives
}

// A table is a dialogue with its lines.
type table struct {
	client.Dialogue
	lines   []client.Message
	seq     uint64
	content map[dialogue.EventID][]byte
	cards   []dialogue.SeatID // made, and not in the seat plan yet
}

var _ Participant = (*double)(nil)

func (d *double) failing() error {
	err := d.fail
	d.fail = nil
	return err
}

func (d *double) find(id client.ID) (*table, error) {
	for _, t := range d.list {
		if t.ID == id {
			return t, nil
		}
	}
	return nil, client.ErrNoDialogue
}

// with runs f on a dialogue and tells subscribers.
func (d *double) with(id client.ID, f func(*table) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.failing(); err != nil {
		return err
	}
	t, err := d.find(id)
	if err != nil {
		return err
	}
	if err := f(t); err != nil {
		return err
	}
	d.publish(client.Change{Dialogue: id})
	return nil
}

func (d *double) publish(c client.Change) {
	for ch := range d.subs {
		select {
		case ch <- c:
		default: // one is waiting already
		}
	}
}

func (d *double) Subscribe() (<-chan client.Change, func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ch := make(chan client.Change, 64)
	if d.subs == nil {
		d.subs = map[chan client.Change]bool{}
	}
	d.subs[ch] = true
	return ch, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.subs, ch)
	}
}

func (d *double) Profile() client.Profile {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.profile
}

func (d *double) SetProfile(p client.Profile) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.profile = p
	return nil
}

func (d *double) ChangePassphrase(old, new string) error {
	if old != passphrase {
		return vault.ErrPassphrase
	}
	return client.CheckPassphrase(new)
}

func (d *double) Dialogues() []client.Dialogue {
	d.mu.Lock()
	defer d.mu.Unlock()
	var l []client.Dialogue
	for _, t := range d.list {
		l = append(l, t.Dialogue)
	}
	return l
}

func (d *double) Dialogue(id client.ID) (client.Dialogue, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, err := d.find(id)
	if err != nil {
		return client.Dialogue{}, err
	}
	return t.Dialogue, nil
}

func (d *double) SetTitle(id client.ID, title string) error {
	return d.with(id, func(t *table) error { t.Title = title; return nil })
}

func (d *double) Start(_ context.Context, o client.StartOptions) (client.ID, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.failing(); err != nil {
		return "", err
	}
	t := newTable(client.ID(fmt.Sprintf("%08d", len(d.list)+1)), o.Title, o.Rules)
	t.Relay = o.Relay.String()
	for i, s := range o.Sides {
		t.Sides = append(t.Sides, client.Side{ID: dialogue.SideID(i + 1), Name: s})
		t.Missing = append(t.Missing, s)
	}
	me := client.Seat{ID: seatID(99), Name: d.profile.Name, Role: dialogue.Convenor, Status: dialogue.In, Me: true}
	t.Seats, t.Me = []client.Seat{me}, me
	t.Rooms = []client.Room{{Why: client.WhyMissing}}
	d.list = append(d.list, t)
	return t.ID, nil
}

func (d *double) Leave(_ context.Context, id client.ID) error {
	return d.with(id, func(t *table) error { t.Standing = client.StandingLeft; return nil })
}

func (d *double) ChooseCharter(id client.ID, party dialogue.SideID) error {
	return d.with(id, func(t *table) error {
		if !slices.ContainsFunc(t.Charters, func(c client.Charter) bool { return c.Party == party && c.Told }) {
			return client.ErrNoCharter
		}
		t.Charters, t.Unconfirmed = nil, nil
		return nil
	})
}

func (d *double) Return(_ context.Context, id client.ID) error {
	return d.with(id, func(t *table) error { t.Standing = client.StandingLost; return nil })
}

func (d *double) FoundAgain(_ context.Context, id client.ID) error {
	return d.with(id, func(t *table) error {
		if t.Lost == nil {
			return client.ErrNotLost
		}
		if !t.Lost.MayFound {
			return &client.RuleError{Reason: dialogue.ReasonNotYours}
		}
		f := client.Founding{Founder: t.Me, Mine: true, Taken: true, Same: true, Without: t.Lost.By, Members: t.Lost.Said, Words: sixWords, MayLeave: true}
		for _, s := range t.Lost.Said {
			f.Unheard = append(f.Unheard, s.Name)
		}
		t.Standing, t.Problem, t.Lost, t.Foundings = client.StandingIn, nil, nil, []client.Founding{f}
		return nil
	})
}

func (d *double) LeaveFounding(_ context.Context, id client.ID) error {
	return d.with(id, func(t *table) error {
		if len(t.Foundings) == 0 || !t.Foundings[0].MayLeave {
			return client.ErrNotLost
		}
		t.Standing, t.Problem = client.StandingLost, &client.LostError{Reason: client.LossLeftOut, By: t.Foundings[0].Without.Name}
		t.Lost, t.Foundings = &client.LostRoom{By: t.Foundings[0].Without}, nil
		return nil
	})
}

func (d *double) AcceptFounding(_ context.Context, id client.ID, founder dialogue.SeatID, last string) error {
	return d.with(id, func(t *table) error {
		i := slices.IndexFunc(t.Foundings, func(f client.Founding) bool { return f.Founder.ID == founder && !f.Taken })
		switch {
		case i < 0:
			return client.ErrNoFounding
		case !dialogue.SameWord(last, sixWords[5]):
			return dialogue.ErrWord
		}
		f := t.Foundings[i]
		f.Taken, f.Words = true, sixWords
		t.Standing, t.Problem, t.Lost, t.Foundings = client.StandingIn, nil, nil, []client.Founding{f}
		return nil
	})
}

func (d *double) Forget(id client.ID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = slices.DeleteFunc(d.list, func(t *table) bool { return t.ID == id })
	return nil
}

func (d *double) Invite(_ context.Context, id client.ID, o client.InviteOptions) (string, dialogue.SeatID, error) {
	var s client.Seat
	err := d.with(id, func(t *table) error {
		s = client.Seat{ID: seatID(byte(50 + len(t.Seats))), Name: o.Name, Side: o.Side, SideName: t.Sides[o.Side-1].Name, Capacity: o.Capacity,
			Status: dialogue.Invited, By: t.Me.Name, Expires: now.Add(o.Expires), HaveCard: true, MayDo: client.SeatActions{Revoke: true}}
		if d.slow { // the seat plan has it when the relay has answered
			t.cards = append(t.cards, s.ID)
			return nil
		}
		t.Seats = append(t.Seats, s)
		return nil
	})
	return cardText, s.ID, err
}

const cardText = "parley:AXh0cWlvbnMgd2hvIGhhdmUgbm90IHlldCBiZWVuIHRvbGQgYW55dGhpbmcgYXQgYWxsIGFib3V0IHRoaXMgdGFibGUgaHR0cHM6Ly9oYWxsLmV4YW1wbGUub3Jn"

func (d *double) Card(id client.ID, seat dialogue.SeatID) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, err := d.find(id)
	if err != nil {
		return "", err
	}
	if slices.Contains(t.cards, seat) {
		return cardText, nil
	}
	for _, s := range t.Seats {
		if _, again := cardOf(s); s.ID == seat && (s.HaveCard || again) {
			return cardText, nil
		}
	}
	return "", client.ErrNoSeat
}

// seat changes a seat.
func (d *double) seat(id client.ID, seat dialogue.SeatID, f func(*client.Seat)) error {
	return d.with(id, func(t *table) error {
		for i := range t.Seats {
			if t.Seats[i].ID == seat {
				f(&t.Seats[i])
				return nil
			}
		}
		return client.ErrNoSeat
	})
}

func (d *double) Revoke(_ context.Context, id client.ID, seat dialogue.SeatID) error {
	return d.seat(id, seat, func(s *client.Seat) {
		if isHeld(*s) {
			s.Replacements = nil
			return
		}
		s.Status, s.HaveCard = dialogue.Revoked, false
	})
}

func (d *double) Approve(_ context.Context, id client.ID, seat dialogue.SeatID) error {
	return d.seat(id, seat, func(s *client.Seat) { s.Status, s.MayDo.Approve = dialogue.In, false })
}

func (d *double) Replace(_ context.Context, id client.ID, seat dialogue.SeatID, lasts time.Duration) (string, error) {
	return cardText, d.with(id, func(t *table) error {
		i := slices.IndexFunc(t.Seats, func(s client.Seat) bool { return s.ID == seat })
		if i < 0 {
			return client.ErrNoSeat
		}
		t.cards = append(t.cards, seat)
		if !d.slow {
			t.Seats[i].Replacements = []client.Replacement{{By: "Mira Estvale", Mine: true, HaveCard: true, MayWithdraw: true, Expires: now.Add(lasts)}}
		}
		return nil
	})
}

func (d *double) ApproveNew(_ context.Context, id client.ID, seat dialogue.SeatID, post dialogue.Hash) error {
	return d.seat(id, seat, func(s *client.Seat) {
		for i := range s.Replacements {
			if r := &s.Replacements[i]; r.Post == post {
				r.Approved, r.MayApprove = append(r.Approved, "Mira Estvale"), false
			}
		}
	})
}

func (d *double) Remove(_ context.Context, id client.ID, seat dialogue.SeatID) error {
	return d.seat(id, seat, func(s *client.Seat) { s.Due, s.GoneBy = true, "Mira Estvale" })
}

func (d *double) Look(_ context.Context, card string) (client.CardView, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.failing(); err != nil {
		return client.CardView{}, err
	}
	if card != cardText {
		return client.CardView{}, client.ErrCard
	}
	return client.CardView{Relay: "https://hall.example.org", Sides: []string{"North side", "South side"}, Rules: dialogue.Preset(dialogue.TrackTwo),
		Side: "South side", Name: "Josse Kellan", Head: true, Convenor: "Ruth Abernay", Expires: now.Add(70 * time.Hour)}, nil
}

func (d *double) Join(ctx context.Context, card string) (client.ID, client.CardView, error) {
	v, err := d.Look(ctx, card)
	if err != nil {
		return "", v, err
	}
	v.Words = []string{"harvest", "window", "copper", "evening"}
	d.mu.Lock()
	defer d.mu.Unlock()
	t := newTable("77777777", "North side and South side", v.Rules)
	t.Standing = client.StandingWaiting
	d.list = append(d.list, t)
	return t.ID, v, nil
}

func (d *double) Messages(id client.ID, q client.Query) ([]client.Message, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, err := d.find(id)
	if err != nil {
		return nil, err
	}
	var in, out []client.Message
	for _, m := range t.lines {
		switch {
		case m.Room != q.Room:
		case m.Seq == 0:
			out = append(out, m)
		case m.Seq > q.After && (q.Before == 0 || m.Seq < q.Before):
			in = append(in, m)
		}
	}
	if q.Limit > 0 && len(in) > q.Limit {
		if q.After > 0 {
			in = in[:q.Limit]
		} else {
			in = in[len(in)-q.Limit:]
		}
	}
	if q.Before > 0 {
		return in, nil
	}
	return append(in, out...), nil
}

func (d *double) MarkRead(id client.ID, r dialogue.Room) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, err := d.find(id)
	if err != nil {
		return err
	}
	for i := range t.Rooms {
		if t.Rooms[i].Room == r {
			t.Rooms[i].Unread = 0
		}
	}
	return nil
}

func (d *double) Say(_ context.Context, id client.ID, m client.Draft) (event dialogue.EventID, err error) {
	var content []byte
	if m.File != nil {
		if content, err = io.ReadAll(m.File); err != nil {
			return event, err
		}
		if d.watch != nil {
			d.watch()
		}
	}
	event = dialogue.NewEventID()
	return event, d.with(id, func(t *table) error {
		if len(t.Missing) > 0 && m.Room == dialogue.Plenary {
			return &client.RuleError{Reason: dialogue.ReasonNotAgreed, Missing: t.Missing}
		}
		d.last, d.lastFile = m, content
		msg := client.Message{ID: event, Room: m.Room, Seat: t.Me.ID, Name: t.Me.Name, Side: t.Me.Side, Mine: true, Kind: client.KindMessage,
			Text: m.Text, Time: now, State: client.StateWaiting}
		if content != nil {
			msg.Kind, msg.File = client.KindFile, &client.File{Name: m.FileName, Size: uint64(len(content)), Here: true}
			t.content[event] = content
		}
		t.lines = append(t.lines, msg)
		return nil
	})
}

// deliver puts what waits into the room.
func (d *double) deliver(id client.ID) error {
	return d.with(id, func(t *table) error {
		for i := range t.lines {
			if m := &t.lines[i]; m.State == client.StateWaiting {
				t.seq++
				m.State, m.Seq = client.StateRoom, t.seq
			}
		}
		return nil
	})
}

// hear has somebody else say something.
func (d *double) hear(id client.ID, seat client.Seat, room dialogue.Room, text string) error {
	return d.with(id, func(t *table) error {
		t.say(seat, room, text, now)
		return nil
	})
}

func (d *double) SendAgain(_ context.Context, id client.ID, event dialogue.EventID, readers []client.Reader) error {
	return d.with(id, func(t *table) error {
		d.again = readers
		for i := range t.lines {
			if t.lines[i].ID == event && t.lines[i].State == client.StateBack {
				t.lines[i].State = client.StateWaiting
				return nil
			}
		}
		return client.ErrNoMessage
	})
}

func (d *double) Discard(id client.ID, event dialogue.EventID) error {
	return d.with(id, func(t *table) error {
		n := len(t.lines)
		t.lines = slices.DeleteFunc(t.lines, func(m client.Message) bool { return m.ID == event && m.State != client.StateRoom })
		if len(t.lines) == n {
			return client.ErrNoMessage
		}
		return nil
	})
}

func (d *double) OpenFile(_ context.Context, id client.ID, event dialogue.EventID, w io.Writer) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.failing(); err != nil {
		return err
	}
	t, err := d.find(id)
	if err != nil {
		return err
	}
	b, ok := t.content[event]
	if !ok {
		return client.ErrNoFile
	}
	_, err = w.Write(b)
	return err
}

var sixWords = []string{"harvest", "window", "copper", "evening", "orchard", "ladder"}

func (d *double) ReadWords(_ context.Context, id client.ID) error {
	return d.with(id, func(t *table) error {
		t.Reading = &client.Reading{ID: dialogue.NewEventID(), Reader: t.Me, Mine: true, Words: sixWords}
		return nil
	})
}

func (d *double) Heard(_ context.Context, id client.ID, reader dialogue.SeatID, last string) error {
	return d.with(id, func(t *table) error {
		switch {
		case t.Reading == nil || t.Reading.Reader.ID != reader:
			return client.ErrNoReading
		case !dialogue.SameWord(last, sixWords[5]):
			return dialogue.ErrWord
		}
		t.Reading.Heard = append(t.Reading.Heard, t.Me.Name)
		return nil
	})
}

func newTable(id client.ID, title string, r dialogue.Rules) *table {
	return &table{Dialogue: client.Dialogue{ID: id, Title: title, Standing: client.StandingIn, Online: true, Rules: r, LogTime: now},
		content: map[dialogue.EventID][]byte{}}
}

func (t *table) say(s client.Seat, room dialogue.Room, text string, at time.Time) *client.Message {
	t.seq++
	t.lines = append(t.lines, client.Message{ID: dialogue.NewEventID(), Seq: t.seq, Room: room, Seat: s.ID, Name: s.Name, Side: s.Side, Mine: s.Me,
		Kind: client.KindMessage, Text: text, Time: at, State: client.StateRoom})
	return &t.lines[len(t.lines)-1]
}

func seatID(n byte) dialogue.SeatID { return dialogue.SeatID{7: n} }

// orva is a dialogue in which everything is that a page can show.
func orva() *double {
	d := &double{profile: client.Profile{Name: "Mira Estvale", Language: "en", Text: 100, Theme: "auto", Idle: 15}}
	t := newTable("0a1b2c3d", "The Orva Waters", dialogue.Preset(dialogue.TrackTwo))
	t.Relay = "https://hall.example.org"
	t.Sides = []client.Side{
		{ID: 1, Name: "North side", Agreed: true, Head: "Halden Royce", Mine: true},
		{ID: 2, Name: "South side", Agreed: true, Head: "Corin Vash"},
		{ID: 3, Name: "Lake towns"},
	}
	in := func(n byte, name string, side dialogue.SideID, by ...string) client.Seat {
		s := client.Seat{ID: seatID(n), Name: name, Side: side, Status: dialogue.In, VerifiedBy: by, MayDo: client.SeatActions{Verify: true}, By: "Ruth Abernay"}
		if side > 0 {
			s.SideName = t.Sides[side-1].Name
		}
		return s
	}
	ruth := in(1, "Ruth Abernay", 0, "Halden Royce", "Corin Vash")
	ruth.Role = dialogue.Convenor
	halden := in(2, "Halden Royce", 1, "Ruth Abernay")
	halden.Head = true
	mira := in(3, "Mira Estvale", 1, "Ruth Abernay")
	mira.Me, mira.MayDo = true, client.SeatActions{}
	oake := in(4, "Prof. Anselm Oake", 1)
	oake.Seconds, oake.Lost = 1, dialogue.LossSecond
	oake.MayDo.Remove = true
	corin := in(5, "Corin Vash", 2, "Ruth Abernay")
	corin.Head = true
	tamsin := in(6, "Tamsin Drey", 2)
	tamsin.SilentSince = now.Add(-50 * time.Hour)
	tamsin.Lost, tamsin.Capacity = dialogue.LossKey, dialogue.SemiOfficial
	josse := in(7, "Josse Kellan", 2)
	josse.Status, josse.Words, josse.Missing = dialogue.Arrived, []string{"harvest", "window", "copper", "evening"}, []string{"North side"}
	josse.MayDo = client.SeatActions{Approve: true, Revoke: true}
	card := in(8, "نادر سولان", 3)
	card.Status, card.HaveCard, card.By, card.Expires = dialogue.Invited, true, "Mira Estvale", now.Add(71*time.Hour)
	card.MayDo = client.SeatActions{Revoke: true}
	gone := in(9, "Bram Tolliver", 1)
	gone.Status, gone.GoneBy, gone.MayDo = dialogue.Removed, "Halden Royce", client.SeatActions{}
	asleep := in(10, "Yann Orme", 2, "Ruth Abernay")
	asleep.Status = dialogue.Asleep
	door := in(11, "Ilse Brandt", 2)
	door.AtDoor = true
	oake.MayDo.Replace, oake.MayDo.Replacers = true, []string{"Ruth Abernay", "Mira Estvale"}
	oake.MayDo.Agree = client.Agreement{Own: "Halden Royce", Others: []string{"Ruth Abernay", "Corin Vash"}, More: 1}
	mira.MayDo.Replacers = []string{"Halden Royce", "Ruth Abernay"}
	corin.MayDo.Replacers = []string{"Tamsin Drey", "Ruth Abernay"}
	tamsin.Replacements = []client.Replacement{{By: "Corin Vash", Used: true, Post: dialogue.Hash{7}, Words: []string{"orbit", "velvet", "marble", "spring"},
		Approved: []string{"Corin Vash"}, Agreement: client.Agreement{Others: []string{"Ruth Abernay", "Mira Estvale"}, More: 1}, MayApprove: true}}
	asleep.Replacements = []client.Replacement{{By: "Mira Estvale", Mine: true, HaveCard: true, MayWithdraw: true, Expires: now.Add(50 * time.Hour)},
		{By: "Ruth Abernay", Twice: true, Used: true}, {By: "Corin Vash", Expired: true}}
	anew := in(12, "Odile Marn", 2)
	anew.Replacing, anew.Due, anew.Lost = true, true, dialogue.LossCard
	t.Seats, t.Me = []client.Seat{ruth, halden, mira, oake, corin, tamsin, josse, card, gone, asleep, door, anew}, mira
	t.Rooms = []client.Room{
		{Room: 0, Unread: 2, CanWrite: true, Readers: []client.Seat{ruth, halden, oake, corin, tamsin}},
		{Room: 1, Name: "North side", Unread: 1, CanWrite: true, Readers: []client.Seat{halden, oake}},
	}
	t.Tasks = []client.Task{{Kind: client.TaskApprove, Seat: josse}, {Kind: client.TaskListen, Seat: corin}, {Kind: client.TaskBack, Seat: mira},
		{Kind: client.TaskReplace, Seat: tamsin},
		{Kind: client.TaskInvite, Seat: client.Seat{Side: 3, SideName: "Lake towns"}}}
	t.Alarms = []client.Alarm{{Kind: client.AlarmSecondUse, Seat: oake}, {Kind: client.AlarmAttempt, Seat: tamsin, Time: now.Add(-time.Hour)},
		{Kind: client.AlarmCharter, Seat: tamsin, Time: now.Add(-time.Hour)}, {Kind: client.AlarmStopped, Time: now.Add(-time.Minute)},
		{Kind: client.AlarmContradicted, Seat: corin, Time: now.Add(-time.Minute)}, {Kind: client.AlarmShorter, Time: now.Add(-time.Minute)},
		{Kind: client.AlarmElsewhere, Seat: corin, Time: now.Add(-time.Minute)}}
	t.StillSince, t.StillBy = now.Add(-30*time.Hour), 2
	t.Unconfirmed = []string{"", "South side"}
	t.Charters = []client.Charter{
		{Party: 1, Parties: []string{"North side"}, Taken: true, Told: true},
		{Party: 2, Parties: []string{"South side"}, Told: true, Differences: []client.Difference{
			{Kind: client.DifferenceMore, Name: "Bram Tolliver", Side: "North side"}, {Kind: client.DifferenceLess, Name: "Ruth Ansel"},
			{Kind: client.DifferenceSeat, Name: "نادر سولان", Side: "East side"}, {Kind: client.DifferenceRules}, {Kind: client.DifferenceSides}, {Kind: client.DifferenceRest},
		}},
		{Party: 3, Parties: []string{"East side"}},
	}
	t.Reading = &client.Reading{ID: dialogue.NewEventID(), Reader: corin, Words: sixWords[:5], Heard: []string{"Ruth Abernay"}}
	fill(t, ruth, halden, mira, corin)
	d.list = append(d.list, t)

	offline := newTable("11111111", "Reading group on harbour law", dialogue.Preset(dialogue.TrackOneAndHalf))
	offline.Online, offline.LastHeard, offline.Problem = false, now.Add(-3*time.Minute), client.ErrOffline
	me := client.Seat{ID: seatID(1), Name: "Mira Estvale", Role: dialogue.Convenor, Status: dialogue.In, Me: true}
	offline.Seats, offline.Me = []client.Seat{me}, me
	offline.Sides = []client.Side{{ID: 1, Name: "Harbour"}, {ID: 2, Name: "Coast"}}
	offline.Stopped = true
	offline.Missing = []string{"Harbour", "Coast"}
	offline.Rooms = []client.Room{{Why: client.WhyMissing}}
	waiting := newTable("22222222", "A card was used", dialogue.Preset(dialogue.TrackOne))
	waiting.Standing = client.StandingWaiting
	late := newTable("88888888", "A card that was used late", dialogue.Preset(dialogue.TrackOne))
	late.Standing, late.Problem = client.StandingWaiting, client.ErrCardLate
	left := newTable("33333333", "An older table", dialogue.Preset(dialogue.TrackTwo))
	left.Standing = client.StandingLeft
	lost := newTable("44444444", "A room that was lost", dialogue.Preset(dialogue.TrackTwo))
	lost.Standing, lost.Problem = client.StandingLost, &client.LostError{Reason: client.LossLeftOut, By: "Corin Vash"}
	copied := newTable("55555555", "A seat that another copy took", dialogue.Preset(dialogue.TrackTwo))
	copied.Standing, copied.Problem = client.StandingLost, &client.LostError{Reason: client.LossReplaced}
	d.list = append(d.list, offline, waiting, left, lost, copied, unfollowed(ruth, halden, mira, corin, tamsin, card), late)
	return d
}

// unfollowed is a room that a head has lost, with another by the convenor, and
// one by another head.
func unfollowed(ruth, halden, mira, corin, tamsin, other client.Seat) *table {
	t := newTable("66666666", "A room that nobody can open", dialogue.Preset(dialogue.TrackTwo))
	t.Standing, t.Problem = client.StandingLost, &client.LostError{Reason: client.LossLeftOut, By: halden.Name}
	mira.Head, other.Status = true, dialogue.In
	t.Seats, t.Me = []client.Seat{ruth, halden, mira, corin, tamsin, other}, mira
	t.Sides = []client.Side{{ID: 1, Name: "North side", Mine: true, Head: mira.Name}, {ID: 2, Name: "South side", Head: corin.Name}}
	t.Rooms = []client.Room{{Why: client.WhyAway}}
	t.Lost = &client.LostRoom{By: halden, Said: []client.Seat{ruth, corin}, Silent: []client.Seat{tamsin, other}, Founders: []client.Seat{ruth, mira, corin}, MayFound: true}
	t.Foundings = []client.Founding{
		{Founder: ruth, Without: halden, Time: now, Same: true, Members: []client.Seat{mira, corin}, Later: []client.Seat{tamsin, other}, Words: sixWords[:5]},
		{Founder: corin, Without: halden, Time: now, Members: []client.Seat{ruth, mira}, Differences: []client.Difference{
			{Kind: client.DifferenceLess, Name: other.Name, Side: "South side"}, {Kind: client.DifferenceRules}}},
	}
	t.Tasks = []client.Task{{Kind: client.TaskFounded, Seat: ruth}, {Kind: client.TaskFounded, Seat: corin}}
	return t
}

// fill says things in every way in which they can be said.
func fill(t *table, ruth, halden, mira, corin client.Seat) {
	yesterday := now.Add(-24 * time.Hour)
	notice := func(at time.Time, k dialogue.NoteKind, by, seat string) {
		m := t.say(ruth, 0, "", at)
		m.Kind, m.Notice = client.KindNotice, &client.Notice{Kind: k, By: by, Seat: seat}
	}
	notice(yesterday, dialogue.NoteOpened, "Ruth Abernay", "")
	notice(yesterday, dialogue.NoteSeated, "Ruth Abernay", "Corin Vash")
	first := t.say(corin, 0, "Since our last sitting the gauge at Talmer has fallen below the line twice. I say this without reproach. My own people ask me whether we talk while the river does not.\n\nIf each of us could say, for this room only, which week of August worries us most, we might find that it is not the same week.", yesterday)
	id, seq := first.ID, first.Seq
	m := t.say(halden, 0, "That is a fair way to put it. For the high pastures it is the second week. I would be surprised if it were yours.", now.Add(-70*time.Minute))
	m.ReplyTo = &client.Quote{ID: id, Seq: seq, Name: "Corin Vash", Text: "Since our last sitting the gauge at Talmer has fallen…"}
	m = t.say(mira, 0, "Thank you for saying it here.", now.Add(-41*time.Minute))
	m.Missed = []string{"Prof. Anselm Oake", "Tamsin Drey"}
	t.say(corin, 0, "شكراً. نبدأ من الأسبوع الثاني.", now.Add(-40*time.Minute))
	m = t.say(ruth, 0, "The figures, as they were published.", now.Add(-37*time.Minute))
	m.Kind, m.File = client.KindFile, &client.File{Name: "Talmer gauge, ten summers.pdf", Size: 1_800_000}
	t.content[m.ID] = []byte("%PDF-1.4 <script>alert(1)</script>")
	notice(now.Add(-30*time.Minute), dialogue.NoteSecondUse, "Ruth Abernay", "Prof. Anselm Oake")
	t.say(halden, 1, "Before any of us answers: let each answer alone.", now.Add(-28*time.Minute))
	wait := client.Message{ID: dialogue.NewEventID(), Seat: mira.ID, Name: mira.Name, Side: 1, Mine: true, Kind: client.KindFile, Text: "I attach what was published in spring.", Time: now, State: client.StateWaiting,
		File: &client.File{Name: "Spring yearbook, chapter 4.pdf", Size: 3_400_000, Done: 2_100_000, Here: true}}
	back := client.Message{ID: dialogue.NewEventID(), Seat: mira.ID, Name: mira.Name, Side: 1, Mine: true, Kind: client.KindMessage, Text: "The second week and the last week do not overlap.", Time: now, State: client.StateBack,
		Readers: []string{"Ruth Abernay", "Corin Vash", "Tamsin Drey"}, Shown: []client.Reader{ruth.Reader(), {Seat: corin.ID, Cards: 1}, {Seat: seatID(6)}}}
	t.lines = append(t.lines, wait, back)
}

// An owner is the vault's life, for an App in a test.
type owner struct {
	mu     sync.Mutex
	d      *double
	exists bool
	locks  int
}

func (o *owner) config(hosts ...string) Config {
	return Config{
		Hosts:  hosts,
		Exists: func() bool { o.mu.Lock(); defer o.mu.Unlock(); return o.exists },
		Create: func(p client.Profile, pass string) (Participant, error) {
			o.mu.Lock()
			defer o.mu.Unlock()
			if err := client.CheckPassphrase(pass); err != nil {
				return nil, err
			}
			o.exists, o.d.profile = true, p
			return o.d, nil
		},
		Open: func(pass string) (Participant, error) {
			if pass != passphrase {
				return nil, fmt.Errorf("open: %w", vault.ErrPassphrase)
			}
			return o.d, nil
		},
		Lock: func() error { o.mu.Lock(); defer o.mu.Unlock(); o.locks++; return nil },
		Now:  func() time.Time { return now },
		Rehearse: func() (string, error) {
			return "http://127.0.0.1:1/open?once=x", nil
		},
	}
}

// closed is how often the vault was closed.
func (o *owner) closed() int { o.mu.Lock(); defer o.mu.Unlock(); return o.locks }

// partners is a Rehearsal.
type partners struct{ did []string }

func (p *partners) Actions() []Action {
	return []Action{{"speak", "Let Corin Vash say something", "A message appears in Everyone."}, {"twice", "Use a card twice", "You see the alarm."}}
}

func (p *partners) Do(key string) (string, error) {
	if !slices.ContainsFunc(p.Actions(), func(a Action) bool { return a.Key == key }) {
		return "", errors.New("there is no such action")
	}
	p.did = append(p.did, key)
	return "Corin Vash did it.", nil
}

// has tells whether a page holds a text, as people read it.
func has(page, text string) bool { return strings.Contains(page, text) }
