package live

import (
	"fmt"
	"sort"
	"strings"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	naive "github.com/anabranch/anabranch/schemas/tile/oracle"
)

// entry is one record of a log as its author knows it: the oracle never decodes anything.
type entry struct {
	partition int32
	offset    int64
	isMark    bool  // carries the mark header
	mark      int64 // its number
	invalid   bool
	event     event.Event
}

// counted is an event that counts, with its place.
type counted struct {
	event     event.Event
	epoch     int64
	partition int32
	offset    int64
}

// oracle is the definition, spelled out over a whole log: slow and obvious. The entries of a
// partition are in the order of their offsets.
type oracle struct {
	log []entry
}

// events returns what counts: valid events that are no duplicates, with their epochs.
func (o *oracle) events() []counted {
	type seen struct {
		id    string
		epoch int64
	}
	var out []counted
	epoch := map[int32]int64{}
	history := map[string][]seen{}
	for _, x := range o.log {
		switch {
		case x.isMark:
			if x.mark == epoch[x.partition]+1 {
				epoch[x.partition] = x.mark
			}
			continue
		case x.invalid:
			continue
		}
		now, past := epoch[x.partition], history[x.event.UserID]
		duplicate := false
		for i := max(0, len(past)-128); i < len(past); i++ {
			if past[i].id == x.event.ID && (past[i].epoch == now || past[i].epoch == now-1) {
				duplicate = true
			}
		}
		history[x.event.UserID] = append(past, seen{x.event.ID, now})
		if !duplicate {
			out = append(out, counted{x.event, now, x.partition, x.offset})
		}
	}
	return out
}

// answer says what a feature must answer by its definition, over events of epochs ≥ cut, read at t. who is
// the user or item, "" for the global entity. partition < 0 means all of them.
func (o *oracle) answer(c feature.Catalogue, d feature.Definition, who string, partition int32, cut, t int64) naive.Want {
	var in []naive.Record
	for _, x := range o.events() {
		mine := d.Entity == feature.Global || d.Entity == feature.User && x.event.UserID == who || d.Entity == feature.Item && x.event.ItemID == who
		if mine && x.epoch >= cut && (partition < 0 || x.partition == partition) {
			in = append(in, naive.Record{Event: x.event, Epoch: x.epoch, Seq: int64(x.partition)<<44 | x.offset})
		}
	}
	return naive.Answer(c, d, in, t)
}

const (
	minuteMs = 60_000
	hourMs   = 60 * minuteMs
	dayMs    = 24 * hourMs
)

// render writes an answer on one line, for people.
func render(v agg.Value) string {
	switch v.Kind() {
	case agg.KindNull:
		return "none"
	case agg.KindText:
		s, _ := v.Text()
		return s
	case agg.KindGroups:
		var out []string
		for _, g := range v.Groups() {
			f, _ := g.Value.Float64()
			out = append(out, fmt.Sprintf("%s=%.6g", g.Key, f))
		}
		sort.Strings(out)
		return strings.Join(out, " ")
	case agg.KindInteractions:
		var out []string
		for _, x := range v.Interactions() {
			out = append(out, x.Type+":"+x.Item)
		}
		return strings.Join(out, " ")
	case agg.KindTop:
		top, _ := v.Top()
		var out []string
		for _, k := range top.Keys {
			out = append(out, fmt.Sprintf("%s=%d", k.Key, k.Count))
		}
		return strings.Join(out, " ")
	}
	return v.String()
}
