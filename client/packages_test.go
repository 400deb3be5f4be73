package client

import (
	"testing"
	"time"

	"parley/dialogue"
	"parley/mls"
)

// TestPackagesAreChecked: what was found good is good again, for its seat
// alone, and what is not never is.
func TestPackagesAreChecked(t *testing.T) {
	sig, err := mls.GenerateSignatureKey(Suite)
	if err != nil {
		t.Fatal(err)
	}
	seat, other := dialogue.NewSeatID(), dialogue.NewSeatID()
	kp, _, err := mls.NewKeyPackage(Suite, seat[:], sig, lifetime(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	good := kp.Marshal()
	bad := kp.Marshal()
	bad[len(bad)-1] ^= 1 // of its signature
	var p packages
	for range 2 {
		if _, err := p.check(bad, seat); err == nil {
			t.Error("a wrong signature is good")
		}
		if got, err := p.check(good, seat); err != nil || string(got.Marshal()) != string(good) {
			t.Errorf("%v", err)
		}
		if _, err := p.check(good, other); err == nil {
			t.Error("it is good for another seat")
		}
	}
}
