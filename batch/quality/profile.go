package quality

import (
	"maps"
	"math"
	"math/bits"
	"slices"
	"strconv"
)

// Profile is what the rows that a night takes in are like. It follows from them and from the gates about rows.
type Profile struct {
	Metrics  map[string]float64          `json:"metrics"`
	Imported bool                        `json:"imported,omitzero"`  // with imported history: no measure for other nights
	Rejects  map[string]int64            `json:"rejects,omitempty"`  // rejected records by reason
	Shapes   map[string]map[string]int64 `json:"shapes,omitempty"`   // rows by bucket, of what may drift
	Findings []Finding                   `json:"findings,omitempty"` // of the gates about rows, in their order
}

// Finding is how a gate about rows fared.
type Finding struct {
	Gate     string  `json:"gate"`
	Rows     int64   `json:"rows"`    // that were looked at
	Violate  int64   `json:"violate"` // for which it does not hold
	Examples []Place `json:"examples,omitempty"`
}

// Place is a row of the raw archive.
type Place struct {
	Object string `json:"object"`
	Offset int64  `json:"offset"`
}

// maxExamples is how many rows a finding names.
const maxExamples = 10

// drifting are the columns whose distribution is compared with that of earlier nights.
var drifting = []string{"type", "value", "price", "hour"}

// maxShape bounds the buckets of a column; what comes later counts as others.
const (
	maxShape = 200
	others   = "(others)"
)

func (p *Profile) count(column, bucket string) {
	s := p.Shapes[column]
	if s == nil {
		s = map[string]int64{}
		p.Shapes[column] = s
	}
	if _, there := s[bucket]; !there && len(s) >= maxShape {
		bucket = others
	}
	s[bucket]++
}

// bucketOf puts a number into a bucket of half an octave, named by its lower bound's exponent.
func bucketOf(x float64) string {
	if x == 0 {
		return "0"
	}
	sign := ""
	if x < 0 {
		sign, x = "-", -x
	}
	return sign + "2^" + strconv.FormatFloat(math.Floor(2*math.Log2(x))/2, 'g', -1, 64)
}

// drift is the population stability index between two counts of rows by bucket, half a row added to each.
func drift(now, before map[string]int64) float64 {
	keys := map[string]int64{}
	maps.Copy(keys, now)
	maps.Copy(keys, before)
	var nowRows, beforeRows int64
	for _, n := range now {
		nowRows += n
	}
	for _, n := range before {
		beforeRows += n
	}
	if nowRows == 0 || beforeRows == 0 {
		return 0
	}
	extra, sum := float64(len(keys))/2, 0.0
	for _, k := range slices.Sorted(maps.Keys(keys)) { // in an order, for the same last bit
		p := (float64(now[k]) + .5) / (float64(nowRows) + extra)
		q := (float64(before[k]) + .5) / (float64(beforeRows) + extra)
		sum += (p - q) * math.Log(p/q)
	}
	return sum
}

// Drift adds the numbers that compare the profile with those of the nights before.
func (p *Profile) Drift(before []Profile) {
	for _, c := range drifting {
		sum := map[string]int64{}
		for _, b := range before {
			for k, n := range b.Shapes[c] {
				sum[k] += n
			}
		}
		p.Metrics["psi."+c] = drift(p.Shapes[c], sum)
	}
}

// hashes is a set of hashes: open addressing, at most half full.
type hashes struct {
	slots []uint64
	n     int
}

// add enters a hash and reports whether it is new. 0 is entered as 1.
func (h *hashes) add(x uint64) bool {
	x = max(x, 1)
	if 2*h.n >= len(h.slots) {
		old := h.slots
		h.slots = make([]uint64, max(1024, 2*len(old)))
		h.n = 0
		for _, o := range old {
			if o != 0 {
				h.add(o)
			}
		}
	}
	shift := 64 - bits.Len(uint(len(h.slots)-1))
	for at := int(x * 0x9e3779b97f4a7c15 >> shift); ; at = (at + 1) & (len(h.slots) - 1) {
		switch h.slots[at] {
		case x:
			return false
		case 0:
			h.slots[at] = x
			h.n++
			return true
		}
	}
}
