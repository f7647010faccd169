package sorted_test

import (
	"bytes"
	"testing"

	"github.com/anabranch/anabranch/infra/sorted"
)

// FuzzTable opens and reads any bytes: errors are expected, panics and endless loops are not.
func FuzzTable(f *testing.F) {
	f.Add(write(f, nil, 0))
	f.Add(write(f, someRows(3), 0))
	f.Add(write(f, someRows(40), 300))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, data := range [][]byte{data, reseal(data)} {
			r, err := sorted.OpenBytes(data, "fuzz")
			if err != nil {
				continue
			}
			for _, key := range []string{"", "user-000002", "user-000003", "\xff"} {
				_, _, _ = r.Get([]byte(key)) // an error or not
			}
			it := r.Iter()
			n := int64(0)
			for it.Next() {
				n++
			}
			if it.Err() == nil && n != r.Rows() {
				t.Fatalf("iterated %d of %d rows without an error", n, r.Rows())
			}
			it = r.Iter()
			it.Seek([]byte("user-000002"))
			it.Next()
		}
	})
}

// FuzzRun reads any bytes as a run.
func FuzzRun(f *testing.F) {
	f.Add(writeRun(f, nil))
	f.Add(writeRun(f, []pair{{key: "a", value: "1"}, {key: "b"}}))
	f.Fuzz(func(_ *testing.T, data []byte) {
		r := sorted.NewRunReader(bytes.NewReader(data), "fuzz")
		for r.Next() {
			_ = append(r.Key(), r.Value()...)
		}
	})
}
