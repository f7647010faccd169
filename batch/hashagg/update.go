package hashagg

import "math"

// update aggregates an operand into word at of the vector's rows. Every operation has a loop of its own.
func (t *Table) update(a Aggregate, at int, o *Operand) {
	if a.Op == Count {
		t.count(at, o.Valid)
		return
	}
	if a.Float {
		fold(t, at, o.Floats, o.Valid, floatStep(a.Op))
		return
	}
	switch a.Op {
	case Sum:
		t.sumInts(at, o.Ints, o.Valid)
	default:
		fold(t, at, o.Ints, o.Valid, intStep(a.Op))
	}
}

// cell returns where word at of a row is.
func (t *Table) cell(ref uint32, at int) *uint64 {
	return &t.rows[ref>>chunkLog][int(ref%chunkRows)*t.stride+at]
}

func (t *Table) count(at int, valid []bool) {
	if valid == nil {
		for _, ref := range t.refs[:len(t.sel)] {
			*t.cell(ref, at)++
		}
		return
	}
	for j, r := range t.sel {
		if valid[r] {
			*t.cell(t.refs[j], at)++
		}
	}
}

func (t *Table) sumInts(at int, values []int64, valid []bool) {
	for j, r := range t.sel {
		if valid == nil || valid[r] {
			*t.cell(t.refs[j], at) += uint64(values[r])
		}
	}
}

func fold[T any](t *Table, at int, values []T, valid []bool, step func(state uint64, v T) uint64) {
	for j, r := range t.sel {
		if valid == nil || valid[r] {
			c := t.cell(t.refs[j], at)
			*c = step(*c, values[r])
		}
	}
}

func floatStep(op Op) func(uint64, float64) uint64 {
	switch op {
	case Sum:
		return func(s uint64, v float64) uint64 { return math.Float64bits(math.Float64frombits(s) + v) }
	case Min:
		return func(s uint64, v float64) uint64 {
			if v < math.Float64frombits(s) {
				return math.Float64bits(v)
			}
			return s
		}
	}
	return func(s uint64, v float64) uint64 {
		if v > math.Float64frombits(s) {
			return math.Float64bits(v)
		}
		return s
	}
}

func intStep(op Op) func(uint64, int64) uint64 {
	if op == Min {
		return func(s uint64, v int64) uint64 { return uint64(min(int64(s), v)) }
	}
	return func(s uint64, v int64) uint64 { return uint64(max(int64(s), v)) }
}

// join merges two states of an aggregate.
func (a Aggregate) join(s, x uint64) uint64 {
	switch {
	case a.Op == Count || a.Op == Sum && !a.Float:
		return s + x
	case a.Float:
		return floatStep(a.Op)(s, math.Float64frombits(x))
	}
	return intStep(a.Op)(s, int64(x))
}
