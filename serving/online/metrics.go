package online

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the service's collectors. No label carries anything from a request.
type metrics struct {
	answers *prometheus.CounterVec
	cut     prometheus.Gauge
	swaps   *prometheus.CounterVec
	live    prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	opts := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "anabranch", Subsystem: "serving", Name: name, Help: help}
	}
	m := &metrics{
		answers: prometheus.NewCounterVec(opts("answers_total", "Answers, by the live status of their receipt and by whether they were degraded."), []string{"live", "degraded"}),
		cut:     prometheus.NewGauge(prometheus.GaugeOpts(opts("generation_cut", "The mark up to which the served generation holds everything; 0 before the first one."))),
		swaps:   prometheus.NewCounterVec(opts("generations_total", "Generations that the pointer named, by whether they were taken over or refused."), []string{"outcome"}),
		live: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "anabranch", Subsystem: "serving", Name: "live_read_seconds", Help: "Time to read live state for one answer.",
			Buckets: []float64{.0002, .0005, .001, .002, .005, .01, .02, .05, .1, .2},
		}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.answers, m.cut, m.swaps, m.live} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("serving: register metrics: %w", err)
		}
	}
	return m, nil
}
