package archive

import (
	"testing"

	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/schemas/event"
)

// cutFile is a file of n rows with gaps between their offsets, every third of which was rejected.
func cutFile(t *testing.T, n int64) file {
	t.Helper()
	p := &partition{topic: topicID, valid: event.Validity{Partitions: 1}, limits: Limits{}.withDefaults(1)}
	for i := range n {
		r := record(0, 2*i, int(i))
		if i%3 == 0 {
			r.Value = []byte("no event")
		}
		if _, complete, err := p.step(r, start); err != nil || complete {
			t.Fatal(complete, err)
		}
	}
	return p.cut(p.next)
}

// offsetsOf reads a file's rows and counts the rejected ones.
func offsetsOf(t *testing.T, f file) (offsets []int64, rejected int64) {
	t.Helper()
	data, span, err := f.encode(topicID)
	must(t, err)
	if span.First != f.first || span.End != f.end || span.Rows != int64(f.size()) {
		t.Errorf("the file of [%d,%d) says %+v", f.first, f.end, span)
	}
	_, err = rawparquet.Read(data, nil, func(b rawparquet.Batch) error {
		for r := range b.Rows {
			offsets = append(offsets, r.Offset)
			if r.Reject != nil {
				rejected++
			}
		}
		return nil
	})
	must(t, err)
	return offsets, rejected
}

// TestFileAfter: what is left of a file begins with the first row that lies at the offset or beyond.
func TestFileAfter(t *testing.T) {
	const n = 20
	f := cutFile(t, n)
	for from := int64(0); from <= f.end; from++ {
		rest, err := f.after(from)
		must(t, err)
		if rest.first != from || rest.end != f.end {
			t.Errorf("from %d on [%d,%d) are left", from, rest.first, rest.end)
		}
		offsets, rejected := offsetsOf(t, rest)
		first := (from + 1) / 2 // rows lie at even offsets
		if int64(len(offsets)) != n-first || len(offsets) > 0 && offsets[0] != 2*first || rejected != rest.rejected {
			t.Errorf("from %d on: rows %v, %d of them rejected, counted %d", from, offsets, rejected, rest.rejected)
		}
	}
	if got, _ := offsetsOf(t, f); len(got) != n {
		t.Errorf("cutting changed the file: %v", got)
	}
}

// TestWriterIsReused: a partition goes on with the memory of the file before, and with none of its rows.
func TestWriterIsReused(t *testing.T) {
	b := newMemory()
	s := &store{bucket: b, topicID: topicID}
	p := &partition{topic: topicID, valid: event.Validity{Partitions: 1}, limits: Limits{Rows: 3}.withDefaults(1)}
	var used *rawparquet.Writer
	for i := range int64(9) {
		f, complete, err := p.step(record(0, i, int(i)), start)
		must(t, err)
		if !complete {
			continue
		}
		if used != nil && f.rows != used {
			t.Error("another writer is used")
		}
		used = f.rows
		if offsets, _ := offsetsOf(t, f); len(offsets) != 3 || offsets[2] != i {
			t.Errorf("the file that ends with %d has rows %v", i, offsets)
		}
		end, _, err := s.write(t.Context(), f)
		must(t, err)
		p.written(end)
		p.reuse(f)
	}
	if used == nil {
		t.Error("no file was complete")
	}
}
