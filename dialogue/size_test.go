package dialogue

import (
	"fmt"
	"strings"
	"testing"
)

// full is a skeleton with n seats, all that a seat usually has, and as many
// retired keys as are kept.
func full(n int) *State {
	s := &State{Fold: Version, Suite: 1, Rules: Preset(TrackTwo), Claims: make([]uint64, MaxSides+1), LogTime: 30_000_000, Epoch: 1000, LastCommit: 30_000_000}
	for i := range MaxSides {
		s.Sides = append(s.Sides, Side{Name: strings.Repeat(fmt.Sprint(i), MaxName), HadHead: true, Agreed: true})
	}
	verified := []Verification{{Time: s.LogTime}, {Time: s.LogTime}, {Time: s.LogTime}}
	for i := range n {
		x := Seat{ID: SeatID{byte(i), 1}, Side: 1, Name: strings.Repeat("x", MaxName), Status: In, Role: Participant,
			Expires: s.LogTime, Since: s.LogTime, Heard: s.LogTime, Woke: s.LogTime, Key: make([]byte, 32), Witness: make([]byte, 32),
			Consents: []SideID{1, 2, 3, 4, 5, 6}, Doors: make([]Key, maxDoors), Verified: verified}
		if i == 0 {
			x.Side, x.Role = 0, Convenor
		}
		s.Seats = append(s.Seats, x)
	}
	s.Retired = make([]byte, maxRetired*retiredSize)
	return s
}

// TestFullSkeletonFits: a dialogue that had as many seats as can be, for
// longer than retired keys are known, can still tell a newcomer its past.
func TestFullSkeletonFits(t *testing.T) {
	b := full(maxPlan).Marshal()
	if _, err := ParseState(b); err != nil {
		t.Errorf("%d bytes: %v", len(b), err)
	}
}

func BenchmarkMarshal(b *testing.B) {
	for _, n := range []int{5, 60, maxPlan} {
		b.Run(fmt.Sprint(n, " seats"), func(b *testing.B) {
			s := full(n)
			for b.Loop() {
				b.ReportMetric(float64(len(s.Marshal())), "bytes")
			}
		})
	}
}

func BenchmarkFresh(b *testing.B) {
	s := full(60)
	for b.Loop() {
		s.Fresh([]byte("a key"))
	}
}
