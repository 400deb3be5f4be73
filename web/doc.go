// Package web is Parley in a browser: pages that this computer serves to
// itself.
//
// New makes the application from a Config, which brings the functions that
// create, open and close the vault. Serve it with net/http on a loopback
// address that is in Config.Hosts, and open App.Link in the browser. Pages
// work without their script; with it, what changes arrives by itself.
//
// # What keeps other pages and programs out
//
// Whoever can send a request to a loopback port is not yet the person at the
// computer: any page in the same browser can, and a cookie is sent to every
// port of a host, so another server on this computer sees it. So:
//
//   - The Host must be one that was configured (DNS rebinding).
//   - Everything lies under /p/<secret>/, a path made at random for each run.
//     No other server learns it (Referrer-Policy: same-origin; another port is
//     another origin). It is also what other software calls a form
//     token: who can't name the path can't post a form.
//   - A request there must also carry a cookie, which /open gives once for a
//     one-time token. Neither opens anything alone: a copied address lacks
//     the cookie, a server on another port that was sent the cookie lacks
//     the path.
//   - Requests that a browser says come from another origin are refused, GETs
//     too (Sec-Fetch-Site, Origin, http.CrossOriginProtection), and so is
//     whatever would put a page into a frame.
//   - A strict Content-Security-Policy, no-store, nosniff, and headers that
//     keep pages of other origins apart.
//
// Whatever is refused there gets the same bare answer, so that a page can't
// even tell what listens.
//
// # Files
//
// app.go (Config, the vault's life), guard.go (the above), routes.go, page.go
// (templates), view.go (what all pages share), form.go, live.go (streams),
// and one file for each group of pages: door.go (first run, unlock),
// home.go, start.go, join.go, room.go, seats.go, plan.go (the seat plan as a
// picture), invite.go, spoken.go (words read aloud), settings.go, rehearse.go.
package web
