package event

import (
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/schemas/event/eventpb"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// equal compares events of two encodings: Protobuf does not know an empty map from none, and a number
// has all its bits.
var equal = cmp.Options{cmpopts.EquateEmpty(), cmp.Comparer(sameBits)}

// fromGenerated is the event that a message of the generated code stands for.
func fromGenerated(m *eventpb.Event) Event {
	e := Event{
		ID: m.EventId, UserID: m.UserId, ItemID: m.ItemId, Type: m.Type, Value: m.Value,
		Time: Millis(m.EventTimeMs), SessionID: m.SessionId, Context: m.Context,
	}
	for k, v := range m.Properties {
		if e.Properties == nil {
			e.Properties = map[string]any{}
		}
		switch x := v.GetKind().(type) {
		case *eventpb.Scalar_Text:
			e.Properties[k] = x.Text
		case *eventpb.Scalar_Number:
			e.Properties[k] = x.Number
		case *eventpb.Scalar_Truth:
			e.Properties[k] = x.Truth
		default:
			e.Properties[k] = nil
		}
	}
	if m.Item != nil {
		e.Stamp = &Stamp{Category: m.Item.Category, Price: m.Item.Price}
	}
	return e
}

// sameProtobuf fails unless the decoder written by hand gives what the generated code gives.
func sameProtobuf(t interface{ Fatalf(string, ...any) }, value []byte) {
	var m eventpb.Event
	err := proto.Unmarshal(value, &m)
	for _, texts := range []*Texts{nil, {}} {
		got, clean, rej := decodeProtobuf(value, texts)
		switch {
		case len(value) == 0 || len(value) > MaxRecordBytes:
			if rej == nil {
				t.Fatalf("%d bytes are accepted", len(value))
			}
		case (err == nil) != (rej == nil):
			t.Fatalf("%x: generated code: %v, by hand: %v", value, err, rej)
		case rej != nil && rej.Reason != ReasonMalformed:
			t.Fatalf("%x: reason %s", value, rej.Reason)
		case rej == nil:
			if d := cmp.Diff(fromGenerated(&m), got, equal); d != "" {
				t.Fatalf("%x: -generated +by hand\n%s", value, d)
			}
			if rej := got.checkMaps(); clean && rej != nil {
				t.Fatalf("%x: taken for clean: %v", value, rej)
			}
		}
	}
}

// TestProtobufIsJSON: the same event in both encodings is the same event, judged alike.
func TestProtobufIsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawEvent(t)
		if rapid.Bool().Draw(t, "broken") {
			breakEvent(t, &e)
		}
		asJSON, err := e.EncodeAs(ContentTypeJSON)
		if err != nil {
			t.Skip(err) // no JSON of it
		}
		asProtobuf, err := e.EncodeAs(ContentTypeProtobuf)
		if err != nil {
			t.Fatal(err)
		}
		sameProtobuf(t, asProtobuf)
		var events [2]Event
		var rejections [2]*Rejection
		log := Millis(rapid.SampledFrom([]int64{4e12, int64(e.Time) - MaxClockSkew, int64(e.Time) - MaxClockSkew - 1}).Draw(t, "log time"))
		for i, r := range []Record{{Value: asJSON}, {Value: asProtobuf, ContentType: ContentTypeProtobuf}} {
			r.Key, r.LogTime = []byte(e.UserID), log
			r.Partition = PartitionOf(r.Key, 4) // a wrong one is drawn by breaking the user
			events[i], rejections[i] = Validity{Partitions: 4}.Check(r)
		}
		if d := cmp.Diff(rejections[0], rejections[1]); d != "" {
			t.Fatalf("%s: -JSON +Protobuf\n%s", asJSON, d)
		}
		if d := cmp.Diff(events[0], events[1], equal); d != "" {
			t.Fatalf("%s: -JSON +Protobuf\n%s", asJSON, d)
		}
	})
}

// breakEvent makes the event invalid in one of the ways that both encodings can hold.
func breakEvent(t *rapid.T, e *Event) {
	long := func(n int) string { return strings.Repeat("x", n+rapid.IntRange(0, 1).Draw(t, "too many")) }
	category := long(MaxIDBytes)
	entries := map[string]any{}
	for i := range MaxEntries + rapid.IntRange(0, 1).Draw(t, "entries") {
		entries[fmt.Sprint("k", i)] = true
	}
	ways := []func(){
		func() { e.ID = "" }, func() { e.UserID = "" }, func() { e.ItemID = "" }, func() { e.Type = "" }, func() { e.Time = 0 },
		func() { e.ID = long(MaxIDBytes) }, func() { e.SessionID = long(MaxIDBytes) }, func() { e.ItemID = "a\x07" }, func() { e.UserID = "\x7f" },
		func() { e.Type = long(MaxTypeBytes) }, func() { e.Type = "View" }, func() { e.Type = "wishlist" }, func() { e.Time = MinEventTime - 1 }, func() { e.Time = -5 },
		func() { e.Context = map[string]string{"": "x"} }, func() { e.Context = map[string]string{"b": long(MaxTextBytes), "a": long(MaxTextBytes)} },
		func() { e.Context = map[string]string{long(MaxKeyBytes): "é"} }, func() { e.Properties = map[string]any{"a": long(MaxTextBytes)} },
		func() { e.Properties = entries }, func() { e.Stamp = &Stamp{Category: &category} }, func() { e.Stamp = &Stamp{} }, func() { e.Stamp = &Stamp{Category: new(string)} },
		func() { e.Properties = map[string]any{"": 1.0, "z": math.Copysign(0, -1)} },
	}
	ways[rapid.IntRange(0, len(ways)-1).Draw(t, "way")]()
}

// field is one field of a message, as bytes.
func field(n protowire.Number, value any) []byte {
	switch x := value.(type) {
	case string:
		return protowire.AppendString(protowire.AppendTag(nil, n, protowire.BytesType), x)
	case []byte:
		return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), x)
	case float64:
		return protowire.AppendFixed64(protowire.AppendTag(nil, n, protowire.Fixed64Type), math.Float64bits(x))
	case int:
		return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), uint64(x))
	}
	panic(fmt.Sprintf("field of %T", value))
}

func join(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// newerParts are pieces of messages as other versions and other programs may write them.
func newerParts() [][]byte {
	group := join(protowire.AppendTag(nil, 20, protowire.StartGroupType), field(1, "x"), protowire.AppendTag(nil, 20, protowire.EndGroupType))
	return [][]byte{
		field(1, "e"), field(2, "u"), field(3, "i"), field(4, "view"), field(5, 1.5), field(6, 1_769_853_600_000), field(7, "s"),
		field(8, join(field(1, "k"), field(2, "v"))), field(8, field(2, "v")), field(8, []byte{}), field(8, join(field(1, "k"), field(3, "new"), field(2, "w"))),
		field(9, join(field(1, "k"), field(2, field(1, "text")))), field(9, join(field(1, "k"), field(2, field(2, 2.5)))), field(9, join(field(1, "k"), field(2, field(3, 2)))),
		field(9, join(field(1, "k"), field(2, field(4, "of a new kind")))), field(9, field(1, "k")), field(9, join(field(2, field(1, "a")), field(2, field(9, 1)))),
		field(10, field(1, "shoes")), field(10, field(2, 9.5)), field(10, []byte{}), field(10, join(field(1, ""), field(7, "new"))),
		field(11, "new"), field(12, 7), field(13, 1.5), group, protowire.AppendFixed32(protowire.AppendTag(nil, 14, protowire.Fixed32Type), 1),
		field(1, 7), field(6, "7"), field(5, 7), field(8, 7), field(10, 1.5), field(9, join(field(1, "k"), field(2, 7))), // other types than ours
		field(1<<29-1, 1), field(2, "\xff"), field(8, join(field(1, "\xc3"))), field(5, math.NaN()), field(6, -1),
		{0x08},
		{0x00},
		{0x0f},
		{0x0c},
		{0x0a, 0xff, 0xff},
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02},
		{0xf8, 0xff, 0xff, 0xff, 0x1f, 0x01},
		{0x31, 1, 2, 3},
	}
}

func TestProtobufIsGeneratedCode(t *testing.T) {
	parts := newerParts()
	for _, p := range parts {
		sameProtobuf(t, p)
		for cut := range p {
			sameProtobuf(t, p[:cut])
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		b := join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 12).Draw(t, "parts")...)
		sameProtobuf(t, b)
		for range rapid.IntRange(0, 2).Draw(t, "changes") {
			if len(b) > 0 {
				b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "with")
			}
		}
		sameProtobuf(t, b)
	})
}

// TestProtobufVersions: what a newer producer adds is passed over, and what it says in a way that this
// version does not know is refused, never guessed.
func TestProtobufVersions(t *testing.T) {
	base := join(field(1, "e1"), field(2, "u1"), field(3, "i1"), field(6, int(at("2026-01-31T10:00:00Z"))))
	for _, c := range []struct {
		name, reason, field string
		more                []byte
	}{
		{"this version", "", "", field(4, "view")},
		{"a new field", "", "", join(field(4, "view"), field(50, "new"))},
		{"a new field of the item", "", "", join(field(4, "view"), field(10, field(9, 1)))},
		{"a type that no feature knows", "", "", field(4, "teleport")},
		{"a type as an enum", ReasonRequired, "type", field(4, 3)},
		{"a property of a new kind", ReasonRange, "properties.k", join(field(4, "view"), field(9, join(field(1, "k"), field(2, field(4, "x")))))},
	} {
		rec := record("")
		rec.ContentType, rec.Value = ContentTypeProtobuf, join(base, c.more)
		_, rej := Validity{Partitions: 4}.Check(rec)
		switch {
		case rej == nil && c.reason != "":
			t.Errorf("%s: accepted", c.name)
		case rej != nil && (rej.Reason != c.reason || rej.Field != c.field):
			t.Errorf("%s: %v, want %s of %s", c.name, rej, c.reason, c.field)
		}
	}
}

func TestProtobufRejects(t *testing.T) {
	for _, c := range []struct {
		name, value, reason, says string
	}{
		{"empty", "", ReasonMalformed, "empty"},
		{"JSON", good, ReasonMalformed, "Protobuf"},
		{"bad UTF-8", string(field(2, "\xff")), ReasonMalformed, "user_id"},
		{"bad UTF-8 in a map", string(field(8, field(1, "\xff"))), ReasonMalformed, "context"},
		{"cut off", "\x0a\x05ab", ReasonMalformed, "event_id"},
		{"too large", strings.Repeat("x", MaxRecordBytes+1), ReasonTooLarge, "record"},
		{"not finite", string(join(field(1, "e"), field(2, "u1"), field(3, "i"), field(4, "view"), field(5, math.Inf(1)), field(6, int(1e9)))), ReasonRange, "value"},
		{"property not finite", string(join(field(1, "e"), field(2, "u1"), field(3, "i"), field(4, "view"), field(6, int(1e9)), field(9, join(field(1, "p"), field(2, field(2, math.NaN())))))), ReasonRange, "properties.p"},
	} {
		rec := record(c.value)
		rec.ContentType = ContentTypeProtobuf
		_, rej := Validity{Partitions: 4}.Check(rec)
		if rej == nil || rej.Reason != c.reason || !strings.Contains(rej.Error(), c.says) {
			t.Errorf("%s: %v, want %s naming %q", c.name, rej, c.reason, c.says)
		}
	}
	for _, e := range []Event{{ID: "\xff"}, {Properties: map[string]any{"a": []any{"b"}}}, {Context: map[string]string{"\xff": ""}}} {
		if _, err := e.AppendProtobuf(nil); err == nil {
			t.Errorf("%+v is encoded", e)
		}
	}
}

// TestProtobufGolden: the bytes of docs/formats/event.md. They are canonical, so they never change
// within v1, and the generated code reads them.
func TestProtobufGolden(t *testing.T) {
	e, rej := Decode("", []byte(typicalJSON))
	if rej != nil {
		t.Fatal(rej)
	}
	e.Properties = map[string]any{"gift": true, "coupon": "SPRING", "quantity": 2.0}
	b, err := e.AppendProtobuf(nil)
	if err != nil {
		t.Fatal(err)
	}
	sameProtobuf(t, b)
	var lines strings.Builder
	for len(b) > 0 {
		n := min(16, len(b))
		fmt.Fprintf(&lines, "% x\n", b[:n])
		b = b[n:]
	}
	const path = "testdata/event.golden"
	if *update {
		if err := os.WriteFile(path, []byte(lines.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), lines.String()); d != "" {
		t.Error(d)
	}
}

// FuzzProtobuf compares the decoder written by hand with the generated code.
func FuzzProtobuf(f *testing.F) {
	e, _ := Decode("", []byte(typicalJSON))
	b, err := e.AppendProtobuf(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(join(newerParts()...))
	for _, p := range newerParts() {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, b []byte) { sameProtobuf(t, b) })
}
