// Package mutants shows that the tests of the house can fail. A mutant is the
// program with one rule of the design taken out: a file of it with other text
// in one place, built over the real one (go build -overlay). For each, a test
// that is named beside it has to fail.
//
// Who changes a line that a mutant takes out gets told so by TestMutants, and
// adapts the tables: dialogue_test.go, client_test.go, crypto_test.go (mls and
// channel), keep_test.go (vault and relay). Who makes a rule adds its mutant.
// It has no code of its own.
package mutants
