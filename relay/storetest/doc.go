// Package storetest judges implementations of relay.Store by what its comment
// promises: order, durability, retries, expiry, destruction, and all of that
// across crashes. A test of an engine calls Run with its kind of Machine.
package storetest
