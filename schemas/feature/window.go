package feature

import (
	"fmt"
	"strconv"
)

// Window is a length of event time in milliseconds, or Lifetime.
type Window int64

// Units of a window, and the one that never ends.
const (
	Minute   Window = 60_000
	Hour            = 60 * Minute
	Day             = 24 * Hour
	Lifetime Window = -1
)

// Tile returns the tile size w of the window W: 5m up to 6h, 1h up to 2d, 1d beyond. A window read
// at t takes whole tiles, from the one that contains t − W to the one that contains t, so it covers
// between W and W + w. Lifetime is a single tile, for which 0 is returned.
func (w Window) Tile() int64 {
	switch {
	case w == Lifetime:
		return 0
	case w <= 6*Hour:
		return int64(5 * Minute)
	case w <= 2*Day:
		return int64(Hour)
	}
	return int64(Day)
}

// ParseWindow reads 1h … 365d, or lifetime.
func ParseWindow(s string) (Window, error) {
	if s == "lifetime" {
		return Lifetime, nil
	}
	if len(s) > 1 {
		unit := map[byte]Window{'h': Hour, 'd': Day}[s[len(s)-1]]
		n, err := strconv.Atoi(s[:len(s)-1])
		if unit != 0 && err == nil && n > 0 && n <= 365*24 {
			if w := Window(n) * unit; w <= 365*Day {
				return w, nil
			}
		}
	}
	return 0, fmt.Errorf("window %q: accepted are 1h … 365d in whole hours or days, and lifetime", s)
}

// String returns the window as ParseWindow reads it.
func (w Window) String() string {
	switch {
	case w == Lifetime:
		return "lifetime"
	case w%Day == 0:
		return fmt.Sprintf("%dd", w/Day)
	}
	return fmt.Sprintf("%dh", w/Hour)
}
