package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"parley/client"
	"parley/dialogue"
	"parley/internal/wire"
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
	Missed  []string  `json:"missed,omitempty"`  // of one's own: whom it may not have reached
}

type fileLine struct {
	Name string `json:"name"`
	Size uint64 `json:"size"`
	Here bool   `json:"here"`
}

func (a *app) lineOfMessage(m client.Message, d client.Dialogue) messageLine {
	l := messageLine{
		ID: m.ID.String(), Seq: m.Seq, Room: roomName(d, m.Room), Seat: m.Seat.String(), Name: m.Name, Side: sideName(d, m.Side),
		Kind: string(m.Kind), Text: m.Text, Time: stamp(m.Time), State: string(m.State), Readers: m.Readers, Missed: m.Missed,
	}
	if m.Notice != nil {
		l.Text = a.w.Notice(*m.Notice)
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
		Use: "say DIALOGUE [TEXT]",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && f.file != "" {
				return nil
			}
			return takes("DIALOGUE", "TEXT")(cmd, args)
		},
	}
	cmd.Flags().StringVar(&f.room, "room", "", "")
	cmd.Flags().StringVar(&f.file, "file", "", "")
	cmd.Flags().StringVar(&f.replyTo, "reply-to", "", "")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		text, err := a.text(args[1:])
		if err != nil {
			return err
		}
		return a.with(cmd, func(s *session) error { return s.say(args[0], text, f) })
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
			return r, id, usage("cli.error.otherroom")
		}
		draft.ReplyTo = m.ID
	}
	if f.file != "" {
		file, err := os.Open(f.file)
		if err != nil {
			return r, id, fail(exitUsage, "cli.hint.file", "cli.error.file", "why", err)
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
			s.a.tell("cli.said.back", "readers", m.Readers)
		}
		delivery, _ := s.a.delivery(m.State == client.StateRoom)
		if d.Stopped && m.State == client.StateWaiting {
			delivery = s.a.t("cli.said.held", "dialogue", string(d.ID))
		}
		if err := s.a.result(s.a.lineOfMessage(m, d), delivery); err != nil {
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
	return client.Message{}, fail(exitNotFound, "cli.hint.longer", "cli.error.messages", "name", name)
}

func (a *app) readCommand() *cobra.Command {
	var room string
	var since uint64
	var limit int
	cmd := &cobra.Command{
		Use:  "read DIALOGUE",
		Args: takes("DIALOGUE"),
	}
	cmd.Flags().StringVar(&room, "room", "", "")
	cmd.Flags().Uint64Var(&since, "since", 0, "")
	cmd.Flags().IntVar(&limit, "limit", 0, "")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if limit < 0 {
			return usage("cli.error.negative", "flag", "--limit")
		}
		return a.with(cmd, func(s *session) error { return s.read(args[0], room, since, limit) })
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
		if err := s.a.line(s.a.lineOfMessage(m, d), m); err != nil {
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
	number := "-"
	if l.Seq > 0 {
		number = strconv.FormatUint(l.Seq, 10)
	}
	line := fmt.Sprintf("%6s  %s  %s", number, m.Time.Local().Format("2006-01-02 15:04"), a.what(l, m))
	if l.File != nil {
		if l.Text != "" {
			line += "\n" + lineIndent
		}
		line += string(a.t("cli.line.file", "name", l.File.Name, "n", int(l.File.Size)))
	}
	switch m.State {
	case client.StateWaiting:
		line += "  " + string(a.t("cli.line.waiting"))
	case client.StateBack:
		line += "  " + string(a.t("cli.line.back", "readers", l.Readers))
	}
	if len(l.Missed) > 0 {
		line += "  " + string(a.t("cli.line.missed", "n", len(l.Missed), "names", l.Missed))
	}
	_, err := fmt.Fprintln(a.Out, line)
	return err
}

// lineIndent stands before the lines of a message after its first.
const lineIndent = "                          "

// what is the text of a line, and whose it is.
func (a *app) what(l messageLine, m client.Message) string {
	if m.Notice != nil {
		n := *m.Notice
		n.By, n.Seat = clean(n.By), clean(n.Seat)
		return "* " + a.w.Notice(n)
	}
	who := a.t("cli.line.who", "name", l.Name)
	if l.Side != "" {
		who = a.t("cli.line.who.side", "name", l.Name, "side", l.Side)
	}
	if m.ReplyTo != nil {
		who += " " + a.t("cli.line.reply", "name", m.ReplyTo.Name)
	}
	return string(who) + " " + cleanLines(l.Text, lineIndent)
}

func (a *app) fileCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "file DIALOGUE SEQ -o PATH", Args: takes("DIALOGUE", "SEQ"),
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if out == "" {
			return usage("cli.error.output")
		}
		return a.with(cmd, func(s *session) error { return s.file(args[0], args[1], out) })
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
	return s.a.result(savedLine{m.ID.String(), m.File.Name, m.File.Size, out}, s.a.t("cli.said.saved", "path", out, "n", int(m.File.Size)))
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
