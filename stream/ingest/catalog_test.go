package ingest

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/event"
)

func TestStamps(t *testing.T) {
	d := openDoor(t)
	if got, _ := d.post("/v1/items", `{"items":[{"item_id":"i1","attributes":{"category":"shoes","price":9.5}},{"item_id":"i2"}]}`); got.Status != 200 || got.Results[0].ItemID != "i1" {
		t.Fatalf("%+v", got)
	}
	events := `[{"event_id":"1","user_id":"u","item_id":"i1","type":"view"},
		{"event_id":"2","user_id":"u","item_id":"i2","type":"view"},
		{"event_id":"3","user_id":"u","item_id":"i1","type":"view","item":{"category":"hats"}},
		{"event_id":"5","user_id":"u","item_id":"i2","type":"view","item":{"category":"hats"}},
		{"event_id":"6","user_id":"u","item_id":"unknown","type":"view","item":{"category":"hats"}}]`
	if got, _ := d.post("/v1/events", events); got.Status != 200 {
		t.Fatalf("%+v", got)
	}
	if got, _ := d.post("/v1/items", `{"item_id":"i1","attributes":{"category":"boots"}}`); got.Status != 200 {
		t.Fatalf("%+v", got)
	}
	if got, _ := d.post("/v1/events", `{"event_id":"4","user_id":"u","item_id":"i1","type":"view"}`); got.Status != 200 {
		t.Fatalf("%+v", got)
	}
	want := map[string]string{"1": "shoes 9.5 true", "2": " 0 false", "3": "shoes 9.5 true", "4": "boots 0 false", "5": " 0 false", "6": "hats 0 false"}
	for _, r := range d.consume(kafka.EventsTopic, 6) {
		e, rejection := event.Decode("", r.Value)
		if rejection != nil {
			t.Fatal(rejection)
		}
		price, has := 0.0, e.Stamp != nil && e.Stamp.Price != nil
		if has {
			price = *e.Stamp.Price
		}
		if got := fmt.Sprintf("%s %g %t", e.Category(), price, has); got != want[e.ID] {
			t.Errorf("event %s is stamped %q, want %q", e.ID, got, want[e.ID])
		}
	}
}

// TestCatalogKeepsTheLatest: the follower and an own write may cross, and records that are no items
// of their key say nothing.
func TestCatalogKeepsTheLatest(t *testing.T) {
	c := NewCatalog()
	_ = c.apply([]byte("i"), []byte(`{"item_id":"i","attributes":{"category":"new"}}`), 7)
	_ = c.apply([]byte("i"), []byte(`{"item_id":"i","attributes":{"category":"old"}}`), 3)
	category := func() string {
		e := event.Event{ItemID: "i"}
		c.stamp(&e)
		return e.Category()
	}
	if got := category(); got != "new" {
		t.Errorf("category %q, want new", got)
	}
	_ = c.apply([]byte("i"), []byte(`{"item_id":"other"}`), 8)
	_ = c.apply([]byte("i"), []byte(`garbage`), 9)
	if got := category(); got != "new" {
		t.Errorf("category %q after records that are no items of that key, want new", got)
	}
	_ = c.apply([]byte("i"), nil, 10)
	if got := category(); got != "" {
		t.Errorf("category %q after a tombstone, want none", got)
	}
}

// TestCatalogFollowsANewTopic: after the topic was recreated its offsets begin anew, and what they say
// counts, not what the old topic said.
func TestCatalogFollowsANewTopic(t *testing.T) {
	c := NewCatalog()
	put := func(id, category string, offset int64) {
		value := []byte(`{"item_id":"` + id + `","attributes":{"category":"` + category + `"}}`)
		if rejection := c.apply([]byte(id), value, offset); rejection != nil {
			t.Fatal(rejection)
		}
	}
	expect := func(when, id, want string) {
		t.Helper()
		e := event.Event{ItemID: id}
		if c.stamp(&e); e.Category() != want {
			t.Errorf("%s: category of %s %q, want %q", when, id, e.Category(), want)
		}
	}
	c.begin()
	put("i", "old", 7)
	put("gone", "old", 8)
	c.swap()
	c.begin()
	put("i", "new", 0)
	expect("while the new topic is read", "i", "old")
	put("own", "new", 9) // acknowledged to this process meanwhile
	expect("at once", "own", "new")
	c.swap()
	expect("then", "i", "new")
	expect("then", "own", "new")
	expect("then", "gone", "")
}

func TestCatalogNotReady(t *testing.T) {
	client, err := kafka.Dial([]string{"127.0.0.1:1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	h, err := New(Config{Client: client, Catalog: NewCatalog(), Partitions: 1, Clock: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	d := &door{t: t, mux: http.NewServeMux()}
	h.Mount(d.mux)
	if got, _ := d.post("/v1/events", eventJSON("a", "u1")); got.Status != 503 || !strings.Contains(got.Detail, "catalog") {
		t.Errorf("%+v", got)
	}
}

// failing is a body whose sender goes away.
type failing struct{}

// TestCatalogFollowsTheTopic: what another process took in is stamped here.
func TestCatalogFollowsTheTopic(t *testing.T) {
	d := openDoor(t)
	other, err := kafka.Dial(d.seeds, nil, kafka.Local())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	item := &kgo.Record{Topic: kafka.ItemsTopic, Key: []byte("i"), Value: []byte(`{"item_id":"i","attributes":{"category":"c"}}`)}
	if err := other.ProduceSync(t.Context(), item).FirstErr(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(deadline)
	for {
		e := event.Event{ItemID: "i"}
		if d.catalog.stamp(&e); e.Category() == "c" {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("the item never reached the catalog")
		}
	}
}
