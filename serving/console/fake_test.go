package console_test

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/serving/console"
	"github.com/anabranch/anabranch/serving/httpapi"
	"github.com/anabranch/anabranch/serving/online"
	"github.com/anabranch/anabranch/serving/recommend"
)

// fakeShop is a fixture: it stands behind the real HTTP API with invented data, so that the page can
// be tested without a pipeline. Its users like one category each; an event moves the likes.
type fakeShop struct {
	mu     sync.Mutex
	rates  int // pulses answered
	events map[string][]fakeEvent
}

// fakeEvent takes part in answers from the second read on: an event is never known at once.
type fakeEvent struct {
	event event.Event
	reads int
}

const fakeGeneration = "g000014-5b1e0c77d2"

func fakeNow() time.Time { return time.Now() }

// hostile is a title that would run as code if the page ever used a title as markup; it tops the lists
// of the user fakeVictim.
const (
	hostile    = `<img src=x onerror="document.title='hacked'">Lamp`
	fakeVictim = `<b>"ü' &user`
)

// serveFake serves the console on top of the real API of a fake shop, until the test ends.
func serveFake(t testing.TB) (*httptest.Server, *fakeShop) {
	t.Helper()
	shop := &fakeShop{events: map[string][]fakeEvent{}}
	api, err := httpapi.New(httpapi.Options{
		Service: shop, Registry: prometheus.NewRegistry(), Pulse: shop.pulse,
		Ingest: http.HandlerFunc(shop.take), Console: console.Handler(),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return server, shop
}

// taken returns the events of a user that were taken in.
func (s *fakeShop) taken(user string) []event.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []event.Event
	for _, e := range s.events[user] {
		list = append(list, e.event)
	}
	return list
}

// take answers POST /v1/events as ingest does for a single event: valid ones only.
func (s *fakeShop) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	e, rejection := event.Decode(r.Header.Get("Content-Type"), body)
	if e.Time == 0 {
		e.Time = event.MillisOf(fakeNow())
	}
	if rejection == nil {
		rejection = e.Check()
	}
	w.Header().Set("Content-Type", "application/json")
	if rejection != nil {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"title":"Bad Request","status":400,"code":"invalid","detail":%q}`, rejection.Error())
		return
	}
	s.mu.Lock()
	s.events[e.UserID] = append(s.events[e.UserID], fakeEvent{event: e})
	s.mu.Unlock()
	fmt.Fprintf(w, `{"accepted":1,"rejected":0,"results":[{"index":0,"event_id":%q,"status":"accepted","partition":2,"offset":41}]}`, e.ID)
}

// known returns what live state knows of a user by now.
func (s *fakeShop) known(user string) []event.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []event.Event
	for i := range s.events[user] {
		e := &s.events[user][i]
		if e.reads++; e.reads > 1 {
			list = append(list, e.event)
		}
	}
	return list
}

var fakeCategories = []string{"Lighting", "Garden", "Kitchen", "Audio", "Outdoor", "Books"}

type fakeItem struct {
	id, title, category string
	price               float64
}

func fakeItems() []fakeItem {
	styles := []string{"Quiet", "Bold", "Nordic", "Rustic", "Tiny", "Everyday", "Foldable", "Solar", "Hand-made", "Extraordinarily Comfortable"}
	nouns := []string{"Desk Lamp", "Watering Can", "Skillet", "Headphones", "Hammock", "Notebook"}
	items := []fakeItem{{"i0", hostile, fakeCategories[0], 9.95}}
	for i := 1; i < 60; i++ {
		c := i % len(fakeCategories)
		items = append(items, fakeItem{
			id: fmt.Sprint("i", i), category: fakeCategories[c], price: 4.95 + float64(i*i%97),
			title: styles[i/len(fakeCategories)] + " " + nouns[c],
		})
	}
	return items
}

// unit returns a number from 0 to 1 that depends on the texts only.
func unit(parts ...string) float64 {
	h := fnv.New32a()
	for _, p := range parts {
		_, _ = io.WriteString(h, p+"\x00") // a hash never fails
	}
	return float64(h.Sum32()) / math.MaxUint32
}

// Recommend ranks by what the user likes and, unless the mode is batch, by the categories of their events.
func (s *fakeShop) Recommend(_ context.Context, q online.Request) (online.Recommendations, error) {
	var live []event.Event
	if q.Mode != recommend.ModeBatch {
		live = s.known(q.User)
	}
	items := fakeItems()
	category := func(id string) string {
		return items[slices.IndexFunc(items, func(i fakeItem) bool { return i.id == id })].category
	}
	var out []online.Item
	for _, it := range items {
		if q.ExcludeSeen && slices.ContainsFunc(live, func(e event.Event) bool { return e.ItemID == it.id }) {
			continue
		}
		score := 0.3 * unit("item", it.id)
		if q.Mode != recommend.ModeLive {
			score += 0.5*unit(q.User, it.category) + 0.3*unit(q.User, it.id)
		}
		for _, e := range live {
			if category(e.ItemID) == it.category {
				score += 0.2
			}
		}
		if q.User == fakeVictim && it.title == hostile {
			score += 9
		}
		source := recommend.SourceMF
		if q.Mode == recommend.ModeLive && len(live) == 0 {
			source = recommend.SourceTrending
		}
		out = append(out, online.Item{
			Scored:     recommend.Scored{ItemID: it.id, Score: float32(score), Source: source},
			Attributes: online.Attributes{Title: it.title, Category: it.category, Price: &it.price},
		})
	}
	slices.SortStableFunc(out, func(a, b online.Item) int { return cmp.Compare(b.Score, a.Score) })
	return online.Recommendations{
		UserID: q.User, Mode: q.Mode, Items: out[:min(q.N, len(out))], Vector: recommend.VectorFoldIn, Receipt: s.receipt(),
	}, nil
}

func (s *fakeShop) receipt() online.Receipt {
	g := s.Generation()
	return online.Receipt{
		Generation: g.ID, Cut: g.Cut, Label: &g.Label, Live: online.LiveExact,
		LiveOffsets: map[int32]int64{2: 12_884}, ReadAt: event.MillisOf(fakeNow()),
	}
}

// Features counts nothing; it shows one value of each shape.
func (s *fakeShop) Features(_ context.Context, user string) (online.UserFeatures, error) {
	recent := []agg.Interaction{}
	for _, e := range s.taken(user) {
		recent = append(recent, agg.Interaction{Item: e.ItemID, Type: e.Type, Time: int64(e.Time)})
	}
	var likes []agg.Group
	for _, c := range fakeCategories {
		likes = append(likes, agg.Group{Key: c, Value: agg.FloatValue(9 * unit(user, c))})
	}
	slices.SortFunc(likes, func(a, b agg.Group) int { return agg.CompareNumbers(&b.Value, &a.Value) })
	n := int64(len(recent))
	return online.UserFeatures{
		UserID: user, Receipt: s.receipt(), Attributes: map[string]any{"age_band": "35-44", "country": "SE", "newsletter": true},
		Features: map[string]agg.Value{
			"events_1h": agg.IntegerValue(n), "events_24h": agg.IntegerValue(3 + n), "events_7d": agg.IntegerValue(41 + n),
			"views_7d": agg.IntegerValue(36 + n), "purchases_7d": agg.IntegerValue(2), "last_item": agg.TextValue("i17"),
			"category_affinity": agg.GroupsValue(&likes), "recent_interactions": agg.InteractionsValue(&recent),
		},
	}, nil
}

// Generation implements httpapi.Service.
func (*fakeShop) Generation() *online.GenerationInfo {
	return &online.GenerationInfo{
		ID: fakeGeneration, Cut: 14, Label: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
		Counts: model.Counts{Users: 5000},
		Metrics: map[string]float64{
			"cases": 1229, "coverage20": 0.63, "hr20": 0.2137, "mrr20": 0.1, "ndcg20": 0.1581, "popularity_hr20": 0.1004, "recall20": 0.2137,
		},
	}
}

func (s *fakeShop) pulse(context.Context) httpapi.Pulse {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rates++
	fresh := 0.043 + 0.02*math.Sin(float64(s.rates))
	p := httpapi.Pulse{
		Time: event.MillisOf(fakeNow()), FreshnessSeconds: &fresh,
		EventsPerSecond: 80 + 30*math.Sin(float64(s.rates)/3) + 10*math.Sin(float64(s.rates)),
		Counters:        map[string]float64{"events_accepted": 812_334 + float64(90*s.rates), "events_rejected": 12, "events_applied": 812_322 + float64(90*s.rates)},
	}
	for partition := range int32(4) {
		lag := int64(partition) * int64(s.rates%3)
		p.Partitions = append(p.Partitions, httpapi.PartitionPulse{Partition: partition, State: "running", Next: 12_884, End: 12_884 + lag, Lag: lag})
	}
	return p
}

// The rest of httpapi.Service is not what the page asks for.

func (*fakeShop) Similar(context.Context, string, int) (online.SimilarItems, error) {
	return online.SimilarItems{}, errNotFaked
}

func (*fakeShop) Trending(context.Context, int, []string) (online.TrendingItems, error) {
	return online.TrendingItems{}, errNotFaked
}

func (*fakeShop) ItemFeatures(context.Context, string) (online.ItemFeatures, error) {
	return online.ItemFeatures{}, errNotFaked
}

func (*fakeShop) Checks(context.Context) []online.Check { return nil }

var errNotFaked = fmt.Errorf("the fake shop does not answer this")
