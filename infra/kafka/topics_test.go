package kafka

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestEnsureTopicsIsIdempotentAndConcurrent(t *testing.T) {
	broker := start(t, "")
	results := make([]Topics, 3)
	var wg sync.WaitGroup
	for i := range results {
		client := dial(t, broker.Addr())
		wg.Go(func() {
			var err error
			if results[i], err = EnsureTopics(deadline(t), client, Spec{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, got := range results {
		if got != results[0] || got.Partitions != DefaultPartitions || got.EventsID == [16]byte{} || got.EventsID == got.ItemsID {
			t.Errorf("got %+v and %+v", got, results[0])
		}
	}
	if id := HexID(results[0].EventsID); len(id) != 32 {
		t.Errorf("id %q", id)
	}
}

func TestEnsureTopicsRefusesAnotherPartitionCount(t *testing.T) {
	client := dial(t, start(t, "").Addr())
	ensure(t, client, Spec{Partitions: 6})
	_, err := EnsureTopics(deadline(t), client, Spec{Partitions: 4})
	if !errors.Is(err, ErrTopicMismatch) || !strings.Contains(err.Error(), "6 partitions and 4 are configured") {
		t.Errorf("got %v", err)
	}
	if got := ensure(t, client, Spec{}); got.Partitions != 6 {
		t.Errorf("unspecified partitions: %d, want the topic's 6", got.Partitions)
	}
}

func TestEnsureTopicsRefusesAnotherCleanupPolicy(t *testing.T) {
	for _, topic := range []string{EventsTopic, ItemsTopic} {
		client := dial(t, start(t, "").Addr())
		wrong := map[string]string{EventsTopic: "compact", ItemsTopic: "compact,delete"}[topic]
		configs := map[string]*string{"cleanup.policy": kadm.StringPtr(wrong)}
		if _, err := kadm.NewClient(client).CreateTopic(deadline(t), 1, 1, configs, topic); err != nil {
			t.Fatal(err)
		}
		if _, err := EnsureTopics(deadline(t), client, Spec{}); !errors.Is(err, ErrTopicMismatch) || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s with %s: %v", topic, wrong, err)
		}
	}
}

// TestEnsureTopicsRefusesLogAppendTime: the log time would not be the one that ingest judged by.
func TestEnsureTopicsRefusesLogAppendTime(t *testing.T) {
	client := dial(t, start(t, "").Addr())
	admin := kadm.NewClient(client)
	configs := map[string]*string{"message.timestamp.type": kadm.StringPtr("LogAppendTime")}
	if _, err := admin.CreateTopic(deadline(t), 1, 1, configs, EventsTopic); err != nil {
		t.Fatal(err)
	}
	_, err := EnsureTopics(deadline(t), client, Spec{})
	if !errors.Is(err, ErrTopicMismatch) || !strings.Contains(err.Error(), "kafka-configs.sh") || !strings.Contains(err.Error(), "message.timestamp.type=CreateTime") {
		t.Errorf("got %v", err)
	}
	change := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "message.timestamp.type", Value: kadm.StringPtr("CreateTime")}}
	if _, err := admin.AlterTopicConfigs(deadline(t), change, EventsTopic); err != nil {
		t.Fatal(err)
	}
	ensure(t, client, Spec{})
}

// TestEventsKeepTheirTime: a topic that is created here says so itself, whatever the broker's default is.
func TestEventsKeepTheirTime(t *testing.T) {
	client := dial(t, start(t, "").Addr())
	ensure(t, client, Spec{})
	resources, err := kadm.NewClient(client).DescribeTopicConfigs(deadline(t), EventsTopic)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range resources[0].Configs {
		if c.Key == "message.timestamp.type" && c.MaybeValue() == "CreateTime" && c.Source == kmsg.ConfigSourceDynamicTopicConfig {
			return
		}
	}
	t.Errorf("the topic does not set its timestamp type: %+v", resources[0].Configs)
}

func TestOffsets(t *testing.T) {
	broker := start(t, "")
	client := dial(t, broker.Addr())
	ensure(t, client, Spec{Partitions: 2})
	for range 5 {
		produce(t, client, &kgo.Record{Topic: EventsTopic, Key: []byte("u")})
	}
	p := PartitionOf("u", 2)
	if err := broker.Cluster().DeleteRecords(EventsTopic, p, 3); err != nil {
		t.Fatal(err)
	}
	first, err := StartOffsets(deadline(t), client, EventsTopic)
	if diff := cmp.Diff(map[int32]int64{p: 3, 1 - p: 0}, first); err != nil || diff != "" {
		t.Error(err, diff)
	}
	end, err := EndOffsets(deadline(t), client, EventsTopic)
	if diff := cmp.Diff(map[int32]int64{p: 5, 1 - p: 0}, end); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if got, err := EndOffsets(deadline(t), client, "absent"); err == nil {
		t.Errorf("offsets of a missing topic: %v", got)
	}
}
