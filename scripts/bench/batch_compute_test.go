package main

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/anabranch/anabranch/scripts/bench/rawgen"
)

// askCompute does what a process of its own does with a request.
func askCompute(t *testing.T, r computeRequest) (a computeAnswer) {
	t.Helper()
	request, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := runCompute(t.Context(), bytes.NewReader(request), &out); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out.Bytes(), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestCompute measures a night as the parts do: what continues an earlier generation finds what a computation from the
// start finds, and without new rows nothing changes.
func TestCompute(t *testing.T) {
	t.Parallel()
	p := rawgen.Sized(20_000)
	p.Days, p.Partitions, p.Users, p.Items = 4, 2, 100, 300
	a, err := rawgen.Open(t.Context(), t.TempDir(), p, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var asOf [2]int64
	for i := range asOf {
		if asOf[i], err = labelOf(t.Context(), a, a.Marks-1+int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	keep := filepath.Join(t.TempDir(), "kept")
	request := func(n, asOf int64, previous, keep string) computeRequest {
		return computeRequest{Dir: a.Dir, N: n, AsOf: asOf, Scratch: t.TempDir(), Previous: previous, Keep: keep, Facts: keep == ""}
	}
	first := askCompute(t, request(3, asOf[0], "", keep))
	again := askCompute(t, request(3, asOf[0], keep, ""))
	night := askCompute(t, request(4, asOf[1], keep, ""))
	whole := askCompute(t, request(4, asOf[1], "", ""))
	if first.Counts.Rows == 0 || again.Counts != first.Counts || again.Bytes != first.Bytes {
		t.Errorf("from %+v, %d bytes, to %+v, %d bytes without a new row", first.Counts, first.Bytes, again.Counts, again.Bytes)
	}
	if d := cmp.Diff(whole.Facts, night.Facts); d != "" || night.Counts != whole.Counts || night.Bytes != whole.Bytes {
		t.Errorf("a night found %+v, a computation from the start %+v\n%s", night.Counts, whole.Counts, d)
	}
	f := whole.Facts
	if f["user.events_total sum"] != whole.Counts.Events || f["item.item_events_total sum"] != whole.Counts.Events ||
		f["user members"] != 100 || f["item members"] != 300 || f["user.spend_30d cells"] == 0 || f["user.spend_30d sum"] == 0 {
		t.Errorf("counts %+v, facts %v", whole.Counts, f)
	}
	if whole.Usage.CPU <= 0 || whole.Phases["users"] <= 0 || whole.Phases["items"] <= 0 {
		t.Errorf("took %+v, phases %v", whole.Usage, whole.Phases)
	}
	if err := agree(whole.Facts, night.Facts); err != nil {
		t.Error(err)
	}
}

func TestAgree(t *testing.T) {
	t.Parallel()
	ours := facts{"events": 3, "users": 2}
	for _, theirs := range []facts{{"events": 3}, {"events": 4, "users": 2}, {"events": 3, "users": 2, "items": 0}, {"events": 3, "items": 2}} {
		if err := agree(ours, theirs); err == nil {
			t.Errorf("%v and %v agree", ours, theirs)
		}
	}
	if err := agree(ours, facts{"events": 4, "users": 2}); !strings.Contains(err.Error(), "events: 3, DuckDB 4") {
		t.Error(err)
	}
}

func TestLeast(t *testing.T) {
	t.Parallel()
	a := computeAnswer{Usage: usage{CPU: 2, PeakMB: 10}}
	b := computeAnswer{Usage: usage{CPU: 1, PeakMB: 5}}
	if got := least(1, a, b).Usage; got.CPU != 1 || got.PeakMB != 10 {
		t.Errorf("%+v", got)
	}
	if got := least(0, a, b).Usage; got != b.Usage {
		t.Errorf("%+v", got)
	}
}
