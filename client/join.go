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

// A cardReading is what lies in a card's box for whoever holds the card.
type cardReading struct {
	offer *offer
	raw   []byte
	taken bool // by a post
}

// readCardBox reads a card's box to its end. Somebody may have filled it, and the
// network may break more often than it lets all of that through: it goes on as
// long as something comes.
func (c *Client) readCardBox(ctx context.Context, k *card) (*cardReading, error) {
	r, err := c.relayAt(k.address)
	if err != nil {
		return nil, err
	}
	got, b := new(cardReading), newParcelBox(inCardBox(k.boxKey()))
	see := func(p *channel.Parcel) error {
		switch p.Kind {
		case channel.ParcelOffer:
			if o, err := parseOffer(p.Content); err == nil && got.offer == nil {
				got.offer, got.raw = o, p.Content
			}
		case channel.ParcelPost:
			got.taken = got.taken || k.post(p) != nil
		}
		return nil
	}
	for {
		before := b.cells()
		switch err := b.read(ctx, r, 0, see); {
		case err == nil && !b.behind.Load():
			return got, nil
		case err != nil && (!relay.Retryable(err) || b.cells() <= before):
			return nil, err
		}
	}
}

// post is the one of a card that a parcel holds, or nil.
func (k *card) post(p *channel.Parcel) *dialogue.SignedPost {
	var q posted
	if wire.Unmarshal(p.Content, &q, wire.MaxMessage) != nil || q.Signed.Post.Seat != k.seat || !q.Signed.Verify(k.public()) {
		return nil
	}
	return &q.Signed
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

func (c *Client) look(ctx context.Context, k *card) (*cardReading, error) {
	if c.minute() > k.expires {
		return nil, ErrCardExpired
	}
	got, err := c.readCardBox(ctx, k)
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
	if got.taken {
		// The seat is somebody else's. One's own post is there all the same, so that everybody learns of it.
		return m.id, CardView{}, errors.Join(ErrCardUsed, m.refuse(m.joins()))
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
func (c *Client) post(k *card, got *cardReading, former *member) (*member, error) {
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
		return m.queueParcel(sp, inCardBox(k.boxKey()), channel.ParcelPost, content)
	})
}

// joins is what one waits with for a first Welcome, or nil.
func (m *member) joins() *joining {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.acct.Standing != StandingWaiting || m.log != nil {
		return nil
	}
	return m.acct.Joining
}

// late tells whether the card that one waits with has expired, so that others may
// have seen too late that it was used. m.mu is held.
func (m *member) late() bool {
	if m.acct.Standing != StandingWaiting || m.acct.Joining == nil {
		return false
	}
	k, err := parseCard(m.acct.Joining.Card)
	return err == nil && m.c.minute() > k.expires
}

// refuse gives up a card that somebody else used first.
func (m *member) refuse(j *joining) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.acct.Standing != StandingWaiting || m.acct.Joining == nil || m.acct.Joining.Post != j.Post {
		return nil // one waits with another card
	}
	m.acct.Standing = StandingRefused
	m.changed(dialogue.Plenary)
	return m.update(func(*vault.Space) error { return nil })
}

// A cardWait is what a card's holder, who has posted, has read of its box.
type cardWait struct {
	*parcelBox
	post  dialogue.Hash // its own
	first dialogue.Hash // the first there; zero for none yet
}

// await looks into the card's box for the Welcome, waiting for it up to wait.
func (m *member) await(ctx context.Context, wait time.Duration) error {
	j := m.joins()
	if j == nil {
		return nil
	}
	k, err := parseCard(j.Card)
	if err != nil {
		return err
	}
	r, err := m.relay()
	if err != nil {
		return err
	}
	m.mu.Lock()
	w := m.cardBox
	if w == nil || w.post != j.Post {
		w = &cardWait{parcelBox: newParcelBox(inCardBox(k.boxKey())), post: j.Post}
		m.cardBox = w
	}
	m.mu.Unlock()
	if err := w.read(ctx, r, wait, func(p *channel.Parcel) error { return m.sawInCardBox(w, p, k, j) }); err != nil {
		return err
	}
	if m.joins() == nil {
		return nil
	}
	if err := m.knockAgain(false); err != nil {
		return err
	}
	m.mu.Lock()
	knocked := m.acct.Away != nil
	m.mu.Unlock()
	if knocked {
		return m.awaitDoor(ctx, 0)
	}
	return nil
}

func (m *member) sawInCardBox(w *cardWait, p *channel.Parcel, k *card, j *joining) error {
	switch p.Kind {
	case channel.ParcelPost:
		s := k.post(p)
		if s == nil {
			return nil
		}
		if w.first == (dialogue.Hash{}) {
			w.first = s.Post.Hash()
		}
		if w.first != w.post {
			return m.refuse(j)
		}
	case channel.ParcelWelcome:
		if w.first == (dialogue.Hash{}) || w.first == w.post {
			return m.enterWith(p.Content, k, j)
		}
	}
	return nil
}

// enterWith joins the plenary with a Welcome, if it is one for this seat.
func (m *member) enterWith(welcome []byte, k *card, j *joining) error {
	secrets, err := mls.ParseKeyPackageSecrets(j.Secrets)
	if err != nil {
		return err
	}
	group, err := mls.Join(welcome, secrets)
	if err != nil || group.Suite() != Suite {
		if mls.Invites(welcome, secrets.KeyPackage()) { // the seat was let in, it seems, but not so that it can enter
			return m.knockOnce()
		}
		return nil // not for this seat, or nonsense: somebody else's may be right
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.log != nil || m.acct.Standing != StandingWaiting || m.acct.Joining == nil || !bytes.Equal(m.acct.Joining.Secrets, j.Secrets) {
		return nil // one has left again, or waits with another card: a Welcome serves once
	}
	err = m.update(func(sp *vault.Space) error {
		if err := m.dropAll(sp, func(it *item) bool { return it.Kind == itemParcel }); err != nil {
			return err
		}
		p := place{Package: hashOf(secrets.KeyPackage().Marshal()), Beside: inCardBox(k.boxKey()), Card: k.public()}
		p.Keys = [][]byte{secrets.SignatureKey().Bytes()}
		return m.enter(sp, group, p)
	})
	m.toPost.ring()
	return err
}
