package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"parley/client"
	"parley/dialogue"
)

// A charterLine is a past in JSON.
type charterLine struct {
	Dialogue    string   `json:"dialogue"`
	Party       string   `json:"party"`
	Taken       bool     `json:"taken"`
	Whole       bool     `json:"whole"`
	Differences []string `json:"differences"`
}

// theConvenor names the convenor's party, who belongs to no side.
const theConvenor = "convenor"

func (a *app) charterCommand() *cobra.Command {
	return &cobra.Command{
		Use: "charter DIALOGUE [PARTY]", Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(s *session) error {
				d, err := s.find(args[0])
				if err != nil {
					return err
				}
				if err := s.refresh(d.ID); err != nil {
					return err
				}
				if d, err = s.Dialogue(d.ID); err != nil {
					return err
				}
				if len(args) == 1 {
					return s.charters(d)
				}
				return s.chooseCharter(d, args[1])
			})
		},
	}
}

// charters lists the pasts that one was told.
func (s *session) charters(d client.Dialogue) error {
	if len(d.Charters) == 0 {
		s.a.tell("cli.charter.none", "title", d.Title)
		return nil
	}
	for _, c := range d.Charters {
		by, what := s.a.w.Charter(c)
		l := charterLine{Dialogue: string(d.ID), Party: partyName(d, c.Party), Taken: c.Taken, Whole: c.Told, Differences: []string{}}
		for _, x := range c.Differences {
			l.Differences = append(l.Differences, strings.TrimSpace(string(x.Kind)+" "+x.Name))
		}
		if err := s.a.result(l, s.a.t("cli.charter.line", "party", l.Party, "by", by, "what", strings.Join(what, " "))); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) chooseCharter(d client.Dialogue, name string) error {
	party, ok := partyOf(d, name)
	if !ok {
		return client.ErrNoCharter
	}
	if err := s.ChooseCharter(d.ID, party); err != nil {
		return err
	}
	l := charterLine{Dialogue: string(d.ID), Party: partyName(d, party), Taken: true, Whole: true, Differences: []string{}}
	return s.a.result(l, s.a.t("cli.said.chosen", "title", d.Title, "party", l.Party))
}

// partyName is what a party is called in commands.
func partyName(d client.Dialogue, party dialogue.SideID) string {
	if party == 0 || int(party) > len(d.Sides) {
		return theConvenor
	}
	return d.Sides[party-1].Name
}

// partyOf finds a party by its name.
func partyOf(d client.Dialogue, name string) (dialogue.SideID, bool) {
	for _, x := range d.Sides {
		if strings.EqualFold(x.Name, name) {
			return x.ID, true
		}
	}
	return 0, strings.EqualFold(name, theConvenor)
}
