//go:build integration

package sqltest

import (
	"testing"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
)

// columns are those of the raw archive that queries read, with the place in the log.
var columns = []column{
	{"event_id", "STRING"},
	{"user_id", "STRING"},
	{"item_id", "STRING"},
	{"type", "STRING"},
	{"value", "FLOAT64"},
	{"event_time", "INT64"},
	{"session_id", "STRING"},
	{"context", "STRING"},
	{"properties", "STRING"},
	{"category", "STRING"},
	{"price", "FLOAT64"},
	{"reject", "STRING"},
	{"log_time", "INT64"},
	{"epoch", "INT64"},
	{"seq", "INT64"},
}

// rows are the raw rows of a log, with an invalid record after every tenth.
func rows(t *testing.T, log []oracle.Record) [][]any {
	t.Helper()
	var out [][]any
	for i, r := range log {
		raw, err := event.RawEvent(event.Position{Offset: int64(i)}, event.Millis(r.LogTime), &r.Event)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, []any{
			raw.EventID, raw.UserID, raw.ItemID, raw.Type, raw.Value, raw.EventTime, raw.SessionID, raw.Context,
			raw.Properties, raw.Category, raw.Price, nil, raw.LogTime, r.Epoch, r.Seq,
		})
		if i%10 == 9 {
			out = append(out, []any{nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, "malformed", r.LogTime, r.Epoch, r.Seq + 1})
		}
	}
	return out
}
