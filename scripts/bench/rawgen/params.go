package rawgen

import (
	"fmt"
	"time"
)

// TopicID is the topic of every generated archive.
const TopicID = "5eed5eed5eed5eed5eed5eed5eed5eed"

// firstDay is the day of epoch 0.
var firstDay = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// Params say what to generate. All must be positive, Duplicates may be 0.
type Params struct {
	Rows       int64  `json:"rows"` // valid, rejected and repeated records together
	Days       int    `json:"days"` // epochs, from 2026-03-01
	Partitions int32  `json:"partitions"`
	Users      int    `json:"users"`
	Items      int    `json:"items"`
	Duplicates int    `json:"duplicates"` // repeated records in ten thousand
	Seed       uint64 `json:"seed"`
}

// Sized returns the parameters that the suite uses for a number of rows: a month of a shop with 280,000
// items and one user per fifty rows, one record in a hundred repeated.
func Sized(rows int64) Params {
	return Params{Rows: rows, Days: 30, Partitions: 8, Users: int(max(rows/50, 1)), Items: 280_000, Duplicates: 100, Seed: 1}
}

// check names the first field that is out of range.
func (p Params) check() error {
	for _, f := range []struct {
		name       string
		value, max int64
	}{
		{"rows", p.Rows, 1 << 36},
		{"days", int64(p.Days), 10_000},
		{"partitions", int64(p.Partitions), 4096},
		{"users", int64(p.Users), 1 << 28},
		{"items", int64(p.Items), 1 << 28},
	} {
		if f.value < 1 || f.value > f.max {
			return fmt.Errorf("generate a raw archive: %s is %d: 1 to %d is accepted", f.name, f.value, f.max)
		}
	}
	if p.Duplicates < 0 || p.Duplicates > 5000 {
		return fmt.Errorf("generate a raw archive: duplicates is %d: 0 to 5000 in ten thousand is accepted", p.Duplicates)
	}
	return nil
}

// name is the folder of an archive. Raise the version when the same parameters give other rows.
func (p Params) name() string {
	return fmt.Sprintf("raw-v1-rows%d-days%d-parts%d-users%d-items%d-dup%d-seed%d",
		p.Rows, p.Days, p.Partitions, p.Users, p.Items, p.Duplicates, p.Seed)
}

// bytesPerRow is what a row takes on disk: measured at 50 million rows.
const bytesPerRow = 24

// DiskBytes returns about how much disk the archive will take.
func (p Params) DiskBytes() int64 { return p.Rows * bytesPerRow }

// dayStart returns the first instant of day n, Unix ms.
func dayStart(n int) int64 { return firstDay.AddDate(0, 0, n).UnixMilli() }
