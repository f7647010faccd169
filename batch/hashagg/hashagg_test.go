package hashagg_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/batch/hashagg"
	"github.com/anabranch/anabranch/infra/rawparquet/column"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a Run that counts how many are open.
type memory struct {
	data []byte
	open *int
	fail error
}

func (m *memory) Write(b []byte) (int, error) {
	if m.fail != nil {
		return 0, m.fail
	}
	m.data = append(m.data, b...)
	return len(b), nil
}

func (m *memory) ReadAt(b []byte, at int64) (int, error) {
	n := copy(b, m.data[min(at, int64(len(m.data))):])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (m *memory) Close() error {
	*m.open--
	return nil
}

// row is a row of the test's relation: two keys, three operands.
type row struct {
	name  *string
	day   int64
	n     int64
	x     float64
	valid bool // of n and x
	out   bool // left out
}

type key struct {
	name string // "-" for null, else "+" and the text
	day  int64
}

// sums are the aggregates as a loop computes them.
type sums struct {
	Rows, Valid, Sum, Min, Max int64
	FSum, FMin, FMax           float64
}

func spec() hashagg.Spec {
	return hashagg.Spec{
		Keys: []hashagg.Kind{hashagg.Text, hashagg.Int},
		Aggregates: []hashagg.Aggregate{
			{Op: hashagg.Count},
			{Op: hashagg.Count},
			{Op: hashagg.Sum},
			{Op: hashagg.Min},
			{Op: hashagg.Max},
			{Op: hashagg.Sum, Float: true},
			{Op: hashagg.Min, Float: true},
			{Op: hashagg.Max, Float: true},
		},
	}
}

func naive(rows []row) map[key]sums {
	out := map[key]sums{}
	for _, r := range rows {
		if r.out {
			continue
		}
		k := key{"-", r.day}
		if r.name != nil {
			k.name = "+" + *r.name
		}
		s, met := out[k]
		if !met {
			s = sums{Min: math.MaxInt64, Max: math.MinInt64, FMin: math.Inf(1), FMax: math.Inf(-1)}
		}
		s.Rows++
		if r.valid {
			s.Valid++
			s.Sum += r.n
			s.Min, s.Max = min(s.Min, r.n), max(s.Max, r.n)
			s.FSum += r.x
			s.FMin, s.FMax = min(s.FMin, r.x), max(s.FMax, r.x)
		}
		out[k] = s
	}
	return out
}

// batch turns rows into columns; the texts are those of a dictionary or not.
func batch(rows []row, dictionary bool) *hashagg.Batch {
	b := &hashagg.Batch{Rows: len(rows), Valid: make([]bool, len(rows))}
	text := &column.Text{Valid: make([]bool, len(rows))}
	known := map[string]int32{}
	var days, ns []int64
	var xs []float64
	valid := make([]bool, len(rows))
	if dictionary {
		text.IDs = []int32{}
	}
	for i, r := range rows {
		b.Valid[i], valid[i], text.Valid[i] = !r.out, r.valid, r.name != nil
		days, ns, xs = append(days, r.day), append(ns, r.n), append(xs, r.x)
		switch {
		case r.name == nil && dictionary:
			text.IDs = append(text.IDs, -1)
		case r.name == nil:
			text.Values.AddEmpty(1)
		case dictionary:
			id, met := known[*r.name]
			if !met || i%5 == 0 { // dictionaries may repeat a text
				id = int32(text.Values.Len())
				known[*r.name] = id
				text.Values.Add([]byte(*r.name))
			}
			text.IDs = append(text.IDs, id)
		default:
			text.Values.Add([]byte(*r.name))
		}
	}
	b.Keys = []hashagg.Key{{Text: text}, {Ints: days}}
	i, f := hashagg.Operand{Ints: ns, Valid: valid}, hashagg.Operand{Floats: xs, Valid: valid}
	b.Operands = []hashagg.Operand{{}, {Valid: valid}, i, i, i, f, f, f}
	return b
}

func collect(t *testing.T, tables []*hashagg.Table) map[key]sums {
	t.Helper()
	got := map[key]sums{}
	err := hashagg.Merge(t.Context(), tables, 2, func(g *hashagg.Groups) error {
		for i := range g.Len() {
			k := key{"-", g.KeyInt(1, i)}
			if name := g.KeyText(0, i); name != nil {
				k.name = "+" + string(name)
			}
			if _, twice := got[k]; twice {
				return fmt.Errorf("group %v came twice", k)
			}
			got[k] = sums{
				Rows: g.Int(0, i), Valid: g.Int(1, i), Sum: g.Int(2, i), Min: g.Int(3, i), Max: g.Int(4, i),
				FSum: g.Float(5, i), FMin: g.Float(6, i), FMax: g.Float(7, i),
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestEqualsLoop aggregates random rows in random batches, tables and budgets. Floats are quarters, so that their sums are exact.
func TestEqualsLoop(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		names, days := rapid.IntRange(1, 3000).Draw(rt, "names"), rapid.IntRange(1, 20).Draw(rt, "days")
		apart := rapid.SampledFrom([]int64{1, 50, 7000, 1 << 59}).Draw(rt, "days apart") // from arrays to hashing
		rows := make([]row, rapid.IntRange(0, 6000).Draw(rt, "rows"))
		for i := range rows {
			rows[i] = row{
				day: (int64(rng.IntN(days)) - 3) * apart, n: int64(rng.Uint64()) >> rng.IntN(64), x: float64(rng.IntN(1000)-500) / 4,
				valid: rng.IntN(3) > 0, out: rng.IntN(5) == 0,
			}
			if n := rng.IntN(names); n > 0 {
				name := fmt.Sprintf("%0*d", rng.IntN(2)*20, n-1)
				if n == 1 {
					name = ""
				}
				rows[i].name = &name
			}
		}
		open := 0
		o := hashagg.Options{}
		if rapid.Bool().Draw(rt, "spill") {
			o.MemoryBytes = int64(rapid.IntRange(1, 1<<20).Draw(rt, "budget"))
			o.Spill = func() (hashagg.Run, error) {
				open++
				return &memory{open: &open}, nil
			}
		}
		tables := make([]*hashagg.Table, rapid.IntRange(1, 3).Draw(rt, "tables"))
		for i := range tables {
			var err error
			if tables[i], err = hashagg.New(spec(), o); err != nil {
				rt.Fatal(err)
			}
		}
		for rest, size := rows, 0; len(rest) > 0; rest = rest[size:] {
			size = min(len(rest), 1+rng.IntN(2500))
			if err := tables[rng.IntN(len(tables))].Add(batch(rest[:size], rng.IntN(2) == 0)); err != nil {
				rt.Fatal(err)
			}
		}
		if d := cmp.Diff(naive(rows), collect(t, tables)); d != "" {
			rt.Fatal(d[:min(len(d), 3000)])
		}
		if open != 0 {
			rt.Fatalf("%d runs are still open", open)
		}
		if len(collect(t, tables)) != 0 {
			rt.Fatal("the tables are not empty after Merge")
		}
	})
}

// TestOtherKeys groups by one key, and by keys in another order.
func TestOtherKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	rows := make([]row, 50_000)
	for i := range rows {
		name := strconv.Itoa(rng.IntN(9000))
		rows[i] = row{name: &name, day: rng.Int64N(40)}
	}
	full := batch(rows, false)
	for name, c := range map[string]struct {
		kinds []hashagg.Kind
		keys  []hashagg.Key
		of    func(row) any
	}{
		"name": {[]hashagg.Kind{hashagg.Text}, full.Keys[:1], func(r row) any { return *r.name }},
		"day":  {[]hashagg.Kind{hashagg.Int}, full.Keys[1:], func(r row) any { return r.day }},
		"day, name, day": {
			[]hashagg.Kind{hashagg.Int, hashagg.Text, hashagg.Int},
			[]hashagg.Key{full.Keys[1], full.Keys[0], full.Keys[1]},
			func(r row) any { return key{*r.name, r.day} },
		},
	} {
		want := map[any]int64{}
		for _, r := range rows {
			want[c.of(r)] += 2
		}
		tables := make([]*hashagg.Table, 2)
		for i := range tables {
			var err error
			if tables[i], err = hashagg.New(hashagg.Spec{Keys: c.kinds, Aggregates: []hashagg.Aggregate{{}}}, hashagg.Options{}); err != nil {
				t.Fatal(err)
			}
			if err := tables[i].Add(&hashagg.Batch{Rows: len(rows), Keys: c.keys, Operands: make([]hashagg.Operand, 1)}); err != nil {
				t.Fatal(err)
			}
		}
		got := map[any]int64{}
		err := hashagg.Merge(t.Context(), tables, 2, func(g *hashagg.Groups) error {
			for i := range g.Len() {
				switch name {
				case "name":
					got[string(g.KeyText(0, i))] += g.Int(0, i)
				case "day":
					got[g.KeyInt(0, i)] += g.Int(0, i)
				default:
					got[key{string(g.KeyText(1, i)), g.KeyInt(2, i)}] += g.Int(0, i)
				}
			}
			return nil
		})
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v %s", name, err, d[:min(len(d), 500)])
		}
	}
}

// TestBudget adds far more groups than a table may hold.
func TestBudget(t *testing.T) {
	const budget = 1 << 20
	open, runs := 0, 0
	table, err := hashagg.New(spec(), hashagg.Options{MemoryBytes: budget, Spill: func() (hashagg.Run, error) {
		open++
		runs++
		return &memory{open: &open}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	var all []row
	for n := range 40 {
		rows := make([]row, 1000)
		for i := range rows {
			name := strconv.Itoa(n*700 + i) // some in two batches
			rows[i] = row{name: &name, n: 1, valid: true}
		}
		if err := table.Add(batch(rows, false)); err != nil {
			t.Fatal(err)
		}
		if table.Bytes() > budget {
			t.Fatalf("the table takes %d bytes, its budget is %d", table.Bytes(), budget)
		}
		all = append(all, rows...)
	}
	if d := cmp.Diff(naive(all), collect(t, []*hashagg.Table{table})); d != "" || runs < 3 || open != 0 {
		t.Errorf("%d runs, %d open, %s", runs, open, d[:min(len(d), 1000)])
	}
}

func TestRefuses(t *testing.T) {
	for name, f := range map[string]func() error{
		"no key": func() error { _, err := hashagg.New(hashagg.Spec{}, hashagg.Options{}); return err },
		"a kind": func() error {
			_, err := hashagg.New(hashagg.Spec{Keys: []hashagg.Kind{7}}, hashagg.Options{})
			return err
		},
		"no spill":     func() error { _, err := hashagg.New(spec(), hashagg.Options{MemoryBytes: 1}); return err },
		"no column":    func() error { return add(&hashagg.Batch{Rows: 1}) },
		"short key":    func() error { b := batch(make([]row, 3), false); b.Keys[1].Ints = nil; return add(b) },
		"short values": func() error { b := batch(make([]row, 3), false); b.Operands[5].Floats = nil; return add(b) },
		"short flags":  func() error { b := batch(make([]row, 3), false); b.Valid = b.Valid[:1]; return add(b) },
		"short valid": func() error {
			b := batch(make([]row, 3), true)
			b.Keys[0].Text.IDs = b.Keys[0].Text.IDs[:1]
			return add(b)
		},
	} {
		if f() == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func add(b *hashagg.Batch) error {
	t, err := hashagg.New(spec(), hashagg.Options{})
	if err != nil {
		return err
	}
	return t.Add(b)
}

// TestFailingRun has no space left on its disk.
func TestFailingRun(t *testing.T) {
	open, full := 1, errors.New("no space left")
	table, err := hashagg.New(spec(), hashagg.Options{MemoryBytes: 1, Spill: func() (hashagg.Run, error) { return &memory{open: &open, fail: full}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Add(batch(make([]row, 3), true)); !errors.Is(err, full) || open != 0 {
		t.Errorf("%d runs are open: %v", open, err)
	}
}

// BenchmarkAdd groups 2 million rows of 100,000 texts × 8 days, texts as they are or numbers of a dictionary.
func BenchmarkAdd(b *testing.B) {
	const rows, names = 1 << 21, 100_000
	for _, dictionary := range []bool{false, true} {
		b.Run(fmt.Sprintf("dictionary=%v", dictionary), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 1))
			var batches []*hashagg.Batch
			for range rows >> 17 {
				part := make([]row, 1<<17)
				for i := range part {
					name := "i" + strconv.Itoa(int(names*math.Pow(rng.Float64(), 4)))
					part[i] = row{name: &name, day: int64(rng.IntN(8)), x: 1, valid: true}
				}
				full := batch(part, dictionary)
				full.Operands = []hashagg.Operand{{}, full.Operands[5]}
				full.Operands[1].Valid = nil
				batches = append(batches, full)
			}
			s := hashagg.Spec{Keys: spec().Keys, Aggregates: []hashagg.Aggregate{{Op: hashagg.Count}, {Op: hashagg.Sum, Float: true}}}
			b.ResetTimer()
			for range b.N {
				t, err := hashagg.New(s, hashagg.Options{})
				if err != nil {
					b.Fatal(err)
				}
				for _, x := range batches {
					if err := t.Add(x); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}
