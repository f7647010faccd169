package online

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/event"
)

// broker returns an embedded Kafka with the topics, and a client.
func broker(t *testing.T) (*kafka.Embedded, *kgo.Client) {
	t.Helper()
	k := must(kafka.StartEmbedded(kafka.EmbeddedConfig{}))(t)
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	client := must(kafka.Dial([]string{k.Addr()}, nil, kafka.Local()))(t)
	t.Cleanup(client.Close)
	must(kafka.EnsureTopics(t.Context(), client, kafka.Spec{Partitions: partitions}))(t)
	return k, client
}

func put(t *testing.T, client *kgo.Client, topic, key, value string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r := &kgo.Record{Topic: topic, Key: []byte(key)}
	if value != "" {
		r.Value = []byte(value)
	}
	if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func TestCatalogIsFollowed(t *testing.T) {
	k, client := broker(t)
	w := newWorld(t)
	w.history(6)
	w.point(t, w.generation(t, 1, items()))
	w.live(t, "A", 0)
	put(t, client, kafka.ItemsTopic, "hats1", `{"item_id":"hats1","attributes":{"title":"Bowler","category":"hats","price":12.5,"color":"black"}}`)
	put(t, client, kafka.ItemsTopic, "broken", `{"item":`)
	put(t, client, kafka.ItemsTopic, "twin", `{"item_id":"hats1","attributes":{"title":"Impostor"}}`)
	put(t, client, kafka.UsersTopic, "u1", `{"user_id":"u1","attributes":{"city":"Oslo"}}`)
	s := w.serve(t, func(c *Config) {
		c.KafkaSeeds, c.KafkaOptions = []string{k.Addr()}, []kgo.Opt{kafka.Local()}
		c.Poll = 10 * time.Millisecond
	})
	if got := recommendTo(t, s, "u1", ""); !got.Receipt.Degraded || got.Receipt.Reason != reasonNoCatalog {
		t.Errorf("before the catalogue is read: receipt %+v", got.Receipt)
	}
	if c := s.Checks(t.Context())[1]; c.OK || !c.Required {
		t.Errorf("check %+v", c)
	}
	run(t, s)
	has := func(id string) bool {
		return slices.Contains(ids(must(s.Recommend(t.Context(), Request{User: "u1", N: 1000}))(t).Items), id)
	}
	eventually(t, "the catalogue", func() bool { return s.catalog.items.source() == fromKafka && s.catalog.users.source() == fromKafka })
	eventually(t, "the catalogue in the recommender", func() bool { return s.generations.current.Load().catalog == s.catalog.items.version() })
	list := must(s.Recommend(t.Context(), Request{User: "u1", N: 5, Categories: []string{"hats"}}))(t)
	if len(list.Items) != 1 || list.Items[0].Attributes.Title != "Bowler" || *list.Items[0].Attributes.Price != 12.5 || list.Receipt.Degraded {
		t.Errorf("hats: %+v, receipt %+v", list.Items, list.Receipt)
	}
	if f := must(s.Features(t.Context(), "u1"))(t); f.Attributes["city"] != "Oslo" {
		t.Errorf("profile %v", f.Attributes)
	}
	if f := must(s.ItemFeatures(t.Context(), "hats1"))(t); f.Attributes["color"] != "black" {
		t.Errorf("attributes %v", f.Attributes)
	}
	if c := s.Checks(t.Context())[1]; !c.OK || c.Detail != "1 items" {
		t.Errorf("check %+v", c)
	}

	put(t, client, kafka.ItemsTopic, "new", `{"item_id":"new","attributes":{"category":"hats"}}`)
	eventually(t, "a new item", func() bool { return has("new") })
	put(t, client, kafka.ItemsTopic, "hats1", `{"item_id":"hats1","attributes":{"available":false}}`)
	eventually(t, "an item that sold out", func() bool { return !has("hats1") })
	put(t, client, kafka.ItemsTopic, "new", "")
	eventually(t, "a removed item", func() bool { return !has("new") })
}

// TestCatalogWithoutKafka starts while Kafka is away: the generation's snapshot stands in.
func TestCatalogWithoutKafka(t *testing.T) {
	for name, seeds := range map[string][]string{"not configured": nil, "away": {"127.0.0.1:1"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.history(6)
			w.point(t, w.generation(t, 1, items()))
			w.live(t, "A", 0)
			must(w.bucket.Put(t.Context(), snapshotKey(1, "items"), []byte(`{"item_id":"hats1","attributes":{"title":"Bowler","available":false}}`+"\n"+`{"item_id":"hats2"}`+"\n")))(t)
			must(w.bucket.Put(t.Context(), snapshotKey(1, "users"), []byte(`{"user_id":"u1","attributes":{"city":"Oslo"}}`+"\n")))(t)
			s := w.serve(t, func(c *Config) { c.KafkaSeeds = seeds })
			got := must(s.Recommend(t.Context(), Request{User: "u1", N: 1000}))(t)
			if got.Receipt.Degraded || slices.Contains(ids(got.Items), "hats1") || !slices.Contains(ids(got.Items), "hats2") {
				t.Errorf("items %v, receipt %+v", ids(got.Items), got.Receipt)
			}
			if f := must(s.Features(t.Context(), "u1"))(t); f.Attributes["city"] != "Oslo" {
				t.Errorf("profile %v", f.Attributes)
			}
			if c := s.Checks(t.Context())[1]; c.OK != (seeds == nil) || c.Required {
				t.Errorf("check %+v", c)
			}
		})
	}
}

func TestDamagedSnapshotIsNotUsed(t *testing.T) {
	w := newWorld(t)
	w.history(6)
	w.point(t, w.generation(t, 1, items()))
	must(w.bucket.Put(t.Context(), snapshotKey(1, "items"), []byte(`{"item_id":"hats1"}`+"\n"+`{"item_id":`)))(t)
	s := w.serve(t)
	if _, known := s.catalog.items.get("hats1"); known || s.catalog.items.source() != fromNowhere {
		t.Error("half a snapshot was taken")
	}
	if got := recommendTo(t, s, "u1", ""); len(got.Items) != 20 {
		t.Errorf("%d items", len(got.Items))
	}
}

func TestBetterSourceWins(t *testing.T) {
	table := &table[event.Item]{}
	table.install(map[string]event.Item{"a": {ID: "a"}}, fromKafka)
	table.install(map[string]event.Item{"b": {ID: "b"}}, fromSnapshot)
	if _, ok := table.get("a"); !ok || table.source() != fromKafka {
		t.Error("a snapshot replaced what Kafka said")
	}
}
