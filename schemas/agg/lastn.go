package agg

import (
	"fmt"
	"math"
	"slices"
)

// lastN keeps the operands, or the interactions, of the latest n events, by event time, then position.
type lastN struct {
	outcome
	n           int
	interaction bool
}

// entry is one event of last_n.
type entry struct {
	time, seq int64
	text      string // the item, or the operand
	kind      string // of an interaction
	number    int64  // the operand, or an interaction's value: an integer or the bits of a float
	has       bool   // an interaction has a value
}

// latest is the set of last_n, oldest first. Only the last n entries count: the list is cut to them
// when it has grown to twice as many, so that adding at the end is cheap.
type latest struct {
	entries []entry
	scratch []entry
	read    []entry
	shown   []Interaction
	values  []Value
	numbers []float64
}

func (l *latest) reset() { l.entries = l.entries[:0] }

// last returns the entries that count, oldest first.
func (l *latest) last(n int) []entry { return l.entries[max(0, len(l.entries)-n):] }

func (e *entry) before(f *entry) bool {
	return e.time < f.time || e.time == f.time && e.seq < f.seq
}

func (x lastN) Key() string {
	if x.interaction {
		return fmt.Sprintf("last_n:%d:interaction", x.n)
	}
	return fmt.Sprintf("last_n:%d:%s", x.n, x.outcome.key())
}

func (x lastN) Update(p *Partial, in *Input) { x.add(grow[latest](p), x.entry(in)) }

// entry returns what is kept of an event.
func (x lastN) entry(in *Input) entry {
	e := entry{time: in.Time, seq: in.Seq}
	switch {
	case x.interaction:
		e.text, e.kind = in.Item, in.Type
		if in.Value.Kind == Float {
			e.has, e.number = true, int64(math.Float64bits(in.Value.Float))
		}
	case in.Of.Kind == Float:
		e.number = int64(math.Float64bits(in.Of.Float))
	default:
		e.number, e.text = in.Of.Int, in.Of.Text
	}
	return e
}

func (x lastN) add(l *latest, e entry) {
	i := len(l.entries)
	for i > 0 && e.before(&l.entries[i-1]) {
		i--
	}
	if len(l.entries)-i >= x.n {
		return // n later ones are there
	}
	l.entries = slices.Insert(l.entries, i, e)
	if len(l.entries) >= 2*x.n {
		l.entries = l.entries[:copy(l.entries, l.last(x.n))]
	}
}

func (x lastN) Merge(p, q *Partial) {
	if from, ok := q.Set.(*latest); ok {
		x.merge(grow[latest](p), from.last(x.n))
	}
}

// merge adds entries, oldest first.
func (x lastN) merge(l *latest, from []entry) {
	mine := l.last(x.n)
	if len(mine) == 0 {
		l.entries = append(l.entries[:0], from...)
		return
	}
	out := l.scratch[:0]
	for len(mine) > 0 && len(from) > 0 {
		if from[0].before(&mine[0]) {
			out, from = append(out, from[0]), from[1:]
		} else {
			out, mine = append(out, mine[0]), mine[1:]
		}
	}
	out = append(append(out, mine...), from...)
	l.scratch = l.entries
	l.entries = out
}

// Append writes the number of entries, then each, latest first: by how much it is earlier, by how much
// its position is lower, then what it says.
func (x lastN) Append(e *Encoder, p *Partial) {
	list := grow[latest](p).last(x.n)
	e.Uint(uint64(len(list)))
	x.appendEntries(e, list, entry{})
}

// appendEntries writes entries, latest first, that come before prev.
func (x lastN) appendEntries(e *Encoder, list []entry, prev entry) {
	for i := len(list) - 1; i >= 0; i-- {
		en := &list[i]
		e.Int(prev.time - en.time)
		e.Int(prev.seq - en.seq)
		prev = *en
		switch {
		case x.interaction:
			e.Text(en.text)
			has := uint64(0)
			if en.has {
				has = 1
			}
			e.Uint(e.texts.number(en.kind)<<1 | has)
			if en.has {
				e.Bits(uint64(en.number))
			}
		case x.text():
			e.Text(en.text)
		case x.float():
			e.Bits(uint64(en.number))
		default:
			e.Int(en.number)
		}
	}
}

// Patch implements Patcher: for an event after those of a list that is not full.
func (x lastN) Patch(e *Encoder, d *Decoder, in *Input) bool {
	n, list := x.length(d), [1]entry{x.entry(in)}
	time, seq := -d.Int(), -d.Int()
	if last := (entry{time: time, seq: seq}); d.Err != nil || n == 0 || n == x.n || !last.before(&list[0]) {
		return false
	}
	e.Uint(uint64(n + 1))
	x.appendEntries(e, list[:], entry{})
	e.Int(in.Time - time)
	e.Int(in.Seq - seq)
	return true
}

// read reads the entry that comes before prev, in its place.
func (x lastN) read(d *Decoder, prev *entry) {
	time, b := Next(d.B)
	seq, b := Next(b)
	if d.end(b); b == nil {
		return
	}
	prev.time -= signed(time)
	prev.seq -= signed(seq)
	switch {
	case x.interaction:
		x.readInteraction(d, prev)
	case x.text():
		prev.text = d.Text()
	case x.float():
		prev.number = int64(d.Bits())
	default:
		prev.number = d.Int()
	}
}

// readInteraction reads what an interaction says.
func (x lastN) readInteraction(d *Decoder, into *entry) {
	item, b := Next(d.B)
	kind, b := Next(b)
	d.end(b)
	if n := uint64(len(d.Texts)); item >= n || kind>>1 >= n {
		d.Fail(fmt.Errorf("texts %d and %d of a table of %d", item, kind>>1, n))
		return
	}
	into.text, into.kind = d.Texts[item], d.Texts[kind>>1]
	if into.has, into.number = kind&1 != 0, 0; into.has {
		into.number = int64(d.Bits())
	}
}

func (x lastN) Fold(p *Partial, d *Decoder, _ float64) {
	l, n := grow[latest](p), x.length(d)
	if len(l.entries) == 0 {
		x.readLatest(d, &l.entries, n, nil)
		return
	}
	var oldest *entry
	if mine := l.last(x.n); len(mine) == x.n {
		oldest = &mine[0]
	}
	if x.readLatest(d, &l.read, n, oldest); len(l.read) > 0 {
		x.merge(l, l.read)
	}
}

// readLatest reads n entries, which are written latest first, into the memory of into, oldest first. It keeps none
// that is before oldest, nor any after an error.
func (x lastN) readLatest(d *Decoder, into *[]entry, n int, oldest *entry) {
	list := slices.Grow((*into)[:0], n)[:n]
	var prev entry
	i := n - 1
	for ; i >= 0; i-- {
		e := &list[i]
		*e = entry{time: prev.time, seq: prev.seq}
		x.read(d, e)
		if i < n-1 && prev.before(e) {
			d.Fail(fmt.Errorf("last_n: entry %d of %d is out of order", n-1-i, n))
		}
		if oldest != nil && e.before(oldest) {
			if !d.Last {
				x.skip(d, i)
			}
			break
		}
		prev.time, prev.seq = e.time, e.seq
	}
	if d.Err != nil {
		i = n - 1
	}
	*into = list[:copy(list, list[i+1:])] // at the start of the memory, or it would shrink
}

func (x lastN) length(d *Decoder) int {
	n := d.Count()
	if n > x.n {
		d.Fail(fmt.Errorf("last_n: %d entries, at most %d are possible", n, x.n))
		return 0
	}
	return n
}

func (x lastN) Skip(d *Decoder) { x.skip(d, x.length(d)) }

// skip passes over n entries.
func (x lastN) skip(d *Decoder, n int) {
	var e entry
	for range n {
		x.read(d, &e)
	}
}

func (x lastN) Finalize(p *Partial) Value {
	l := grow[latest](p)
	list := l.last(x.n)
	if !x.interaction {
		l.values = l.values[:0]
		for i := len(list) - 1; i >= 0; i-- {
			o := Operand{Kind: x.operandKind(), Int: list[i].number, Float: math.Float64frombits(uint64(list[i].number)), Text: list[i].text}
			l.values = append(l.values, x.value(o))
		}
		return Value{kind: KindList, list: &l.values}
	}
	l.shown, l.numbers = l.shown[:0], slices.Grow(l.numbers[:0], len(list))
	for i := len(list) - 1; i >= 0; i-- {
		e := &list[i]
		in := Interaction{Item: e.text, Type: e.kind, Time: e.time, Seq: e.seq}
		if e.has {
			l.numbers = append(l.numbers, math.Float64frombits(uint64(e.number)))
			in.Value = &l.numbers[len(l.numbers)-1]
		}
		l.shown = append(l.shown, in)
	}
	return InteractionsValue(&l.shown)
}

// Enough implements Latest.
func (x lastN) Enough(p *Partial, t int64) bool {
	l, ok := p.Set.(*latest)
	return ok && len(l.entries) >= x.n && l.last(x.n)[0].time >= t
}
