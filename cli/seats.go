package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"parley/client"
	"parley/dialogue"
	"parley/internal/words"
)

type seatLine struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Side       string   `json:"side"`
	Role       string   `json:"role"`
	Capacity   string   `json:"capacity"`
	Status     string   `json:"status"`
	Head       bool     `json:"head"`
	Me         bool     `json:"me"`
	Due        bool     `json:"due"` // to be removed
	GoneBy     string   `json:"gone_by,omitempty"`
	VerifiedBy []string `json:"verified_by"`
	Lost       string   `json:"lost,omitempty"`  // why it is no longer verified
	Words      []string `json:"words,omitempty"` // the four of a newcomer
	Missing    []string `json:"missing,omitempty"`
	Expires    string   `json:"expires,omitempty"`
	Seconds    int      `json:"seconds"` // further uses of the card
	AtDoor     bool     `json:"at_door"` // it waits to come back
	Dialogue   string   `json:"dialogue,omitempty"`
	Card       string   `json:"card,omitempty"`
	State      string   `json:"state,omitempty"` // of what was just done: room or waiting
}

var (
	statuses = map[dialogue.Status]string{
		dialogue.Invited: "invited", dialogue.Arrived: "arrived", dialogue.In: "in",
		dialogue.Revoked: "revoked", dialogue.Removed: "removed", dialogue.Left: "left", dialogue.Asleep: "asleep",
	}
	roles = map[dialogue.Role]string{
		dialogue.Participant: "participant", dialogue.Convenor: "convenor", dialogue.Interpreter: "interpreter",
	}
	capacities = map[dialogue.Capacity]string{
		dialogue.Personal: "personal", dialogue.SemiOfficial: "semi-official", dialogue.Official: "official",
	}
)

func lineOfSeat(x client.Seat) seatLine {
	return seatLine{
		ID: x.ID.String(), Name: x.Name, Side: x.SideName, Role: roles[x.Role], Capacity: capacities[x.Capacity],
		Status: statuses[x.Status], Head: x.Head, Me: x.Me, Due: x.Due, GoneBy: x.GoneBy,
		VerifiedBy: append([]string{}, x.VerifiedBy...), Lost: words.For(words.English).Loss(x.Lost),
		Words: x.Words, Missing: x.Missing, Expires: stamp(x.Expires), Seconds: x.Seconds, AtDoor: x.AtDoor,
	}
}

func (a *app) inviteCommand() *cobra.Command {
	var o inviteFlags
	cmd := &cobra.Command{
		Use: "invite DIALOGUE --side S --name N", Short: "Make a card for one named seat",
		Long: `Makes a card: a link for one person, for one seat on one side, good once and
until it expires. It stands alone on one line of stdout. Send it by a road that
nobody else reads: whoever has it first has the seat.`,
		Example: `  parley invite Orva --side North --name "Halden Royce" --head > card
  parley invite Orva --side South --name "Nadir Solane" --role interpreter --expires 24h`,
		Args: takes("DIALOGUE"),
	}
	f := cmd.Flags()
	f.StringVar(&o.side, "side", "", "name of the side")
	f.StringVar(&o.name, "name", "", "name of the person, as used here")
	f.BoolVar(&o.head, "head", false, "the card is for the head of a side that has none yet")
	f.StringVar(&o.role, "role", "participant", "participant or interpreter")
	f.StringVar(&o.capacity, "capacity", "personal", "personal, semi-official or official")
	f.DurationVar(&o.expires, "expires", 72*time.Hour, "how long the card is good")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opt, err := o.options()
		if err != nil {
			return err
		}
		return a.with(cmd.Context(), "invite", func(s *session) error { return s.invite(args[0], o.side, opt) })
	}
	return cmd
}

type inviteFlags struct {
	side, name, role, capacity string
	head                       bool
	expires                    time.Duration
}

func (f inviteFlags) options() (o client.InviteOptions, err error) {
	switch {
	case f.side == "":
		return o, usage("--side is missing: on which side does the person sit?")
	case f.name == "":
		return o, usage("--name is missing: for whom is the card?")
	case f.expires < time.Minute || f.expires > dialogue.MaxCardLifetime*time.Minute:
		return o, usage("--expires is between 1m and %dh", dialogue.MaxCardLifetime/60)
	}
	if err := dialogue.CheckName(f.name); err != nil {
		return o, fmt.Errorf("--name: %w", err)
	}
	role, ok := inverse(roles, f.role)
	if !ok || role == dialogue.Convenor {
		return o, usage("--role is participant or interpreter, not %q", f.role)
	}
	capacity, ok := inverse(capacities, f.capacity)
	if !ok {
		return o, usage("--capacity is personal, semi-official or official, not %q", f.capacity)
	}
	return client.InviteOptions{Name: f.name, Role: role, Capacity: capacity, Head: f.head, Expires: f.expires}, nil
}

// inverse finds what has a name.
func inverse[T comparable](names map[T]string, name string) (t T, ok bool) {
	for k, v := range names {
		if v == name {
			return k, true
		}
	}
	return t, false
}

func (s *session) invite(prefix, side string, o client.InviteOptions) error {
	d, err := s.find(prefix)
	if err != nil {
		return err
	}
	o.Side, err = s.side(d.ID, side)
	if s.stale(d.ID, err) {
		o.Side, err = s.side(d.ID, side)
	}
	if err != nil {
		return err
	}
	card, seat, err := s.Invite(s.ctx, d.ID, o)
	if s.stale(d.ID, err) {
		card, seat, err = s.Invite(s.ctx, d.ID, o)
	}
	if err != nil {
		return err
	}
	done, err := s.deliver(d.ID)
	if err != nil {
		return err
	}
	x, err := s.seatByID(d.ID, seat)
	if err != nil {
		return err
	}
	sentence, state := delivery(done)
	s.a.tell("A card for %s (%s), good once, until %s: %s", clean(o.Name), clean(x.SideName), x.Expires.Local().Format("2 January 15:04"), sentence)
	l := lineOfSeat(x)
	l.Card, l.State, l.Dialogue = card, state, string(d.ID)
	return s.a.result(l, "%s", card)
}

// side finds a side; one that is not there is not found.
func (s *session) side(id client.ID, name string) (dialogue.SideID, error) {
	side, err := s.FindSide(id, name)
	if code, _, _ := explain(err); err != nil && code == exitNotFound && !ambiguous(err) {
		return 0, &failure{exitNotFound, fmt.Sprintf("there is no side %q", name), "See: parley seats DIALOGUE"}
	}
	return side, err
}

func (s *session) seatByID(id client.ID, seat dialogue.SeatID) (client.Seat, error) {
	d, err := s.Dialogue(id)
	if err != nil {
		return client.Seat{}, err
	}
	for _, x := range d.Seats {
		if x.ID == seat {
			return x, nil
		}
	}
	// The opening of the dialogue itself has not been read back yet.
	return client.Seat{ID: seat, Status: dialogue.Invited}, nil
}

// A seatAction is one of the commands that do something with one seat.
type seatAction struct {
	use, short, long, example string
	do                        func(*session, client.Dialogue, client.Seat) error
	said                      string // with the seat's name
}

func (a *app) seatCommand(k seatAction) *cobra.Command {
	name, _, _ := strings.Cut(k.use, " ")
	return &cobra.Command{
		Use: k.use, Short: k.short, Long: k.long, Example: k.example, Args: takes("DIALOGUE", "SEAT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), name, func(s *session) error { return s.act(k, args[0], args[1]) })
		},
	}
}

func (s *session) act(k seatAction, prefix, seat string) error {
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
	if err := k.do(s, d, x); err != nil {
		return err
	}
	done, err := s.deliver(d.ID)
	if err != nil {
		return err
	}
	if d, err = s.Dialogue(d.ID); err != nil {
		return err
	}
	if _, err := s.warn(d, false); err != nil {
		return err
	}
	now, err := s.seatByID(d.ID, x.ID)
	if err != nil {
		return err
	}
	sentence, state := delivery(done)
	l := lineOfSeat(now)
	l.State, l.Dialogue = state, string(d.ID)
	return s.a.result(l, "%s: %s", fmt.Sprintf(k.said, clean(x.Name)), sentence)
}

func (a *app) revokeCommand() *cobra.Command {
	return a.seatCommand(seatAction{
		use: "revoke DIALOGUE SEAT", short: "Take back a card that nobody has been let in with",
		long: "The card stops working at once.", example: `  parley revoke Orva "Nadir Solane"`,
		do:   func(s *session, d client.Dialogue, x client.Seat) error { return s.Revoke(s.ctx, d.ID, x.ID) },
		said: "The card for %s does not work any more",
	})
}

func (a *app) approveCommand() *cobra.Command {
	return a.seatCommand(seatAction{
		use: "approve DIALOGUE SEAT", short: "Let a newcomer in, for your side",
		long: `Gives your side's consent to a newcomer. Have the four words read out to you on
the telephone first: they belong to exactly this newcomer's computer.`,
		example: `  parley approve Orva "Nadir Solane"`,
		do: func(s *session, d client.Dialogue, x client.Seat) error {
			if len(x.Words) > 0 {
				s.a.tell("The four words of %s: %s", clean(x.Name), strings.Join(x.Words, " "))
			}
			return s.Approve(s.ctx, d.ID, x.ID)
		},
		said: "Your side agrees to %s",
	})
}

func (a *app) removeCommand() *cobra.Command {
	return a.seatCommand(seatAction{
		use: "remove DIALOGUE SEAT", short: "Remove somebody's seat",
		long: `Removes a seat: at once where you are the convenor or the head of its side,
else as your side's consent to it. Everybody sees by whom.`,
		example: `  parley remove Orva "Tamsin Drey"`,
		do:      func(s *session, d client.Dialogue, x client.Seat) error { return s.Remove(s.ctx, d.ID, x.ID) },
		said:    "The removal of %s",
	})
}

func (a *app) leaveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "leave DIALOGUE", Short: "Give up your seat", Long: "It counts at once. You can't read anything that is said afterwards.",
		Example: "  parley leave Orva", Args: takes("DIALOGUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), "leave", func(s *session) error {
				d, err := s.find(args[0])
				if err != nil {
					return err
				}
				if err := s.refresh(d.ID); err != nil {
					return err
				}
				if err := s.Leave(s.ctx, d.ID); err != nil {
					return err
				}
				done, err := s.deliver(d.ID)
				if err != nil {
					return err
				}
				if d, err = s.Dialogue(d.ID); err != nil {
					return err
				}
				sentence, state := delivery(done)
				l := lineOf(d)
				l.State = state
				return a.result(l, "You leave %s: %s", clean(d.Title), sentence)
			})
		},
	}
}

func (a *app) seatsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "seats DIALOGUE", Short: "Show the ground rules' seat plan: who sits where, and who is verified",
		Example: "  parley seats Orva\n  parley seats Orva --json", Args: takes("DIALOGUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), "seats", func(s *session) error { return s.seats(args[0]) })
		},
	}
}

func (s *session) seats(prefix string) error {
	d, err := s.find(prefix)
	if err != nil {
		return err
	}
	rows := []string{row("ID", "NAME", "SIDE", "STATUS", "VERIFIED BY", "WAITS FOR")}
	for _, x := range d.Seats {
		l := lineOfSeat(x)
		if s.a.json {
			if err := s.a.emit(l); err != nil {
				return err
			}
		}
		side := x.SideName
		if x.Head {
			side += ", head"
		}
		if x.Role == dialogue.Convenor {
			side = "convenor"
		}
		rows = append(rows, row(l.ID, x.Name+mark(x.Me, " (you)"), side, statusOf(x), verifiedOf(x), strings.Join(x.Missing, ", ")))
	}
	if !s.a.json {
		if err := table(s.a.Out, rows); err != nil {
			return err
		}
	}
	s.unsettled(d)
	return s.warnNew(d)
}

// unsettled says what is not settled yet in a dialogue.
func (s *session) unsettled(d client.Dialogue) {
	switch d.Standing {
	case client.StandingIn:
	case client.StandingLost: // the problem below says why
	case client.StandingWaiting:
		s.a.tell("The others have not let you in yet. Go on with: parley sync --wait 10m")
	default:
		s.a.tell("You are not in this dialogue any more: %s.", standings[d.Standing])
	}
	if len(d.Missing) > 0 {
		s.a.tell("Nobody can write in the plenary before %s agreed to the ground rules.", clean(strings.Join(d.Missing, ", ")))
	}
	if len(d.Unconfirmed) > 0 {
		names := make([]string, len(d.Unconfirmed))
		for i, n := range d.Unconfirmed {
			names[i] = clean(n) + mark(n == "", "the convenor")
		}
		s.a.tell("What you were told of this dialogue's past is not confirmed yet by: %s", strings.Join(names, ", "))
	}
	if d.Problem != nil {
		_, text, hint := explain(d.Problem)
		s.a.tell("Problem: %s. %s", clean(text), hint)
	}
}

func mark(on bool, text string) string {
	if on {
		return text
	}
	return ""
}

func statusOf(x client.Seat) string {
	switch {
	case x.Expired:
		return "card expired"
	case x.Due:
		return "being removed" + mark(x.GoneBy != "", " by "+x.GoneBy)
	case x.AtDoor:
		return "at the door, to come back"
	case x.Status == dialogue.Removed && x.GoneBy != "":
		return "removed by " + x.GoneBy
	case x.Status == dialogue.Arrived && len(x.Words) > 0:
		return "arrived: " + strings.Join(x.Words, " ")
	}
	return statuses[x.Status]
}

func verifiedOf(x client.Seat) string {
	switch {
	case len(x.VerifiedBy) > 0:
		return strings.Join(x.VerifiedBy, ", ")
	case x.Lost != dialogue.LossNone:
		return "no longer: " + words.For(words.English).Loss(x.Lost)
	case x.Status != dialogue.In:
		return ""
	}
	return "nobody"
}
