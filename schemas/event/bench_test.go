package event

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/anabranch/anabranch/schemas/event/eventpb"
)

// typicalJSON is an event of 266 bytes, as a shop's web server would send it.
const typicalJSON = `{"event_id":"01KG9Y2M7Q4T8XW3ZC5V6B7N8P","user_id":"u0004217","item_id":"i000183","type":"purchase",` +
	`"value":59.9,"event_time":"2026-01-31T10:00:00.123Z","session_id":"u0004217-s42",` +
	`"context":{"device":"mobile","page":"home"},"item":{"category":"shoes","price":59.9}}`

func typicalRecord() Record {
	key := []byte("u0004217")
	return Record{Key: key, Value: []byte(typicalJSON), Partition: PartitionOf(key, 4), LogTime: at("2026-01-31T10:00:01Z")}
}

// BenchmarkCheck measures what every reader of the log does with a record: decode and judge. The
// strict decoder is what JSON cost before the fast path, and costs where that does not decide.
func BenchmarkCheck(b *testing.B) {
	asJSON := typicalRecord()
	e, rej := Decode("", asJSON.Value)
	if rej != nil {
		b.Fatal(rej)
	}
	asProtobuf := asJSON
	asProtobuf.ContentType = ContentTypeProtobuf
	var err error
	if asProtobuf.Value, err = e.AppendProtobuf(nil); err != nil {
		b.Fatal(err)
	}
	escaped := asJSON
	escaped.Value = bytes.Replace(asJSON.Value, []byte("home"), []byte(`h\u006fme`), 1)
	for _, c := range []struct {
		name  string
		rec   Record
		texts *Texts
	}{
		{"JSON", asJSON, &Texts{}},
		{"JSON without Texts", asJSON, nil},
		{"JSON left to the strict decoder", escaped, nil},
		{"Protobuf", asProtobuf, &Texts{}},
		{"Protobuf without Texts", asProtobuf, nil},
	} {
		b.Run(c.name, func(b *testing.B) {
			v := Validity{Partitions: 4, Texts: c.texts}
			b.ReportAllocs()
			b.ReportMetric(float64(len(c.rec.Value)), "bytes")
			for b.Loop() {
				if _, rej := v.Check(c.rec); rej != nil {
					b.Fatal(rej)
				}
			}
		})
	}
}

// BenchmarkDecoders compares the decoders alone with those that they replace.
func BenchmarkDecoders(b *testing.B) {
	value := []byte(typicalJSON)
	e, _ := Decode("", value)
	protobuf, err := e.AppendProtobuf(nil)
	if err != nil {
		b.Fatal(err)
	}
	texts := &Texts{}
	for _, c := range []struct {
		name   string
		decode func() bool
	}{
		{"JSON fast", func() bool { _, ok := scanEvent(value, texts); return ok }},
		{"JSON strict", func() bool { _, rej := decodeStrict(value); return rej == nil }},
		{"Protobuf by hand", func() bool { _, _, rej := decodeProtobuf(protobuf, texts); return rej == nil }},
		{"Protobuf generated", func() bool { return proto.Unmarshal(protobuf, &eventpb.Event{}) == nil }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !c.decode() {
					b.Fatal("not decoded")
				}
			}
		})
	}
}
