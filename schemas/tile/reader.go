package tile

import (
	"fmt"
	"math"
	"slices"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
)

// Reader joins a batch view and live states and reads every feature of a plan at an instant, straight
// from the encodings: nothing is decoded that the windows do not reach, and memory is used again from
// one read to the next. Use one a goroutine:
//
//	r.Begin(t)
//	r.AddState(blob, n)        // its epochs ≥ n; once for each partition
//	r.AddView(view)            // of a generation with cut n
//	values := r.Values()
//
// The order does not matter for the answers. States first is faster: lists that live events have filled do not
// look into the view.
type Reader struct {
	plan     *Plan
	monoids  []agg.Monoid  // by feature: definitions are large, so that going through Plan.Features misses the processor's cache
	windows  []window      // by feature
	single   []agg.Partial // by feature, of those that are not grouped
	grouped  []*groups     // by feature, nil where it is not grouped
	headers  []header
	values   []agg.Value
	decoder  agg.Decoder
	arena    []byte // the texts of what was added
	selected []bool // nil: every feature

	nests []nest // by series
}

// window is what a feature's window at t takes.
type window struct {
	length   feature.Window
	from, to int64 // tile numbers
	width    int64

	latest   agg.Latest   // nil where every tile counts
	decaying agg.Decaying // nil where tiles do not decay
	scale    float64      // of the last tile at t
	steps    []float64    // what each tile further back decays by, since exponentials take time
}

// NewReader returns a reader of the plan.
func (p *Plan) NewReader() *Reader {
	r := &Reader{
		plan: p, monoids: make([]agg.Monoid, len(p.Features)), windows: make([]window, len(p.Features)), single: make([]agg.Partial, len(p.Features)),
		grouped: make([]*groups, len(p.Features)), headers: make([]header, len(p.Series)),
		values: make([]agg.Value, len(p.Features)),
	}
	for i, f := range p.Features {
		if p.Series[f.Series].By >= 0 {
			r.grouped[i] = &groups{index: map[string]int32{}}
		}
		w := &r.windows[i]
		r.monoids[i], w.length = f.Monoid, f.Def.Window
		w.width = p.Series[f.Series].Width
		w.latest, _ = f.Monoid.(agg.Latest)
		if w.decaying, _ = f.Monoid.(agg.Decaying); w.decaying != nil {
			for k := range int64(f.Def.Window)/w.width + 2 {
				w.steps = append(w.steps, w.decaying.Scale(k*w.width))
			}
		}
	}
	r.nests = newNests(p, r.grouped)
	return r
}

// Select makes the reader read the given features only (indices in Plan.Features); the others' values
// are Null. No argument selects every feature.
func (r *Reader) Select(features ...int) {
	if len(features) == 0 {
		r.selected = nil
		return
	}
	r.selected = make([]bool, len(r.plan.Features))
	for _, i := range features {
		r.selected[i] = true
	}
}

// Begin starts a read at instant t, Unix ms. Values of the read before are no longer valid.
func (r *Reader) Begin(t int64) {
	r.arena = r.arena[:0]
	for i := range r.windows {
		w := &r.windows[i]
		w.from, w.to = reach(w.length, t)
		if w.decaying != nil {
			w.scale = w.decaying.Scale(t - w.to*w.width)
		}
		if g := r.grouped[i]; g != nil {
			g.begin()
		} else {
			r.single[i].Reset()
		}
	}
}

// AddView adds a batch view; nil is that of an entity without one.
func (r *Reader) AddView(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	d := &r.decoder
	d.B, d.Err = b, nil
	err := version(d, viewVersion)
	if err == nil {
		r.arena = d.Table(r.arena)
		err = r.add(d.B)
	}
	if err != nil {
		return fmt.Errorf("read %s view: %w", r.plan.Entity, err)
	}
	return nil
}

// AddState adds the buckets of epochs ≥ cut of an encoded live state; an empty one is that of an entity
// never seen. It returns the state's next offset.
func (r *Reader) AddState(b []byte, cut int64) (next int64, err error) {
	return r.AddEpochs(b, cut, math.MaxInt64)
}

// AddEpochs is AddState for the epochs from ≤ n < to.
func (r *Reader) AddEpochs(b []byte, from, to int64) (next int64, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	d := &r.decoder
	d.B, d.Err = b, nil
	if err := version(d, stateVersion); err != nil {
		return 0, fmt.Errorf("read %s state: %w", r.plan.Entity, err)
	}
	next = d.Int()
	var recent Recent
	d.Bytes(8 * recent.readHead(d))
	r.arena = d.Table(r.arena)
	for range d.Count() {
		epoch := d.Int()
		bucket := d.Bytes(d.Count())
		rest, failed := d.B, d.Err
		if failed != nil {
			break
		}
		if epoch >= from && epoch < to {
			err = r.add(bucket)
		}
		if d.B = rest; err != nil {
			return 0, fmt.Errorf("read %s state: %w", r.plan.Entity, err)
		}
	}
	if err := end(d); err != nil {
		return 0, fmt.Errorf("read %s state: %w", r.plan.Entity, err)
	}
	return next, nil
}

// add folds a bucket, whose texts the decoder holds.
func (r *Reader) add(bucket []byte) error {
	d := &r.decoder
	d.B = bucket
	for i := range r.headers {
		r.headers[i].read(d)
	}
	if err := end(d); err != nil {
		return err
	}
	for i := range r.nests {
		if n := &r.nests[i]; r.wants(n) {
			r.foldNest(n, &r.headers[n.series])
		}
	}
	return d.Err
}

// wants reports whether a feature of the nest is selected and its series has tiles in the longest window.
func (r *Reader) wants(n *nest) bool {
	h, w := &r.headers[n.series], &r.windows[n.features[len(n.features)-1]]
	if r.decoder.Err != nil || h.tiles == 0 || h.newest < w.from || h.oldest > w.to {
		return false
	}
	return r.selected == nil || slices.ContainsFunc(n.features, func(i int) bool { return r.selected[i] })
}

// enough reports whether neither tile t nor older ones can change the answer that p gives.
func (w *window) enough(p *agg.Partial, t int64) bool {
	return w.latest != nil && w.width > 0 && w.latest.Enough(p, (t+1)*w.width)
}

// Values returns the answers in the order of Plan.Features, valid until the next Begin.
func (r *Reader) Values() []agg.Value {
	for i := range r.values {
		r.values[i] = r.Value(i)
	}
	return r.values
}

// Value returns the answer of the i-th feature, as Values does.
func (r *Reader) Value(i int) agg.Value {
	if r.selected != nil && !r.selected[i] {
		return agg.Null
	}
	if g := r.grouped[i]; g != nil {
		return g.value(r.monoids[i])
	}
	return r.monoids[i].Finalize(&r.single[i])
}
