package materialize_test

import (
	"bytes"
	order "cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anabranch/anabranch/batch/batchtest"
	"github.com/anabranch/anabranch/batch/materialize"
	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/infra/sorted"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
)

// nights is a world that is closed by one mark after the other.
type nights struct {
	*batchtest.World
	g         *gen.Gen
	catalogue feature.Catalogue
	sent      []event.Event
	target    materialize.Target
	at        time.Time // the last label
}

func newNights(t testing.TB, seed uint64) *nights {
	n := &nights{World: batchtest.New(t), g: gen.New(seed), at: time.UnixMilli(gen.Base).UTC()}
	n.ObjectRows = 10 + n.g.IntN(60)
	n.catalogue = n.g.Catalogue(4 + n.g.IntN(12))
	if n.g.IntN(3) == 0 {
		var err error
		if n.catalogue, err = feature.Default(); err != nil {
			t.Fatal(err)
		}
	}
	if n.g.IntN(2) == 0 {
		n.Import(n.events(n.g.IntN(80)))
	}
	return n
}

// events draws events, of which some were sent in an earlier epoch already.
func (n *nights) events(count int) []event.Event {
	var out []event.Event
	for _, r := range n.g.Log(n.catalogue, n.at.UnixMilli(), count) {
		e := r.Event
		switch {
		case len(n.sent) > 0 && n.g.IntN(10) == 0:
			e = n.sent[len(n.sent)-1-n.g.IntN(min(len(n.sent), 200))]
		case n.g.IntN(4) == 0:
			e.UserID = fmt.Sprintf("u%d", n.g.IntN(40))
			e.ItemID = fmt.Sprintf("new%d", n.g.IntN(1000))
		}
		out = append(out, e)
	}
	n.sent = append(n.sent, out...)
	return out
}

// night writes an epoch, which may be empty, and closes it.
func (n *nights) night() {
	n.close([]time.Duration{24 * time.Hour, 24 * time.Hour, 2 * time.Minute, 40 * 24 * time.Hour}[n.g.IntN(4)], n.g.IntN(3)*n.g.IntN(100))
}

// close writes an epoch of some events and closes it some time after the one before.
func (n *nights) close(later time.Duration, events int) {
	n.at = n.at.Add(later)
	for _, e := range n.events(events) {
		n.Append(e)
	}
	mark, cut := n.Mark(n.at)
	n.target = materialize.Target{TopicID: batchtest.TopicID, N: mark.N, Cut: cut}
}

// open makes a result the previous generation of the next.
func open(t *testing.T, r *materialize.Result, in model.Inputs) *materialize.Previous {
	p := &materialize.Previous{Inputs: in, Counts: r.Counts}
	for i, into := range []**sorted.Reader{&p.Users, &p.Items, &p.Global, &p.Recent} {
		table, err := sorted.Open(r.Files[i].Path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = table.Close() })
		*into = table
	}
	return p
}

// seeds returns how many seeds to try and the first: ANABRANCH_SEED plays one again.
func seeds(t *testing.T, usual int) (first uint64, n int) {
	if s := os.Getenv("ANABRANCH_SEED"); s != "" {
		first, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("ANABRANCH_SEED=%s: %v", s, err)
		}
		return first, 1
	}
	return 0, usual
}

// TestContinuedEqualsRecomputed computes several nights of random worlds from the start and as
// continuations of the nights before, with any number of workers and hardly any memory: the bytes are
// the same, and the answers are the oracle's.
func TestContinuedEqualsRecomputed(t *testing.T) {
	first, n := seeds(t, 12)
	for seed := first; seed < first+uint64(n); seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newNights(t, seed)
			var previous *materialize.Previous
			for night := range 4 {
				w.night()
				s := discover(t, w.World, w.target)
				o := materialize.Options{Catalogue: w.catalogue, Weights: model.DefaultWeights(), AsOf: w.at.UnixMilli()}
				o.Dates = staleDates(w.g.Rand, s)
				full := compute(t, w.World, s, o)
				if full.Counts.Events == 0 {
					continue
				}
				want := digest(t, full)
				if previous != nil {
					o.Previous = previous
					o.Threads, o.Memory = 1+w.g.IntN(4), []int64{0, 1, 30 << 10, 1 << 20}[w.g.IntN(4)]
					continued := compute(t, w.World, s, o)
					if diff := cmp.Diff(want, digest(t, continued)); diff != "" {
						t.Fatalf("night %d, %d threads, %d bytes:\n%s", night, o.Threads, o.Memory, diff)
					}
				}
				if previous == nil || w.g.IntN(3) > 0 { // else the next night has several epochs to catch up with
					previous = open(t, full, model.Inputs{CutN: w.target.N, AsOf: w.at})
				}
				log := oracle.Distinct(records(w.World))
				for entity := range viewFiles {
					compareBytes(t, w.World, w.catalogue, entity, full, log, w.at.UnixMilli())
					compareViewAt(t, w.catalogue, entity, full, log, w.at.UnixMilli())
				}
			}
		})
	}
}

// compareBytes makes every view row by row, in the order of the archive, with tile.Plan.UpdateSince: it is the
// same, byte for byte.
func compareBytes(t *testing.T, w *batchtest.World, c feature.Catalogue, entity feature.Entity, r *materialize.Result, log []oracle.Record, asOf int64) {
	t.Helper()
	plan, err := tile.Compile(c, entity)
	if err != nil {
		t.Fatal(err)
	}
	codec := plan.NewCodec()
	log = slices.SortedStableFunc(slices.Values(log), func(a, b oracle.Record) int {
		return order.Or(order.Compare(a.Epoch, b.Epoch), order.Compare(a.Seq, b.Seq))
	})
	keys, values := rows(t, r, viewFiles[entity])
	for i, id := range keys {
		b := plan.NewBucket()
		var row tile.Row
		of := oracle.Of(entity, id, log)
		horizon := horizonOf(w, entity, id, of, asOf)
		for _, x := range of {
			plan.Fill(&row, &x.Event, x.Seq)
			plan.UpdateSince(b, &row, horizon)
		}
		got := values[i]
		if entity == feature.User {
			if got, _, err = artifact.SplitUser(got); err != nil {
				t.Fatal(err)
			}
		}
		if want := codec.AppendView(nil, b); !bytes.Equal(want, got) {
			t.Errorf("the view of %s %s is\n%x, by UpdateSince it is\n%x", entity, id, got, want)
		}
	}
}

// horizonOf returns as of when the view of a member with these events is pruned.
func horizonOf(w *batchtest.World, e feature.Entity, id string, of []oracle.Record, asOf int64) int64 {
	horizon := turnOf(e, id).Horizon(asOf)
	if last := len(of) - 1; last >= 0 && of[last].Epoch >= 0 {
		horizon = max(horizon, w.Labels[of[last].Epoch].UnixMilli())
	}
	return horizon
}

func turnOf(e feature.Entity, id string) tile.Turn {
	if e == feature.Global {
		return tile.EveryNight
	}
	return tile.TurnOf([]byte(id))
}

// staleDates draws which warehouse partitions are wanted: the last one, all, or any.
func staleDates(rng *rand.Rand, s materialize.Source) func(int32) bool {
	last := int32(0)
	for _, f := range s.Files {
		last = max(last, f.Date)
	}
	switch rng.IntN(4) {
	case 0:
		return func(int32) bool { return true }
	case 1:
		odd := rng.Int32N(2)
		return func(d int32) bool { return d%2 == odd }
	case 2:
		return nil
	}
	return func(d int32) bool { return d == last }
}

func TestContinues(t *testing.T) {
	next := model.Inputs{
		CutN: 3, AsOf: label, TopicID: "t", Definition: "d", Validator: 1, Format: 2, Weights: model.DefaultWeights(),
		Indexes: []model.IndexRef{{Epoch: 0, SHA256: "a"}, {Epoch: 1, SHA256: "b"}, {Epoch: 2, SHA256: "c"}}, Imports: []string{"i"},
	}
	previous := func(change func(*model.Inputs)) model.Inputs {
		p := next
		p.CutN, p.Indexes, p.AsOf = 2, slices.Clone(next.Indexes[:2]), label.Add(-time.Hour)
		p.Weights = model.DefaultWeights()
		change(&p)
		return p
	}
	for want, change := range map[string]func(*model.Inputs){
		"":                                   func(*model.Inputs) {},
		"the feature definitions changed":    func(p *model.Inputs) { p.Definition = "e" },
		"the validity rules changed":         func(p *model.Inputs) { p.Validator = 0 },
		"the format of generations changed":  func(p *model.Inputs) { p.Format = 1 },
		"the weights of event types changed": func(p *model.Inputs) { p.Weights.ByType["view"] = 9 },
		"the topic was created anew":         func(p *model.Inputs) { p.TopicID = "u" },
		"the imported files changed":         func(p *model.Inputs) { p.Imports = nil },
		"it is as of a later instant":        func(p *model.Inputs) { p.AsOf = label.Add(time.Second) },
		"its cut is not earlier":             func(p *model.Inputs) { p.CutN = 3 },
		"the archive of epoch 1 changed":     func(p *model.Inputs) { p.Indexes[1].SHA256 = "z" },
	} {
		reasons := materialize.Continues(previous(change), next)
		if want == "" && len(reasons) > 0 || want != "" && !slices.Equal(reasons, []string{want}) {
			t.Errorf("%q: %q", want, reasons)
		}
	}
}
