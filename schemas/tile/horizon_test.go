package tile_test

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/schemas/tile"
)

// TestHorizon: a view is pruned as of an instant that is less than Turns days and one before the night's, is a turn's
// alone, and does not fall while nights go on.
func TestHorizon(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		asOf := rapid.Int64Range(-1000*day, 100_000*day).Draw(t, "as of")
		later := asOf + rapid.Int64Range(0, 20*day).Draw(t, "later")
		horizons := map[int64]bool{}
		for turn := tile.Turn(0); turn < tile.Turns; turn++ {
			h := turn.Horizon(asOf)
			if h > asOf || asOf-h >= tile.Turns*day || h%day != 0 || turn.Horizon(h) != h {
				t.Errorf("turn %d: the horizon of %d is %d", turn, asOf, h)
			}
			if next := turn.Horizon(later); next < h || (next-h)%(tile.Turns*day) != 0 || next != h && later-h < tile.Turns*day {
				t.Errorf("turn %d: the horizon of %d is %d, that of %d is %d", turn, asOf, h, later, next)
			}
			horizons[h] = true
		}
		if len(horizons) != tile.Turns || slices.Min(slices.Collect(maps.Keys(horizons))) != tile.FirstHorizon(asOf) {
			t.Errorf("%d turns have the horizons %v at %d", tile.Turns, horizons, asOf)
		}
		if h := tile.EveryNight.Horizon(asOf); h != asOf {
			t.Errorf("every night has the horizon %d at %d", h, asOf)
		}
	})
}

// TestTurnOf pins the turns: they decide which tiles are in the views of a generation.
func TestTurnOf(t *testing.T) {
	for id, want := range map[string]tile.Turn{"": 9, "u1": 15, "u2": 3, "user-00000042": 15, "ü": 13} {
		if got := tile.TurnOf([]byte(id)); got != want {
			t.Errorf("the turn of %q is %d, want %d", id, got, want)
		}
	}
}
