package jobs

import (
	"io"
	"strings"

	"github.com/schollz/progressbar/v3"

	"github.com/anabranch/anabranch/batch/nightly"
	"github.com/anabranch/anabranch/infra/kafka"
)

// progress draws a bar on a terminal and nothing elsewhere.
type progress struct {
	w    io.Writer
	step string
	bar  *progressbar.ProgressBar
}

func newProgress(w io.Writer, quiet bool) *progress {
	if quiet || !isTerminal(w) {
		return &progress{}
	}
	return &progress{w: w}
}

// show moves the bar of a step; a new step starts a new bar.
func (p *progress) show(step string, done, total int64) {
	if p.w == nil {
		return
	}
	if p.bar == nil || p.step != step {
		p.done()
		p.step = step
		p.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(p.w), progressbar.OptionSetDescription(step),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString(unitOf(step)),
			progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())
	}
	_ = p.bar.Set64(done) // a bar that cannot be drawn is no reason to stop
}

// unitOf names what a step counts.
func unitOf(step string) string {
	if strings.HasPrefix(step, nightly.StepMaterialize) {
		return "rows"
	}
	return "it"
}

func (p *progress) done() {
	if p.bar != nil {
		_ = p.bar.Finish()
		p.bar = nil
	}
}

func hexID(p *parts) string { return kafka.HexID(p.topics.EventsID) }
