package client

import (
	"testing"
	"time"

	"parley/dialogue"
)

// TestOver: a line goes once log time and this clock say so, or this clock alone
// by thirty days more; neither a wrong clock nor a log that stands still decides.
func TestOver(t *testing.T) {
	const day, said = dialogue.MinutesPerDay, 29_000_000
	rules := dialogue.Preset(dialogue.TrackTwo)
	end := said + uint64(rules.RetentionDays)*day
	for _, c := range []struct {
		what         string
		clock, log   uint64
		time, logged uint64 // its author's claim, and log time when it was read
		want         bool
	}{
		{"both say so", end, end, said, said, true},
		{"a minute before", end - 1, end, said, said, false},
		{"log time stands still", end + 30*day - 1, said, said, said, false},
		{"it stands still for thirty days more", end + 30*day, said, said, said, true},
		{"this clock is years behind", said - 900*day, end + day, said, said, false},
		{"the author claims a date in the past", end, end - 1, 0, said, false},
		{"the author claims a date to come", end, end, said + 900*day, said, true},
	} {
		now := time.Unix(int64(c.clock)*60, 0)
		m := &member{c: &Client{opt: Options{Now: func() time.Time { return now }}}, state: &dialogue.State{Rules: rules, LogTime: c.log}}
		if got := m.isOver(&record{Time: c.time, LogTime: c.logged, Read: said}); got != c.want {
			t.Errorf("%s: over %v", c.what, got)
		}
	}
}
