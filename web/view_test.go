package web

import (
	"math"
	"testing"

	"parley/dialogue"
)

func TestInitials(t *testing.T) {
	for name, want := range map[string]string{
		"Mira Estvale": "ME", "Prof. Anselm Oake": "AO", "Ludwig van der Heide": "LH", "Corin": "C", "mira": "M", "A.": "A",
		"نادر سولان": "نس", "Col. (ret.) Bram Tolliver": "BT", "": "", "李 明": "李明",
	} {
		if got := initials(name); got != want {
			t.Errorf("%q gives %q, not %q", name, got, want)
		}
	}
}

// TestSeatPlan: whatever the number of seats, none lies on another and all
// lie in the picture.
func TestSeatPlan(t *testing.T) {
	a, _, _ := openedApp(t)
	d := orva().list[0].Dialogue
	for len(d.Seats) < 60 {
		s := d.Seats[1]
		s.ID = seatID(byte(100 + len(d.Seats)))
		d.Seats = append(d.Seats, s)
		n := len(d.Seats)
		p := newPlan(d, a.words())
		for _, pic := range []picture{p.Wide, p.Narrow} {
			for i, s := range pic.Seats {
				if s.X-s.R < 0 || s.X+s.R > float64(pic.W) || s.Y-s.R < 0 || s.Y+s.R > float64(pic.H) {
					t.Errorf("%d seats: %s lies outside", n, s.Initials)
				}
				for _, o := range pic.Seats[:i] {
					if math.Hypot(s.X-o.X, s.Y-o.Y) < 0.75*(s.R+o.R) {
						t.Fatalf("%d seats: two lie on one another, %.0f apart", n, math.Hypot(s.X-o.X, s.Y-o.Y))
					}
				}
			}
		}
	}
	for m := range 8 {
		if mark(dialogue.SideID(m)) == "" {
			t.Errorf("side %d has no mark", m)
		}
	}
}
