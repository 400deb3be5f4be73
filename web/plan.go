package web

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"parley/client"
	"parley/dialogue"
	"parley/internal/words"
)

// A plan is the seat plan as two pictures, lying and standing, and a sentence
// that says the same.
type plan struct {
	Title  string
	Wide   picture
	Narrow picture
	Named  bool // the pictures bear names
}

// A picture is a table with seats around it; lengths are in its own units.
type picture struct {
	W, H           int
	TX, TY, TW, TH float64 // the table
	Seats          []planSeat
	Labels         []planLabel
}

// A planSeat is a seat as its side's shape.
type planSeat struct {
	Path, Mark, Initials string
	X, Y, R              float64
	Font                 float64
	Verified, Open, Me   bool
	Names                []planLabel
}

// A planLabel is a line of lettering.
type planLabel struct {
	X, Y         float64
	Text, Anchor string // Anchor: "start", "middle" or "end"
	Class, Mark  string
}

// maxNamed is the number of seats beyond which the picture bears initials
// only; the table beside it has the names.
const maxNamed = 12

// newPlan draws who sits, and whom a card is out for.
func newPlan(d client.Dialogue, w *words.Words) plan {
	var seats []client.Seat
	for side := dialogue.SideID(0); int(side) <= len(d.Sides); side++ {
		for _, s := range d.Seats {
			if s.Side == side && atTable(s) {
				seats = append(seats, s)
			}
		}
	}
	p := plan{Named: len(seats) <= maxNamed}
	p.Wide = picture{W: 1000, H: 560, TX: 240, TY: 180, TW: 520, TH: 200}
	p.Wide.seat(seats, 500, 280, 335, 164, p.Named, w)
	p.Wide.label(d, 500, 280, 25, w)
	p.Narrow = picture{W: 360, H: 480, TX: 90, TY: 80, TW: 180, TH: 320}
	p.Narrow.seat(seats, 180, 240, 128, 202, false, w)
	p.Narrow.label(d, 180, 240, 18, w)
	p.Title = planTitle(d, seats, w)
	return p
}

// planTitle says what the picture shows.
func planTitle(d client.Dialogue, seats []client.Seat, w *words.Words) string {
	parts := []string{w.T("plan.title")}
	for _, s := range seats {
		side := s.SideName
		if s.Side == 0 {
			side = w.T("seat.convenor")
		}
		state := w.T("plan.unverified")
		switch {
		case s.Replacing:
			state = w.T("status.replacing")
		case s.Status == dialogue.Asleep:
			state = w.T("status.asleep")
		case s.Status != dialogue.In:
			state = w.T("plan.empty")
		case verified(s):
			state = w.T("plan.verified")
		}
		parts = append(parts, w.T("plan.seat", "who", s.Name, "side", side, "state", state))
	}
	return strings.Join(parts, " ")
}

// seat puts seats around the ellipse with these half axes, at equal distances
// along it, beginning at its left end.
func (p *picture) seat(seats []client.Seat, cx, cy, rx, ry float64, named bool, w *words.Words) {
	n := len(seats)
	gap := ellipse(rx, ry) / float64(max(n, 1))
	r := min(27, gap*0.42)
	if p.W < 500 {
		r = min(21, gap*0.42)
	}
	for i, s := range seats {
		angle := along(rx, ry, float64(i)/float64(n))
		x, y := cx-rx*math.Cos(angle), cy-ry*math.Sin(angle)
		seat := planSeat{
			Mark: mark(s.Side), Initials: initials(s.Name), X: x, Y: y, R: r, Font: r * 0.72, Me: s.Me,
			Path: shape(mark(s.Side), x, y, r), Verified: verified(s) && s.Status == dialogue.In, Open: s.Status != dialogue.In || !verified(s) || s.Replacing,
		}
		if named {
			seat.Names = nameLabels(s, x, y, cx, cy, r, math.Abs(math.Sin(angle)) < 0.35, w)
		}
		p.Seats = append(p.Seats, seat)
	}
}

// nameLabels writes a name beside its seat, away from the table.
func nameLabels(s client.Seat, x, y, cx, cy, r float64, beside bool, w *words.Words) []planLabel {
	const size = 23.0
	lines := twoLines(s.Name)
	last := ""
	switch {
	case s.Me:
		last = w.T("seat.you")
	case s.Replacing, len(s.Replacements) > 0:
		last = w.T("plan.newcard.short")
	case s.Status == dialogue.Arrived:
		last = w.T("plan.asks.short")
	case s.Status == dialogue.Asleep:
		last = w.T("status.asleep")
	case s.Status != dialogue.In:
		last = w.T("plan.empty.short")
	}
	l := planLabel{X: x, Anchor: "middle"}
	if last != "" {
		lines = append(lines, last)
	}
	h := size * float64(len(lines)-1)
	switch {
	case beside && x < cx:
		l.X, l.Y, l.Anchor = x-r-12, y-h/2+7, "end"
	case beside:
		l.X, l.Y, l.Anchor = x+r+12, y-h/2+7, "start"
	case y < cy:
		l.Y = y - r - 14 - h
	default:
		l.Y = y + r + 27
	}
	var out []planLabel
	for i, text := range lines {
		l.Text, l.Class = text, ""
		if s.Me {
			l.Class = "you"
		}
		if i == len(lines)-1 && last != "" {
			l.Class = "minor"
		}
		out = append(out, l)
		l.Y += size
	}
	return out
}

// maxLabel is how much of a name's line the picture bears, in characters.
const maxLabel = 12

// twoLines splits a name at its last blank.
func twoLines(name string) []string {
	lines := []string{name}
	if i := strings.LastIndexByte(name, ' '); i > 0 {
		lines = []string{name[:i], name[i+1:]}
	}
	for i, l := range lines {
		if utf8.RuneCountInString(l) > maxLabel {
			lines[i] = string([]rune(l)[:maxLabel-1]) + "…"
		}
	}
	return lines
}

// label writes the track and the sides' names on the table.
func (p *picture) label(d client.Dialogue, cx, cy, step float64, w *words.Words) {
	lines := []planLabel{{Text: w.Track(d.Rules.Track), Class: "title"}}
	for _, s := range d.Sides {
		name := s.Name
		if limit := int(p.TW / 13); utf8.RuneCountInString(name) > limit {
			name = string([]rune(name)[:limit-1]) + "…"
		}
		lines = append(lines, planLabel{Text: name, Class: "side-label", Mark: mark(s.ID)})
	}
	step *= 1.1
	y := cy - step*float64(len(lines)-1)/2 + 7
	for _, l := range lines {
		l.X, l.Y, l.Anchor = cx, y, "middle"
		y += step
		p.Labels = append(p.Labels, l)
	}
}

// ellipse is the circumference, by Ramanujan's first approximation.
func ellipse(a, b float64) float64 {
	return math.Pi * (3*(a+b) - math.Sqrt((3*a+b)*(a+3*b)))
}

// along is the angle at a share of the way around an ellipse.
func along(a, b, share float64) float64 {
	const steps = 720
	length := func(i int) float64 {
		t := 2 * math.Pi * (float64(i) + 0.5) / steps
		return math.Hypot(a*math.Sin(t), b*math.Cos(t)) * 2 * math.Pi / steps
	}
	total := 0.0
	for i := range steps {
		total += length(i)
	}
	way := 0.0
	for i := range steps {
		if way >= share*total {
			return 2 * math.Pi * float64(i) / steps
		}
		way += length(i)
	}
	return 0
}

// shape is the outline of a side's mark: round, square, triangle, diamond,
// hexagon, cross; the convenor's is a ring around a dot, of which this is the
// dot.
func shape(mark string, x, y, r float64) string {
	points := func(rel ...float64) string {
		var b strings.Builder
		for i := 0; i < len(rel); i += 2 {
			letter := "L"
			if i == 0 {
				letter = "M"
			}
			fmt.Fprintf(&b, "%s%.1f %.1f", letter, x+rel[i]*r, y+rel[i+1]*r)
		}
		return b.String() + "z"
	}
	switch mark {
	case "b":
		return points(-0.9, -0.9, 0.9, -0.9, 0.9, 0.9, -0.9, 0.9)
	case "c":
		return points(0, -1.2, 1.15, 0.9, -1.15, 0.9)
	case "d":
		return points(0, -1.2, 1.2, 0, 0, 1.2, -1.2, 0)
	case "e":
		return points(-0.55, -0.95, 0.55, -0.95, 1.1, 0, 0.55, 0.95, -0.55, 0.95, -1.1, 0)
	case "f":
		return points(-0.6, -1, 0.6, -1, 0.6, -0.6, 1, -0.6, 1, 0.6, 0.6, 0.6, 0.6, 1, -0.6, 1, -0.6, 0.6, -1, 0.6, -1, -0.6, -0.6, -0.6)
	}
	return fmt.Sprintf("M%.1f %.1fa%.1f %.1f 0 1 0 %.1f 0a%.1f %.1f 0 1 0 %.1f 0z", x-r, y, r, r, 2*r, r, r, -2*r)
}

// RX is half the table's width.
func (p picture) RX() float64 { return p.TW / 2 }

// RY is half its height.
func (p picture) RY() float64 { return p.TH / 2 }

// Ring is the radius of the convenor's ring.
func (s planSeat) Ring() float64 { return s.R + 5 }

// TextY is the base line of the initials; a triangle's lie lower.
func (s planSeat) TextY() float64 {
	y := s.Y + s.Font*0.36
	if s.Mark == "c" {
		y += s.R * 0.25
	}
	return y
}

// TickX is where the tick of a verified seat stands.
func (s planSeat) TickX() float64 { return s.X + s.R*0.85 }

// TickY is its height.
func (s planSeat) TickY() float64 { return s.Y + s.R*0.85 }
