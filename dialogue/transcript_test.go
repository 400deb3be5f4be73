package dialogue

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"parley/internal/wire"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the transcripts with what is said now")

// TestTranscripts plays testdata/*.txt. A transcript is a list of lines; a
// line that begins with "> " says what the line before it gave, and is what
// the test compares. Run with -rewrite after a change that is meant.
//
//	at MINUTES                          the clock of everybody who speaks next
//	open NAME SIDE SIDE… [track=N]      NAME convenes
//	NAME invite SEAT SIDE [expires=M]
//	NAME arrive SEAT [again] [rules]    NAME reports the use of SEAT's card (a second one; with other rules)
//	NAME revoke|consent|remove SEAT
//	NAME replace SEAT [expires=M] [card=X]     NAME asks for a new card (with the key of the one that X asked for)
//	NAME arrive|consent SEAT new=X [again] [rules]    of the new card for SEAT that X asked for last
//	NAME leave | say TEXT | hello | verify | unknown | door
//	NAME return SEAT [named=X] [retired] [forged] [elsewhere]    NAME reports what lay at SEAT's door
//	NAME roomlost ROOM [named=X]
//	NAME heard READER
//	NAME found ROOM | charter EPOCH
//	NAME welcome ROOM SEAT…
//	NAME commit [+SEAT…] [-SEAT…] [SEAT=X.N…]    the last gives SEAT's leaf, or the one that is added, the N-th key of X
//	NAME refounds without=X SEAT…       NAME founds the room again, with SEATs that wait at their doors
//	NAME in ROOM [MEMBER…]: say TEXT | commit …    an entry of a side room
//	state                               who sits where, and what is due
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d transcripts, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(b))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(b) {
				t.Errorf("%s says something else now:\n%s", file, firstDifference(string(b), got))
			}
		})
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range g {
		if i >= len(w) || w[i] != g[i] {
			return fmt.Sprintf("line %d\nwant %q\ngot  %q", i+1, slices.Concat(w, []string{""})[min(i, len(w))], g[i])
		}
	}
	return "shorter"
}

// A player plays one transcript.
type player struct {
	t        *testing.T
	s        *State
	minute   uint64
	last     EventID
	events   uint64
	readings map[string]EventID
	keys     map[string]int // how many signature keys a seat had before
	cards    map[string]int // how many new cards NAME asked for SEAT, by both names
	doors    byte
	out      strings.Builder
}

func play(t *testing.T, text string) string {
	p := &player{t: t, minute: 1000, readings: map[string]EventID{}, keys: map[string]int{}, cards: map[string]int{}}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "> ") {
			continue
		}
		p.out.WriteString(line + "\n")
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			p.line(words)
		}
	}
	return p.out.String()
}

func (p *player) line(w []string) {
	switch {
	case w[0] == "at":
		n, err := strconv.ParseUint(w[1], 10, 64)
		if err != nil {
			p.t.Fatal(err)
		}
		p.minute = n
	case w[0] == "state":
		p.state()
	case w[0] == "open":
		o := Open{Convenor: id(w[1]), Name: w[1], Rules: Preset(TrackTwo), Suite: 1, Door: Key{1}, Key: keyOf(w[1], 0).Public().(ed25519.PublicKey)}
		for _, x := range w[2:] {
			if n, ok := strings.CutPrefix(x, "track="); ok {
				o.Rules = Preset(Track(n[0] - '0'))
			} else {
				o.Sides = append(o.Sides, x)
			}
		}
		p.event(w[1], Plenary, nil, KindOpen, o)
	case w[1] == "in":
		p.inRoom(w)
	case w[1] == "commit":
		p.commit(w)
	case w[1] == "refounds":
		p.refounds(w)
	default:
		p.plenary(w[0], w[1], w[2:])
	}
}

func id(name string) (s SeatID) {
	h := sha256.Sum256([]byte(name))
	copy(s[:], h[:])
	return s
}

func cardOf(seat string) ed25519.PrivateKey {
	h := sha256.Sum256([]byte("card " + seat))
	return ed25519.NewKeyFromSeed(h[:])
}

// keyOf is the n-th signature key of a seat.
func keyOf(seat string, n int) ed25519.PrivateKey {
	h := sha256.Sum256(fmt.Appendf(nil, "key %d of %s", n, seat))
	return ed25519.NewKeyFromSeed(h[:])
}

// back is what lies at a seat's door.
func (p *player) back(seat string, args []string) Return {
	pkg := fmt.Appendf(nil, "package %d of %s", p.keys[seat]+1, seat)
	post := ReturnPost{Seat: id(seat), KeyPackage: sha256.Sum256(pkg)}
	if x := p.s.Seat(id(seat)); x != nil && len(x.Doors) > 0 {
		post.Door = x.Doors[0]
	}
	key := keyOf(seat, p.keys[seat])
	for _, a := range args {
		named, ok := strings.CutPrefix(a, "named=")
		switch {
		case ok:
			post.Named = id(named)
		case a == "retired":
			key = keyOf(seat, p.keys[seat]-1)
		case a == "forged":
			key = keyOf("somebody else", 0)
		case a == "elsewhere":
			post.Door = Key{99}
		}
	}
	return Return{Signed: post.Sign(keyOf("nobody", 0), key), Package: pkg}
}

// newCard names the new card for seat that by asked for last.
func (p *player) newCard(seat, by string) string {
	return fmt.Sprintf("%s by %s %d", seat, by, p.cards[seat+by])
}

// newPost is what the holder of a new card posts.
func (p *player) newPost(seat, by string, args []string) SignedPost {
	card := p.newCard(seat, by)
	b := Post{Seat: id(seat), KeyPackage: sha256.Sum256([]byte(card)), Door: Key{4, byte(p.cards[seat+by])}, Rules: p.s.RulesHash()}
	if slices.Contains(args, "rules") {
		b.Rules[0]++
	}
	if slices.Contains(args, "again") {
		b.Door[1] += 100
	}
	return b.Sign(cardOf(card))
}

func (p *player) post(seat, variant string) SignedPost {
	rules := p.s.RulesHash()
	if variant == "rules" {
		rules[0]++
	}
	return Post{Seat: id(seat), KeyPackage: sha256.Sum256([]byte(seat + variant)), Door: Key{2}, Rules: rules}.Sign(cardOf(seat))
}

func (p *player) plenary(by, verb string, args []string) {
	arg := ""
	if len(args) > 0 {
		arg = args[0]
	}
	send := func(k Kind, body any) { p.event(by, Plenary, nil, k, body) }
	switch verb {
	case "invite":
		e := uint64(p.minute + CardLifetime)
		if len(args) > 2 {
			e, _ = strconv.ParseUint(strings.TrimPrefix(args[2], "expires="), 10, 64)
		}
		side := SideID(slices.Index(p.s.SideNames(), args[1]) + 1)
		send(KindInvite, Invite{Seat: id(arg), Side: side, Name: arg, Box: Key{1}, Card: Key(cardOf(arg).Public().(ed25519.PublicKey)), Expires: e})
	case "replace":
		p.cards[arg+by]++
		b := Replace{Seat: id(arg), Box: Key{5}, Card: Key(cardOf(p.newCard(arg, by)).Public().(ed25519.PublicKey)), Expires: p.minute + CardLifetime}
		for _, x := range args[1:] {
			if m, ok := strings.CutPrefix(x, "expires="); ok {
				b.Expires, _ = strconv.ParseUint(m, 10, 64)
			}
			if other, ok := strings.CutPrefix(x, "card="); ok {
				b.Card = Key(cardOf(p.newCard(arg, other)).Public().(ed25519.PublicKey))
			}
		}
		send(KindReplace, b)
	case "arrive":
		if of, ok := strings.CutPrefix(strings.Join(args[1:min(2, len(args))], ""), "new="); ok {
			k := KindArrive
			if slices.Contains(args, "again") {
				k = KindSecondUse
			}
			send(k, p.newPost(arg, of, args[2:]))
			return
		}
		variant := strings.Join(args[1:], "")
		k := KindArrive
		if variant == "again" {
			k = KindSecondUse
		}
		send(k, p.post(arg, variant))
	case "forge":
		b := p.post(arg, "")
		b.Signature = bytes.Clone(b.Signature)
		b.Signature[0]++
		send(KindArrive, b)
	case "revoke":
		send(KindRevoke, Revoke{Seat: id(arg)})
	case "consent":
		h := Hash{}
		if x := p.s.Seat(id(arg)); x != nil {
			h = x.Post
		}
		if len(args) > 1 {
			h = p.newPost(arg, strings.TrimPrefix(args[1], "new="), args[2:]).Post.Hash()
		}
		send(KindConsent, Consent{Seat: id(arg), Post: h})
	case "remove":
		send(KindRemove, Remove{Seat: id(arg)})
	case "leave":
		send(KindLeave, Leave{})
	case "say":
		send(KindSay, Say{Text: strings.Join(args, " ")})
	case "hello":
		send(KindHello, Hello{})
	case "verify":
		send(KindVerify, Verify{})
		p.readings[by] = p.last
	case "heard":
		send(KindHeard, Heard{Verify: p.readings[arg], Reader: id(arg)})
	case "found":
		send(KindFound, Found{Room: Room(arg[0] - '0'), Group: []byte("group by " + by), Tag: []byte{1}})
	case "welcome":
		w := Welcome{Room: Room(arg[0] - '0'), Welcome: []byte("welcome")}
		for _, name := range args[1:] {
			w.Seats = append(w.Seats, id(name))
		}
		send(KindWelcome, w)
	case "charter":
		n, _ := strconv.ParseUint(arg, 10, 64)
		send(KindCharter, Charter{Base: n, Hash: Hash{1}, Skeleton: []byte("skeleton")})
	case "door":
		p.doors++
		send(KindDoor, Door{Key: Key{3, p.doors}})
	case "return":
		send(KindReturn, p.back(arg, args[1:]))
	case "roomlost":
		b := RoomLost{Room: Room(arg[0] - '0'), Package: []byte("package")}
		if len(args) > 1 {
			b.Named = id(strings.TrimPrefix(args[1], "named="))
		}
		send(KindRoomLost, b)
	case "unknown":
		send(Kind(999), Hello{})
	default:
		p.t.Fatalf("verb %q", verb)
	}
}

func (p *player) event(by string, r Room, members []SeatID, k Kind, body any) {
	p.events++
	ev := Event{V: Version, Kind: k, Time: p.minute, Body: wire.Marshal(body)}
	copy(ev.Nonce[:], wire.AppendU64(nil, p.events))
	p.last = ev.ID(id(by))
	p.apply(Entry{Room: r, Author: id(by), Event: &ev, Members: members})
}

func (p *player) inRoom(w []string) {
	i := slices.IndexFunc(w, func(s string) bool { return strings.HasSuffix(s, ":") })
	w[i] = strings.TrimSuffix(w[i], ":")
	var members []SeatID
	for _, m := range w[3 : i+1] {
		members = append(members, id(m))
	}
	room := Room(w[2][0] - '0')
	if w[i+1] == "commit" {
		p.apply(Entry{Room: room, Author: id(w[0]), Members: members, Commit: p.content(w[i+2:])})
		return
	}
	p.event(w[0], room, members, KindSay, Say{Text: strings.Join(w[i+2:], " ")})
}

func (p *player) content(args []string) *Commit {
	c := &Commit{Time: p.minute}
	for _, a := range args {
		switch a[0] {
		case '+':
			name := a[1:]
			added := Added{Seat: id(name), Package: sha256.Sum256([]byte(name)), Key: keyOf(name, p.keys[name]).Public().(ed25519.PublicKey)}
			if x := p.s.Seat(id(name)); x != nil && (x.Status == In || x.Status == Asleep) {
				added.Package = p.back(name, nil).Signed.Post.KeyPackage
				added.Key = keyOf(name, p.keys[name]+1).Public().(ed25519.PublicKey)
				if x.Replacing {
					added.Package = x.Package
				}
			}
			c.Adds = append(c.Adds, added)
		case '-':
			c.Removes = append(c.Removes, id(a[1:]))
		default:
			seat, key := p.keyChange(a)
			if j := slices.IndexFunc(c.Adds, func(x Added) bool { return x.Seat == id(seat) }); j >= 0 {
				c.Adds[j].Key = key
			} else {
				c.Keys = append(c.Keys, KeyChange{id(seat), key})
			}
		}
	}
	return c
}

// keyChange reads SEAT=X.N.
func (p *player) keyChange(a string) (seat string, key []byte) {
	seat, of, _ := strings.Cut(a, "=")
	of, number, _ := strings.Cut(of, ".")
	n, err := strconv.Atoi(number)
	if err != nil {
		p.t.Fatalf("%q is no change of a key", a)
	}
	return seat, keyOf(of, n).Public().(ed25519.PublicKey)
}

func (p *player) commit(w []string) {
	p.told()
	p.apply(Entry{Author: id(w[0]), Commit: p.content(w[2:])})
	for i := range p.s.Seats { // by which key each is known now
		x := &p.s.Seats[i]
		for n := range 9 {
			if bytes.Equal(x.Key, keyOf(x.Name, n).Public().(ed25519.PublicKey)) {
				p.keys[x.Name] = n
			}
		}
	}
}

// told has those whom the last commit let in told the past, so that another
// can follow: transcripts are not about that.
func (p *player) told() {
	if p.s == nil || !p.s.OwesCharter() {
		return
	}
	s := *p.s
	s.Charters = slices.Clone(s.Charters)
	for i := range s.Charters {
		s.Charters[i].Given = true
	}
	p.s = &s
}

func (p *player) apply(e Entry) {
	var before []byte
	if p.s != nil {
		before = p.s.Marshal()
	}
	next, notes := Apply(p.s, e)
	if p.s != nil && !bytes.Equal(before, p.s.Marshal()) {
		p.t.Error("Apply changed the state that it was given")
	}
	if next != nil {
		p.s = next
	}
	for _, n := range notes {
		if n.Kind == NoteReturned || n.Kind == NoteReplaced {
			p.keys[p.name(n.Seat)]++
		}
		p.say("%s", p.describe(n))
	}
	if next == nil {
		return
	}
	again, err := ParseState(next.Marshal())
	if err != nil || again.Digest() != next.Digest() {
		p.t.Errorf("the skeleton does not come back from its encoding: %v", err)
	}
}

func (p *player) say(format string, args ...any) {
	fmt.Fprintf(&p.out, "> "+format+"\n", args...)
}

func (p *player) name(id SeatID) string {
	if p.s != nil {
		if x := p.s.Seat(id); x != nil {
			return x.Name
		}
	}
	return "-"
}

var noteNames = map[NoteKind]string{
	NoteRefused: "refused", NoteUnknown: "unknown", NoteOpened: "opened", NoteInvited: "invited", NoteRevoked: "revoked",
	NoteArrived: "arrived", NoteSecondUse: "ALARM second use", NoteConsented: "consented", NoteSeated: "seated",
	NoteRemovalDue: "removal due", NoteRemovalAsked: "removal asked", NoteRemoved: "removed", NoteLeft: "left", NoteSaid: "said",
	NoteFounded: "founded", NoteWelcome: "welcomes into its room", NoteVerify: "reads", NoteVerified: "verified", NoteCharter: "charter", NoteAttempt: "ATTEMPT",
	NoteAgreed: "all agreed", NoteHello: "hello", NoteDoor: "moves the door of", NoteReturning: "at the door:", NoteReturned: "back:", NoteAsleep: "asleep",
	NoteRoomLost: "lost the room:", NoteRoomOver: "the room is over", NoteSideAsleep: "the side sleeps of",
	NoteReplaceAsked: "a new card is asked for", NoteReplaceUsed: "the new card is used for", NoteReplaceAgreed: "approved the new card of",
	NoteReplaceDue: "the leaf goes of", NoteReplaceOver: "the new card is taken back of", NoteReplaced: "a new card has the seat of",
}

var reasonNames = map[Reason]string{
	ReasonMalformed: "malformed", ReasonNotSeated: "not seated", ReasonNotYours: "not theirs", ReasonNotAgreed: "rules not agreed",
	ReasonUnknown: "unknown", ReasonState: "too late or too early", ReasonSignature: "signature", ReasonExpired: "expired",
	ReasonRules: "other rules", ReasonStrangers: "strangers in the room", ReasonFull: "full", ReasonDueFirst: "a removal is due first",
	ReasonTooSoon: "too soon", ReasonNotReady: "not ready", ReasonWrongRoom: "wrong room", ReasonOutOfOrder: "out of order",
	ReasonNamed: "named as having left somebody out", ReasonWoke: "heard just before", ReasonPast: "another past", ReasonKey: "a key that served before",
}

func (p *player) describe(n Note) string {
	s := noteNames[n.Kind]
	if s == "" {
		p.t.Fatalf("note %d has no name", n.Kind)
	}
	if !n.Seat.IsZero() {
		s += " " + p.name(n.Seat)
	}
	if m, ok := n.Body.(Say); ok {
		s += fmt.Sprintf(" %q", m.Text)
	}
	if n.Reason != ReasonNone {
		s += ": " + reasonNames[n.Reason]
	}
	return s
}

func (p *player) state() {
	for i := range p.s.Seats {
		x := &p.s.Seats[i]
		s := x.Name + ", " + cmp(p.s.SideName(x.Side), "convenor") + ", " + []string{"", "invited", "arrived", "in", "revoked", "removed", "left", "asleep"}[x.Status]
		if p.s.IsHead(x.ID) {
			s += ", head"
		}
		if x.Due {
			s += ", due"
		}
		if x.Back != nil {
			s += ", at the door"
		}
		for _, r := range x.Replacements {
			s += ", a new card by " + p.name(r.By)
			if r.Used() {
				s += ", used"
			}
			if r.Void {
				s += " twice"
			}
			for _, by := range r.Approved {
				s += ", approved by " + p.name(by)
			}
		}
		if x.Replacing {
			s += ", a new card takes it"
		}
		if x.Lost == LossCard {
			s += ", not heard since its new card"
		}
		for _, by := range x.NamedBy {
			s += ", named by " + p.name(by)
		}
		for _, m := range func() []SideID {
			if x.Status == Arrived {
				return p.s.Missing(x)
			}
			return nil
		}() {
			s += ", waits for " + p.s.SideName(m)
		}
		for _, v := range x.Verified {
			s += ", heard by " + p.name(v.By)
		}
		p.say("%s", s)
	}
	p.say("epoch %d, log time %d", p.s.Epoch, p.s.LogTime)
	if n := p.s.Refounded.N; n > 0 {
		p.say("founded again: %d", n)
	}
}

func cmp(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
