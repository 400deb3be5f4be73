// Package rehearsal plays the others, so that one person can try everything.
//
// Start makes a throw-away vault for the person, a relay on loopback, and
// partners: real clients with vaults of their own, which talk through that
// relay with the encryption of every day. Then give Me and Dialogue to a face,
// offer Actions, hand what the person chooses to Do, and Close in the end,
// which deletes everything.
//
// Partners take the cards that the person makes, agree to newcomers of the
// other sides, answer, listen to words read aloud, and do on request what
// Actions lists. What they say is data (en.json), chosen by a seed.
//
// Files: rehearsal.go (its life), director.go (what the person does, and who
// answers), partner.go (what a partner does by itself), actions.go, lines.go.
package rehearsal
