package mls

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "make testdata/stored-*.json anew; only for a new state version")

// stored is what members of a group had in their stores one day, when a commit
// was on its way; our own vectors.
type stored struct {
	Members       []map[string]octets // records of members 0 and 1, keys in hexadecimal
	KeyPackage    octets
	Secrets       octets
	Pending       octets   // commit of member 0
	Messages      []octets // MLSMessages: one of each kind
	Authenticator octets   // of the epoch after the commit
}

func (o octets) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(o)), nil }

func storedFile(s CipherSuite) string {
	if s == Hybrid {
		return filepath.Join("testdata", "stored-v1-hybrid.json")
	}
	return filepath.Join("testdata", "stored-v1-suite1.json")
}

// newStored makes a group of four, in which member 1 has proposed an update and
// member 0 commits to it, to the removal of member 2 and to a newcomer.
func newStored(t *testing.T, suite CipherSuite) *stored {
	r := newRoom(t, suite, 4)
	r.say(r.members[1], "before")
	r.update(r.members[1], must(GenerateSignatureKey(suite))(t))
	kp, secrets := keyPackage(t, suite, "new")
	g := r.members[0].group
	s := &stored{KeyPackage: kp.Marshal(), Secrets: secrets.Marshal()}
	application, _, err := g.Seal([]byte("aad"), []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := g.Stage([]byte("aad"), CommitContent{Adds: []*KeyPackage{kp}, Removes: []LeafIndex{2}})
	if err != nil {
		t.Fatal(err)
	}
	s.Pending, s.Authenticator = p.Marshal(), p.epoch.authenticator
	s.Messages = []octets{application, p.Message, p.Welcome, kp.Marshal()}
	for _, kind := range []ContentType{Application, Proposal, Commit} {
		a := g.newContent([]byte("aad"), content{kind, []byte("text"), remove(1), p.content.commit})
		a.format = formatPublic
		a.sign(g.signature, g.encodedContext)
		m := &publicMessage{framedContent: a.framedContent, auth: a.auth}
		if kind == Commit {
			m.auth.confirmationTag = g.confirmationTag
		}
		m.membershipTag = m.membershipMAC(g.suite, []byte("key"), g.encodedContext)
		s.Messages = append(s.Messages, (&message{format: formatPublic, public: m}).marshal())
	}
	info := &groupInfo{context: g.context, extensions: []extension{{extensionRatchetTree, g.tree.appendTo(nil)}}, confirmationTag: g.confirmationTag}
	s.Messages = append(s.Messages, (&message{format: formatGroupInfo, groupInfo: info}).marshal())
	for _, member := range r.members[:2] {
		records := map[string]octets{}
		for _, pair := range member.group.State() {
			records[hex.EncodeToString([]byte(pair.Key))] = pair.Value
		}
		s.Members = append(s.Members, records)
	}
	return s
}

func readStored(t testing.TB, suite CipherSuite) *stored {
	t.Helper()
	var s stored
	if err := json.Unmarshal(must(os.ReadFile(storedFile(suite)))(t), &s); err != nil {
		t.Fatal(err)
	}
	return &s
}

// member takes up a member from its records.
func (s *stored) member(t testing.TB, i int) *Group {
	t.Helper()
	var records []Pair
	for key, value := range s.Members[i] {
		records = append(records, Pair{string(must(hex.DecodeString(key))(t)), value})
	}
	return must(Load(records))(t)
}

// TestStored: what was stored by any version opens in this one, and goes on
// from where it was.
func TestStored(t *testing.T) {
	seedRandom(t)
	for _, suite := range []CipherSuite{MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, Hybrid} {
		t.Run(suite.String(), func(t *testing.T) {
			if *update {
				b := must(json.MarshalIndent(newStored(t, suite), "", "\t"))(t)
				if err := os.WriteFile(storedFile(suite), append(b, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			s := readStored(t, suite)
			committer, follower := s.member(t, 0), s.member(t, 1)
			opened, _, err := follower.Open(s.Messages[0])
			if err != nil || string(opened.Application) != "text" {
				t.Fatalf("the stored message: %v", err)
			}
			if opened, _, err = follower.Open(s.Messages[1]); err != nil {
				t.Fatal(err)
			}
			must(follower.Enter(opened.Commit))(t)
			must(committer.Merge(must(ParsePendingCommit(s.Pending))(t)))(t)
			newcomer := must(Join(s.Messages[2], must(ParseKeyPackageSecrets(s.Secrets))(t)))(t)
			for _, g := range []*Group{committer, follower, newcomer} {
				equal(t, "epoch authenticator", g.EpochAuthenticator(), s.Authenticator)
			}
			m, _, err := newcomer.Seal(nil, []byte("hello"))
			if err != nil {
				t.Fatal(err)
			}
			if opened, _, err = follower.Open(m); err != nil || !bytes.Equal(opened.Application, []byte("hello")) {
				t.Errorf("a message after the commit: %v", err)
			}
		})
	}
}
