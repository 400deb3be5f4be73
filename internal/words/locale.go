package words

import (
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/number"
)

// Number writes a whole number.
func (w *Words) Number(n int) string { return w.numbers.Sprint(number.Decimal(n)) }

// Day writes a day: "Tuesday 17 November", with its year where that is not
// the year of now.
func (w *Words) Day(t, now time.Time) string {
	pattern := "pattern.day"
	if t.Year() != now.Year() {
		pattern = "pattern.day-year"
	}
	return w.date(pattern, t)
}

// Date writes a day without its name: "17 November 2026".
func (w *Words) Date(t time.Time) string { return w.date("pattern.date", t) }

// Time writes the time of day: "09:12".
func (w *Words) Time(t time.Time) string { return w.date("pattern.time", t) }

// Moment writes day and time: "Friday 20 November, 10:00".
func (w *Words) Moment(t, now time.Time) string {
	return strings.NewReplacer("{day}", w.Day(t, now), "{time}", w.Time(t)).Replace(w.T("pattern.moment"))
}

func (w *Words) date(pattern string, t time.Time) string {
	weekdays := strings.Split(w.T("pattern.weekdays"), " ")
	months := strings.Split(w.T("pattern.months"), " ")
	return strings.NewReplacer(
		"{weekday}", weekdays[t.Weekday()],
		"{day}", strconv.Itoa(t.Day()),
		"{month}", months[t.Month()-1],
		"{year}", strconv.Itoa(t.Year()),
		"{hour}", t.Format("15"),
		"{minute}", t.Format("04"),
	).Replace(w.T(pattern))
}

// Bytes writes a size: "340 bytes", "12 KB", "3.4 MB". A KB has 1,000 bytes.
func (w *Words) Bytes(n uint64) string {
	switch {
	case n < 1000:
		return w.T("size.bytes", "n", int(n))
	case n < 1000*1000:
		return w.T("size.kb", "size", w.Number(int((n+500)/1000)))
	}
	return w.T("size.mb", "size", w.numbers.Sprint(number.Decimal(float64(n)/1e6, number.MaxFractionDigits(1))))
}

// Left writes how long it is until a moment, roughly: "2 days", "3 hours".
func (w *Words) Left(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return w.T("left.days", "n", int(d/(24*time.Hour)))
	case d >= 2*time.Hour:
		return w.T("left.hours", "n", int(d/time.Hour))
	}
	return w.T("left.minutes", "n", max(1, int(d/time.Minute)))
}

// List writes names one after the other: "A, B and C".
func (w *Words) List(names []string) string {
	own := make([]string, len(names))
	for i, n := range names {
		own[i] = w.isolate(n)
	}
	switch n := len(own); n {
	case 0:
		return ""
	case 1:
		return own[0]
	default:
		head := strings.Join(own[:n-1], w.T("pattern.comma"))
		return strings.NewReplacer("{head}", head, "{last}", own[n-1]).Replace(w.T("pattern.and"))
	}
}
