//go:build rogue

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"parley/client"
	"parley/dialogue"
	"parley/internal/words"
	"parley/mls"
	"parley/relay/server"
)

// A console is somebody's session, and what it printed.
type console struct {
	*session
	out, problem bytes.Buffer
}

func newConsole(t *testing.T, name string) *console {
	t.Helper()
	c, err := client.CreateThrowaway(client.Options{Dir: t.TempDir()}, client.DefaultProfile(name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	x := &console{session: &session{Client: c, a: &app{w: words.For(words.English), json: true}, ctx: t.Context()}}
	x.a.Out, x.a.Err = &x.out, &x.problem
	return x
}

func (x *console) id() client.ID { return x.Dialogues()[0].ID }

// printed gives what was printed since, on both.
func (x *console) printed() (out, problem string) {
	defer x.out.Reset()
	defer x.problem.Reset()
	return x.out.String(), x.problem.String()
}

// syncs brings each up to date, in turn.
func syncs(t *testing.T, l ...*console) {
	t.Helper()
	for _, x := range l {
		if err := x.Sync(t.Context(), x.id(), 0); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFoundAgain: a head's commit is garbage for all. The convenor is told so,
// founds the room again, and reads words; another head accepts with the sixth.
func TestFoundAgain(t *testing.T) {
	r, err := server.Embedded(server.Options{Addr: "127.0.0.1:0", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	ruth, halden, corin := newConsole(t, "Ruth"), newConsole(t, "Halden"), newConsole(t, "Corin")
	if _, err := ruth.Start(t.Context(), client.StartOptions{Rules: dialogue.Preset(dialogue.TrackTwo), Sides: []string{"North", "South"}, Relay: r.Address()}); err != nil {
		t.Fatal(err)
	}
	joins := func(by *console, side dialogue.SideID, x *console) {
		card, _, err := by.Client.Invite(t.Context(), by.id(), client.InviteOptions{Side: side, Name: x.Profile().Name})
		if err != nil {
			t.Fatal(err)
		}
		syncs(t, by)
		if _, _, err := x.Join(t.Context(), card); err != nil {
			t.Fatal(err)
		}
	}
	syncs(t, ruth)
	joins(ruth, 1, halden)
	syncs(t, ruth, halden, ruth, halden)
	joins(ruth, 2, corin)
	syncs(t, ruth, corin, ruth, halden, corin)
	mira := newConsole(t, "Mira")
	joins(halden, 1, mira)
	syncs(t, halden, corin)
	for _, x := range []*console{halden, corin} {
		s, err := x.Client.FindSeat(x.id(), "Mira")
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Approve(t.Context(), x.id(), s.ID); err != nil {
			t.Fatal(err)
		}
		syncs(t, x)
	}
	rogue := client.NewRogue(halden.Client, client.Ways{Spoil: func(dialogue.Room, func(dialogue.SeatID) []mls.LeafIndex) mls.Spoil { return mls.Spoil{Tag: true} }})
	if err := rogue.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	syncs(t, ruth)
	if err := ruth.foundAgain(ruth.id()); !errors.Is(err, client.ErrNobodyWaits) || codeOf(err) != exitWaiting {
		t.Errorf("with nobody who waits: %v", err)
	}
	syncs(t, corin, ruth, corin)
	ruth.printed()

	err = ruth.showFoundings(ruth.id())
	out, problem := ruth.printed()
	var lost lostLine
	if json.Unmarshal([]byte(out), &lost) != nil || !lost.MayFound || lost.By != "Halden" || !slices.Equal(lost.Said, []string{"Corin"}) ||
		!slices.Equal(lost.Silent, []string{"Mira"}) || codeOf(err) != exitWaiting || !strings.Contains(problem, "Mira has not said so") {
		t.Errorf("%s%s%v", out, problem, err)
	}
	if err := ruth.foundAgain(ruth.id()); err != nil {
		t.Fatal(err)
	}
	out, _ = ruth.printed()
	var read, follow foundingLine
	if json.Unmarshal([]byte(out), &read) != nil || !read.Mine || !read.Taken || len(read.Words) != 6 || read.Without != "Halden" {
		t.Fatalf("%s", out)
	}
	if err := ruth.leaveFounding(ruth.id()); codeOf(err) != exitWaiting {
		t.Errorf("given up: %v", err)
	}
	if err := ruth.leaveFounding(ruth.id()); codeOf(err) != exitRules {
		t.Errorf("given up twice: %v", err)
	}
	syncs(t, ruth)
	ruth.printed()
	if err := ruth.foundAgain(ruth.id()); err != nil { // and once more
		t.Fatal(err)
	}
	if out, _ = ruth.printed(); json.Unmarshal([]byte(out), &read) != nil {
		t.Fatalf("%s", out)
	}
	syncs(t, corin)
	err = corin.showFoundings(corin.id())
	out, problem = corin.printed()
	first, _, _ := strings.Cut(out, "\n")
	if codeOf(err) != exitWaiting || json.Unmarshal([]byte(first), &follow) != nil || follow.Taken || !follow.Same || !slices.Equal(follow.Words, read.Words[:5]) || !strings.Contains(problem, "founded the room again, without Halden") {
		t.Fatalf("%s%s", out, problem)
	}
	if err := corin.acceptFounding(corin.id(), "Ruth", "wrong"); codeOf(err) != exitSafety {
		t.Errorf("a wrong word: %v", err)
	}
	if err := corin.acceptFounding(corin.id(), "Mira", read.Words[5]); codeOf(err) != exitNotFound {
		t.Errorf("by somebody who founded nothing: %v", err)
	}
	if err := corin.acceptFounding(corin.id(), "Ruth", strings.ToUpper(read.Words[5])); err != nil {
		t.Fatal(err)
	}
	if out, problem = corin.printed(); !strings.Contains(out, `"standing":"in"`) || !strings.Contains(problem, "You are in") {
		t.Errorf("%s%s", out, problem)
	}
	syncs(t, ruth, corin)
	if err := corin.foundAgain(corin.id()); codeOf(err) != exitRules {
		t.Errorf("in a room that is not lost: %v", err)
	}
}
