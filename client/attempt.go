package client

import (
	"errors"
	"slices"

	"parley/channel"
	"parley/dialogue"
	"parley/vault"
)

// A commit that does not count is no attempt where its maker could not yet see
// what voids it: two made one at the same time, or somebody left meanwhile. A
// commit's header says how far its maker had read; what judging depends on
// changes at places that are remembered for the present box. Verdicts do not
// depend on any of this.

// A changes is where, in one box, what commits are judged by last changed.
type changes struct {
	_     struct{} `cbor:",toarray"`
	Epoch uint64
	Part  uint32
	Seats []change
}

// A change of a seat: who had read After cells of the box could see it.
type change struct {
	_     struct{} `cbor:",toarray"`
	Seat  dialogue.SeatID
	After uint64
}

// in gives the changes of the box where a place lies.
func (x *changes) in(p channel.Place) *changes {
	if x.Epoch != p.Epoch || x.Part != p.Part {
		*x = changes{Epoch: p.Epoch, Part: p.Part}
	}
	return x
}

// noteChanges compares two states, before and after the entry at a place.
func (m *member) noteChanges(before, after *dialogue.State, place channel.Place) {
	if before == nil || before.Epoch != after.Epoch {
		return
	}
	for i := range after.Seats {
		x := &after.Seats[i]
		y := before.Seat(x.ID)
		if y != nil && x.Status == y.Status && x.Due == y.Due && x.Replacing == y.Replacing && (x.Heard > 0) == (y.Heard > 0) &&
			after.Ready(x) == before.Ready(y) && len(x.NamedBy) == len(y.NamedBy) && sameReturn(x.Back, y.Back) {
			continue
		}
		l := m.acct.Changes.in(place)
		l.Seats = slices.DeleteFunc(l.Seats, func(c change) bool { return c.Seat == x.ID })
		l.Seats = append(l.Seats, change{Seat: x.ID, After: place.Position + 1})
	}
}

// couldSee tells whether the maker of a commit that is refused, having read
// seen cells of the box, could see why.
func (m *member) couldSee(place channel.Place, seen uint64, e dialogue.Entry, why dialogue.Reason) bool {
	sees := func(id dialogue.SeatID) bool {
		for _, c := range m.acct.Changes.in(place).Seats {
			if c.Seat == id {
				return seen >= c.After
			}
		}
		return true // so it was when the box began
	}
	switch why {
	case dialogue.ReasonNotSeated:
		return sees(e.Author)
	case dialogue.ReasonDueFirst:
		return slices.ContainsFunc(m.dueIn(e), func(id dialogue.SeatID) bool { return !slices.Contains(e.Commit.Removes, id) && sees(id) })
	case dialogue.ReasonNotYours:
		due := m.dueIn(e)
		return slices.ContainsFunc(e.Commit.Removes, func(id dialogue.SeatID) bool { return !slices.Contains(due, id) && sees(id) })
	case dialogue.ReasonNotReady:
		return !slices.ContainsFunc(e.Commit.Adds, func(a dialogue.Added) bool { return !sees(a.Seat) })
	case dialogue.ReasonNamed: // by whom, and who else there is, can be news about any seat
		return !slices.ContainsFunc(m.acct.Changes.in(place).Seats, func(c change) bool { return seen < c.After })
	}
	return true
}

func sameReturn(a, b *dialogue.Returning) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// dueIn lists whom a commit in a room has to remove.
func (m *member) dueIn(e dialogue.Entry) []dialogue.SeatID {
	if e.Room == dialogue.Plenary {
		return m.state.Due()
	}
	return m.state.Strangers(e.Room, e.Members)
}

// dropVoid gives up commits of one's own that something read since they were
// staged voids, before their heads are made: those would say that it was read.
// The chores stage others.
func (m *member) dropVoid() error {
	for _, it := range slices.Clone(m.out) {
		if it.Kind != itemCommit || it.Stage == stageHead || !m.isVoid(it.Room, &it.Commit.Content) {
			continue
		}
		if err := m.update(func(sp *vault.Space) error {
			return errors.Join(apply(sp, m.log.Unstage(channel.Room(it.Room))), m.drop(sp, it))
		}); err != nil {
			return err
		}
	}
	return nil
}

// isVoid tells whether a commit of one's own would not count now.
func (m *member) isVoid(r dialogue.Room, c *dialogue.Commit) bool {
	e := dialogue.Entry{Room: r, Author: m.acct.Me, Commit: c, Members: m.members(r), LastCommit: m.acct.Commits[r]}
	_, notes := dialogue.Apply(m.state, e)
	return attempted(notes)
}

// attempted tells whether what was folded is a commit that does not count.
func attempted(notes []dialogue.Note) bool {
	return slices.ContainsFunc(notes, func(n dialogue.Note) bool { return n.Kind == dialogue.NoteAttempt })
}
