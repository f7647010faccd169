package materialize

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/warehouse"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tables"
	"github.com/apache/arrow/go/v17/arrow"
)

// partitionRecord remembers what a partition was built from, so that only changed ones are rebuilt.
type partitionRecord struct {
	Date   string           `json:"date"`
	Mark   int64            `json:"mark"` // that closed the last epoch in it; 0 if it holds imports only
	Inputs string           `json:"inputs"`
	Rows   map[string]int64 `json:"rows"` // by table
}

func partitionKey(date int32) string { return "runs/partitions/" + formatDate(date) + ".json" }

func formatDate(date int32) string { return warehouse.FormatDate(arrow.Date32(date)) }

// Stale is the set of partitions to rebuild, with what each is to be built from.
type Stale map[int32]partitionInputs

// partitionInputs is what a partition is built from.
type partitionInputs struct {
	mark int64  // that closed the last epoch; 0 if there are imports only
	hash string // over the files and everything else that its rows follow from
}

// Has reports whether the partition of a date is to be rebuilt.
func (s Stale) Has(date int32) bool {
	_, stale := s[date]
	return stale
}

// FindStale returns the partitions whose inputs are not those that they were built from, or that the
// warehouse does not hold as they were written. With all set it returns every partition of the source.
// It never returns one that was built up to a later mark: marks may share a date, and repeating the
// earlier one's night must not take out what the later one's added.
func FindStale(ctx context.Context, b *bucket.Bucket, w *warehouse.Warehouse, s Source, weights model.Weights, all bool) (Stale, error) {
	inputs, err := findInputs(s, weights)
	if err != nil {
		return nil, err
	}
	stored, err := storedRows(ctx, w)
	if err != nil {
		return nil, err
	}
	stale := Stale{}
	for date, in := range inputs {
		r, err := readRecord(ctx, b, date)
		if err != nil {
			return nil, err
		}
		if r.Mark <= in.mark && (all || r.Inputs != in.hash || !r.sameRows(date, stored)) {
			stale[date] = in
		}
	}
	return stale, nil
}

// readRecord returns the record of a partition, which is zero if there is none.
func readRecord(ctx context.Context, b *bucket.Bucket, date int32) (r partitionRecord, err error) {
	if _, err = b.GetJSON(ctx, partitionKey(date), &r); errors.Is(err, bucket.ErrNotExist) {
		return partitionRecord{}, nil
	}
	return r, err
}

// findInputs hashes, for each date, its files and those of the epoch before its first: the
// duplicate rule looks back on them.
func findInputs(s Source, weights model.Weights) (map[int32]partitionInputs, error) {
	byEpoch := map[int64][]string{}
	dates := map[int32][]int64{}
	for _, f := range s.Files {
		byEpoch[f.Epoch] = append(byEpoch[f.Epoch], f.Key, f.SHA256)
		if !slices.Contains(dates[f.Date], f.Epoch) {
			dates[f.Date] = append(dates[f.Date], f.Epoch)
		}
	}
	out := map[int32]partitionInputs{}
	for date, epochs := range dates {
		of := struct {
			Version, Validator int
			Weights            model.Weights
			Files              [][]string
		}{Version: tables.Version, Validator: event.ValidatorVersion, Weights: weights}
		of.Files = append(of.Files, byEpoch[epochs[0]-1])
		for _, epoch := range epochs {
			of.Files = append(of.Files, byEpoch[epoch])
		}
		b, err := bucket.EncodeJSON(of)
		if err != nil {
			return nil, err
		}
		out[date] = partitionInputs{mark: max(0, slices.Max(epochs)+1), hash: model.SHA256Hex(b)}
	}
	return out, nil
}

// storedRows returns the rows of every partition in the warehouse, by table.
func storedRows(ctx context.Context, w *warehouse.Warehouse) (map[string]map[int32]int64, error) {
	out := map[string]map[int32]int64{}
	for _, t := range tables.All() {
		out[t.Name] = map[int32]int64{}
		partitions, err := w.Partitions(ctx, t.Name)
		if err != nil && !errors.Is(err, warehouse.ErrNoTable) {
			return nil, err
		}
		for _, p := range partitions {
			out[t.Name][int32(p.Date)] = p.Rows
		}
	}
	return out, nil
}

func (r partitionRecord) sameRows(date int32, stored map[string]map[int32]int64) bool {
	for _, t := range tables.All() {
		if stored[t.Name][date] != r.Rows[t.Name] {
			return false
		}
	}
	return true
}

// Replace writes the stale partitions of every table and remembers their inputs. It may be repeated. It
// leaves a partition that another run meanwhile built up to a later mark.
func Replace(ctx context.Context, b *bucket.Bucket, w *warehouse.Warehouse, stale Stale, d *Daily) error {
	var cursors []*dailyCursor
	for _, t := range tables.All() {
		if err := w.Ensure(ctx, Table(t)); err != nil {
			return err
		}
		cursors = append(cursors, d.cursor(t))
	}
	dates := make([]int32, 0, len(stale))
	for date := range stale {
		dates = append(dates, date)
	}
	slices.Sort(dates)
	for _, date := range dates {
		in := stale[date]
		r, err := readRecord(ctx, b, date)
		if err == nil && r.Mark <= in.mark {
			err = replace(ctx, b, w, date, in, cursors)
		}
		if err != nil {
			return fmt.Errorf("warehouse partition %s: %w", formatDate(date), err)
		}
	}
	return nil
}

func replace(ctx context.Context, b *bucket.Bucket, w *warehouse.Warehouse, date int32, in partitionInputs, cursors []*dailyCursor) error {
	r := partitionRecord{Date: formatDate(date), Mark: in.mark, Inputs: in.hash, Rows: map[string]int64{}}
	for _, c := range cursors {
		rows := c.rows(date)
		n, err := w.ReplacePartition(ctx, c.table, arrow.Date32(date), c.table.Name+"-"+in.hash, rows)
		rows.Release()
		if err != nil {
			return err
		}
		r.Rows[c.table.Name] = n
	}
	_, err := b.PutJSON(ctx, partitionKey(date), r)
	return err
}

// Table converts a declaration for the warehouse.
func Table(t tables.Table) warehouse.Table {
	out := warehouse.Table{Name: t.Name, Description: t.Description, PartitionBy: tables.EpochDate, ClusterBy: t.ClusterBy}
	for _, c := range t.Columns {
		out.Columns = append(out.Columns, warehouse.Column{
			Name: c.Name, Type: warehouse.Type(c.Type), Description: c.Description, Required: true,
		})
	}
	return out
}

// Dates returns the dates of the set, ascending, as YYYY-MM-DD.
func (s Stale) Dates() []string {
	out := make([]string, 0, len(s))
	for date := range s {
		out = append(out, formatDate(date))
	}
	slices.Sort(out)
	return out
}
