package mls

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
)

// reachable lists all bytes that can be come to from v, to the capacity of
// their slices; what a suite or a key type of the standard library shares with
// others is not followed.
func reachable(v any) (all [][]byte) {
	seen := map[any]bool{}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if v.IsNil() || v.Type() == reflect.TypeFor[*suite]() || seen[v.Pointer()] {
				return
			}
			seen[v.Pointer()] = true
			walk(v.Elem())
		case reflect.Interface:
			walk(v.Elem())
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Map:
			for i := v.MapRange(); i.Next(); {
				walk(i.Value())
			}
		case reflect.Slice:
			if v.Type().Elem().Kind() == reflect.Uint8 {
				b := v.Bytes()
				all = append(all, b[:cap(b)])
				return
			}
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
	}
	walk(reflect.ValueOf(v))
	return all
}

// secrets are named, for the test that misses one.
type secrets map[string][]byte

// witness holds, for every member, what must be gone for good.
type witness struct {
	*room
	step string
	gone map[*person]secrets
}

// lose notes secrets that these members have no more from now on.
func (w *witness) lose(list secrets, people ...*person) {
	for _, p := range people {
		if w.gone[p] == nil {
			w.gone[p] = secrets{}
		}
		for name, value := range list {
			if len(value) == 0 {
				w.t.Fatalf("%s: %s is empty", w.step, name)
			}
			w.gone[p][w.step+": "+name] = value
		}
	}
}

// look searches what every member stores, and its memory.
func (w *witness) look() {
	w.t.Helper()
	for _, p := range w.members {
		p.checkStore()
		places := map[string][][]byte{"store": slices.Collect(maps.Values(p.store)), "memory": reachable(p.group)}
		for name, value := range w.gone[p] {
			for place, all := range places {
				if slices.ContainsFunc(all, func(b []byte) bool { return bytes.Contains(b, value) }) {
					w.t.Errorf("after %s the %s of %s has %q", w.step, place, p.name, name)
				}
			}
		}
	}
}

// consumed are the secrets that lead to generation last of a ratchet of leaf l,
// with its keys, and the keys of the generations before it.
func consumed(g *Group, encryption []byte, l LeafIndex, kind ratchetKind, last uint32) (gone, skipped secrets) {
	used, before := allSecrets(g.suite, g.tree.size(), encryption, l, kind, last)
	gone, skipped = secrets{}, secrets{}
	for i, value := range used {
		gone[fmt.Sprintf("%s secret %d of leaf %d", ratchetLabels[kind], i, l)] = value
	}
	for i, value := range before {
		skipped[fmt.Sprintf("%s keys %d of leaf %d", ratchetLabels[kind], i, l)] = value
	}
	return gone, skipped
}

// ofCommit derives by the book the secrets that a commit passes through: those
// that nobody needs once the epoch has begun. g is a member next to the
// committer, so that it sees the first path secret.
func ofCommit(t *testing.T, g *Group, c *StagedCommit) secrets {
	s, list := g.suite, secrets{}
	keys, _ := g.ownKeys(c)
	targets := c.tree.copathTargets(c.path[0].copath, c.added)
	i := slices.IndexFunc(targets, func(x nodeIndex) bool { return keys[x] != nil })
	context := c.provisional()
	first := must(s.decryptWithLabel(keys[targets[i]], "UpdatePathNode", context.encode(), c.content.commit.path.nodes[0].secrets[i]))(t)
	path, _, commitSecret := s.pathKeys(first, len(c.path))
	for i, secret := range path {
		list[fmt.Sprint("path secret ", i)] = secret
		list[fmt.Sprint("node secret ", i)] = s.deriveSecret(secret, "node")
	}
	context.confirmedTranscriptHash = s.confirmedHash(g.interim(), c.content)
	encoded := context.encode()
	joiner := s.joinerSecret(g.epoch.init, commitSecret, encoded)
	member := s.memberSecret(joiner, s.zero())
	epoch := s.epochSecret(member, encoded)
	list["commit secret"], list["joiner secret"], list["member secret"], list["epoch secret"] = commitSecret, joiner, member, epoch
	list["welcome secret"] = s.welcomeSecret(member)
	list["welcome key"], _ = s.welcomeKeys(list["welcome secret"])
	list["confirmation key"] = s.deriveSecret(epoch, "confirm")
	return list
}

// ofEpoch are the secrets that a member holds and that end with the epoch.
func ofEpoch(p *person, c *StagedCommit) secrets {
	g := p.group
	list := secrets{"init secret": g.epoch.init, "sender data secret": g.epoch.senderData, "exporter secret": g.epoch.exporter, "epoch authenticator": g.epoch.authenticator}
	for key, value := range g.secrets.records {
		list[fmt.Sprintf("record %q", key)] = bytes.Clone(value)
	}
	for x, key := range g.keys { // those of nodes that the commit blanks or replaces
		if int(x) >= len(c.tree.nodes) || c.tree.nodes[x].blank() || !bytes.Equal(c.tree.nodes[x].key(), g.tree.nodes[x].key()) {
			list[fmt.Sprint("private key of node ", x)] = key
		}
	}
	return list
}

// TestForwardSecrecy is RFC 9420 §9.2, §7.5 and §16.8: after each operation
// neither what is stored nor the memory of any member holds a secret that is
// consumed, then or later.
func TestForwardSecrecy(t *testing.T) {
	forSuites(t, func(t *testing.T, id CipherSuite) {
		w := &witness{room: newRoom(t, id, 5), gone: map[*person]secrets{}}
		encryption := func() []byte { return bytes.Clone(w.members[0].store[secretKey(w.members[0].group.tree.root())]) }
		e := encryption()
		from, to := w.members[3], w.members[1]

		w.step = "send and receive"
		w.say(from, "text")
		gone, _ := consumed(to.group, e, from.group.own, ratchetApplication, 0)
		w.lose(gone, w.members...)
		w.look()

		w.step = "skip"
		var messages [][]byte
		for range 3 {
			m, d, err := from.group.Seal(nil, []byte("text"))
			if err != nil {
				t.Fatal(err)
			}
			from.save(d)
			messages = append(messages, m)
		}
		open := func(m []byte, people ...*person) *Opened {
			t.Helper()
			var opened *Opened
			for _, p := range people {
				o, d, err := p.group.Open(m)
				if err != nil {
					t.Fatal(err)
				}
				p.save(d)
				opened = o
			}
			return opened
		}
		open(messages[2], to)
		gone, skipped := consumed(to.group, e, from.group.own, ratchetApplication, 3)
		w.lose(gone, from, to)
		w.lose(skipped, from)
		w.look()
		for name := range skipped {
			if name != "application keys 0 of leaf 3" && !holds(to.store, skipped[name]) {
				t.Errorf("%s are gone, though nothing was opened by them", name)
			}
		}
		open(messages[0], to)
		open(messages[1], to)
		w.lose(skipped, to)
		w.look()

		w.step = "propose"
		newSig := must(GenerateSignatureKey(id))(t)
		w.update(to, newSig)
		gone, _ = consumed(to.group, e, to.group.own, ratchetHandshake, 0)
		w.lose(gone, w.members...)
		w.look()

		w.step = "drop"
		dropped := w.members[4]
		w.update(dropped, must(GenerateSignatureKey(id))(t))
		p := dropped.group.pending[1]
		for _, m := range w.members {
			m.save(m.group.Drop(p.ref))
		}
		w.lose(secrets{"leaf key of an update": p.own.leafPrivate, "signature key of an update": p.own.signature.raw}, dropped)
		w.look()

		// A rival commit, which loses, and an update that is not committed.
		rival, d, err := w.members[4].group.Stage(nil, CommitContent{})
		if err != nil {
			t.Fatal(err)
		}
		w.members[4].save(d)
		w.step = "stage"
		for x, key := range rival.private {
			w.lose(secrets{fmt.Sprint("private key of node ", x): key}, w.members[4])
		}
		w.lose(secrets{"init secret": rival.epoch.init, "encryption secret": rival.encryption}, w.members[4])
		w.update(w.members[0], nil) // the committer's own, which its path makes pointless
		own := w.members[0].group.pending[1].own
		gone, _ = consumed(to.group, e, w.members[4].group.own, ratchetHandshake, 1)
		w.lose(gone, w.members[4])
		w.look()

		kp, newcomer := keyPackage(t, id, "new")
		pending, d, err := w.members[0].group.Stage(nil, CommitContent{Adds: []*KeyPackage{kp}, Removes: []LeafIndex{2}, NewSignature: must(GenerateSignatureKey(id))(t)})
		if err != nil {
			t.Fatal(err)
		}
		w.members[0].save(d)
		w.step = "commit"
		staged := open(pending.Message, w.members[1]).Commit
		book := ofCommit(t, w.members[1].group, staged)
		kept := reachable(pending)
		for name, value := range book {
			if bytes.Contains(pending.Marshal(), value) || slices.ContainsFunc(kept, func(b []byte) bool { return bytes.Contains(b, value) }) {
				t.Errorf("a pending commit holds the %s", name)
			}
		}
		w.look()

		w.step = "merge and enter"
		removed, opened := w.members[2], map[*person]*StagedCommit{to: staged}
		for _, p := range w.members[2:] {
			opened[p] = open(pending.Message, p).Commit
		}
		for _, p := range w.members {
			if p != removed {
				w.lose(ofEpoch(p, staged), p)
				w.lose(book, p)
			}
		}
		founder := w.members[0]
		w.lose(secrets{"leaf key of an own update": own.leafPrivate, "signature key": bytes.Clone(founder.group.signature.raw)}, founder)
		w.lose(secrets{"signature key": bytes.Clone(to.group.signature.raw)}, to)
		founder.save(must(founder.group.Merge(must(ParsePendingCommit(pending.Marshal()))(t)))(t))
		for p, c := range opened {
			d, err := p.group.Enter(c)
			if p == removed {
				if !errors.Is(err, ErrRemoved) || !d.Empty() {
					t.Errorf("who was removed got %v", err)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			p.save(d)
		}
		joined := newPerson(t, "new")
		joined.group = must(Join(pending.Welcome, must(ParseKeyPackageSecrets(newcomer.Marshal()))(t)))(t)
		joined.saveAll()
		w.members = append(slices.Delete(w.members, 2, 3), joined)
		w.lose(book, joined)
		w.lose(secrets{"init key": newcomer.initPrivate}, joined)
		w.check()
		w.look()
		if got := to.group.signature.raw; !bytes.Equal(got, newSig.raw) {
			t.Error("the committed update's signature key is not in use")
		}

		// Who was removed has nothing of the new epoch, and stays as it was.
		future := secrets{"encryption secret": encryption(), "init secret": joined.group.epoch.init, "exporter secret": joined.group.epoch.exporter}
		for name, value := range book {
			future[name] = value
		}
		for name, value := range future {
			if holds(removed.store, value) || slices.ContainsFunc(reachable(removed.group), func(b []byte) bool { return bytes.Contains(b, value) }) {
				t.Errorf("who was removed has the %s", name)
			}
		}

		w.step = "send and receive after joining"
		e = encryption()
		w.say(joined, "text")
		gone, _ = consumed(to.group, e, joined.group.own, ratchetApplication, 0)
		w.lose(gone, w.members...)
		w.look()
		w.step = "an empty commit"
		w.commit(w.members[2], CommitContent{})
		w.look()
	})
}
