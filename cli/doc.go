// Package cli is Parley in a terminal, and the start of Parley in a browser.
//
// Main does what the arguments say and gives the exit code. Without arguments
// it serves the application on loopback and opens the browser; with a command
// it does one thing to the vault and ends.
//
// # Exit codes
//
//	0  done
//	1  failure
//	2  usage: an argument, a flag or a value that can't be
//	3  passphrase: wrong, missing or too short
//	4  not found, or a prefix that means several things
//	5  against the rules of the dialogue, or of its cards
//	6  waiting: for the others, or for the relay; nothing is lost
//	7  the vault is in use by another process
//	8  safety warning: sync, read, say, seats or doctor met an alarm that none
//	   of them had shown before (they did their work), the relay does not give
//	   what it gave before, the words heard were not the right ones, or a
//	   room founded again does not fit together
//
// exit.go is the one place that maps errors to them.
//
// # Output
//
// What a command was asked for goes to stdout, what else there is to say to
// stderr. With --json stdout has one object a line, whose first field is
// "id". Names and texts are other people's: control characters in them are
// made harmless before they reach a terminal.
//
// # Files
//
// main.go (flags, commands), help.go (their texts, in the language of the
// environment until a vault is open), exit.go, vault.go (where it lies, how it opens),
// output.go, deliver.go (what went out, and alarms), and one file for each
// group of commands: begin.go, dialogues.go, seats.go, join.go, return.go, found.go, talk.go,
// sync.go, words.go, doctor.go, relay.go, rehearse.go. The application is app.go,
// with handoff.go (a second process finds the first), host.go (the relay
// inside) and browser.go.
package cli
