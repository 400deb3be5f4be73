// Package mls is Messaging Layer Security, RFC 9420: groups whose members
// share keys that change with every commit, so that who is removed reads
// nothing afterwards, and who is broken into heals.
//
// A newcomer to the package calls, in this order: GenerateSignatureKey; then
// NewGroup to found a group, or NewKeyPackage and, once somebody has added it,
// Join. In a group: Seal and Open for messages, StageUpdate for fresh keys
// and Propose when that was read back, Stage to make a commit and Merge likewise, Enter for the commit
// of another. Export gives keys for other uses.
//
// State goes in and out: there is no I/O and no clock. State lists the records
// of a new group; every operation returns a Delta to them, whose size grows
// with the logarithm of the group for a commit and not at all for a message;
// Load takes the records up again. Store a Delta before acting on the result:
// before a message is sent, before what was opened is shown.
//
// Commits are judged in two stages. Open checks all that every member of the
// epoch can check, and gives the commit back staged; the caller judges whom it
// adds and removes; Enter then finds out what only this member can see, and
// returns a *LostError if it can't follow. Nothing is kept of past epochs, so
// messages must be opened in an order that all members share.
//
// What of the RFC a group refuses, though it is decoded: PublicMessage,
// external commits and proposals, proposals other than Add, Update and Remove,
// pre-shared keys, credentials other than basic, Welcomes without the ratchet
// tree. See ErrUnsupported. A member keeps its credential: who is to have
// another is removed and added. Checks that need a clock, a list of known
// people or other groups are the caller's: lifetimes, identities, group ids.
//
// docs/mls-validation.md lists every rule with its function and its test.
package mls
