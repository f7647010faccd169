package main

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/scripts/bench/rawgen"
)

func TestChooseParts(t *testing.T) {
	t.Parallel()
	nothing := func(context.Context, *report, []float64, *slog.Logger) error { return nil }
	parts := []batchPart{{"one", nothing}, {"two", nothing}, {"three", nothing}}
	names := func(list string) string {
		chosen, err := choose(parts, func(p batchPart) string { return p.name }, list)
		if err != nil {
			return err.Error()
		}
		var out []string
		for _, p := range chosen {
			out = append(out, p.name)
		}
		return strings.Join(out, " ")
	}
	for list, want := range map[string]string{"": "one two three", "two": "two", "three,one": "three one"} {
		if got := names(list); got != want {
			t.Errorf("%q chose %s, expected %s", list, got, want)
		}
	}
	if got := names("four"); !strings.Contains(got, "one,two,three") {
		t.Errorf("a part that is not there: %s", got)
	}
}

func TestBatchScales(t *testing.T) {
	t.Parallel()
	for list, want := range map[string][]float64{"": {1}, "0.25,1,4": {.25, 1, 4}} {
		if got, err := batchScales(list); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%q: %v, %v", list, got, err)
		}
	}
	for _, list := range []string{"0", "x", "1,,4", "-1", "1e9"} {
		if got, err := batchScales(list); err == nil {
			t.Errorf("%q gave %v", list, got)
		}
	}
	if a, b := scaleName("x", 1), scaleName("x", .25); a != "x" || b != "x_x0.25" {
		t.Error(a, b)
	}
}

// TestGroupBy compares the measured pass with maps over rows.
func TestGroupBy(t *testing.T) {
	t.Parallel()
	p := rawgen.Sized(40_000)
	p.Days, p.Partitions, p.Users, p.Items = 3, 2, 300, 500
	a, err := rawgen.Open(t.Context(), t.TempDir(), p, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := a.Objects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	type key struct {
		item string
		day  int64
	}
	counts, sums := map[key]int64{}, map[key]float64{}
	for _, o := range objects {
		_, err := rawparquet.ReadVerified(t.Context(), a.Bucket, o.Key, o.Bytes, o.SHA256, nil, func(b rawparquet.Batch) error {
			for r := range b.Rows {
				if r.Reject != nil {
					continue
				}
				k := key{*r.ItemID, *r.EventTime / 86_400_000}
				counts[k]++
				if r.Value != nil {
					sums[k] += *r.Value
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var want grouped
	for k, n := range counts {
		item, err := strconv.ParseInt(k.item[1:], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		want.add(item, k.day, n, sums[k])
	}
	got, err := groupByOurs(t.Context(), a)
	if err != nil || got != want {
		t.Errorf("%+v, expected %+v: %v", got, want, err)
	}
}
