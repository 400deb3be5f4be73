// Package sim plays whole clients, with their vaults, against a whole relay,
// over a network in memory and under fake time: everything runs in one
// testing/synctest bubble. A World's schedule comes from a seed, which a test
// prints. The network loses, cuts, delays and corrupts; the relay and the
// clients crash and come back from their disks.
//
// It is for tests only. Start with New and World.Person.
package sim
