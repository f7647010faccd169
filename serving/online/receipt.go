package online

import (
	"strconv"
	"strings"

	"github.com/anabranch/anabranch/schemas/event"
)

// Reasons of degraded answers that are not about live state.
const (
	reasonNoGeneration = "no generation yet"
	reasonNoCatalog    = "the catalogue is not read yet"
	reasonView         = "the batch view cannot be decoded"
	reasonHistory      = "the history in the batch view cannot be decoded"
	reasonVector       = "the user's vector could not be solved"
	reasonClock        = "this generation begins after now; a clock is wrong"
)

// skew is by how much the clocks of the hosts may differ. A view holds what reads at or after its AsOf
// need, so a read up to skew before it may lack the oldest tile of a window: it answers as if it were AsOf.
const skew = event.Millis(5_000)

// notes collects what a receipt tells while an answer is made.
type notes struct {
	g       *generation
	at      event.Millis
	live    LiveStatus
	reasons []string
	offsets map[int32]int64
}

// begin starts an answer: it fixes its generation and its instant.
func (s *Service) begin() *notes {
	n := &notes{g: s.generations.current.Load(), at: event.MillisOf(s.now()), live: LiveAbsent}
	if n.g.files == nil {
		n.because(reasonNoGeneration)
	}
	return n
}

func (n *notes) because(reason string) { n.reasons = append(n.reasons, reason) }

// views notes that the answer needs the generation's views.
func (n *notes) views(err error) {
	n.inTime()
	if err != nil {
		n.because(reasonView)
	}
}

// inTime notes when the generation's views begin after the instant of the answer: their windows would
// be emptier than they say.
func (n *notes) inTime() {
	if n.g.files != nil && n.at+skew < event.MillisOf(n.g.manifest.Inputs.AsOf) {
		n.because(reasonClock)
	}
}

// joined notes that live state went into the answer.
func (n *notes) joined(r reading) {
	n.live, n.offsets = r.status, r.offsets
	n.reasons = append(n.reasons, r.reasons...)
}

// incomplete notes that live state holds less than this answer needs.
func (n *notes) incomplete(reason string) {
	if n.live == LiveExact {
		n.live = LiveDegraded
	}
	n.because(reason)
}

// finish writes the receipt of an answer and counts it.
func (s *Service) finish(n *notes) Receipt {
	r := n.receipt()
	s.metrics.answers.WithLabelValues(string(r.Live), strconv.FormatBool(r.Degraded)).Inc()
	return r
}

func (n *notes) receipt() Receipt {
	r := Receipt{
		Generation: n.g.id(), Cut: n.g.cut(), Live: n.live, LiveOffsets: n.offsets, ReadAt: n.at,
		Degraded: len(n.reasons) > 0, Reason: strings.Join(n.reasons, "; "),
	}
	if n.g.files != nil {
		label := n.g.manifest.Inputs.Label
		r.Label = &label
	}
	return r
}
