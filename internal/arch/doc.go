// Package arch is the picture of the house as a test: which package may import
// which, and the two walls that matter most. It has no code of its own.
package arch
