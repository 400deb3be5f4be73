package web

import (
	"encoding/hex"
	"errors"
	"html/template"
	"slices"
	"strconv"
	"time"

	"parley/client"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/internal/words"
)

// pageOfTalk is how many lines a room shows at once; older ones are a link
// away.
const pageOfTalk = 50

// roomMain is what a room's page shows.
type roomMain struct {
	Room     client.Room
	Name     string
	Side     *client.Side  // whose room it is; nil in the plenary
	Talk     template.HTML // its lines
	Waiting  template.HTML // those that are not in the room yet
	Older    string        // address of older lines, or empty
	Newer    bool          // these are older lines
	After    uint64        // number of the last line
	Strip    []stripSide
	Unheard  []string // names of seats that are not verified
	Readers  string   // who will read it, in a sentence
	Sign     string   // that one's name is on it
	Why      string   // why one can't write; empty if one can
	CanWrite bool
	Send     string
	Label    string
	Keeping  string
	Reply    *client.Quote
	Shown    string // whom the writer is shown, a field of the form
	MaxFile  string
}

// A stripSide is a side's seats in the strip above a room.
type stripSide struct {
	Name, Mark string
	Seats      []chip
}

// A chip is a seat as a mark with initials.
type chip struct {
	Name, Initials, Mark string
	Verified             bool
}

func chipOf(s client.Seat) chip {
	return chip{s.Name, initials(s.Name), mark(s.Side), verified(s)}
}

// A line is a line of a room as it is shown. Its parts are all that its HTML is
// made of, so that equal lines look the same (talk.go).
type line struct {
	ID     string // of its event
	Seq    uint64
	Day    string // where a day begins
	Base   string // the room's address
	Notice string // in words; empty for what somebody said
	Alarm  bool   // the notice is an alarm

	Stamp, Clock string
	Name, As     string
	Mark, SideOf string // mark and name of its side
	Mine         bool
	State        client.State
	Text         string
	Quoted       bool
	Quote        quoted
	Filed        bool
	File         fileLine
	Back         string // who would read it now
	Shown        string // the same, a field of the form
	Missed       string // that, and whom, it may not have reached
	Held         bool   // it waits until words were compared
}

// A quoted is the line that another answers. Its name is empty if it is gone.
type quoted struct{ ID, Name, Text string }

// A fileLine is an attachment as it is shown.
type fileLine struct {
	Name, Size, State, Href string
	Percent                 int // -1: no progress to show
	Problem                 string
}

// roomBlocks are the parts of a room's page that change by themselves, besides
// the talk.
var roomBlocks = []string{"places", "banner", "around", "waiting", "readers"}

// parseEvent reads an event's id in hexadecimal.
func parseEvent(s string) (id dialogue.EventID, err error) {
	if len(s) != 2*len(id) {
		return id, client.ErrNoMessage
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return id, client.ErrNoMessage
	}
	return id, nil
}

// roomOf finds the room that an address names.
func (q *request) roomOf() (client.Dialogue, client.Room, error) {
	d, err := q.dialogueOf()
	if err != nil {
		return d, client.Room{}, err
	}
	n, err := strconv.ParseUint(q.PathValue("room"), 10, 8)
	i := slices.IndexFunc(d.Rooms, func(r client.Room) bool { return uint64(r.Room) == n })
	if err != nil || i < 0 {
		return d, client.Room{}, client.ErrNoRoom
	}
	return d, d.Rooms[i], nil
}

// room shows a room. What is shown is noted as read: the one thing that a GET
// changes, and only for the person who sees it.
func (a *App) room(q *request) (result, error) {
	d, r, err := q.roomOf()
	if errors.Is(err, client.ErrNoRoom) && len(d.Rooms) == 0 {
		return goTo(q.below("")) // which says how one stands
	}
	if err != nil {
		return failed(err)
	}
	f := filled("reply", q.URL.Query().Get("reply"))
	if text := a.draft(q.URL.Path); text != "" {
		f.values.Set("text", text)
	}
	v, err := a.roomView(q, d, r, f)
	if err != nil {
		return failed(err)
	}
	if err := q.o.MarkRead(d.ID, r.Room); err != nil {
		return failed(err)
	}
	return show(v)
}

func (a *App) roomView(q *request, d client.Dialogue, r client.Room, f *form) (*view, error) {
	w := a.words()
	m := a.roomHead(d, r, w)
	before, _ := strconv.ParseUint(q.URL.Query().Get("before"), 10, 64)
	list, err := q.o.Messages(d.ID, client.Query{Room: r.Room, Before: before, Limit: pageOfTalk})
	if err != nil {
		return nil, err
	}
	m.Newer = before > 0
	b := a.newLines(d, r.Room, w)
	var lines, waiting []line
	for _, msg := range list {
		if msg.Seq == 0 {
			waiting = append(waiting, b.line(msg))
			continue
		}
		lines = append(lines, b.line(msg))
		m.After = msg.Seq
		if f.Is("reply", msg.ID.String()) {
			m.Reply = &client.Quote{ID: msg.ID, Name: msg.Name, Text: beginning(msg.Text)}
		}
	}
	if m.Talk, err = a.talk(q.o, w, lines); err != nil {
		return nil, err
	}
	if m.Waiting, err = a.talk(q.o, w, waiting); err != nil {
		return nil, err
	}
	if len(lines) >= pageOfTalk {
		m.Older = "?before=" + strconv.FormatUint(lines[0].Seq, 10)
	}
	dv := a.dialogue(d, "r/"+itoa(int(r.Room)))
	dv.SideRoom = m.Side
	v := &view{Page: "room", Title: m.Name, Here: m.Name, Form: f, Main: m, D: dv, Nav: "home"}
	if !m.Newer {
		v.Live = roomBlocks
		v.Stream = "?after=" + strconv.FormatUint(m.After, 10)
		if !m.CanWrite {
			v.Stream += "&closed=yes"
		}
	}
	return v, nil
}

// beginning of a text, for quoting.
func beginning(s string) string {
	if r := []rune(s); len(r) > 120 {
		return string(r[:120]) + "…"
	}
	return s
}

// roomHead is what surrounds the talk of a room.
func (a *App) roomHead(d client.Dialogue, r client.Room, w *words.Words) *roomMain {
	m := &roomMain{Room: r, Name: w.T("room.everyone"), CanWrite: r.CanWrite || r.Why == client.WhyChanging || r.Why == client.WhyStopped, MaxFile: w.Bytes(wire.MaxFile)}
	n := len(r.Readers)
	if r.Room == dialogue.Plenary {
		m.Send, m.Label = w.T("room.send.all"), w.T("room.label.all")
		m.Readers = w.T("room.readers.all", "n", n)
	} else {
		i := slices.IndexFunc(d.Sides, func(s client.Side) bool { return s.ID == r.Room.Side() })
		if i >= 0 {
			m.Side = &d.Sides[i]
		}
		m.Name = w.T("room.side", "side", r.Name)
		m.Send, m.Label = w.T("room.send.side", "side", r.Name), w.T("room.label.side", "side", r.Name)
		m.Readers = w.T("room.readers.side", "n", n, "side", r.Name)
	}
	if n == 0 {
		m.Readers = w.T("room.readers.none")
	}
	m.Sign = w.T("room.sign", "name", d.Me.Name, "as", w.Capacity(d.Me.Capacity))
	if d.Me.Side != 0 {
		m.Sign = w.T("room.sign.side", "name", d.Me.Name, "side", d.Me.SideName, "as", w.Capacity(d.Me.Capacity))
	}
	if r.Why != client.WhyNone {
		m.Why = w.Why(r.Why, d.Missing)
	}
	m.Keeping = w.T("room.keeping", "n", int(d.Rules.RetentionDays))
	var shown []client.Reader
	for _, s := range r.Readers {
		shown = append(shown, s.Reader())
		if !verified(s) {
			m.Unheard = append(m.Unheard, s.Name)
		}
	}
	m.Shown = readersField(shown)
	m.Strip = strip(d, r, w)
	return m
}

// strip lists the seats of a room by side, the convenor's last.
func strip(d client.Dialogue, r client.Room, w *words.Words) []stripSide {
	in := append(slices.Clone(r.Readers), d.Me)
	var l []stripSide
	for _, side := range append(slices.Clone(d.Sides), client.Side{Name: w.T("side.none")}) {
		s := stripSide{Name: side.Name, Mark: mark(side.ID)}
		for _, x := range d.Seats {
			if x.Side == side.ID && slices.ContainsFunc(in, func(y client.Seat) bool { return y.ID == x.ID }) {
				s.Seats = append(s.Seats, chipOf(x))
			}
		}
		if len(s.Seats) > 0 {
			l = append(l, s)
		}
	}
	return l
}

// A lineMaker makes lines of messages, in order.
type lineMaker struct {
	d    client.Dialogue
	w    *words.Words
	base string
	now  time.Time
	day  string
}

func (a *App) newLines(d client.Dialogue, r dialogue.Room, w *words.Words) *lineMaker {
	return &lineMaker{d: d, w: w, now: a.cfg.Now().Local(), base: a.guard.base + "/d/" + string(d.ID) + "/r/" + itoa(int(r))}
}

func (b *lineMaker) line(m client.Message) line {
	at := m.Time.Local()
	l := line{
		ID: m.ID.String(), Seq: m.Seq, Base: b.base, Stamp: stamp(at), Clock: b.w.Time(at),
		Name: m.Name, Mark: mark(m.Side), Mine: m.Mine, State: m.State, Text: m.Text,
	}
	if m.Seq != 0 {
		if day := b.w.Day(at, b.now); day != b.day {
			b.day, l.Day = day, day
		}
	}
	if m.Notice != nil {
		l.Notice = b.w.Notice(*m.Notice)
		l.Alarm = m.Notice.IsAlarm()
		return l
	}
	i := slices.IndexFunc(b.d.Seats, func(s client.Seat) bool { return s.ID == m.Seat })
	if i >= 0 {
		s := b.d.Seats[i]
		l.SideOf = s.SideName
		l.As = b.as(s)
	}
	if m.ReplyTo != nil {
		l.Quoted, l.Quote = true, quoted{m.ReplyTo.ID.String(), m.ReplyTo.Name, m.ReplyTo.Text}
	}
	if m.File != nil {
		l.Filed, l.File = true, b.file(m)
	}
	l.Held = b.d.Stopped && m.State == client.StateWaiting
	if m.State == client.StateBack {
		l.Back, l.Shown = b.w.List(m.Readers), readersField(m.Shown)
	}
	l.Missed = b.missed(m)
	return l
}

// missed says whom a line may not have reached.
func (b *lineMaker) missed(m client.Message) string {
	if len(m.Missed) == 0 {
		return ""
	}
	return b.w.T("state.missed", "n", len(m.Missed), "names", b.w.List(m.Missed))
}

// as says what somebody sits as, after the side's name.
func (b *lineMaker) as(s client.Seat) string {
	switch {
	case s.Role == dialogue.Convenor:
		return b.w.T("seat.convenor")
	case s.Head:
		return b.w.T("seat.head") + b.w.T("pattern.comma") + b.w.Capacity(s.Capacity)
	case s.Role == dialogue.Interpreter:
		return b.w.T("seat.interpreter")
	}
	return b.w.Capacity(s.Capacity)
}

func (b *lineMaker) file(m client.Message) fileLine {
	f := fileLine{Name: m.File.Name, Size: b.w.Bytes(m.File.Size), Percent: -1,
		Href: b.base + "/file/" + m.ID.String() + "/" + strconv.FormatUint(m.Seq, 10)}
	moving := m.File.Size > 0 && m.File.Done < m.File.Size && (m.State == client.StateWaiting || !m.File.Here && m.File.Done > 0)
	switch {
	case m.File.Problem != nil:
		f.Problem = b.w.Problem(m.File.Problem)
		f.State = b.w.T("file.there", "size", f.Size)
	case m.State == client.StateWaiting:
		f.State = b.w.T("file.sending", "done", b.w.Bytes(m.File.Done), "size", f.Size)
	case m.File.Here:
		f.State = b.w.T("file.here", "size", f.Size)
	case moving:
		f.State = b.w.T("file.fetching", "done", b.w.Bytes(m.File.Done), "size", f.Size)
	default:
		f.State = b.w.T("file.there", "size", f.Size)
	}
	if moving {
		f.Percent = int(m.File.Done * 100 / m.File.Size)
	}
	return f
}

// A roomStream follows a room: new lines first, then what else changed.
type roomStream struct {
	a     *App
	q     *request
	s     *streamer
	after uint64
	day   string
	open  map[dialogue.EventID]string // files not here yet, with the version shown
	older bool                        // lines that were shown are to be looked at again
}

func (a *App) newRoomStream(q *request, s *streamer) (*roomStream, error) {
	if _, _, err := q.roomOf(); err != nil {
		return nil, err
	}
	from := q.Header.Get("Last-Event-ID")
	if from == "" {
		from = q.URL.Query().Get("after")
	}
	after, err := strconv.ParseUint(from, 10, 64)
	if err != nil {
		after = 0
	}
	t := &roomStream{a: a, q: q, s: s, after: after, open: map[dialogue.EventID]string{}, older: true}
	if after > 0 { // the day of the last line, so that it is not named again
		last, err := q.o.Messages(client.ID(q.PathValue("id")), client.Query{Room: t.room(), Before: after + 1, Limit: 1})
		if err == nil && len(last) > 0 {
			t.day = a.words().Day(last[0].Time.Local(), a.cfg.Now().Local())
		}
	}
	return t, nil
}

func (t *roomStream) room() dialogue.Room {
	n, _ := strconv.ParseUint(t.q.PathValue("room"), 10, 8)
	return dialogue.Room(n)
}

// read reads the room, what is new in it, and how its lines are written down.
func (t *roomStream) read() (client.Room, []client.Message, *lineMaker, error) {
	d, r, err := t.q.roomOf()
	if err != nil {
		return r, nil, nil, err
	}
	list, err := t.q.o.Messages(d.ID, client.Query{Room: r.Room, After: t.after})
	return r, list, t.a.newLines(d, r.Room, t.a.words()), err
}

// lines sends what is new in the room.
func (t *roomStream) lines() error {
	_, list, b, err := t.read()
	if err != nil {
		return err
	}
	b.day = t.day
	var fresh []line
	for _, m := range list {
		if m.Seq > t.after {
			fresh = append(fresh, b.line(m))
			t.after = m.Seq
			if m.File != nil && !m.File.Here {
				t.open[m.ID] = ""
			}
		}
	}
	t.day = b.day
	if len(fresh) == 0 {
		return nil
	}
	add, err := t.a.talk(t.q.o, b.w, fresh)
	if err != nil {
		return err
	}
	return t.s.send("add", strconv.FormatUint(t.after, 10), update{ID: "talk", HTML: string(add)})
}

// around sends what surrounds the lines, where it changed: what waits, who
// reads, the other rooms, alarms, and how far files are.
func (t *roomStream) around() error {
	r, list, b, err := t.read()
	if err != nil {
		return err
	}
	d := b.d
	if err := t.files(d, r.Room, b); err != nil {
		return err
	}
	if err := t.missed(d, r.Room, b); err != nil {
		return err
	}
	m := t.a.roomHead(d, r, b.w)
	if m.CanWrite && t.q.URL.Query().Get("closed") != "" { // the page has nowhere to write yet, so nothing is lost
		t.s.send("go", "", update{To: t.a.guard.base + t.q.URL.Path})
		return errMoved
	}
	var waiting []line
	for _, msg := range list {
		if msg.Seq == 0 {
			waiting = append(waiting, b.line(msg))
		}
	}
	if m.Waiting, err = t.a.talk(t.q.o, b.w, waiting); err != nil {
		return err
	}
	v := &view{Page: "room", Main: m, D: t.a.dialogue(d, "r/"+itoa(int(r.Room))), Live: roomBlocks}
	v.D.SideRoom = m.Side
	if err := t.a.finish(v, t.q.Request); err != nil {
		return err
	}
	for _, name := range v.Live {
		if err := t.s.put(v.Blocks[name]); err != nil {
			return err
		}
	}
	return nil
}

// files sends the state of attachments that are being fetched. It looks at
// the lines of a page at most.
func (t *roomStream) files(d client.Dialogue, room dialogue.Room, b *lineMaker) error {
	if len(t.open) == 0 && t.s.sent["files"] != "" {
		return nil
	}
	t.s.sent["files"] = "looked"
	list, err := t.q.o.Messages(d.ID, client.Query{Room: room, Limit: pageOfTalk})
	if err != nil {
		return err
	}
	set := t.a.pages.set("room", b.w)
	for _, m := range list {
		if _, shown := t.open[m.ID]; m.File == nil || m.Seq == 0 || m.File.Here && !shown {
			continue
		}
		put, err := renderBlock(set, "file-state", b.file(m))
		if err != nil {
			return err
		}
		put.ID = "file-" + m.ID.String()
		t.open[m.ID] = put.Version
		if err := t.s.put(put); err != nil {
			return err
		}
		if m.File.Here {
			delete(t.open, m.ID)
		}
	}
	return nil
}

// missed sends whom lines of one's own may not have reached. It looks at the
// lines of a page, and only where some changed.
func (t *roomStream) missed(d client.Dialogue, room dialogue.Room, b *lineMaker) error {
	if !t.older {
		return nil
	}
	t.older = false
	list, err := t.q.o.Messages(d.ID, client.Query{Room: room, Limit: pageOfTalk})
	if err != nil {
		return err
	}
	set := t.a.pages.set("room", b.w)
	for _, m := range list {
		if len(m.Missed) == 0 {
			continue
		}
		put, err := renderBlock(set, "in-room", b.missed(m))
		if err != nil {
			return err
		}
		put.ID = "state-" + m.ID.String()
		if err := t.s.put(put); err != nil {
			return err
		}
	}
	return nil
}
