//go:build rogue

package sim

import (
	"context"
	"sync"
	"time"

	"parley/client"
	"parley/dialogue"
	"parley/mls"
)

// A rogue is a person whose client is a client.Rogue, whatever crashes.
type rogue struct {
	*Person
	mu   sync.Mutex
	now  *client.Rogue
	ways client.Ways
}

// turn makes a person a rogue.
func (p *Person) turn(w client.Ways) *rogue {
	r := &rogue{Person: p, ways: w}
	back := p.away()
	p.drive = func(ctx context.Context, c *client.Client) { r.with(c).Run(ctx) }
	back()
	return r
}

func (r *rogue) with(c *client.Client) *client.Rogue {
	x := client.NewRogue(c, r.ways)
	r.mu.Lock()
	r.now = x
	r.mu.Unlock()
	return x
}

// copyKept keeps a copy of the rogue's vault, if it is in the room.
func (r *rogue) copyKept() (dir string) {
	r.end()
	if _, in := r.Insight(); in {
		dir = r.keepVault()
	}
	r.Restart()
	return dir
}

// moves are the rogue's as it runs now.
func (r *rogue) moves() *client.Rogue {
	r.W.Until(r.Name+" runs", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.now != nil
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// garble makes the next commit of a person's in a room garbage for others:
// their path secrets do not open.
func (p *Person) garble(room dialogue.Room, victims ...*Person) *rogue {
	ids := map[dialogue.SeatID]bool{}
	for _, v := range victims {
		ids[v.Dialogue().Me.ID] = true
	}
	var once sync.Once
	return p.turn(client.Ways{First: true, Spoil: func(r dialogue.Room, leaf func(dialogue.SeatID) []mls.LeafIndex) (what mls.Spoil) {
		if r == room {
			once.Do(func() {
				for id := range ids {
					what.Leaves = append(what.Leaves, leaf(id)...)
				}
			})
		}
		return what
	}})
}

// night is a night in which all computers are off.
func (w *World) night() { w.nightBut(nil, func() {}) }

// nightBut is a night in which somebody alone is awake, and does something every
// hour.
func (w *World) nightBut(awake *Person, hourly func()) {
	var backs []func()
	for _, p := range w.People {
		if p != awake {
			backs = append(backs, p.away())
		}
	}
	for end := time.Now().Add(20*time.Hour + time.Duration(w.Rand.IntN(8*60))*time.Minute); time.Now().Before(end); {
		hourly()
		time.Sleep(time.Hour)
	}
	for _, i := range w.Rand.Perm(len(backs)) {
		backs[i]()
		time.Sleep(time.Duration(w.Rand.IntN(2000)) * time.Millisecond)
	}
	time.Sleep(20 * time.Second)
}

// doTasks has a person approve, and send again what came back, as far as it can:
// whether that is so is its client's business.
func (p *Person) doTasks(tasks []client.Task) {
	for _, t := range tasks {
		switch t.Kind {
		case client.TaskApprove:
			p.Approve(context.Background(), p.ID(), t.Seat.ID)
		case client.TaskBack:
			p.sendAgain()
		}
	}
}
