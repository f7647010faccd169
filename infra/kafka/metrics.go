package kafka

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kprom"
)

// Metrics is an option of [Dial] that counts what the client does, as anabranch_kafka_*: connections,
// bytes, batches and records by broker and topic, and what is buffered. The label client tells clients
// of one process apart; give each its own. The counters leave the registry when the client closes.
//
// No label carries anything from a record.
func Metrics(reg prometheus.Registerer, client string) kgo.Opt {
	return kgo.WithHooks(kprom.NewMetrics("anabranch",
		kprom.Registerer(tolerant{reg}),
		kprom.Subsystem("kafka"),
		kprom.WithStaticLabel(prometheus.Labels{"client": client}),
		kprom.FetchAndProduceDetail(kprom.ByTopic, kprom.Batches, kprom.Records, kprom.CompressedBytes, kprom.UncompressedBytes, kprom.ConsistentNaming),
	))
}

// tolerant is a registerer that leaves out what it cannot take: kprom registers with MustRegister, and a
// second client by one name is no reason to end the process.
type tolerant struct{ prometheus.Registerer }

// MustRegister implements prometheus.Registerer.
func (t tolerant) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		_ = t.Register(c) // the first client by that name is counted
	}
}
