package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/mls"
	"parley/relay"
	"parley/vault"
)

// Suite is the cipher suite of every room: what is recorded today must not be
// readable in ten years.
const Suite = mls.Hybrid

// MinPassphrase is the length of a passphrase, in characters, at least.
const MinPassphrase = 12

// Options say where a vault lies and how to reach the world. The zero values
// of Now and Dial are the real clock and the real network.
type Options struct {
	Dir  string
	Now  func() time.Time
	Dial func(relay.Address) (*relay.Client, error)

	// Made, where a simulation sets it, is told of every step of a ratchet and
	// of the cell that it made, by their hashes. It must return at once.
	Made func(step, cell [32]byte)

	// Stored, where a simulation sets it, is told of every transaction of a
	// dialogue, once it is durable and before anything comes of it.
	Stored func()

	// Read, where a simulation sets it, is told of every note that this client
	// takes of the log. It must return at once.
	Read func(Passage)
}

// A Passage is where a client took a note of the log.
type Passage struct {
	Note  dialogue.Note
	Place channel.Place
	Stay  string // in which the client was then; see member.stay
}

func (o Options) filled() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Dial == nil {
		o.Dial = func(a relay.Address) (*relay.Client, error) { return relay.NewClient(a) }
	}
	return o
}

// A Client is one person's Parley. It is safe for use by several goroutines.
type Client struct {
	opt  Options
	v    *vault.Vault
	hub  hub
	work sync.WaitGroup // what goes on in the background

	packages packages

	mu      sync.Mutex
	profile Profile
	members map[ID]*member
	order   []ID
	relays  map[string]*relay.Client
	running context.Context // of Run; nil while it does not run
	stop    context.CancelFunc
	closed  bool
	base    context.Context // ends with Close
}

// Errors of this package. Those by the rules of a dialogue are *RuleError.
var (
	ErrPassphraseShort = fmt.Errorf("a passphrase has %d characters or more", MinPassphrase)
	ErrNoDialogue      = errors.New("there is no such dialogue")
	ErrNoSeat          = errors.New("there is no such seat")
	ErrNoRoom          = errors.New("there is no such room")
	ErrNoMessage       = errors.New("there is no such message")
	ErrNoFile          = errors.New("that message has no file")
	ErrOffline         = errors.New("the relay can't be reached")
	ErrCard            = errors.New("that is not a card, or not a whole one")
	ErrCardExpired     = errors.New("the card has expired")
	ErrCardLate        = errors.New("the card that was used has expired since: unless somebody saw in time that it was used, another is needed")
	ErrCardUsed        = errors.New("the card has been used before")
	ErrCardRevoked     = errors.New("the card was revoked")
	ErrSeatHere        = errors.New("this computer has that seat already")
	ErrWhichCard       = errors.New("several new cards for that seat were used; say which one by its four words")
	ErrClock           = errors.New("this computer's clock is more than a day off the time that the others' computers tell")
	ErrNoCharter       = errors.New("there is no past to choose")
	ErrNotSeated       = errors.New("not seated in that dialogue yet")
	ErrWaiting         = errors.New("that has to wait for somebody else")
	ErrFileSize        = errors.New("a file has 10 MB at most")
	ErrFileEmpty       = errors.New("the file is empty")
	ErrFileDamaged     = errors.New("what the relay holds is not the file that was sent")
	ErrText            = errors.New("the text is empty or too long")
	ErrNoReading       = errors.New("nobody is reading words aloud")
)

// A RuleError says that the rules of the dialogue do not allow something.
type RuleError struct {
	Reason  dialogue.Reason
	Missing []string // names of the sides that it waits for
}

func (e *RuleError) Error() string {
	if len(e.Missing) > 0 {
		return "not yet: " + strings.Join(e.Missing, ", ") + " did not agree to the ground rules"
	}
	if s, ok := reasons[e.Reason]; ok {
		return s
	}
	return "the rules of this dialogue do not allow that"
}

var reasons = map[dialogue.Reason]string{
	dialogue.ReasonNotSeated: "only who sits at the table can do that",
	dialogue.ReasonNotYours:  "the rules give that to somebody else",
	dialogue.ReasonState:     "it is too late for that, or too early",
	dialogue.ReasonFull:      "there are as many seats as there can be",
}

// An AmbiguousError says that a prefix names several things.
type AmbiguousError struct {
	Prefix string
	Names  []string
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%q could be: %s", e.Prefix, strings.Join(e.Names, ", "))
}

// DefaultProfile is what a new vault starts with.
func DefaultProfile(name string) Profile {
	return Profile{Name: name, Language: "en", Text: 100, Theme: "auto", Idle: 15}
}

func (p Profile) check() error {
	if err := dialogue.CheckName(p.Name); err != nil {
		return err
	}
	if p.Language == "" || len(p.Language) > 16 || p.Idle < 1 || p.Idle > 24*60 {
		return errors.New("a setting is out of range")
	}
	return nil
}

// CheckPassphrase tells whether a new passphrase is long enough.
func CheckPassphrase(p string) error {
	if utf8.RuneCountInString(p) < MinPassphrase {
		return ErrPassphraseShort
	}
	return nil
}

// Create makes a vault for a person and opens it.
func Create(o Options, p Profile, passphrase string) (*Client, error) {
	if err := errors.Join(p.check(), CheckPassphrase(passphrase)); err != nil {
		return nil, err
	}
	v, err := vault.Create(o.Dir, []byte(passphrase))
	if err != nil {
		return nil, err
	}
	return create(o, v, p)
}

// CreateThrowaway makes a vault without a passphrase whose key is only in
// memory, for rehearsals.
func CreateThrowaway(o Options, p Profile) (*Client, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	v, err := vault.CreateThrowaway(o.Dir)
	if err != nil {
		return nil, err
	}
	return create(o, v, p)
}

func create(o Options, v *vault.Vault, p Profile) (*Client, error) {
	if err := NewProfile(v, p); err != nil {
		v.Close()
		return nil, err
	}
	return With(o, v)
}

// NewProfile makes a new vault a person's.
func NewProfile(v *vault.Vault, p Profile) error {
	if err := p.check(); err != nil {
		return err
	}
	return v.Update(func(tx *vault.Tx) error { return tx.Global().Put([]byte(keyProfile), wire.Marshal(p)) })
}

const keyProfile = "profile"

// Open opens a vault.
func Open(o Options, passphrase string) (*Client, error) {
	v, err := vault.Open(o.Dir, []byte(passphrase))
	if err != nil {
		return nil, err
	}
	return With(o, v)
}

// With makes a Client of a vault that is open, and closes it on Close or error.
func With(o Options, v *vault.Vault) (*Client, error) {
	c := &Client{opt: o.filled(), v: v, members: map[ID]*member{}, relays: map[string]*relay.Client{}}
	c.base, c.stop = context.WithCancel(context.Background())
	if err := c.load(); err != nil {
		c.stop()
		v.Close()
		return nil, err
	}
	return c, nil
}

// load reads the profile and every dialogue.
func (c *Client) load() error {
	var ids []vault.DialogueID
	err := c.v.View(func(tx *vault.Tx) error {
		b, err := tx.Global().Get([]byte(keyProfile))
		if err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		if err := wire.Unmarshal(b, &c.profile, 1<<12); err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		ids, err = tx.Dialogues()
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		m := newMember(c, id)
		if err := m.reload(); err != nil {
			return fmt.Errorf("dialogue %s: %w", m.id, err)
		}
		if err := m.dropHalves(); err != nil {
			return fmt.Errorf("dialogue %s: %w", m.id, err)
		}
		c.members[m.id] = m
		c.order = append(c.order, m.id)
	}
	slices.SortFunc(c.order, func(a, b ID) int { return cmp.Compare(c.members[a].acct.Created, c.members[b].acct.Created) })
	return nil
}

// Close stops everything and closes the vault.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	c.stop()
	relays := c.relays
	c.mu.Unlock()
	c.work.Wait()
	for _, r := range relays {
		r.Close()
	}
	c.hub.close()
	var all error
	for _, m := range c.all() {
		if err := m.save(); !errors.Is(err, vault.ErrClosed) {
			all = errors.Join(all, err)
		}
	}
	return errors.Join(all, c.v.Close())
}

// write is a transaction of a dialogue.
func (c *Client) write(fn func(*vault.Tx) error) error {
	err := c.v.Update(fn)
	if err == nil && c.opt.Stored != nil {
		c.opt.Stored()
	}
	return err
}

// Abandon ends the Client as a crash would: the vault is closed first, and what
// is under way fails.
func (c *Client) Abandon() error {
	return errors.Join(c.v.Close(), c.Close())
}

// Profile is the person's.
func (c *Client) Profile() Profile {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.profile
}

// SetProfile keeps another profile. The name counts for dialogues to come.
func (c *Client) SetProfile(p Profile) error {
	if err := NewProfile(c.v, p); err != nil {
		return err
	}
	c.mu.Lock()
	c.profile = p
	c.mu.Unlock()
	c.hub.publish(Change{})
	return nil
}

// ChangePassphrase changes the vault's passphrase.
func (c *Client) ChangePassphrase(old, new string) error {
	if err := CheckPassphrase(new); err != nil {
		return err
	}
	return c.v.ChangePassphrase([]byte(old), []byte(new))
}

// SetNote tells other processes that find the vault in use who holds it.
func (c *Client) SetNote(note string) error { return c.v.SetNote(note) }

// relayAt gives the one client for a relay's address.
func (c *Client) relayAt(address string) (*relay.Client, error) {
	a, err := relay.ParseAddress(address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, vault.ErrClosed
	}
	if r := c.relays[address]; r != nil {
		return r, nil
	}
	r, err := c.opt.Dial(a)
	if err == nil {
		c.relays[address] = r
	}
	return r, err
}

// member finds a dialogue.
func (c *Client) member(id ID) (*member, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := c.members[id]; m != nil {
		return m, nil
	}
	return nil, ErrNoDialogue
}

func (c *Client) all() []*member {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := make([]*member, 0, len(c.order))
	for _, id := range c.order {
		l = append(l, c.members[id])
	}
	return l
}

// adopt adds a dialogue that was just made, and starts its loops if Run runs.
func (c *Client) adopt(m *member) {
	c.mu.Lock()
	c.members[m.id] = m
	c.order = append(c.order, m.id)
	if ctx := c.running; ctx != nil && !c.closed {
		c.work.Go(func() { m.run(ctx) })
	}
	c.mu.Unlock()
	c.hub.publish(Change{})
}

// background runs f in a goroutine that Close waits for.
func (c *Client) background(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.work.Go(f)
	}
}

// Run keeps every dialogue in step until ctx or the Client ends.
func (c *Client) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.base, cancel)()
	c.mu.Lock()
	if c.closed || c.running != nil {
		c.mu.Unlock()
		return vault.ErrClosed
	}
	c.running = ctx
	c.work.Go(func() { c.tidy(ctx) })
	for _, m := range c.members { // those that come later, adopt starts
		c.work.Go(func() { m.run(ctx) })
	}
	c.mu.Unlock()
	<-ctx.Done()
	c.mu.Lock()
	c.running = nil
	c.mu.Unlock()
	return nil
}

// tidyEvery is how often what can wait is written, and the vault, if it is
// quiet, drops the remains of what was deleted.
const tidyEvery = time.Minute

func (c *Client) tidy(ctx context.Context) {
	for ctx.Err() == nil {
		// Where this fails, the next write says so.
		for _, m := range c.all() {
			m.save()
		}
		c.v.Tidy()
		sleep(ctx, tidyEvery)
	}
}

// minute is the present, as entries claim it.
func (c *Client) minute() uint64 { return uint64(c.opt.Now().Unix()) / 60 }

func minuteTime(m uint64) time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.Unix(int64(m)*60, 0)
}

// What the vault says, for faces, which know no vault.
var (
	ErrPassphrase   = vault.ErrPassphrase
	ErrNoVault      = vault.ErrNone
	ErrVaultExists  = vault.ErrExists
	ErrVaultDamaged = vault.ErrDamaged
	ErrVaultNewer   = vault.ErrNewer
)

// An InUseError says that another process holds the vault.
type InUseError = vault.InUseError
