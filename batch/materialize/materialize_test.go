package materialize_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/anabranch/anabranch/batch/batchtest"
	"github.com/anabranch/anabranch/batch/materialize"
	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/infra/sorted"
	"github.com/anabranch/anabranch/infra/warehouse"
	"github.com/anabranch/anabranch/infra/warehouse/parquetwh"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tables"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an archive with two imports, three epochs (two of one date), repeats within and across epochs, late
// events and rejected records; target is its last mark.
func world(t testing.TB, seed uint64) (*batchtest.World, materialize.Target) {
	t.Helper()
	w := batchtest.New(t)
	w.ObjectRows = 37
	shop := batchtest.NewShop(seed, 25, 20)
	w.Import(shop.Events(150, label.AddDate(0, 0, -2), 20*24*time.Hour))
	w.Import(shop.Events(150, label.AddDate(0, 0, -3), 5*24*time.Hour))
	var sent []event.Event
	var target materialize.Target
	for _, closes := range []time.Time{label.AddDate(0, 0, -1), label.Add(-time.Hour), label} {
		for range 200 {
			e := shop.Event(closes, 6*time.Hour)
			switch shop.Rand.IntN(12) {
			case 0: // late by days
				e = shop.Event(closes.AddDate(0, 0, -3), 48*time.Hour)
			case 1, 2: // sent again, sooner or later
				if len(sent) > 0 {
					e = sent[len(sent)-1-shop.Rand.IntN(min(len(sent), 350))]
				}
			case 3:
				w.Reject(int32(shop.Rand.IntN(4)))
			}
			if shop.Rand.IntN(3) == 0 { // at the same instant as others: positions decide
				e.Time -= e.Time % event.Millis(2*time.Hour.Milliseconds())
			}
			w.Append(e)
			sent = append(sent, e)
		}
		mark, cut := w.Mark(closes)
		target = materialize.Target{TopicID: batchtest.TopicID, N: mark.N, Cut: cut}
	}
	return w, target
}

func options(t testing.TB) materialize.Options {
	t.Helper()
	c, err := feature.Default()
	if err != nil {
		t.Fatal(err)
	}
	return materialize.Options{Catalogue: c, Weights: model.DefaultWeights(), AsOf: label.UnixMilli()}
}

func discover(t testing.TB, w *batchtest.World, target materialize.Target) materialize.Source {
	t.Helper()
	s, err := materialize.Discover(t.Context(), w.Bucket, target)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func compute(t testing.TB, w *batchtest.World, s materialize.Source, o materialize.Options) *materialize.Result {
	t.Helper()
	o.Dir = t.TempDir()
	r, err := materialize.Compute(t.Context(), w.Bucket, s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(o.Dir); err != nil || len(left) > 0 {
			t.Errorf("%v are left behind, %v", left, err)
		}
	})
	return r
}

// rows returns a table of a result, in order, as key and value in turn.
func rows(t testing.TB, r *materialize.Result, name string) (keys []string, values [][]byte) {
	t.Helper()
	i := slices.IndexFunc(r.Files, func(l artifact.Local) bool { return l.File.Name == name })
	data, err := os.ReadFile(r.Files[i].Path)
	if err != nil {
		t.Fatal(err)
	}
	table, err := sorted.OpenBytes(data, name)
	if err != nil {
		t.Fatal(err)
	}
	it := table.Iter()
	for it.Next() {
		keys, values = append(keys, string(it.Key())), append(values, bytes.Clone(it.Value()))
	}
	if it.Err() != nil || model.SHA256Hex(data) != r.Files[i].File.SHA256 || int64(len(keys)) != r.Files[i].File.Rows {
		t.Fatalf("%+v has %d rows, %v", r.Files[i].File, len(keys), it.Err())
	}
	return keys, values
}

var viewFiles = map[feature.Entity]string{
	feature.User: model.UserViewFile, feature.Item: model.ItemViewFile, feature.Global: model.GlobalViewFile,
}

// records returns the log as the oracle takes it.
func records(w *batchtest.World) []oracle.Record {
	var out []oracle.Record
	for _, l := range w.Log {
		out = append(out, oracle.Record{Event: l.Event, Epoch: l.Epoch, Seq: l.Seq, LogTime: l.Log})
	}
	return out
}

// TestViewsEqualOracle recounts every feature of every user, every item and the whole from the log.
func TestViewsEqualOracle(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w, target := world(t, seed)
			o := options(t)
			r := compute(t, w, discover(t, w, target), o)
			log := oracle.Distinct(records(w))
			want := model.Counts{
				Rows: int64(len(w.Log)) + w.Rejected, Events: int64(len(log)), Rejected: w.Rejected,
				Duplicates: int64(len(w.Log) - len(log)), Users: r.Counts.Users, Items: r.Counts.Items,
			}
			if diff := cmp.Diff(want, r.Counts); diff != "" || want.Duplicates < 20 || want.Rejected < 20 {
				t.Errorf("counts:\n%s%+v", diff, want)
			}
			for _, e := range []feature.Entity{feature.User, feature.Item, feature.Global} {
				compareView(t, o.Catalogue, e, r, log)
			}
		})
	}
}

func compareView(t *testing.T, c feature.Catalogue, entity feature.Entity, r *materialize.Result, log []oracle.Record) {
	t.Helper()
	for _, at := range []time.Time{label, label.Add(100 * time.Minute), label.AddDate(0, 0, 6)} {
		compareViewAt(t, c, entity, r, log, at.UnixMilli())
	}
}

func compareViewAt(t *testing.T, c feature.Catalogue, entity feature.Entity, r *materialize.Result, log []oracle.Record, at int64) {
	t.Helper()
	plan, err := tile.Compile(c, entity)
	if err != nil {
		t.Fatal(err)
	}
	keys, values := rows(t, r, viewFiles[entity])
	if diff := cmp.Diff(slices.Sorted(slices.Values(oracle.Members(entity, log))), keys); diff != "" {
		t.Errorf("members of %s:\n%s", entity, diff)
	}
	reader := plan.NewReader()
	for i, id := range keys {
		view := values[i]
		if entity == feature.User {
			if view, _, err = artifact.SplitUser(view); err != nil {
				t.Fatal(err)
			}
		}
		of := oracle.Of(entity, id, log)
		reader.Begin(at)
		if err := reader.AddView(view); err != nil {
			t.Fatal(err)
		}
		for n, f := range plan.Features {
			if err := oracle.Answer(c, f.Def, of, at).Check(reader.Value(n)); err != nil {
				t.Errorf("%s at %d: %v", id, at, err)
			}
		}
	}
}

func TestHistoriesEqualOracle(t *testing.T) {
	w, target := world(t, 9)
	r := compute(t, w, discover(t, w, target), options(t))
	items, _ := rows(t, r, model.ItemViewFile)
	users, values := rows(t, r, model.UserViewFile)
	type cell struct {
		Weight float64
		Last   int64
	}
	want, got := map[string]cell{}, map[string]cell{}
	for _, l := range oracle.Distinct(records(w)) {
		key := l.Event.UserID + " " + l.Event.ItemID
		c := want[key]
		want[key] = cell{c.Weight + model.DefaultWeights().Of(l.Event.Type, l.Event.Value), max(c.Last, int64(l.Event.Time))}
	}
	for i, user := range users {
		_, history, err := artifact.SplitUser(values[i])
		if err != nil {
			t.Fatal(err)
		}
		row, err := model.DecodeHistory(history)
		if err != nil {
			t.Fatal(err)
		}
		for n, x := range row {
			if n > 0 && row[n-1].Item >= x.Item {
				t.Errorf("user row %d is not sorted by item", i)
			}
			got[user+" "+items[x.Item]] = cell{float64(x.Weight), x.Last}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// digest returns what a result consists of: counts, files, and the warehouse's rows.
func digest(t testing.TB, r *materialize.Result) string {
	t.Helper()
	out := fmt.Sprintf("%+v\n", r.Counts)
	for _, l := range r.Files {
		out += fmt.Sprintf("%+v\n", l.File)
	}
	return out + r.Daily.Digest(t)
}

// TestNothingButTheInputMatters computes with several numbers of workers and sizes of memory.
func TestNothingButTheInputMatters(t *testing.T) {
	w, target := world(t, 3)
	s := discover(t, w, target)
	o := options(t)
	o.Dates = func(int32) bool { return true }
	o.Threads = 1
	want := digest(t, compute(t, w, s, o))
	for _, o.Threads = range []int{2, 3, 40} {
		for _, o.Memory = range []int64{0, 1, 20 << 10, 300 << 10} {
			if diff := cmp.Diff(want, digest(t, compute(t, w, s, o))); diff != "" {
				t.Errorf("%d threads, %d bytes:\n%s", o.Threads, o.Memory, diff)
			}
		}
	}
}

// read returns a partition's rows as texts, each with its number of occurrences.
func read(t testing.TB, wh *warehouse.Warehouse, tab tables.Table, date int32) map[string]int {
	t.Helper()
	rr, err := wh.Read(t.Context(), materialize.Table(tab), arrow.Date32(date))
	if err != nil {
		t.Fatal(err)
	}
	defer rr.Release()
	out := map[string]int{}
	for rr.Next() {
		rec := rr.Record()
		for i := range int(rec.NumRows()) {
			line := ""
			for c := range int(rec.NumCols()) {
				if f, ok := rec.Column(c).(*array.Float64); ok {
					line += fmt.Sprintf("%.6f ", f.Value(i))
				} else {
					line += rec.Column(c).ValueStr(i) + " "
				}
			}
			out[line]++
		}
	}
	return out
}

// TestWarehouseEqualsOracle recounts every row of every table from the log.
func TestWarehouseEqualsOracle(t *testing.T) {
	w, target := world(t, 5)
	wh := parquetwh.Open(w.Bucket)
	s := discover(t, w, target)
	o := options(t)
	stale, err := materialize.FindStale(t.Context(), w.Bucket, wh, s, o.Weights, false)
	if err != nil {
		t.Fatal(err)
	}
	o.Dates = stale.Has
	if err := materialize.Replace(t.Context(), w.Bucket, wh, stale, compute(t, w, s, o).Daily); err != nil {
		t.Fatal(err)
	}
	want := recount(w)
	for _, tab := range tables.All() {
		partitions, err := wh.Partitions(t.Context(), tab.Name)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, p := range partitions {
			for line, n := range read(t, wh, tab, int32(p.Date)) {
				got[line] += n
			}
		}
		if diff := cmp.Diff(want[tab.Name], got); diff != "" {
			t.Errorf("%s:\n%s", tab.Name, diff)
		}
	}
	again, err := materialize.FindStale(t.Context(), w.Bucket, wh, s, o.Weights, false)
	if err != nil || len(again) != 0 {
		t.Errorf("after replacing all, %v are stale, %v", again.Dates(), err)
	}
}

// recount groups the distinct events by loops.
func recount(w *batchtest.World) map[string]map[string]int {
	type sums struct {
		events     int
		users      map[string]bool
		sum, score float64
	}
	groups := map[string]map[string]*sums{}
	add := func(table, key string, e event.Event) {
		if groups[table] == nil {
			groups[table] = map[string]*sums{}
		}
		s := groups[table][key]
		if s == nil {
			s = &sums{users: map[string]bool{}}
			groups[table][key] = s
		}
		s.events++
		s.users[e.UserID] = true
		s.score += model.DefaultWeights().Of(e.Type, e.Value)
		if e.Value != nil {
			s.sum += *e.Value
		}
	}
	for _, l := range distinct(w) {
		e := l.Event
		date, day := arrow.Date32(l.Date).FormattedString(), e.Time.Time().Format(time.DateOnly)
		add("user_daily", date+" "+day+" "+e.UserID+" "+e.Type, e)
		add("item_daily", date+" "+day+" "+e.ItemID+" "+e.Type, e)
		add("item_popularity", date+" "+e.ItemID, e)
	}
	out := map[string]map[string]int{"user_daily": {}, "item_daily": {}, "item_popularity": {}}
	for key, s := range groups["user_daily"] {
		out["user_daily"][fmt.Sprintf("%s %d %.6f ", key, s.events, s.sum)]++
	}
	for key, s := range groups["item_daily"] {
		out["item_daily"][fmt.Sprintf("%s %d %d %.6f ", key, s.events, len(s.users), s.sum)]++
	}
	for key, s := range groups["item_popularity"] {
		out["item_popularity"][fmt.Sprintf("%s %d %d %.6f ", key, s.events, len(s.users), s.score)]++
	}
	return out
}

// TestDiscoverRefuses takes the archive apart, one way after the other.
func TestDiscoverRefuses(t *testing.T) {
	change := func(epoch int64, f func(*model.Index)) func(*testing.T, *batchtest.World, *materialize.Target) {
		return func(t *testing.T, w *batchtest.World, _ *materialize.Target) {
			var x model.Index
			if _, err := w.Bucket.GetJSON(t.Context(), model.IndexKey(epoch), &x); err != nil {
				t.Fatal(err)
			}
			f(&x)
			if _, err := w.Bucket.PutJSON(t.Context(), model.IndexKey(epoch), x); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		damage func(*testing.T, *batchtest.World, *materialize.Target)
		want   string
		code   api.Code
	}{
		"gap":         {change(1, func(x *model.Index) { x.Objects = append(x.Objects[:1:1], x.Objects[2:]...) }), "epoch 1 partition", api.Internal},
		"other topic": {change(0, func(x *model.Index) { x.TopicID = "ff" }), "created anew", api.Internal},
		"not closed":  {change(2, func(x *model.Index) { delete(x.End, 2) }), "partition 2", api.Unavailable},
		"other end":   {change(2, func(x *model.Index) { x.End[2]++ }), "epoch 2 partition 2", api.Internal},
		"no index": {func(t *testing.T, w *batchtest.World, _ *materialize.Target) {
			if err := w.Bucket.Delete(t.Context(), model.IndexKey(1)); err != nil {
				t.Fatal(err)
			}
		}, "epoch 1 has no index", api.Unavailable},
		"other cut": {func(_ *testing.T, _ *batchtest.World, target *materialize.Target) { target.Cut[0]++ }, "mark 3 lies at", api.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			w, target := world(t, 1)
			c.damage(t, w, &target)
			_, err := materialize.Discover(t.Context(), w.Bucket, target)
			if api.CodeOf(err) != c.code || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q of code %s", err, c.want, c.code)
			}
		})
	}
}

// distinct returns what is no duplicate of the log.
func distinct(w *batchtest.World) []batchtest.Logged {
	var out []batchtest.Logged
	kept := oracle.Distinct(records(w))
	for _, l := range w.Log {
		if len(kept) > 0 && kept[0].Seq == l.Seq && kept[0].Epoch == l.Epoch {
			out, kept = append(out, l), kept[1:]
		}
	}
	return out
}
