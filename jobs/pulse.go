package jobs

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/serving/httpapi"
)

// pulseEvery is how often the pulse is taken. Rates and freshness are of the last interval.
const pulseEvery = time.Second

// pulse takes the pipeline's pulse for the console from the metrics that everybody else reads too.
type pulse struct {
	parts  *parts
	reg    *prometheus.Registry
	runner *liveSet
	now    func() time.Time
	log    *slog.Logger

	mu   sync.Mutex
	last httpapi.Pulse
}

func newPulse(p *parts, reg *prometheus.Registry, runner *liveSet, now func() time.Time, log *slog.Logger) *pulse {
	return &pulse{parts: p, reg: reg, runner: runner, now: now, log: log}
}

// read returns the last pulse taken.
func (p *pulse) read(context.Context) httpapi.Pulse {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// run takes the pulse every second until ctx ends.
func (p *pulse) run(ctx context.Context) error {
	tick := time.NewTicker(pulseEvery)
	defer tick.Stop()
	var before sample
	for {
		now, err := p.sample()
		if err != nil { // what could be gathered is there all the same
			p.log.Warn("take the pulse", "error", err)
		}
		taken := p.take(ctx, before, now)
		p.mu.Lock()
		if taken.FreshnessSeconds == nil {
			taken.FreshnessSeconds = p.last.FreshnessSeconds
		}
		p.last = taken
		p.mu.Unlock()
		before = now
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// sample is what the metrics said at one moment.
type sample struct {
	at       time.Time
	counters map[string]float64
	fresh    *dto.Histogram // event_to_servable_seconds
}

// counterNames maps metric families to their names in the pulse.
var counterNames = map[string]string{
	"anabranch_ingest_accepted_total":     "accepted",
	"anabranch_ingest_rejected_total":     "rejected",
	"anabranch_live_records_total":        "records",
	"anabranch_live_events_applied_total": "events_applied",
	"anabranch_live_duplicates_total":     "duplicates",
	"anabranch_live_dead_letters_total":   "dead_letters",
}

func (p *pulse) sample() (sample, error) {
	s := sample{at: p.now(), counters: map[string]float64{}}
	families, err := p.reg.Gather()
	for _, f := range families {
		if f.GetName() == "anabranch_live_event_to_servable_seconds" && len(f.GetMetric()) > 0 {
			s.fresh = f.GetMetric()[0].GetHistogram()
		}
		if name, wanted := counterNames[f.GetName()]; wanted {
			for _, m := range f.GetMetric() {
				s.counters[name] += m.GetCounter().GetValue()
			}
		}
	}
	return s, err
}

func (p *pulse) take(ctx context.Context, before, now sample) httpapi.Pulse {
	out := httpapi.Pulse{Time: event.MillisOf(now.at), Counters: now.counters, Partitions: p.partitions(ctx)}
	if !before.at.IsZero() {
		out.EventsPerSecond = (now.counters["records"] - before.counters["records"]) / now.at.Sub(before.at).Seconds()
		out.FreshnessSeconds = medianBetween(before.fresh, now.fresh)
	}
	return out
}

// partitions joins the runner's state with the log's ends.
func (p *pulse) partitions(ctx context.Context) []httpapi.PartitionPulse {
	ctx, cancel := context.WithTimeout(ctx, pulseEvery)
	defer cancel()
	ends, err := kafka.EndOffsets(ctx, p.parts.client, kafka.EventsTopic)
	var out []httpapi.PartitionPulse
	for _, s := range p.runner.Status() {
		x := httpapi.PartitionPulse{Partition: s.Partition, State: "running", Next: s.Next, Reason: s.Reason}
		switch {
		case s.Halted:
			x.State = "halted"
		case !s.Running:
			x.State = "lost"
		}
		if err == nil {
			x.End = ends[s.Partition]
			x.Lag = max(0, x.End-x.Next)
		}
		out = append(out, x)
	}
	return out
}

// medianBetween returns the median of what a histogram observed between two samples, as the upper
// bound of its bucket; nil where it observed nothing.
func medianBetween(before, now *dto.Histogram) *float64 {
	if now == nil || now.GetSampleCount() == before.GetSampleCount() {
		return nil
	}
	half := (now.GetSampleCount() - before.GetSampleCount() + 1) / 2
	for i, b := range now.GetBucket() {
		n := b.GetCumulativeCount()
		if before != nil {
			n -= before.GetBucket()[i].GetCumulativeCount()
		}
		if n >= half {
			bound := b.GetUpperBound()
			return &bound
		}
	}
	return nil
}
