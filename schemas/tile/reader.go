package tile

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/anabranch/anabranch/schemas/agg"
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
	windows  []window
	single   []agg.Partial // by feature, of those that are not grouped
	grouped  []*groups     // by feature, nil where it is not grouped
	headers  []header
	values   []agg.Value
	decoder  agg.Decoder
	arena    []byte // the texts of what was added
	selected []bool // nil: every feature

	nests []nest // features that are folded together
	alone []int  // all others
}

// nest is the features that read one series and differ in their windows alone, shortest first. Their tiles
// are folded once: since tiles come newest first, what a window takes is the beginning of what the next
// longer one takes.
type nest struct {
	series   int
	features []int
	sum      agg.Partial
	groups   *groups // instead of sum, where the series is grouped
}

// window is what a feature's window at t takes.
type window struct {
	from, to int64 // tile numbers
	width    int64

	latest   agg.Latest   // nil where every tile counts
	decaying agg.Decaying // nil where tiles do not decay
	scale    float64      // of the last tile at t
	steps    []float64    // what each tile further back decays by, since exponentials take time
}

// groups are the partials of a grouped feature.
type groups struct {
	keys     []string
	partials []agg.Partial
	index    map[string]int32
	slots    []int32 // by number of a text of the current source: 1 + index in keys; 0 is not known yet
	numbers  []int   // of a nest: the number of each key
	answer   []agg.Group
}

// NewReader returns a reader of the plan.
func (p *Plan) NewReader() *Reader {
	r := &Reader{
		plan: p, windows: make([]window, len(p.Features)), single: make([]agg.Partial, len(p.Features)),
		grouped: make([]*groups, len(p.Features)), headers: make([]header, len(p.Series)),
		values: make([]agg.Value, len(p.Features)),
	}
	for i, f := range p.Features {
		if p.Series[f.Series].By >= 0 {
			r.grouped[i] = &groups{index: map[string]int32{}}
		}
		w := &r.windows[i]
		w.width = p.Series[f.Series].Width
		w.latest, _ = f.Monoid.(agg.Latest)
		if w.decaying, _ = f.Monoid.(agg.Decaying); w.decaying != nil {
			for k := range int64(f.Def.Window)/w.width + 2 {
				w.steps = append(w.steps, w.decaying.Scale(k*w.width))
			}
		}
	}
	r.arrange()
	return r
}

// arrange finds the nests.
func (r *Reader) arrange() {
	bySeries := make([][]int, len(r.plan.Series))
	for i, f := range r.plan.Features {
		bySeries[f.Series] = append(bySeries[f.Series], i)
	}
	for s, list := range bySeries {
		slices.SortStableFunc(list, func(a, b int) int {
			return cmp.Compare(r.plan.Features[a].Def.Window, r.plan.Features[b].Def.Window)
		})
		if len(list) > 1 {
			n := nest{series: s, features: list}
			if r.plan.Series[s].By >= 0 {
				n.groups = &groups{index: map[string]int32{}}
			}
			r.nests = append(r.nests, n)
		} else {
			r.alone = append(r.alone, list...)
		}
	}
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
	for i := range r.plan.Features {
		w := &r.windows[i]
		w.from, w.to = reach(r.plan.Features[i].Def.Window, t)
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

func (g *groups) begin() {
	for i := range g.partials {
		g.partials[i].Reset()
	}
	g.keys, g.numbers = g.keys[:0], g.numbers[:0]
	clear(g.index)
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
		r.headers[i] = readHeader(d)
	}
	if err := end(d); err != nil {
		return err
	}
	for i := range r.nests {
		n := &r.nests[i]
		if r.wants(n.features[len(n.features)-1], &r.headers[n.series], n.features) {
			r.foldNest(n, &r.headers[n.series])
		}
	}
	for _, i := range r.alone {
		if h := &r.headers[r.plan.Features[i].Series]; r.wants(i, h, r.alone[:0]) {
			r.fold(i, h)
		}
	}
	return d.Err
}

// wants reports whether a series has tiles in the window of feature i, which is the longest of a nest, and
// whether it, or another one of the nest, is selected.
func (r *Reader) wants(i int, h *header, nest []int) bool {
	w := &r.windows[i]
	if r.decoder.Err != nil || h.tiles == 0 || h.newest < w.from || h.oldest > w.to {
		return false
	}
	return r.selected == nil || r.selected[i] || slices.ContainsFunc(nest, func(j int) bool { return r.selected[j] })
}

// foldNest adds the tiles of a series that the windows of a nest take.
func (r *Reader) foldNest(n *nest, h *header) {
	features := n.features
	d, m, w := &r.decoder, r.plan.Features[features[0]].Monoid, &r.windows[features[len(features)-1]]
	d.B = h.body
	n.begin(d)
	t, scale := h.newest, 1.0
	for k := range h.tiles {
		if k > 0 {
			t -= int64(d.Uint())
		}
		for len(features) > 0 && t < r.windows[features[0]].from {
			r.take(n, m, features[0])
			features = features[1:]
		}
		if len(features) == 0 || d.Err != nil || n.groups == nil && w.enough(&n.sum, t) {
			break
		}
		if w.decaying != nil && t <= w.to {
			scale = w.scale * w.steps[w.to-t]
		}
		switch {
		case n.groups != nil:
			n.groups.fold(d, m, t <= w.to, scale)
		case t <= w.to:
			m.Fold(&n.sum, d, scale)
		default:
			m.Skip(d)
		}
	}
	for _, i := range features {
		r.take(n, m, i)
	}
}

// begin empties the sums of the nest.
func (n *nest) begin(d *agg.Decoder) {
	if n.groups == nil {
		n.sum.Reset()
		return
	}
	n.groups.begin()
	n.groups.source(d)
}

// take adds what the nest has summed to its feature i.
func (r *Reader) take(n *nest, m agg.Monoid, i int) {
	if n.groups == nil {
		agg.Join(m, &r.single[i], &n.sum)
		return
	}
	g, d := r.grouped[i], &r.decoder
	g.source(d)
	for j := range n.groups.keys {
		agg.Join(m, g.at(d, n.groups.numbers[j]), &n.groups.partials[j])
	}
}

// fold adds the tiles of a series that the window of the i-th feature takes.
func (r *Reader) fold(i int, h *header) {
	d, m, w, g := &r.decoder, r.plan.Features[i].Monoid, &r.windows[i], r.grouped[i]
	if g != nil {
		g.source(d)
	}
	d.B = h.body
	t, scale := h.newest, 1.0
	for k := range h.tiles {
		if k > 0 {
			t -= int64(d.Uint())
		}
		if t < w.from || d.Err != nil || g == nil && w.enough(&r.single[i], t) {
			return
		}
		if w.decaying != nil && t <= w.to {
			scale = w.scale * w.steps[w.to-t]
		}
		switch {
		case g != nil:
			g.fold(d, m, t <= w.to, scale)
		case t <= w.to:
			d.Last = k == h.tiles-1
			m.Fold(&r.single[i], d, scale)
			d.Last = false
		default:
			m.Skip(d)
		}
	}
}

// enough reports whether neither tile t nor older ones can change the answer that p gives.
func (w *window) enough(p *agg.Partial, t int64) bool {
	return w.latest != nil && w.width > 0 && w.latest.Enough(p, (t+1)*w.width)
}

// source begins with another text table.
func (g *groups) source(d *agg.Decoder) {
	g.slots = slices.Grow(g.slots[:0], len(d.Texts))[:len(d.Texts)]
	clear(g.slots)
}

// fold adds the keys of one tile, or passes over them.
func (g *groups) fold(d *agg.Decoder, m agg.Monoid, within bool, scale float64) {
	for range d.Count() {
		n := d.TextNumber()
		if d.Err != nil {
			return
		}
		if within {
			m.Fold(g.at(d, n), d, scale)
		} else {
			m.Skip(d)
		}
	}
}

// at returns the partial of the key that is the n-th text of the current source.
func (g *groups) at(d *agg.Decoder, n int) *agg.Partial {
	if s := g.slots[n]; s > 0 {
		return &g.partials[s-1]
	}
	key := d.Texts[n]
	i, known := g.index[key]
	if !known {
		i = int32(len(g.keys))
		g.index[key] = i
		g.keys, g.numbers = append(g.keys, key), append(g.numbers, n)
		if len(g.partials) < len(g.keys) {
			g.partials = append(g.partials, agg.Partial{})
		}
	}
	g.slots[n] = i + 1
	return &g.partials[i]
}

// Values returns the answers in the order of Plan.Features, valid until the next Begin.
func (r *Reader) Values() []agg.Value {
	for i := range r.plan.Features {
		r.values[i] = r.Value(i)
	}
	return r.values
}

// Value returns the answer of the i-th feature, as Values does.
func (r *Reader) Value(i int) agg.Value {
	m := r.plan.Features[i].Monoid
	if r.selected != nil && !r.selected[i] {
		return agg.Null
	}
	if g := r.grouped[i]; g != nil {
		return g.value(m)
	}
	return m.Finalize(&r.single[i])
}

// value returns the groups, largest first, then by key.
func (g *groups) value(m agg.Monoid) agg.Value {
	g.answer = g.answer[:0]
	for i, key := range g.keys {
		g.answer = append(g.answer, agg.Group{Key: key, Value: m.Finalize(&g.partials[i])})
	}
	slices.SortFunc(g.answer, func(a, b agg.Group) int {
		if c := agg.CompareNumbers(b.Value, a.Value); c != 0 {
			return c
		}
		return strings.Compare(a.Key, b.Key)
	})
	return agg.GroupsValue(&g.answer)
}
