// Package model holds the formats that tie the layers together: marks and cuts, the index of the
// raw archive, and the generation with its manifest and pointer. All of it is data and pure
// functions over data; who reads and writes the objects is in stream, batch and serving.
//
// The words (DESIGN §3): a mark is a barrier in the log; an epoch is what lies between two marks; a
// cut is where a mark lies in every partition; a generation is everything that batch derived from
// the records before a cut; the floor is the least cut that anything still retained needs.
package model

import (
	"fmt"
	"strconv"
	"time"

	"github.com/anabranch/anabranch/schemas/api"
)

// Mark is the object behind mark n. Label is the UTC instant that it closes, Start when it was made.
type Mark struct {
	N     int64     `json:"n"`
	Label time.Time `json:"label"`
	Start time.Time `json:"start"`
}

// MarkPrefix is where mark objects live.
const MarkPrefix = "marks/"

// MarkKey returns the key of mark n's object.
func MarkKey(n int64) string { return fmt.Sprintf("%s%020d.json", MarkPrefix, n) }

// Date returns the warehouse date of the epoch that the mark closes: the date that its label ends.
func (m Mark) Date() string { return DateOf(m.Label) }

// ParseMarkKey returns the number of a key of MarkKey.
func ParseMarkKey(key string) (n int64, err error) {
	if _, err := fmt.Sscanf(key, MarkPrefix+"%d.json", &n); err != nil || n < 1 || MarkKey(n) != key {
		return 0, fmt.Errorf("mark key %q: not spelled as %q", key, MarkKey(1))
	}
	return n, nil
}

// DateOf returns the date that a label ends, YYYY-MM-DD: midnight ends the day before it.
func DateOf(label time.Time) string { return label.Add(-time.Nanosecond).UTC().Format(time.DateOnly) }

// Yesterday is the name of the last day that is over, UTC.
const Yesterday = "yesterday"

// ParseLabel reads a date (its end is the label), Yesterday, or an RFC 3339 instant with whole seconds. A label
// after now is refused: what is not over cannot be closed.
func ParseLabel(s string, now time.Time) (time.Time, error) {
	if s == Yesterday {
		return now.UTC().Truncate(24 * time.Hour), nil
	}
	label, err := time.Parse(time.DateOnly, s)
	if err == nil {
		label = label.AddDate(0, 0, 1)
	} else if label, err = time.Parse(time.RFC3339, s); err != nil {
		return time.Time{}, api.Errorf(api.Invalid, "date %s: a date such as 2026-01-31, yesterday, or an instant such as 2026-01-31T10:00:00Z is accepted", api.Clip(s))
	}
	label = label.UTC()
	if label.Nanosecond() != 0 {
		return time.Time{}, api.Errorf(api.Invalid, "date %s: whole seconds are accepted", api.Clip(s))
	}
	if label.After(now) {
		return time.Time{}, api.Errorf(api.Invalid, "date %s ends at %s, which is not over yet: the last whole day is %s",
			s, label.Format(time.RFC3339), now.UTC().AddDate(0, 0, -1).Format(time.DateOnly))
	}
	return label, nil
}

// Counter counts the marks of one partition: a record with the mark header counts only when it
// carries the number after the last counted one, in plain decimal. Epoch is that last number.
type Counter struct {
	Epoch int64
}

// Count takes the header's text and reports whether the record is the next mark.
func (c *Counter) Count(header string) bool {
	if header != strconv.FormatInt(c.Epoch+1, 10) {
		return false
	}
	c.Epoch++
	return true
}

// Cut is where a mark lies: partition → offset of the mark's record.
type Cut map[int32]int64
