//go:build rogue

package mls

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// TestSpoilt: a commit that is spoilt passes all that every member can check,
// and leaves exactly those out who share a ciphertext with one it was spoilt
// for. Its maker goes on.
func TestSpoilt(t *testing.T) {
	for name, c := range map[string]struct {
		what Spoil
		lost []string
	}{
		"one":        {Spoil{Leaves: []LeafIndex{2}}, []string{"2"}},
		"other":      {Spoil{Secret: []LeafIndex{1}}, []string{"1"}},
		"everybody":  {Spoil{Leaves: []LeafIndex{1, 2, 3}}, []string{"1", "2", "3"}},
		"the tag":    {Spoil{Tag: true}, []string{"1", "2", "3"}},
		"a newcomer": {Spoil{Newcomer: true}, nil},
		"a Welcome":  {Spoil{Welcome: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, 1)
			r.add(r.members[0], "1", "2", "3") // unmerged: each has a ciphertext of its own
			by := r.members[0]
			kp, secrets := keyPackage(t, r.suite, "4")
			p, d, err := by.group.StageSpoilt([]byte("aad"), CommitContent{Adds: []*KeyPackage{kp}}, c.what)
			if err != nil {
				t.Fatal(err)
			}
			by.save(d)
			var lost []string
			for i, m := range r.members[1:] {
				opened, d, err := m.group.Open(p.Message)
				if err != nil {
					t.Fatalf("%d: %v", i+1, err)
				}
				m.save(d)
				if _, err := m.group.Enter(opened.Commit); err != nil {
					lost = append(lost, fmt.Sprint(i+1))
				}
			}
			if !slices.Equal(lost, c.lost) {
				t.Errorf("lost are %q, not %q", lost, c.lost)
			}
			by.save(must(by.group.Merge(p))(t))
			if _, err := Join(p.Welcome, secrets); (err == nil) == (c.what.Welcome || c.what.Newcomer) {
				t.Errorf("the newcomer: %v", err)
			}
		})
	}
}

// TestForged: a message on somebody's next generation, signed by another, is
// refused, and uses nothing up: that one's own message opens afterwards.
func TestForged(t *testing.T) {
	r := newRoom(t, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, 3)
	for range 3 {
		m, err := r.members[0].group.ForgeAs(1, nil, []byte("not mine"))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.members[2].group.Open(m); err == nil {
			t.Fatal("a message that somebody else signed opens")
		}
	}
	r.say(r.members[1], "mine")
}

// TestForgedAgain: what one member signed and another encrypts once more is
// refused by all, and uses nothing up: the message itself opens afterwards. Without
// the bound, it would open.
func TestForgedAgain(t *testing.T) {
	for name, how := range map[string]Alteration{"later": {Later: 1}, "far": {Later: 900}, "guard": {Guard: true}, "padding": {Padding: 1}, "both": {Later: 2, Guard: true}} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, 3)
			from, rogue, other := r.members[0], r.members[1], r.members[2]
			for _, kind := range []ContentType{Application, Proposal, Commit} {
				generation := from.group.Generation(kind)
				m, d, err := made(from.group, kind)
				if err != nil {
					t.Fatal(err)
				}
				from.save(d)
				again := must(rogue.group.Alter(m, how))(t)
				if _, d, err := other.group.OpenBound(again, generation); !errors.Is(err, ErrAltered) || !d.Empty() {
					t.Errorf("kind %d: %v", kind, err)
				}
				if _, d, err := from.group.OpenBound(again, generation); err == nil || errors.Is(err, ErrOwnAhead) || !d.Empty() {
					t.Errorf("kind %d, its sender: %v", kind, err)
				}
				other.checkStore()
				twin := must(Load(other.group.State()))(t)
				if _, _, err := twin.Open(again); err != nil {
					t.Errorf("kind %d: what was made can't be opened at all: %v", kind, err)
				}
				for _, p := range r.members[1:] {
					opened, d, err := p.group.OpenBound(m, generation)
					if err != nil || opened.Kind != kind {
						t.Fatalf("kind %d: %v", kind, err)
					}
					p.save(d)
				}
			}
		})
	}
}

// made is a message of a kind.
func made(g *Group, kind ContentType) ([]byte, Delta, error) {
	switch kind {
	case Application:
		return g.Seal(nil, []byte("text"))
	case Proposal:
		p, d, err := g.StageUpdate(nil, nil)
		if err != nil {
			return nil, d, err
		}
		return p.Message, d, nil
	default:
		p, d, err := g.Stage(nil, CommitContent{})
		if err != nil {
			return nil, d, err
		}
		return p.Message, d, nil
	}
}
