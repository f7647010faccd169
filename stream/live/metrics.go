package live

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/event"
)

// metrics are the runner's collectors. No label carries anything from a record.
type metrics struct {
	records, applied, duplicates, roundTrips prometheus.Counter
	hits, misses                             prometheus.Counter
	letters, mismatches                      *prometheus.CounterVec
	lag, halted                              *prometheus.GaugeVec
	base, epoch, next, target                *prometheus.GaugeVec // of the fence
	servable                                 prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "anabranch", Subsystem: "live", Name: name, Help: help})
	}
	counters := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "anabranch", Subsystem: "live", Name: name, Help: help}, []string{label})
	}
	gauges := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "anabranch", Subsystem: "live", Name: name, Help: help}, []string{"partition"})
	}
	m := &metrics{
		records:    counter("records_total", "Records behind the fence, marks and invalid ones included."),
		applied:    counter("events_applied_total", "Events that counted."),
		duplicates: counter("duplicates_total", "Valid records that the duplicate rule dropped."),
		roundTrips: counter("redis_round_trips_total", "Commands sent to Redis."),
		hits:       counter("cache_hits_total", "States that a batch needed and the cache had."),
		misses:     counter("cache_misses_total", "States that a batch needed and that were read from Redis."),
		letters:    counters("dead_letters_total", "Invalid records, by reason.", "reason"),
		mismatches: counters("fence_mismatches_total", "Times the stored fence was not the expected one, by where it was: ahead, behind, missing or replaced.", "kind"),
		lag:        gauges("lag_records", "Offsets between the fence and the end of the partition."),
		halted:     gauges("halted", "1 while a partition waits for a person."),
		base:       gauges("fence_base_epoch", "The least epoch that live state holds in full; answers of generations with a cut below it are degraded."),
		epoch:      gauges("fence_epoch", "The epoch of the last record that live state contains."),
		next:       gauges("fence_next_offset", "The offset of the first record that live state does not contain."),
		target:     gauges("fence_target_offset", "The end of the partition when its live state was opened; until fence_next_offset is there, answers are degraded."),
		servable: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "anabranch", Subsystem: "live", Name: "event_to_servable_seconds",
			Help:    "Time from an event's log time to its state being readable.",
			Buckets: []float64{.002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 60, 600},
		}),
	}
	// Known from the start, so that an alert on their rise sees the first one.
	for _, reason := range []string{
		event.ReasonMalformed, event.ReasonRequired, event.ReasonRange, event.ReasonTooLarge, event.ReasonTime,
		event.ReasonKey, event.ReasonPartition, event.ReasonReserved,
	} {
		m.letters.WithLabelValues(reason)
	}
	for _, kind := range []string{"ahead", "behind", "missing", "replaced"} {
		m.mismatches.WithLabelValues(kind)
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.records, m.applied, m.duplicates, m.roundTrips, m.hits, m.misses, m.letters, m.mismatches, m.lag, m.halted, m.servable,
		m.base, m.epoch, m.next, m.target,
	} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func partitionLabel(p int32) string { return strconv.Itoa(int(p)) }

// showFence tells where a partition stands, if that is known.
func (m *metrics) showFence(p int32, f redis.Fence) {
	if f.TopicID == "" {
		return
	}
	label := partitionLabel(p)
	m.base.WithLabelValues(label).Set(float64(f.Base))
	m.epoch.WithLabelValues(label).Set(float64(f.Epoch))
	m.next.WithLabelValues(label).Set(float64(f.Next))
	m.target.WithLabelValues(label).Set(float64(f.Target))
}

// forget removes the gauges of a partition that is somebody else's now.
func (m *metrics) forget(p int32) {
	for _, g := range []*prometheus.GaugeVec{m.lag, m.halted, m.base, m.epoch, m.next, m.target} {
		g.DeleteLabelValues(partitionLabel(p))
	}
}
