package kafka

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The names of the topics.
const (
	EventsTopic      = "events"
	ItemsTopic       = "items"
	UsersTopic       = "users"
	DeadLettersTopic = "events.dlq"
)

// DefaultPartitions is the number of partitions of a new events topic.
const DefaultPartitions = 4

// Spec says what the topics must look like.
type Spec struct {
	// Partitions of events; 0 takes those of an existing topic, or [DefaultPartitions] for a new one.
	Partitions int32
	// Replicas of new topics; 0 takes the broker's default.
	Replicas int16
}

// Topics are the topics as they exist.
type Topics struct {
	// Ids by which positions name a topic; a topic that is deleted and created anew has another one.
	EventsID, ItemsID, UsersID, DeadLettersID [16]byte
	// Partitions of events; keys map to partitions by it, so it never changes.
	Partitions int32
}

// HexID is the form of a topic id in names, positions and fences: 32 hex digits.
func HexID(id [16]byte) string { return hex.EncodeToString(id[:]) }

// ErrTopicMismatch is wrapped by the errors of [EnsureTopics] for a topic of another shape.
var ErrTopicMismatch = errors.New("topic exists with another shape")

// EnsureTopics creates the topics that are missing and verifies all of them. It is safe to run in
// several processes at once.
func EnsureTopics(ctx context.Context, client *kgo.Client, spec Spec) (Topics, error) {
	admin := kadm.NewClient(client)
	for _, want := range wantedTopics(spec) {
		if err := createTopic(ctx, admin, want, spec.Replicas); err != nil {
			return Topics{}, err
		}
	}
	return verifyTopics(ctx, admin, spec)
}

// createTopic creates a topic unless it exists. It looks first, because the right to create may have
// been taken away once the topics were there.
func createTopic(ctx context.Context, admin *kadm.Client, want wanted, replicas int16) error {
	details, err := listTopics(ctx, admin, want.name)
	if err != nil {
		return fmt.Errorf("look up topic %s: %w", want.name, err)
	}
	if details.Has(want.name) {
		return nil
	}
	if replicas == 0 {
		replicas = -1
	}
	partitions := want.partitions
	if partitions == 0 {
		partitions = DefaultPartitions
	}
	configs := map[string]*string{}
	for key, value := range want.configs {
		configs[key] = kadm.StringPtr(value)
	}
	_, err = admin.CreateTopic(ctx, partitions, replicas, configs, want.name)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", want.name, err)
	}
	return nil
}

// wanted is the shape of one topic; 0 partitions are any number.
type wanted struct {
	name       string
	partitions int32
	configs    map[string]string
}

// The configurations that topics are created with and must have.
const (
	cleanupPolicy = "cleanup.policy"
	timestampType = "message.timestamp.type"
)

func wantedTopics(spec Spec) []wanted {
	// A compacted events topic would lose events; an items topic with time retention, its catalog.
	return []wanted{
		// A record is judged by its log time, in ingest before the broker has it. So the broker must keep it.
		{EventsTopic, spec.Partitions, map[string]string{cleanupPolicy: "delete", timestampType: "CreateTime"}},
		{ItemsTopic, 1, map[string]string{cleanupPolicy: "compact"}},
		{UsersTopic, 1, map[string]string{cleanupPolicy: "compact"}},
		{DeadLettersTopic, 1, map[string]string{cleanupPolicy: "delete"}},
	}
}

func verifyTopics(ctx context.Context, admin *kadm.Client, spec Spec) (Topics, error) {
	details, err := awaitTopics(ctx, admin)
	if err != nil {
		return Topics{}, err
	}
	for _, want := range wantedTopics(spec) {
		if err := verifyTopic(ctx, admin, want, details[want.name]); err != nil {
			return Topics{}, err
		}
	}
	return Topics{
		EventsID:      details[EventsTopic].ID,
		ItemsID:       details[ItemsTopic].ID,
		UsersID:       details[UsersTopic].ID,
		DeadLettersID: details[DeadLettersTopic].ID,
		Partitions:    int32(len(details[EventsTopic].Partitions)),
	}, nil
}

func verifyTopic(ctx context.Context, admin *kadm.Client, want wanted, detail kadm.TopicDetail) error {
	if detail.ID == (kadm.TopicID{}) {
		return fmt.Errorf("verify topic %s: the broker gives no topic id, Kafka 2.8 or later is needed", want.name)
	}
	if have := int32(len(detail.Partitions)); want.partitions != 0 && have != want.partitions {
		return fmt.Errorf("verify topic %s: %w: it has %d partitions and %d are configured; a change would send keys elsewhere than their history",
			want.name, ErrTopicMismatch, have, want.partitions)
	}
	configs, err := topicConfigs(ctx, admin, want.name)
	if err != nil {
		return fmt.Errorf("verify topic %s: %w", want.name, err)
	}
	for _, key := range slices.Sorted(maps.Keys(want.configs)) {
		have, told := configs[key]
		if !told {
			return fmt.Errorf("verify topic %s: the broker does not tell its %s", want.name, key)
		}
		if value := want.configs[key]; strings.ReplaceAll(have, " ", "") != value {
			return fmt.Errorf("verify topic %s: %w: its %s is %q and must be %q: run `kafka-configs.sh --bootstrap-server BROKER --alter --entity-type topics --entity-name %s --add-config %s=%s`",
				want.name, ErrTopicMismatch, key, have, value, want.name, key, value)
		}
	}
	return nil
}

// topicConfigs returns the configuration of a topic, what it has from the broker included.
func topicConfigs(ctx context.Context, admin *kadm.Client, topic string) (map[string]string, error) {
	resources, err := admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("read its configuration: %w", err)
	}
	resource, err := resources.On(topic, nil)
	if err == nil {
		err = resource.Err
	}
	if err != nil {
		return nil, fmt.Errorf("read its configuration: %w", err)
	}
	configs := make(map[string]string, len(resource.Configs))
	for _, c := range resource.Configs {
		configs[c.Key] = c.MaybeValue()
	}
	return configs, nil
}

// awaitTopics lists the topics until all of them have leaders: a broker may answer a creation before
// every broker has heard of it.
func awaitTopics(ctx context.Context, admin *kadm.Client) (kadm.TopicDetails, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		details, err := listTopics(ctx, admin, EventsTopic, ItemsTopic, UsersTopic, DeadLettersTopic)
		if err == nil {
			err = notReady(details)
		}
		if err == nil {
			return details, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for topics: %w", errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

// listTopics asks the broker. Without the authorized operations, which nothing here needs, kadm
// would answer from the client's cache, which knows the id of a recreated topic seconds too late.
func listTopics(ctx context.Context, admin *kadm.Client, names ...string) (kadm.TopicDetails, error) {
	return admin.ListTopics(kadm.WithAuthorizedOps(ctx), names...)
}

func notReady(details kadm.TopicDetails) error {
	for _, topic := range details {
		if topic.Err != nil {
			return fmt.Errorf("topic %s: %w", topic.Topic, topic.Err)
		}
		for _, p := range topic.Partitions {
			if p.Err != nil {
				return fmt.Errorf("topic %s, partition %d: %w", topic.Topic, p.Partition, p.Err)
			}
			if p.Leader < 0 {
				return fmt.Errorf("topic %s, partition %d has no leader", topic.Topic, p.Partition)
			}
		}
	}
	return nil
}
