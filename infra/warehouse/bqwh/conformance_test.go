package bqwh

import (
	"context"
	"net/http"
	"os"
	"testing"

	"github.com/anabranch/anabranch/infra/warehouse"
	"github.com/anabranch/anabranch/infra/warehouse/warehousetest"
)

// TestConformanceOnBigQuery runs the suite against a real dataset: the fake of
// the other tests stores no rows.
func TestConformanceOnBigQuery(t *testing.T) {
	raw := os.Getenv("ANABRANCH_TEST_BIGQUERY")
	if raw == "" {
		t.Skip("no real BigQuery: set ANABRANCH_TEST_BIGQUERY to bigquery://project.dataset, " +
			"a dataset whose tables may be deleted, and log in with gcloud auth application-default login")
	}
	opts, err := ParseURL(raw)
	if err != nil {
		t.Fatal(err)
	}
	warehousetest.Run(t, warehousetest.Harness{
		New: func(t *testing.T) *warehouse.Warehouse {
			d, err := open(t.Context(), opts)
			if err != nil {
				t.Fatal(err)
			}
			err = d.dataset.Table(warehousetest.Table().Name).Delete(context.Background())
			if err != nil && !hasStatus(err, http.StatusNotFound) {
				t.Fatal(err)
			}
			return warehouse.New(d)
		},
	})
}
