package ingest

import (
	"bytes"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/anabranch/anabranch/schemas/api"
)

func TestSplit(t *testing.T) {
	tests := []struct {
		name, mediaType, body string
		want                  []string // nil: an error with wantErr in it
		wantErr               string
	}{
		{"one object", typeJSON, ` {"event_id":"e"} `, []string{`{"event_id":"e"}`}, ""},
		{"wrapped", typeJSON, `{"events":[{"a":1}, 2]}`, []string{`{"a":1}`, `2`}, ""},
		{"array", typeJSON, `[{"a":1},"x"]`, []string{`{"a":1}`, `"x"`}, ""},
		{"lines", typeNDJSON, "{\"a\":1}\n\n  {oops\r\n3", []string{`{"a":1}`, `{oops`, `3`}, ""},
		{"no object is left to the record's judge", typeJSON, `"x"`, []string{`"x"`}, ""},
		{"other plural", typeJSON, `{"items":[1]}`, []string{`{"items":[1]}`}, ""},
		{"empty", typeJSON, "", nil, "holds no record"},
		{"blank", typeNDJSON, " \n ", nil, "holds no record"},
		{"empty array", typeJSON, "[]", nil, "holds no record"},
		{"empty wrap", typeJSON, `{"events":[]}`, nil, "holds no record"},
		{"null wrap", typeJSON, `{"events":null}`, nil, "holds no record"},
		{"cut off", typeJSON, `[{"a":1}`, nil, "not strict JSON at byte 8"},
		{"cut off wrap", typeJSON, `{"events":[1`, nil, "not strict JSON"},
		{"wrapped object", typeJSON, `{"events":{}}`, nil, "array of objects is required"},
		{"members beside", typeJSON, `{"events":[1],"x":[]}`, nil, "members beside"},
		{"twice", typeJSON, `{"events":[1],"events":[2]}`, nil, "not strict JSON"},
		{"two values", typeJSON, `[1] [2]`, nil, "not strict JSON"},
		{"a name that is no name", typeJSON, `{1:2}`, nil, "not strict JSON"},
		{"invalid UTF-8", typeJSON, "[\"\xff\"]", nil, "not strict JSON"},
		{"too many", typeJSON, "[" + strings.Repeat("1,", api.MaxBatch) + "1]", nil, "more than 1000 records"},
		{"too many wrapped", typeJSON, `{"events":[` + strings.Repeat("1,", api.MaxBatch) + "1]}", nil, "more than 1000 records"},
		{"too many lines", typeNDJSON, strings.Repeat("1\n", api.MaxBatch+1), nil, "more than 1000 records"},
		{"something after a wrap", typeJSON, `{"events":[1]} 2`, nil, "not strict JSON at byte 14"},
		{"a wrap that ends in nothing", typeJSON, `{"events":[1]`, nil, "not strict JSON"},
		{"a wrap without a value", typeJSON, `{"events":}`, nil, "not strict JSON"},
		{"nested", typeJSON, `[[1, [2]],{"a":{"b":[]}} ]`, []string{`[1, [2]]`, `{"a":{"b":[]}}`}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := split(tt.mediaType, "events", []byte(tt.body))
			if tt.want == nil {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("got %q and error %v, want an error with %q", got, err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprintf("%s", got) != fmt.Sprintf("%s", tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestSplitIsFrugal: what a body costs before it is refused is bounded by the records accepted, not by
// those it holds.
func TestSplitIsFrugal(t *testing.T) {
	ones := strings.Repeat("1,", api.MaxBodyBytes/2-10)
	for mediaType, body := range map[string][]byte{
		typeJSON:              []byte("[" + ones + "1]"),
		typeJSON + " wrapped": []byte(`{"events":[` + ones + "1]}"),
		typeNDJSON:            []byte(strings.Repeat("1\n", api.MaxBodyBytes/2)),
	} {
		mediaType, _, _ = strings.Cut(mediaType, " ")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := split(mediaType, "events", body)
		runtime.ReadMemStats(&after)
		if api.CodeOf(err) != api.TooLarge {
			t.Errorf("%s: got %v", mediaType, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got == 0 || got > 256<<10 {
			t.Errorf("%s: %d bytes are allocated for a body of %d", mediaType, got, len(body))
		}
	}
}

// FuzzBody feeds any body through parsing and judging. Whatever it is: no panic, a classified error
// or 1 to MaxBatch records, an answer that encodes, and every accepted record passes the check that
// the log's readers apply (prepareEvent does it) with the key that its value names.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"event_id":"e","user_id":"u","item_id":"i","type":"view"}`, `{"events":[{"event_time":0}]}`, `[{},[],1,null]`,
		`{"event_id":"ü","user_id":"u","item_id":"i","type":"view","event_time":"9999-12-31T23:59:59Z"}`,
		`{"event_id":"e","user_id":"u","item_id":"i","type":"view","item":{"price":1e308},"context":{"a":"b"}}`, "{\"\xff\":1}", "{}\n{",
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	catalog := NewCatalog()
	_ = catalog.apply([]byte("i"), []byte(`{"item_id":"i","attributes":{"category":"c","price":2}}`), 0)
	h := &Handler{cfg: Config{Catalog: catalog, Partitions: 3, Logger: slog.New(slog.DiscardHandler)}}
	rq := request{received: time.UnixMilli(1_767_261_600_000)}
	f.Fuzz(func(t *testing.T, body []byte, lines bool) {
		mediaType := typeJSON
		if lines {
			mediaType = typeNDJSON
		}
		raw, err := split(mediaType, "events", bytes.Clone(body))
		if err != nil {
			if c := api.CodeOf(err); c != api.Invalid && c != api.TooLarge {
				t.Fatalf("error of code %q: %v", c, err)
			}
			return
		}
		if len(raw) == 0 || len(raw) > api.MaxBatch {
			t.Fatalf("%d records", len(raw))
		}
		answer, records := h.judge(kind{prepare: prepareEvent}, rq, raw)
		for i, r := range records {
			if (r == nil) != (answer.Results[i].Error != nil) {
				t.Fatalf("record %d: %v beside %v", i, r, answer.Results[i].Error)
			}
			if r != nil {
				var e struct {
					UserID string `json:"user_id"`
				}
				if err := json.Unmarshal(r.Value, &e); err != nil || e.UserID != string(r.Key) {
					t.Fatalf("record %d: key %q, value %q: %v", i, r.Key, r.Value, err)
				}
			}
		}
		if _, err := json.Marshal(answer, jsontext.AllowInvalidUTF8(true)); err != nil {
			t.Fatal(err)
		}
	})
}
