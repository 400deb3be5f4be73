package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"slices"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/mls"
	"parley/vault"
)

// Founding the room again, and accepting that somebody did: both are done by
// people, one by one. Whoever accepts has heard its founder read words aloud.

// Errors of founding again.
var (
	ErrNotLost     = errors.New("the room is not lost")
	ErrNobodyWaits = errors.New("nobody else says that they have lost the room")
	ErrNoFounding  = errors.New("nobody has founded the room again")
	ErrFounding    = errors.New("the room that was founded again can't be entered from here")
)

// FoundAgain founds the room again without who left this vault out, and with
// those whose posts at their doors say that they have lost it, too. The founder
// sits in it at once; the others enter when their persons accept it.
func (c *Client) FoundAgain(ctx context.Context, id ID) error {
	m, err := c.member(id)
	if err != nil {
		return err
	}
	if err := m.foundAgain(); err != nil {
		return err
	}
	return offline(m.push(ctx))
}

func (m *member) foundAgain() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.nobodyFollows() {
		return ErrNotLost
	}
	if r := m.state.MayFound(m.acct.Me, m.acct.Away.By); r != dialogue.ReasonNone {
		return &RuleError{Reason: r}
	}
	content, group, err := m.newFounding()
	if err != nil {
		return err
	}
	j, ok := m.judge(content) // what goes out is what others take
	if !ok {
		return ErrFounding
	}
	err = m.update(func(sp *vault.Space) error {
		if err := m.tellFounding(sp, j, content); err != nil {
			return err
		}
		if err := m.accept(sp, j, content); err != nil {
			return err
		}
		return m.enterFounding(sp, j, group)
	})
	m.interrupt()
	return err
}

// newFounding makes the group and what the others are told of it.
func (m *member) newFounding() ([]byte, *mls.Group, error) {
	a := m.acct.Away
	var members []dialogue.FoundingMember
	for _, r := range m.alsoLost() {
		kp, err := m.c.packages.check(r.Package, r.Signed.Post.Seat)
		if err != nil {
			return nil, nil, err // it was checked when it was read
		}
		members = append(members, dialogue.FoundingMember{Return: r, Key: kp.SignatureKey()})
	}
	members = members[:min(len(members), wire.MaxSeats-1)]
	members, group, welcome, err := m.newGroup(members)
	if err != nil {
		return nil, nil, err
	}
	if len(members) == 0 {
		return nil, nil, ErrNobodyWaits
	}
	former := m.state.Marshal()
	f := dialogue.Founding{
		Founder: m.acct.Me, Without: a.By, Time: uint64(m.c.opt.Now().UnixMilli()), Former: hashOf(former), Group: group.GroupID(),
		Key: group.SignatureKey().Public(), Members: members, Welcome: hashOf(welcome),
	}
	rand.Read(f.Nonce[:])
	var keys []ed25519.PrivateKey
	for _, k := range a.Keys {
		keys = append(keys, ed25519.NewKeyFromSeed(k))
	}
	return wire.Marshal(foundingParcel{Signed: f.Sign(keys...), Former: former, Welcome: welcome}), group, nil
}

// newGroup makes a group with those of members that fit into it: a key package
// can be good by itself and have a key that another has, too.
func (m *member) newGroup(members []dialogue.FoundingMember) ([]dialogue.FoundingMember, *mls.Group, []byte, error) {
	all, group, welcome, err := m.groupOf(members)
	if err == nil || len(members) == 0 {
		return all, group, welcome, err
	}
	var fit []dialogue.FoundingMember
	for _, x := range members {
		if _, _, _, err := m.groupOf(append(slices.Clip(fit), x)); err == nil {
			fit = append(fit, x)
		}
	}
	return m.groupOf(fit)
}

func (m *member) groupOf(members []dialogue.FoundingMember) ([]dialogue.FoundingMember, *mls.Group, []byte, error) {
	sig, err := mls.GenerateSignatureKey(Suite)
	if err != nil {
		return nil, nil, nil, err
	}
	group, err := mls.NewGroup(Suite, randomGroup(), m.acct.Me[:], sig, lifetime(m.c.opt.Now()))
	if err != nil {
		return nil, nil, nil, err
	}
	var content mls.CommitContent
	for _, x := range members {
		kp, err := mls.ParseKeyPackage(x.Return.Package)
		if err != nil {
			return nil, nil, nil, err
		}
		content.Adds = append(content.Adds, kp)
	}
	p, _, err := group.Stage(nil, content)
	if err != nil {
		return nil, nil, nil, err
	}
	_, err = group.Merge(p)
	return members, group, p.Welcome, err
}

// tellFounding puts a founding of one's own at the doors of all but who left
// the others out.
func (m *member) tellFounding(sp *vault.Space, j *judged, content []byte) error {
	doors := map[dialogue.Key]bool{}
	for i := range j.former.Seats {
		x := &j.former.Seats[i]
		now := j.state.Seat(x.ID)
		if x.ID != m.acct.Me && (now.Status == dialogue.In || now.Status == dialogue.Asleep) && len(x.Doors) > 0 {
			doors[x.Doors[0]] = true
		}
	}
	for _, x := range j.founding().Members {
		doors[x.Return.Signed.Post.Door] = true
	}
	for door := range doors {
		if err := m.queueParcel(sp, atDoor(door), channel.ParcelFounding, content); err != nil {
			return err
		}
	}
	return nil
}

// AcceptFounding enters the room that somebody founded again. last is the sixth
// of the words that its founder read aloud; dialogue.ErrWord says that it is
// not the word, and then nothing has changed.
func (c *Client) AcceptFounding(ctx context.Context, id ID, founder dialogue.SeatID, last string) error {
	m, err := c.member(id)
	if err != nil {
		return err
	}
	words, hash, err := m.wordsOfFounding(founder)
	if err != nil {
		return err
	}
	if !dialogue.SameWord(last, words[len(words)-1]) {
		return dialogue.ErrWord
	}
	if err := m.acceptFounding(founder, hash); err != nil {
		return err
	}
	return offline(m.push(ctx))
}

func (m *member) acceptFounding(founder dialogue.SeatID, hash dialogue.Hash) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.foundings[founder]
	switch {
	case founder == m.acct.Me || j == nil || j.hash != hash:
		return ErrNoFounding
	case !m.chooses():
		return ErrNotLost
	}
	content := wire.Marshal(j.parcel)
	words := j.words
	j, ok := m.judge(content)
	if !ok {
		return ErrNoFounding
	}
	j.words = words
	group, err := m.joinFounding(j)
	if err != nil {
		return err
	}
	err = m.update(func(sp *vault.Space) error {
		if err := m.accept(sp, j, content); err != nil {
			return err
		}
		if group == nil { // the others bring it back by its door
			return nil
		}
		return m.enterFounding(sp, j, group)
	})
	m.interrupt()
	return err
}

// LeaveFounding gives up a founding that nobody but its founder and this person
// entered: somebody turned out to be in the room that was lost, and brings the
// others back there. ErrNotLost: it is too late for that, or nothing was founded.
func (c *Client) LeaveFounding(ctx context.Context, id ID) error {
	m, err := c.member(id)
	if err != nil {
		return err
	}
	if err := m.leaveFounding(); err != nil {
		return err
	}
	return offline(m.push(ctx))
}

func (m *member) leaveFounding() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.acct.Refounding
	if !r.open() || !m.chooses() {
		return ErrNotLost
	}
	former := m.former
	return m.update(func(sp *vault.Space) error {
		if m.log != nil {
			if err := m.leaveLog(sp); err != nil {
				return err
			}
		}
		m.door = nil // a Welcome may lie there that was passed over
		m.state, m.stored = former, former.Marshal()
		m.acct.Door, m.acct.Group, m.acct.Away.Reason, m.acct.Refounding, m.former = r.Door, r.Group, r.Lost, nil, nil
		m.changed(dialogue.Plenary)
		own := sp.Put([]byte(keyState), m.stored)
		if r.Founder != m.acct.Me {
			return own
		}
		delete(m.foundings, r.Founder)
		return errors.Join(own, sp.Delete(foundingKey(r.Founder)))
	})
}

// joinFounding opens the Welcome of a founding; nil where it is not for this
// seat. Words bind the founder to what it told. This binds the group to it.
func (m *member) joinFounding(j *judged) (*mls.Group, error) {
	f := j.founding()
	keys := map[dialogue.SeatID][]byte{f.Founder: f.Key}
	for _, x := range f.Members {
		keys[x.Return.Signed.Post.Seat] = x.Key
	}
	if keys[m.acct.Me] == nil {
		return nil, nil
	}
	for _, p := range m.acct.Away.Posts {
		secrets, err := mls.ParseKeyPackageSecrets(p.Secrets)
		if err != nil {
			return nil, err
		}
		if !mls.Invites(j.parcel.Welcome, secrets.KeyPackage()) {
			continue
		}
		group, by, err := mls.JoinBy(j.parcel.Welcome, secrets)
		if err != nil || group.Suite() != Suite || group.Epoch() != dialogue.FoundingEpoch || !bytes.Equal(group.GroupID(), f.Group) ||
			seatOf(by.Identity) != f.Founder {
			return nil, ErrFounding
		}
		members := group.Members()
		for _, x := range members {
			if !bytes.Equal(keys[seatOf(x.Identity)], x.SignatureKey) {
				return nil, ErrFounding
			}
		}
		if len(members) != len(keys) {
			return nil, ErrFounding
		}
		return group, nil
	}
	return nil, ErrFounding
}

// accept goes by a founding from now on.
func (m *member) accept(sp *vault.Space, j *judged, content []byte) error {
	known := m.known()
	taken := refounding{Door: m.acct.Door, Group: m.acct.Group, Lost: m.acct.Away.Reason}
	if m.acct.Refounding != nil {
		taken = *m.acct.Refounding
	}
	if m.log != nil {
		if err := m.leaveLog(sp); err != nil { // another that was accepted, and that nobody entered
			return err
		}
	}
	f := j.founding()
	m.door = nil // it is read again: a Welcome may lie there that was passed over
	m.former, m.state, m.stored = known, j.state, j.state.Marshal()
	m.acct.Unsure = false // words were compared
	taken.Founder, taken.Hash = f.Founder, j.hash
	m.acct.Door, m.acct.Group, m.acct.Refounding = taken.Door, f.Group, &taken
	m.foundings[f.Founder] = j
	m.changed(dialogue.Plenary)
	n := dialogue.Note{Kind: NoteFoundedAgain, By: f.Founder, Seat: f.Without}
	return errors.Join(
		m.keepSure(sp, nil), sp.Put([]byte(keyFormer), known.Marshal()), sp.Put([]byte(keyState), m.stored), sp.Put(foundingKey(f.Founder), content),
		m.record(sp, n, record{}, dialogue.Entry{Event: &dialogue.Event{Time: m.c.minute()}}),
	)
}

// enterFounding begins the log of the room that was founded again. Nobody has a
// past to tell: all go on from the skeleton.
func (m *member) enterFounding(sp *vault.Space, j *judged, group *mls.Group) error {
	log, delta, err := channel.Found(group, m.acct.Terms.config())
	if err != nil {
		return err
	}
	a := &m.acct
	m.log = log
	a.Standing, a.Base, a.Awaits, a.Joining = StandingIn, group.Epoch(), false, nil
	a.Vouched, a.Disputed, a.Place, a.LetIn = nil, nil, place{}, nil
	a.Logs++
	a.Head, a.ReadAt, a.Doubts, a.Changes, a.Due = 0, 0, doubts{}, changes{}, nil
	a.Commits, a.Renewed = [maxRooms]uint64{}, [maxRooms]uint64{}
	m.told, m.doors, m.caughtUp = map[dialogue.Hash]bool{}, map[doorKey]*doorWatch{}, false
	m.renewed(dialogue.Plenary)
	if err := errors.Join(m.settle(sp), apply(sp, delta)); err != nil {
		return err
	}
	if err := m.queueEvent(sp, dialogue.KindHello, dialogue.Hello{}); err != nil {
		return err
	}
	return m.leavePackage(sp)
}

// rightWelcome tells whether a Welcome at one's door leads back into the room
// that was lost, or founded again by a founding that was accepted, and is not by
// somebody who left one out.
func (m *member) rightWelcome(group *mls.Group, by mls.Member) bool {
	if m.acct.Group != nil && !bytes.Equal(m.acct.Group, group.GroupID()) {
		return false
	}
	signer := seatOf(by.Identity)
	return !slices.ContainsFunc(m.acct.Away.Posts, func(p doorPost) bool { return !signer.IsZero() && p.post().Named == signer })
}

// post is what a post of one's own says; nothing where the vault holds none.
func (p doorPost) post() dialogue.ReturnPost {
	var r dialogue.Return
	if wire.Unmarshal(p.Content, &r, wire.MaxMessage) != nil {
		return dialogue.ReturnPost{}
	}
	return r.Signed.Post
}
