package jobs

import (
	"fmt"

	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/stream/ingest/deadletter"
)

type replayLettersCmd struct {
	kafkaFlags
	letterFilter
	Position string   `arg:"" optional:"" help:"Position of one letter, as dlq list prints it: TOPIC-ID/PARTITION/OFFSET."`
	All      bool     `help:"Replay all letters."`
	Set      []string `sep:"none" placeholder:"FIELD=VALUE" help:"Repair a field of the one letter first, such as type=view; null takes it away. May be repeated."`
	DryRun   bool     `help:"Only say what would be replayed."`
	JSON     bool     `help:"Print one JSON object a letter."`
}

// Run replays what is wanted. Letters that are invalid still stay, and the command exits with 1.
func (c *replayLettersCmd) Run(rt *runtimeEnv) error {
	filter, fields, err := c.check()
	if err != nil {
		return err
	}
	return c.onLetters(rt, func(s *servers, log deadletter.Log) error {
		catalog, err := readTopic(rt.ctx, rt, s, itemsTopic())
		if err != nil {
			return err
		}
		r := deadletter.Replayer{Log: log, Set: fields, Now: rt.now, DryRun: c.DryRun, Stamp: func(id string) (*event.Stamp, bool) {
			item, known := catalog[id]
			if !known {
				return nil, false
			}
			return item.Stamp(), true
		}}
		var total replayed
		err = r.Replay(rt.ctx, filter, func(o deadletter.Outcome) error { return c.show(rt, &total, o) })
		if err == nil && filter.Position != nil && total == (replayed{}) {
			return api.Errorf(api.NotFound, "the dead-letter topic holds no letter of position %s", c.Position)
		}
		if !c.JSON {
			if _, err := fmt.Fprintf(rt.stdout, "%d %s, %d replayed before, %d invalid still\n", total.now, c.did(), total.before, total.invalid); err != nil {
				return err
			}
		}
		if err == nil && total.invalid > 0 {
			return exitWith{exitError}
		}
		return err
	})
}

// check reads the flags.
func (c *replayLettersCmd) check() (filter deadletter.Filter, fields []deadletter.Field, err error) {
	filter, some := c.filter()
	if c.Position != "" {
		position, err := deadletter.ParsePosition(c.Position)
		if err != nil {
			return filter, nil, err
		}
		filter.Position = &position
	}
	switch {
	case filter.Position == nil && !some && !c.All:
		return filter, nil, api.Errorf(api.Invalid, "nothing to replay: name a position, a filter such as --reason, or --all")
	case filter.Position == nil && len(c.Set) > 0:
		return filter, nil, api.Errorf(api.Invalid, "--set repairs one letter: name its position")
	}
	for _, text := range c.Set {
		field, err := deadletter.ParseField(text)
		if err != nil {
			return filter, nil, err
		}
		fields = append(fields, field)
	}
	return filter, fields, nil
}

// did says what happens to the letters that are replayed.
func (c *replayLettersCmd) did() string {
	if c.DryRun {
		return "would be replayed"
	}
	return "replayed"
}

// replayed counts outcomes.
type replayed struct{ now, before, invalid int }

// show counts an outcome and prints what deserves it: in JSON each, else what stays.
func (c *replayLettersCmd) show(rt *runtimeEnv, total *replayed, o deadletter.Outcome) error {
	position, status := deadletter.FormatPosition(o.Letter.Position), "replayed"
	switch {
	case o.Invalid != nil:
		status = "invalid"
		total.invalid++
	case o.Already:
		status = "replayed before"
		total.before++
	default:
		if c.DryRun {
			status = "would be replayed"
		}
		total.now++
	}
	if c.JSON {
		line := map[string]any{"position": position, "status": status}
		if o.As != nil {
			line["as"] = deadletter.FormatPosition(*o.As)
		}
		if o.Invalid != nil {
			line["reason"] = o.Invalid.Reason
		}
		return printJSON(rt.stdout, line)
	}
	if o.Invalid == nil {
		return nil
	}
	_, err := fmt.Fprintf(rt.stdout, "%s is invalid still: %s\n", position, o.Invalid.Reason)
	return err
}
