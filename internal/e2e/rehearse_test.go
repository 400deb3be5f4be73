package e2e

import (
	"slices"
	"strings"
	"testing"
)

// TestRehearsal presses, once each, all that the page of the partners offers,
// as the convenor and as the head of a side.
func TestRehearsal(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if h == nil {
		return
	}
	for _, as := range []string{"convenor", "head"} {
		p := h.sit("the "+as, h.parley("rehearse", "--no-browser", "--as", as), mouse)
		p.judge()
		p.shootAll("rehearsal-" + as)
		p.goes(`.dialogue-entry h3 a`)
		p.seated()
		p.enter(0)
		p.until(`document.querySelectorAll("#talk .said:not(.mine)").length > 0`)
		p.write("Shall we begin with the gauges?")
		p.until(`document.querySelector("#talk .said:not(.mine) .quoted")?.textContent.includes("Shall we begin")`)
		p.goes(`.mainnav a[href$="/rehearse"]`)
		p.shootAll("partners-" + as)
		var done []string
		for {
			keys := strings.Fields(eval[string](p, `[...document.querySelectorAll("input[name=do]")].map(e => e.value).join(" ")`))
			// Who leaves can do nothing afterwards, so that comes last.
			i := slices.IndexFunc(keys, func(k string) bool { return !slices.Contains(done, k) && !strings.HasPrefix(k, "leave") })
			if i < 0 {
				i = slices.IndexFunc(keys, func(k string) bool { return !slices.Contains(done, k) })
			}
			if i < 0 {
				break
			}
			done = append(done, keys[i])
			p.goes("#act-" + keys[i])
			if !eval[bool](p, `!!document.querySelector(".notice.good") && !document.querySelector("#form-error")`) {
				t.Errorf("%s, %s: %s", p.name, keys[i], p.where())
			}
		}
		t.Logf("%s: %v", p.name, done)
		if len(done) < 6 {
			t.Errorf("%s could press no more than %v", p.name, done)
		}
	}
}
