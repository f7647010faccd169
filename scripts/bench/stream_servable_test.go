package main

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/anabranch/anabranch/infra/redis"
)

// TestServable: an event is servable with the first commit behind it, and only events of the time asked for count.
func TestServable(t *testing.T) {
	t.Parallel()
	began := time.Now()
	after := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
	fence := redis.Keys{Partition: 1, Namespace: "n"}.Fence()
	clock := producedAt{at: make([][]time.Duration, 2)}
	for offset, ms := range []int{10, 20, 30, 40} {
		clock.set(1, int64(offset)+2, after(ms)) // two records came before
	}
	clock.set(0, 0, after(30)) // nobody has committed it
	log := []commit{{fence, 2, after(5)}, {"another", 9, after(6)}, {fence, 4, after(25)}, {fence, 4, after(26)}, {fence, 6, after(47)}}
	if got, want := clock.servable(log, "n", after(10), after(30)), []float64{5, 17}; !slices.Equal(got, want) {
		t.Errorf("got %v ms, want %v", got, want)
	}
	if got, want := clock.first(), after(10); !got.Equal(want) {
		t.Errorf("the first was produced at %v, want %v", got, want)
	}
	if got := atQuantile([]float64{1, 2, 3, 4}, .5); got != 3 {
		t.Errorf("the upper median is %v", got)
	}
	if got := atQuantile(nil, .5); !math.IsNaN(got) {
		t.Errorf("a quantile of nothing is %v", got)
	}
}
