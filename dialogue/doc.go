// Package dialogue says what the log of a dialogue means.
//
// A log is a sequence of entries: events that people's clients wrote, and
// commits that changed who is in a room. Apply folds one entry into a State
// and is pure: no clock, no network, no randomness; the same log gives every
// member the same State. It returns Notes, which say what happened, for
// clients to keep and to show.
//
// State is the skeleton: ids, sides, seats, rules, consents and times, never
// text. So a newcomer that is given the skeleton judges as everybody else
// does, and so do clients that have deleted different texts.
//
// An event that its author was not entitled to changes nothing and gives a
// Note that says why. A kind that this version does not know is kept as
// unknown and changes nothing.
//
// Files: event.go (what can be said), rules.go (ground rules and presets),
// state.go (the skeleton), apply.go (the fold), seating.go (invitations,
// consent, removal), commit.go (which commits count), returning.go (doors and
// the way back), sleep.go (who sleeps), time.go (log time), rooms.go (who belongs in which room), words.go (numbers as words).
package dialogue
