// Package mutants shows that the tests of the house can fail. A mutant is the
// program with one rule of the design taken out: a function of it with other
// text in one place. For each, a test that is named beside it has to fail.
//
// To build a test for each mutant would take most of the time. So the tests of
// a package are built once, over sources (go build -overlay) that have all
// mutants in them, and a variable of the environment says which rule to do
// without: build_test.go. With none, the same binaries have to pass.
//
// Who changes a line that a mutant takes out gets told so by TestMutants, and
// adapts the tables: dialogue_test.go, client_test.go, crypto_test.go (mls and
// channel), keep_test.go (vault and relay), reach_test.go. Who makes a rule adds its mutant.
// It has no code of its own.
package mutants
