package model

import (
	"strings"
	"testing"
	"time"

	"github.com/anabranch/anabranch/schemas/api"
)

func TestParseLabel(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)
	for _, c := range []struct{ in, want, date string }{
		{"2026-11-22", "2026-11-23T00:00:00Z", "2026-11-22"},
		{"2024-02-29", "2024-03-01T00:00:00Z", "2024-02-29"},
		{"2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-22"},
		{"2026-11-23T09:30:00Z", "2026-11-23T09:30:00Z", "2026-11-23"},
		{"2026-11-23T01:00:00+05:00", "2026-11-22T20:00:00Z", "2026-11-22"},
	} {
		label, err := ParseLabel(c.in, now)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if got := label.Format(time.RFC3339Nano); got != c.want || label.Location() != time.UTC {
			t.Errorf("%s is %s, want %s", c.in, got, c.want)
		}
		if got := (Mark{Label: label}).Date(); got != c.date {
			t.Errorf("%s ends the date %s, want %s", c.in, got, c.date)
		}
	}
	for in, says := range map[string]string{
		"2026-11-23":                "2026-11-22", // not over; the last whole day
		"2026-11-23T09:30:01Z":      "not over",
		"2026-11-22T10:00:00.5Z":    "whole seconds",
		"2026-02-30":                "date",
		"":                          "2026-01-31",
		"22.11.2026":                "2026-01-31",
		strings.Repeat("2026-", 99): "bytes",
	} {
		if _, err := ParseLabel(in, now); api.CodeOf(err) != api.Invalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want an invalid error with %q", in, err, says)
		}
	}
}

func TestCounter(t *testing.T) {
	var c Counter
	for _, step := range []struct {
		header string
		counts bool
		epoch  int64
	}{
		{"0", false, 0},
		{"2", false, 0},
		{"01", false, 0},
		{"+1", false, 0},
		{" 1", false, 0},
		{"", false, 0},
		{"1", true, 1},
		{"1", false, 1},
		{"3", false, 1},
		{"2", true, 2},
		{"1", false, 2},
		{"-3", false, 2},
		{"3", true, 3},
	} {
		if got := c.Count(step.header); got != step.counts || c.Epoch != step.epoch {
			t.Fatalf("header %q: counted %v, epoch %d; want %v, %d", step.header, got, c.Epoch, step.counts, step.epoch)
		}
	}
}

func TestMarkKey(t *testing.T) {
	if MarkKey(12) != "marks/00000000000000000012.json" {
		t.Errorf("key %s", MarkKey(12))
	}
	for _, n := range []int64{1, 12, 1 << 62} {
		if got, err := ParseMarkKey(MarkKey(n)); err != nil || got != n {
			t.Errorf("mark %d came back as %d: %v", n, got, err)
		}
	}
	for _, key := range []string{"", MarkKey(0), "marks/1.json", MarkKey(1) + "x", "x" + MarkKey(1), "marks/-0000000000000000001.json"} {
		if n, err := ParseMarkKey(key); err == nil {
			t.Errorf("%q was accepted as %d", key, n)
		}
	}
}
