package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/lmittmann/tint"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/scripts/testenv/env"
)

// The stream suite measures the stream layer with everything on this machine: Kafka, a real redis-server and the
// runner, from a topic that is filled before.
//
//	PART=protobuf         the parts to run, separated by commas; all where it is not set
//	SCALE=1               how many times 10 million events; 0.05 where it is not set
//	SECONDS=300           how long the paced part lasts; 20 where it is not set
//	USERS=4000            of the workload; 200,000 where it is not set. Fewer events need fewer users to reach states as full.
//	                      The part trim has as many idle ones besides; a million where it is not set
//	ITEMS=400             the same; 20,000 where it is not set
//	BATCH=512             records of a commit at most; the runner's default where it is not set
//	PROFILE=FILE          where the passes over a topic leave the CPU profile of this process: FILE.protobuf, FILE.json, …
//
// A pass starts with an empty Redis and ends when every fence is at the end of its partition. Redis writes no
// append-only file here: it is at its fastest, which makes the ratios harder. What is compared is compared on blobs,
// the absolute states that a commit stores, since records of one user or item in one batch share a blob. The limit of
// Redis (set_limit) is what plain pipelined SETs of those states reach, in their order and from an empty Redis on, too,
// so that as many keys are new. They are kept in a pass that is not timed: its first 1.5 GB, which is all of it up to SCALE=.15.
//
// The broker is kfake in a process of its own, or Apache Kafka. The parameter machine_share says which part of the
// machine's cores runner, Redis and broker got together: where that is far from 1 somebody else was at work, and rates and
// ratios say little, CPU seconds still something.

// streamEvents is scale 1.
const streamEvents = 10_000_000

// streamPart measures a few values; add a part by adding a line in streamParts.
type streamPart struct {
	name string
	run  func(ctx context.Context, out *report, s *streamSetup) error
}

func streamParts() []streamPart {
	return []streamPart{
		{"protobuf", func(ctx context.Context, out *report, s *streamSetup) error {
			return runPasses(ctx, out, s, passes{name: "protobuf", contentType: event.ContentTypeProtobuf, broker: startKfake, plain: true})
		}},
		{"json", func(ctx context.Context, out *report, s *streamSetup) error {
			return runPasses(ctx, out, s, passes{name: "json", contentType: event.ContentTypeJSON, broker: startKfake})
		}},
		{"kafka", func(ctx context.Context, out *report, s *streamSetup) error {
			return runPasses(ctx, out, s, passes{name: "kafka", contentType: event.ContentTypeProtobuf, broker: startApacheKafka})
		}},
		{"servable", runServable},
		{"trim", runTrim},
		{"archive", runArchive},
	}
}

// streamSetup is what the parts of a run share.
type streamSetup struct {
	log     *slog.Logger
	work    workload
	paced   time.Duration
	batch   int    // 0: the runner's default
	profile string // file name, "" for none
	env     env.Config
}

func runStream(ctx context.Context, out *report) error {
	log := slog.New(tint.NewTextHandler(os.Stderr, nil))
	s := &streamSetup{log: log, profile: os.Getenv("PROFILE"), env: env.Config{Log: log, Own: true}}
	scale, err := numberOr("SCALE", 0.05)
	if err != nil {
		return err
	}
	seconds, err := numberOr("SECONDS", 20)
	if err != nil {
		return err
	}
	batch, err := numberOr("BATCH", 0)
	if err != nil {
		return err
	}
	s.batch = int(batch)
	s.paced = time.Duration(seconds * float64(time.Second))
	s.work = newWorkload(int(scale * streamEvents))
	for variable, field := range map[string]*int{"USERS": &s.work.Users, "ITEMS": &s.work.Items} {
		n, err := numberOr(variable, float64(*field))
		if err != nil {
			return err
		}
		*field = int(n)
	}
	chosen, err := choose(streamParts(), func(p streamPart) string { return p.name }, os.Getenv("PART"))
	if err != nil {
		return err
	}
	for _, p := range chosen {
		log.Info("measuring", "part", p.name, "events", s.work.Events)
		if err := p.run(ctx, out, s); err != nil {
			return fmt.Errorf("part %s: %w", p.name, err)
		}
	}
	return nil
}

// numberOr reads a number from a variable of the environment.
func numberOr(variable string, fallback float64) (float64, error) {
	word := os.Getenv(variable)
	if word == "" {
		return fallback, nil
	}
	x, err := strconv.ParseFloat(word, 64)
	if err != nil || x <= 0 || x > 1e8 {
		return 0, fmt.Errorf("%s=%s: a number above 0 and up to 100 million is accepted", variable, word)
	}
	return x, nil
}
