package bqwh

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	bq "google.golang.org/api/bigquery/v2"

	"github.com/anabranch/anabranch/infra/warehouse"
	"github.com/anabranch/anabranch/infra/warehouse/internal/rowfile"
)

// fake answers the few requests that the driver makes, with a clock that ticks
// at each change. It stores what was asked for; it is no BigQuery: what a load
// does to a partition is only counted.
type fake struct {
	t *testing.T

	mu     sync.Mutex
	clock  int64 // milliseconds
	tables map[string]*bq.Table
	jobs   map[string]*bq.Job
	loads  []*bq.Job // those that did something, in order

	hidden   map[string]bool   // jobs that the next look-up does not see
	fails    map[string]string // reasons why jobs fail, by id
	conflict int               // updates of tables to refuse with 412
	answer   *bq.QueryResponse // to any query
	queries  []string
}

func newFake(t *testing.T) (*fake, *warehouse.Warehouse) {
	t.Helper()
	f := &fake{
		t: t, clock: 1_795_305_600_000,
		tables: map[string]*bq.Table{}, jobs: map[string]*bq.Job{},
		hidden: map[string]bool{}, fails: map[string]string{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /projects/p.q/datasets/ds/tables/{table}", f.locked(f.getTable))
	mux.HandleFunc("POST /projects/p.q/datasets/ds/tables", f.locked(f.createTable))
	mux.HandleFunc("PATCH /projects/p.q/datasets/ds/tables/{table}", f.locked(f.patchTable))
	mux.HandleFunc("GET /projects/p.q/jobs/{job}", f.locked(f.getJob))
	mux.HandleFunc("POST /upload/bigquery/v2/projects/p.q/jobs", f.locked(f.insertJob))
	mux.HandleFunc("POST /projects/p.q/queries", f.locked(f.query))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	opts, err := ParseURL("bigquery://p.q.ds?location=europe-north1&auth=none&endpoint=" + server.URL)
	if err != nil {
		t.Fatal(err)
	}
	w, err := Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return f, w
}

// refusal is an error answer.
type refusal struct {
	status int
	reason string
}

func (r refusal) Error() string { return r.reason }

var errNotFound = refusal{http.StatusNotFound, "notFound"}

// locked runs a handler under the lock and writes its answer as JSON.
func (f *fake) locked(handle func(r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		answer, err := handle(r)
		w.Header().Set("Content-Type", "application/json")
		if refused := (refusal{}); errors.As(err, &refused) {
			w.WriteHeader(refused.status)
			answer = map[string]any{"error": map[string]any{
				"code": refused.status, "message": refused.reason,
				"errors": []map[string]any{{"reason": refused.reason}},
			}}
		} else if err != nil {
			f.t.Errorf("%s %s: %v", r.Method, r.URL, err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			f.t.Error(err)
		}
	}
}

func (f *fake) tick() int64 {
	f.clock++
	return f.clock
}

func (f *fake) touch(table *bq.Table) {
	table.LastModifiedTime = uint64(f.tick())
	table.Etag = strconv.FormatInt(f.clock, 10)
}

func (f *fake) getTable(r *http.Request) (any, error) {
	if table, ok := f.tables[r.PathValue("table")]; ok {
		return table, nil
	}
	return nil, errNotFound
}

func (f *fake) createTable(r *http.Request) (any, error) {
	var table bq.Table
	if err := json.NewDecoder(r.Body).Decode(&table); err != nil {
		return nil, err
	}
	if f.tables[table.TableReference.TableId] != nil {
		return nil, refusal{http.StatusConflict, "duplicate"}
	}
	f.touch(&table)
	f.tables[table.TableReference.TableId] = &table
	return &table, nil
}

func (f *fake) patchTable(r *http.Request) (any, error) {
	table, ok := f.tables[r.PathValue("table")]
	if !ok {
		return nil, errNotFound
	}
	if f.conflict > 0 || r.Header.Get("If-Match") != table.Etag {
		f.conflict--
		return nil, refusal{http.StatusPreconditionFailed, "conditionNotMet"}
	}
	if err := json.NewDecoder(r.Body).Decode(table); err != nil {
		return nil, err
	}
	f.touch(table)
	return table, nil
}

func (f *fake) getJob(r *http.Request) (any, error) {
	id := r.PathValue("job")
	job, ok := f.jobs[id]
	if got := r.FormValue("location"); got != "europe-north1" {
		return nil, fmt.Errorf("location %q", got)
	}
	if !ok || f.hidden[id] {
		delete(f.hidden, id)
		return nil, errNotFound
	}
	return job, nil
}

func (f *fake) insertJob(r *http.Request) (any, error) {
	job, media, err := readUpload(r)
	if err != nil {
		return nil, err
	}
	id := job.JobReference.JobId
	if f.jobs[id] != nil {
		return nil, refusal{http.StatusConflict, "duplicate"}
	}
	records, err := rowfile.Decode(r.Context(), media)
	if err != nil {
		return nil, err
	}
	var rows int64
	for _, rec := range records {
		rows += rec.NumRows()
	}
	f.finish(job, rows)
	return job, nil
}

// finish stores a job as done, and as failed where that was asked for.
func (f *fake) finish(job *bq.Job, rows int64) {
	id := job.JobReference.JobId
	dst := job.Configuration.Load.DestinationTable.TableId
	table := f.tables[dst[:len(dst)-len("$20260101")]]
	reason := f.fails[id]
	if table == nil && reason == "" {
		reason = "notFound"
	}
	job.Status = &bq.JobStatus{State: "DONE"}
	job.Statistics = &bq.JobStatistics{Load: &bq.JobStatistics3{OutputRows: rows}}
	if reason != "" {
		job.Status.ErrorResult = &bq.ErrorProto{Reason: reason, Message: reason}
	} else {
		f.touch(table)
		f.loads = append(f.loads, job)
	}
	job.Statistics.EndTime = f.tick()
	f.jobs[id] = job
}

// readUpload splits a multipart/related request into the job and the file.
func readUpload(r *http.Request) (*bq.Job, []byte, error) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, nil, err
	}
	var bodies [][]byte
	for parts := multipart.NewReader(r.Body, params["boundary"]); ; {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		body, err := io.ReadAll(part)
		if err != nil {
			return nil, nil, err
		}
		bodies = append(bodies, body)
	}
	if len(bodies) != 2 {
		return nil, nil, fmt.Errorf("%d parts, want 2", len(bodies))
	}
	var job bq.Job
	return &job, bodies[1], json.NewDecoder(bytes.NewReader(bodies[0])).Decode(&job)
}

func (f *fake) query(r *http.Request) (any, error) {
	var q bq.QueryRequest
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		return nil, err
	}
	f.queries = append(f.queries, q.Query)
	if f.answer == nil {
		return nil, errNotFound
	}
	return f.answer, nil
}

// loaded returns the ids of the jobs that loaded something, in order.
func (f *fake) loaded() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	ids := []string{}
	for _, job := range f.loads {
		ids = append(ids, job.JobReference.JobId)
	}
	return ids
}
