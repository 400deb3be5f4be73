package e2e

import "testing"

// TestKeyboard goes from setting up to writing with Tab, Space, Enter and the
// arrows alone: nobody has a mouse or an address bar.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if h == nil {
		return
	}
	ruth, halden, corin := h.person("Ruth Abernay", "", keyboard), h.person("Halden Royce", "", keyboard), h.person("Corin Vash", "", keyboard)
	for _, p := range []*person{ruth, halden, corin} {
		p.setUp()
	}
	ruth.start("The Orva Waters", "Upland", "Delta")
	halden.join(ruth.invite(1, halden.name))
	corin.join(ruth.invite(2, corin.name))
	for _, p := range []*person{ruth, halden, corin} {
		p.seated()
		p.enter(0)
	}
	ruth.live("Not one of us has a mouse.", func() { corin.write("Not one of us has a mouse.") })
	ruth.goes(`#talk li:last-child a[href*="?reply="]`)
	halden.live("And it works all the same.", func() { ruth.write("And it works all the same.") })
	halden.enter(1)
	halden.write("A word among ourselves.")
	halden.goes("button.putaway")
	halden.fill("#pass", passphrase)
	halden.goes(`form[action$="/unlock"] button`)
	halden.goes(`.dialogue-entry h3 a`)
}

// TestNoScript: in a browser that runs no script one joins, writes, and reads
// what others wrote by loading the page again.
func TestNoScript(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if h == nil {
		return
	}
	ruth, halden, corin := h.person("Ruth Abernay", "", mouse), h.person("Halden Royce", "", noScript), h.person("Corin Vash", "", mouse)
	for _, p := range []*person{ruth, halden, corin} {
		p.setUp()
	}
	if eval[bool](halden, `!!document.querySelector("[data-copy]:not([hidden])")`) {
		t.Error("a script ran")
	}
	ruth.start("The Orva Waters", "Upland", "Delta")
	halden.join(ruth.invite(1, halden.name))
	halden.seated()
	corin.join(ruth.invite(2, corin.name))
	corin.seated()
	corin.enter(0)
	halden.enter(0)
	halden.until(`document.getElementById("compose-text")`)
	corin.live("No script runs here.", func() { halden.write("No script runs here.") })
	corin.write("Nor is any needed.")
	halden.reads("Nor is any needed.")
	halden.enter(1)
	halden.write("A word among ourselves.")
	halden.goes("button.putaway")
	halden.fill("#pass", passphrase)
	halden.goes(`form[action$="/unlock"] button`)
	halden.reads("Good day, Halden Royce")
}
