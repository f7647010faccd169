package tile_test

import (
	"fmt"
	"testing"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
)

// engine is stream, batch and serving in memory, for one entity of a case: live states a partition
// and a batch view a member, as they would be stored.
type engine struct {
	gen.Case
	plan   *tile.Plan
	states map[string]map[int64]*tile.State // by member, then partition
	views  map[string]tile.Bucket           // by member
}

func newEngine(c gen.Case, e feature.Entity) (*engine, error) {
	p, err := tile.Compile(c.Catalogue, e)
	if err != nil {
		return nil, err
	}
	x := &engine{Case: c, plan: p, states: map[string]map[int64]*tile.State{}, views: map[string]tile.Bucket{}}
	recent := map[string]*tile.Recent{}
	var row tile.Row
	for _, r := range c.Log {
		user := r.Event.UserID
		if recent[user] == nil {
			recent[user] = &tile.Recent{}
		}
		duplicate := recent[user].Seen(tile.HashID(r.Event.ID), r.Epoch)
		p.Fill(&row, &r.Event, r.Seq)
		id := oracle.Member(e, r)
		if r.Epoch < c.Cut && !duplicate {
			p.UpdateSince(x.view(id), &row, c.AsOf)
		}
		if r.Epoch < 0 {
			continue // imports are never live
		}
		s := x.state(id, r.Seq>>44)
		s.Next = r.Seq&(1<<44-1) + 1
		if e == feature.User {
			s.Recent = *recent[user]
		}
		if !duplicate {
			p.Apply(s, &row, r.Epoch)
		}
	}
	return x, nil
}

func (x *engine) view(id string) tile.Bucket {
	if x.views[id] == nil {
		x.views[id] = x.plan.NewBucket()
	}
	return x.views[id]
}

func (x *engine) state(id string, partition int64) *tile.State {
	if x.states[id] == nil {
		x.states[id] = map[int64]*tile.State{}
	}
	if x.states[id][partition] == nil {
		x.states[id][partition] = &tile.State{}
	}
	return x.states[id][partition]
}

// read joins what is stored of a member.
func (x *engine) read(r *tile.Reader, id string) ([]agg.Value, error) {
	c := x.plan.NewCodec()
	r.Begin(x.At)
	if b := x.views[id]; b != nil {
		if err := r.AddView(c.AppendView(nil, b)); err != nil {
			return nil, err
		}
	}
	for partition := range int64(2) {
		s := x.states[id][partition]
		if s == nil {
			continue
		}
		next, err := r.AddState(c.AppendState(nil, s), x.Cut)
		if err != nil {
			return nil, err
		}
		if next != s.Next {
			return nil, fmt.Errorf("next offset %d of %s, want %d", next, id, s.Next)
		}
	}
	return r.Values(), nil
}

// against compares every feature of every member with the oracle, by what read returns.
func (x *engine) against(distinct []oracle.Record, read func(id string) ([]agg.Value, error)) error {
	e := x.plan.Entity
	for _, id := range append(oracle.Members(e, x.Log), "nobody") {
		values, err := read(id)
		if err != nil {
			return fmt.Errorf("read %s %s: %w", e, id, err)
		}
		of := oracle.Of(e, id, distinct)
		for i, f := range x.plan.Features {
			want := oracle.Answer(x.Catalogue, f.Def, of, x.At)
			if err := want.Check(values[i]); err != nil {
				return fmt.Errorf("%s %s at %d, cut %d: %w\n%+v", e, id, x.At, x.Cut, err, f.Def)
			}
		}
	}
	return nil
}

var entities = []feature.Entity{feature.User, feature.Item, feature.Global}

// everyEntity makes the engines of a case, and the distinct records.
func everyEntity(t *testing.T, c gen.Case) (engines []*engine, distinct []oracle.Record) {
	t.Helper()
	for _, e := range entities {
		x, err := newEngine(c, e)
		if err != nil {
			t.Fatal(err)
		}
		engines = append(engines, x)
	}
	return engines, oracle.Distinct(c.Log)
}
