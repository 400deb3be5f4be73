package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"parley/client"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/internal/words"
)

// plenary is what --room and JSON call everybody's room.
const plenary = "plenary"

// A messageLine is a line of a room in JSON.
type messageLine struct {
	ID      string    `json:"id"`
	Seq     uint64    `json:"seq"` // 0 while it is in nobody's room
	Room    string    `json:"room"`
	Seat    string    `json:"seat"`
	Name    string    `json:"name"`
	Side    string    `json:"side"` // empty for the convenor
	Kind    string    `json:"kind"` // message, file or notice
	Text    string    `json:"text"`
	Time    string    `json:"time"`
	State   string    `json:"state"` // room, waiting or back
	ReplyTo string    `json:"reply_to,omitempty"`
	File    *fileLine `json:"file,omitempty"`
	Readers []string  `json:"readers,omitempty"` // of one that came back: who would read it now
}

type fileLine struct {
	Name string `json:"name"`
	Size uint64 `json:"size"`
	Here bool   `json:"here"`
}

func lineOfMessage(m client.Message, d client.Dialogue) messageLine {
	l := messageLine{
		ID: m.ID.String(), Seq: m.Seq, Room: roomName(d, m.Room), Seat: m.Seat.String(), Name: m.Name, Side: sideName(d, m.Side),
		Kind: string(m.Kind), Text: m.Text, Time: stamp(m.Time), State: string(m.State), Readers: m.Readers,
	}
	if m.Notice != nil {
		l.Text = words.For(words.English).Notice(*m.Notice)
	}
	if m.ReplyTo != nil {
		l.ReplyTo = m.ReplyTo.ID.String()
	}
	if m.File != nil {
		l.File = &fileLine{m.File.Name, m.File.Size, m.File.Here}
	}
	return l
}

func roomName(d client.Dialogue, r dialogue.Room) string {
	if r == dialogue.Plenary {
		return plenary
	}
	return sideName(d, r.Side())
}

func sideName(d client.Dialogue, id dialogue.SideID) string {
	for _, s := range d.Sides {
		if s.ID == id {
			return s.Name
		}
	}
	return ""
}

// room finds a room: the plenary for "" and "plenary".
func (s *session) room(d client.Dialogue, name string) (dialogue.Room, error) {
	r, err := s.FindRoom(d.ID, name)
	if err != nil && name == plenary && !ambiguous(err) {
		return dialogue.Plenary, nil
	}
	return r, err
}

func ambiguous(err error) bool {
	var many *client.AmbiguousError
	return errors.As(err, &many)
}

type sayFlags struct{ room, file, replyTo string }

func (a *app) sayCommand() *cobra.Command {
	var f sayFlags
	cmd := &cobra.Command{
		Use: "say DIALOGUE [TEXT]", Short: "Say something in a room, with a file if wanted",
		Long: `Sends a message, or keeps it until it can be sent, and says which. A - as TEXT
reads it from stdin. With --file TEXT may be left out.`,
		Example: `  parley say Orva "Good morning."
  parley say Orva --room North "Between ourselves."
  parley say Orva --file map.pdf "The map we spoke of."
  parley say Orva - < note.txt`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && f.file != "" {
				return nil
			}
			return takes("DIALOGUE", "TEXT")(cmd, args)
		},
	}
	cmd.Flags().StringVar(&f.room, "room", "", "a side's name for its side room (default: the plenary)")
	cmd.Flags().StringVar(&f.file, "file", "", "a file to send with it, of 10 MB at most")
	cmd.Flags().StringVar(&f.replyTo, "reply-to", "", "number or id of the message that it answers")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		text, err := a.text(args[1:])
		if err != nil {
			return err
		}
		return a.with(cmd.Context(), "say", func(s *session) error { return s.say(args[0], text, f) })
	}
	return cmd
}

// text is the message: the argument, or stdin for "-".
func (a *app) text(args []string) (string, error) {
	switch {
	case len(args) == 0:
		return "", nil
	case args[0] != "-":
		return args[0], nil
	}
	b, err := io.ReadAll(io.LimitReader(a.In, wire.MaxText+2))
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(string(b), "\r\n")
	if len(text) > wire.MaxText {
		return "", client.ErrText
	}
	return text, nil
}

func (s *session) say(prefix, text string, f sayFlags) error {
	d, err := s.find(prefix)
	if err != nil {
		return err
	}
	room, event, err := s.draft(d, text, f)
	if s.stale(d.ID, err) {
		room, event, err = s.draft(d, text, f)
	}
	if err != nil {
		return err
	}
	if _, err := s.deliver(d.ID); err != nil {
		return err
	}
	return s.said(d.ID, room, event)
}

// draft puts a message into the outbox.
func (s *session) draft(d client.Dialogue, text string, f sayFlags) (r dialogue.Room, id dialogue.EventID, err error) {
	if r, err = s.room(d, f.room); err != nil {
		return r, id, err
	}
	draft := client.Draft{Room: r, Text: text}
	if f.replyTo != "" {
		m, err := s.message(d, f.replyTo)
		if err != nil {
			return r, id, err
		}
		if m.Room != r {
			return r, id, usage("the message that --reply-to names is in another room")
		}
		draft.ReplyTo = m.ID
	}
	if f.file != "" {
		file, err := os.Open(f.file)
		if err != nil {
			return r, id, &failure{exitUsage, "the file can't be read: " + err.Error(), "Check --file"}
		}
		defer file.Close()
		draft.File, draft.FileName = file, filepath.Base(f.file)
	}
	id, err = s.Say(s.ctx, d.ID, draft)
	return r, id, err
}

// said says where a message is now.
func (s *session) said(id client.ID, r dialogue.Room, event dialogue.EventID) error {
	d, err := s.Dialogue(id)
	if err != nil {
		return err
	}
	list, err := s.Messages(id, client.Query{Room: r})
	if err != nil {
		return err
	}
	for _, m := range list {
		if m.ID != event {
			continue
		}
		if m.State == client.StateBack {
			s.a.tell("It came back: it would now be read by %s.", clean(strings.Join(m.Readers, ", ")))
		}
		sentence, _ := delivery(m.State == client.StateRoom)
		if d.Stopped && m.State == client.StateWaiting {
			sentence = "waiting until words were read aloud and matched: parley words " + string(d.ID)
		}
		if err := s.a.result(lineOfMessage(m, d), "%s", sentence); err != nil {
			return err
		}
		return s.warnNew(d)
	}
	return client.ErrNoMessage
}

// message finds a line by its number or the beginning of its id.
func (s *session) message(d client.Dialogue, name string) (client.Message, error) {
	var seq uint64
	if _, err := fmt.Sscanf(name, "%d", &seq); err != nil || fmt.Sprint(seq) != name {
		seq = 0
	}
	var found []client.Message
	rooms := []client.Room{{Room: dialogue.Plenary}}
	for _, r := range d.Rooms {
		if r.Room != dialogue.Plenary {
			rooms = append(rooms, r)
		}
	}
	for _, r := range rooms { // the plenary's lines stay when one has no seat any more
		list, err := s.Messages(d.ID, client.Query{Room: r.Room})
		if err != nil {
			return client.Message{}, err
		}
		for _, m := range list {
			if seq > 0 && m.Seq == seq {
				return m, nil
			}
			if len(name) >= 8 && strings.HasPrefix(m.ID.String(), name) {
				found = append(found, m)
			}
		}
	}
	switch len(found) {
	case 0:
		return client.Message{}, client.ErrNoMessage
	case 1:
		return found[0], nil
	}
	return client.Message{}, &failure{exitNotFound, fmt.Sprintf("%q could be several messages", name), "Write more of the id."}
}

func (a *app) readCommand() *cobra.Command {
	var room string
	var since uint64
	var limit int
	cmd := &cobra.Command{
		Use: "read DIALOGUE", Short: "Show what is in a room, as this vault has it",
		Long: `Shows the lines of a room: the plenary, or a side room with --room. It asks
nobody: parley sync fetches what is new. In JSON a line has id, seq, room, seat,
name, side, kind, text, time and state.`,
		Example: `  parley read Orva
  parley read Orva --room North --since 120
  parley read Orva --json`,
		Args: takes("DIALOGUE"),
	}
	cmd.Flags().StringVar(&room, "room", "", "a side's name for its side room (default: the plenary)")
	cmd.Flags().Uint64Var(&since, "since", 0, "only lines after this number")
	cmd.Flags().IntVar(&limit, "limit", 0, "only so many, the latest (default: all)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if limit < 0 {
			return usage("--limit is not negative")
		}
		return a.with(cmd.Context(), "read", func(s *session) error { return s.read(args[0], room, since, limit) })
	}
	return cmd
}

func (s *session) read(prefix, room string, since uint64, limit int) error {
	d, err := s.find(prefix)
	if err != nil {
		return err
	}
	r, err := s.room(d, room)
	if err != nil {
		return err
	}
	list, err := s.Messages(d.ID, client.Query{Room: r, After: since})
	if err != nil {
		return err
	}
	if limit > 0 {
		list = list[max(0, len(list)-limit):]
	}
	for _, m := range list {
		if err := s.a.line(lineOfMessage(m, d), m); err != nil {
			return err
		}
	}
	if err := s.MarkRead(d.ID, r); err != nil {
		return err
	}
	if !s.a.json {
		s.unsettled(d)
	}
	return s.warnNew(d)
}

// line writes a line of a room for people, or as JSON.
func (a *app) line(l messageLine, m client.Message) error {
	if a.json {
		return a.emit(l)
	}
	const indent = "                    "
	number := "-"
	if l.Seq > 0 {
		number = fmt.Sprint(l.Seq)
	}
	head := fmt.Sprintf("%6s  %s  ", number, m.Time.Local().Format("02 Jan 15:04"))
	who := clean(l.Name) + mark(l.Side != "", " ("+clean(l.Side)+")") + ": "
	if l.Kind == string(client.KindNotice) {
		who = "* "
	}
	text := cleanLines(l.Text, indent)
	if l.File != nil {
		text += mark(text != "", "\n"+indent) + fmt.Sprintf("[file %s, %d bytes]", clean(l.File.Name), l.File.Size)
	}
	if m.ReplyTo != nil {
		who += fmt.Sprintf("(to %s) ", clean(m.ReplyTo.Name))
	}
	switch m.State {
	case client.StateWaiting:
		text += "  [waiting to be delivered]"
	case client.StateBack:
		text += "  [came back: would now be read by " + clean(strings.Join(l.Readers, ", ")) + "]"
	}
	_, err := fmt.Fprintln(a.Out, head+who+text)
	return err
}

func (a *app) fileCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "file DIALOGUE SEQ -o PATH", Short: "Fetch the file of a message",
		Long: `Fetches what is missing of a file, checks it and writes it to PATH; a - writes to
stdout. SEQ is the number of its message in parley read. What was fetched stays
in the vault: an interrupted fetch goes on where it stopped.`,
		Example: "  parley file Orva 42 -o map.pdf", Args: takes("DIALOGUE", "SEQ"),
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "where to write it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if out == "" {
			return usage("-o PATH is missing: where to write the file")
		}
		return a.with(cmd.Context(), "file", func(s *session) error { return s.file(args[0], args[1], out) })
	}
	return cmd
}

type savedLine struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Size uint64 `json:"size"`
	Path string `json:"path"`
}

func (s *session) file(prefix, seq, out string) error {
	d, err := s.find(prefix)
	if err != nil {
		return err
	}
	m, err := s.message(d, seq)
	if err != nil {
		return err
	}
	if m.File == nil {
		return client.ErrNoFile
	}
	if out == "-" {
		return s.OpenFile(s.ctx, d.ID, m.ID, s.a.Out)
	}
	if err := save(out, func(w io.Writer) error { return s.OpenFile(s.ctx, d.ID, m.ID, w) }); err != nil {
		return err
	}
	return s.a.result(savedLine{m.ID.String(), m.File.Name, m.File.Size, out}, "%s: %d bytes, as sent", clean(out), m.File.Size)
}

// save writes a file whole, or leaves what was there.
func save(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".parley-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(write(f), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
