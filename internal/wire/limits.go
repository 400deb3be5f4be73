package wire

// Sizes that more than one package must agree on, in bytes unless said.
// What only one package knows of stays in that package's limits.go.
const (
	// CellSize is the size of a cell, the only unit that a relay stores.
	CellSize = 4096

	// BoxCapacity is the number of cells that a box holds; a constant, so
	// that nobody can open a box wrongly.
	BoxCapacity = 4096

	// MaxSeats is the number of seats of a dialogue, and of leaves of a
	// room, at most.
	MaxSeats = 60

	// MaxMessage bounds one MLS message: a Welcome with a tree of MaxSeats
	// leaves in the hybrid suite is some 300 KiB.
	MaxMessage = 1 << 19

	// MaxText bounds a person's message.
	MaxText = 32 << 10

	// MaxFile bounds a file.
	MaxFile = 10 << 20
)
