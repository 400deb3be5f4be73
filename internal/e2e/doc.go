// Package e2e tests what a person gets: the real binary in a real browser.
//
// Each person is a process of the binary with a vault of its own and a browser
// context of its own; they meet through the relay inside the first one's
// process. Read story_test.go first, which is a whole dialogue from setting up
// to leaving, then ways_test.go, which goes the same way by keyboard alone and
// without script. Every page that is met is judged (sights_test.go).
//
// PARLEY_AXE names axe-core's axe.min.js. PARLEY_SHOTS names a folder that
// gets pictures of the pages. PARLEY_CHROMIUM names the browser, where it is
// not found by itself.
package e2e
