package hashagg

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	radixLog   = 6
	partitions = 1 << radixLog
)

// run is a spilled table: the groups of each partition, one after the other.
type run struct {
	file Run
	ends [partitions]int64 // offsets
}

// spill writes all groups to a run and forgets them.
func (t *Table) spill() error {
	file, err := t.o.Spill()
	if err != nil {
		return fmt.Errorf("hash aggregation: start a run of %d groups: %w", t.groups, err)
	}
	r := run{file: file}
	w := &counter{to: bufio.NewWriterSize(file, 1<<18)}
	next := 0
	refs := t.byPartition(&r.ends)
	for p := range partitions {
		for end := int(r.ends[p]); next < end; next++ {
			t.writeRow(w, refs[next])
		}
		r.ends[p] = w.n
	}
	if err := errors.Join(w.err, w.to.Flush()); err != nil {
		return fmt.Errorf("hash aggregation: write a run of %d groups: %w", t.groups, errors.Join(err, file.Close()))
	}
	t.runs = append(t.runs, r)
	t.reset()
	return nil
}

// byPartition returns all row numbers sorted by partition, and where each partition ends among them.
func (t *Table) byPartition(ends *[partitions]int64) []uint32 {
	of := make([]uint8, t.groups)
	var next [partitions]int
	for ref := range of {
		p := t.hash(t.row(uint32(ref))) >> (64 - radixLog)
		of[ref] = uint8(p)
		next[p]++
	}
	sum := 0
	for p, n := range next {
		next[p] = sum
		sum += n
		ends[p] = int64(sum)
	}
	out := make([]uint32, t.groups)
	for ref, p := range of {
		out[next[p]] = uint32(ref)
		next[p]++
	}
	return out
}

// counter is a writer that counts and remembers its first error.
type counter struct {
	to  *bufio.Writer
	n   int64
	err error
	buf []byte
}

func (c *counter) flush() {
	n, err := c.to.Write(c.buf)
	c.n += int64(n)
	if c.err == nil {
		c.err = err
	}
	c.buf = c.buf[:0]
}

// writeRow writes a group: its texts as length + 1 (0 for null) and bytes, all else as words.
func (t *Table) writeRow(w *counter, ref uint32) {
	row := t.row(ref)
	for i, word := range row {
		switch {
		case i >= len(t.spec.Keys) || t.texts[i] == nil:
			w.buf = binary.LittleEndian.AppendUint64(w.buf, word)
		case word == 0:
			w.buf = append(w.buf, 0)
		default:
			text := t.texts[i].texts.At(int(word))
			w.buf = append(binary.AppendUvarint(w.buf, uint64(len(text))+1), text...)
		}
	}
	w.flush()
}

// load adds the groups of one partition of a run to the table.
func (t *Table) load(r *run, p int) error {
	start := int64(0)
	if p > 0 {
		start = r.ends[p-1]
	}
	in := bufio.NewReaderSize(io.NewSectionReader(r.file, start, r.ends[p]-start), 1<<16)
	states := make([]uint64, len(t.spec.Aggregates))
	var text []byte
	for {
		if _, err := in.Peek(1); errors.Is(err, io.EOF) {
			return nil
		}
		if err := t.loadRow(in, &text, states); err != nil {
			return fmt.Errorf("hash aggregation: read a run: %w", err)
		}
	}
}

// loadRow reads a group and merges it.
func (t *Table) loadRow(in *bufio.Reader, text *[]byte, states []uint64) error {
	for i := range t.spec.Keys {
		if t.texts[i] == nil {
			v, err := readWord(in)
			if err != nil {
				return err
			}
			t.setKey(i, 0, v)
			continue
		}
		n, err := binary.ReadUvarint(in)
		if err != nil {
			return err
		}
		if n == 0 {
			t.setKey(i, 0, 0)
			continue
		}
		*text = append((*text)[:0], make([]byte, n-1)...)
		if _, err := io.ReadFull(in, *text); err != nil {
			return err
		}
		if err := t.internKey(i, 0, *text); err != nil {
			return err
		}
	}
	for i := range states {
		var err error
		if states[i], err = readWord(in); err != nil {
			return err
		}
	}
	if err := t.find(1); err != nil {
		return err
	}
	t.joinRow(t.refs[0], states)
	return nil
}

func readWord(in io.Reader) (uint64, error) {
	var b [8]byte
	_, err := io.ReadFull(in, b[:])
	return binary.LittleEndian.Uint64(b[:]), err
}

// internKey is setKey for a text.
func (t *Table) internKey(i, j int, text []byte) error {
	p := printOf(text)
	t.one.Reset()
	if !t.one.Add(text) {
		return errTexts
	}
	t.texts[i].reserve(1)
	number, err := t.texts[i].number(&t.one, 0, p, p.hash())
	t.setKey(i, j, uint64(number))
	return err
}

// joinRow merges the states of a group into a row.
func (t *Table) joinRow(ref uint32, states []uint64) {
	row := t.row(ref)[len(t.spec.Keys):]
	for i, a := range t.spec.Aggregates {
		row[i] = a.join(row[i], states[i])
	}
}
