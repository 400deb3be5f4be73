package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/mls"
	"parley/relay"
	"parley/vault"
)

// A member is one's own place in one dialogue.
type member struct {
	c   *Client
	id  ID
	vid vault.DialogueID

	// The loops that post, that look into cards' boxes, that move files, and that
	// read where the dialogue was over wait for these.
	toPost, toLook, toMove, toRead bell

	looking  sync.Mutex // held by whoever reads cards' boxes; before mu
	knocking sync.Mutex // held by whoever reads doors; before mu

	mu          sync.Mutex // guards all that follows, and every transaction on it
	acct        account
	kept        []byte       // the account as the vault has it; nil where that is not known
	log         *channel.Log // nil while the card waits
	state       *dialogue.State
	stored      []byte          // the skeleton as the vault has it
	sure        *dialogue.State // what is known for certain, while the skeleton is not; may be nil
	out         []*item
	own         map[[32]byte]*ownCell // cells of the outbox, by hash
	unread      [maxRooms]int
	unsaved     bool             // the account is ahead of the vault
	recent      [maxRooms][]line // the latest lines, all those after recentFrom
	recentFrom  [maxRooms]uint64
	alarming    []record // of each kind the latest by each seat, the latest last
	caughtUp    bool     // the log was read to its end since the vault was opened
	online      bool
	problem     error
	clockOff    bool // the charter is there, and tells another day than this computer's clock
	heardAt     time.Time
	seen        map[string]bool         // chores that were due in this round
	moreAtDoors bool                    // than was read at a time
	moreInCards bool                    // in their boxes
	cardBox     *cardWait               // of the card that one waits with
	watched     map[dialogue.Key]*watch // by card
	doors       map[doorKey]*doorWatch
	told        map[dialogue.Hash]bool        // returns that the room was told of, by their key packages
	door        *parcelBox                    // one's own, while one waits there
	beside      *besideWatch                  // where one's Welcome lay, while one looks for witnesses
	witnesses   []*dialogue.SignedWitness     // that one heeds, on the way back
	passedOver  bool                          // a Welcome was, for lack of one
	heededMore  bool                          // a witness came since the door was read from its beginning
	doorCells   uint64                        // of the door, as far as the latest of them
	doorAgain   time.Time                     // when the door may be read again from its beginning
	unjudged    bool                          // a witness was, because the log was to be read yet
	endWait     context.CancelFunc            // ends the wait there
	foundings   map[dialogue.SeatID]*judged   // of the room, again, by founder
	former      *dialogue.State               // known before the founding that was accepted
	words       map[dialogue.EventID][]string // computed readings
	counting    map[dialogue.EventID]bool     // readings being computed
	progress    map[dialogue.EventID]uint64   // bytes of files fetched or sent
	reached     map[reach]mark
	reachedNow  map[reach]bool // what of it the vault does not know yet
}

// An account is what a vault knows about its own place. It holds no state of
// the dialogue: that comes from the log.
type account struct {
	_        struct{} `cbor:",toarray"`
	Created  uint64   // milliseconds since 1970, for the order of the list
	Title    string
	Standing Standing
	Relay    string
	Me       dialogue.SeatID
	Door     dialogue.Key
	Terms    terms
	NextSeq  uint64 // of messages and notices
	NextOut  uint64 // of outbox items
	Joining  *joining
	Base     uint64            // the epoch that one joined at, the last time; 0 for the founder
	Awaits   bool              // the charter for Base
	Tree     []leaf            // until it is settled: the plenary's as of Base
	Away     *away             // while one is out of the room
	Spare    []doorPost        // while one is in it: posts at one's door that the room might still take up
	Vouched  []dialogue.SideID // parties that gave the charter which one took
	Due      map[string]uint64 // chores that others may do first, and when one saw them, in seconds since 1970
	Bad      uint64            // entries of members that were no entries
	Shown    [maxRooms]uint64  // by room: the last Seq that the person has seen
	Logs     uint64            // how often one began the log anew
	Commits  [maxRooms]uint64  // by side room: log time of its last commit
	Renewed  [maxRooms]uint64  // by room: the day of one's last Update, or of coming in

	SideLost sideLost // when one last said that one can't follow one's side room

	Adding [maxRooms]addition // by side room: who was added and has no Welcome yet

	Pasts    []past   // charters for oneself that differ from the one taken
	Settled  bool     // the charter taken was confirmed, or chosen
	Unsure   bool     // the charter taken last was neither
	Told     uint64   // when one took it, minutes since 1970
	Judged   uint64   // while undecided: the seq of the first notice that goes by the charter taken
	Keys     [][]byte // while undecided: private signature keys of the epochs before
	Refused  uint64   // until it is settled: when a commit was refused first, minutes since 1970
	Disputed []uint64 // bases for which somebody gave newcomers a false charter

	Group      []byte      // id of the plenary's group, as one was in it last
	Refounding *refounding // the founding again that counts here

	Witness []byte // private signature key with which one took one's seat, for witnesses
	Place   place
	LetIn   []letIn // who was never heard since

	Doubts  doubts
	Changes changes
	Head    uint64 // of the box that the log stands in, as far as the relay ever showed
	ReadAt  uint64 // when the log was last read to its end, minutes since 1970
}

// An addition is a commit in a side room whose Welcome is still to come.
type addition struct {
	_     struct{} `cbor:",toarray"`
	By    dialogue.SeatID
	Seats []dialogue.SeatID
}

const maxRooms = dialogue.MaxSides + 1

// terms fix the ids of the dialogue's boxes.
type terms struct {
	_         struct{} `cbor:",toarray"`
	Retention uint16
	Idle      uint16
}

func termsOf(r dialogue.Rules) terms {
	return terms{Retention: r.RetentionDays, Idle: r.SleepDays + 2}
}

func (t terms) config() channel.Config {
	return channel.Config{Retention: t.Retention, Idle: t.Idle}
}

// Keys in a dialogue's space.
const (
	keyAccount   = "a"
	keyState     = "s"
	keyChannel   = "c" // + key of channel
	keyItem      = "o" // + number
	keyCells     = "p" // + number + index: cells of an item
	keyMessage   = "m" // + room + seq
	keyIndex     = "i" // + room + event id: seq
	keySkeleton  = "b" // + epoch: the skeleton newcomers of that epoch get
	keyHeld      = "h" // + number: entries that wait for the charter, or for its confirmation
	keyPast      = "y" // + hash: a skeleton that differs from the one taken
	keyConfirmed = "e" // the skeleton that one had before a charter that nobody confirmed yet
	keyBefore    = "n" // the skeleton that one knew for sure before a Welcome
	keyPackages  = "k" // + room + seat: key package left in the log, or, for the plenary, at the seat's door
	keySecrets   = "x" // + ref: secrets of one's own key packages
	keyCard      = "d" // + seat: a card one made
	keyPost      = "q" // + seat + card: what a card's holder posted
	keyReading   = "v" // + event id
	keyFile      = "f" // + event id + part
	keyHalf      = "u" // + event id: a file that is being taken in, before its message is
	keyAlarm     = "z" // + seq: a record that is an alarm
	keyOld       = "w" // + id: a box that was read to its end
	keyFounding  = "g" // + founder: a founding again
	keyReach     = "r" // + room + seat: how far the room has reached it
	keyFormer    = "j" // the skeleton by which foundings again are judged
)

func numbered(prefix string, n uint64) []byte { return wire.AppendU64([]byte(prefix), n) }

func newMember(c *Client, vid vault.DialogueID) *member {
	return &member{
		c: c, vid: vid, id: ID(vid.String()), toPost: newBell(), toLook: newBell(), toMove: newBell(), toRead: newBell(),
		own: map[[32]byte]*ownCell{}, watched: map[dialogue.Key]*watch{},
		doors: map[doorKey]*doorWatch{}, told: map[dialogue.Hash]bool{}, foundings: map[dialogue.SeatID]*judged{},
		words: map[dialogue.EventID][]string{}, counting: map[dialogue.EventID]bool{}, progress: map[dialogue.EventID]uint64{},
		reached: map[reach]mark{}, reachedNow: map[reach]bool{},
	}
}

// reload reads everything from the vault: at the start, and after a
// transaction of which it is not sure what became of it.
func (m *member) reload() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reloadLocked()
}

func (m *member) reloadLocked() error {
	return m.c.v.View(func(tx *vault.Tx) error {
		sp, err := tx.Dialogue(m.vid)
		if err != nil {
			return err
		}
		b, err := sp.Get([]byte(keyAccount))
		if err != nil {
			return fmt.Errorf("account: %w", err)
		}
		m.acct = account{}
		if err := wire.Unmarshal(b, &m.acct, wire.MaxMessage); err != nil {
			return fmt.Errorf("account: %w", err)
		}
		m.kept = b
		if m.log, err = loadLog(sp, m.acct.Terms); err != nil {
			return err
		}
		m.state, m.stored = nil, nil
		if b, err = sp.Get([]byte(keyState)); err == nil {
			if m.state, err = dialogue.ParseState(b); err != nil {
				return err
			}
		} else if !errors.Is(err, vault.ErrNotFound) {
			return err
		}
		if m.sure, err = knownAt(sp, keyConfirmed); err != nil {
			return err
		}
		if err := m.loadFoundings(sp); err != nil {
			return err
		}
		m.caughtUp = false
		m.forgetRecent()
		if err := m.countUnread(sp); err != nil {
			return err
		}
		if err := m.loadAlarms(sp); err != nil {
			return err
		}
		if err := m.loadReached(sp); err != nil {
			return err
		}
		return m.loadOutbox(sp)
	})
}

// loadLog is the log as the vault has it; nil where there is none.
func loadLog(sp *vault.Space, t terms) (*channel.Log, error) {
	pairs := map[string][]byte{}
	for p, err := range scan(sp, []byte(keyChannel), scanOptions{}) {
		if err != nil {
			return nil, err
		}
		pairs[string(p.Key[len(keyChannel):])] = p.Value
	}
	if len(pairs) == 0 {
		return nil, nil
	}
	return channel.Load(t.config(), pairs)
}

// update runs fn in one durable transaction. Where it fails, what is in memory
// may be ahead of the vault, so all of it is read again. m.mu is held.
func (m *member) update(fn func(sp *vault.Space) error) error {
	var acct []byte
	err := m.c.write(func(tx *vault.Tx) error {
		sp, err := tx.Dialogue(m.vid)
		if err != nil {
			return err
		}
		if err := fn(sp); err != nil {
			return err
		}
		if err := m.saveReached(sp); err != nil {
			return err
		}
		if acct = wire.Marshal(m.acct); bytes.Equal(acct, m.kept) {
			return nil // where fn wrote nothing, either, the disk is left alone
		}
		return sp.Put([]byte(keyAccount), acct)
	})
	if err == nil {
		m.kept, m.unsaved = acct, false
		return nil
	}
	if again := m.reloadLocked(); again != nil {
		m.problem = again
		return errors.Join(err, again)
	}
	return err
}

func (m *member) view(fn func(sp *vault.Space) error) error {
	return m.c.v.View(func(tx *vault.Tx) error {
		sp, err := tx.Dialogue(m.vid)
		if err != nil {
			return err
		}
		return fn(sp)
	})
}

// apply writes what the channel changed.
func apply(sp *vault.Space, d channel.Delta) error {
	for _, c := range d {
		key := []byte(keyChannel + c.Key)
		var err error
		if c.Value == nil {
			err = sp.Delete(key)
		} else {
			err = sp.Put(key, c.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// relay is the client of this dialogue's relay.
func (m *member) relay() (*relay.Client, error) {
	m.mu.Lock()
	address := m.acct.Relay
	m.mu.Unlock()
	return m.c.relayAt(address)
}

func (m *member) terms() terms {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.acct.Terms
}

// me is one's own seat, or nil while there is no state.
func (m *member) me() *dialogue.Seat {
	if m.state == nil {
		return nil
	}
	return m.state.Seat(m.acct.Me)
}

// stay tells one's stays in the room, from one coming in to one's going, from
// each other.
func (m *member) stay() string {
	return fmt.Sprintf("%x %d %x", m.acct.Group, m.acct.Base, m.acct.Place.Tag)
}

// members lists who is in a room, by its tree.
func (m *member) members(r dialogue.Room) []dialogue.SeatID {
	var l []dialogue.SeatID
	for _, x := range m.log.Members(channel.Room(r)) {
		l = append(l, seatOf(x.Identity))
	}
	return l
}

func seatOf(identity []byte) (id dialogue.SeatID) {
	if len(identity) == len(id) {
		copy(id[:], identity)
	}
	return id
}

func (m *member) leaf(r dialogue.Room, id dialogue.SeatID) (mls.LeafIndex, bool) {
	for _, x := range m.log.Members(channel.Room(r)) {
		if seatOf(x.Identity) == id {
			return x.Leaf, true
		}
	}
	return 0, false
}

// A bell wakes one loop. Rung while the loop is at work, it makes it go round
// once more.
type bell chan struct{}

func newBell() bell { return make(bell, 1) }

func (b bell) ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// wait waits for the bell, the end of ctx, or the end of d (if not 0).
func (b bell) wait(ctx context.Context, d time.Duration) {
	var timer <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-ctx.Done():
	case <-b:
	case <-timer:
	}
}

// changed tells the faces.
func (m *member) changed(r dialogue.Room) { m.c.hub.publish(Change{Dialogue: m.id, Room: r}) }

// StartOptions say what dialogue to start.
type StartOptions struct {
	Title string
	Rules dialogue.Rules
	Sides []string
	Relay relay.Address
}

// Start founds a dialogue of which one is the convenor. It needs no network:
// what it writes goes out as soon as the relay is there.
func (c *Client) Start(ctx context.Context, o StartOptions) (ID, error) {
	name := c.Profile().Name
	if o.Title == "" {
		o.Title = defaultTitle(o.Sides)
	}
	if err := dialogue.CheckName(o.Title); err != nil {
		return "", err
	}
	me, door, sig, err := newPlace()
	if err != nil {
		return "", err
	}
	open := dialogue.Open{Sides: o.Sides, Rules: o.Rules, Convenor: me, Name: name, Door: door, Suite: uint16(Suite), Key: sig.Public()}
	event := dialogue.NewEvent(dialogue.KindOpen, c.minute(), open)
	state, notes := dialogue.Apply(nil, dialogue.Entry{Author: me, Event: &event})
	if state == nil {
		return "", &RuleError{Reason: notes[0].Reason}
	}
	group, err := mls.NewGroup(Suite, randomGroup(), me[:], sig, lifetime(c.opt.Now()))
	if err != nil {
		return "", err
	}
	acct := account{Title: o.Title, Standing: StandingIn, Relay: o.Relay.String(), Me: me, Door: door, Terms: termsOf(o.Rules), NextSeq: 1, Group: group.GroupID(),
		Witness: sig.Bytes()}
	log, delta, err := channel.Found(group, acct.Terms.config())
	if err != nil {
		return "", err
	}
	m, err := c.newDialogue(acct, func(m *member, sp *vault.Space) error {
		m.log = log
		m.renewed(dialogue.Plenary)
		if err := apply(sp, delta); err != nil {
			return err
		}
		return m.enqueue(sp, &item{Kind: itemEvent, Event: event.Marshal()})
	})
	if err != nil {
		return "", err
	}
	return m.id, nil
}

// newDialogue makes a dialogue's space and what fill puts into it, in one
// transaction.
func (c *Client) newDialogue(acct account, fill func(*member, *vault.Space) error) (*member, error) {
	var m *member
	err := c.write(func(tx *vault.Tx) error {
		vid, sp, err := tx.NewDialogue()
		if err != nil {
			return err
		}
		m = newMember(c, vid)
		m.acct = acct
		m.acct.Created = uint64(c.opt.Now().UnixMilli())
		if err := fill(m, sp); err != nil {
			return err
		}
		return sp.Put([]byte(keyAccount), wire.Marshal(m.acct))
	})
	if err != nil {
		return nil, err
	}
	c.adopt(m)
	return m, nil
}

// newPlace makes what a seat needs: a pseudonym, a door and a signature key,
// none of which is known anywhere else.
func newPlace() (me dialogue.SeatID, door dialogue.Key, sig *mls.SignatureKey, err error) {
	sig, err = mls.GenerateSignatureKey(Suite)
	return dialogue.NewSeatID(), dialogue.Key(relay.NewBoxKey().Bytes()), sig, err
}

func randomGroup() []byte { id := dialogue.NewEventID(); return id[:] }

// leafDays is the lifetime of a leaf: longer than any dialogue's sleep, and
// judged by nobody's clock while the daily update replaces it.
const leafDays = 380

func lifetime(now time.Time) mls.Lifetime {
	return mls.Lifetime{
		NotBefore: uint64(now.Add(-48 * time.Hour).Unix()),
		NotAfter:  uint64(now.Add(leafDays * 24 * time.Hour).Unix()),
	}
}

func hashOf(b []byte) dialogue.Hash { return sha256.Sum256(b) }

// defaultTitle is a title until the person gives another.
func defaultTitle(sides []string) string {
	t := strings.Join(sides, " – ")
	if r := []rune(t); len(r) > dialogue.MaxName/4 {
		t = strings.TrimSpace(string(r[:dialogue.MaxName/4])) + "…"
	}
	return t
}

// SetTitle names a dialogue on this device.
func (c *Client) SetTitle(id ID, title string) error {
	if err := dialogue.CheckName(title); err != nil {
		return err
	}
	m, err := c.member(id)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acct.Title = title
	if err := m.update(func(*vault.Space) error { return nil }); err != nil {
		return err
	}
	c.hub.publish(Change{})
	m.changed(dialogue.Plenary)
	return nil
}

// Forget burns what this vault holds of a dialogue.
func (c *Client) Forget(id ID) error {
	m, err := c.member(id)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := c.write(func(tx *vault.Tx) error { return tx.Burn(m.vid) }); err != nil {
		return err
	}
	m.acct.Standing = StandingLeft
	m.log, m.state, m.out = nil, nil, nil
	c.mu.Lock()
	delete(c.members, id)
	for i, x := range c.order {
		if x == id {
			c.order = append(c.order[:i:i], c.order[i+1:]...)
			break
		}
	}
	c.mu.Unlock()
	c.hub.publish(Change{})
	return nil
}
