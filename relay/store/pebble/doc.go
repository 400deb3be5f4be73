// Package pebble is the relay's embedded engine: a relay.Store on
// cockroachdb/pebble, for one machine and one process. Open opens it.
//
// # What lies on the disk
//
// Keys of the database, id being the 32 bytes of a box id:
//
//	'b' id            the box's record: state, head, first cell kept, terms
//	'c' id position   a cell, sealed; position has 4 bytes, big-endian
//	'h' id tag        the position of the cell with that tag
//
// Each box that has cells has a key of its own in the file "keys", which is
// overwritten in place and holds nothing else. Cells are sealed with AES-256-GCM
// under that key, with random nonces: a position alone would not do, for what a
// crash took back may still lie on the disk, sealed under the same position. A
// tag is an HMAC of the cell's hash under the same key. So when the key is
// overwritten, because the box was destroyed or its last cell expired, what is
// left in the database says nothing any more; the space comes back when pebble
// compacts. Not promised: that a flash medium or a copying file system keeps no
// older version of the key file underneath.
//
// # Durability
//
// An append is acknowledged after the write-ahead log is synced, one sync for
// all that wait. Pebble shows a write before it is synced; a reader here never
// sees past what is.
package pebble
