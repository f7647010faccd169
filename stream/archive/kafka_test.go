package archive

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/errbucket"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/model"
)

// broker is an embedded Kafka with the topics and a client.
type broker struct {
	t      *testing.T
	addr   string
	client *kgo.Client
	topics kafka.Topics
}

func startBroker(t *testing.T, partitions int32) *broker {
	t.Helper()
	e, err := kafka.StartEmbedded(kafka.EmbeddedConfig{})
	must(t, err)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	k := &broker{t: t, addr: e.Addr()}
	k.client, err = kafka.Dial([]string{k.addr}, nil, kafka.Local())
	must(t, err)
	t.Cleanup(k.client.Close)
	k.topics, err = kafka.EnsureTopics(t.Context(), k.client, kafka.Spec{Partitions: partitions})
	must(t, err)
	return k
}

// produce sends events of users [from, to) and some garbage.
func (k *broker) produce(from, to int) {
	k.t.Helper()
	var records []*kgo.Record
	for i := from; i < to; i++ {
		r := record(0, 0, i)
		if i%10 == 9 {
			r.Value = []byte("no event")
		}
		records = append(records, &kgo.Record{Topic: "events", Key: r.Key, Value: r.Value, Timestamp: start})
	}
	must(k.t, k.client.ProduceSync(k.t.Context(), records...).FirstErr())
}

func (k *broker) mark(n int64) {
	k.t.Helper()
	for p := range k.topics.Partitions {
		_, err := kafka.WriteMark(k.t.Context(), k.client, "events", p, n, []byte("{}"))
		must(k.t, err)
	}
}

// logs reads the whole topic, by partition, as a consumer that knows nothing of archives does.
func (k *broker) logs() [][]*kgo.Record {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), 20*time.Second)
	defer cancel()
	ends, err := kafka.EndOffsets(ctx, k.client, "events")
	must(k.t, err)
	reader, err := kafka.Dial([]string{k.addr}, nil, kafka.Local(), kgo.ConsumeTopics("events"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	must(k.t, err)
	defer reader.Close()
	logs := make([][]*kgo.Record, k.topics.Partitions)
	for missing := sum(ends); missing > 0; {
		fetches := reader.PollFetches(ctx)
		must(k.t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			logs[r.Partition] = append(logs[r.Partition], r)
			missing--
		})
	}
	return logs
}

func sum(m map[int32]int64) (n int64) {
	for _, x := range m {
		n += x
	}
	return n
}

// running is an archiver in a goroutine.
type running struct {
	*Archiver
	stop context.CancelFunc
	done chan error
}

func (k *broker) archive(b *bucket.Bucket, limits Limits, change func(*Config)) *running {
	k.t.Helper()
	r := &running{done: make(chan error, 1)}
	cfg := Config{
		Bucket: b, Seeds: []string{k.addr}, Topics: k.topics, Client: []kgo.Opt{kafka.Local()}, Limits: limits,
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	r.Archiver, err = New(cfg)
	must(k.t, err)
	var ctx context.Context
	ctx, r.stop = context.WithCancel(k.t.Context())
	k.t.Cleanup(r.stop)
	go func() { r.done <- r.Run(ctx) }()
	return r
}

// await waits until the archiver has met n marks that count, each partition's by itself.
func (r *running) await(t *testing.T, n int64) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for r.Stats().Marks < n {
		select {
		case <-tick.C:
		case err := <-r.done:
			t.Fatalf("the archiver returned: %v", err)
		case <-deadline:
			t.Fatalf("%d marks were met, want %d", r.Stats().Marks, n)
		}
	}
}

func (r *running) end(t *testing.T) error {
	t.Helper()
	r.stop()
	return r.failed(t)
}

func (r *running) failed(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.done:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("the archiver does not return")
		return nil
	}
}

// TestRun archives a real log across two epochs, a stop in the middle and a restart.
func TestRun(t *testing.T) {
	k := startBroker(t, 3)
	b := openBucket(t)
	k.produce(0, 200)
	first := k.archive(b, Limits{Rows: 25}, nil)
	k.mark(1)
	first.await(t, 3)
	if s := first.Stats(); s.Rows != 200 || s.Rejected != 20 || s.Marks != 3 || s.Bytes == 0 || s.Files < 8 {
		t.Errorf("stats %+v", s)
	}
	k.produce(200, 300)
	must(t, first.end(t))

	k.produce(300, 350)
	k.mark(1) // a repetition counts nowhere
	k.mark(2)
	second := k.archive(b, Limits{}, nil)
	second.await(t, 3)
	logs := k.logs()
	compare(t, b, kafka.HexID(k.topics.EventsID), logs)
	for p, tail := range k.tails(b) {
		if log := logs[p]; tail.Next != log[len(log)-1].Offset { // the last mark begins the next epoch
			t.Errorf("partition %d is archived up to %d, its last mark lies at %d", p, tail.Next, log[len(log)-1].Offset)
		}
	}
	must(t, second.end(t))
}

// tails returns where the archive of each partition ends.
func (k *broker) tails(b *bucket.Bucket) []Tail {
	k.t.Helper()
	tails, err := Tails(k.t.Context(), b, kafka.HexID(k.topics.EventsID), k.topics.Partitions)
	must(k.t, err)
	return tails
}

// awaitTail waits until the archive of partition 0 reaches an offset.
func (k *broker) awaitTail(b *bucket.Bucket, next int64) {
	k.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for k.tails(b)[0].Next != next {
		select {
		case <-tick.C:
		case <-deadline:
			k.t.Fatalf("archived up to %+v, want %d", k.tails(b), next)
		}
	}
}

// TestRunPastTransactions: the chain covers the log's control records, at its end too, as no rows.
func TestRunPastTransactions(t *testing.T) {
	k := startBroker(t, 1)
	b := openBucket(t)
	writer, err := kafka.Dial([]string{k.addr}, nil, kafka.Local(), kgo.TransactionalID("writer"))
	must(t, err)
	defer writer.Close()
	for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		must(t, writer.BeginTransaction())
		r := record(0, 0, i)
		must(t, writer.ProduceSync(t.Context(), &kgo.Record{Topic: "events", Key: r.Key, Value: r.Value}).FirstErr())
		must(t, writer.EndTransaction(t.Context(), end))
	}
	a := k.archive(b, Limits{Age: 20 * time.Millisecond}, nil)
	k.awaitTail(b, 6)
	must(t, a.end(t))
	// Retention takes everything: what was archived is not missed, the last control record neither.
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: "events", At: 6})
	_, err = kadm.NewClient(k.client).DeleteRecords(t.Context(), offsets)
	must(t, err)
	a = k.archive(b, Limits{}, nil)
	k.mark(1)
	a.await(t, 1)
	must(t, a.end(t))
	x, _, err := ReadIndex(t.Context(), b, 0)
	must(t, err)
	must(t, x.CheckChain(model.Cut{}, model.Cut{0: 6}))
	var rows int64
	for _, o := range x.Objects {
		rows += o.Rows
	}
	if rows != 2 {
		t.Errorf("%d rows, want those of the 2 committed transactions", rows)
	}
}

// TestRunByAge archives without any mark or full file, and again nothing where nothing is new.
func TestRunByAge(t *testing.T) {
	k := startBroker(t, 1)
	b := openBucket(t)
	k.produce(0, 9)
	a := k.archive(b, Limits{Age: 20 * time.Millisecond}, nil)
	k.awaitTail(b, 9)
	must(t, a.end(t))
	if x, _, err := ReadIndex(t.Context(), b, 0); err != nil || len(x.Objects) == 0 || len(x.End) > 0 {
		t.Errorf("index %+v: %v", x, err)
	}
}

// TestRunOutlivesFailures lets every seventh operation on the bucket fail, half of them after they took effect.
func TestRunOutlivesFailures(t *testing.T) {
	k := startBroker(t, 2)
	b := openBucket(t)
	var faults []errbucket.Fault
	for n := 2; n < 400; n += 7 {
		faults = append(faults, errbucket.Fault{Nth: n, Effect: []errbucket.Effect{errbucket.Fail, errbucket.FailAfter}[n%2]})
	}
	faulty, _ := errbucket.Wrap(b, faults...)
	k.produce(0, 60)
	k.mark(1)
	a := k.archive(faulty, Limits{Rows: 10}, nil)
	a.await(t, 2)
	must(t, a.end(t))
	compare(t, b, kafka.HexID(k.topics.EventsID), k.logs())
}

func TestRunGivesUp(t *testing.T) {
	k := startBroker(t, 1)
	faulty, _ := errbucket.Wrap(openBucket(t), errbucket.Fault{Match: errbucket.Writes(""), Effect: errbucket.Fail})
	k.produce(0, 3)
	k.mark(1)
	err := k.archive(faulty, Limits{}, func(c *Config) { c.Patience = 100 * time.Millisecond }).failed(t)
	if api.CodeOf(err) != api.Unavailable || !errors.Is(err, errbucket.ErrInjected) {
		t.Errorf("got %v", err)
	}
}

// TestRunHalts takes from Kafka what the archive still needs.
func TestRunHalts(t *testing.T) {
	t.Run("records are gone", func(t *testing.T) {
		k := startBroker(t, 1)
		k.produce(0, 10)
		offsets := kadm.Offsets{}
		offsets.Add(kadm.Offset{Topic: "events", At: 4})
		_, err := kadm.NewClient(k.client).DeleteRecords(t.Context(), offsets)
		must(t, err)
		err = k.archive(openBucket(t), Limits{}, nil).failed(t)
		halted(t, err, "[0,4)", "events/0", "never archived", "from offset 0 on", "anabranch import")
		if strings.Contains(err.Error(), "backup") {
			t.Errorf("%v: there is no backup of what was never archived", err)
		}
	})
	t.Run("records between the archive and the log are gone", func(t *testing.T) {
		k := startBroker(t, 1)
		k.produce(0, 10)
		b := openBucket(t)
		s := &store{bucket: b, topicID: kafka.HexID(k.topics.EventsID)}
		_, _, err := s.write(t.Context(), file{end: 2})
		must(t, err)
		offsets := kadm.Offsets{}
		offsets.Add(kadm.Offset{Topic: "events", At: 4})
		_, err = kadm.NewClient(k.client).DeleteRecords(t.Context(), offsets)
		must(t, err)
		halted(t, k.archive(b, Limits{}, nil).failed(t), "[2,4)", "events/0", "backup")
	})
	t.Run("the log is shorter", func(t *testing.T) {
		k := startBroker(t, 1)
		k.produce(0, 10)
		b := openBucket(t)
		s := &store{bucket: b, topicID: kafka.HexID(k.topics.EventsID)}
		_, _, err := s.write(t.Context(), file{end: 99})
		must(t, err)
		halted(t, k.archive(b, Limits{}, nil).failed(t), "99", "10", "events/0")
	})
	t.Run("the topic is another", func(t *testing.T) {
		k := startBroker(t, 1)
		b := openBucket(t)
		s := &store{bucket: b, topicID: topicID}
		_, _, err := s.write(t.Context(), file{end: 1})
		must(t, err)
		halted(t, k.archive(b, Limits{}, nil).failed(t), topicID, kafka.HexID(k.topics.EventsID), "doctor")
	})
}

func halted(t *testing.T, err error, says ...string) {
	t.Helper()
	if !errors.Is(err, ErrHalted) {
		t.Fatalf("got %v, want it to halt", err)
	}
	for _, part := range says {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v\ndoes not say %q", err, part)
		}
	}
}

// BenchmarkAdvance measures records to files in one partition, without Kafka.
func BenchmarkAdvance(b *testing.B) {
	const n = 200_000
	log := make([]*kgo.Record, n)
	for i := range log {
		log[i] = record(0, int64(i), i%5000)
	}
	for b.Loop() {
		a := &Archiver{cfg: Config{Now: func() time.Time { return start }, Patience: time.Second}, store: &store{bucket: newMemory(), topicID: topicID}}
		p := &partition{topic: topicID, limits: Limits{}.withDefaults(1)}
		p.valid.Partitions = 1
		if err := a.advance(context.Background(), p, log); err != nil {
			b.Fatal(err)
		}
		if err := a.write(context.Background(), p, p.cut(n)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
