package client

import (
	"slices"
	"strings"

	"parley/channel"
	"parley/dialogue"
	"parley/vault"
)

// Dialogues lists the dialogues of this vault, in the order in which they came.
func (c *Client) Dialogues() []Dialogue {
	var l []Dialogue
	for _, m := range c.all() {
		l = append(l, m.show())
	}
	return l
}

// Dialogue is a picture of one dialogue now.
func (c *Client) Dialogue(id ID) (Dialogue, error) {
	m, err := c.member(id)
	if err != nil {
		return Dialogue{}, err
	}
	return m.show(), nil
}

func (m *member) show() Dialogue {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := Dialogue{
		ID: m.id, Title: m.acct.Title, Standing: m.acct.Standing, Relay: m.acct.Relay, Online: m.online,
		LastHeard: m.heardAt, Problem: m.problem,
	}
	if d.Standing == StandingLost {
		d.Problem = m.lostError()
	} else if m.clockOff {
		d.Problem = ErrClock
	} else if m.late() {
		d.Problem = ErrCardLate
	}
	if m.state == nil {
		return d
	}
	d.Rules, d.LogTime = m.state.Rules, minuteTime(m.state.LogTime)
	d.Seats = make([]Seat, 0, len(m.state.Seats))
	for i := range m.state.Seats {
		s := m.seat(&m.state.Seats[i])
		d.Seats = append(d.Seats, s)
		if s.Me {
			d.Me = s
		}
	}
	for i := range m.state.Sides {
		id := dialogue.SideID(i + 1)
		s := Side{ID: id, Name: m.state.Sides[i].Name, Agreed: m.state.Sides[i].Agreed, Mine: id == d.Me.Side}
		if h := m.state.Head(id); h != nil {
			s.Head = h.Name
		}
		d.Sides = append(d.Sides, s)
	}
	for _, s := range m.state.Disagreed() {
		d.Missing = append(d.Missing, m.state.SideName(s))
	}
	if m.me() != nil && d.Standing == StandingIn {
		d.Unconfirmed = m.sideNames(m.unconfirmed())
		d.Charters = m.charters()
	}
	d.Rooms = m.rooms(d.Seats)
	d.Reading = m.readingView(d.Seats)
	d.Lost = m.lostRoom(d.Seats)
	d.Foundings = m.foundingViews(d.Seats)
	d.Tasks = append(m.tasks(&d), foundingTasks(d.Foundings)...)
	d.Alarms = m.alarms(d.Seats)
	d.Stopped = m.acct.Doubts.Stopped
	d.StillSince, d.StillBy = m.standstill()
	return d
}

func (m *member) nameOf(id dialogue.SeatID) string {
	if m.state != nil {
		if x := m.state.Seat(id); x != nil {
			return x.Name
		}
	}
	return ""
}

func (m *member) sideOf(id dialogue.SeatID) dialogue.SideID {
	if m.state != nil {
		if x := m.state.Seat(id); x != nil {
			return x.Side
		}
	}
	return 0
}

func (m *member) sideNames(l []dialogue.SideID) []string {
	var names []string
	for _, s := range l {
		names = append(names, m.state.SideName(s))
	}
	return names
}

func (m *member) seat(x *dialogue.Seat) Seat {
	s := Seat{
		ID: x.ID, Name: x.Name, Side: x.Side, SideName: m.state.SideName(x.Side), Role: x.Role, Capacity: x.Capacity,
		Status: x.Status, Me: x.ID == m.acct.Me, Head: m.state.IsHead(x.ID), Due: x.Due, GoneBy: m.nameOf(x.GoneBy),
		Lost: x.Lost, By: m.nameOf(x.By), Seconds: len(x.Seconds), AtDoor: x.Back != nil,
		Replacing: x.Replacing, Cards: x.Cards,
	}
	s.Replacements = m.replacements(x)
	for _, v := range x.Verified {
		s.VerifiedBy = append(s.VerifiedBy, m.nameOf(v.By))
	}
	if x.Status == dialogue.Invited || x.Status == dialogue.Arrived {
		s.Expires = minuteTime(x.Expires)
		s.Expired = x.Status == dialogue.Invited && m.c.minute() > x.Expires
		s.HaveCard = x.Status == dialogue.Invited && x.By == m.acct.Me
	}
	if x.Status == dialogue.Arrived {
		s.Words = x.Post.Words(m.state.Rules.Language)
		s.Missing = m.sideNames(m.state.Missing(x))
	}
	s.SilentSince = m.silentSince(x)
	s.MayDo = m.mayDo(x)
	return s
}

// mayDo says what the rules let this person do with a seat.
func (m *member) mayDo(x *dialogue.Seat) SeatActions {
	me := m.me()
	if m.seated() != nil || me == nil || me.Status != dialogue.In || me.Due {
		return SeatActions{}
	}
	head := m.state.IsHead(me.ID)
	over := me.Role == dialogue.Convenor || head && me.Side == x.Side
	may := SeatActions{
		Approve: x.Status == dialogue.Arrived && head && slices.Contains(m.state.Missing(x), me.Side),
		Revoke:  (x.Status == dialogue.Invited || x.Status == dialogue.Arrived) && (over || x.By == me.ID),
		Remove:  (x.Status == dialogue.In || x.Status == dialogue.Asleep) && !x.Due && x.ID != me.ID && (over || head && !slices.Contains(x.Removers, me.Side)),
		Verify:  x.Status == dialogue.In && !x.Due && x.ID != me.ID,
	}
	m.mayReplace(x, &may)
	return may
}

func (m *member) rooms(seats []Seat) []Room {
	me := m.me()
	if me == nil {
		return nil
	}
	list := []dialogue.Room{dialogue.Plenary}
	if me.Side != 0 && (m.state.Founded(m.myRoom()) != nil || m.hasLines(m.myRoom())) {
		list = append(list, m.myRoom())
	}
	var l []Room
	for _, r := range list {
		x := Room{Room: r, Name: m.state.SideName(r.Side()), Unread: m.unread[r], Why: m.canWrite(r)}
		x.CanWrite = x.Why == WhyNone
		readers := m.readers(r)
		x.Readers = make([]Seat, 0, len(readers))
		for _, r := range readers {
			if i := slices.IndexFunc(seats, func(s Seat) bool { return s.ID == r.Seat }); i >= 0 {
				x.Readers = append(x.Readers, seats[i])
			}
		}
		l = append(l, x)
	}
	return l
}

func (m *member) hasLines(r dialogue.Room) bool {
	found := false
	m.view(func(sp *vault.Space) error {
		for range scan(sp, []byte{keyMessage[0], byte(r)}, scanOptions{Limit: 1}) {
			found = true
		}
		return nil
	})
	return found
}

// readingView is the latest reading, whose words are computed in the
// background when somebody looks for the first time.
func (m *member) readingView(seats []Seat) *Reading {
	if m.seated() != nil {
		return nil
	}
	v, rec := m.latest(dialogue.SeatID{})
	if v == nil || v.Epoch != m.state.Epoch {
		return nil
	}
	r := &Reading{ID: v.ID, Mine: v.Reader == m.acct.Me}
	for _, s := range seats {
		if s.ID == v.Reader {
			r.Reader = s
			r.Heard = s.VerifiedBy
		}
	}
	if rec.Words != nil {
		r.Words = rec.Words
		if !r.Mine {
			r.Words = rec.Words[:len(rec.Words)-1] // the sixth has to be heard
		}
		return r
	}
	if !m.counting[v.ID] {
		m.counting[v.ID] = true
		go m.c.background(func() {
			if _, err := m.wordsOf(v.ID); err == nil {
				m.changed(dialogue.Plenary)
			}
			m.mu.Lock()
			delete(m.counting, v.ID)
			m.mu.Unlock()
		})
	}
	return r
}

func (m *member) tasks(d *Dialogue) []Task {
	var l []Task
	if m.seated() != nil {
		return nil
	}
	for _, s := range d.Seats {
		if s.MayDo.Approve {
			l = append(l, Task{TaskApprove, s})
		}
		if s.MayDo.ApproveNew {
			l = append(l, Task{TaskReplace, s})
		}
	}
	if d.Reading != nil && !d.Reading.Mine && !slices.Contains(d.Reading.Heard, d.Me.Name) {
		l = append(l, Task{TaskListen, d.Reading.Reader})
	}
	if d.Me.Role == dialogue.Convenor {
		for _, side := range d.Sides {
			out := slices.ContainsFunc(d.Seats, func(s Seat) bool {
				return s.Side == side.ID && (s.Status == dialogue.In || s.Status == dialogue.Arrived || s.Status == dialogue.Invited && !s.Expired)
			})
			if !out {
				l = append(l, Task{TaskInvite, Seat{Side: side.ID, SideName: side.Name}})
			}
		}
	}
	for _, it := range m.out {
		if it.Back {
			l = append(l, Task{TaskBack, d.Me})
			break
		}
	}
	return l
}

func (m *member) alarms(seats []Seat) []Alarm {
	var l []Alarm
	for _, s := range seats {
		if s.Seconds > 0 {
			l = append(l, Alarm{Kind: AlarmSecondUse, Seat: s})
		}
	}
	for i := len(m.alarming) - 1; i >= 0; i-- {
		rec := &m.alarming[i]
		if rec.Note == NoteStopped && (!m.acct.Doubts.Stopped || slices.ContainsFunc(l, func(a Alarm) bool { return a.Kind == AlarmStopped })) {
			continue // it is over
		}
		a := Alarm{Kind: alarmKinds[rec.Note], Time: minuteTime(rec.Time)}
		if j := slices.IndexFunc(seats, func(s Seat) bool { return s.ID == rec.Seat }); j >= 0 {
			a.Seat = seats[j]
		}
		l = append(l, a)
	}
	return l
}

// alarmed takes an alarm to those that are shown: of each kind, the latest by
// each seat. So nobody's alarms, however many, push out another's. All of them
// are lines of the plenary.
func (m *member) alarmed(r record) {
	m.alarming = slices.DeleteFunc(m.alarming, func(x record) bool { return x.Note == r.Note && x.Seat == r.Seat })
	m.alarming = append(m.alarming, r)
}

func (m *member) loadAlarms(sp *vault.Space) error {
	m.alarming = nil
	for p, err := range scan(sp, []byte(keyAlarm), scanOptions{}) {
		if err != nil {
			return err
		}
		rec, err := parseRecord(p.Value)
		if err != nil {
			return err
		}
		m.alarmed(*rec)
	}
	return nil
}

// Find finds a dialogue by a prefix of its id or its title.
func (c *Client) Find(prefix string) (ID, error) {
	var ids []ID
	var names []string
	for _, m := range c.all() {
		m.mu.Lock()
		title := m.acct.Title
		m.mu.Unlock()
		if string(m.id) == prefix || strings.EqualFold(title, prefix) {
			return m.id, nil
		}
		if hasPrefix(string(m.id), prefix) || hasPrefix(title, prefix) {
			ids, names = append(ids, m.id), append(names, title)
		}
	}
	return one(prefix, ids, names, ErrNoDialogue)
}

// FindSeat finds a seat by a prefix of its id or its name.
func (c *Client) FindSeat(id ID, prefix string) (Seat, error) {
	d, err := c.Dialogue(id)
	if err != nil {
		return Seat{}, err
	}
	var found []Seat
	var names []string
	for _, s := range d.Seats {
		if s.ID.String() == prefix || strings.EqualFold(s.Name, prefix) && s.Status == dialogue.In {
			return s, nil
		}
		if hasPrefix(s.ID.String(), prefix) || hasPrefix(s.Name, prefix) {
			found, names = append(found, s), append(names, s.Name)
		}
	}
	return one(prefix, found, names, ErrNoSeat)
}

// FindSide finds a side by a prefix of its name.
func (c *Client) FindSide(id ID, prefix string) (dialogue.SideID, error) {
	d, err := c.Dialogue(id)
	if err != nil {
		return 0, err
	}
	var found []dialogue.SideID
	var names []string
	for _, s := range d.Sides {
		if strings.EqualFold(s.Name, prefix) {
			return s.ID, nil
		}
		if hasPrefix(s.Name, prefix) {
			found, names = append(found, s.ID), append(names, s.Name)
		}
	}
	return one(prefix, found, names, ErrNoRoom)
}

// FindRoom finds a room one sits in: the plenary for the empty name, else a
// side's.
func (c *Client) FindRoom(id ID, name string) (dialogue.Room, error) {
	if name == "" {
		return dialogue.Plenary, nil
	}
	s, err := c.FindSide(id, name)
	if err != nil {
		return 0, err
	}
	d, err := c.Dialogue(id)
	if err != nil {
		return 0, err
	}
	for _, r := range d.Rooms {
		if r.Room == dialogue.SideRoom(s) {
			return r.Room, nil
		}
	}
	return 0, ErrNoRoom
}

func hasPrefix(s, prefix string) bool {
	return prefix != "" && len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func one[T any](prefix string, found []T, names []string, none error) (t T, err error) {
	switch len(found) {
	case 0:
		return t, none
	case 1:
		return found[0], nil
	}
	return t, &AmbiguousError{Prefix: prefix, Names: names}
}

func fileView(f *dialogue.File, parts int) *File {
	done := min(uint64(parts)*channel.FilePart, f.Size)
	return &File{Name: f.Name, Size: f.Size, Done: done, Here: done == f.Size}
}
