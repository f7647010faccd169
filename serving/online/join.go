package online

import (
	"slices"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/serving/recommend"
)

// join reads a view (nil: none) and what of live state joins the generation. All answers of serving come
// through here. What cannot be decoded is left out, and noted in the reading.
func (g *generation) join(read *tile.Reader, at event.Millis, view []byte, r *reading) {
	for {
		read.Begin(int64(at))
		damaged := slices.IndexFunc(r.states, func(b []byte) bool { // first, since they are newer
			_, err := read.AddState(b, g.cut())
			return err != nil
		})
		if damaged >= 0 {
			r.states = slices.Delete(slices.Clone(r.states), damaged, damaged+1)
			r.incomplete(reasonDamaged)
			continue
		}
		if err := read.AddView(view); err == nil {
			return
		}
		view = nil
		r.incomplete(reasonView)
	}
}

// incomplete notes that something that should have been read was not.
func (r *reading) incomplete(reason string) {
	if r.status == LiveExact {
		r.status = LiveDegraded
	}
	r.because(reason)
}

// values returns every feature of a plan, derived ones too.
func (g *generation) values(p *tile.Plan, at event.Millis, view []byte, r *reading) map[string]agg.Value {
	read := p.NewReader()
	g.join(read, at, view, r)
	values, derived := read.Values(), g.plans.derived[p]
	out := make(map[string]agg.Value, len(values)+len(derived.Names))
	for i, v := range values {
		out[p.Features[i].Def.Name] = v
	}
	for i, v := range derived.Values(values) {
		out[derived.Names[i]] = v
	}
	return out
}

// interactions reads what the user did from live buckets: the feature that lists interactions, of each
// epoch by itself, since each keeps its own latest. Whole is false when a list is full, and may have lost
// what came before.
func (g *generation) interactions(at event.Millis, r *reading) (out []recommend.Interaction, whole bool) {
	i := g.plans.recent
	if i < 0 {
		return nil, true
	}
	read := g.plans.interactions.Get().(*tile.Reader)
	defer g.plans.interactions.Put(read)
	weights, limit := g.weights(), g.plans.user.Features[i].Def.N
	whole = true
	for _, state := range r.states {
		_, epochs, err := g.plans.user.Peek(state)
		for _, epoch := range epochs {
			if epoch < g.cut() {
				continue
			}
			read.Begin(int64(at))
			if _, err = read.AddEpochs(state, epoch, epoch+1); err != nil {
				break
			}
			list := read.Value(i).Interactions()
			whole = whole && len(list) < limit
			out = slices.Grow(out, len(list))
			for _, x := range list {
				out = append(out, recommend.Interaction{Item: x.Item, Weight: float32(weights.Of(x.Type, x.Value)), Time: x.Time})
			}
		}
		if err != nil {
			r.incomplete(reasonDamaged)
		}
	}
	return out, whole
}
