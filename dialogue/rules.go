package dialogue

import (
	"crypto/sha256"

	"parley/internal/wire"
)

// A Track says how official a dialogue is.
type Track uint8

// The three tracks.
const (
	TrackTwo        Track = 1
	TrackOneAndHalf Track = 2
	TrackOne        Track = 3
)

// Attribution says how what was said may be quoted outside.
type Attribution uint8

// The three kinds of attribution.
const (
	Named        Attribution = 1
	ChathamHouse Attribution = 2
	Sealed       Attribution = 3
)

// Capacity says in what capacity somebody sits.
type Capacity uint8

// The three capacities.
const (
	Personal     Capacity = 0
	SemiOfficial Capacity = 1
	Official     Capacity = 2
)

// Role is what a seat is for.
type Role uint8

// The roles. The convenor's seat is the only one of its role.
const (
	Participant Role = 0
	Convenor    Role = 1
	Interpreter Role = 2
)

// Rules are the ground rules: data, agreed by every side before the first
// word. Days are days of log time.
type Rules struct {
	_             struct{} `cbor:",toarray"`
	Track         Track
	Attribution   Attribution
	Drafting      bool   // tools that draft agreed texts are on
	RetentionDays uint16 // messages disappear after that
	WhoKnowsCount bool   // other sides see how many a side has told
	SleepDays     uint16 // a seat unheard for that long sleeps
	Language      string // of the verification words, BCP 47
}

// Bounds of the rules.
const (
	minRetentionDays, maxRetentionDays = 1, 3650
	minSleepDays, maxSleepDays         = 2, 90
)

// Preset gives the rules that a track starts with.
func Preset(t Track) Rules {
	r := Rules{Track: t, Attribution: ChathamHouse, RetentionDays: 30, SleepDays: 7, Language: "en"}
	switch t {
	case TrackOneAndHalf:
		r.RetentionDays = 90
	case TrackOne:
		r.Attribution, r.Drafting, r.RetentionDays = Named, true, 365
	}
	return r
}

// Valid tells whether every field is within its bounds.
func (r Rules) Valid() bool {
	return r.Track >= TrackTwo && r.Track <= TrackOne &&
		r.Attribution >= Named && r.Attribution <= Sealed &&
		(!r.Drafting || r.Track == TrackOne) &&
		r.RetentionDays >= minRetentionDays && r.RetentionDays <= maxRetentionDays &&
		r.SleepDays >= minSleepDays && r.SleepDays <= maxSleepDays &&
		len(r.Language) >= 2 && len(r.Language) <= 16
}

// RulesHash is what a head of side agrees to by taking its seat: the rules
// and the names of the sides, in order.
func RulesHash(sides []string, r Rules) Hash {
	return sha256.Sum256(append([]byte("parley rules v1\x00"), wire.Marshal([]any{sides, r})...))
}
