package words

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/client"
	"parley/dialogue"
)

// raw reads a language's file.
func raw(t *testing.T, name string) map[string]text {
	t.Helper()
	b, err := files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]text{}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

var braces = regexp.MustCompile(`\{[a-z]+\}`)

// TestComplete: every language has every sentence, with the same things to
// fill in, and none besides.
func TestComplete(t *testing.T) {
	en := raw(t, "en.json")
	list, err := fs.Glob(files, "*.json")
	if err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	for _, name := range list {
		other := raw(t, name)
		for key, want := range en {
			got, ok := other[key]
			if !ok {
				t.Errorf("%s: %q is missing", name, key)
				continue
			}
			for form, s := range got {
				for _, b := range braces.FindAllString(s, -1) {
					if !strings.Contains(want["other"], b) && b != "{n}" {
						t.Errorf("%s: %q (%s) fills in %s, which English does not", name, key, form, b)
					}
				}
				if strings.TrimSpace(s) == "" || strings.TrimSpace(s) != s && key != "pattern.comma" {
					t.Errorf("%s: %q (%s) is %q", name, key, form, s)
				}
			}
		}
		for key := range other {
			if _, ok := en[key]; !ok {
				t.Errorf("%s: %q is not in English", name, key)
			}
		}
	}
}

var (
	called = regexp.MustCompile(`(?:\.T\(|[({] *t )"([^"]+)"`)
	quoted = regexp.MustCompile(`"([a-z0-9-]+(?:\.[a-z0-9-]+)+|skip)"`)
	// The names of what commands and flags say follow from theirs: package
	// cli's tests hold these.
	ofCommand = regexp.MustCompile(`^cli\.([a-z]+\.)*(short|long|example|flag\.[a-z-]+)$`)
)

// TestUsed: every sentence that the product asks for exists, and every one
// that exists is asked for.
func TestUsed(t *testing.T) {
	en := raw(t, "en.json")
	used := map[string]bool{}
	for path, source := range sources(t) {
		for _, m := range called.FindAllStringSubmatch(source, -1) {
			if _, ok := en[m[1]]; !ok && m[1] != "" {
				t.Errorf("%s asks for %q, which is not there", path, m[1])
			}
		}
		for _, m := range quoted.FindAllStringSubmatch(source, -1) {
			used[m[1]] = true
		}
	}
	for key := range en {
		if !used[key] && !ofCommand.MatchString(key) {
			t.Errorf("nobody says %q", key)
		}
	}
}

// sources reads the product's Go files and templates, tests apart.
func sources(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, dir := range []string{".", "../../web", "../../cli", "../../cmd"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // a face that is not there yet
			}
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") || !strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, ".html") {
				return err
			}
			b, err := os.ReadFile(path)
			all[path] = string(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(all) < 10 {
		t.Fatalf("only %d sources were found", len(all))
	}
	return all
}

// TestPlain: what people should never meet, they do not meet. Who types
// commands chooses vaults, and has a key for the relay's certificate.
func TestPlain(t *testing.T) {
	never := regexp.MustCompile(`(?i)\b(keys?|sessions?|fingerprints?|epochs?|commits?|nonces?|hash(es)?|vaults?|passwords? manager)\b|!`)
	technical := regexp.MustCompile(`(?i)\b(keys?|vaults?)\b`)
	for key, t2 := range raw(t, "en.json") {
		for _, s := range t2 {
			w := never.FindString(s)
			if strings.HasPrefix(key, "cli.") {
				w = never.FindString(technical.ReplaceAllString(s, ""))
			}
			if w != "" {
				t.Errorf("%q says %q", key, w)
			}
		}
	}
}

func TestSentences(t *testing.T) {
	w := For("en-GB")
	for _, c := range []struct{ got, want string }{
		{w.T("home.waits", "n", 0), "Nothing waits for you."},
		{w.T("home.waits", "n", 1), "One thing waits for you."},
		{w.T("home.waits", "n", 1234), "1,234 things wait for you."},
		{w.T("room.reply.to", "who", "نادر"), "to \u2068نادر\u2069"},
		{w.List([]string{"A", "B", "C"}), "A, B and C"},
		{w.List([]string{"A"}), "A"},
		{w.List(nil), ""},
		{w.Bytes(1), "1 byte"},
		{w.Bytes(999), "999 bytes"},
		{w.Bytes(32 << 10), "32 KB"},
		{w.Bytes(10 << 20), "10 MB"},
		{w.Left(70 * time.Hour), "3 days"},
		{w.Left(5 * time.Hour), "5 hours"},
		{w.Left(-time.Hour), "1 minute"},
		{w.Day(time.Date(2026, 11, 17, 9, 2, 0, 0, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), "Tuesday 17 November"},
		{w.Moment(time.Date(2025, 11, 17, 9, 2, 0, 0, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), "Monday 17 November 2025, 09:02"},
		{w.Date(time.Date(2025, 1, 2, 0, 0, 0, 0, time.UTC)), "2 January 2025"},
		{w.Capacity(dialogue.Personal), "in a personal capacity"},
		{w.Refusal(&client.RuleError{Missing: []string{"North", "South"}}), "North and South have not agreed to the ground rules yet. Until then nobody can write to everyone."},
		{w.Refusal(&client.RuleError{Reason: 200}), "The ground rules do not allow it."},
		{w.Problem(errors.New("disk I/O")), "Something went wrong that Parley did not foresee. Nothing that you kept is lost."},
		{w.Problem(nil), ""},
		{w.Problem(&client.AmbiguousError{Prefix: "Ha", Names: []string{"Halden", "Harbour"}}), "“Ha” could be Halden and Harbour. Write more of it."},
		{w.Loss(dialogue.LossNone), ""},
	} {
		if c.got != c.want {
			t.Errorf("%q, not %q", c.got, c.want)
		}
	}
}

// TestRules: every ground rule is a sentence, and every field of the rules
// shows in one.
func TestRules(t *testing.T) {
	w := For(English)
	base := dialogue.Preset(dialogue.TrackOne)
	said := func(r dialogue.Rules) string {
		var b strings.Builder
		for _, s := range w.Rules(r, []string{"North", "South"}) {
			b.WriteString(s.Name + ": " + s.Sentence + "\n")
		}
		return b.String()
	}
	for name, change := range map[string]func(*dialogue.Rules){
		"track":       func(r *dialogue.Rules) { r.Track = dialogue.TrackTwo },
		"attribution": func(r *dialogue.Rules) { r.Attribution = dialogue.Sealed },
		"drafting":    func(r *dialogue.Rules) { r.Drafting = false },
		"retention":   func(r *dialogue.Rules) { r.RetentionDays = 1 },
		"sleep":       func(r *dialogue.Rules) { r.SleepDays = 2 },
		"who knows":   func(r *dialogue.Rules) { r.WhoKnowsCount = true },
	} {
		r := base
		change(&r)
		if said(r) == said(base) {
			t.Errorf("%s does not show in the sentences", name)
		}
	}
}

// TestEverySentence: nothing that can happen is without words.
func TestEverySentence(t *testing.T) {
	w := For(English)
	check := func(what, s string) {
		t.Helper()
		if s == "" || strings.Contains(s, "{") || w.Has(s) {
			t.Errorf("%s is said as %q", what, s)
		}
	}
	for k := client.NoteContradicted; k <= client.NoteLeftElsewhere; k++ {
		if noticeKeys[k] == "" {
			t.Errorf("notice %d has no words", k)
		}
		check("a notice", w.Notice(client.Notice{Kind: k, By: "A"}))
		check("a notice of nobody", w.Notice(client.Notice{Kind: k}))
	}
	silent := []dialogue.NoteKind{dialogue.NoteSaid, dialogue.NoteKeyPackage, dialogue.NoteWelcome, dialogue.NoteDoor}
	for k := dialogue.NoteRefused; k <= dialogue.NoteSideAsleep; k++ {
		if !slices.Contains(silent, k) && noticeKeys[k] == "" {
			t.Errorf("notice %d has no words", k)
		}
		check("a notice", w.Notice(client.Notice{Kind: k, By: "A", Seat: "B", Reason: 200}))
		check("a notice that names nobody", w.Notice(client.Notice{Kind: k, Seat: "B"}))
	}
	for r := dialogue.ReasonMalformed; r <= dialogue.ReasonKey; r++ {
		if reasonKeys[r] == "" {
			t.Errorf("reason %d has no words", r)
		}
		check("a refusal", w.Refusal(&client.RuleError{Reason: r}))
	}
	for _, l := range []dialogue.Loss{dialogue.LossKey, dialogue.LossCard, dialogue.LossSecond} {
		check("a loss", w.Loss(l))
	}
	for _, k := range []client.AlarmKind{client.AlarmSecondUse, client.AlarmAttempt, client.AlarmCharter,
		client.AlarmContradicted, client.AlarmStopped, client.AlarmShorter, client.AlarmOther, client.AlarmVanished, client.AlarmElsewhere} {
		a := w.Alarm(client.Alarm{Kind: k, Seat: client.Seat{Name: "A"}})
		for _, s := range []string{a.Title, a.Happened, a.Safety, a.Now} {
			check("an alarm", s)
		}
	}
	for _, y := range []client.WhyNot{client.WhyMissing, client.WhyNotIn, client.WhyChanging, client.WhyStopped, client.WhyNotThere, client.WhyAway} {
		check("a reason not to write", w.Why(y, []string{"A"}))
	}
	day := time.Date(2026, 11, 17, 9, 2, 0, 0, time.UTC)
	check("a silence", w.Silence(client.Seat{Name: "A", SilentSince: day}, day))
	means := w.Silent("A")
	for _, s := range []string{means.Title, means.Happened, means.Safety, means.Now} {
		check("what a silence means", s)
	}
	check("a standstill", w.Still(client.Dialogue{StillSince: day, StillBy: 1, Sides: []client.Side{{ID: 1, Name: "North"}}}, day))
	if w.Silence(client.Seat{Name: "A"}, day) != "" || w.Still(client.Dialogue{}, day) != "" {
		t.Error("nothing is said as something")
	}
	seats := []client.Seat{{Name: "B"}, {Name: "C"}}
	for _, x := range []client.LostRoom{{By: seats[0]}, {By: seats[0], Said: seats, Silent: seats, Founders: seats}, {Said: seats[:1], Silent: seats[:1], MayFound: true}} {
		for _, s := range w.LostRoom(x) {
			check("a room that is lost", s)
		}
	}
	for _, f := range []client.Founding{{Founder: seats[0], Same: true, Members: seats, Later: seats}, {Mine: true, Taken: true, Unheard: []string{"B"}},
		{Founder: seats[0], Differences: []client.Difference{{Kind: client.DifferenceMore, Name: "D"}}}} {
		for _, s := range w.Founding(f) {
			check("a founding", s)
		}
	}
	for r := client.LossOlder; r <= client.LossElsewhere; r++ {
		check("a loss of the room", w.Problem(&client.LostError{Reason: r, By: "A"}))
	}
	for _, p := range problemKeys {
		check("a problem", w.Problem(p.err))
	}
	for tr := range trackKeys {
		check("a track", w.Track(tr))
	}
}

// TestPseudo: the made-up language runs from right to left, and keeps what is
// filled in.
func TestPseudo(t *testing.T) {
	w := For(Pseudo)
	if w.Dir() != "rtl" || For(English).Dir() != "ltr" || slices.Contains(Languages(), Pseudo) {
		t.Error("direction, or the made-up language is offered")
	}
	if s := w.T("room.reply.to", "who", "Mira"); s != "\u202e]to \u2068Mira\u2069[\u202c" {
		t.Errorf("%q", s)
	}
}
