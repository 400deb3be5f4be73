package web

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"parley/client"
	"parley/dialogue"
	"parley/internal/words"
	"parley/relay"
)

// A Participant is what the pages need of a *client.Client.
type Participant interface {
	Profile() client.Profile
	SetProfile(client.Profile) error
	ChangePassphrase(old, new string) error

	Dialogues() []client.Dialogue
	Dialogue(client.ID) (client.Dialogue, error)
	SetTitle(id client.ID, title string) error
	Start(context.Context, client.StartOptions) (client.ID, error)
	Leave(context.Context, client.ID) error
	ChooseCharter(client.ID, dialogue.SideID) error
	Return(context.Context, client.ID) error
	FoundAgain(context.Context, client.ID) error
	LeaveFounding(context.Context, client.ID) error
	AcceptFounding(ctx context.Context, id client.ID, founder dialogue.SeatID, lastWord string) error
	Forget(client.ID) error

	Invite(context.Context, client.ID, client.InviteOptions) (string, dialogue.SeatID, error)
	Card(client.ID, dialogue.SeatID) (string, error)
	Revoke(context.Context, client.ID, dialogue.SeatID) error
	Look(ctx context.Context, card string) (client.CardView, error)
	Join(ctx context.Context, card string) (client.ID, client.CardView, error)
	Approve(context.Context, client.ID, dialogue.SeatID) error
	Replace(ctx context.Context, id client.ID, seat dialogue.SeatID, expires time.Duration) (string, error)
	ApproveNew(ctx context.Context, id client.ID, seat dialogue.SeatID, post dialogue.Hash) error
	Remove(context.Context, client.ID, dialogue.SeatID) error

	Messages(client.ID, client.Query) ([]client.Message, error)
	MarkRead(client.ID, dialogue.Room) error
	Say(context.Context, client.ID, client.Draft) (dialogue.EventID, error)
	SendAgain(context.Context, client.ID, dialogue.EventID, []client.Reader) error
	Discard(client.ID, dialogue.EventID) error
	OpenFile(context.Context, client.ID, dialogue.EventID, io.Writer) error

	ReadWords(context.Context, client.ID) error
	Heard(ctx context.Context, id client.ID, reader dialogue.SeatID, lastWord string) error

	Subscribe() (<-chan client.Change, func())
}

// A Reach says whom an address of the relay on this computer reaches.
type Reach int

// The reaches, the wider the larger.
const (
	ThisComputer Reach = iota
	SameNetwork
	Internet
)

// A Proposal is an address of the relay that runs inside Parley.
type Proposal struct {
	Address relay.Address
	Reach   Reach
}

// An Action is something that the scripted partners of a rehearsal do on
// request.
type Action struct {
	Key   string // stands in a form; letters
	Title string
	Help  string
}

// A Rehearsal plays the partners.
type Rehearsal interface {
	Actions() []Action
	// Do has an action done and says what came of it, in a sentence.
	Do(key string) (string, error)
}

// Config is what an App is made of.
type Config struct {
	// Hosts are the exact values of Host that are answered: "127.0.0.1:port".
	Hosts []string

	// The vault's life. Exists tells whether there is one; Create and Open
	// give a Participant that is running; Lock closes it. Errors are those of
	// packages client and vault.
	Exists func() bool
	Create func(p client.Profile, passphrase string) (Participant, error)
	Open   func(passphrase string) (Participant, error)
	Lock   func() error

	// Rehearsing is a Participant that is open from the start and has no
	// passphrase: putting it away hides it and closes nothing. Then the
	// functions above are not used.
	Rehearsing Participant
	Rehearsal  Rehearsal // what the partners do on request, or nil

	// Rehearse starts a rehearsal beside this application and gives the
	// address to open. Nil: there is no such door.
	Rehearse func() (url string, err error)

	// Proposals are the addresses of the relay inside. Nil: there is none.
	Proposals func() []Proposal

	Languages []string         // offered; nil: all there are
	Now       func() time.Time // nil: time.Now
}

// An App is the application. It is an http.Handler.
type App struct {
	cfg     Config
	guard   guard
	pages   *pages
	handler http.Handler

	doorway sync.Mutex // held while the vault is opened or closed; taken before mu

	mu     sync.Mutex
	open   *opened
	hidden bool // a rehearsal was put away
	look   look // as chosen while the vault was open, for the pages before it is
	idle   *time.Timer
	cards  map[string]heldCard // cards that were shown to this App, by a random name
	drafts map[string]string   // what was written and could not be sent, by path
}

// look is how pages look.
type look struct {
	Lang  string
	Text  int
	Theme string
}

// opened is an open vault, from unlocking to putting away.
type opened struct {
	Participant
	ctx  context.Context // ends when it is put away
	stop context.CancelFunc

	drawn drawn // lines of talk

	mu      sync.Mutex
	waiting map[client.ID]client.CardView // what Join gave, for the pages that wait
	made    map[string]client.Seat        // seats for which a card was made here, until the seat plan has them
}

// New makes the application.
func New(cfg Config) *App {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Languages == nil {
		cfg.Languages = words.Languages()
	}
	a := &App{
		cfg: cfg, guard: newGuard(cfg.Hosts), pages: newPages(),
		look: look{Lang: words.English, Text: 100, Theme: "auto"}, cards: map[string]heldCard{}, drafts: map[string]string{},
	}
	a.handler = a.guard.protect(a.routes())
	if cfg.Rehearsing != nil {
		a.take(cfg.Rehearsing)
	}
	return a
}

// ServeHTTP serves a request.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// Link is a path with which a browser gets in, once: "/open?once=…".
func (a *App) Link() string { return a.guard.link() }

// current is the open vault, or nil.
func (a *App) current() *opened {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.hidden {
		return nil
	}
	return a.open
}

// take makes p the open vault.
func (a *App) take(p Participant) {
	a.mu.Lock()
	defer a.mu.Unlock()
	o := &opened{Participant: p, waiting: map[client.ID]client.CardView{}, made: map[string]client.Seat{}}
	o.ctx, o.stop = context.WithCancel(context.Background())
	a.open, a.hidden = o, false
	a.keepLook(p.Profile())
	a.wind()
}

// keepLook remembers how pages look. The caller holds mu.
func (a *App) keepLook(p client.Profile) { a.look = look{p.Language, p.Text, p.Theme} }

// wind starts the idle time anew. The caller holds mu.
func (a *App) wind() {
	if a.idle != nil {
		a.idle.Stop()
		a.idle = nil
	}
	if a.open == nil || a.hidden {
		return
	}
	o := a.open
	a.idle = time.AfterFunc(time.Duration(o.Profile().Idle)*time.Minute, func() { a.putAway(o) })
}

// touched notes that a person did something.
func (a *App) touched() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wind()
}

// PutAway closes the vault and ends every stream; the next page asks for the
// passphrase.
func (a *App) PutAway() error { return a.putAway(nil) }

// putAway puts away what is open, if it is still o; nil is whatever is open.
func (a *App) putAway(o *opened) error {
	a.doorway.Lock()
	defer a.doorway.Unlock()
	a.mu.Lock()
	if a.open == nil || o != nil && a.open != o {
		a.mu.Unlock()
		return nil
	}
	o = a.open
	clear(a.cards)
	if a.idle != nil {
		a.idle.Stop()
	}
	if a.cfg.Rehearsing != nil {
		a.hidden = true
		o.stop()
		a.mu.Unlock()
		return nil
	}
	a.open = nil
	a.mu.Unlock()
	o.stop()
	return a.cfg.Lock()
}
