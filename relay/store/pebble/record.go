package pebble

import (
	"parley/internal/wire"
	"parley/relay"
)

// Prefixes of the keys in the database.
const (
	prefixBox  = 'b'
	prefixCell = 'c'
	prefixTag  = 'h'
)

// noSlot is the slot of a box without a key: one that has no cells.
const noSlot = 1<<32 - 1

// recordVersion is the first byte of a record.
const recordVersion = 1

// A record is what the store knows of a box.
type record struct {
	dead      bool   // destroyed
	slot      uint32 // of its key in the key file
	low       uint32 // the first position kept
	next      uint32 // the head
	firstHour uint32 // when the cell at low arrived
	lastHour  uint32 // when the last cell arrived, or the box was opened
	retention uint16 // days
	idle      uint16 // days
}

const recordSize = 26

func (r *record) encode() []byte {
	b := make([]byte, 0, recordSize)
	state := byte(0)
	if r.dead {
		state = 1
	}
	b = append(b, recordVersion, state)
	b = wire.AppendU32(b, r.slot)
	b = wire.AppendU32(b, r.low)
	b = wire.AppendU32(b, r.next)
	b = wire.AppendU32(b, r.firstHour)
	b = wire.AppendU32(b, r.lastHour)
	b = wire.AppendU16(b, r.retention)
	return wire.AppendU16(b, r.idle)
}

func decodeRecord(b []byte) (r record, err error) {
	in := wire.NewReader(b)
	version, state := in.U8(), in.U8()
	r.dead = state == 1
	r.slot = in.U32()
	r.low, r.next = in.U32(), in.U32()
	r.firstHour, r.lastHour = in.U32(), in.U32()
	r.retention, r.idle = in.U16(), in.U16()
	if version != recordVersion || state > 1 || r.low > r.next || r.next > wire.BoxCapacity ||
		r.hasCells() != (r.slot != noSlot) {
		in.Fail(wire.ErrMalformed)
	}
	return r, in.Done()
}

// hasCells tells whether the box keeps a cell.
func (r *record) hasCells() bool { return r.low < r.next }

// counts tells whether the box counts as one in the totals.
func (r *record) counts() bool { return !r.dead && (r.hasCells() || r.next == 0) }

// expired tells whether what arrived at arrival is older than the retention.
func (r *record) expired(arrival, now uint32) bool { return older(arrival, now, r.retention) }

// older tells whether arrival is more than days before now; both in hours.
func older(arrival, now uint32, days uint16) bool {
	return now > arrival && now-arrival > 24*uint32(days)
}

func boxKey(id relay.BoxID) []byte { return append([]byte{prefixBox}, id[:]...) }

func cellKey(id relay.BoxID, position uint32) []byte {
	b := make([]byte, 0, 1+len(id)+4)
	b = append(b, prefixCell)
	b = append(b, id[:]...)
	return wire.AppendU32(b, position)
}

func tagKey(id relay.BoxID, t tag) []byte {
	b := make([]byte, 0, 1+len(id)+len(t))
	b = append(b, prefixTag)
	b = append(b, id[:]...)
	return append(b, t[:]...)
}

// all is the range of keys of a box with a prefix, start included, end not.
func all(prefix byte, id relay.BoxID) (start, end []byte) {
	start = append([]byte{prefix}, id[:]...)
	end = append(append([]byte(nil), start...), 0xff)
	for len(end) < 1+len(id)+tagSize+1 {
		end = append(end, 0xff)
	}
	return start, end
}
