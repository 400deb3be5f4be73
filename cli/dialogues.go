package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"parley/client"
	"parley/dialogue"
	"parley/internal/words"
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
	Relay    string   `json:"relay"`
	State    string   `json:"state,omitempty"` // of what was just made: room or waiting
	Problem  string   `json:"problem,omitempty"`
}

func lineOf(d client.Dialogue) dialogueLine {
	l := dialogueLine{
		ID: string(d.ID), Title: d.Title, Standing: string(d.Standing), Track: trackName(d.Rules.Track), Relay: d.Relay,
		Missing: d.Missing, Waits: len(d.Tasks), Alarms: len(d.Alarms),
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
		_, l.Problem, _ = explain(d.Problem)
	}
	return l
}

func (a *app) dialogueCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "dialogue", Short: "Start a dialogue, or list those of this vault",
		Example: `  parley dialogue list
  parley dialogue new --title "The Orva Waters" --track two --side North --side South --relay https://relay.example.org`,
		Args: noCommand,
		RunE: func(*cobra.Command, []string) error {
			return usage("say which: parley dialogue new, or parley dialogue list")
		},
	}
	cmd.AddCommand(a.dialogueNew(), a.dialogueList())
	return cmd
}

func (a *app) dialogueNew() *cobra.Command {
	var title, track, address string
	var sides []string
	cmd := &cobra.Command{
		Use: "new --title T --track two|1.5|one --side A --side B --relay URL", Short: "Start a dialogue, as its convenor",
		Long: `Starts a dialogue of which you are the convenor, with the ground rules that its
track starts with. The title stays on this computer. The id of the dialogue
stands alone on one line of stdout.`,
		Example: `  parley dialogue new --title "The Orva Waters" --track two --side North --side South --relay https://relay.example.org`,
		Args:    takes(),
	}
	f := cmd.Flags()
	f.StringVar(&title, "title", "", "what to call it on this computer")
	f.StringVar(&track, "track", "two", "two, 1.5 or one")
	f.StringArrayVar(&sides, "side", nil, "name of a side; two to six times")
	f.StringVar(&address, "relay", "", "address of the relay, with its pin where it has one")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o, err := startOptions(title, track, sides, address)
		if err != nil {
			return err
		}
		return a.with(cmd.Context(), "dialogue new", func(s *session) error { return s.start(o) })
	}
	return cmd
}

func startOptions(title, track string, sides []string, address string) (o client.StartOptions, err error) {
	t, ok := tracks[track]
	switch {
	case !ok:
		return o, usage("--track is two, 1.5 or one, not %q", track)
	case len(sides) < dialogue.MinSides || len(sides) > dialogue.MaxSides:
		return o, usage("a dialogue has %d to %d sides: give --side NAME for each", dialogue.MinSides, dialogue.MaxSides)
	case address == "":
		return o, usage("--relay is missing: the address that `parley relay` printed, or that its host gave you")
	}
	for i, name := range sides {
		if err := dialogue.CheckName(name); err != nil {
			return o, fmt.Errorf("--side %q: %w", name, err)
		}
		for _, other := range sides[:i] {
			if strings.EqualFold(name, other) {
				return o, usage("two sides are called %q", name)
			}
		}
	}
	if title != "" {
		if err := dialogue.CheckName(title); err != nil {
			return o, fmt.Errorf("--title: %w", err)
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
	sentence, state := delivery(done)
	s.a.tell("%s: started, %s", clean(d.Title), sentence)
	l := lineOf(d)
	l.State = state
	return s.a.result(l, "%s", id)
}

func (a *app) dialogueList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the dialogues of this vault",
		Example: "  parley dialogue list\n  parley dialogue list --json",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), "dialogue list", func(s *session) error { return s.list() })
		},
	}
}

// standings in words.
var standings = map[client.Standing]string{
	client.StandingWaiting: "waiting to be let in", client.StandingIn: "in", client.StandingRemoved: "removed",
	client.StandingLeft: "left", client.StandingRefused: "card refused", client.StandingLost: "lost the room",
}

func (s *session) list() error {
	rows := []string{row("ID", "TITLE", "STANDING", "SEATS", "UNREAD", "WAITS FOR YOU")}
	for _, d := range s.Dialogues() {
		l := lineOf(d)
		if s.a.json {
			if err := s.a.emit(l); err != nil {
				return err
			}
		}
		rows = append(rows, row(l.ID, l.Title, standings[d.Standing], fmt.Sprint(l.Seats), fmt.Sprint(l.Unread), fmt.Sprint(l.Waits)))
		if _, err := s.warn(d, false); err != nil {
			return err
		}
	}
	switch {
	case s.a.json:
		return nil
	case len(rows) == 1:
		s.a.tell("There is no dialogue in this vault. Start one with: parley dialogue new, or join one with a card: parley join")
		return nil
	}
	return table(s.a.Out, rows)
}

// rules puts the ground rules on stderr, in sentences.
func (a *app) rules(r dialogue.Rules, sides []string) {
	a.tell("The ground rules:")
	for _, rule := range words.For(words.English).Rules(r, sides) {
		a.tell("  %s. %s", clean(rule.Name), clean(rule.Sentence))
	}
}
