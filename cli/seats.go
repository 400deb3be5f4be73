package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"parley/client"
	"parley/dialogue"
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
	Silent     string   `json:"silent_since,omitempty"` // nothing was heard from it since, for a day or more
	State      string   `json:"state,omitempty"`        // of what was just done: room or waiting

	Replacements []replacementLine `json:"new_cards,omitempty"`
	Replacing    bool              `json:"replacing"` // a new card was approved, and is let in
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

func (a *app) lineOfSeat(x client.Seat) seatLine {
	return seatLine{
		ID: x.ID.String(), Name: x.Name, Side: x.SideName, Role: roles[x.Role], Capacity: capacities[x.Capacity],
		Status: statuses[x.Status], Head: x.Head, Me: x.Me, Due: x.Due, GoneBy: x.GoneBy,
		VerifiedBy: append([]string{}, x.VerifiedBy...), Lost: a.w.Loss(x.Lost),
		Words: x.Words, Missing: x.Missing, Expires: stamp(x.Expires), Silent: stamp(x.SilentSince), Seconds: x.Seconds, AtDoor: x.AtDoor,
		Replacements: replacementLines(x), Replacing: x.Replacing,
	}
}

func (a *app) inviteCommand() *cobra.Command {
	var o inviteFlags
	cmd := &cobra.Command{
		Use:  "invite DIALOGUE --side S --name N",
		Args: takes("DIALOGUE"),
	}
	f := cmd.Flags()
	f.StringVar(&o.side, "side", "", "")
	f.StringVar(&o.name, "name", "", "")
	f.BoolVar(&o.head, "head", false, "")
	f.StringVar(&o.role, "role", "participant", "")
	f.StringVar(&o.capacity, "capacity", "personal", "")
	f.DurationVar(&o.expires, "expires", 72*time.Hour, "")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opt, err := o.options()
		if err != nil {
			return err
		}
		return a.with(cmd, func(s *session) error { return s.invite(args[0], o.side, opt) })
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
		return o, usage("cli.error.whichside")
	case f.name == "":
		return o, usage("cli.error.whose")
	case f.expires < time.Minute || f.expires > dialogue.MaxCardLifetime*time.Minute:
		return o, usage("cli.error.expires", "most", strconv.Itoa(dialogue.MaxCardLifetime/60)+"h")
	}
	if err := dialogue.CheckName(f.name); err != nil {
		return o, usage("cli.error.flag", "flag", "--name", "why", err)
	}
	role, ok := inverse(roles, f.role)
	if !ok || role == dialogue.Convenor {
		return o, usage("cli.error.role", "value", f.role)
	}
	capacity, ok := inverse(capacities, f.capacity)
	if !ok {
		return o, usage("cli.error.capacity", "value", f.capacity)
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
	delivery, state := s.a.delivery(done)
	until := sentence(s.a.w.Moment(x.Expires.Local(), time.Now()))
	s.a.tell("cli.said.card", "name", o.Name, "side", x.SideName, "time", until, "delivery", delivery)
	l := s.a.lineOfSeat(x)
	l.Card, l.State, l.Dialogue = card, state, string(d.ID)
	return s.a.result(l, sentence(card))
}

// side finds a side; one that is not there is not found.
func (s *session) side(id client.ID, name string) (dialogue.SideID, error) {
	side, err := s.FindSide(id, name)
	if codeOf(err) == exitNotFound && !ambiguous(err) {
		return 0, fail(exitNotFound, "cli.hint.seats", "cli.error.noside", "name", name)
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
	use  string
	do   func(*session, client.Dialogue, client.Seat) error
	said string // the sentence for what was done, with the seat's name and the delivery
	held string // the same of a seat that is held; empty where that is no other
}

func (a *app) seatCommand(k seatAction) *cobra.Command {
	return &cobra.Command{
		Use: k.use, Args: takes("DIALOGUE", "SEAT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(s *session) error { return s.act(k, args[0], args[1]) })
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
	said := k.said
	if k.held != "" && (x.Status == dialogue.In || x.Status == dialogue.Asleep) {
		said = k.held
	}
	delivery, state := s.a.delivery(done)
	l := s.a.lineOfSeat(now)
	l.State, l.Dialogue = state, string(d.ID)
	return s.a.result(l, s.a.t(said, "name", x.Name, "delivery", delivery))
}

func (a *app) revokeCommand() *cobra.Command {
	return a.seatCommand(seatAction{
		use:  "revoke DIALOGUE SEAT",
		do:   func(s *session, d client.Dialogue, x client.Seat) error { return s.Revoke(s.ctx, d.ID, x.ID) },
		said: "cli.said.revoked", held: "cli.said.withdrawn",
	})
}

func (a *app) approveCommand() *cobra.Command {
	var words string
	cmd := a.seatCommand(seatAction{
		use: "approve DIALOGUE SEAT",
		do: func(s *session, d client.Dialogue, x client.Seat) error {
			if x.Status == dialogue.In || x.Status == dialogue.Asleep {
				return s.approveNew(d, x, words)
			}
			if len(x.Words) > 0 {
				s.a.tell("cli.said.fourwords", "name", x.Name, "words", strings.Join(x.Words, " "))
			}
			return s.Approve(s.ctx, d.ID, x.ID)
		},
		said: "cli.said.approved", held: "cli.said.approvednew",
	})
	cmd.Flags().StringVar(&words, "words", "", "")
	return cmd
}

func (a *app) removeCommand() *cobra.Command {
	return a.seatCommand(seatAction{
		use:  "remove DIALOGUE SEAT",
		do:   func(s *session, d client.Dialogue, x client.Seat) error { return s.Remove(s.ctx, d.ID, x.ID) },
		said: "cli.said.removed",
	})
}

func (a *app) leaveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "leave DIALOGUE", Args: takes("DIALOGUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(s *session) error {
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
				delivery, state := a.delivery(done)
				l := a.lineOf(d)
				l.State = state
				return a.result(l, a.t("cli.said.left", "title", d.Title, "delivery", delivery))
			})
		},
	}
}

func (a *app) seatsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "seats DIALOGUE", Args: takes("DIALOGUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd, func(s *session) error { return s.seats(args[0]) })
		},
	}
}

func (s *session) seats(prefix string) error {
	d, err := s.find(prefix)
	if err != nil {
		return err
	}
	rows := []string{s.a.head("cli.column.id", "cli.column.name", "cli.column.side", "cli.column.status", "cli.column.verified", "cli.column.missing")}
	for _, x := range d.Seats {
		l := s.a.lineOfSeat(x)
		if s.a.json {
			if err := s.a.emit(l); err != nil {
				return err
			}
		}
		rows = append(rows, row(l.ID, s.a.nameOf(x), s.a.sideOf(x), s.a.statusOf(x), s.a.verifiedOf(x), s.a.list(missingOf(x))))
	}
	if !s.a.json {
		if err := table(s.a.Out, rows); err != nil {
			return err
		}
	}
	for _, x := range d.Seats {
		if text := s.a.w.Silence(x, time.Now()); text != "" {
			fmt.Fprintln(s.a.Err, clean(text))
			s.a.answers(s.a.w.Silent(clean(x.Name)))
		}
	}
	if text := s.a.w.Still(d, time.Now()); text != "" {
		fmt.Fprintln(s.a.Err, clean(text))
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
		s.a.tell("cli.said.notin")
	default:
		s.a.tell("cli.said.out", "standing", s.a.standing(d.Standing))
	}
	if len(d.Missing) > 0 {
		s.a.tell("cli.said.unagreed", "sides", d.Missing, "n", len(d.Missing))
	}
	if len(d.Unconfirmed) > 0 {
		names := slices.Clone(d.Unconfirmed)
		for i, name := range names {
			if name == "" {
				names[i] = string(s.a.t("cli.said.convenor"))
			}
		}
		s.a.tell("cli.said.unconfirmed", "names", names)
	}
	if d.Stopped {
		s.a.tell("cli.said.stopped", "dialogue", string(d.ID))
	}
	if d.Problem != nil {
		_, text, hint := s.a.explain(d.Problem)
		s.a.tell("cli.said.problem", "why", text)
		if hint != "" {
			fmt.Fprintln(s.a.Err, hint)
		}
	}
}

// list writes names one after the other.
func (a *app) list(names []string) sentence { return sentence(a.w.List(cleaned(names))) }

func (a *app) nameOf(x client.Seat) sentence {
	if x.Me {
		return a.t("cli.seat.you", "name", x.Name)
	}
	return sentence(clean(x.Name))
}

func (a *app) sideOf(x client.Seat) sentence {
	switch {
	case x.Role == dialogue.Convenor:
		return a.t("cli.seat.convenor")
	case x.Head:
		return a.t("cli.seat.head", "side", x.SideName)
	}
	return sentence(clean(x.SideName))
}

// statusKeys are the sentences for statuses.
var statusKeys = map[dialogue.Status]string{
	dialogue.Invited: "cli.seat.invited", dialogue.Arrived: "cli.seat.arrived", dialogue.In: "cli.seat.in",
	dialogue.Revoked: "cli.seat.revoked", dialogue.Removed: "cli.seat.removed", dialogue.Left: "cli.seat.left", dialogue.Asleep: "cli.seat.asleep",
}

func (a *app) statusOf(x client.Seat) sentence {
	switch text := a.newCardStatus(x); {
	case text != "":
		return text
	case x.Expired:
		return a.t("cli.seat.expired")
	case x.Due && x.GoneBy != "":
		return a.t("cli.seat.due.by", "name", x.GoneBy)
	case x.Due:
		return a.t("cli.seat.due")
	case x.AtDoor:
		return a.t("cli.seat.door")
	case x.Status == dialogue.Removed && x.GoneBy != "":
		return a.t("cli.seat.removed.by", "name", x.GoneBy)
	case x.Status == dialogue.Arrived && len(x.Words) > 0:
		return a.t("cli.seat.arrived.words", "words", strings.Join(x.Words, " "))
	}
	return a.t(statusKeys[x.Status])
}

func (a *app) verifiedOf(x client.Seat) sentence {
	switch {
	case len(x.VerifiedBy) > 0:
		return a.list(x.VerifiedBy)
	case x.Lost != dialogue.LossNone:
		return a.t("cli.seat.lost", "why", sentence(a.w.Loss(x.Lost)))
	case x.Status != dialogue.In:
		return ""
	}
	return a.t("cli.seat.nobody")
}
