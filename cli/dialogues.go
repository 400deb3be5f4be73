package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"parley/client"
	"parley/dialogue"
	"parley/relay"
)

var tracks = map[string]dialogue.Track{
	"two": dialogue.TrackTwo, "1.5": dialogue.TrackOneAndHalf, "one": dialogue.TrackOne,
}

func trackName(t dialogue.Track) string {
	for name, u := range tracks {
		if u == t {
			return name
		}
	}
	return ""
}

type dialogueLine struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Standing string   `json:"standing"`
	Track    string   `json:"track,omitempty"`
	Sides    []string `json:"sides,omitempty"`
	Missing  []string `json:"missing,omitempty"` // sides that have not agreed to the rules
	Seats    int      `json:"seats"`
	Unread   int      `json:"unread"`
	Waits    int      `json:"tasks"` // things that wait for this person
	Alarms   int      `json:"alarms"`
	Stopped  bool     `json:"stopped,omitempty"` // nothing goes out until words were compared
	Relay    string   `json:"relay"`
	State    string   `json:"state,omitempty"` // of what was just made: room or waiting
	Problem  string   `json:"problem,omitempty"`
}

func (a *app) lineOf(d client.Dialogue) dialogueLine {
	l := dialogueLine{
		ID: string(d.ID), Title: d.Title, Standing: string(d.Standing), Track: trackName(d.Rules.Track), Relay: d.Relay,
		Missing: d.Missing, Waits: len(d.Tasks), Alarms: len(d.Alarms), Stopped: d.Stopped,
	}
	for _, s := range d.Sides {
		l.Sides = append(l.Sides, s.Name)
	}
	for _, s := range d.Seats {
		if s.Status == dialogue.In {
			l.Seats++
		}
	}
	for _, r := range d.Rooms {
		l.Unread += r.Unread
	}
	if d.Problem != nil {
		_, why, _ := a.explain(d.Problem)
		l.Problem = string(why)
	}
	return l
}

func (a *app) dialogueCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:  "dialogue",
		Args: noCommand,
		RunE: func(*cobra.Command, []string) error {
			return usage("cli.error.nosub")
		},
	}
	cmd.AddCommand(a.dialogueNew(), a.dialogueList())
	return cmd
}

func (a *app) dialogueNew() *cobra.Command {
	var title, track, address string
	var sides []string
	cmd := &cobra.Command{
		Use:  "new --title T --track two|1.5|one --side A --side B --relay URL",
		Args: takes(),
	}
	f := cmd.Flags()
	f.StringVar(&title, "title", "", "")
	f.StringVar(&track, "track", "two", "")
	f.StringArrayVar(&sides, "side", nil, "")
	f.StringVar(&address, "relay", "", "")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o, err := startOptions(title, track, sides, address)
		if err != nil {
			return err
		}
		return a.with(cmd, func(s *session) error { return s.start(o) })
	}
	return cmd
}

func startOptions(title, track string, sides []string, address string) (o client.StartOptions, err error) {
	t, ok := tracks[track]
	switch {
	case !ok:
		return o, usage("cli.error.track", "value", track)
	case len(sides) < dialogue.MinSides || len(sides) > dialogue.MaxSides:
		return o, usage("cli.error.sides", "least", dialogue.MinSides, "most", dialogue.MaxSides)
	case address == "":
		return o, usage("cli.error.norelay")
	}
	for i, name := range sides {
		if err := dialogue.CheckName(name); err != nil {
			return o, usage("cli.error.flag", "flag", "--side", "why", err)
		}
		for _, other := range sides[:i] {
			if strings.EqualFold(name, other) {
				return o, usage("cli.error.sameside", "name", name)
			}
		}
	}
	if title != "" {
		if err := dialogue.CheckName(title); err != nil {
			return o, usage("cli.error.flag", "flag", "--title", "why", err)
		}
	}
	at, err := relay.ParseAddress(address)
	if err != nil {
		return o, err
	}
	return client.StartOptions{Title: title, Rules: dialogue.Preset(t), Sides: sides, Relay: at}, nil
}

func (s *session) start(o client.StartOptions) error {
	id, err := s.Start(s.ctx, o)
	if err != nil {
		return err
	}
	done, err := s.deliver(id)
	if err != nil {
		return err
	}
	d, err := s.Dialogue(id)
	if err != nil {
		return err
	}
	delivery, state := s.a.delivery(done)
	s.a.tell("cli.said.started", "title", d.Title, "delivery", delivery)
	l := s.a.lineOf(d)
	l.State = state
	return s.a.result(l, sentence(id))
}

func (a *app) dialogueList() *cobra.Command {
	return &cobra.Command{
		Use:  "list",
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, func(s *session) error { return s.list() })
		},
	}
}

// standings are the sentences for how one stands in a dialogue.
var standings = map[client.Standing]string{
	client.StandingWaiting: "cli.standing.waiting", client.StandingIn: "cli.standing.in", client.StandingRemoved: "cli.standing.removed",
	client.StandingLeft: "cli.standing.left", client.StandingRefused: "cli.standing.refused", client.StandingLost: "cli.standing.lost",
}

func (a *app) standing(s client.Standing) sentence { return a.t(standings[s]) }

func (s *session) list() error {
	rows := []string{s.a.head("cli.column.id", "cli.column.title", "cli.column.standing", "cli.column.seats", "cli.column.unread", "cli.column.waits")}
	for _, d := range s.Dialogues() {
		l := s.a.lineOf(d)
		if s.a.json {
			if err := s.a.emit(l); err != nil {
				return err
			}
		}
		rows = append(rows, row(l.ID, l.Title, s.a.standing(d.Standing), s.a.w.Number(l.Seats), s.a.w.Number(l.Unread), s.a.w.Number(l.Waits)))
		if _, err := s.warn(d, false); err != nil {
			return err
		}
	}
	switch {
	case s.a.json:
		return nil
	case len(rows) == 1:
		s.a.tell("cli.said.nodialogue")
		return nil
	}
	return table(s.a.Out, rows)
}

// rules puts the ground rules on stderr, in sentences.
func (a *app) rules(r dialogue.Rules, sides []string) {
	a.tell("cli.said.rules")
	for _, rule := range a.w.Rules(r, cleaned(sides)) {
		fmt.Fprintf(a.Err, "  %s\n", a.t("cli.said.rule", "name", sentence(rule.Name), "sentence", sentence(rule.Sentence)))
	}
}
