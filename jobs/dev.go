package jobs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/anabranch/anabranch/batch/nightly"
	"github.com/anabranch/anabranch/batch/quality"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/jobs/eventfile"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/serving/online"
	"github.com/anabranch/anabranch/serving/recommend"
)

// shopFlags shape the built-in shop of a new data folder.
type shopFlags struct {
	ShopUsers  int    `default:"5000" group:"Built-in shop:" help:"Users."`
	ShopItems  int    `default:"2000" group:"Built-in shop:" help:"Items."`
	ShopDays   int    `default:"14" group:"Built-in shop:" help:"Days of history."`
	ShopEvents int    `default:"500000" group:"Built-in shop:" help:"Events of history, approximately."`
	ShopSeed   uint64 `default:"1" group:"Built-in shop:" help:"Equal seeds give equal shops."`
}

type devCmd struct {
	stores
	definitions
	shopFlags
	Listen     string        `default:"127.0.0.1:8080" help:"Address of API and console."`
	Events     string        `placeholder:"FILE" help:"Your own history (CSV or JSON lines) instead of the built-in shop."`
	Items      string        `placeholder:"FILE" help:"Catalog records for --events."`
	Users      string        `placeholder:"FILE" help:"Profile records for --events."`
	Period     time.Duration `default:"24h" help:"How often an epoch is closed and a generation published."`
	Rate       float64       `default:"20" help:"Live events a second from the built-in shop; 0 is none."`
	Partitions int32         `default:"4" help:"Partitions of a new events topic; fixed for good."`
	JSON       bool          `help:"Announce with one JSON object instead of text."`
}

// Run starts every part in this process and stops them all at the first signal.
func (c *devCmd) Run(rt *runtimeEnv) error {
	if err := c.check(); err != nil {
		return err
	}
	features, err := c.catalogue()
	if err != nil {
		return err
	}
	began := time.Now()
	open := func() (*parts, error) { return rt.open(&c.stores, c.Partitions, true) }
	return onParts(c.Listen, open, func(l net.Listener, p *parts) error {
		if !p.dirOwned() {
			return api.Errorf(api.Locked, "data folder %s is in use by another anabranch: stop it, or choose another with --data", c.Data)
		}
		d := &dev{devCmd: c, rt: rt, parts: p, features: features, began: began, url: "http://" + l.Addr().String()}
		if p.dir != nil {
			e := endpoints{PID: os.Getpid(), Kafka: p.seeds[0], Redis: p.redis, Listen: l.Addr().String()}
			if err := p.dir.announce(e); err != nil {
				return err
			}
		}
		return d.run(l)
	})
}

func (c *devCmd) check() error {
	switch {
	case c.Period < 10*time.Second:
		return api.Errorf(api.Invalid, "--period %s: at least 10s is accepted", c.Period)
	case c.Rate < 0 || c.Rate > 100_000:
		return api.Errorf(api.Invalid, "--rate %g: 0 to 100000 is accepted", c.Rate)
	case c.Events == "" && (c.Items != "" || c.Users != ""):
		return api.Errorf(api.Invalid, "--items and --users belong to --events; the built-in shop brings its own")
	}
	if c.Events != "" {
		if _, err := os.Stat(c.Events); err != nil {
			return api.Errorf(api.Invalid, "--events: %w", err)
		}
	}
	return nil
}

// dirOwned reports whether this process may run what only one process may: it owns the data folder,
// or everything is real and the folder is not needed.
func (p *parts) dirOwned() bool { return p.dir == nil || p.dir.owned() }

// dev is a running demo.
type dev struct {
	*devCmd
	*parts
	rt       *runtimeEnv
	features feature.Catalogue
	url      string
	began    time.Time
	online   *online.Service
	shop     *demoShop
}

// run starts all services and, beside them, the story: history, first night, live traffic.
func (d *dev) run(l net.Listener) error {
	state, err := d.rt.dialRedis(d.servers, true)
	if err != nil {
		return err
	}
	defer func() { _ = state.Close() }()
	reg := newRegistry()
	runner, follow, err := d.rt.newLive(d.parts, d.features, state, reg)
	if err != nil {
		return err
	}
	archiver, err := d.rt.newArchiver(d.parts, reg)
	if err != nil {
		return err
	}
	ingest, catalog, followCatalog, err := d.rt.newIngest(d.parts, reg)
	if err != nil {
		return err
	}
	if d.online, err = d.rt.newOnline(d.servers, d.bucket, d.topics, d.features, state, reg); err != nil {
		return err
	}
	pulse := newPulse(d.parts, reg, runner, d.rt.now, d.rt.log)
	handler, err := d.rt.newHandler(d.online, reg, ingest, pulse.read)
	if err != nil {
		return err
	}
	return runAll(d.rt.ctx,
		httpService(l, handler, d.rt.log), follow, followCatalog,
		service{"stream", runner.run}, service{"archive", archiver.Run}, service{"serving", d.online.Run},
		service{"pulse", pulse.run},
		service{"dev", func(ctx context.Context) error {
			select {
			case <-catalog.Ready():
				return d.story(ctx)
			case <-ctx.Done():
				return nil
			}
		}},
	)
}

// story is what the demo shows: history comes in, the first night makes a generation of it, traffic
// begins, and the next epochs are closed on time.
func (d *dev) story(ctx context.Context) error {
	if err := d.history(ctx); err != nil {
		return err
	}
	if err := d.firstNight(ctx); err != nil {
		return err
	}
	if err := d.announceReady(ctx); err != nil {
		return err
	}
	services := []service{{"scheduler", d.schedule}}
	if d.shop != nil && d.Rate > 0 {
		services = append(services, service{"traffic", func(ctx context.Context) error {
			return d.shop.traffic(ctx, d.rt, d.client, d.url, d.Rate)
		}})
	}
	return runAll(ctx, services...)
}

// history imports what a new data folder begins with. An existing one goes on from what it has.
func (d *dev) history(ctx context.Context) error {
	_, err := d.bucket.Head(ctx, model.MarkKey(1))
	begun := err == nil
	if err != nil && !errors.Is(err, bucket.ErrNotExist) {
		return fmt.Errorf("look for earlier marks: %w", err)
	}
	if d.Events != "" {
		if begun {
			d.rt.log.Info("history is closed: going on with what the data folder holds", "events", d.Events)
			return nil
		}
		return d.importHistory(d.Events, nil)
	}
	if d.shop, err = openDemoShop(d.Data, d.shopFlags, d.rt.now()); err != nil {
		return err
	}
	if begun {
		return nil
	}
	path, err := d.shop.historyFile()
	if err != nil {
		return err
	}
	return d.importHistory(path, d.shop)
}

func (d *dev) importHistory(path string, shop *demoShop) error {
	var stamps func(string) *event.Stamp
	var err error
	if shop != nil {
		stamps, err = d.rt.publishRecords(d.rt.ctx, d.parts, shop.ItemsAt(d.rt.now()), shop.Profiles())
	} else {
		stamps, err = d.rt.importRecords(d.parts, d.Items, d.Users)
	}
	if err != nil {
		return err
	}
	res, err := d.rt.importFile(d.parts, path, stamps, false)
	if err != nil {
		return err
	}
	d.rt.log.Info("history imported", "rows", res.Rows, "days", res.Days, "seconds", time.Since(d.began).Seconds())
	return nil
}

// firstNight makes a generation of the history, unless there is one already.
func (d *dev) firstNight(ctx context.Context) error {
	if err := d.online.Refresh(ctx); err == nil && d.online.Generation() != nil {
		return nil
	}
	return d.runNight(ctx, d.rt.now().UTC().Truncate(time.Second))
}

// runNight closes the epoch at label, publishes, and has the new generation served.
func (d *dev) runNight(ctx context.Context, label time.Time) error {
	result, err := d.rt.night(ctx, d.parts, night{command: "dev", label: label, wait: time.Minute, quiet: true, features: d.features, gates: quality.Default()},
		func(ctx context.Context, r *nightly.Run) (nightly.Result, error) { return r.Do(ctx) })
	if err != nil {
		return err
	}
	d.rt.log.Info("generation published", "generation", result.Generation, "events", result.Counts.Events,
		"hr20", result.Metrics[nightly.MetricHR], "popularity_hr20", result.Metrics[nightly.MetricPopularityHR])
	return d.online.Refresh(ctx)
}

// schedule closes an epoch at every multiple of the period. A night that fails is tried again at the
// next one; what it did not finish is then part of it.
func (d *dev) schedule(ctx context.Context) error {
	for {
		now := d.rt.now()
		label := now.UTC().Truncate(d.Period).Add(d.Period)
		timer := time.NewTimer(label.Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		if err := d.runNight(ctx, label); err != nil && ctx.Err() == nil {
			d.rt.log.Error("night failed", "label", label.Format(time.RFC3339), "error", err)
		}
	}
}

// announceReady prints where the demo is and what to try.
func (d *dev) announceReady(ctx context.Context) error {
	user, item, err := d.example(ctx)
	if err != nil {
		return err
	}
	took := time.Since(d.began).Seconds()
	if d.JSON {
		return printJSON(d.rt.stdout, map[string]any{
			"url": d.url, "seconds": took, "generation": d.online.Generation().ID, "kafka": d.seeds, "redis": redis.Redact(d.redis), "user": user,
		})
	}
	_, err = fmt.Fprintf(d.rt.stdout, `
Anabranch is ready after %.1f s: %s

  curl '%s/v1/users/%s/recommendations?n=5'
  curl -X POST %s/v1/events -H 'Content-Type: application/json' \
       -d '{"event_id":"mine-1","user_id":"%s","item_id":"%s","type":"view"}'
  curl '%s/v1/users/%s/features'

Run the first again after the second: the item is gone and the list has moved. Ctrl-C stops; the data stays in %s.
`, took, d.url, d.url, user, d.url, user, item, d.url, user, d.Data)
	return err
}

// example returns a user, with personal recommendations if any has, and the first of them.
func (d *dev) example(ctx context.Context) (user, item string, err error) {
	user, item = "u1", "i1"
	candidates := []string{}
	for i := range 50 { // the first users of the shop may still have to arrive
		candidates = append(candidates, fmt.Sprint("u", i+1))
	}
	if d.shop == nil {
		first, err := firstEvent(d.Events)
		if err != nil {
			return "", "", err
		}
		user, item, candidates = first.UserID, first.ItemID, []string{first.UserID}
	}
	for _, u := range candidates {
		r, err := d.online.Recommend(ctx, online.Request{User: u, N: 1, ExcludeSeen: true})
		if err != nil {
			return "", "", fmt.Errorf("first recommendation: %w", err)
		}
		if len(r.Items) == 0 { // of a small file, the user may have seen everything
			continue
		}
		user, item = u, r.Items[0].ItemID
		if r.Vector != recommend.VectorNone {
			break
		}
	}
	return user, item, nil
}

// firstEvent returns the first row of a file of events.
func firstEvent(path string) (_ event.Event, err error) {
	r, err := eventfile.OpenEvents(path)
	if err != nil {
		return event.Event{}, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	row, err := r.Next()
	if err != nil {
		return event.Event{}, fmt.Errorf("read the first event: %w", err)
	}
	return row.Record, nil
}
