// Package chromium starts Chromium for tests that look at pages, and brings
// axe-core, which judges whether everybody can use them. A machine may lack
// either, but not where CI has to be sure.
package chromium

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// needed tells whether what is missing is a failure.
func needed() bool { return os.Getenv("CI") == "true" }

// Start starts Chromium with a new profile, on an empty page, until the test
// ends. It gives nil on a machine that has none; PARLEY_CHROMIUM names one that
// is elsewhere.
func Start(t *testing.T) context.Context {
	t.Helper()
	path := os.Getenv("PARLEY_CHROMIUM")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); path == "" && err == nil {
			path = found
		}
	}
	if path == "" {
		if needed() {
			t.Fatal("there is no Chromium")
		}
		t.Log("there is no Chromium: nothing is looked at")
		return nil
	}
	ctx, stop := chromedp.NewExecAllocator(t.Context(),
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.Flag("headless", true), chromedp.Flag("no-sandbox", true),
		chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("hide-scrollbars", true))
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// Tab gives a tab beside others of a browser that Start started, with cookies of
// its own, until the test ends.
func Tab(t *testing.T, browser context.Context) context.Context {
	t.Helper()
	ctx, stop := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(stop)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil { // the page lives as long as this context
		t.Fatal(err)
	}
	return ctx
}

// Screenshot gives a picture of the whole page as PNG. To make it small would
// take longer than all else that is done to a page.
func Screenshot() chromedp.Action[[]byte] {
	yes := true
	return func(ctx context.Context, t *chromedp.Target) ([]byte, error) {
		r, err := cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{
			Format: page.CaptureScreenshotFormatPng, CaptureBeyondViewport: &yes, OptimizeForSpeed: &yes,
		})
		return r.Data, err
	}
}

// Axe is axe-core's source, from the file that PARLEY_AXE names (`npm install
// axe-core` puts it into node_modules/axe-core/axe.min.js). Where it is empty,
// pages are looked at and not judged.
var Axe = sync.OnceValues(func() (string, error) {
	path := os.Getenv("PARLEY_AXE")
	if path == "" {
		if needed() {
			return "", errors.New("PARLEY_AXE does not name axe-core's axe.min.js")
		}
		return "", nil
	}
	b, err := os.ReadFile(path)
	return string(b), err
})

// Violations is a script that gives, as a list in JSON, what axe-core finds
// wrong with a page into which Axe was put.
const Violations = `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r => JSON.stringify(r.violations.map(v => v.id + ": " + v.nodes.map(n => n.target.join(" ") + " " + n.failureSummary).join(" | "))))`
