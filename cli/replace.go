package cli

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"parley/client"
	"parley/dialogue"
)

// A replacementLine is a new card for a seat that is held.
type replacementLine struct {
	By       string   `json:"by"`
	Expires  string   `json:"expires"`
	Used     bool     `json:"used"`
	Twice    bool     `json:"twice"`
	Words    []string `json:"words,omitempty"`    // the four of who used it
	Approved []string `json:"approved,omitempty"` // by whom
	Missing  []string `json:"missing,omitempty"`  // whose approval is awaited
}

func replacementLines(x client.Seat) (l []replacementLine) {
	for _, r := range x.Replacements {
		l = append(l, replacementLine{
			By: r.By, Expires: stamp(r.Expires), Used: r.Used, Twice: r.Twice, Words: r.Words, Approved: r.Approved, Missing: awaited(r),
		})
	}
	return l
}

// awaited lists who may give what a new card lacks.
func awaited(r client.Replacement) (names []string) {
	if r.Own != "" {
		names = append(names, r.Own)
	}
	if r.More > 0 {
		names = append(names, r.Others...)
	}
	return names
}

func (a *app) seatParent() *cobra.Command {
	cmd := &cobra.Command{
		Use:  "seat",
		Args: noCommand,
		RunE: func(*cobra.Command, []string) error { return usage("cli.error.nosub") },
	}
	cmd.AddCommand(a.replaceCommand())
	return cmd
}

func (a *app) replaceCommand() *cobra.Command {
	var lasts time.Duration
	var withdraw bool
	cmd := &cobra.Command{
		Use:  "replace DIALOGUE SEAT",
		Args: takes("DIALOGUE", "SEAT"),
	}
	cmd.Flags().DurationVar(&lasts, "expires", 72*time.Hour, "")
	cmd.Flags().BoolVar(&withdraw, "withdraw", false, "")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if lasts < time.Minute || lasts > dialogue.MaxCardLifetime*time.Minute {
			return usage("cli.error.expires", "most", strconv.Itoa(dialogue.MaxCardLifetime/60)+"h")
		}
		return a.with(cmd, func(s *session) error {
			if withdraw {
				return s.act(withdrawing, args[0], args[1])
			}
			return s.replace(args[0], args[1], lasts)
		})
	}
	return cmd
}

var withdrawing = seatAction{
	do:   func(s *session, d client.Dialogue, x client.Seat) error { return s.Revoke(s.ctx, d.ID, x.ID) },
	said: "cli.said.withdrawn",
}

// replace makes a new card for a seat, and says who has to agree.
func (s *session) replace(prefix, seat string, lasts time.Duration) error {
	d, err := s.find(prefix)
	if err != nil {
		return err
	}
	if err := s.refresh(d.ID); err != nil {
		return err
	}
	x, err := s.FindSeat(d.ID, seat)
	if err != nil {
		return err
	}
	if !x.MayDo.Replace && len(x.MayDo.Replacers) > 0 {
		return fail(exitRules, "", "cli.error.replacers", "name", x.Name, "names", x.MayDo.Replacers)
	}
	card, err := s.Replace(s.ctx, d.ID, x.ID, lasts)
	if err != nil {
		return err
	}
	done, err := s.deliver(d.ID)
	if err != nil {
		return err
	}
	if x, err = s.seatByID(d.ID, x.ID); err != nil {
		return err
	}
	delivery, state := s.a.delivery(done)
	until := sentence(s.a.w.Moment(time.Now().Add(lasts), time.Now()))
	s.a.tell("cli.said.newcard", "name", x.Name, "time", until, "delivery", delivery)
	for _, r := range x.Replacements {
		if r.Mine {
			s.a.tell("cli.said.whoagrees", "who", s.a.w.WhoAgrees(r))
		}
	}
	l := s.a.lineOfSeat(x)
	l.Card, l.State, l.Dialogue = card, state, string(d.ID)
	return s.a.result(l, sentence(card))
}

// approveNew approves a new card: the one with these four words, or the only
// one that was used.
func (s *session) approveNew(d client.Dialogue, x client.Seat, words string) error {
	if words != "" {
		r, ok := x.ByWords(words)
		if !ok {
			return fail(exitNotFound, "cli.hint.seats", "cli.error.nowords", "name", x.Name)
		}
		return s.ApproveNew(s.ctx, d.ID, x.ID, r.Post)
	}
	for _, r := range x.Replacements {
		if r.MayApprove {
			s.a.tell("cli.said.fourwords", "name", x.Name, "words", strings.Join(r.Words, " "))
		}
	}
	return s.Approve(s.ctx, d.ID, x.ID)
}

// newCardStatus says how far a seat's new cards are; empty where there are none.
func (a *app) newCardStatus(x client.Seat) sentence {
	if x.Replacing {
		return a.t("cli.seat.replacing")
	}
	var text sentence
	for _, r := range x.Replacements {
		key := "cli.seat.newcard"
		switch {
		case r.Twice:
			key = "cli.seat.newcard.twice"
		case r.Expired:
			key = "cli.seat.newcard.expired"
		case r.Used:
			key = "cli.seat.newcard.used"
		}
		next := a.t(key, "by", r.By, "words", strings.Join(r.Words, " "))
		if text == "" {
			text = next
		} else {
			text = a.t("cli.synced.join", "head", text, "next", next)
		}
	}
	return text
}

// missingOf lists whom a seat waits for.
func missingOf(x client.Seat) []string {
	names := x.Missing
	for _, r := range x.Replacements {
		if r.Used && !r.Twice {
			names = append(names, awaited(r)...)
		}
	}
	return names
}
