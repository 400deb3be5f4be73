package mls

import (
	"fmt"
	"maps"
	"slices"
)

// A Pair is one record of a group's state. Key is 1 to 10 bytes, Value some
// tens to a few thousand (a node of the ratchet tree in the hybrid suite).
// Many values are secret: a Pair does not print.
type Pair struct {
	Key   string
	Value []byte
}

// A Delta is what an operation did to the state of a group: the records to
// write, then those to delete, each sorted by key. The caller applies it whole,
// in one transaction with whatever else the operation led to, before it acts
// on the result. Values must not be changed. A Delta does not print.
type Delta struct {
	Put    []Pair
	Delete []string
}

// Empty tells whether there is nothing to store.
func (d Delta) Empty() bool { return len(d.Put) == 0 && len(d.Delete) == 0 }

// Apply does to records what the operation did.
func (d Delta) Apply(records map[string][]byte) {
	for _, p := range d.Put {
		records[p.Key] = p.Value
	}
	for _, key := range d.Delete {
		delete(records, key)
	}
}

// Format hides the record, as MarshalText does, from fmt, encoders and loggers.
func (Pair) Format(f fmt.State, verb rune) { hidden{}.Format(f, verb) }
func (Pair) MarshalText() ([]byte, error)  { return hidden{}.MarshalText() }

// Format hides the records, as MarshalText does.
func (Delta) Format(f fmt.State, verb rune) { hidden{}.Format(f, verb) }
func (Delta) MarshalText() ([]byte, error)  { return hidden{}.MarshalText() }

// changes collects a Delta: nil stands for a deletion.
type changes map[string][]byte

// add takes over what other changes, which come later.
func (c changes) add(other changes) { maps.Copy(c, other) }

func (c changes) delta() Delta {
	var d Delta
	for _, key := range slices.Sorted(maps.Keys(c)) {
		if value := c[key]; value != nil {
			d.Put = append(d.Put, Pair{key, value})
		} else {
			d.Delete = append(d.Delete, key)
		}
	}
	return d
}
