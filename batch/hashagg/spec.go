package hashagg

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/anabranch/anabranch/infra/rawparquet/column"
)

// Kind is the type of a key.
type Kind uint8

// The kinds of keys.
const (
	Int Kind = iota
	Text
)

// Op is what an aggregate computes.
type Op uint8

// The aggregates. Without any operand Sum is 0, Min the largest and Max the smallest value of its type
// (infinities for floats): Count of the operand tells. NaN never becomes a Min or Max.
const (
	Count Op = iota // rows, or operands that are not null
	Sum
	Min
	Max
)

// Aggregate is an operation on integers or, where Float is set, on floats. Count has no type.
type Aggregate struct {
	Op    Op
	Float bool
}

// identity is the aggregate of no row.
func (a Aggregate) identity() uint64 {
	switch {
	case a.Op == Min && a.Float:
		return math.Float64bits(math.Inf(1))
	case a.Op == Max && a.Float:
		return math.Float64bits(math.Inf(-1))
	case a.Op == Min:
		return math.MaxInt64
	case a.Op == Max:
		return 1 << 63 // math.MinInt64
	}
	return 0
}

// Spec says what to group by and what to compute: up to 8 keys and 64 aggregates.
type Spec struct {
	Keys       []Kind
	Aggregates []Aggregate
}

func (s Spec) check() error {
	if n := len(s.Keys); n < 1 || n > 8 {
		return fmt.Errorf("hash aggregation by %d keys: 1 to 8 are accepted", n)
	}
	if n := len(s.Aggregates); n > 64 {
		return fmt.Errorf("hash aggregation with %d aggregates: up to 64 are accepted", n)
	}
	for i, k := range s.Keys {
		if k > Text {
			return fmt.Errorf("hash aggregation: key %d is of kind %d: Int and Text are accepted", i, k)
		}
	}
	for i, a := range s.Aggregates {
		if a.Op > Max {
			return fmt.Errorf("hash aggregation: aggregate %d is operation %d: Count, Sum, Min and Max are accepted", i, a.Op)
		}
	}
	return nil
}

// Run is where a table's groups go when memory runs out: written once from its beginning, then read, then
// closed, which must free what it takes. An *os.File whose name was removed is one.
type Run interface {
	io.Writer
	io.ReaderAt
	io.Closer
}

// Options bound a table. The zero value never spills.
type Options struct {
	MemoryBytes int64               // of a table, at which it spills; 0: no bound
	Spill       func() (Run, error) // needed where MemoryBytes is set
}

// Key is a column to group by: Text for a key of kind Text, else Ints, which knows no null. Rows whose text is null
// are a group of their own.
type Key struct {
	Text *column.Text
	Ints []int64
}

// Operand is a column to aggregate: Floats for an Aggregate with Float, else Ints. Count needs none. Where
// Valid is not nil, rows whose flag is false are not aggregated.
type Operand struct {
	Ints   []int64
	Floats []float64
	Valid  []bool
}

// Batch is some rows by columns, in the order of the Spec.
type Batch struct {
	Rows     int
	Keys     []Key
	Operands []Operand
	Valid    []bool // nil, or false for rows to leave out
}

// check makes sure that no loop over the batch leaves a column.
func (b *Batch) check(s *Spec) error {
	if len(b.Keys) != len(s.Keys) || len(b.Operands) != len(s.Aggregates) {
		return fmt.Errorf("a batch of %d keys and %d operands, expected %d and %d", len(b.Keys), len(b.Operands), len(s.Keys), len(s.Aggregates))
	}
	if b.Valid != nil && len(b.Valid) < b.Rows {
		return errors.New("a batch with fewer flags than rows")
	}
	for i, k := range s.Keys {
		n := len(b.Keys[i].Ints)
		if t := b.Keys[i].Text; k == Text && t != nil {
			n = t.Values.Len()
			if t.IDs != nil {
				n = len(t.IDs)
			}
		}
		if n < b.Rows {
			return fmt.Errorf("key %d has %d rows of %d", i, n, b.Rows)
		}
	}
	for i, a := range s.Aggregates {
		o := &b.Operands[i]
		n := len(o.Ints)
		if a.Float {
			n = len(o.Floats)
		}
		if a.Op != Count && n < b.Rows || o.Valid != nil && len(o.Valid) < b.Rows {
			return fmt.Errorf("operand %d has fewer than %d rows", i, b.Rows)
		}
	}
	return nil
}
