package materialize

import (
	"context"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/anabranch/anabranch/batch/materialize/spill"
	"github.com/anabranch/anabranch/infra/artifact"
)

// DefaultMemory is what Compute uses, in bytes, if Options name nothing else. The texts of all item ids, types and
// categories come on top.
const DefaultMemory = 512 << 20

// sizes are the sizes of everything whose number of rows is bounded by the memory that may be used.
type sizes struct {
	scratch int64 // bytes of rows put aside that stay in memory
	task    int   // rows that a reading worker gathers before it puts them aside
	chunk   int   // rows that an aggregating worker holds
	parts   int   // partitions, a power of two
}

// maxParts bounds the partitions: each has a sorted run, and merging holds 32 KiB of every one.
const maxParts = 1024

func newSizes(memory, rows int64) sizes {
	if memory <= 0 {
		memory = DefaultMemory
	}
	s := sizes{scratch: memory / 8, task: int(max(8, memory/4096)), chunk: int(max(8, memory/2048))}
	s.parts = min(maxParts, 1<<bits.Len64(uint64(max(0, rows-1)/int64(max(1, s.chunk/2)))))
	return s
}

// engine holds the state of one pass over files.
type engine struct {
	plans
	dictionaries
	o         Options
	layout    layout
	files     []File
	first     []int64 // ordinal of each file's first row
	aggregate []bool  // by file: whether its rows belong to warehouse partitions that are wanted
	rows      int64
	sizes     sizes
	scratch   *spill.Scratch
	sides     [sides]side
	duplicate bitmap  // by ordinal
	known     touched // by item number
	counts    Counts

	views    bool // make views, not only rows of the warehouse
	dir      string
	previous *Previous
	// previousRank is, by row in the previous generation's item table, the item's rank.
	previousRank []uint32
	locals       []artifact.Local
	daily        *Daily
	merging      atomic.Int64 // ns, see Result.Merging

	rank   []uint32 // by item number: its rank among all texts of the dictionary
	byRank []uint32
	types  []kindFacts // by number
}

// The ways in which rows are put aside.
const (
	byUser = iota
	byItem
	inLogOrder
	sides
)

// side is one of them: blocks in log order, a list each time that a worker put its rows aside, by rising partition.
type side struct {
	pick   spill.Pick
	blocks [][]block
	rows   int64
}

// block is some rows of one partition. With many rows there are millions of them: a thousand for each time that rows are put
// aside. So it is small, and there is no other list of them by partition.
type block struct {
	part, rows int32
	piece      spill.Piece
}

// of returns the blocks of a partition.
func (s *side) of(part int) (out []block) {
	for _, list := range s.blocks {
		i, _ := slices.BinarySearchFunc(list, int32(part), func(b block, part int32) int { return int(b.part - part) })
		for ; i < len(list) && int(list[i].part) == part; i++ {
			out = append(out, list[i])
		}
	}
	return out
}

// kindFacts is what is known of an event type.
type kindFacts struct {
	text   string
	rank   uint32  // in the order of the texts
	weight float64 // in training, of an event whose value does not matter
	rating bool    // the value matters
}

func newEngine(p plans, o Options, files []File) *engine {
	e := &engine{plans: p, dictionaries: newDictionaries(), o: o, files: files}
	if e.o.Threads == 0 {
		e.o.Threads = runtime.GOMAXPROCS(0)
	}
	daily := false
	for i := range files {
		e.first = append(e.first, e.rows)
		e.rows += files[i].Rows
		e.aggregate = append(e.aggregate, o.Dates != nil && o.Dates(files[i].Date))
		daily = daily || e.aggregate[i]
	}
	e.layout = newLayout(p, daily)
	e.sizes = newSizes(o.Memory, e.rows)
	e.scratch = spill.NewScratch(o.Dir, e.sizes.scratch)
	e.duplicate = newBitmap(e.rows)
	for i, pick := range []spill.Pick{byUser: e.layout.user, byItem: e.layout.item, inLogOrder: e.layout.global} {
		e.sides[i].pick = pick
	}
	return e
}

// finishReading fixes what follows from the complete dictionaries.
func (e *engine) finishReading() {
	e.rank, e.byRank = e.items.ranks()
	e.known = make(touched, len(e.items.texts))
	rank, _ := e.kinds.ranks()
	for n, text := range e.kinds.texts {
		e.types = append(e.types, kindFacts{
			text: text, rank: rank[n], weight: e.o.Weights.Of(text, nil), rating: text == e.o.Weights.Rating,
		})
	}
}

// weight returns what an event is worth in training; value is NaN where it has none.
func (e *engine) weight(kind int64, value float64) float64 {
	k := &e.types[kind]
	if !k.rating || value != value { //nolint:gocritic // NaN is not itself
		return k.weight
	}
	return e.o.Weights.Of(k.text, &value)
}

// workers runs f for 0 ≤ i < n on the engine's threads, in rising order of i, and returns the first error.
func (e *engine) workers(ctx context.Context, n int, start func() (func(i int) error, error)) error {
	var next atomic.Int64
	var g errgroup.Group
	var failed atomic.Bool
	for range min(e.o.Threads, n) {
		g.Go(func() error {
			f, err := start()
			for err == nil && !failed.Load() {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err = ctx.Err(); err == nil {
					err = f(i)
				}
			}
			if err != nil {
				failed.Store(true)
			}
			return err
		})
	}
	return g.Wait()
}

// bitmap is a set of numbers that several goroutines may add to.
type bitmap []uint64

func newBitmap(n int64) bitmap { return make(bitmap, (n+63)/64) }

func (b bitmap) has(n int64) bool { return atomic.LoadUint64(&b[n>>6])>>(n&63)&1 != 0 }

func (b bitmap) add(n int64) {
	if !b.has(n) {
		atomic.OrUint64(&b[n>>6], 1<<(n&63))
	}
}

// len returns how many numbers are in the set.
func (b bitmap) len() (n int64) {
	for _, w := range b {
		n += int64(bits.OnesCount64(w))
	}
	return n
}

// progress tells how far a phase is.
type progress struct {
	tell  func(phase string, done, total int64)
	phase string
	total int64

	mu   sync.Mutex
	done int64
}

func (e *engine) progress(phase string, total int64) *progress {
	return &progress{tell: e.o.Progress, phase: phase, total: total}
}

func (p *progress) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += int64(n)
	if p.tell != nil && n > 0 {
		p.tell(p.phase, p.done, p.total)
	}
}
