// Package wire decodes what comes from disk, from the network or from another
// member, all of it hostile: every length is checked against what is left
// before anything is allocated, and nothing may trail.
//
// Reader reads the presentation language of TLS as RFC 9420 §2.1 uses it;
// the Append functions write it. Marshal and Unmarshal are for deterministic
// CBOR (RFC 8949 §4.2.1), the form of events and of what the vault keeps.
// limits.go has every size that two packages must agree on.
package wire
