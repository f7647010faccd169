package recommend

import "fmt"

// Mode says which of a user's interactions an answer is made from.
type Mode string

// The modes. The empty mode is ModeMerged.
const (
	ModeBatch  Mode = "batch"  // only what the generation knows
	ModeLive   Mode = "live"   // only what happened since its cut
	ModeMerged Mode = "merged" // both
)

// Source says why an item is in a list.
type Source string

// The sources, in the order in which they fill a list.
const (
	SourceMF       Source = "mf"       // inner product of user and item vector; in Similar, cosine of item vectors
	SourceTrending Source = "trending" // score of the request's trending list
	SourcePopular  Source = "popular"  // the model's popularity; 0 for items that only the catalogue knows
)

// Interaction is one thing a user did.
type Interaction struct {
	Item   string
	Weight float32 // how much it says about taste; not positive or not finite: seen, but says nothing
	Time   int64   // event time, Unix milliseconds
}

// ItemScore is an item with a score of the caller's, such as how much it is trending.
type ItemScore struct {
	Item  string
	Score float64
}

// Request asks for a ranked list.
type Request struct {
	User        string
	History     []Interaction // from the batch view, up to the generation's cut
	Live        []Interaction // since the cut
	Trending    []ItemScore   // for filling up, in any order; not finite scores are ignored
	Now         int64         // Unix milliseconds
	N           int           // length of the list; longer than the catalogue means all of it, less than 1 nothing
	ExcludeSeen bool
	Categories  []string // only these; empty means all
	Mode        Mode
}

// Scored is one item of an answer.
type Scored struct {
	ItemID string  `json:"item_id"`
	Score  float32 `json:"score"`
	Source Source  `json:"source"`
}

// Vector says where the user's vector came from.
type Vector string

// The origins of a user's vector.
const (
	VectorNone   Vector = "none"    // unknown user without interactions, or nothing solvable
	VectorBatch  Vector = "batch"   // trained
	VectorFoldIn Vector = "fold_in" // solved for this request
)

// Result is an answer.
type Result struct {
	Items  []Scored
	Vector Vector
	// FoldIn tells why solving a vector failed; the answer then rests on the trained vector, or on none. It is not
	// an error of the request.
	FoldIn error
}

func (m Mode) validate() error {
	switch m {
	case "", ModeBatch, ModeLive, ModeMerged:
		return nil
	}
	return fmt.Errorf("mode %q: must be batch, live or merged", string(m))
}

// part returns the interactions that the mode looks at.
func (q *Request) part() (history, live []Interaction) {
	switch q.Mode {
	case ModeBatch:
		return q.History, nil
	case ModeLive:
		return nil, q.Live
	default:
		return q.History, q.Live
	}
}
