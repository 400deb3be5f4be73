package client

import (
	"context"
	"slices"
	"time"

	"parley/dialogue"
)

// A LostRoom is what there is to know while a commit of somebody's can't be
// followed: whether anybody can, only people find out.
type LostRoom struct {
	By       Seat   // whose commit it was
	Said     []Seat // others whose posts at their doors say that they can't follow it
	Silent   []Seat // who has not said so, and may still be in the room
	Founders []Seat // who may found the room again
	MayFound bool   // this person may, now
}

// A Founding is the room founded again, by somebody or by this person.
type Founding struct {
	Founder     Seat
	Mine        bool
	Without     Seat // whose seat is left empty
	Time        time.Time
	Members     []Seat // who waited, and can enter at once
	Later       []Seat // who comes back by the door
	Same        bool   // it goes on from the very past that is known here
	Differences []Difference
	Taken       bool     // it counts here: this person accepted it, or made it
	MayLeave    bool     // it can still be given up
	Unheard     []string // names of who has not been heard in it yet, where it is taken
	Words       []string // six to read, where it is taken; else five to follow; nil while they are being computed
}

// lostRoom is the view of a room that nobody may be able to follow.
func (m *member) lostRoom(seats []Seat) *LostRoom {
	if !m.nobodyFollows() {
		return nil
	}
	by := m.acct.Away.By
	founders := m.state.Founders(by)
	l := &LostRoom{By: seatIn(seats, by), Founders: seatsIn(seats, founders)}
	var said []dialogue.SeatID
	for _, r := range m.alsoLost() {
		said = append(said, r.Signed.Post.Seat)
	}
	l.Said = seatsIn(seats, said)
	for _, s := range seats {
		if s.Status == dialogue.In && !s.Me && s.ID != by && !slices.Contains(said, s.ID) {
			l.Silent = append(l.Silent, s)
		}
	}
	l.MayFound = slices.Contains(founders, m.acct.Me) && len(said) > 0
	return l
}

func seatIn(seats []Seat, id dialogue.SeatID) Seat {
	if i := slices.IndexFunc(seats, func(s Seat) bool { return s.ID == id }); i >= 0 {
		return seats[i]
	}
	return Seat{}
}

func seatsIn(seats []Seat, ids []dialogue.SeatID) []Seat {
	l := []Seat{}
	for _, s := range seats {
		if slices.Contains(ids, s.ID) {
			l = append(l, s)
		}
	}
	return l
}

// foundingViews are the foundings that wait for this person, and the one that
// counts, which is the first.
func (m *member) foundingViews(seats []Seat) []Founding {
	var l []Founding
	taken := m.acct.Refounding
	for _, s := range seats {
		j := m.foundings[s.ID]
		if j == nil {
			continue
		}
		f := j.founding()
		v := Founding{Founder: s, Mine: s.Me, Without: seatIn(seats, f.Without), Time: time.UnixMilli(int64(f.Time)), Same: true,
			Taken: taken != nil && taken.Hash == j.hash}
		v.MayLeave = v.Taken && !taken.Settled && m.chooses()
		var in []dialogue.SeatID
		for _, x := range f.Members {
			in = append(in, x.Return.Signed.Post.Seat)
		}
		v.Members = seatsIn(seats, in)
		switch {
		case v.Taken:
			for _, id := range m.unheardSince() {
				v.Unheard = append(v.Unheard, m.nameOf(id))
			}
		case !m.chooses():
			continue
		default:
			if v.Same = j.same; !j.same {
				v.Differences = differences(m.known(), j.former)
			}
			for i := range j.state.Seats {
				if x := &j.state.Seats[i]; x.Status == dialogue.Asleep {
					v.Later = append(v.Later, seatIn(seats, x.ID))
				}
			}
		}
		v.Words = m.foundingWords(j, v.Taken)
		if v.Taken {
			l = slices.Insert(l, 0, v)
		} else {
			l = append(l, v)
		}
	}
	return l
}

// foundingTasks are what foundings ask of this person.
func foundingTasks(l []Founding) (tasks []Task) {
	for _, f := range l {
		switch {
		case !f.Taken:
			tasks = append(tasks, Task{TaskFounded, f.Founder})
		case f.Mine && len(f.Unheard) > 0:
			tasks = append(tasks, Task{TaskTell, f.Founder})
		}
	}
	return tasks
}

// foundingWords are those that this person sees: who has not accepted has to
// hear the sixth. They are computed in the background when somebody looks for
// the first time.
func (m *member) foundingWords(j *judged, taken bool) []string {
	switch {
	case j.words != nil && taken:
		return j.words
	case j.words != nil:
		return j.words[:len(j.words)-1]
	case !j.counting:
		j.counting = true
		founder := j.founding().Founder
		go m.c.background(func() {
			if _, _, err := m.wordsOfFounding(founder); err == nil {
				m.changed(dialogue.Plenary)
			}
		})
	}
	return nil
}

// wordsOfFounding computes a founding's six words, and gives its hash with them.
func (m *member) wordsOfFounding(founder dialogue.SeatID) ([]string, dialogue.Hash, error) {
	m.mu.Lock()
	j := m.foundings[founder]
	if j == nil || m.state == nil {
		m.mu.Unlock()
		return nil, dialogue.Hash{}, ErrNoFounding
	}
	f, hash, words, language := *j.founding(), j.hash, j.words, m.state.Rules.Language
	m.mu.Unlock()
	if words == nil {
		words = f.Words(language)
		m.mu.Lock()
		j.words = words
		m.mu.Unlock()
	}
	return words, hash, nil
}

// FoundingWords gives the words of a founding: all six to who has accepted it,
// and may read them aloud, five to who listens.
func (c *Client) FoundingWords(ctx context.Context, id ID, founder dialogue.SeatID) ([]string, error) {
	m, err := c.member(id)
	if err != nil {
		return nil, err
	}
	words, hash, err := m.wordsOfFounding(founder)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.acct.Refounding; r == nil || r.Hash != hash {
		words = words[:len(words)-1]
	}
	return words, nil
}
