// Package vault keeps what one person's Parley knows in one encrypted file.
//
// Call Create once, with a passphrase, then Open. Read inside View, write
// inside Update: when Update returns nil, all that its function wrote is on
// the disk; otherwise none of it is. A Tx leads to Spaces: Global for what
// belongs to the person, NewDialogue and Dialogue for what belongs to one
// dialogue. A Space is an ordered map from byte strings to byte strings. Burn
// forgets a dialogue.
//
// Who opens and closes often calls Unlock once, which does the slow work on
// the passphrase, and then OpenKey, which takes milliseconds. CreateThrowaway
// makes a vault that nobody can open again.
//
// # What lies in the folder
//
//	vault.key   131 bytes: the database's key, sealed under the passphrase
//	            (header.go has the format)
//	vault.db    SQLite through the adiantum VFS; vault.db-wal beside it while
//	            it is open, or after a crash
//	vault.lock  locked by the process that holds the vault; says which it is
//
// The database's key is random. Two keys come from it: one for the pages of
// the file, one that seals the values of the global space. Each dialogue has a
// random key of its own, in a row of the database, that seals its values. So a
// value that was altered is not handed out: whatever a space holds was written
// by somebody who had its key, under that name.
//
// # What it does not do
//
// Files have sizes and times of change: whoever has the disk sees about how
// much there is and when it was last used, but no name, count or date inside.
// The file as a whole has no signature: an older copy of it opens too, and so
// does one whose last transactions were cut off from the WAL. Package channel
// notices that, since the log holds entries that the vault does not.
//
// What is deleted is overwritten with zeros in the database, and is gone from
// the WAL once that is cut to nothing: after every Burn, at Checkpoint and
// Close, and by Tidy when nothing is being written. Until then it is written
// back, and from its beginning over, every 4 MiB. What a flash medium keeps
// underneath, nobody can promise.
package vault
