package jobs_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/jobs"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/stream/ingest/deadletter"
)

// broker is an embedded Kafka with the topics, and the commands that work on it.
type broker struct {
	t      *testing.T
	addr   string
	data   string
	client *kgo.Client
	topics kafka.Topics
}

func startBroker(t *testing.T) *broker {
	t.Helper()
	e, err := kafka.StartEmbedded(kafka.EmbeddedConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	b := &broker{t: t, addr: e.Addr(), data: t.TempDir()}
	if b.client, err = kafka.Dial([]string{b.addr}, nil, kafka.Local()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.client.Close)
	if b.topics, err = kafka.EnsureTopics(t.Context(), b.client, kafka.Spec{Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *broker) produce(records ...*kgo.Record) {
	b.t.Helper()
	if err := b.client.ProduceSync(b.t.Context(), records...).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
}

// run runs a command on the broker and returns what it prints, with topic ids by name, and its exit code.
func (b *broker) run(args ...string) (stdout, stderr string, code int) {
	b.t.Helper()
	var out, logged bytes.Buffer
	args = append([]string{"--log", "error"}, args...)
	code = jobs.Main(jobs.Env{Context: b.t.Context(), Args: append(args, "--kafka", b.addr, "--data", b.data), Stdout: &out, Stderr: &logged})
	named := strings.NewReplacer(kafka.HexID(b.topics.EventsID), "EVENTS", kafka.HexID(b.topics.DeadLettersID), "DLQ")
	return named.Replace(out.String()), logged.String(), code
}

// expect runs a command and requires its exit code and texts in what it prints to stdout; one that
// begins with ! must not be there.
func (b *broker) expect(code int, command string, texts ...string) {
	b.t.Helper()
	stdout, stderr, got := b.run(strings.Fields(command)...)
	if got != code {
		b.t.Errorf("%s: exit code %d, want %d\n%s%s", command, got, code, stdout, stderr)
	}
	if code == 2 {
		stdout = stderr
	}
	for _, text := range texts {
		absent, negated := strings.CutPrefix(text, "!")
		if negated && strings.Contains(stdout, absent) || !negated && !strings.Contains(stdout, text) {
			b.t.Errorf("%s: want %q in\n%s", command, text, stdout)
		}
	}
}

// TestDeadLetters lists, shows and replays letters as an operator does.
func TestDeadLetters(t *testing.T) {
	b := startBroker(t)
	at := func(partition int32, offset int64) event.Position {
		return event.Position{TopicID: kafka.HexID(b.topics.EventsID), Partition: partition, Offset: offset}
	}
	sound := `{"event_id":"e1","user_id":"secret","item_id":"i1","type":"view","event_time":"2026-01-20T10:00:00Z"}`
	typo := strings.ReplaceAll(sound, "view", "View")
	b.produce(
		deadletter.FromLog("events.dlq", at(1, 5), &event.Rejection{Reason: "key", Field: "key", Value: "secret"}, event.Record{Key: []byte("x"), Value: []byte(sound)}),
		deadletter.FromLog("events.dlq", at(0, 7), &event.Rejection{Reason: "malformed", Field: "secret"}, event.Record{Value: []byte("secret\xff")}),
		deadletter.FromHTTP("events.dlq", &event.Rejection{Reason: "range", Field: "type", Value: "View"}, []byte(typo)),
	)
	id := kafka.HexID(b.topics.EventsID)
	first, http := id+"/1/5", kafka.HexID(b.topics.DeadLettersID)+"/0/2"

	b.expect(0, "dlq list", "EVENTS/1/5", "EVENTS/0/7", "DLQ/0/2", "malformed", "!secret")
	b.expect(0, "dlq list --payloads", "secret", `\xff`)
	b.expect(0, "dlq list --from-partition 0", "EVENTS/0/7", "!EVENTS/1/5", "!DLQ/0/2")
	b.expect(0, "dlq list --limit 1", "EVENTS/1/5", "!EVENTS/0/7")
	b.expect(0, "dlq list --until 2020-01-01T00:00:00Z", "!EVENTS")
	b.expect(0, "dlq list --json --reason key", fmt.Sprintf(`{"bytes":%d,"field":"key","position":"EVENTS/1/5","reason":"key","source":"log","time":"`, len(sound)), "!secret")
	b.expect(0, "dlq show "+first, `"position": "EVENTS/1/5"`, "!secret")
	b.expect(0, "dlq show --json --payloads "+first, `"user_id\":\"secret\"`, `"key":"x"`)
	b.expect(0, "dlq show --payloads "+id+"/0/7", `"payload_base64": "c2VjcmV0/w=="`)
	b.expect(1, "dlq show "+id+"/0/99")
	b.expect(2, "dlq show 7", `position "7"`)

	b.expect(2, "dlq replay", "name a position, a filter such as --reason, or --all")
	b.expect(2, "dlq replay --all --set type=view", "--set repairs one letter")
	b.expect(2, "dlq replay "+http+" --set colour=red", `field "colour"`)
	b.expect(1, "dlq replay --all --dry-run", "1 would be replayed, 0 replayed before, 2 invalid still", "EVENTS/0/7 is invalid still: malformed")
	b.expect(0, "dlq replay --reason key", "1 replayed, 0 replayed before, 0 invalid still")
	b.expect(0, "dlq replay "+first, "0 replayed, 1 replayed before, 0 invalid still")
	b.expect(0, "dlq replay --json --set type=view --set value=2 "+http, `"position":"DLQ/0/2","status":"replayed"}`, `"as":"EVENTS/`)
	b.expect(1, "dlq replay --all", "0 replayed, 2 replayed before, 1 invalid still")
	b.expect(1, "dlq replay "+id+"/0/99")
	b.expect(0, "dlq list --open", "EVENTS/0/7", "!EVENTS/1/5", "!DLQ/0/2")

	ends, err := kafka.EndOffsets(t.Context(), b.client, "events")
	if err != nil {
		t.Fatal(err)
	}
	// Two records of one user and the ends of two transactions.
	if home := kafka.PartitionOf("secret", 2); ends[home] != 4 || ends[1-home] != 0 {
		t.Errorf("the events topic ends at %v", ends)
	}
}

// TestMarks lists and writes marks, and completes what is written by halves.
func TestMarks(t *testing.T) {
	b := startBroker(t)
	b.expect(0, "marks list", "MARK", "!2026")
	b.expect(3, "marks write --date 2026-01-01")
	b.produce(&kgo.Record{Topic: "events", Key: []byte("u1"), Value: []byte("{}")})
	b.expect(2, "marks write --date 2126-01-01", "not over yet")
	b.expect(0, "marks write --date 2026-01-01 --dry-run", "would write mark 1 with label 2026-01-02T00:00:00Z")
	b.expect(0, "marks write --date 2026-01-01", "mark 1 (2026-01-02T00:00:00Z) is in all 2 partitions")
	b.expect(0, "marks write --label 2026-01-01 --json", `{"label":"2026-01-02T00:00:00Z","n":1}`)
	b.expect(0, "marks write --date 2026-01-01 --dry-run", "mark 1 has the label 2026-01-02T00:00:00Z already")
	b.expect(2, "marks write --date 2025-12-31", "labels only rise")
	b.expect(2, "marks write --date 2025-12-31 --dry-run", "labels only rise")
	home := kafka.PartitionOf("u1", 2)
	b.expect(0, "marks list", "written", fmt.Sprintf("%d:1", home), fmt.Sprintf("%d:0", 1-home))
	if _, err := kafka.WriteMark(t.Context(), b.client, "events", 1, 3, nil); err != nil { // not the next: no mark
		t.Fatal(err)
	}
	b.expect(0, "marks write --date 2026-01-02")
	b.expect(0, "marks list --json", `{"label":"2026-01-03T00:00:00Z","missing":[],"n":2,"offsets":{`, `"state":"written"}`)
}

// trimLog deletes the records of a partition before an offset.
func (b *broker) trimLog(topic string, partition int32, before int64) {
	b.t.Helper()
	var offsets kadm.Offsets
	offsets.AddOffset(topic, partition, before, -1)
	if _, err := kadm.NewClient(b.client).DeleteRecords(b.t.Context(), offsets); err != nil {
		b.t.Fatal(err)
	}
}
