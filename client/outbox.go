package client

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"parley/channel"
	"parley/dialogue"
	"parley/internal/wire"
	"parley/mls"
	"parley/relay"
	"parley/vault"
)

// An item is something of one's own that is to be in a box. It waits, is made
// (its very cells are in the vault), is posted as often as needed, and goes
// when its entry is read back. What the box's or the room's end voids is made
// again, commits and Updates excepted: whether others are due, the chores say.
type item struct {
	_       struct{} `cbor:",toarray"`
	Number  uint64
	Kind    itemKind
	Room    dialogue.Room
	Event   []byte
	Readers []Reader // whom a message's author was shown
	Back    bool     // it came back: its readers are not those any more
	Commit  *commitItem
	Update  *updateItem
	Parcel  *parcelItem
	File    *fileItem // its content has to be in its box first

	Stage     itemStage
	Ref       *channel.Ref // of its chunks
	Cells     []cellInfo   // in the order in which they go out; the content lies under keyCells
	Positions []uint32     // of the chunks that were read back, plus one; 0 where it was not

	part uint32 // of a parcel's box: the one that took what was posted last
}

type itemKind uint8

const (
	itemEvent  itemKind = 1
	itemCommit itemKind = 2
	itemParcel itemKind = 3 // for an invitation box: done when the relay has it
	itemUpdate itemKind = 4
)

type itemStage uint8

const (
	stageWaiting itemStage = 0
	stageChunks  itemStage = 1 // its chunks are made
	stageHead    itemStage = 2 // its head is made
)

// A cellInfo is a cell of an item. Posted is kept in memory only: after a
// restart cells go again, and the relay knows them by their hash.
type cellInfo struct {
	_      struct{} `cbor:",toarray"`
	Hash   [32]byte
	posted bool
	at     uint64      // where the relay said it lies, plus one
	cell   *relay.Cell // as long as it was not read from the vault again
}

// A commitItem is a staged commit.
type commitItem struct {
	_       struct{} `cbor:",toarray"`
	Content dialogue.Commit
	Message []byte
	Welcome []byte
	To      []parcelItem // where the plenary's Welcome goes
}

// An updateItem is a staged Update proposal.
type updateItem struct {
	_       struct{} `cbor:",toarray"`
	Minute  uint64
	Message []byte
}

// An ownCell finds the item of a cell that is read back.
type ownCell struct {
	it    *item
	index int
}

// maxOutbox bounds what a person can have waiting: somebody offline for weeks
// stops there. What the protocol itself has to say always fits, or a full
// outbox would keep the log from being read, and so from ever being emptied.
const maxOutbox = 1000

// ErrOutbox is returned when too much waits to be delivered.
var ErrOutbox = errors.New("too much waits to be delivered already")

func (m *member) loadOutbox(sp *vault.Space) error {
	m.out, m.own = nil, map[[32]byte]*ownCell{}
	for p, err := range scan(sp, []byte(keyItem), scanOptions{}) {
		if err != nil {
			return err
		}
		it := new(item)
		if err := wire.Unmarshal(p.Value, it, 4*wire.MaxMessage); err != nil {
			return fmt.Errorf("outbox: %w", err)
		}
		m.out = append(m.out, it)
		m.index(it)
	}
	return nil
}

func (m *member) index(it *item) {
	for i := range it.Cells {
		m.own[it.Cells[i].Hash] = &ownCell{it, i}
	}
}

func (m *member) unindex(it *item) {
	for i := range it.Cells {
		delete(m.own, it.Cells[i].Hash)
	}
}

// handshake is the message of a commit or an Update, which is made already.
func (it *item) handshake() []byte {
	if it.Kind == itemCommit {
		return it.Commit.Message
	}
	if it.Kind == itemUpdate {
		return it.Update.Message
	}
	return nil
}

func (it *item) key() []byte { return numbered(keyItem, it.Number) }
func (it *item) cellKey(i int) []byte {
	return wire.AppendU32(numbered(keyCells, it.Number), uint32(i))
}
func (m *member) saveItem(sp *vault.Space, it *item) error {
	return sp.Put(it.key(), wire.Marshal(it))
}

// enqueue puts an item into the outbox. m.mu is held, or nobody else has m.
func (m *member) enqueue(sp *vault.Space, it *item) error {
	it.Number = m.acct.NextOut
	m.acct.NextOut++
	m.out = append(m.out, it)
	m.index(it)
	return m.saveItem(sp, it)
}

// outboxFull returns ErrOutbox where a person can put nothing more into it.
func (m *member) outboxFull() error {
	if len(m.out) >= maxOutbox {
		return ErrOutbox
	}
	return nil
}

// queueEvent enqueues an event of the plenary.
func (m *member) queueEvent(sp *vault.Space, k dialogue.Kind, body any) error {
	e := dialogue.NewEvent(k, m.c.minute(), body)
	return m.enqueue(sp, &item{Kind: itemEvent, Event: e.Marshal()})
}

// drop takes an item out of the outbox.
func (m *member) drop(sp *vault.Space, it *item) error {
	m.unindex(it)
	m.out = slices.DeleteFunc(m.out, func(x *item) bool { return x == it })
	if err := m.dropCells(sp, it); err != nil {
		return err
	}
	return sp.Delete(it.key())
}

// dropAll takes those out for which which is true.
func (m *member) dropAll(sp *vault.Space, which func(*item) bool) error {
	for _, it := range slices.Clone(m.out) {
		if !which(it) {
			continue
		}
		if err := m.drop(sp, it); err != nil {
			return err
		}
	}
	return nil
}

func (m *member) dropCells(sp *vault.Space, it *item) error {
	for i := range it.Cells {
		if err := sp.Delete(it.cellKey(i)); err != nil {
			return err
		}
	}
	return nil
}

// addCells keeps cells with their item.
func (m *member) addCells(sp *vault.Space, it *item, cells ...relay.Cell) error {
	for i := range cells {
		if err := sp.Put(it.cellKey(len(it.Cells)), cells[i][:]); err != nil {
			return err
		}
		it.Cells = append(it.Cells, cellInfo{Hash: sha256.Sum256(cells[i][:]), cell: &cells[i]})
	}
	m.index(it)
	return nil
}

// void makes waiting again what an end of its box or epoch voided, and drops
// commits and Updates.
func (m *member) void(sp *vault.Space, concerns func(*item) bool) error {
	for _, it := range slices.Clone(m.out) {
		if it.Stage == stageWaiting || it.Kind == itemParcel || !concerns(it) {
			continue
		}
		if it.handshake() != nil {
			if err := m.drop(sp, it); err != nil {
				return err
			}
			continue
		}
		m.unindex(it)
		if err := m.dropCells(sp, it); err != nil {
			return err
		}
		it.Stage, it.Cells, it.Ref, it.Positions = stageWaiting, nil, nil, nil
		if isDoor(it) { // whom a commit removed reads what was made before it
			it.Event = m.newDoor()
		}
		if err := m.saveItem(sp, it); err != nil {
			return err
		}
	}
	return nil
}

// make makes all that can be made now: the log has been read to its end.
func (m *member) make(sp *vault.Space) error {
	if err := m.moveDoor(sp); err != nil {
		return err
	}
	for _, it := range slices.Clone(m.out) {
		if !m.makeable(it) {
			continue
		}
		if m.audienceChanged(it) {
			it.Back = true
			if err := m.saveItem(sp, it); err != nil {
				return err
			}
			m.changed(it.Room)
			continue
		}
		if err := m.makeItem(sp, it); err != nil {
			return err
		}
	}
	return nil
}

// makeable tells whether an item can take its next step.
func (m *member) makeable(it *item) bool {
	if !m.writes() || m.held(it) || it.Back || it.Kind == itemParcel || !m.log.In(channel.Room(it.Room)) {
		return false
	}
	if it.Kind == itemEvent && !m.log.Reaches(channel.Room(it.Room)) {
		return false // it waits for the next epoch, or until others of one's own were read
	}
	if it.Stage == stageChunks {
		return !slices.Contains(it.Positions, 0)
	}
	if it.Stage != stageWaiting || it.File != nil && !it.File.sent() {
		return false
	}
	return it.Readers == nil || m.canWrite(it.Room) == WhyNone
}

// writes tells whether anything of one's own may go into the log. A vault that
// is lost never writes again, whatever it had made before.
func (m *member) writes() bool { return m.log != nil && m.acct.Standing == StandingIn }

func (m *member) makeItem(sp *vault.Space, it *item) error {
	room, minute := channel.Room(it.Room), m.c.minute()
	var cells []relay.Cell
	var head *relay.Cell
	var delta channel.Delta
	var err error
	switch {
	case it.Stage == stageChunks && it.handshake() != nil:
		it.Ref.Positions = placed(it.Positions)
		head, err = m.log.SealCommitHead(room, it.Ref)
	case it.Stage == stageChunks:
		it.Ref.Positions = placed(it.Positions)
		head, delta, err = m.log.SealHead(room, minute, it.Ref)
	case it.handshake() != nil && channel.CommitFits(it.handshake()):
		head, err = m.log.SealCommit(room, it.handshake())
	case it.handshake() != nil:
		cells, it.Ref, err = m.log.SealLong(room, it.handshake())
	case len(it.Event) <= channel.MaxInline:
		head, delta, err = m.log.Seal(room, minute, it.Event)
	default:
		cells, it.Ref, err = m.log.SealLong(room, it.Event)
	}
	if err != nil {
		return fmt.Errorf("making an entry: %w", err)
	}
	if err := apply(sp, delta); err != nil {
		return err
	}
	if head != nil {
		it.Stage, cells = stageHead, []relay.Cell{*head}
	} else {
		it.Stage, it.Positions = stageChunks, make([]uint32, len(cells))
	}
	first := len(it.Cells)
	if err := m.addCells(sp, it, cells...); err != nil {
		return err
	}
	if len(delta) > 0 {
		m.made(delta, it.Cells[first])
	}
	return m.saveItem(sp, it)
}

// made tells a simulation what a step of a ratchet made: the same step with two
// cells would be one key for two plaintexts.
func (m *member) made(step channel.Delta, cell cellInfo) {
	if m.c.opt.Made != nil {
		m.c.opt.Made(step.Ratchets(), cell.Hash)
	}
}

// placed takes the one off that tells positions from none.
func placed(positions []uint32) []uint32 {
	l := make([]uint32, len(positions))
	for i, p := range positions {
		l[i] = p - 1
	}
	return l
}

// next finds a cell to post: the first of the outbox that was not. box is the
// chain box it is for, or nil for an item's own box.
func (m *member) next() (it *item, index int) {
	for _, it := range m.out {
		if it.Kind != itemParcel && !m.writes() || m.held(it) {
			continue
		}
		for i := range it.Cells {
			if !it.Cells[i].posted {
				return it, i
			}
		}
	}
	return nil, 0
}

// push posts what is made, in order, until nothing is left or one fails.
func (m *member) push(ctx context.Context) error {
	for {
		m.mu.Lock()
		it, i := m.next()
		if it == nil {
			m.mu.Unlock()
			return nil
		}
		box := m.boxFor(it)
		cell, err := m.cellOf(it, i)
		m.mu.Unlock()
		if err != nil {
			return fmt.Errorf("outbox: %w", err)
		}
		if err := m.post(ctx, it, i, box, cell); err != nil {
			return err
		}
	}
}

// cellOf is a cell of an item.
func (m *member) cellOf(it *item, i int) (c *relay.Cell, err error) {
	err = m.view(func(sp *vault.Space) error {
		c, err = it.load(sp, i)
		return err
	})
	return c, err
}

// load gives a cell of an item, from memory or from the vault.
func (it *item) load(sp *vault.Space, i int) (*relay.Cell, error) {
	if c := it.Cells[i].cell; c != nil {
		return c, nil
	}
	b, err := sp.Get(it.cellKey(i))
	if err != nil {
		return nil, err
	}
	c := new(relay.Cell)
	if copy(c[:], b) != len(c) {
		return nil, fmt.Errorf("a cell of the outbox: %w", wire.ErrMalformed)
	}
	return c, nil
}

// post appends one cell. What a full or destroyed box of the log refuses is not
// posted again there: the end of the box makes it anew.
func (m *member) post(ctx context.Context, it *item, i int, box *relay.Box, cell *relay.Cell) error {
	r, err := m.relay()
	if err != nil {
		return err
	}
	page, err := r.Do(ctx, relay.Exchange{Box: box, Append: cell, Mode: relay.Mode1})
	if err != nil && !errors.Is(err, relay.ErrFull) && !errors.Is(err, relay.ErrGone) {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if it.refused(box, err) {
		return nil
	}
	if i < len(it.Cells) && it.Cells[i].Hash == sha256.Sum256(cell[:]) {
		it.Cells[i].posted = true
		if err == nil {
			it.Cells[i].at = page.Appended + 1
		}
	}
	switch {
	case it.Kind == itemParcel && allPosted(it):
		return m.update(func(sp *vault.Space) error { return m.drop(sp, it) })
	case err == nil && it.Kind != itemParcel && m.log != nil && m.log.Box().ID() == box.ID() &&
		page.Appended < m.log.Position() && !m.log.Passed(page.Appended, cell): // another's was read there
		return m.update(func(sp *vault.Space) error { return m.relayAlarm(sp, box.ID(), AlarmOther) })
	}
	return nil
}

func allPosted(it *item) bool {
	return !slices.ContainsFunc(it.Cells, func(c cellInfo) bool { return !c.posted })
}

// boxFor is where an item's cells go.
func (m *member) boxFor(it *item) *relay.Box {
	if it.Kind == itemParcel {
		return it.Parcel.at(it.part)
	}
	return m.log.Box()
}

// stage stages a commit and enqueues it, made at once. A key package can be
// good by itself and still not fit: it has a key that is in the tree, or that
// another newcomer brings, too. Whoever posted it must not hold up the others,
// so what can't be staged as a whole is staged in part.
func (m *member) stage(sp *vault.Space, room dialogue.Room, content mls.CommitContent) error {
	var err error
	if content.NewSignature, err = mls.GenerateSignatureKey(Suite); err != nil {
		return err
	}
	minute := m.c.minute()
	content.Leave = func(x mls.Member) bool { return !m.state.Serves(room, seatOf(x.Identity), x.SignatureKey) }
	try := func() (*mls.PendingCommit, channel.Delta, error) {
		return m.log.Stage(channel.Room(room), minute, content)
	}
	p, delta, err := try()
	adds := content.Adds
	for i := 0; err != nil && len(adds) > 1 && i < len(adds); i++ {
		content.Adds = adds[i : i+1]
		p, delta, err = try()
	}
	if err != nil && len(adds) > 0 {
		content.Adds = nil
		if len(content.Removes) == 0 {
			return nil
		}
		p, delta, err = try()
	}
	if err != nil {
		return err
	}
	it, err := m.commitItem(room, minute, p)
	if err != nil {
		return err
	}
	return m.queueHandshake(sp, delta, it)
}

// commitItem is a staged commit for the outbox.
func (m *member) commitItem(room dialogue.Room, minute uint64, p *mls.PendingCommit) (*item, error) {
	seen, err := m.log.View(channel.Room(room), p)
	if err != nil {
		return nil, err
	}
	what := m.commitOf(seen, room, minute)
	it := &item{Kind: itemCommit, Room: room, Commit: &commitItem{Content: *what, Message: p.Message, Welcome: p.Welcome}}
	if room == dialogue.Plenary {
		it.Commit.To = m.welcomesGo(what.Adds)
	}
	return it, nil
}

// queueHandshake enqueues what was staged, made at once.
func (m *member) queueHandshake(sp *vault.Space, staged channel.Delta, it *item) error {
	if err := apply(sp, staged); err != nil {
		return err
	}
	if err := m.enqueue(sp, it); err != nil {
		return err
	}
	if err := m.makeItem(sp, it); err != nil {
		return err
	}
	m.made(staged, it.Cells[0])
	return nil
}

// settled tells whether nothing of one's own waits to be read back.
func (m *member) settled() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !slices.ContainsFunc(m.out, func(it *item) bool { return !it.Back && m.canSettle(it) })
}

// canSettle tells whether an item is on its way, rather than waiting for
// others to do something.
func (m *member) canSettle(it *item) bool {
	if m.held(it) {
		return false
	}
	return it.Stage != stageWaiting || m.makeable(it) || it.File != nil && !it.File.sent()
}
