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
	return w.T("pattern.moment", "day", w.Day(t, now), "time", w.Time(t))
}

func (w *Words) date(pattern string, t time.Time) string {
	return fill(w.T(pattern), func(name string) (string, bool) {
		switch name {
		case "weekday":
			return strings.Split(w.T("pattern.weekdays"), " ")[t.Weekday()], true
		case "day":
			return strconv.Itoa(t.Day()), true
		case "month":
			return strings.Split(w.T("pattern.months"), " ")[t.Month()-1], true
		case "year":
			return strconv.Itoa(t.Year()), true
		case "hour":
			return t.Format("15"), true
		case "minute":
			return t.Format("04"), true
		}
		return "", false
	})
}

// Bytes writes a size: "340 bytes", "12 KB", "3.4 MB". A KB has 1,024 bytes,
// as the limits have it.
func (w *Words) Bytes(n uint64) string {
	switch {
	case n < 1<<10:
		return w.T("size.bytes", "n", int(n))
	case n < 1<<20:
		return w.T("size.kb", "size", w.Number(int((n+1<<9)>>10)))
	}
	return w.T("size.mb", "size", w.numbers.Sprint(number.Decimal(float64(n)/(1<<20), number.MaxFractionDigits(1))))
}

// Left writes how long it is until a moment, roughly: "2 days", "3 hours".
func (w *Words) Left(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return w.T("left.days", "n", int(d.Round(24*time.Hour)/(24*time.Hour)))
	case d >= 2*time.Hour:
		return w.T("left.hours", "n", int(d.Round(time.Hour)/time.Hour))
	}
	return w.T("left.minutes", "n", max(1, int(d.Round(time.Minute)/time.Minute)))
}

// List writes names one after the other: "A, B and C".
func (w *Words) List(names []string) string { return w.join(names, "pattern.and") }

// Either makes an alternative of names: "A, B or C".
func (w *Words) Either(names []string) string { return w.join(names, "pattern.or") }

func (w *Words) join(names []string, last string) string {
	switch n := len(names); n {
	case 0:
		return ""
	case 1:
		return names[0]
	default:
		own := make([]string, n)
		for i, name := range names {
			own[i] = w.isolate(name)
		}
		head := strings.Join(own[:n-1], w.T("pattern.comma"))
		return w.T(last, "head", head, "last", own[n-1])
	}
}
