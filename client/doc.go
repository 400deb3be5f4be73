// Package client is one running participant: the only room where the channel,
// the dialogue, the vault and the relay meet.
//
// Create or Open gives a Client on a vault. Run keeps every dialogue in step
// with its relay; Sync does so once, for scripts. The rest is what a person
// does: Start, Invite, Join, Approve, Say, ReadWords, Remove, Leave; and what
// a person sees: Dialogues, Messages, Subscribe.
//
// Two rules hold everywhere. What was read is one vault transaction for a
// page of cells, durable before any of it is shown. Nothing leaves that the
// vault does not hold: an entry is made, with its very cells, in one
// transaction, and after a crash the same bytes go again.
//
// Files: client.go (open and close), member.go (one dialogue: its state in
// memory and in the vault), read.go (cells in), fold.go (entries into what is
// kept), outbox.go (entries out), net.go (the loops that talk to the relay),
// chores.go (what falls due by itself), invite.go, watch.go and join.go (cards),
// daily.go (keys of the day), destroy.go (old boxes), charter.go (what a
// newcomer learns), pasts.go (where it was told two), sides.go (side rooms),
// files.go, door.go (others' doors, and who sleeps), return.go (one's own way
// back), witness.go (where one was let in, by the others), lostroom.go (side
// rooms that were lost), readings.go (words read aloud), doubt.go (who
// contradicts what was read), faithful.go (whether the relay gives what it
// gave), attempt.go (commits that do not count), silence.go (who was not
// heard), expire.go (what disappears), messages.go and show.go (what faces see).
package client
