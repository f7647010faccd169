package bqwh

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"cloud.google.com/go/bigquery"
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/anabranch/anabranch/infra/warehouse"
	"github.com/anabranch/anabranch/infra/warehouse/internal/rowfile"
)

// loadAttempts bounds the search for a job id that is still free.
const loadAttempts = 1000

// load is one replacement of a partition.
type load struct {
	driver *driver
	table  warehouse.Table
	date   arrow.Date32
	key    string
	file   []byte // Parquet
	rows   int64
}

func (d *driver) ReplacePartition(
	ctx context.Context, t warehouse.Table, date arrow.Date32, jobKey string, rows array.RecordReader,
) (int64, error) {
	file, n, err := rowfile.Encode(t.ArrowSchema(), rows)
	if err != nil {
		return 0, err
	}
	l := load{driver: d, table: t, date: date, key: jobKey, file: file, rows: n}
	return n, noTable(l.run(ctx))
}

// run adopts the first job of this key that is still in effect, or starts one.
//
// A job id can be used once. So the jobs of a key are numbered: a job that
// failed, or that finished before the table was last modified (perhaps by the
// job of another key, whose rows would otherwise stay), is passed over. The
// table's time of modification also moves with its other partitions; that costs
// a load of the same rows again and never a wrong one.
func (l load) run(ctx context.Context) error {
	number := 0
	for range loadAttempts {
		id := l.jobID(number)
		job, err := l.driver.client.JobFromIDLocation(ctx, id, l.driver.client.Location)
		if hasStatus(err, http.StatusNotFound) {
			job, err = l.start(ctx, id)
			if hasStatus(err, http.StatusConflict) {
				continue // started by somebody else just now: adopt it
			}
			if err != nil {
				return fmt.Errorf("start load job %s: %w", id, err)
			}
			return l.finish(ctx, job)
		}
		if err != nil {
			return fmt.Errorf("look for load job %s: %w", id, err)
		}
		inEffect, err := l.adopt(ctx, job)
		if err != nil || inEffect {
			return err
		}
		number++
	}
	return fmt.Errorf("%d load jobs of this key exist, none of them in effect", loadAttempts)
}

// jobID names the job. Jobs belong to a project, hence the dataset in the hash.
func (l load) jobID(number int) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{l.driver.dataset.DatasetID, l.table.Name, l.key}, "\x00")))
	return fmt.Sprintf("anabranch_%s_%s_%x_%d", l.table.Name, l.decorator(), sum[:8], number)
}

// decorator is the partition's id, such as 20261122.
func (l load) decorator() string { return l.date.ToTime().Format("20060102") }

func (l load) start(ctx context.Context, id string) (*bigquery.Job, error) {
	src := bigquery.NewReaderSource(bytes.NewReader(l.file))
	src.SourceFormat = bigquery.Parquet
	src.ParquetOptions = &bigquery.ParquetOptions{EnableListInference: true}
	loader := l.driver.dataset.Table(l.table.Name + "$" + l.decorator()).LoaderFrom(src)
	loader.JobID = id
	loader.Location = l.driver.client.Location
	loader.WriteDisposition = bigquery.WriteTruncate
	loader.CreateDisposition = bigquery.CreateNever
	return loader.Run(ctx)
}

// finish waits for a job of our own.
func (l load) finish(ctx context.Context, job *bigquery.Job) error {
	status, err := job.Wait(ctx)
	if err == nil {
		err = status.Err()
	}
	if err != nil {
		return fmt.Errorf("load job %s: %w", job.ID(), missingTable(err))
	}
	return l.countRows(job.ID(), status)
}

// adopt waits for an existing job and says whether its rows are in effect.
func (l load) adopt(ctx context.Context, job *bigquery.Job) (inEffect bool, err error) {
	status, err := job.Wait(ctx)
	if err != nil {
		return false, fmt.Errorf("wait for the existing load job %s: %w", job.ID(), err)
	}
	if status.Err() != nil {
		return false, nil
	}
	md, err := l.driver.dataset.Table(l.table.Name).Metadata(ctx)
	if err != nil {
		return false, err
	}
	if md.LastModifiedTime.After(status.Statistics.EndTime) {
		return false, nil
	}
	return true, l.countRows(job.ID(), status)
}

func (l load) countRows(id string, status *bigquery.JobStatus) error {
	details, ok := status.Statistics.Details.(*bigquery.LoadStatistics)
	if !ok {
		return fmt.Errorf("job %s is no load job", id)
	}
	if details.OutputRows != l.rows {
		return fmt.Errorf("load job %s wrote %d rows of %d; give other rows another job key", id, details.OutputRows, l.rows)
	}
	return nil
}

// missingTable gives a job's complaint about a missing table its portable name.
func missingTable(err error) error {
	var detail *bigquery.Error
	if errors.As(err, &detail) && detail.Reason == "notFound" {
		return fmt.Errorf("%w: %w", warehouse.ErrNoTable, err)
	}
	return err
}
