package ingest

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the handler's collectors.
type metrics struct {
	accepted, rejected *prometheus.CounterVec
	seconds            *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "anabranch", Subsystem: "ingest", Name: "accepted_total", Help: "Records that Kafka acknowledged.",
		}, []string{"kind"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "anabranch", Subsystem: "ingest", Name: "rejected_total", Help: "Invalid records, by reason.",
		}, []string{"kind", "reason"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "anabranch", Subsystem: "ingest", Name: "request_seconds", Help: "Time to answer a request.",
			Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10},
		}, []string{"kind", "status"}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.accepted, m.rejected, m.seconds} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// observe counts a request that was answered; answer is nil when nothing was judged or stored.
func (m *metrics) observe(k kind, status int, answer *Answer, took time.Duration) {
	m.seconds.WithLabelValues(k.plural, strconv.Itoa(status)).Observe(took.Seconds())
	if answer == nil {
		return
	}
	m.accepted.WithLabelValues(k.plural).Add(float64(answer.Accepted))
	for _, r := range answer.Results {
		if r.Error != nil {
			m.rejected.WithLabelValues(k.plural, r.Error.Reason).Inc()
		}
	}
}
