package client

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/mls"
	"parley/vault"
)

// A vault that can't go on in the room posts a fresh key package at its door
// by itself, waits there for a Welcome, and enters again. What its person
// wrote meanwhile goes out then, or comes back.

// LossReason says why a vault can't go on in the room.
type LossReason uint8

// The reasons.
const (
	LossOlder     LossReason = 1 // it is an older copy: it lacks something that was written with it
	LossMissed    LossReason = 2 // the relay no longer has what was said meanwhile
	LossLeftOut   LossReason = 3 // what somebody did can't be opened here
	LossSlept     LossReason = 4
	LossReplaced  LossReason = 5  // another copy of this vault has taken the place
	LossWelcome   LossReason = 6  // it was let in, and what it was let in with does not open, or never came
	LossCharter   LossReason = 7  // the past that one was told does not lead to the present
	LossNewCard   LossReason = 8  // the seat was given to a new card: this computer was said to be lost
	LossElsewhere LossReason = 9  // it was let in elsewhere than the others say
	LossAnew      LossReason = 10 // it was let in once more, with another of its posts, and enters again
)

// A LostError is the Problem of a dialogue that is lost.
type LostError struct {
	Reason LossReason
	By     string // whose fault it was, where that is known
}

func (e *LostError) Error() string {
	switch e.Reason {
	case LossOlder:
		return "this is an older copy of the vault: it lacks something that was written with it"
	case LossMissed:
		return "the relay no longer has what was said since this computer was last connected"
	case LossLeftOut:
		return fmt.Sprintf("what %s made can't be opened here", e.By)
	case LossSlept:
		return "this computer was away for too long"
	case LossReplaced:
		return "another copy of this vault is in use"
	case LossNewCard:
		return "a new card took this seat"
	case LossElsewhere:
		return "this seat was let in to a room that the others are not in"
	case LossAnew:
		return "this seat was let in once more, and enters again"
	case LossWelcome:
		return "what this seat was let in with can't be opened"
	}
	return "the past that was told does not lead to the present"
}

// away is what a vault holds while it is out of the room.
type away struct {
	_      struct{} `cbor:",toarray"`
	Reason LossReason
	By     dialogue.SeatID
	Since  uint64     // minutes since 1970
	Keys   [][]byte   // private signature keys that the room may hold for the seat, the latest last
	Posts  []doorPost // of which none was taken up yet, the latest last
	Vain   uint8      // Welcomes that did not open and were answered at once
	Heed   heeded     // whose witness a Welcome needs

	Door dialogue.Key // of the post that the room took up last: its Welcome lies there; zero: one's own
}

// A doorPost is what lies at one's own door, with the secrets for its answer.
type doorPost struct {
	_       struct{} `cbor:",toarray"`
	Secrets []byte
	Content []byte
	At      uint64 // minutes since 1970
}

const (
	doorDays = 90 // that a door keeps what lies there

	// postAgain is how long a post waits to be taken up before it goes again.
	postAgain = dialogue.MinutesPerDay

	// maxPosts bounds what waits at one's own door at once.
	maxPosts = dialogue.MaxReturnKeys

	// maxVain is how many Welcomes that don't open are answered with another post
	// at once. Anybody who reads a door can make them.
	maxVain = 2
)

// atDoor is the box of a door.
func atDoor(door dialogue.Key) parcelItem { return parcelItem{Box: door, Days: doorDays} }

// lose takes a vault out of the room, and posts at its door. Nothing that it
// had made for the log goes out any more.
func (m *member) lose(sp *vault.Space, reason LossReason, by dialogue.SeatID) error {
	return m.loseAs(sp, m.log.Signers(channel.Plenary), reason, by)
}

// loseAs is lose where the room knows the seat by one of keys.
func (m *member) loseAs(sp *vault.Space, keys []*mls.SignatureKey, reason LossReason, by dialogue.SeatID) error {
	accepted := m.staysAccepted(reason, by)
	if m.acct.Standing == StandingIn && !accepted {
		m.acct.Away = nil // of a room that was founded again
		if err := m.forgetFoundings(sp); err != nil {
			return err
		}
	}
	if err := m.unblame(sp, func(_ uint64, r *record) bool { return r.Note == NoteElsewhere }); err != nil {
		return err
	}
	sure := !m.acct.Awaits // otherwise nobody has told whether that room was the right one
	if m.unbacked() {
		m.acct.Group = m.acct.Place.Former // nor has enough of it been told here
	}
	if err := m.leaveLog(sp); err != nil {
		return err
	}
	a := m.goAway()
	if a.Reason, a.Since, a.Door = reason, m.c.minute(), (dialogue.Key{}); accepted {
		m.acct.Door = m.acct.Refounding.Door
	} else {
		a.By = by
	}
	if sure {
		for _, k := range m.acct.Keys {
			a.holdKey(k)
		}
		a.holdKeys(keys)
	}
	m.acct.Keys = nil
	if reason == LossReplaced || reason == LossNewCard {
		return nil // the room knows a key that is not here
	}
	return m.postReturn(sp)
}

// goAway begins one's being away. Posts that are still at the door go on counting.
func (m *member) goAway() *away {
	if m.acct.Away == nil {
		m.acct.Away = &away{Posts: m.acct.Spare}
	}
	m.acct.Spare = nil
	return m.acct.Away
}

// holdKey keeps a key that the room may know the seat by.
func (a *away) holdKey(key []byte) {
	a.Keys = slices.DeleteFunc(a.Keys, func(k []byte) bool { return string(k) == string(key) })
	a.Keys = append(a.Keys, key)
	a.Keys = a.Keys[max(0, len(a.Keys)-dialogue.MaxReturnKeys):]
}

// holdDoubtful keeps a key that the room knows the seat by if the Welcome that
// came for it was the room's. It pushes out no other.
func (a *away) holdDoubtful(key []byte) {
	if !slices.ContainsFunc(a.Keys, func(k []byte) bool { return string(k) == string(key) }) && len(a.Keys) < dialogue.MaxReturnKeys {
		a.Keys = slices.Insert(a.Keys, 0, key)
	}
}

func (a *away) holdKeys(keys []*mls.SignatureKey) {
	for _, k := range keys {
		a.holdKey(k.Bytes())
	}
}

// leaveLog forgets the rooms and their keys, and whom one blamed by what one does
// not know for right. What one's person said stays in the outbox; what the
// protocol had to say is said anew on coming back.
func (m *member) leaveLog(sp *vault.Space) error {
	if err := m.unblame(sp, func(seq uint64, r *record) bool {
		doubtful := m.acct.Unsure && seq >= m.acct.Judged
		return doubtful && (r.Note == dialogue.NoteAttempt || r.Note == dialogue.NoteCharter)
	}); err != nil {
		return err
	}
	m.acct.Standing, m.acct.Awaits, m.log = StandingLost, false, nil
	m.acct.Adding = [maxRooms]addition{}
	m.acct.Place, m.acct.LetIn = place{}, nil
	m.caughtUp, m.door, m.doors = false, nil, map[doorKey]*doorWatch{}
	for _, prefix := range []string{keyChannel, keyHeld, keyPast, keySecrets, keyPackages, keySkeleton} {
		if err := sp.DeletePrefix([]byte(prefix)); err != nil {
			return err
		}
	}
	if err := m.void(sp, func(*item) bool { return true }); err != nil {
		return err
	}
	if err := m.dropAll(sp, func(it *item) bool { return it.Kind == itemEvent && !byPerson(it.Event) }); err != nil {
		return err
	}
	m.changed(dialogue.Plenary)
	return nil
}

// byPerson tells whether an event of the outbox is something that its person
// did, rather than the protocol.
func byPerson(event []byte) bool {
	e, err := dialogue.ParseEvent(event)
	if err != nil {
		return false
	}
	switch e.Kind {
	case dialogue.KindSay, dialogue.KindInvite, dialogue.KindRevoke, dialogue.KindConsent, dialogue.KindRemove, dialogue.KindLeave,
		dialogue.KindReplace:
		return true
	}
	return false
}

// postReturn makes a post and puts it at one's door. It does not go to the
// log, so an older copy may do it, too.
func (m *member) postReturn(sp *vault.Space) error {
	a := m.acct.Away
	if a.Door != (dialogue.Key{}) {
		a.Door, m.door = dialogue.Key{}, nil
	}
	if len(a.Posts) >= maxPosts {
		a.Posts = slices.Delete(a.Posts, 0, 1)
	}
	kp, secrets, err := m.newPackage()
	if err != nil {
		return err
	}
	keys, err := a.signers()
	if err != nil {
		return err
	}
	post := dialogue.ReturnPost{Seat: m.acct.Me, KeyPackage: hashOf(kp.Marshal()), Door: m.acct.Door, Named: a.By}
	content := wire.Marshal(dialogue.Return{Signed: post.Sign(keys...), Package: kp.Marshal()})
	a.Posts = append(a.Posts, doorPost{Secrets: secrets.Marshal(), Content: content, At: m.c.minute()})
	return m.putAtDoor(sp, content)
}

// signers are the keys that the room may hold for the seat: those that it may
// have held when this vault lost it, and those of the latest posts, of which it
// can have taken one up without a Welcome.
func (a *away) signers() (l []ed25519.PrivateKey, err error) {
	posts := a.Posts[max(0, len(a.Posts)-maxPostKeys):]
	room := a.Keys[max(0, len(a.Keys)-(dialogue.MaxReturnKeys-len(posts))):]
	for _, k := range room {
		l = append(l, ed25519.NewKeyFromSeed(k))
	}
	for _, p := range posts {
		s, err := mls.ParseKeyPackageSecrets(p.Secrets)
		if err != nil {
			return nil, err
		}
		if k := s.SignatureKey().Bytes(); !slices.ContainsFunc(room, func(r []byte) bool { return string(r) == string(k) }) {
			l = append(l, ed25519.NewKeyFromSeed(k))
		}
	}
	return l, nil
}

// maxPostKeys is how many of one's own posts sign the next.
const maxPostKeys = 4

func (m *member) putAtDoor(sp *vault.Space, content []byte) error {
	m.toPost.ring()
	return m.queueParcel(sp, atDoor(m.acct.Door), channel.ParcelReturn, content)
}

// knockAgain posts again where nobody has let one in for long: the post may
// have expired, or not have reached anybody, or whoever took it up sent no
// Welcome. In that case the room holds its key, so the next is another, which
// that key signs, too. now does so in any case.
func (m *member) knockAgain(now bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.acct.Away
	if m.acct.Standing == StandingWaiting && m.acct.Joining != nil && a == nil {
		return m.knockFirst(now)
	}
	if m.acct.Standing != StandingLost && m.acct.Standing != StandingWaiting || m.log != nil || a == nil || len(a.Posts) == 0 || m.atDoor() {
		return nil
	}
	if !now && m.c.minute() < a.Posts[len(a.Posts)-1].At+postAgain {
		return nil
	}
	return m.update(m.postReturn)
}

// atDoor tells whether a post is on its way to one's own door.
func (m *member) atDoor() bool { return slices.ContainsFunc(m.out, m.isKnock) }

// isKnock tells whether an item is a post for one's own door.
func (m *member) isKnock(it *item) bool { return it.Kind == itemParcel && it.Parcel.Box == m.acct.Door }

// knockFirst is for a card's holder who was let in, and got no Welcome that
// opens: after a day it tries its door.
func (m *member) knockFirst(now bool) error {
	if !now && m.c.minute() < m.acct.Joining.At+postAgain {
		return nil
	}
	secrets, err := mls.ParseKeyPackageSecrets(m.acct.Joining.Secrets)
	if err != nil {
		return err
	}
	return m.update(func(sp *vault.Space) error {
		m.acct.Away = &away{Reason: LossWelcome, Since: m.c.minute()}
		m.acct.Away.holdKey(secrets.SignatureKey().Bytes())
		return m.postReturn(sp)
	})
}

// knockOnce is knockFirst, now, unless it has been done.
func (m *member) knockOnce() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.acct.Away != nil || m.acct.Joining == nil {
		return nil
	}
	return m.knockFirst(true)
}

// Return posts at one's door now, where one has lost the room. Where one is in
// it, it leaves if somebody says that one was let in elsewhere; otherwise there
// is nothing to do.
func (c *Client) Return(ctx context.Context, id ID) error {
	m, err := c.member(id)
	if err != nil {
		return err
	}
	m.mu.Lock()
	standing := m.acct.Standing
	leaves := standing == StandingIn && m.elsewhere()
	if leaves {
		err = m.update(m.leavePlace)
	}
	m.mu.Unlock()
	switch {
	case err != nil:
		return err
	case leaves:
		m.toRead.ring()
		return offline(m.push(ctx))
	}
	switch standing {
	case StandingIn:
		return nil
	case StandingLost, StandingWaiting:
	default:
		return ErrNotSeated
	}
	if err := m.knockAgain(true); err != nil {
		return err
	}
	return offline(m.push(ctx))
}

// awaitDoor looks for a Welcome at one's own door, or for a founding, waiting
// for it up to wait.
func (m *member) awaitDoor(ctx context.Context, wait time.Duration) error {
	if err := m.knockAgain(false); err != nil {
		return err
	}
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	m.mu.Lock()
	m.readAgain()
	m.endWait = cancel
	door := m.acct.Door
	if a := m.acct.Away; a != nil {
		door = cmp.Or(a.Door, door)
	}
	m.mu.Unlock()
	err := m.readDoor(within, door, wait, func(p *channel.Parcel) error {
		switch p.Kind {
		case channel.ParcelWelcome:
			return m.returnWith(p.Content)
		case channel.ParcelFounding:
			return m.sawFounding(p.Content)
		case channel.ParcelWitness:
			return m.sawHeeded(p.Content)
		}
		return nil
	})
	if within.Err() != nil && ctx.Err() == nil {
		return nil // there is something to read elsewhere
	}
	return err
}

// interrupt ends the wait at one's own door. m.mu is held.
func (m *member) interrupt() {
	if m.endWait != nil {
		m.endWait()
	}
	m.toPost.ring()
}

// returnWith enters the plenary with a Welcome, if it is for one of one's posts.
func (m *member) returnWith(welcome []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.acct.Away == nil || m.log != nil {
		return nil
	}
	a := m.acct.Away
	for i, p := range a.Posts {
		secrets, err := mls.ParseKeyPackageSecrets(p.Secrets)
		if err != nil {
			return err
		}
		if !mls.Invites(welcome, secrets.KeyPackage()) {
			continue
		}
		key := secrets.SignatureKey().Bytes()
		group, by, err := mls.JoinBy(welcome, secrets)
		pkg := hashOf(secrets.KeyPackage().Marshal())
		if err == nil && (!m.rightWelcome(group, by) || !m.witnessed(group, pkg)) {
			return nil
		}
		if err != nil || group.Suite() != Suite {
			// The room may hold the post's key now, which signs the next; whose Welcome it was, nothing here proves.
			if i < len(a.Posts)-1 || a.Vain == maxVain {
				return nil
			}
			return m.update(func(sp *vault.Space) error {
				a.Vain++
				return m.postReturn(sp)
			})
		}
		return m.update(func(sp *vault.Space) error {
			a.Posts = slices.Delete(a.Posts, i, i+1)
			a.holdDoubtful(key)
			if err := m.dropAll(sp, m.isKnock); err != nil {
				return err
			}
			in := place{Package: pkg, Beside: atDoor(p.post().Door), Keys: append(slices.Clone(a.Keys), key)}
			in.Card, in.Until = m.cardHeeded()
			return m.enter(sp, group, in)
		})
	}
	return nil
}

// waitedInVain leaves again, after a day, a room in which nobody told the past:
// whoever knows a door can put a Welcome there that leads to a room of its own.
func (m *member) waitedInVain() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.log == nil || !m.acct.Awaits || m.c.minute() < m.acct.Place.At+postAgain {
		return nil
	}
	return m.update(func(sp *vault.Space) error {
		if err := m.tryCharter(sp); err != nil || !m.acct.Awaits {
			return err // the clock was set
		}
		m.acct.Group = m.acct.Place.Former
		if m.acct.Away == nil { // a card's holder: the room knows it by the key package of its post, if at all
			m.acct.Awaits, m.acct.Keys = false, m.acct.Place.Keys
		}
		return m.loseAs(sp, nil, LossWelcome, dialogue.SeatID{})
	})
}

// enter begins the log at a Welcome's epoch. The charter is still to come.
func (m *member) enter(sp *vault.Space, group *mls.Group, p place) error {
	if err := m.cameTo(sp, p, group); err != nil {
		return err
	}
	log, delta, err := channel.Enter(group, m.acct.Terms.config())
	if err != nil {
		return err
	}
	m.log, m.acct.Base, m.acct.Awaits, m.acct.Vouched, m.acct.Head = log, group.Epoch(), true, nil, 0
	m.acct.Settled, m.acct.Pasts, m.acct.Refused = false, nil, 0
	m.acct.Group, m.acct.Tree = group.GroupID(), nil
	for _, x := range group.Members() {
		m.acct.Tree = append(m.acct.Tree, leaf{Seat: seatOf(x.Identity), Key: x.SignatureKey})
	}
	m.acct.Logs++
	m.renewed(dialogue.Plenary)
	m.changed(dialogue.Plenary)
	return apply(sp, delta)
}

// tookUp finds the post of one's own with which a commit that removes one's leaf
// brings it back; nil where it is another's.
func (m *member) tookUp(c *dialogue.Commit) *doorPost {
	posts := m.posts()
	i := slices.IndexFunc(posts, func(p doorPost) bool {
		return slices.ContainsFunc(c.Adds, func(a dialogue.Added) bool { return a.Seat == m.acct.Me && a.Package == p.pkg() })
	})
	if i < 0 {
		return nil
	}
	return &posts[i]
}

// posts are those at one's door that the room might take up.
func (m *member) posts() []doorPost {
	if m.acct.Away == nil {
		return m.acct.Spare
	}
	return append(slices.Clone(m.acct.Spare), m.acct.Away.Posts...)
}

// pkg is the hash of a post's key package.
func (p doorPost) pkg() dialogue.Hash { return p.post().KeyPackage }

// comesBack tells whether a commit adds one's own seat.
func (m *member) comesBack(c *dialogue.Commit) bool {
	return slices.ContainsFunc(c.Adds, func(a dialogue.Added) bool { return a.Seat == m.acct.Me })
}

// lostError is what faces are told of a vault that is out of the room.
func (m *member) lostError() error {
	a := m.acct.Away
	if a == nil {
		return nil
	}
	return &LostError{Reason: a.Reason, By: m.nameOf(a.By)}
}
