// Package channel is one ordered, encrypted, authenticated log for a dialogue,
// over a relay's boxes. It does no I/O: cells go in with Step, cells to append
// come out of the Seal functions, and every change of state is a Delta for the
// vault.
//
// All rooms of a dialogue share one chain of boxes. Each room is an MLS group.
// A cell is sealed under its room's epoch and its box, so cells of other rooms
// are noise that only counts. A plenary commit ends the box, and the next one's
// key comes from the new epoch.
//
// A Log is one member's end. Found or Enter begins one, Load restores it. Read
// the box at Box from Position on and hand every cell to Step, in order. What
// Step returns is one entry, or nothing. A commit comes back staged: judge it,
// then Follow it or leave it.
//
// Files: cell.go (a cell's bytes), body.go (what a head carries, chunks),
// walk.go (the chain of boxes and its hashes), header.go (what a cell says of
// them, and whether it is true), log.go (the Log and its state),
// step.go (reading), seal.go (writing), parcel.go (what lies in invitation
// boxes), file.go (what lies in a file's boxes).
package channel
