package dialogue

import "slices"

// MinutesPerDay is a day of log time.
const MinutesPerDay = 24 * 60

// heard takes the time claimed by a plenary entry. Log time is the second
// latest among the parties' latest claims (the only one's while there is one)
// and never goes back, so no single party can move it.
func (f *fold) heard() {
	x := f.s.Seat(f.e.Author)
	if x == nil || x.Status != In {
		return
	}
	claim := f.e.time()
	if p := int(x.Side); claim > f.s.Claims[p] {
		f.s.Claims[p] = claim
	}
	f.s.LogTime = max(f.s.LogTime, secondLatest(f.s.Claims))
	f.wakes(x)
	x.Heard = max(f.s.LogTime, 1)
}

// Near tells whether log time, or the latest claim of some party, is within a
// day of now, in minutes since 1970. Log time by itself would not do: it stands
// still while one party alone speaks, also if the others lie or are silent.
func (s *State) Near(now uint64) bool {
	return slices.ContainsFunc(append(slices.Clone(s.Claims), s.LogTime), func(t uint64) bool {
		return now <= t+MinutesPerDay && t <= now+MinutesPerDay
	})
}

func secondLatest(claims []uint64) uint64 {
	made := slices.DeleteFunc(slices.Clone(claims), func(c uint64) bool { return c == 0 })
	slices.Sort(made)
	switch n := len(made); n {
	case 0:
		return 0
	case 1:
		return made[0]
	default:
		return made[n-2]
	}
}

func (e Entry) time() uint64 {
	if e.Commit != nil {
		return e.Commit.Time
	}
	if e.Event != nil {
		return e.Event.Time
	}
	return e.Update
}
