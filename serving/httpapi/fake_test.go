package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/serving/online"
	"github.com/anabranch/anabranch/serving/recommend"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	label = time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	at    = event.MillisOf(label.Add(36 * time.Hour))
)

// fake is a service with one answer to each question. It keeps the last one.
type fake struct {
	asked  any
	checks []online.Check
	bare   bool // there is no generation
}

func receipt() online.Receipt {
	return online.Receipt{
		Generation: "g000003-0123456789", Cut: 3, Label: &label, Live: online.LiveDegraded, Degraded: true,
		Reason: "live state is being filled", LiveOffsets: map[int32]int64{10: 7, 2: 1234}, ReadAt: at,
	}
}

func list() []online.Item {
	price := 12.5
	return []online.Item{
		{Scored: recommend.Scored{ItemID: "i1", Score: .75, Source: recommend.SourceMF}, Attributes: online.Attributes{Title: "Bowler", Category: "hats", Price: &price}},
		{Scored: recommend.Scored{ItemID: "ü/2", Score: 3, Source: recommend.SourceTrending}},
	}
}

func (f *fake) Recommend(_ context.Context, q online.Request) (online.Recommendations, error) {
	f.asked = q
	switch q.User {
	case "panic":
		panic("oh")
	case "broken":
		return online.Recommendations{}, errors.New("a secret path")
	}
	return online.Recommendations{UserID: q.User, Mode: q.Mode, Items: list(), Vector: recommend.VectorFoldIn, Receipt: receipt()}, nil
}

type asked struct {
	id         string
	n          int
	categories []string
}

func (f *fake) Similar(_ context.Context, item string, n int) (online.SimilarItems, error) {
	f.asked = asked{id: item, n: n}
	if item == "nothing" {
		return online.SimilarItems{}, api.Errorf(api.NotFound, "item %s is neither here nor there", api.Clip(item))
	}
	return online.SimilarItems{ItemID: item, Items: list(), Receipt: receipt()}, nil
}

func (f *fake) Trending(_ context.Context, n int, categories []string) (online.TrendingItems, error) {
	f.asked = asked{n: n, categories: categories}
	return online.TrendingItems{Items: []online.Item{}, Receipt: online.Receipt{Live: online.LiveAbsent, Degraded: true, Reason: "no generation yet", ReadAt: at}}, nil
}

func (f *fake) Features(_ context.Context, user string) (online.UserFeatures, error) {
	f.asked = asked{id: user}
	return online.UserFeatures{UserID: user, Features: map[string]agg.Value{
		"views_1h": agg.IntegerValue(3), "last_item": agg.Null,
		"category_affinity":   agg.GroupsValue(&[]agg.Group{{Key: "hats", Value: agg.FloatValue(.5)}}),
		"recent_interactions": agg.InteractionsValue(&[]agg.Interaction{{Item: "i1", Type: "view", Time: int64(at)}}),
	}, Attributes: map[string]any{"city": "Oslo", "age": 7.0}, Receipt: receipt()}, nil
}

func (f *fake) ItemFeatures(_ context.Context, item string) (online.ItemFeatures, error) {
	f.asked = asked{id: item}
	return online.ItemFeatures{ItemID: item, Features: map[string]agg.Value{"item_events_1h": agg.IntegerValue(0)}, Receipt: receipt()}, nil
}

func (f *fake) Generation() *online.GenerationInfo {
	if f.bare {
		return nil
	}
	return &online.GenerationInfo{ID: "g000003-0123456789", Cut: 3, Label: label, Metrics: map[string]float64{"recall20": .25}, Counts: model.Counts{Rows: 4, Events: 3, Duplicates: 1, Users: 2, Items: 2}}
}

func (f *fake) Checks(context.Context) []online.Check { return f.checks }

// handler returns everything over a fake service.
func handler(t *testing.T, f *fake, change ...func(*Options)) http.Handler {
	t.Helper()
	freshness := .012
	said := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) })
	}
	o := Options{
		Service: f, Registry: prometheus.NewRegistry(), Ingest: said("ingest"), Console: said("console"),
		Pulse: func(context.Context) Pulse {
			return Pulse{
				Time: at, EventsPerSecond: 41.5, FreshnessSeconds: &freshness, Counters: map[string]float64{"events_applied": 1200},
				Partitions: []PartitionPulse{{Partition: 0, State: "running", Next: 90, End: 100, Lag: 10}, {Partition: 1, State: "halted", Reason: "run something"}},
			}
		},
	}
	for _, c := range change {
		c(&o)
	}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func ask(h http.Handler, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}
