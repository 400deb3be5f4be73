package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"parley/client"
)

type wordsLine struct {
	ID     string   `json:"id"` // of the reading, or of its reader's seat where it is somebody else's
	Reader string   `json:"reader"`
	Mine   bool     `json:"mine"`
	Words  []string `json:"words"` // six for the reader, five for who listens
}

func (a *app) wordsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "words DIALOGUE [SEAT]", Short: "Read words aloud, or follow somebody who does",
		Long: `Begins a reading, unless one of yours is still going on, and shows its six
words on one line. Read them aloud, to people who know your voice: they follow
five, and give the sixth to parley verify. With SEAT it shows the five words that
this person ought to be reading; the sixth one has to be heard.`,
		Example: "  parley words Orva\n  parley words Orva \"Halden Royce\"\n  parley verify Orva \"Halden Royce\" ladder",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				return nil
			}
			return takes("DIALOGUE")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), "words", func(s *session) error {
				d, err := s.find(args[0])
				if err != nil {
					return err
				}
				if done, err := s.deliver(d.ID); err != nil {
					return err
				} else if !done {
					return client.ErrOffline
				}
				if len(args) == 2 {
					return s.follow(d, args[1])
				}
				return s.readAloud(d.ID)
			})
		},
	}
}

// readAloud shows the words of one's own reading.
func (s *session) readAloud(id client.ID) error {
	d, err := s.Dialogue(id)
	if err != nil {
		return err
	}
	if d.Reading == nil || !d.Reading.Mine {
		if err := s.ReadWords(s.ctx, id); err != nil {
			return err
		}
		if done, err := s.deliver(id); err != nil {
			return err
		} else if !done {
			return client.ErrOffline
		}
		if d, err = s.Dialogue(id); err != nil {
			return err
		}
	}
	list, _, err := s.Words(s.ctx, id, d.Me.ID)
	if err != nil {
		return err
	}
	l := wordsLine{Reader: d.Me.Name, Mine: true, Words: list}
	if d.Reading != nil {
		l.ID = d.Reading.ID.String()
	}
	s.a.tell("%s reads. Whoever listens follows five of these words, and types the sixth as heard.", clean(d.Me.Name))
	return s.a.result(l, "%s", strings.Join(list, " "))
}

// follow shows the five words that somebody else ought to be reading.
func (s *session) follow(d client.Dialogue, seat string) error {
	x, err := s.FindSeat(d.ID, seat)
	if err != nil {
		return err
	}
	list, _, err := s.Words(s.ctx, d.ID, x.ID)
	if err != nil {
		return err
	}
	if x.Me {
		return s.readAloud(d.ID)
	}
	s.a.tell("%s reads. Compare these five; then give the sixth, as you hear it, with: parley verify DIALOGUE SEAT WORD", clean(x.Name))
	return s.a.result(wordsLine{ID: x.ID.String(), Reader: x.Name, Words: list}, "%s", strings.Join(list, " "))
}

func (a *app) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "verify DIALOGUE SEAT LASTWORD", Short: "Say whose voice read the words, and give the last one",
		Long: `Says that you know the voice that read the words, and gives the sixth word as you
heard it. Where it is not the right one this ends with 8: stop, and tell the
convenor by another road.`,
		Example: `  parley verify Orva "Halden Royce" ladder`, Args: takes("DIALOGUE", "SEAT", "LASTWORD"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), "verify", func(s *session) error {
				return s.act(seatAction{
					do: func(s *session, d client.Dialogue, x client.Seat) error {
						return s.Heard(s.ctx, d.ID, x.ID, args[2])
					},
					said: "You have heard %s",
				}, args[0], args[1])
			})
		},
	}
}
