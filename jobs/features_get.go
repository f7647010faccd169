package jobs

import (
	"fmt"
	"log/slog"
	"unicode/utf8"

	"github.com/anabranch/anabranch/batch/asof"
	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/serving/online"
)

type getFeaturesCmd struct {
	stores
	definitions
	User string `xor:"who" required:"" placeholder:"ID" help:"The user to read."`
	Item string `xor:"who" required:"" placeholder:"ID" help:"The item to read."`
	AsOf string `placeholder:"TIME" help:"An instant of the past (RFC 3339, or Unix milliseconds): read from raw data what was known then."`
	JSON bool   `help:"Print one JSON object."`
}

// Run prints the features of one member: as served now, or as of an instant from raw data.
func (c *getFeaturesCmd) Run(rt *runtimeEnv) error {
	who, e := c.User, feature.User
	if c.Item != "" {
		who, e = c.Item, feature.Item
	}
	if rej := event.CheckID(string(e), who); rej != nil {
		return api.Errorf(api.Invalid, "--%s: %w", e, rej)
	}
	if c.AsOf == "" {
		return c.now(rt, e, who)
	}
	at, err := event.ParseMillis(c.AsOf)
	if err != nil {
		return api.Errorf(api.Invalid, "--as-of: %w", err)
	}
	return c.past(rt, e, who, at)
}

// past reads raw data.
func (c *getFeaturesCmd) past(rt *runtimeEnv, e feature.Entity, who string, at event.Millis) error {
	f, err := c.catalogue()
	if err != nil {
		return err
	}
	b, err := c.openExistingBucket(rt.ctx)
	if err != nil {
		return err
	}
	h, err := asof.Load(rt.ctx, b, f, e, []string{who}, int64(at))
	if err != nil {
		return err
	}
	derived, err := tile.CompileDerived(f, h.Plan())
	if err != nil {
		return err
	}
	values, err := h.At(who, int64(at))
	if err != nil {
		return err
	}
	named := map[string]agg.Value{}
	for i, d := range f.Of(e) {
		named[d.Name] = values[i]
	}
	for i, v := range derived.Values(values) {
		named[derived.Names[i]] = v
	}
	if c.JSON {
		return printJSON(rt.stdout, map[string]any{string(e) + "_id": who, "as_of": at, "definition": f.Hash()[:12], "features": named})
	}
	return c.print(rt, f, e, named, fmt.Sprintf("as of %s, from raw data", at))
}

// now asks the serving layer.
func (c *getFeaturesCmd) now(rt *runtimeEnv, e feature.Entity, who string) (err error) {
	f, err := c.catalogue()
	if err != nil {
		return err
	}
	p, err := rt.openStores(&c.stores, need{redis: true})
	if err != nil {
		return err
	}
	defer p.closeInto(&err)
	redis, err := rt.dialRedis(p.servers, false)
	if err != nil {
		return err
	}
	defer func() { _ = redis.Close() }()
	silent := *rt // the answer says what it was made from
	silent.log = slog.New(slog.DiscardHandler)
	s, err := silent.newOnline(p.servers, p.bucket, p.topics, f, redis, newRegistry())
	if err != nil {
		return err
	}
	if err := s.Refresh(rt.ctx); err != nil {
		return err
	}
	var answer any
	var values map[string]agg.Value
	var receipt online.Receipt
	if e == feature.User {
		u, err := s.Features(rt.ctx, who)
		if err != nil {
			return err
		}
		answer, values, receipt = u, u.Features, u.Receipt
	} else {
		i, err := s.ItemFeatures(rt.ctx, who)
		if err != nil {
			return err
		}
		answer, values, receipt = i, i.Features, i.Receipt
	}
	if c.JSON {
		return printJSON(rt.stdout, answer)
	}
	note := fmt.Sprintf("as of %s; generation %q, live state %s", receipt.ReadAt, receipt.Generation, receipt.Live)
	if receipt.Degraded {
		note += ": " + receipt.Reason
	}
	return c.print(rt, f, e, values, note)
}

// print writes a line a feature: those of the catalogue in its order, then what else was answered.
func (c *getFeaturesCmd) print(rt *runtimeEnv, f feature.Catalogue, e feature.Entity, values map[string]agg.Value, note string) error {
	rows := [][]string{{"FEATURE", "VALUE"}}
	add := func(name string) {
		if v, answered := values[name]; answered {
			rows = append(rows, []string{name, shorten(v.String())})
		}
	}
	for _, d := range f.Of(e) {
		add(d.Name)
	}
	for _, d := range f.Derived {
		if d.Entity == e {
			add(d.Name)
		}
	}
	if err := printTable(rt.stdout, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintln(rt.stdout, note)
	return err
}

// shorten cuts a long answer for a table; --json has all of it.
func shorten(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	cut := most
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
