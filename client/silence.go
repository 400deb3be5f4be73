package client

import (
	"slices"
	"time"

	"parley/dialogue"
)

// Every computer writes at least once a day, whether or not its person does. So
// a seat that was not heard for a day is off, cut off, or kept from being heard.

// silentSince is when a seat was last heard, where that is a day ago or more;
// otherwise the zero time.
func (m *member) silentSince(x *dialogue.Seat) time.Time {
	heard := x.Heard
	if heard == 0 { // not since it was seated, which was no later than the last commit
		heard = m.state.LastCommit
	}
	if x.Status != dialogue.In || x.Due || x.ID == m.acct.Me || m.now() < heard+dialogue.MinutesPerDay {
		return time.Time{}
	}
	return minuteTime(heard)
}

// now is this computer's clock, or log time where that is ahead.
func (m *member) now() uint64 { return max(m.c.minute(), m.state.LogTime) }

// standstill tells that log time stands still because one party alone has
// spoken for a day or more: since when, and who spoke.
func (m *member) standstill() (since time.Time, party dialogue.SideID) {
	latest := slices.Max(m.state.Claims)
	if latest < m.state.LogTime+dialogue.MinutesPerDay || latest > m.c.minute()+dialogue.MinutesPerDay {
		return time.Time{}, 0 // or a date that nobody can have seen
	}
	return minuteTime(m.state.LogTime), dialogue.SideID(slices.Index(m.state.Claims, latest))
}
