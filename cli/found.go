package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"parley/client"
)

// A foundingLine is a room founded again, in JSON.
type foundingLine struct {
	ID          string   `json:"id"` // of its founder's seat
	Founder     string   `json:"founder"`
	Without     string   `json:"without"`
	Mine        bool     `json:"mine"`
	Taken       bool     `json:"taken"` // it counts here
	Same        bool     `json:"same_past"`
	Differences []string `json:"differences"`
	Members     []string `json:"members"` // who can enter at once
	Later       []string `json:"later"`   // who comes back by the door
	Unheard     []string `json:"unheard"` // who has not been heard in it yet
	Words       []string `json:"words"`   // six to read, where it is taken; else five to follow
	Dialogue    string   `json:"dialogue"`
}

// A lostLine is a room that somebody's commit left this vault out of, in JSON.
type lostLine struct {
	ID       string   `json:"id"` // of the dialogue
	By       string   `json:"by"`
	Said     []string `json:"said"`   // others who have lost it, too
	Silent   []string `json:"silent"` // who has not said so
	Founders []string `json:"founders"`
	MayFound bool     `json:"may_found"`
}

func (a *app) foundCommand() *cobra.Command {
	var yes, giveUp bool
	cmd := &cobra.Command{
		Use: "found DIALOGUE [SEAT WORD]",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return takes("DIALOGUE", "SEAT", "WORD")(cmd, args)
			}
			return takes("DIALOGUE")(cmd, args)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "")
	cmd.Flags().BoolVar(&giveUp, "give-up", false, "")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if yes && giveUp || len(args) > 1 && (yes || giveUp) {
			return usage("cli.error.foundone")
		}
		return a.with(cmd, func(s *session) error {
			d, err := s.find(args[0])
			if err != nil {
				return err
			}
			if err := s.refresh(d.ID); err != nil {
				return err
			}
			switch {
			case len(args) == 3:
				return s.acceptFounding(d.ID, args[1], args[2])
			case yes:
				return s.foundAgain(d.ID)
			case giveUp:
				return s.leaveFounding(d.ID)
			}
			return s.showFoundings(d.ID)
		})
	}
	return cmd
}

// foundAgain founds the room again, and shows the words to read.
func (s *session) foundAgain(id client.ID) error {
	if err := s.FoundAgain(s.ctx, id); err != nil {
		return err
	}
	if _, err := s.deliver(id); err != nil {
		return err
	}
	return s.showFoundings(id)
}

// leaveFounding gives up a founding, and says how one stands then.
func (s *session) leaveFounding(id client.ID) error {
	if err := s.LeaveFounding(s.ctx, id); err != nil {
		return err
	}
	if _, err := s.deliver(id); err != nil {
		return err
	}
	s.a.tell("cli.found.left")
	return s.showFoundings(id)
}

func (s *session) acceptFounding(id client.ID, seat, word string) error {
	x, err := s.FindSeat(id, seat)
	if err != nil {
		return err
	}
	if err := s.AcceptFounding(s.ctx, id, x.ID, word); err != nil {
		return err
	}
	if _, err := s.deliver(id); err != nil {
		return err
	}
	d, err := s.Dialogue(id)
	if err != nil {
		return err
	}
	if err := s.a.result(returnLine{string(id), string(d.Standing)}, sentence(id)); err != nil {
		return err
	}
	if d.Standing != client.StandingIn {
		s.a.tell("cli.found.accepted", "name", x.Name)
		return fail(exitWaiting, "cli.hint.waiting", "cli.error.notin")
	}
	s.a.tell("cli.said.in")
	return nil
}

// showFoundings shows the foundings that wait, or the one that counts; where
// there is none, how the room was lost.
func (s *session) showFoundings(id client.ID) error {
	d, err := s.Dialogue(id)
	if err != nil {
		return err
	}
	if d.Lost == nil && len(d.Foundings) == 0 {
		s.a.tell("cli.found.none", "title", d.Title)
		return nil
	}
	for _, f := range d.Foundings {
		if f.Words, err = s.FoundingWords(s.ctx, id, f.Founder.ID); err != nil {
			return err
		}
		if err := s.showFounding(d, f); err != nil {
			return err
		}
	}
	if d.Lost == nil {
		return nil
	}
	return s.showLost(d, *d.Lost)
}

func (s *session) showFounding(d client.Dialogue, f client.Founding) error {
	l := foundingLine{
		ID: f.Founder.ID.String(), Founder: f.Founder.Name, Without: f.Without.Name, Mine: f.Mine, Taken: f.Taken, Same: f.Same,
		Differences: []string{}, Members: namesOf(f.Members), Later: namesOf(f.Later), Unheard: append([]string{}, f.Unheard...),
		Words: f.Words, Dialogue: string(d.ID),
	}
	for _, x := range f.Differences {
		l.Differences = append(l.Differences, strings.TrimSpace(string(x.Kind)+" "+x.Name))
	}
	for _, text := range s.a.w.Founding(f) {
		s.a.tell("cli.found.line", "text", text)
	}
	if f.Taken {
		s.a.tell("cli.found.read")
	} else {
		s.a.tell("cli.found.follow", "name", f.Founder.Name)
	}
	return s.a.result(l, sentence(strings.Join(f.Words, " ")))
}

func (s *session) showLost(d client.Dialogue, x client.LostRoom) error {
	l := lostLine{ID: string(d.ID), By: x.By.Name, Said: namesOf(x.Said), Silent: namesOf(x.Silent), Founders: namesOf(x.Founders), MayFound: x.MayFound}
	for _, text := range s.a.w.LostRoom(x) {
		s.a.tell("cli.found.line", "text", text)
	}
	if s.a.json {
		if err := s.a.emit(l); err != nil {
			return err
		}
	}
	if x.MayFound {
		return fail(exitWaiting, "cli.hint.found", "cli.error.lostroom")
	}
	return fail(exitWaiting, "cli.hint.lost", "cli.error.lostroom")
}

func namesOf(l []client.Seat) []string {
	names := []string{}
	for _, s := range l {
		names = append(names, s.Name)
	}
	return names
}
