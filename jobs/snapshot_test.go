package jobs

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/event"
)

// TestSnapshotSkipsWhatIsNoRecord: whoever writes to the topics cannot break an import or a night.
func TestSnapshotSkipsWhatIsNoRecord(t *testing.T) {
	broker, err := kafka.StartEmbedded(kafka.EmbeddedConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := broker.Close(); err != nil {
			t.Error(err)
		}
	})
	var logged bytes.Buffer
	rt := &runtimeEnv{ctx: t.Context(), log: slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	s := &servers{seeds: []string{broker.Addr()}, local: true}
	client, _, err := rt.ensureTopics(s, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	for _, r := range []kgo.Record{
		{Topic: kafka.ItemsTopic, Key: []byte("b"), Value: []byte(`{"item_id":"b"}`)},
		{Topic: kafka.ItemsTopic, Key: []byte("a"), Value: []byte("{\n  \"item_id\": \"a\",\n  \"attributes\": {\"price\": 1.50}\n}\n")},
		{Topic: kafka.ItemsTopic, Key: []byte("twin"), Value: []byte(`{"item_id":"a"}`)},
		{Topic: kafka.ItemsTopic, Key: []byte("broken"), Value: []byte(`{"item_id":"secret`)},
		{Topic: kafka.ItemsTopic, Key: []byte("gone"), Value: []byte(`{"item_id":"gone"}`)},
		{Topic: kafka.ItemsTopic, Key: []byte("gone")},
		{Topic: kafka.UsersTopic, Key: []byte("u"), Value: []byte(`{ "user_id": "u" }`)},
		{Topic: kafka.UsersTopic, Key: []byte("v"), Value: []byte(`[]`)},
	} {
		if err := client.ProduceSync(t.Context(), &r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	items, users, err := rt.snapshots(s)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"item_id":"a","attributes":{"price":1.5}}` + "\n" + `{"item_id":"b"}` + "\n"; string(items) != want {
		t.Errorf("items %s, want %s", items, want)
	}
	if want := `{"user_id":"u"}` + "\n"; string(users) != want {
		t.Errorf("users %s, want %s", users, want)
	}
	for _, want := range []string{"topic=items records=2", "topic=users records=1"} {
		if strings.Count(logged.String(), want) != 1 {
			t.Errorf("no single warning %q in %s", want, &logged)
		}
	}
	if strings.Contains(logged.String(), "secret") {
		t.Errorf("a payload was logged: %s", &logged)
	}

	p := &parts{servers: s, client: client}
	stamps, err := rt.publishRecords(t.Context(), p, []event.Item{{ID: "new", Attributes: map[string]any{"price": 2.}}}, nil)
	if err != nil {
		t.Fatalf("import beside records that are no items: %v", err)
	}
	if stamp := stamps("a"); stamp == nil || *stamp.Price != 1.5 {
		t.Errorf("stamp of a: %+v", stamp)
	}
}
