package jobs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/anabranch/anabranch/jobs/eventfile"
	"github.com/anabranch/anabranch/jobs/shop"
	"github.com/anabranch/anabranch/schemas/api"
)

type eventsCmd struct {
	Generate generateCmd `cmd:"" help:"Write the built-in shop's history as JSON lines or CSV."`
	Send     sendCmd     `cmd:"" help:"Post events of a file to an ingest."`
}

type generateCmd struct {
	Users    int       `env:"ANABRANCH_GENERATE_USERS" default:"5000" help:"Users."`
	Items    int       `env:"ANABRANCH_GENERATE_ITEMS" default:"2000" help:"Items."`
	Days     int       `env:"ANABRANCH_GENERATE_DAYS" default:"14" help:"Length of the history."`
	Events   int       `env:"ANABRANCH_GENERATE_EVENTS" default:"500000" help:"Events, approximately."`
	Seed     uint64    `env:"ANABRANCH_GENERATE_SEED" default:"1" help:"Equal seeds give equal shops."`
	End      time.Time `env:"ANABRANCH_GENERATE_END" placeholder:"TIME" help:"End of the history, RFC 3339; now when absent."`
	Out      string    `env:"ANABRANCH_GENERATE_OUT" default:"-" placeholder:"FILE" help:"File for the events (.csv, .jsonl, .gz); - is stdout, as JSON lines."`
	Catalog  string    `env:"ANABRANCH_GENERATE_CATALOG" placeholder:"FILE" help:"Write the catalog records there too, as JSON lines."`
	Profiles string    `env:"ANABRANCH_GENERATE_PROFILES" placeholder:"FILE" help:"Write the profile records there too, as JSON lines."`
	DryRun   bool      `help:"Only say what would be written."`
}

// Run writes a shop's history.
func (c *generateCmd) Run(rt *runtimeEnv) error {
	if c.End.IsZero() {
		c.End = rt.now().UTC().Truncate(time.Minute)
	}
	s, err := shop.New(shop.Config{Users: c.Users, Items: c.Items, Days: c.Days, Events: c.Events, Seed: c.Seed, End: c.End})
	if err != nil {
		return api.Errorf(api.Invalid, "generate events: %w", err)
	}
	if c.DryRun {
		_, err := fmt.Fprintf(rt.stdout, "would write about %d events of %d users and %d items from %s to %s to %s\n",
			c.Events, c.Users, c.Items, s.Start().Format(time.RFC3339), s.End().Format(time.RFC3339), c.Out)
		return err
	}
	n, err := writeHistory(s, c.Out, rt.stdout)
	if err != nil {
		return err
	}
	if err := writeRecords(c.Catalog, func(w io.Writer) error { return eventfile.WriteItems(w, slices.Values(s.ItemsAt(s.End()))) }); err != nil {
		return err
	}
	if err := writeRecords(c.Profiles, func(w io.Writer) error { return eventfile.WriteUsers(w, slices.Values(s.Profiles())) }); err != nil {
		return err
	}
	rt.log.Info("events generated", "events", n, "out", c.Out)
	return nil
}

// writeHistory writes the shop's events to a file, or to stdout where path is "-".
func writeHistory(s *shop.Shop, path string, stdout io.Writer) (n int, err error) {
	var w *eventfile.Writer
	if path == "-" {
		w, err = eventfile.NewWriter(stdout, eventfile.JSONLines)
	} else {
		w, err = eventfile.Create(path, shop.Columns()...)
	}
	if err != nil {
		return 0, fmt.Errorf("write events: %w", err)
	}
	for e := range s.History() {
		if err := w.Write(&e); err != nil {
			return n, errors.Join(fmt.Errorf("write events to %s: %w", path, err), w.Close())
		}
		n++
	}
	if err := w.Close(); err != nil {
		return n, fmt.Errorf("write events to %s: %w", path, err)
	}
	return n, nil
}

// writeRecords lets write fill a file; no path, no file.
func writeRecords(path string, write func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write records: %w", err)
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("write records to %s: %w", path, err)
	}
	return nil
}
