package client

import (
	"bytes"
	"context"
	"errors"
	"time"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/mls"
	"parley/relay"
	"parley/vault"
)

// A joining is what a vault holds while its card waits.
type joining struct {
	_       struct{} `cbor:",toarray"`
	Card    string
	Offer   []byte
	Secrets []byte // of the key package
	Post    dialogue.Hash
	At      uint64 // when it was made, minutes since 1970
}

// A cardBoxReading is what lies in a card's box for whoever holds the card.
type cardBoxReading struct {
	offer    *offer
	raw      []byte
	posts    []dialogue.SignedPost
	welcomes [][]byte
}

// readCardBox reads a card's box to its end, from the beginning: it is short.
// Where wait is not zero and nothing new came, it waits for one cell more.
func (c *Client) readCardBox(ctx context.Context, k *card, seen uint64, wait time.Duration) (*cardBoxReading, uint64, error) {
	r, err := c.relayAt(k.address)
	if err != nil {
		return nil, 0, err
	}
	boxKey := k.boxKey()
	key, err := relay.BoxKeyFrom(boxKey[:])
	if err != nil {
		return nil, 0, err
	}
	un, box := channel.NewUnwrapper(key), cardBox(boxKey)
	if wait > 0 {
		if _, err := r.Do(ctx, relay.Exchange{Box: box, From: seen, Mode: relay.Mode1, Wait: wait}); err != nil {
			return nil, 0, err
		}
	}
	got, from := new(cardBoxReading), uint64(0)
	for {
		page, err := r.Do(ctx, relay.Exchange{Box: box, From: from, Mode: relay.Mode8})
		if err != nil {
			return nil, 0, err
		}
		for i := range page.Cells {
			if p, err := un.Add(&page.Cells[i]); err == nil && p != nil {
				got.add(k, p)
			}
		}
		from = max(from, page.First+uint64(len(page.Cells)))
		if len(page.Cells) == 0 || from >= page.Next {
			return got, from, nil
		}
	}
}

func (g *cardBoxReading) add(k *card, p *channel.Parcel) {
	switch p.Kind {
	case channel.ParcelOffer:
		if o, err := parseOffer(p.Content); err == nil && g.offer == nil {
			g.offer, g.raw = o, p.Content
		}
	case channel.ParcelPost:
		var q posted
		if wire.Unmarshal(p.Content, &q, wire.MaxMessage) == nil && q.Signed.Post.Seat == k.seat && q.Signed.Verify(k.public()) {
			g.posts = append(g.posts, q.Signed)
		}
	case channel.ParcelWelcome:
		if len(g.welcomes) < 64 {
			g.welcomes = append(g.welcomes, p.Content)
		}
	}
}

// Look shows what a card is for. It posts nothing.
func (c *Client) Look(ctx context.Context, text string) (CardView, error) {
	k, err := parseCard(text)
	if err != nil {
		return CardView{}, err
	}
	if m, very := c.joinedWith(k); very {
		return m.cardView()
	} else if m != nil && m.holdsSeat() {
		return CardView{}, ErrSeatHere
	}
	got, err := c.look(ctx, k)
	if err != nil {
		return CardView{}, err
	}
	return viewOf(k, got.offer), nil
}

func (c *Client) look(ctx context.Context, k *card) (*cardBoxReading, error) {
	if c.minute() > k.expires {
		return nil, ErrCardExpired
	}
	got, _, err := c.readCardBox(ctx, k, 0, 0)
	switch {
	case relay.Retryable(err):
		return nil, ErrOffline
	case err != nil:
		return nil, err
	case got.offer == nil:
		return nil, ErrOffline // the inviter's computer has not delivered it yet
	}
	return got, nil
}

func viewOf(k *card, o *offer) CardView {
	v := CardView{
		Relay: k.address, Sides: o.Sides, Rules: o.Rules, Name: o.Name, Capacity: o.Capacity, Role: o.Role,
		Head: o.Head, Convenor: o.Convenor, Expires: minuteTime(k.expires), Again: o.Again,
	}
	if o.Side > 0 {
		v.Side = o.Sides[o.Side-1]
	}
	return v
}

// joinedWith finds the dialogue of a card's seat, and tells whether this very
// card led to it.
func (c *Client) joinedWith(k *card) (m *member, very bool) {
	for _, m := range c.all() {
		m.mu.Lock()
		same, very := m.acct.Me == k.seat, m.cameWith(k)
		m.mu.Unlock()
		if same {
			return m, very
		}
	}
	return nil, false
}

// cameWith tells whether one took one's seat with a card.
func (m *member) cameWith(k *card) bool {
	if m.acct.Joining != nil {
		return m.acct.Joining.Card == k.String()
	}
	me := m.me()
	return me != nil && me.Card == k.public()
}

func (m *member) cardView() (CardView, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.acct.Joining == nil {
		return CardView{}, ErrCardUsed
	}
	k, err := parseCard(m.acct.Joining.Card)
	if err != nil {
		return CardView{}, err
	}
	o, err := parseOffer(m.acct.Joining.Offer)
	if err != nil {
		return CardView{}, err
	}
	v := viewOf(k, o)
	v.Words = m.acct.Joining.Post.Words(o.Rules.Language)
	return v, nil
}

// Waiting shows again what a card that waits is for, with its four words.
func (c *Client) Waiting(id ID) (CardView, error) {
	m, err := c.member(id)
	if err != nil {
		return CardView{}, err
	}
	return m.cardView()
}

// Join takes the seat of a card, agreeing to the rules that Look shows. It
// posts the seat's first key package; the others let the seat in. Joining
// again with the same card, from the same vault, changes nothing.
func (c *Client) Join(ctx context.Context, text string) (ID, CardView, error) {
	k, err := parseCard(text)
	if err != nil {
		return "", CardView{}, err
	}
	m, very := c.joinedWith(k)
	if very {
		v, err := m.cardView()
		if errors.Is(err, ErrCardUsed) {
			err = nil // seated already
		}
		return m.id, v, err
	}
	if m != nil && m.holdsSeat() {
		return "", CardView{}, ErrSeatHere
	}
	got, err := c.look(ctx, k)
	if err != nil {
		return "", CardView{}, err
	}
	if m, err = c.post(k, got, m); err != nil {
		return "", CardView{}, err
	}
	err = m.push(ctx)
	if len(got.posts) > 0 {
		// The seat is somebody else's. One's own post is there all the same, so that everybody learns of it.
		return m.id, CardView{}, errors.Join(ErrCardUsed, m.refuse())
	}
	if relay.Retryable(err) {
		err = nil // it goes by itself
	}
	v, verr := m.cardView()
	return m.id, v, errors.Join(err, verr)
}

// newPost makes a post with a card, as it is put into the card's box, and the
// secrets of its key package.
func (c *Client) newPost(k *card, rules dialogue.Hash) (p dialogue.Post, content []byte, secrets *mls.KeyPackageSecrets, err error) {
	_, door, sig, err := newPlace()
	if err != nil {
		return p, nil, nil, err
	}
	kp, secrets, err := mls.NewKeyPackage(Suite, k.seat[:], sig, lifetime(c.opt.Now()))
	if err != nil {
		return p, nil, nil, err
	}
	p = dialogue.Post{Seat: k.seat, KeyPackage: hashOf(kp.Marshal()), Door: door, Rules: rules}
	return p, wire.Marshal(posted{Signed: p.Sign(k.signer()), Package: kp.Marshal()}), secrets, nil
}

// post makes the post and the dialogue that waits for its answer. Where this
// vault had the seat before, that is the same.
func (c *Client) post(k *card, got *cardBoxReading, former *member) (*member, error) {
	p, content, secrets, err := c.newPost(k, dialogue.RulesHash(got.offer.Sides, got.offer.Rules))
	if err != nil {
		return nil, err
	}
	acct := account{
		Title: defaultTitle(got.offer.Sides), Standing: StandingWaiting, Relay: k.address, Me: k.seat, Door: p.Door,
		Terms: termsOf(got.offer.Rules), NextSeq: 1, Witness: secrets.SignatureKey().Bytes(),
		Joining: &joining{Card: k.String(), Offer: got.raw, Secrets: secrets.Marshal(), Post: p.Hash(), At: c.minute()},
	}
	if former != nil {
		return former, former.joinAnew(k, acct, content)
	}
	return c.newDialogue(acct, func(m *member, sp *vault.Space) error {
		return m.queueParcel(sp, parcelItem{Box: k.boxKey(), Days: cardDays}, channel.ParcelPost, content)
	})
}

func (m *member) refuse() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acct.Standing = StandingRefused
	m.changed(dialogue.Plenary)
	return m.update(func(*vault.Space) error { return nil })
}

// await looks into the card's box for the Welcome, waiting for it up to wait.
func (m *member) await(ctx context.Context, seen uint64, wait time.Duration) (uint64, error) {
	m.mu.Lock()
	j := m.acct.Joining
	standing := m.acct.Standing
	m.mu.Unlock()
	if j == nil || standing != StandingWaiting {
		return seen, nil
	}
	k, err := parseCard(j.Card)
	if err != nil {
		return seen, err
	}
	got, at, err := m.c.readCardBox(ctx, k, seen, wait)
	if err != nil {
		return seen, err
	}
	if len(got.posts) > 0 && got.posts[0].Post.Hash() != j.Post {
		return at, m.refuse()
	}
	for _, w := range got.welcomes {
		if done, err := m.enterWith(w, k, j); done || err != nil {
			return at, err
		}
	}
	if err := m.knockAgain(false); err != nil {
		return at, err
	}
	m.mu.Lock()
	knocked := m.acct.Away != nil
	m.mu.Unlock()
	if knocked {
		return at, m.awaitDoor(ctx, 0)
	}
	return at, nil
}

// enterWith joins the plenary with a Welcome, if it is one for this seat.
func (m *member) enterWith(welcome []byte, k *card, j *joining) (bool, error) {
	secrets, err := mls.ParseKeyPackageSecrets(j.Secrets)
	if err != nil {
		return false, err
	}
	group, err := mls.Join(welcome, secrets)
	if err != nil || group.Suite() != Suite {
		if mls.Invites(welcome, secrets.KeyPackage()) { // the seat was let in, it seems, but not so that it can enter
			return false, m.knockOnce()
		}
		return false, nil // not for this seat, or nonsense: somebody else's may be right
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.log != nil {
		return true, nil
	}
	if m.acct.Standing != StandingWaiting || m.acct.Joining == nil || !bytes.Equal(m.acct.Joining.Secrets, j.Secrets) {
		return false, nil // one has left again, or waits with another card: a Welcome serves once
	}
	err = m.update(func(sp *vault.Space) error {
		if err := m.dropAll(sp, func(it *item) bool { return it.Kind == itemParcel }); err != nil {
			return err
		}
		p := place{Package: hashOf(secrets.KeyPackage().Marshal()), Beside: parcelItem{Box: k.boxKey(), Days: cardDays}, Card: k.public()}
		p.Keys = [][]byte{secrets.SignatureKey().Bytes()}
		return m.enter(sp, group, p)
	})
	m.toPost.ring()
	return err == nil, err
}
