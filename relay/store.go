package relay

import (
	"context"
	"errors"
)

// ErrNoBox is Store.Append's error for a box that was not opened.
var ErrNoBox = errors.New("no such box")

// A Store keeps boxes. It is an engine of the relay's server; package storetest
// judges every implementation by what is written here.
//
// Durability: Append and Destroy return without error only after what they did
// survives a crash of the process and of the machine. What they were doing when
// it crashed has either happened whole or not at all. Open may be lost in a
// crash until a cell was appended. No Read ever shows a cell that a crash could
// take back, so that no position is seen with two cells.
//
// Order: a box is gapless. The first cell has position 0, each further one the
// next. A position is never given to another cell, also after a crash, and also
// after all cells have expired.
//
// Retries: Append knows a cell by its hash for as long as it keeps the cell. The
// same cell again gives the same position, also while the first append is under
// way, and is durable by then too. So after any error, and after a crash, the
// caller may do the same again. Open and Destroy may be repeated as well.
//
// Concurrency: all methods may be called at once, for one box or several.
// Appends to different boxes do not wait for one another's disk.
//
// Errors are ErrNoBox, ErrFull, ErrGone and ErrNotIdle, as said below, the
// error of the context, or another, which says that the engine itself failed;
// it may then refuse everything until it is opened again.
type Store interface {
	// Open makes the box that p proves, if there is none. hour is now, in hours
	// since 1970. ErrGone: it was destroyed.
	Open(ctx context.Context, p Proof, hour uint32) error

	// Append puts a cell at the end of a box and returns its position. ErrNoBox:
	// it was not opened; ErrGone: it was destroyed; ErrFull: it has
	// wire.BoxCapacity cells, expired ones counted, and will after a crash. Arrival never goes back: an
	// hour before that of the cell before counts as that.
	Append(ctx context.Context, id BoxID, cell *Cell, hour uint32) (uint64, error)

	// Read returns up to max cells from a position on, and the head of the box.
	// Page.Appended is NotAppended. A box that is not there is empty. Where cells
	// have expired, it starts with the first one kept. ErrGone: the box was
	// destroyed.
	Read(ctx context.Context, id BoxID, from uint64, max int) (Page, error)

	// Destroy makes a box's cells unreadable at once, for who holds the disk too,
	// and its id dead for ever. ErrNotIdle: its idle days are not over since the
	// last cell arrived. A box that is not there, or was destroyed, is no error.
	Destroy(ctx context.Context, id BoxID, hour uint32) error

	// Expire deletes the cells that arrived more than their box's retention
	// before hour, and what was opened and never used as long. A box whose cells
	// have all expired keeps its head, nothing else. It goes box by box: a crash
	// may leave some to the next time.
	Expire(ctx context.Context, hour uint32) error

	// Totals counts what is kept. It costs little.
	Totals() Totals

	// Close ends the store after the calls under way.
	Close() error
}

// Totals are numbers over all boxes.
type Totals struct {
	Boxes uint64 // that have room for cells: neither destroyed nor empty by expiry
	Cells uint64 // that are kept
}
