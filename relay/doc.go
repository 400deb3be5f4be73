// Package relay is the wire between a participant and the host: boxes, cells,
// the one request there is, and a client for it.
//
// Start with NewBoxKey and BoxKey.Box, which make a box out of a secret;
// ParseAddress, which says where the relay is; and Client.Do, which appends
// one cell, reads some, or waits for one. A cell is 4,096 bytes that look
// random; a box is a gapless sequence of them that nobody can reorder later.
//
// The relay never sees a BoxKey. It sees tokens made from it, and a box id that
// is a hash over the hashes of those tokens, the retention and the idle days:
// nobody can open a box on other terms than its makers meant.
//
// Every request has one size, and the size of an answer follows from the mode
// alone, whatever the outcome. docs/wire.md has both, byte by byte.
//
// Store is the contract of the engines that keep boxes; package server is the
// HTTP face, storetest judges engines. Nothing here knows what a cell says:
// nothing under this folder imports mls, dialogue, sounding, hat, channel or
// vault.
package relay
