package eventfile

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/anabranch/anabranch/jobs/shop"
	"github.com/anabranch/anabranch/schemas/event"
)

func testShop(t testing.TB, events int) *shop.Shop {
	t.Helper()
	c := shop.Default(time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC))
	c.Events = events
	s, err := shop.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func writeTo(b testing.TB, w io.Writer, f Format, events []event.Event) {
	b.Helper()
	out, err := NewWriter(w, f, shop.Columns()...)
	if err != nil {
		b.Fatal(err)
	}
	for i := range events {
		if err := out.Write(&events[i]); err != nil {
			b.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkFile measures rows a second of every format.
func BenchmarkFile(b *testing.B) {
	var events []event.Event
	for e := range testShop(b, 100_000).History() {
		events = append(events, e)
	}
	perSecond := func(b *testing.B) {
		b.ReportMetric(float64(len(events))*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	}
	for _, f := range []Format{CSV, JSONLines} {
		b.Run("write "+string(f), func(b *testing.B) {
			for b.Loop() {
				writeTo(b, io.Discard, f, events)
			}
			perSecond(b)
		})
		var file bytes.Buffer
		writeTo(b, &file, f, events)
		b.Run("read "+string(f), func(b *testing.B) {
			for b.Loop() {
				r, err := ReadEvents("a."+string(f), bytes.NewReader(file.Bytes()))
				if err != nil {
					b.Fatal(err)
				}
				for _, err := range r.All() {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			perSecond(b)
		})
	}
}
