package jobs

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anabranch/anabranch/schemas/api"
)

// TestSchedule runs a few days of nights on virtual time, which begins at midnight of 2000-01-01.
func TestSchedule(t *testing.T) {
	const at = 10 * time.Minute
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	away := api.Errorf(api.Unavailable, "the archive is away")
	for name, x := range map[string]struct {
		answers []error // of the calls in turn, then nil
		days    int
		want    []time.Duration // calls, after the start
	}{
		"every day, and before that the one that may have been missed": {
			days: 3, want: []time.Duration{0, at, day + at, 2*day + at},
		},
		"tried again with longer pauses": {
			answers: []error{nil, away, errors.New("something else"), api.Errorf(api.Locked, "somebody else")}, days: 1,
			want: []time.Duration{0, at, at + 2*time.Minute, at + 5*time.Minute, at + 9*time.Minute + 30*time.Second},
		},
		"a refusal is not tried again": {
			answers: []error{nil, api.Errorf(api.Gate, "too few rows"), api.Errorf(api.Invalid, "labels only rise")}, days: 2,
			want: []time.Duration{0, at, day + at},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithDeadline(t.Context(), start.Add(time.Duration(x.days)*day))
				defer cancel()
				var calls []time.Duration
				var labels []time.Time
				s := schedule{at: at, now: time.Now, log: slog.New(slog.DiscardHandler), night: func(_ context.Context, label time.Time) error {
					calls, labels = append(calls, time.Since(start)), append(labels, label)
					if n := len(calls); n <= len(x.answers) {
						return x.answers[n-1]
					}
					return nil
				}}
				if err := s.run(ctx); err != nil {
					t.Error(err)
				}
				if !slices.Equal(calls, x.want) {
					t.Errorf("called after %v, want %v", calls, x.want)
				}
				for i, label := range labels {
					if want := start.Add(calls[i] - at).Truncate(day); !label.Equal(want) {
						t.Errorf("after %s the label is %s, want %s", calls[i], label, want)
					}
				}
			})
		})
	}
}

// TestScheduleGivesUp: a night that fails all day ends when the next one's time comes.
func TestScheduleGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*day-time.Second)
		defer cancel()
		byLabel := map[time.Time]int{}
		s := schedule{now: time.Now, log: slog.New(slog.DiscardHandler), night: func(_ context.Context, label time.Time) error {
			if byLabel[label]++; label.After(time.Now()) || time.Since(label) > day {
				t.Errorf("the night of %s is run at %s", label, time.Now())
			}
			return errors.New("it never works")
		}}
		if err := s.run(ctx); err != nil {
			t.Error(err)
		}
		for label, n := range byLabel {
			if n < 40 || n > 60 {
				t.Errorf("the night of %s was tried %d times", label, n)
			}
		}
		if len(byLabel) != 3 {
			t.Errorf("%d nights", len(byLabel))
		}
	})
}
