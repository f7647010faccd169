package quality

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/anabranch/anabranch/batch/materialize"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/infra/rawparquet/column"
)

// Rowset says which rows are looked at.
type Rowset struct {
	Bucket *bucket.Bucket
	Files  []materialize.File
	Items  func(id []byte) bool // whether the catalogue has it; nil where there is no catalogue: every item is known
	AsOf   int64                // Unix ms: what the age of the newest record is measured to

	MaxEvents int64 // how many event ids are compared with each other; 0 means DefaultMaxEvents
}

// DefaultMaxEvents takes up to 128 MB. Of more rows one event id in so many is looked at, with all of its repetitions.
const DefaultMaxEvents = 4 << 20

// columns are those that are looked at.
var columns = []string{"offset", "log_time", "event_id", "user_id", "item_id", "type", "event_time", "value", "session_id", "category", "price", "reject"}

// Scan reads the rows once and measures them. It holds a hash of every user, of every item and of up to MaxEvents events.
func Scan(ctx context.Context, r Rowset, gates Gates) (Profile, error) {
	scanner, err := rawparquet.NewScanner(columns)
	if err != nil {
		return Profile{}, err
	}
	s := newScan(r, gates)
	for i := range r.Files {
		f := &r.Files[i]
		_, err := scanner.ScanVerified(ctx, r.Bucket, f.Key, f.Bytes, f.SHA256, func(g *rawparquet.Group) error {
			s.group(f, g)
			return ctx.Err()
		})
		if err != nil {
			return Profile{}, fmt.Errorf("measure the rows of the night: %w", err)
		}
	}
	return s.finish(), nil
}

// scan is a profile in the making.
type scan struct {
	rowset  Rowset
	checks  []*check
	profile Profile

	rows, rejected       int64
	newest               int64 // log time
	users, items, events hashes
	every                uint64 // one event id in so many is looked at
	sums                 map[string]*summary
	nulls                map[string]int64
}

// summary is of a column of numbers.
type summary struct {
	n              int64
	min, max, mean float64
}

func (s *summary) add(x float64) {
	if s.n == 0 {
		s.min, s.max = x, x
	}
	s.n++
	n := float64(s.n)
	s.min, s.max, s.mean = min(s.min, x), max(s.max, x), s.mean*((n-1)/n)+x/n // a sum could overflow
}

func newScan(r Rowset, gates Gates) *scan {
	s := &scan{rowset: r, newest: math.MinInt64, sums: map[string]*summary{}, nulls: map[string]int64{}}
	s.profile = Profile{Metrics: map[string]float64{}, Rejects: map[string]int64{}, Shapes: map[string]map[string]int64{}}
	for _, c := range numbers {
		s.sums[c] = &summary{}
	}
	var rows int64
	for i := range r.Files {
		rows += r.Files[i].Rows
		s.profile.Imported = s.profile.Imported || r.Files[i].Import >= 0
	}
	most := r.MaxEvents
	if most <= 0 {
		most = DefaultMaxEvents
	}
	s.every = uint64(max(1, (rows+most-1)/most))
	for _, g := range gates.Input {
		if g.Rows != nil {
			s.checks = append(s.checks, &check{Rows: g.Rows, found: Finding{Gate: g.Name}})
		}
	}
	return s
}

// group measures a row group.
func (s *scan) group(f *materialize.File, g *rawparquet.Group) {
	for i := range g.Rows {
		s.rows++
		if f.Import < 0 { // imported history is as old as it is
			s.newest = max(s.newest, g.LogTime.Values[i])
		}
		x := row{rejected: !g.Reject.Null(i)}
		if x.rejected {
			s.rejected++
			s.profile.Rejects[string(g.Reject.At(i))]++
		} else {
			s.row(g, i, &x)
		}
		for _, c := range s.checks {
			if c.violates(g, i, x, s.rowset.Items) {
				c.note(f.Key, g.Offset.Values[i])
			}
		}
	}
}

// row is what is known of a row beside its columns.
type row struct {
	rejected bool
	compared bool // its event id is one of those that are looked at
	repeated bool // and its user had it before
}

// row measures a row that is no rejected one.
func (s *scan) row(g *rawparquet.Group, i int, x *row) {
	user := xxhash.Sum64(g.UserID.At(i))
	s.users.add(user)
	s.items.add(xxhash.Sum64(g.ItemID.At(i)))
	if event := user*31 + xxhash.Sum64(g.EventID.At(i)); event%s.every == 0 {
		x.compared, x.repeated = true, !s.events.add(event)
	}
	s.profile.count("type", string(g.Type.At(i)))
	s.profile.count("hour", fmt.Sprintf("%02d", (g.EventTime.Values[i]/3_600_000%24+24)%24))
	for _, c := range numbers {
		if f := floatsOf(g, c); f.Null(i) {
			s.nulls[c]++
		} else {
			s.sums[c].add(f.Values[i])
			s.profile.count(c, bucketOf(f.Values[i]))
		}
	}
	for _, c := range []string{"category", "session_id"} {
		if textOf(g, c).Null(i) {
			s.nulls[c]++
		}
	}
}

func (s *scan) finish() Profile {
	accepted := s.rows - s.rejected
	m := s.profile.Metrics
	m["rows"], m["accepted"], m["rejected"] = float64(s.rows), float64(accepted), float64(s.rejected)
	m["reject_rate"] = rate(s.rejected, s.rows)
	m["users"], m["items"] = float64(s.users.n), float64(s.items.n)
	if s.newest > math.MinInt64 {
		m["age_hours"] = float64(s.rowset.AsOf-s.newest) / 3_600_000
	}
	for _, c := range nullable {
		m["null_rate."+c] = rate(s.nulls[c], accepted)
	}
	for _, c := range numbers {
		if x := s.sums[c]; x.n > 0 {
			m["min."+c], m["max."+c], m["mean."+c] = x.min, x.max, x.mean
		}
	}
	for _, c := range s.checks {
		s.profile.Findings = append(s.profile.Findings, c.found)
	}
	return s.profile
}

func rate(n, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

func floatsOf(g *rawparquet.Group, name string) *column.Floats {
	if name == "price" {
		return g.Price
	}
	return g.Value
}

func textOf(g *rawparquet.Group, name string) *column.Text {
	switch name {
	case "type":
		return g.Type
	case "category":
		return g.Category
	case "item_id":
		return g.ItemID
	}
	return g.SessionID
}

// check is a gate about rows at work.
type check struct {
	*Rows
	found Finding
}

func (c *check) note(object string, offset int64) {
	c.found.Violate++
	if len(c.found.Examples) < maxExamples {
		c.found.Examples = append(c.found.Examples, Place{object, offset})
	}
}

// violates looks at a row. Conditions on columns are about accepted rows; bounds and lists about values that are there.
func (c *check) violates(g *rawparquet.Group, i int, x row, known func([]byte) bool) bool {
	if x.rejected && !c.Accepted || c.Unique && !x.compared {
		return false
	}
	c.found.Rows++
	switch {
	case c.Accepted:
		return x.rejected
	case c.Unique:
		return x.repeated
	case c.Known:
		return known != nil && !known(g.ItemID.At(i))
	case c.NotNull && slices.Contains(numbers, c.Column):
		return floatsOf(g, c.Column).Null(i)
	case c.NotNull:
		return textOf(g, c.Column).Null(i)
	case len(c.In) > 0:
		t := textOf(g, c.Column)
		return !t.Null(i) && !slices.Contains(c.In, string(t.At(i)))
	}
	f := floatsOf(g, c.Column)
	return !f.Null(i) && !within(f.Values[i], c.Min, c.Max)
}
