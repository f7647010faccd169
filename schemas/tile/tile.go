// Package tile is the heart of the exact join (DESIGN §3): how events become tiles of event time
// inside buckets of epochs, how a live state and a batch view are encoded, and how both are joined
// and read at an instant. It is pure; stream, batch and serving all use it.
//
// # Shape
//
// A [Plan] is compiled from the catalogue for one entity. Its features read series: a series is what
// features of the same filter, aggregate, field and tile width keep, whatever their windows. A
// [Series] is its cells, by (tile, key); a [Bucket] holds a series each. A live [State] has a bucket
// for each open epoch; a batch view is one bucket with everything before its cut.
//
// # Join
//
// A served value is the view ⊕ the live buckets of epochs ≥ cut. A record has exactly one epoch, so
// every event counts once, however late it is. [Reader] computes that straight from the encodings.
//
// # Writing
//
// Engines turn an event into a [Row], which holds the fields that the plan needs, and add it to a
// bucket with [Plan.Update]. schemas/tile/oracle says the same in naive loops; every engine answers
// to it.
package tile

import (
	"github.com/anabranch/anabranch/schemas/feature"
)

// Start returns the start of the tile of width w that contains t; a lifetime tile (w = 0) starts at 0.
func Start(t, w int64) int64 { return number(t, w) * w }

// number returns the number of the tile of width w that contains t.
func number(t, w int64) int64 {
	if w == 0 {
		return 0
	}
	n := t / w
	if t%w < 0 {
		n--
	}
	return n
}

// reach returns the numbers of the first and the last tile of a window read at t.
func reach(w feature.Window, t int64) (from, to int64) {
	width := w.Tile()
	if width == 0 {
		return 0, 0
	}
	return number(t-int64(w), width), number(t, width)
}

// Seq orders records as their positions do: by partition, then offset. Imported rows come before every
// live record.
func Seq(partition int32, offset int64) int64 { return int64(partition)<<44 | offset }

// ImportSeq is Seq for a row of the ordinal-th imported file (by file hash).
func ImportSeq(ordinal int, row int64) int64 { return -1<<62 + int64(ordinal)<<40 + row }
