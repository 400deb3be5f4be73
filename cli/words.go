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
		Use: "words DIALOGUE [SEAT]",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				return nil
			}
			return takes("DIALOGUE")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(s *session) error {
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
	s.a.tell("cli.said.reads", "name", d.Me.Name)
	return s.a.result(l, sentence(strings.Join(list, " ")))
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
	s.a.tell("cli.said.follow", "name", x.Name)
	return s.a.result(wordsLine{ID: x.ID.String(), Reader: x.Name, Words: list}, sentence(strings.Join(list, " ")))
}

func (a *app) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "verify DIALOGUE SEAT LASTWORD", Args: takes("DIALOGUE", "SEAT", "LASTWORD"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(s *session) error {
				return s.act(seatAction{
					do: func(s *session, d client.Dialogue, x client.Seat) error {
						return s.Heard(s.ctx, d.ID, x.ID, args[2])
					},
					said: "cli.said.heard",
				}, args[0], args[1])
			})
		},
	}
}
