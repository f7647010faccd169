package rawparquet

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/anabranch/anabranch/schemas/event"
)

// TestLargeRecordsStayReadable has one rejected record of a size that brokers accept when they are told to. Statistics
// of its bytes made page headers that neither reader takes.
func TestLargeRecordsStayReadable(t *testing.T) {
	t.Parallel()
	for _, rows := range []int{1, 300} {
		for _, size := range []int{64 << 10, 1 << 20, 8 << 20} {
			t.Run(fmt.Sprintf("%d rows, %d bytes", rows, size), func(t *testing.T) {
				t.Parallel()
				var in []event.Raw
				for i := range rows {
					r := event.Record{Key: []byte("u1"), Value: []byte("x"), ContentType: "text/plain"}
					if i == rows/2 {
						big := bytes.Repeat([]byte("x"), size)
						r = event.Record{Key: big, Value: big, ContentType: string(big)}
					}
					in = append(in, event.RawRejected(event.Position{TopicID: "00", Offset: int64(i)}, r, &event.Rejection{Reason: event.ReasonMalformed}))
				}
				data, err := Encode(in, SpanOf("00", 0, 0, 0, int64(rows), rows).Meta())
				if err != nil {
					t.Fatal(err)
				}
				read := 0
				if _, err := Read(data, nil, func(b Batch) error { read += b.Len; return nil }); err != nil || read != rows {
					t.Errorf("Read: %d of %d rows, %v", read, rows, err)
				}
				s, err := NewScanner(nil)
				if err != nil {
					t.Fatal(err)
				}
				scanned := 0
				if _, err := s.Scan(data, func(g *Group) error { scanned += g.Rows; return nil }); err != nil || scanned != rows {
					t.Errorf("Scan: %d of %d rows, %v", scanned, rows, err)
				}
			})
		}
	}
}
