package client

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"parley/dialogue"
	"parley/internal/wire"
	"parley/vault"
)

// A Draft is a message to be sent.
type Draft struct {
	Room     dialogue.Room
	Text     string
	ReplyTo  dialogue.EventID
	FileName string
	File     io.Reader // nil: no file
	Readers  []Reader  // whom the author was shown; nil: whoever is there now
}

// Say puts a message into the outbox: it goes out at once, or as soon as it
// can. It is in the room when it has been read back.
func (c *Client) Say(ctx context.Context, id ID, d Draft) (dialogue.EventID, error) {
	m, err := c.member(id)
	if err != nil {
		return dialogue.EventID{}, err
	}
	event := dialogue.NewEvent(dialogue.KindSay, c.minute(), dialogue.Say{Text: d.Text, ReplyTo: d.ReplyTo})
	eventID := event.ID(m.acct.Me)
	if len(d.Text) > wire.MaxText || !utf8.ValidString(d.Text) || strings.TrimSpace(d.Text) == "" && d.File == nil {
		return eventID, ErrText
	}
	if err := m.maySay(d.Room); err != nil {
		return eventID, err
	}
	it := &item{Kind: itemEvent, Room: d.Room, Readers: d.Readers}
	if d.File != nil {
		f, err := m.storeFile(eventID, d.FileName, d.File)
		if err != nil {
			return eventID, err
		}
		it.File = &fileItem{File: *f}
		event.Body = wire.Marshal(dialogue.Say{Text: d.Text, ReplyTo: d.ReplyTo, File: f})
	}
	it.Event = event.Marshal()
	if err := m.say(it, eventID); err != nil {
		return eventID, errors.Join(err, m.dropHalf(eventID))
	}
	m.toPost.ring()
	m.toMove.ring()
	return eventID, nil
}

// say puts a message into the outbox.
func (m *member) say(it *item, id dialogue.EventID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.seated(); err != nil {
		return err
	}
	if it.Readers == nil {
		it.Readers = m.readers(it.Room)
	}
	defer m.changed(it.Room)
	return m.update(func(sp *vault.Space) error {
		if err := sp.Delete(halfKey(id)); err != nil {
			return err
		}
		if err := m.enqueue(sp, it); err != nil {
			return err
		}
		return m.makeNow(sp)
	})
}

// maySay tells whether a message may be written for a room now. One that has
// to wait for the room's members to change is taken.
func (m *member) maySay(r dialogue.Room) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.seated(); err != nil {
		return err
	}
	if err := m.outboxFull(); err != nil {
		return err
	}
	switch m.canWrite(r) {
	case WhyNotIn:
		return m.ruleError(dialogue.ReasonNotSeated)
	case WhyNotThere:
		return ErrNoRoom
	case WhyMissing:
		return m.ruleError(dialogue.ReasonNotAgreed)
	}
	return nil
}

// itemOf finds a message in the outbox.
func (m *member) itemOf(event dialogue.EventID) *item {
	for _, it := range m.out {
		if it.Readers == nil {
			continue
		}
		if e, err := dialogue.ParseEvent(it.Event); err == nil && e.ID(m.acct.Me) == event {
			return it
		}
	}
	return nil
}

// SendAgain sends a message that came back, to readers: those whom its author
// was shown with it, or, where that is nil, whoever is there now.
func (c *Client) SendAgain(ctx context.Context, id ID, event dialogue.EventID, readers []Reader) error {
	m, err := c.member(id)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	it := m.itemOf(event)
	if it == nil {
		return ErrNoMessage
	}
	err = m.update(func(sp *vault.Space) error {
		if it.Back, it.Readers = false, readers; readers == nil {
			it.Readers = m.readers(it.Room)
		}
		if err := m.saveItem(sp, it); err != nil {
			return err
		}
		return m.makeNow(sp)
	})
	m.toPost.ring()
	m.changed(it.Room)
	return err
}

// Discard takes back a message that came back, or that was not made yet. One
// whose cells may have left can't be taken back: ErrNoMessage.
func (c *Client) Discard(id ID, event dialogue.EventID) error {
	m, err := c.member(id)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	it := m.itemOf(event)
	if it == nil || it.Stage != stageWaiting {
		return ErrNoMessage
	}
	err = m.update(func(sp *vault.Space) error {
		if err := forgetFile(sp, event); err != nil {
			return err
		}
		return m.drop(sp, it)
	})
	m.changed(it.Room)
	return err
}

// A Query asks for messages of a room. Before and After are exclusive; 0 is
// open. Without After it gives the latest Limit.
type Query struct {
	Room   dialogue.Room
	Before uint64
	After  uint64
	Limit  int // 0: all
}

// Messages lists lines of a room, oldest first; what waits or came back stands
// last, unless Before is given.
func (c *Client) Messages(id ID, q Query) ([]Message, error) {
	m, err := c.member(id)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if q.After > 0 && int(q.Room) < maxRooms && q.After >= m.recentFrom[q.Room] {
		return m.latestLines(q)
	}
	var l []Message
	err = m.view(func(sp *vault.Space) error {
		lines, err := storedLines(sp, q)
		if err != nil {
			return err
		}
		l, err = m.showLines(sp, q, lines)
		return err
	})
	return l, err
}

// A line is a record with its number.
type line struct {
	seq uint64
	rec *record
}

// storedLines reads a query's lines from the vault, oldest first.
func storedLines(sp *vault.Space, q Query) ([]line, error) {
	var l []line
	o := scanOptions{Limit: q.Limit, Reverse: q.After == 0}
	if q.After > 0 {
		o.From = messageKey(q.Room, q.After+1)
	} else if q.Before > 0 {
		o.From = messageKey(q.Room, q.Before)
	}
	for p, err := range scan(sp, []byte{keyMessage[0], byte(q.Room)}, o) {
		if err != nil {
			return nil, err
		}
		seq := wire.NewReader(p.Key[2:]).U64()
		if q.Before > 0 && seq >= q.Before {
			break
		}
		rec, err := parseRecord(p.Value)
		if err != nil {
			return nil, err
		}
		l = append(l, line{seq, rec})
	}
	if o.Reverse {
		slices.Reverse(l)
	}
	return l, nil
}

func (m *member) showLines(sp *vault.Space, q Query, lines []line) ([]Message, error) {
	var l []Message
	for _, x := range lines {
		msg, err := m.shown(sp, q.Room, x.seq, x.rec)
		if err != nil {
			return nil, err
		}
		l = append(l, msg)
	}
	if q.Before > 0 {
		return l, nil
	}
	err := m.waiting(sp, q.Room, &l)
	return l, err
}

// maxRecent is how many of a room's latest lines stay in memory, so that
// whoever follows a room is served without the vault.
const maxRecent = 64

func (m *member) remember(r dialogue.Room, x line) {
	m.recent[r] = append(m.recent[r], x)
	if n := len(m.recent[r]) - maxRecent; n > 0 {
		m.recentFrom[r] = m.recent[r][n-1].seq
		m.recent[r] = slices.Delete(m.recent[r], 0, n)
	}
}

// changedLine takes a line that is not as it was when it was remembered.
func (m *member) changedLine(r dialogue.Room, x line) {
	for i := range m.recent[r] {
		if m.recent[r][i].seq == x.seq {
			m.recent[r][i] = x
		}
	}
}

// forgetRecent leaves nothing in memory: what follows is read from the vault.
func (m *member) forgetRecent() {
	for r := range m.recent {
		m.recent[r], m.recentFrom[r] = nil, m.acct.NextSeq-1
	}
}

// latestLines answers a query for what came after a line that is in memory.
func (m *member) latestLines(q Query) (l []Message, err error) {
	var lines []line
	needs := slices.ContainsFunc(m.out, func(it *item) bool { return it.Readers != nil && it.Room == q.Room })
	for _, x := range m.recent[q.Room] {
		if x.seq > q.After && (q.Before == 0 || x.seq < q.Before) && (q.Limit == 0 || len(lines) < q.Limit) {
			lines = append(lines, x)
			needs = needs || x.rec.File != nil || x.rec.ReplyTo != dialogue.EventID{}
		}
	}
	if !needs {
		return m.showLines(nil, q, lines)
	}
	err = m.view(func(sp *vault.Space) error {
		l, err = m.showLines(sp, q, lines)
		return err
	})
	return l, err
}

// shown makes what faces see of a record.
func (m *member) shown(sp *vault.Space, r dialogue.Room, seq uint64, rec *record) (Message, error) {
	msg := Message{
		ID: rec.ID, Seq: seq, Room: r, Seat: rec.Seat, Name: m.nameOf(rec.Seat), Side: m.sideOf(rec.Seat), Mine: rec.Seat == m.acct.Me,
		Kind: KindMessage, Text: rec.Text, Time: minuteTime(rec.Time), State: StateRoom,
	}
	if rec.Note != dialogue.NoteSaid {
		msg.Kind = KindNotice
		msg.Notice = &Notice{Kind: rec.Note, By: msg.Name, Seat: m.nameOf(rec.About), What: rec.What, Reason: rec.Reason}
		return msg, nil
	}
	if rec.File != nil {
		msg.Kind = KindFile
		n, err := here(sp, rec.ID)
		if err != nil {
			return msg, err
		}
		msg.File = fileView(rec.File, n)
	}
	msg.ReplyTo = m.quote(sp, rec.ReplyTo)
	for _, id := range rec.Missed {
		msg.Missed = append(msg.Missed, m.nameOf(id))
	}
	return msg, nil
}

// quoteLength is how much of a quoted message is shown, in characters.
const quoteLength = 120

func (m *member) quote(sp *vault.Space, id dialogue.EventID) *Quote {
	if id == (dialogue.EventID{}) {
		return nil
	}
	_, seq, rec, err := m.findMessage(sp, id)
	if err != nil {
		return &Quote{ID: id}
	}
	text := []rune(rec.Text)
	if len(text) > quoteLength {
		text = append(text[:quoteLength:quoteLength], '…')
	}
	return &Quote{ID: id, Seq: seq, Name: m.nameOf(rec.Seat), Text: string(text)}
}

// waiting appends what waits in the outbox, or came back.
func (m *member) waiting(sp *vault.Space, r dialogue.Room, l *[]Message) error {
	for _, it := range m.out {
		if it.Readers == nil || it.Room != r {
			continue
		}
		e, err := dialogue.ParseEvent(it.Event)
		if err != nil {
			return err
		}
		say, _ := decodeBody[dialogue.Say](e)
		msg := Message{
			ID: e.ID(m.acct.Me), Room: r, Seat: m.acct.Me, Name: m.nameOf(m.acct.Me), Side: m.sideOf(m.acct.Me), Mine: true,
			Kind: KindMessage, Text: say.Text, Time: minuteTime(e.Time), State: StateWaiting, ReplyTo: m.quote(sp, say.ReplyTo),
		}
		if it.File != nil {
			msg.Kind, msg.File = KindFile, fileView(&it.File.File, int(it.File.Sent))
			msg.File.Here = true
		}
		if it.Back {
			msg.State = StateBack
			msg.Shown = m.readers(r)
			for _, x := range msg.Shown {
				msg.Readers = append(msg.Readers, m.nameOf(x.Seat))
			}
		}
		*l = append(*l, msg)
	}
	return nil
}

// MarkRead notes that the person has seen a room as it is now. The vault learns
// it with what it writes next, or when the client is closed.
func (c *Client) MarkRead(id ID, r dialogue.Room) error {
	m, err := c.member(id)
	if err != nil {
		return err
	}
	if int(r) >= maxRooms {
		return ErrNoRoom
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.unread[r] == 0 {
		return nil
	}
	m.acct.Shown[r], m.unread[r], m.unsaved = m.acct.NextSeq-1, 0, true
	c.hub.publish(Change{})
	return nil
}

// save writes what the vault does not know of an account yet.
func (m *member) save() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.unsaved {
		return nil
	}
	return m.update(func(*vault.Space) error { return nil })
}

// maxUnread is as far as unread messages are counted.
const maxUnread = 99

// countUnread counts, by room, what others said and the person has not seen.
// From then on the count is kept up as messages come.
func (m *member) countUnread(sp *vault.Space) error {
	m.unread = [maxRooms]int{}
	for r := range dialogue.Room(maxRooms) {
		from := messageKey(r, m.acct.Shown[r]+1)
		for p, err := range scan(sp, from[:2], scanOptions{From: from}) {
			if err != nil {
				return err
			}
			rec, err := parseRecord(p.Value)
			if err != nil {
				return err
			}
			if rec.Note == dialogue.NoteSaid && rec.Seat != m.acct.Me {
				m.unread[r]++
			}
			if m.unread[r] == maxUnread {
				break
			}
		}
	}
	return nil
}
