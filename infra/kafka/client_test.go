package kafka

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestClientsOfTwoRolesShareARegistry(t *testing.T) {
	broker := start(t, "")
	reg := prometheus.NewRegistry()
	for _, role := range []string{"live", "archive"} {
		client := dial(t, broker.Addr(), Metrics(reg, role))
		ensure(t, client, Spec{})
		produce(t, client, &kgo.Record{Topic: EventsTopic, Key: []byte("u")})
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, f := range families {
		for _, role := range []string{"live", "archive"} {
			if strings.HasPrefix(f.GetName(), "anabranch_kafka_"+role+"_produce_") {
				found[role] = true
			}
		}
	}
	if !found["live"] || !found["archive"] {
		t.Errorf("produce metrics found for %v", found)
	}
}

func TestDialRefusesNoSeeds(t *testing.T) {
	if _, err := Dial(nil, nil); err == nil {
		t.Error("a client without brokers")
	}
}
