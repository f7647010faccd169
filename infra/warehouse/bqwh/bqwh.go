// Package bqwh is a warehouse in a BigQuery dataset.
//
// A partition is replaced by a load job of an in-memory Parquet file into
// table$YYYYMMDD with WRITE_TRUNCATE, which BigQuery applies as a whole or not
// at all. The job's id is made from dataset, table, date and job key, so that a
// rerun, or a second process, finds the job of the first and waits for it
// instead of loading again. See load.go for when a finished job is not enough.
//
// What was checked without BigQuery, against a small HTTP fake: the requests
// that the driver makes. The whole suite runs against a real dataset when
// ANABRANCH_TEST_BIGQUERY names one.
//
// It needs roles/bigquery.dataEditor on the dataset and roles/bigquery.jobUser
// on the project.
package bqwh

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/googleapi"

	"github.com/anabranch/anabranch/infra/warehouse"
)

// ensureAttempts bounds the retries of a schema change that loses races.
const ensureAttempts = 10

type driver struct {
	client  *bigquery.Client
	dataset *bigquery.Dataset
}

// Open returns the warehouse in a dataset. It makes no request.
func Open(ctx context.Context, opts Options) (*warehouse.Warehouse, error) {
	d, err := open(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("bqwh: open dataset %s.%s: %w", opts.Project, opts.Dataset, err)
	}
	return warehouse.New(d), nil
}

func open(ctx context.Context, opts Options) (*driver, error) {
	client, err := bigquery.NewClient(ctx, opts.Project, opts.client()...)
	if err != nil {
		return nil, err
	}
	client.Location = opts.Location
	return &driver{client: client, dataset: client.Dataset(opts.Dataset)}, nil
}

func (d *driver) Close() error { return d.client.Close() }

// hasStatus says whether err is an answer of the server with that HTTP status.
func hasStatus(err error, status int) bool {
	var answer *googleapi.Error
	return errors.As(err, &answer) && answer.Code == status
}

// noTable gives a missing table its portable name.
func noTable(err error) error {
	if hasStatus(err, http.StatusNotFound) {
		return fmt.Errorf("%w: %w", warehouse.ErrNoTable, err)
	}
	return err
}

func (d *driver) Ensure(ctx context.Context, t warehouse.Table) error {
	table := d.dataset.Table(t.Name)
	for range ensureAttempts {
		md, err := table.Metadata(ctx)
		if hasStatus(err, http.StatusNotFound) {
			err = table.Create(ctx, metadata(t))
			if hasStatus(err, http.StatusConflict) {
				continue // somebody else was first
			}
			return err
		}
		if err != nil {
			return err
		}
		if err = evolve(ctx, table, md, t); !hasStatus(err, http.StatusPreconditionFailed) {
			return err
		}
	}
	return fmt.Errorf("the table was changed by others %d times in a row", ensureAttempts)
}

// evolve changes a table to hold the rows of t too, unless somebody else
// changed it since md was read.
func evolve(ctx context.Context, table *bigquery.Table, md *bigquery.TableMetadata, t warehouse.Table) error {
	if p := md.TimePartitioning; p == nil || p.Field != t.PartitionBy {
		return fmt.Errorf("%w: the table is not partitioned by %s", warehouse.ErrSchema, t.PartitionBy)
	}
	old, err := definition(t.Name, md)
	if err != nil {
		return err
	}
	merged, err := warehouse.Evolve(old, t)
	if err != nil || reflect.DeepEqual(old, merged) {
		return err
	}
	_, err = table.Update(ctx, bigquery.TableMetadataToUpdate{
		Description: merged.Description,
		Schema:      schema(merged),
		Clustering:  clustering(merged),
	}, md.ETag)
	return err
}
