package client

import (
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/relay"
	"parley/vault"
)

// A card is what an invitee gets: where the relay is, which seat, until when,
// and a secret from which the box of the invitation and the key that signs the
// post come. Its text is "parley:" and base64url of
//
//	version   1  1
//	seat      8
//	expires   8  minutes since 1970
//	secret   32
//	address  variable-size vector
//	check     4  of SHA-256 over all before it: a letter left out is noticed
type card struct {
	seat    dialogue.SeatID
	expires uint64
	secret  [32]byte
	address string
}

const (
	cardScheme  = "parley:"
	cardVersion = 1
	cardCheck   = 4
	maxCard     = 1024
	maxAddress  = 512

	// cardDays are the retention and the idle days of a card's box: it can
	// only expire.
	cardDays = 31
)

func (c *card) String() string {
	b := append([]byte{cardVersion}, c.seat[:]...)
	b = wire.AppendU64(b, c.expires)
	b = append(b, c.secret[:]...)
	b = wire.AppendVec(b, []byte(c.address))
	sum := sha256.Sum256(b)
	return cardScheme + base64.RawURLEncoding.EncodeToString(append(b, sum[:cardCheck]...))
}

// parseCard reads a card as people paste it: with blanks and line ends in it.
func parseCard(text string) (*card, error) {
	text = strings.Join(strings.Fields(text), "")
	if len(text) > maxCard {
		return nil, ErrCard
	}
	rest, ok := strings.CutPrefix(text, cardScheme)
	if !ok {
		return nil, ErrCard
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	if err != nil || len(b) < cardCheck {
		return nil, ErrCard
	}
	body, check := b[:len(b)-cardCheck], b[len(b)-cardCheck:]
	if sum := sha256.Sum256(body); string(sum[:cardCheck]) != string(check) {
		return nil, ErrCard
	}
	c := new(card)
	r := wire.NewReader(body)
	if r.U8() != cardVersion {
		return nil, ErrCard
	}
	r.Fill(c.seat[:])
	c.expires = r.U64()
	r.Fill(c.secret[:])
	c.address = string(r.Vec(maxAddress))
	if r.Done() != nil {
		return nil, ErrCard
	}
	if a, err := relay.ParseAddress(c.address); err != nil || a.String() != c.address {
		return nil, ErrCard
	}
	return c, nil
}

func (c *card) derive(label string) []byte {
	b, err := hkdf.Expand(sha256.New, c.secret[:], label, 32)
	if err != nil {
		panic(err) // 32 bytes are within HKDF's bounds
	}
	return b
}

func (c *card) boxKey() dialogue.Key { return dialogue.Key(c.derive("parley card box v1")) }

func (c *card) signer() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(c.derive("parley card sign v1"))
}

func (c *card) public() dialogue.Key {
	return dialogue.Key(c.signer().Public().(ed25519.PublicKey))
}

// inCardBox is the box of a card.
func inCardBox(k dialogue.Key) parcelItem { return parcelItem{Box: k, Days: cardDays} }

// An offer is what the join page shows. Any member could put another into the
// box; the post that answers it names the rules that were shown, and only the
// rules in force seat somebody.
type offer struct {
	_        struct{} `cbor:",toarray"`
	Sides    []string
	Rules    dialogue.Rules
	Side     dialogue.SideID
	Name     string
	Capacity dialogue.Capacity
	Role     dialogue.Role
	Head     bool
	Convenor string
	Again    bool // the seat is held already: its person's computer is lost
}

func parseOffer(b []byte) (*offer, error) {
	o := new(offer)
	if err := wire.Unmarshal(b, o, wire.CellSize); err != nil {
		return nil, err
	}
	bad := len(o.Sides) < dialogue.MinSides || len(o.Sides) > dialogue.MaxSides || (o.Side == 0) != (o.Role == dialogue.Convenor) || int(o.Side) > len(o.Sides) ||
		!o.Rules.Valid() || dialogue.CheckName(o.Name) != nil || dialogue.CheckName(o.Convenor) != nil
	for _, s := range o.Sides {
		bad = bad || dialogue.CheckName(s) != nil
	}
	if bad {
		return nil, wire.ErrMalformed
	}
	return o, nil
}

// A posted is what a card's holder posts.
type posted struct {
	_       struct{} `cbor:",toarray"`
	Signed  dialogue.SignedPost
	Package []byte // the MLS key package that the post names
}

func postKey(seat dialogue.SeatID, card dialogue.Key) []byte {
	return slices.Concat([]byte(keyPost), seat[:], card[:])
}

func cardKey(seat dialogue.SeatID) []byte { return append([]byte(keyCard), seat[:]...) }

// InviteOptions say for whom a card is.
type InviteOptions struct {
	Side     dialogue.SideID
	Name     string
	Capacity dialogue.Capacity
	Role     dialogue.Role
	Head     bool          // the card is for the head of a side that has none
	Expires  time.Duration // 0: 72 hours
}

// Invite makes a card for a new seat. It needs no network.
func (c *Client) Invite(ctx context.Context, id ID, o InviteOptions) (string, dialogue.SeatID, error) {
	m, err := c.member(id)
	if err != nil {
		return "", dialogue.SeatID{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.seated(); err != nil {
		return "", dialogue.SeatID{}, err
	}
	if err := m.outboxFull(); err != nil {
		return "", dialogue.SeatID{}, err
	}
	if err := dialogue.CheckName(o.Name); err != nil {
		return "", dialogue.SeatID{}, err
	}
	if o.Side == 0 || int(o.Side) > len(m.state.Sides) {
		return "", dialogue.SeatID{}, ErrNoSeat
	}
	first := m.state.Head(o.Side) == nil
	if o.Head && !first {
		return "", dialogue.SeatID{}, &RuleError{Reason: dialogue.ReasonState}
	}
	k, err := m.newCard(dialogue.NewSeatID(), o.Expires)
	if err != nil {
		return "", dialogue.SeatID{}, err
	}
	event := dialogue.NewEvent(dialogue.KindInvite, c.minute(), dialogue.Invite{
		Seat: k.seat, Side: o.Side, Name: o.Name, Capacity: o.Capacity, Role: o.Role,
		Box: k.boxKey(), Card: k.public(), Expires: k.expires,
	})
	if err := m.allowed(&event); err != nil {
		return "", dialogue.SeatID{}, err
	}
	shown := offer{
		Sides: m.state.SideNames(), Rules: m.state.Rules, Side: o.Side, Name: o.Name, Capacity: o.Capacity, Role: o.Role,
		Head: first, Convenor: m.state.Seats[0].Name,
	}
	return k.String(), k.seat, m.issue(k, event, shown)
}

// newCard makes a card for a seat. lasts is 0 for as long as cards last.
func (m *member) newCard(seat dialogue.SeatID, lasts time.Duration) (*card, error) {
	lasts = cmpDuration(lasts, dialogue.CardLifetime*time.Minute)
	if lasts < time.Minute || lasts > dialogue.MaxCardLifetime*time.Minute {
		return nil, fmt.Errorf("a card lasts from one minute to %d days", dialogue.MaxCardLifetime/dialogue.MinutesPerDay)
	}
	k := &card{seat: seat, expires: m.c.minute() + uint64(lasts/time.Minute), address: m.acct.Relay}
	rand.Read(k.secret[:])
	return k, nil
}

// issue keeps a card, announces it, and puts what it offers into its box.
func (m *member) issue(k *card, event dialogue.Event, shown offer) error {
	err := m.update(func(sp *vault.Space) error {
		if err := sp.Put(cardKey(k.seat), []byte(k.String())); err != nil {
			return err
		}
		if err := m.enqueue(sp, &item{Kind: itemEvent, Event: event.Marshal()}); err != nil {
			return err
		}
		if err := m.queueParcel(sp, inCardBox(k.boxKey()), channel.ParcelOffer, wire.Marshal(shown)); err != nil {
			return err
		}
		return m.makeNow(sp)
	})
	m.toPost.ring()
	m.changed(dialogue.Plenary)
	return err
}

func cmpDuration(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// seated tells whether one sits in the dialogue. m.mu is held.
func (m *member) seated() error {
	if m.acct.Standing != StandingIn || m.log == nil || m.state == nil {
		return ErrNotSeated
	}
	return nil
}

// allowed asks the fold whether an event of one's own would count now, on top
// of what already waits in the outbox.
func (m *member) allowed(e *dialogue.Event) error {
	state := m.state
	for _, it := range m.out {
		if it.Kind == itemEvent && it.Room == dialogue.Plenary && !it.Back {
			if q, err := dialogue.ParseEvent(it.Event); err == nil {
				state, _ = dialogue.Apply(state, dialogue.Entry{Author: m.acct.Me, Event: &q})
			}
		}
	}
	_, notes := dialogue.Apply(state, dialogue.Entry{Author: m.acct.Me, Event: e})
	for _, n := range notes {
		if n.Kind == dialogue.NoteRefused {
			return m.ruleError(n.Reason)
		}
	}
	return nil
}

func (m *member) ruleError(r dialogue.Reason) error {
	e := &RuleError{Reason: r}
	if r == dialogue.ReasonNotAgreed {
		for _, s := range m.state.Disagreed() {
			e.Missing = append(e.Missing, m.state.SideName(s))
		}
	}
	return e
}

// makeNow makes what waits, if the log has been read to its end.
func (m *member) makeNow(sp *vault.Space) error {
	if !m.caughtUp {
		return nil
	}
	return m.make(sp)
}

// do queues an event that the rules allow.
func (c *Client) do(id ID, k dialogue.Kind, body any) error {
	m, err := c.member(id)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.do(k, body)
}

func (m *member) do(k dialogue.Kind, body any) error {
	if err := m.seated(); err != nil {
		return err
	}
	if err := m.outboxFull(); err != nil {
		return err
	}
	e := dialogue.NewEvent(k, m.c.minute(), body)
	if err := m.allowed(&e); err != nil {
		return err
	}
	err := m.update(func(sp *vault.Space) error {
		if err := m.enqueue(sp, &item{Kind: itemEvent, Event: e.Marshal()}); err != nil {
			return err
		}
		return m.makeNow(sp)
	})
	m.toPost.ring()
	m.changed(dialogue.Plenary)
	return err
}

// Card shows again a card that this vault made.
func (c *Client) Card(id ID, seat dialogue.SeatID) (text string, err error) {
	m, err := c.member(id)
	if err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	err = m.view(func(sp *vault.Space) error {
		b, err := sp.Get(cardKey(seat))
		text = string(b)
		return err
	})
	if errors.Is(err, vault.ErrNotFound) {
		return "", ErrNoSeat
	}
	if err != nil || m.state == nil || m.state.Seat(seat) == nil {
		return text, err // its announcement was not read back yet
	}
	k, err := parseCard(text)
	if err != nil {
		return "", err
	}
	if x := m.withCard(seat, k.public()); x == nil && !m.announces(k) || x != nil && x.Status != dialogue.Invited {
		return "", ErrCardUsed
	}
	return text, nil
}

// Revoke ends a card at once.
func (c *Client) Revoke(ctx context.Context, id ID, seat dialogue.SeatID) error {
	return c.do(id, dialogue.KindRevoke, dialogue.Revoke{Seat: seat})
}

// Remove asks for a seat's removal.
func (c *Client) Remove(ctx context.Context, id ID, seat dialogue.SeatID) error {
	return c.do(id, dialogue.KindRemove, dialogue.Remove{Seat: seat})
}

// Leave gives up one's seat.
func (c *Client) Leave(ctx context.Context, id ID) error {
	return c.do(id, dialogue.KindLeave, dialogue.Leave{})
}

// Approve gives one's side's consent to exactly what a card's holder posted.
// It returns nil where nothing is missing, and ErrWaiting where nobody has
// used the card yet.
func (c *Client) Approve(ctx context.Context, id ID, seat dialogue.SeatID) error {
	m, err := c.member(id)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.seated(); err != nil {
		return err
	}
	x := m.state.Seat(seat)
	switch {
	case x == nil:
		return ErrNoSeat
	case x.Status == dialogue.In || x.Status == dialogue.Asleep:
		return m.approveNew(x, nil)
	case m.state.Ready(x):
		return nil
	case x.Status == dialogue.Invited:
		return ErrWaiting
	}
	return m.do(dialogue.KindConsent, dialogue.Consent{Seat: seat, Post: x.Post})
}

// welcomesGo lists where the Welcome for each who is added goes: the box of its
// card, or the door at which it waits.
func (m *member) welcomesGo(adds []dialogue.Added) (l []parcelItem) {
	for _, a := range adds {
		x := m.state.Seat(a.Seat)
		if x.Back != nil && !x.Replacing {
			l = append(l, atDoor(x.Back.Door))
		} else {
			l = append(l, inCardBox(x.Box))
		}
	}
	return l
}

// sendWelcome puts the plenary's Welcome where each who was added looks for it.
func (m *member) sendWelcome(sp *vault.Space, it *item) error {
	for _, to := range it.Commit.To {
		if err := m.queueParcel(sp, to, channel.ParcelWelcome, it.Commit.Welcome); err != nil {
			return err
		}
	}
	return nil
}
