package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/stream/archive"
)

// runArchive measures the archiver over a topic that is filled before, into a bucket that is a folder: rows per CPU second of
// this process, which does everything but serve the log. Files are cut as in production, the last ones by age.
func runArchive(ctx context.Context, out *report, s *streamSetup) (err error) {
	b, err := startKfake(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	dir, err := os.MkdirTemp("", "anabranch-bench-")
	if err != nil {
		return fmt.Errorf("make a folder for the archive: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	size, err := s.work.fill(ctx, []string{b.addr}, event.ContentTypeProtobuf)
	if err != nil {
		return err
	}
	to, err := filebucket.Open(dir)
	if err != nil {
		return err
	}
	var stats archive.Stats
	profile := ""
	if s.profile != "" {
		profile = s.profile + ".archive"
	}
	used, err := measureUse(func() error {
		return new(stand).profiled(profile, func() (err error) {
			stats, err = archiveAll(ctx, s, b.addr, to)
			return err
		})
	})
	if err != nil {
		return err
	}
	params := s.work.params()
	delete(params, "redis")
	delete(params, "catalogue")
	maps.Copy(params, map[string]any{
		"broker": b.name, "codec": event.ContentTypeProtobuf, "record_bytes": size / int64(s.work.Events), "files": stats.Files, "file_bytes": stats.Bytes,
	})
	rows := float64(stats.Rows)
	out.add("archive_rows_per_s_core", rows/used.CPU, "rows/s", params)
	out.add("archive_rows_per_s", rows/used.Wall, "rows/s", params)
	out.add("archive_peak_mb", used.PeakMB, "MB", params)
	return nil
}

// archiveAll runs an archiver until it has written every record of the workload.
func archiveAll(ctx context.Context, s *streamSetup, addr string, to *bucket.Bucket) (archive.Stats, error) {
	client, err := kafka.Dial([]string{addr}, nil, kafka.Local())
	if err != nil {
		return archive.Stats{}, err
	}
	defer client.Close()
	details, err := kadm.NewClient(client).ListTopics(ctx, kafka.EventsTopic)
	if err != nil {
		return archive.Stats{}, fmt.Errorf("look up topic %s: %w", kafka.EventsTopic, err)
	}
	topics := kafka.Topics{Partitions: s.work.Partitions, EventsID: details[kafka.EventsTopic].ID}
	a, err := archive.New(archive.Config{Bucket: to, Seeds: []string{addr}, Topics: topics, Limits: archive.Limits{Age: time.Second}, Logger: s.log})
	if err != nil {
		return archive.Stats{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for a.Stats().Rows < int64(s.work.Events) {
		select {
		case err := <-done:
			return archive.Stats{}, errors.Join(errors.New("the archiver ended early"), err)
		case <-tick.C:
		}
	}
	cancel()
	return a.Stats(), <-done
}
