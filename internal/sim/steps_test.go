package sim

import (
	"testing"

	"parley/client"
)

// TestStepsHaveTeeth: a ratchet step that made two cells is found once both left.
func TestStepsHaveTeeth(t *testing.T) {
	s := newSteps()
	s.made([32]byte{1}, [32]byte{1})
	s.made([32]byte{1}, [32]byte{2})
	s.made([32]byte{2}, [32]byte{3})
	s.left[[32]byte{1}], s.left[[32]byte{3}] = true, true
	if l := s.repeated(); len(l) != 0 || s.taken() != 2 {
		t.Errorf("%v, %d taken", l, s.taken())
	}
	s.left[[32]byte{2}] = true
	if l := s.repeated(); len(l) != 1 {
		t.Errorf("%v", l)
	}
	// What clients do is seen: a founding, two cards and two seats take steps of their own.
	play(t, 20, func(w *World) {
		table(w)
		before := w.steps.taken()
		w.People[0].say(0, "One step more.")
		w.Until("it is there", func() bool { return len(w.People[1].said(0)) == 1 })
		if n := w.steps.taken() - before; before < 10 || n < 1 {
			t.Errorf("%d steps, then %d", before, n)
		}
		if d := w.People[1].Dialogue(); d.Standing != client.StandingIn {
			t.Errorf("%s", d.Standing)
		}
	})
}
