package client

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"parley/dialogue"
)

// A Reader is who reads at a seat. A seat that gets a new card has another
// reader; one that comes back has the same.
type Reader struct {
	_     struct{} `cbor:",toarray"`
	Seat  dialogue.SeatID
	Cards uint64 // new cards that the seat had, dialogue.Seat.Cards
}

// String is the seat's id and the number of its new cards, for ParseReader.
func (r Reader) String() string { return fmt.Sprintf("%v.%d", r.Seat, r.Cards) }

// ParseReader reads what String gives, and nothing else.
func ParseReader(s string) (r Reader, ok bool) {
	id, cards, _ := strings.Cut(s, ".")
	if len(id) != 2*len(r.Seat) {
		return Reader{}, false
	}
	n, err := strconv.ParseUint(cards, 10, 64)
	if _, bad := hex.Decode(r.Seat[:], []byte(id)); bad != nil || err != nil {
		return Reader{}, false
	}
	r.Cards = n
	return r, r.String() == s
}

// reader is who reads at a seat now.
func (m *member) reader(id dialogue.SeatID) Reader {
	r := Reader{Seat: id}
	if x := m.state.Seat(id); x != nil {
		r.Cards = x.Cards
	}
	return r
}

// readers lists who reads what is written in a room now, oneself left out.
func (m *member) readers(room dialogue.Room) []Reader {
	l := []Reader{}
	for _, id := range m.state.Plan(room) {
		if id != m.acct.Me {
			l = append(l, m.reader(id))
		}
	}
	return l
}

// audienceChanged tells whether a message would reach somebody whom its author
// was not shown.
func (m *member) audienceChanged(it *item) bool {
	if it.Readers == nil || it.Stage != stageWaiting {
		return false
	}
	for _, id := range m.members(it.Room) {
		if id != m.acct.Me && !slices.Contains(it.Readers, m.reader(id)) {
			return true
		}
	}
	return false
}
