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
)

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
	if n.g.defect != "" {
		n.because(n.g.defect)
	}
	if err != nil {
		n.because(reasonView)
	}
}

// joined notes that live state went into the answer.
func (n *notes) joined(r reading) {
	n.live, n.offsets = r.status, r.offsets
	n.reasons = append(n.reasons, r.reasons...)
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
