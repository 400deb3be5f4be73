package words

import (
	"errors"
	"time"

	"parley/client"
	"parley/dialogue"
)

var trackKeys = map[dialogue.Track]string{
	dialogue.TrackTwo: "track.two", dialogue.TrackOneAndHalf: "track.half", dialogue.TrackOne: "track.one",
}

// Track names a track.
func (w *Words) Track(t dialogue.Track) string { return w.T(trackKeys[t]) }

var capacityKeys = map[dialogue.Capacity]string{
	dialogue.Personal: "capacity.personal", dialogue.SemiOfficial: "capacity.semi", dialogue.Official: "capacity.official",
}

// Capacity says in what capacity somebody sits: "in a personal capacity".
func (w *Words) Capacity(c dialogue.Capacity) string { return w.T(capacityKeys[c]) }

// A Rule is one ground rule in a sentence.
type Rule struct{ Name, Sentence string }

var (
	trackRules = map[dialogue.Track]string{
		dialogue.TrackTwo: "rule.track.two", dialogue.TrackOneAndHalf: "rule.track.half", dialogue.TrackOne: "rule.track.one",
	}
	attributionRules = map[dialogue.Attribution]string{
		dialogue.Named: "rule.named", dialogue.ChathamHouse: "rule.chatham", dialogue.Sealed: "rule.sealed",
	}
)

// Rules puts the ground rules of a dialogue between sides into sentences.
func (w *Words) Rules(r dialogue.Rules, sides []string) []Rule {
	drafting, who := "rule.drafting.off", "rule.who.off"
	if r.Drafting {
		drafting = "rule.drafting.on"
	}
	if r.WhoKnowsCount {
		who = "rule.who.on"
	}
	seats := w.T("rule.seats.any")
	if len(sides) > 0 {
		seats = w.T("rule.seats", "sides", w.List(sides))
	}
	return []Rule{
		{w.T("rule.name.track"), w.T(trackRules[r.Track])},
		{w.T("rule.name.quoting"), w.T(attributionRules[r.Attribution])},
		{w.T("rule.name.seats"), seats},
		{w.T("rule.name.keeping"), w.T("rule.keeping", "n", int(r.RetentionDays))},
		{w.T("rule.name.sleep"), w.T("rule.sleep", "n", int(r.SleepDays))},
		{w.T("rule.name.drafting"), w.T(drafting)},
		{w.T("rule.name.who"), w.T(who)},
		{w.T("rule.name.words"), w.T("rule.words")},
	}
}

var reasonKeys = map[dialogue.Reason]string{
	dialogue.ReasonMalformed:  "reason.malformed",
	dialogue.ReasonNotSeated:  "reason.notseated",
	dialogue.ReasonNotYours:   "reason.notyours",
	dialogue.ReasonNotAgreed:  "reason.notagreed",
	dialogue.ReasonUnknown:    "reason.unknown",
	dialogue.ReasonState:      "reason.state",
	dialogue.ReasonSignature:  "reason.signature",
	dialogue.ReasonExpired:    "reason.expired",
	dialogue.ReasonRules:      "reason.rules",
	dialogue.ReasonStrangers:  "reason.strangers",
	dialogue.ReasonFull:       "reason.full",
	dialogue.ReasonDueFirst:   "reason.duefirst",
	dialogue.ReasonTooSoon:    "reason.toosoon",
	dialogue.ReasonNotReady:   "reason.notready",
	dialogue.ReasonWrongRoom:  "reason.wrongroom",
	dialogue.ReasonOutOfOrder: "reason.outoforder",
	dialogue.ReasonNamed:      "reason.named",
	dialogue.ReasonWoke:       "reason.woke",
	dialogue.ReasonCharter:    "reason.charter",
	dialogue.ReasonPast:       "reason.past",
	dialogue.ReasonKey:        "reason.key",
}

// Refusal says why the rules refuse something, and who is missing.
func (w *Words) Refusal(e *client.RuleError) string {
	if len(e.Missing) > 0 {
		return w.T("reason.missing", "sides", w.List(e.Missing), "n", len(e.Missing))
	}
	return w.reason(e.Reason)
}

func (w *Words) reason(r dialogue.Reason) string {
	if key := reasonKeys[r]; key != "" {
		return w.T(key)
	}
	return w.T("reason.other")
}

var noticeKeys = map[dialogue.NoteKind]string{
	dialogue.NoteRefused:      "notice.refused",
	dialogue.NoteUnknown:      "notice.unknown",
	dialogue.NoteOpened:       "notice.opened",
	dialogue.NoteInvited:      "notice.invited",
	dialogue.NoteRevoked:      "notice.revoked",
	dialogue.NoteArrived:      "notice.arrived",
	dialogue.NoteSecondUse:    "notice.seconduse",
	dialogue.NoteConsented:    "notice.consented",
	dialogue.NoteSeated:       "notice.seated",
	dialogue.NoteRemovalDue:   "notice.removaldue",
	dialogue.NoteRemovalAsked: "notice.removalasked",
	dialogue.NoteRemoved:      "notice.removed",
	dialogue.NoteLeft:         "notice.left",
	dialogue.NoteFounded:      "notice.founded",
	dialogue.NoteVerify:       "notice.verify",
	dialogue.NoteVerified:     "notice.verified",
	dialogue.NoteUnverified:   "notice.unverified",
	dialogue.NoteCharter:      "notice.charter",
	dialogue.NoteAttempt:      "notice.attempt",
	dialogue.NoteAgreed:       "notice.agreed",
	dialogue.NoteHello:        "notice.hello",
	client.NoteContradicted:   "notice.contradicted",
	client.NoteStopped:        "notice.stopped",
	client.NoteResumed:        "notice.resumed",
	client.NoteShorter:        "notice.unfaithful",
	client.NoteOther:          "notice.unfaithful",
	client.NoteVanished:       "notice.unfaithful",
	client.NoteFoundedAgain:   "notice.foundedagain",
	client.NoteElsewhere:      "notice.elsewhere",
	client.NoteLeftElsewhere:  "notice.leftelsewhere",
	dialogue.NoteReturning:    "notice.returning",
	dialogue.NoteReturned:     "notice.returned",
	dialogue.NoteAsleep:       "notice.asleep",
	dialogue.NoteRoomLost:     "notice.roomlost",
	dialogue.NoteRoomOver:     "notice.roomover",
	dialogue.NoteSideAsleep:   "notice.sideasleep",

	dialogue.NoteReplaceAsked:  "notice.replaceasked",
	dialogue.NoteReplaceUsed:   "notice.replaceused",
	dialogue.NoteReplaceAgreed: "notice.replaceagreed",
	dialogue.NoteReplaceDue:    "notice.replacedue",
	dialogue.NoteReplaceOver:   "notice.replaceover",
	dialogue.NoteReplaced:      "notice.replaced",
}

// namedKeys are for notices that name whose fault something was, in By.
var namedKeys = map[dialogue.NoteKind]string{
	dialogue.NoteReturning: "notice.returning.named",
	dialogue.NoteRoomLost:  "notice.roomlost.named",
}

// Notice puts into a sentence what Parley says in a room.
func (w *Words) Notice(n client.Notice) string {
	key := noticeKeys[n.Kind]
	if key == "" {
		key = "notice.other"
	}
	if named := namedKeys[n.Kind]; named != "" && n.By != "" {
		key = named
	}
	if n.By == "" {
		n.By = w.T("party.somebody")
	}
	return w.T(key, "by", n.By, "seat", n.Seat, "reason", w.reason(n.Reason))
}

var lossKeys = map[dialogue.Loss]string{
	dialogue.LossKey: "loss.key", dialogue.LossCard: "loss.card", dialogue.LossSecond: "loss.second",
}

// Loss says why a seat is no longer verified; empty where it never was.
func (w *Words) Loss(l dialogue.Loss) string {
	if key := lossKeys[l]; key != "" {
		return w.T(key)
	}
	return ""
}

// An Alarm answers three questions.
type Alarm struct{ Title, Happened, Safety, Now string }

// Alarm says what happened, what it means and what to do.
func (w *Words) Alarm(a client.Alarm) Alarm {
	who := a.Seat.Name
	if who == "" {
		who = w.T("party.somebody")
	}
	switch a.Kind {
	case client.AlarmSecondUse:
		return Alarm{w.T("alarm.second.title"), w.T("alarm.second.happened", "who", who), w.T("alarm.second.safety", "who", who), w.T("alarm.second.now", "who", who)}
	case client.AlarmCharter:
		return Alarm{w.T("alarm.charter.title"), w.T("alarm.charter.happened", "who", who), w.T("alarm.charter.safety", "who", who), w.T("alarm.charter.now", "who", who)}
	case client.AlarmContradicted:
		return Alarm{w.T("alarm.contradicted.title"), w.T("alarm.contradicted.happened", "who", who), w.T("alarm.contradicted.safety", "who", who), w.T("alarm.contradicted.now", "who", who)}
	case client.AlarmStopped:
		return Alarm{w.T("alarm.stopped.title"), w.T("alarm.stopped.happened"), w.T("alarm.stopped.safety"), w.T("alarm.stopped.now")}
	case client.AlarmElsewhere:
		return Alarm{w.T("alarm.elsewhere.title"), w.T("alarm.elsewhere.happened", "who", who), w.T("alarm.elsewhere.safety", "who", who), w.T("alarm.elsewhere.now", "who", who)}
	case client.AlarmShorter:
		return w.relayAlarm(w.T("alarm.relay.shorter"))
	case client.AlarmOther:
		return w.relayAlarm(w.T("alarm.relay.other"))
	case client.AlarmVanished:
		return w.relayAlarm(w.T("alarm.relay.vanished"))
	}
	return Alarm{w.T("alarm.attempt.title"), w.T("alarm.attempt.happened", "who", who), w.T("alarm.attempt.safety", "who", who), w.T("alarm.attempt.now", "who", who)}
}

func (w *Words) relayAlarm(happened string) Alarm {
	return Alarm{w.T("alarm.relay.title"), happened, w.T("alarm.relay.safety"), w.T("alarm.relay.now")}
}

var differenceKeys = map[client.DifferenceKind]string{
	client.DifferenceMore: "charter.more", client.DifferenceLess: "charter.less", client.DifferenceSeat: "charter.seat",
	client.DifferenceRules: "charter.rules", client.DifferenceSides: "charter.sides", client.DifferenceRest: "charter.rest",
}

// Charter says who told a past, and in sentences what it is.
func (w *Words) Charter(c client.Charter) (by string, what []string) {
	names := make([]string, len(c.Parties))
	for i, n := range c.Parties {
		names[i] = w.party(n)
	}
	by = w.T("charter.by", "names", w.List(names))
	switch {
	case c.Taken:
		return by, []string{w.T("charter.taken")}
	case !c.Told:
		return by, []string{w.T("charter.untold")}
	}
	for _, d := range c.Differences {
		what = append(what, w.T(differenceKeys[d.Kind], "who", d.Name, "side", w.party(d.Side)))
	}
	return by, what
}

// party is the name of a side, or the convenor's.
func (w *Words) party(name string) string {
	if name == "" {
		return w.T("party.convenor")
	}
	return name
}

// Silence says since when nothing was heard from a seat; empty where that is
// less than a day.
func (w *Words) Silence(s client.Seat, now time.Time) string {
	if s.SilentSince.IsZero() {
		return ""
	}
	return w.T("seat.silent", "who", s.Name, "time", w.Moment(s.SilentSince.Local(), now))
}

// Silent says what a silence may mean and what to do about it.
func (w *Words) Silent(name string) Alarm {
	return Alarm{w.T("silent.title"), w.T("silent.happened", "who", name), w.T("silent.safety", "who", name), w.T("silent.now", "who", name)}
}

// Still says that log time stands still, and why; empty where it does not.
func (w *Words) Still(d client.Dialogue, now time.Time) string {
	if d.StillSince.IsZero() {
		return ""
	}
	who := w.T("party.convenor")
	for _, s := range d.Sides {
		if s.ID == d.StillBy {
			who = s.Name
		}
	}
	return w.T("seats.still", "who", who, "time", w.Moment(d.StillSince.Local(), now))
}

var whyKeys = map[client.WhyNot]string{
	client.WhyNotIn: "why.notin", client.WhyChanging: "why.changing", client.WhyStopped: "why.stopped", client.WhyNotThere: "why.notthere",
	client.WhyAway: "why.away",
}

// Why says why one can't write in a room now. Missing are the sides that have
// not agreed.
func (w *Words) Why(why client.WhyNot, missing []string) string {
	if why == client.WhyMissing {
		return w.T("reason.missing", "sides", w.List(missing), "n", len(missing))
	}
	return w.T(whyKeys[why])
}

// problemKeys are the errors that people can do something about, each with
// what that is.
var problemKeys = []struct {
	err error
	key string
}{
	{client.ErrPassphrase, "problem.passphrase"},
	{client.ErrNoVault, "problem.novault"},
	{client.ErrVaultExists, "problem.exists"},
	{client.ErrVaultDamaged, "problem.damaged"},
	{client.ErrVaultNewer, "problem.newer"},
	{client.ErrPassphraseShort, "problem.short"},
	{client.ErrNoDialogue, "problem.nodialogue"},
	{client.ErrNoSeat, "problem.noseat"},
	{client.ErrNoRoom, "problem.noroom"},
	{client.ErrNoMessage, "problem.nomessage"},
	{client.ErrNoFile, "problem.nofile"},
	{client.ErrOffline, "problem.offline"},
	{client.ErrCardExpired, "problem.cardexpired"},
	{client.ErrCardLate, "problem.cardlate"},
	{client.ErrCardUsed, "problem.cardused"},
	{client.ErrCardRevoked, "problem.cardrevoked"},
	{client.ErrCard, "problem.card"},
	{client.ErrSeatHere, "problem.seathere"},
	{client.ErrWhichCard, "problem.whichcard"},
	{client.ErrNoCharter, "problem.nocharter"},
	{client.ErrNotLost, "problem.notlost"},
	{client.ErrNobodyWaits, "problem.nobodywaits"},
	{client.ErrNoFounding, "problem.nofounding"},
	{client.ErrFounding, "problem.founding"},
	{client.ErrClock, "problem.clock"},
	{client.ErrNotSeated, "problem.notseated"},
	{client.ErrWaiting, "problem.waiting"},
	{client.ErrFileSize, "problem.filesize"},
	{client.ErrFileEmpty, "problem.fileempty"},
	{client.ErrFileDamaged, "problem.filedamaged"},
	{client.ErrText, "problem.text"},
	{client.ErrUnfaithful, "problem.unfaithful"},
	{client.ErrNoReading, "problem.noreading"},
	{client.ErrOutbox, "problem.outbox"},
	{dialogue.ErrWord, "problem.word"},
	{dialogue.ErrNameBlank, "problem.nameblank"},
	{dialogue.ErrNameLong, "problem.namelong"},
	{dialogue.ErrNameHidden, "problem.namehidden"},
}

var lostKeys = map[client.LossReason]string{
	client.LossOlder: "lost.older", client.LossMissed: "lost.missed", client.LossLeftOut: "lost.leftout", client.LossSlept: "lost.slept",
	client.LossReplaced: "lost.replaced", client.LossWelcome: "lost.welcome", client.LossCharter: "lost.charter",
	client.LossNewCard: "lost.newcard", client.LossElsewhere: "lost.elsewhere", client.LossAnew: "lost.anew",
}

// Problem puts an error into a sentence that says what to do. One that nobody
// foresaw gives a general sentence: its text is for operators.
func (w *Words) Problem(err error) string {
	var rule *client.RuleError
	var many *client.AmbiguousError
	var used *client.InUseError
	var lost *client.LostError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &rule):
		return w.Refusal(rule)
	case errors.As(err, &many):
		return w.T("problem.ambiguous", "prefix", many.Prefix, "names", w.List(many.Names))
	case errors.As(err, &used):
		return w.T("problem.inuse")
	case errors.As(err, &lost):
		return w.T(lostKeys[lost.Reason], "by", lost.By)
	}
	for _, p := range problemKeys {
		if errors.Is(err, p.err) {
			return w.T(p.key)
		}
	}
	return w.T("problem.other")
}

// WhoAgrees says who has yet to agree to a new card for a seat; empty where
// nobody has.
func (w *Words) WhoAgrees(r client.Replacement) string {
	switch {
	case r.Own == "" && r.More == 0:
		return ""
	case r.More > len(r.Others):
		return w.T("newcard.who.none")
	case r.More == 0:
		return w.T("newcard.who.own", "own", r.Own)
	case r.Own != "":
		return w.T("newcard.who.both", "own", r.Own, "others", w.Either(r.Others))
	case r.More == len(r.Others):
		return w.T("newcard.who.own", "own", w.List(r.Others))
	case r.More == 1:
		return w.T("newcard.who.own", "own", w.Either(r.Others))
	}
	return w.T("newcard.who.two", "others", w.List(r.Others))
}

// WhoWouldAgree says whose agreement a new card for a seat takes.
func (w *Words) WhoWouldAgree(s client.Seat) string {
	a := s.MayDo.Agree
	switch {
	case a.More > len(a.Others):
		return w.T("newcard.who.none")
	case a.Own != "":
		return w.T("newcard.would.both", "own", a.Own, "others", w.Either(a.Others))
	case a.More == len(a.Others):
		return w.T("newcard.would.own", "own", w.List(a.Others))
	}
	return w.T("newcard.would.two", "others", w.List(a.Others))
}
