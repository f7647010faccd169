package sorted_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/infra/sorted"
)

// pair is a row, and which source it came from.
type pair struct {
	key, value string
	source     int
}

func writeRun(t tester, rows []pair) []byte {
	t.Helper()
	var out bytes.Buffer
	w := sorted.NewRunWriter(&out)
	for _, p := range rows {
		if err := w.Add([]byte(p.key), []byte(p.value)); err != nil {
			t.Fatal(err)
		}
	}
	if w.Rows() != int64(len(rows)) {
		t.Fatalf("%d rows written, %d added", w.Rows(), len(rows))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func runOf(data []byte) *sorted.RunReader {
	return sorted.NewRunReader(iotest.HalfReader(bytes.NewReader(data)), "spill/run-1")
}

// TestMergeIsASort merges any runs and a table, and compares with sorting all their rows.
func TestMergeIsASort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.OneOf(
			rapid.StringOfN(rapid.RuneFrom([]rune("ab\x00ÿ")), 0, 4, -1),
			rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("user-%04d", rapid.IntRange(0, 30).Draw(t, "user")) }),
		)
		value := rapid.OneOf(rapid.StringN(0, 5, -1), rapid.Just(strings.Repeat("v", 30_000)))
		var sources []sorted.Source
		var want []pair
		for i := range rapid.IntRange(0, 6).Draw(t, "runs") {
			rows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) pair {
				return pair{key.Draw(t, "key"), value.Draw(t, "value"), i}
			}), 0, 40).Draw(t, "rows")
			slices.SortStableFunc(rows, func(a, b pair) int { return cmp.Compare(a.key, b.key) })
			sources = append(sources, runOf(writeRun(t, rows)))
			want = append(want, rows...)
		}
		table := drawRows(t)
		for k, v := range table {
			want = append(want, pair{k, v, len(sources)})
		}
		sources = append(sources, open(t, write(t, table, 500)).Iter())
		slices.SortStableFunc(want, func(a, b pair) int { return cmp.Compare(a.key, b.key) })

		m := sorted.Merge(sources...)
		for i, p := range want {
			if !m.Next() {
				t.Fatalf("row %d of %d: no row, %v", i, len(want), m.Err())
			}
			if got := (pair{string(m.Key()), string(m.Value()), m.Source()}); got != p {
				t.Fatalf("row %d is %.60v, want %.60v", i, got, p)
			}
		}
		mustEnd(t, m)
	})
}

func TestMergeOfNothing(t *testing.T) {
	mustEnd(t, sorted.Merge())
}

// someRun returns a run of several frames.
func someRun(t tester) ([]byte, []pair) {
	rows := make([]pair, 20)
	for i := range rows {
		rows[i] = pair{key: fmt.Sprintf("k%02d", i), value: strings.Repeat(string(rune('a'+i)), 8000)}
	}
	return writeRun(t, rows), rows
}

// TestRunFlips changes bytes of a run: never a wrong row, and always an error at the end.
func TestRunFlips(t *testing.T) {
	good, rows := someRun(t)
	for i := range good {
		if i > 200 && i < len(good)-200 && i%97 != 0 {
			continue
		}
		bad := slices.Clone(good)
		bad[i] ^= 0x41
		mustFail(t, bad, rows, fmt.Sprintf("byte %d changed", i))
	}
	for n := 0; n < len(good); n += max(1, min(n, len(good)-n, 997)) {
		mustFail(t, good[:n], rows, fmt.Sprintf("cut after %d bytes", n))
	}
	mustFail(t, append(slices.Clone(good), 0), rows, "a byte more")
	mustFail(t, append(slices.Clone(good), good...), rows, "twice")
}

func mustFail(t *testing.T, data []byte, rows []pair, what string) {
	t.Helper()
	r := runOf(data)
	for i := 0; r.Next(); i++ {
		if i >= len(rows) || string(r.Key()) != rows[i].key || string(r.Value()) != rows[i].value {
			t.Fatalf("%s: row %d is wrong", what, i)
		}
	}
	if err := r.Err(); !errors.Is(err, sorted.ErrDamaged) || !strings.Contains(err.Error(), "spill/run-1") {
		t.Fatalf("%s: %v", what, err)
	}
	if r.Next() {
		t.Fatalf("%s: a row after the error", what)
	}
}

// TestMergeStopsAtDamage: a sequence without the rows of one source would be taken for a whole one.
func TestMergeStopsAtDamage(t *testing.T) {
	good, rows := someRun(t)
	bad := slices.Clone(good)
	bad[len(bad)/2] ^= 1
	m := sorted.Merge(runOf(good), runOf(bad))
	n := 0
	for m.Next() {
		n++
	}
	if n == 0 || n >= 2*len(rows) || !errors.Is(m.Err(), sorted.ErrDamaged) || m.Next() {
		t.Errorf("%d rows, then %v", n, m.Err())
	}
	m = sorted.Merge(runOf(good), runOf(nil))
	if m.Next() || !errors.Is(m.Err(), sorted.ErrDamaged) {
		t.Errorf("an empty file among the runs: %v", m.Err())
	}
}

func TestRunErrors(t *testing.T) {
	w := sorted.NewRunWriter(io.Discard)
	if err := errors.Join(w.Add([]byte("b"), nil), w.Add([]byte("b"), nil)); err != nil {
		t.Errorf("equal keys: %v", err)
	}
	if err := w.Add([]byte("a"), nil); err == nil || !strings.Contains(err.Error(), "row 2 comes before") {
		t.Errorf("falling keys: %v", err)
	}
	if err := w.Close(); err == nil {
		t.Error("Close forgot the error")
	}
	full := sorted.NewRunWriter(&failing{after: 100})
	_ = full.Add(nil, make([]byte, 1000)) // Close reports it
	if err := full.Close(); !errors.Is(err, errFull) {
		t.Errorf("full disk: %v", err)
	}
	r := sorted.NewRunReader(iotest.ErrReader(errFull), "run")
	if r.Next() || !errors.Is(r.Err(), errFull) || errors.Is(r.Err(), sorted.ErrDamaged) {
		t.Errorf("failing disk: %v", r.Err())
	}
}
