package web

import (
	"strings"

	"parley/client"
	"parley/dialogue"
	"parley/internal/words"
)

// startOptions reads title, rules and sides, and notes what is wrong.
func startOptions(f *form, w *words.Words) client.StartOptions {
	o := client.StartOptions{Title: f.line("title"), Rules: rulesOf(f)}
	if err := dialogue.CheckName(o.Title); err != nil {
		f.fault("title", w.Problem(err))
	}
	for i := range sidesOf(f) {
		name := "side-" + itoa(i+1)
		side := f.line(name)
		if side == "" && i >= dialogue.MinSides {
			continue // a field that was added and not used
		}
		if err := dialogue.CheckName(side); err != nil {
			f.fault(name, w.Problem(err))
		}
		for _, other := range o.Sides {
			if strings.EqualFold(other, side) {
				f.fault(name, w.T("problem.sameside"))
			}
		}
		o.Sides = append(o.Sides, side)
	}
	return o
}
