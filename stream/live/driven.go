package live

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
)

// Log is what the owner of a partition asks Kafka for, beside the records.
type Log interface {
	// Held returns what Kafka holds of a partition now.
	Held(ctx context.Context, partition int32) (Held, error)
	// Bury writes dead letters and returns when Kafka has them.
	Bury(ctx context.Context, letters []*kgo.Record) error
}

// Held is what Kafka holds of a partition: the offsets [Start, End) of a topic's id.
type Held struct {
	TopicID    string
	Start, End int64
}

// kafkaLog is the Log of a runner.
type kafkaLog struct {
	client *kgo.Client
	topic  string
}

// Held implements Log.
func (l kafkaLog) Held(ctx context.Context, partition int32) (Held, error) {
	details, err := kadm.NewClient(l.client).ListTopics(ctx, l.topic)
	if err != nil {
		return Held{}, fmt.Errorf("look up topic %s: %w", l.topic, err)
	}
	if err := details.Error(); err != nil {
		return Held{}, fmt.Errorf("look up topic %s: %w", l.topic, err)
	}
	start, err := kafka.StartOffsets(ctx, l.client, l.topic)
	if err != nil {
		return Held{}, err
	}
	end, err := kafka.EndOffsets(ctx, l.client, l.topic)
	if err != nil {
		return Held{}, err
	}
	first, known := start[partition]
	last, knownEnd := end[partition]
	if !known || !knownEnd {
		return Held{}, fmt.Errorf("topic %s has no partition %d", l.topic, partition)
	}
	return Held{kafka.HexID(details[l.topic].ID), first, last}, nil
}

// Bury implements Log.
func (l kafkaLog) Bury(ctx context.Context, letters []*kgo.Record) error {
	return l.client.ProduceSync(ctx, letters...).FirstErr()
}

// Driven is the owner of one partition whose caller brings the records and says when: no Kafka client, no
// goroutine, no waiting but for Redis. The simulation drives it on a virtual clock.
type Driven struct{ o *owner }

// NewDriven returns an owner that does not know where its partition stands: call Recover. Config.Seeds,
// Group and KafkaOptions are not used.
func NewDriven(cfg Config, partition int32, log Log) (*Driven, error) {
	r, err := newRunner(cfg)
	if err != nil {
		return nil, err
	}
	r.log = log
	o, err := r.newOwner(partition)
	if err != nil {
		return nil, err
	}
	return &Driven{o}, nil
}

// Recover finds out where the partition stands, or opens a fence where there is none. After an error the
// owner is lost still.
func (d *Driven) Recover(ctx context.Context) error {
	if err := d.o.recover(ctx); err != nil {
		d.o.lose(err)
		return err
	}
	d.o.found()
	return nil
}

// Running reports whether the owner knows where it stands, and at which offset that is.
func (d *Driven) Running() (next int64, ok bool) { return d.o.fence.Next, d.o.phase == running }

// Process applies records from there on; end is the end of the partition. After an error the owner is lost.
func (d *Driven) Process(ctx context.Context, records []*kgo.Record, end int64) error {
	return d.orLose(d.o.process(ctx, records, end))
}

// Verify looks after an idle partition, as the runner does every few seconds, and trims what the floor has passed. After
// an error the owner is lost.
func (d *Driven) Verify(ctx context.Context) error {
	err := d.o.verify(ctx)
	for more := true; more && err == nil; {
		more, err = d.o.trim(ctx)
	}
	return d.orLose(err)
}

func (d *Driven) orLose(err error) error {
	if err != nil {
		d.o.lose(err)
	}
	return err
}
