package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"parley/client"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/rehearsal"
	"parley/web"
)

func (a *app) rehearseCommand() *cobra.Command {
	var as string
	var terminal bool
	var o appOptions
	cmd := &cobra.Command{
		Use:  "rehearse",
		Args: takes(),
	}
	cmd.Flags().StringVar(&as, "as", string(rehearsal.Convenor), "")
	cmd.Flags().BoolVar(&terminal, "terminal", false, "")
	o.flags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		role := rehearsal.Role(as)
		if role != rehearsal.Convenor && role != rehearsal.Head {
			return usage("cli.error.as", "value", as)
		}
		ro := rehearsal.Options{As: role, Language: a.w.Name(), Seed: seed()}
		if terminal {
			return a.rehearseHere(cmd.Context(), ro)
		}
		return a.rehearse(cmd.Context(), ro, o)
	}
	return cmd
}

func seed() uint64 { return rand.Uint64() }

// A stage is a rehearsal with pages of its own.
type stage struct {
	*rehearsal.Rehearsal
	pages   *web.App
	at      string
	serving *serving
}

// openStage begins a rehearsal and serves its pages.
func openStage(ctx context.Context, o rehearsal.Options, port int) (*stage, error) {
	r, err := rehearsal.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	s := &stage{Rehearsal: r, at: listener.Addr().String()}
	s.pages = web.New(web.Config{
		Hosts: []string{s.at}, Rehearsing: r.Me(), Rehearsal: panel{r},
		Proposals: func() []web.Proposal { return []web.Proposal{{Address: r.Relay(), Reach: web.ThisComputer}} },
	})
	s.serving = serve(listener, s.pages)
	return s, nil
}

func (s *stage) link() string { return "http://" + s.at + s.pages.Link() }

func (s *stage) close() error {
	return errors.Join(s.pages.PutAway(), s.serving.end(), s.Close())
}

// A panel is what the pages know of a rehearsal.
type panel struct{ *rehearsal.Rehearsal }

func (p panel) Actions() (l []web.Action) {
	for _, x := range p.Rehearsal.Actions() {
		l = append(l, web.Action{Key: x.Key, Title: x.Title, Help: x.Help})
	}
	return l
}

func (a *app) rehearse(ctx context.Context, ro rehearsal.Options, o appOptions) error {
	s, err := openStage(ctx, ro, o.port)
	if err != nil {
		return err
	}
	a.tell("cli.said.rehearsal", "address", s.at)
	if err := a.show(s.link(), false, o.noBrowser); err != nil {
		return errors.Join(err, s.close())
	}
	select {
	case <-ctx.Done():
	case err = <-s.serving.failed:
	}
	return errors.Join(err, s.close())
}

// rehearseHere is a rehearsal in the terminal.
func (a *app) rehearseHere(ctx context.Context, o rehearsal.Options) (err error) {
	r, err := rehearsal.Start(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := &terminal{a: a, r: r}
	fmt.Fprintln(a.Out, a.t("cli.said.terminal"))
	typed := make(chan string)
	go readLines(ctx, a, typed)
	changes, done := r.Me().Subscribe()
	defer done()
	for {
		if err := t.news(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changes:
		case line, ok := <-typed:
			if !ok || line == "q" {
				return nil
			}
			t.do(ctx, line)
		}
	}
}

// readLines hands on what is typed, and closes lines at its end.
func readLines(ctx context.Context, a *app, lines chan<- string) {
	defer close(lines)
	in := bufio.NewScanner(a.In)
	in.Buffer(nil, wire.MaxText+1)
	for in.Scan() {
		select {
		case lines <- strings.TrimSpace(in.Text()):
		case <-ctx.Done():
			return
		}
	}
}

// A terminal shows a rehearsal line by line.
type terminal struct {
	a       *app
	r       *rehearsal.Rehearsal
	seen    map[dialogue.Room]uint64
	offered []rehearsal.Action
}

// news prints what is new in the rooms.
func (t *terminal) news() error {
	if t.seen == nil {
		t.seen = map[dialogue.Room]uint64{}
	}
	d, err := t.r.Me().Dialogue(t.r.Dialogue())
	if err != nil {
		return err
	}
	for _, room := range d.Rooms {
		list, err := t.r.Me().Messages(d.ID, client.Query{Room: room.Room, After: t.seen[room.Room]})
		if err != nil {
			return err
		}
		for _, m := range list {
			if m.State != client.StateRoom {
				continue
			}
			t.seen[room.Room] = m.Seq
			if room.Room != dialogue.Plenary && !t.a.json {
				fmt.Fprint(t.a.Out, t.a.t("cli.line.room", "room", room.Name), " ")
			}
			if err := t.a.line(t.a.lineOfMessage(m, d), m); err != nil {
				return err
			}
		}
	}
	return nil
}

// do does what was typed; what fails is said, and it goes on.
func (t *terminal) do(ctx context.Context, line string) {
	var err error
	switch n, nerr := strconv.Atoi(line); {
	case line == "":
	case line == "?":
		t.offered = t.r.Actions()
		for i, x := range t.offered {
			fmt.Fprintf(t.a.Out, "%3d  %s. %s\n", i+1, clean(x.Title), x.Help)
		}
	case nerr == nil && n >= 1 && n <= len(t.offered):
		var said string
		if said, err = t.r.Do(t.offered[n-1].Key); err == nil {
			fmt.Fprintln(t.a.Out, clean(said))
		}
	default:
		err = t.say(ctx, line)
	}
	if err != nil {
		_, text, _ := t.a.explain(err)
		fmt.Fprintln(t.a.Out, text)
	}
}

func (t *terminal) say(ctx context.Context, line string) error {
	d, err := t.r.Me().Dialogue(t.r.Dialogue())
	if err != nil {
		return err
	}
	draft := client.Draft{Text: line}
	if text, aside := strings.CutPrefix(line, "/side "); aside {
		draft.Text, draft.Room = text, dialogue.SideRoom(d.Me.Side)
		if d.Me.Side == 0 {
			return client.ErrNoRoom
		}
	}
	_, err = t.r.Me().Say(ctx, d.ID, draft)
	return err
}
