package client

import (
	"fmt"
	"strings"

	"parley/dialogue"
)

// Outbox describes in one line what waits and how far it is, for doctor and
// for the reports of simulations. It tells kinds and stages, never words.
func (c *Client) Outbox(id ID) string {
	m, err := c.member(id)
	if err != nil {
		return err.Error()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var l []string
	for _, it := range m.out {
		what := "commit"
		if e, err := dialogue.ParseEvent(it.Event); err == nil && it.Kind == itemEvent {
			what = fmt.Sprintf("event %d", e.Kind)
		} else if it.Kind == itemParcel {
			what = "parcel"
		}
		l = append(l, fmt.Sprintf("%s in room %d at stage %d", what, it.Room, it.Stage))
	}
	at := "no log"
	if m.log != nil {
		h := m.log.Here()
		at = fmt.Sprintf("epoch %d, part %d, cell %d, read to the end: %v", h.Epoch, h.Part, h.Position, m.caughtUp)
	}
	return fmt.Sprintf("%s; %d unreadable; outbox: [%s]", at, m.acct.Bad, strings.Join(l, ", "))
}
