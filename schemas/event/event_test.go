package event

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const good = `{"event_id":"e1","user_id":"u1","item_id":"i1","type":"view","event_time":"2026-01-31T10:00:00Z"}`

func at(s string) Millis {
	m, err := ParseMillis(s)
	if err != nil {
		panic(err)
	}
	return m
}

func record(value string) Record {
	return Record{Key: []byte("u1"), Value: []byte(value), Partition: PartitionOf([]byte("u1"), 4), LogTime: at("2026-01-31T10:00:01Z")}
}

func TestCheckRejects(t *testing.T) {
	with := func(old, new string) Record { return record(strings.Replace(good, old, new, 1)) }
	key := record(good)
	key.Key = []byte("u2")
	place := record(good)
	place.Partition = (place.Partition + 1) % 4
	codec := record(good)
	codec.ContentType = "application/avro"
	for _, c := range []struct {
		name   string
		rec    Record
		reason string
		says   string
	}{
		{"not JSON", record(`{"event_id":`), ReasonMalformed, "byte"},
		{"empty", record("  "), ReasonMalformed, "empty"},
		{"a list", record("[" + good + "]"), ReasonMalformed, "object"},
		{"null", record("null"), ReasonMalformed, "object"},
		{"unknown field", with(`"type"`, `"colour":1,"type"`), ReasonMalformed, "colour"},
		{"duplicate field", with(`"type"`, `"user_id":"u1","type"`), ReasonMalformed, "user_id"},
		{"other case", with(`"type"`, `"Type"`), ReasonMalformed, "Type"},
		{"wrong type", with(`"u1"`, `7`), ReasonMalformed, "user_id"},
		{"bad UTF-8", with(`u1`, "\xff"), ReasonMalformed, "UTF-8"},
		{"no event id", with(`"event_id":"e1",`, ``), ReasonRequired, "event_id"},
		{"empty user", with(`"u1"`, `""`), ReasonRequired, "user_id"},
		{"long item", with(`"i1"`, `"`+strings.Repeat("é", 5000)+`"`), ReasonTooLarge, "item_id"},
		{"control character", with(`"i1"`, `"a\u0007"`), ReasonRange, "item_id"},
		{"type in capitals", with(`view`, `View`), ReasonRange, "type"},
		{"no time", with(`,"event_time":"2026-01-31T10:00:00Z"`, ``), ReasonTime, "event_time"},
		{"seconds", with(`"2026-01-31T10:00:00Z"`, `1769853600`), ReasonMalformed, "seconds"},
		{"time before 1970-01-02", with(`2026-01-31T10:00:00Z`, `1970-01-01T23:59:59Z`), ReasonTime, "1970-01-02"},
		{"time too far ahead", with(`2026-01-31T10:00:00Z`, `2026-01-31T10:05:02Z`), ReasonTime, "5 minutes"},
		{"year 10000", with(`"2026-01-31T10:00:00Z"`, `253402300800000`), ReasonTime, "5 minutes"},
		{"nested property", with(`"type"`, `"properties":{"a":{"b":1}},"type"`), ReasonRange, "properties.a"},
		{"null property", with(`"type"`, `"properties":{"a":null},"type"`), ReasonRange, "properties.a"},
		{"number out of range", with(`"type"`, `"value":1e999,"type"`), ReasonMalformed, "value"},
		{"huge record", record(`{"event_id":"` + strings.Repeat("x", MaxRecordBytes) + `"}`), ReasonTooLarge, "record"},
		{"long category", with(`"type"`, `"item":{"category":"`+strings.Repeat("c", MaxIDBytes+1)+`"},"type"`), ReasonTooLarge, "item.category"},
		{"key of another", key, ReasonKey, "u2"},
		{"partition of another", place, ReasonPartition, "belongs"},
		{"unknown codec", codec, ReasonMalformed, "content-type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, rej := Validity{Partitions: 4}.Check(c.rec)
			if rej == nil {
				t.Fatalf("accepted")
			}
			if rej.Reason != c.reason || !strings.Contains(rej.Error(), c.says) {
				t.Errorf("got %q, want reason %s naming %q", rej.Error(), c.reason, c.says)
			}
			if len(rej.Error()) > 400 {
				t.Errorf("a message of %d bytes repeats the input", len(rej.Error()))
			}
		})
	}
}

func TestCheckAccepts(t *testing.T) {
	e, rej := Validity{Partitions: 4}.Check(record(good))
	if rej != nil {
		t.Fatal(rej)
	}
	want := Event{ID: "e1", UserID: "u1", ItemID: "i1", Type: "view", Time: at("2026-01-31T10:00:00Z")}
	if d := cmp.Diff(want, e); d != "" {
		t.Error(d)
	}
}

func TestEncodeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawEvent(t)
		b, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, rej := Decode("", b)
		if rej != nil {
			t.Fatalf("%s: %v", b, rej)
		}
		if d := cmp.Diff(e, got); d != "" {
			t.Error(d)
		}
		if r := got.Check(); r != nil {
			t.Errorf("drawn event is invalid: %v", r)
		}
	})
}

func drawEvent(t *rapid.T) Event {
	id := rapid.StringMatching(`[a-zA-Z0-9é日_-]{1,40}`)
	e := Event{
		ID: id.Draw(t, "id"), UserID: id.Draw(t, "user"), ItemID: id.Draw(t, "item"),
		Type: rapid.SampledFrom([]string{"view", "cart", "purchase"}).Draw(t, "type"),
		Time: Millis(rapid.Int64Range(MinEventTime, 4e12).Draw(t, "time")),
	}
	if rapid.Bool().Draw(t, "rich") {
		v := rapid.Float64Range(-1e9, 1e9).Draw(t, "value")
		c := id.Draw(t, "category")
		e.Value, e.SessionID = &v, id.Draw(t, "session")
		e.Context = map[string]string{"page": id.Draw(t, "page"), "device": "phone"}
		e.Properties = map[string]any{"n": v, "ok": true, "s": "x"}
		e.Stamp = &Stamp{Category: &c, Price: &v}
	}
	return e
}

func TestItemKnownAttributes(t *testing.T) {
	if _, rej := DecodeItem([]byte(`{"item_id":"i1","attributes":{"price":-1}}`)); rej == nil || rej.Field != "attributes.price" {
		t.Errorf("a negative price: %v", rej)
	}
	if _, rej := DecodeItem([]byte(`{"item_id":"i1","attributes":{"available":"no"}}`)); rej == nil {
		t.Error("available as a text was accepted")
	}
	i, rej := DecodeItem([]byte(`{"item_id":"i1","attributes":{"category":"shoes","price":9.5,"tags":["a","b"],"available":false}}`))
	if rej != nil {
		t.Fatal(rej)
	}
	s := i.Stamp()
	if s == nil || *s.Category != "shoes" || *s.Price != 9.5 || i.Available() {
		t.Errorf("stamp %+v, available %v", s, i.Available())
	}
}

// TestTopicRecords: what the readers of the items and users topics take and what they skip.
func TestTopicRecords(t *testing.T) {
	category := func(n int) string {
		return `{"item_id":"i1","attributes":{"category":"` + strings.Repeat("c", n) + `"}}`
	}
	for _, c := range []struct{ name, key, value, reason string }{
		{"good", "i1", category(MaxIDBytes), ""},
		{"pretty", "i1", "{\n  \"item_id\": \"i1\"\n}", ""},
		{"key of another", "i2", `{"item_id":"i1"}`, ReasonKey},
		{"no key", "", `{"item_id":"i1"}`, ReasonKey},
		{"malformed", "i1", `{"item_id":`, ReasonMalformed},
		{"empty", "i1", ``, ReasonMalformed},
		{"invalid", "i1", `{"item_id":"i1","attributes":{"price":-1}}`, ReasonRange},
		{"long category", "i1", category(MaxIDBytes + 1), ReasonTooLarge},
	} {
		i, rej := ItemRecord([]byte(c.key), []byte(c.value))
		if (rej == nil) != (c.reason == "") || rej != nil && rej.Reason != c.reason || rej == nil && i.ID != c.key {
			t.Errorf("%s: item %q, %v", c.name, i.ID, rej)
		}
	}
	if u, rej := UserRecord([]byte("u1"), []byte(`{"user_id":"u1"}`)); rej != nil || u.ID != "u1" {
		t.Errorf("user %q: %v", u.ID, rej)
	}
	if _, rej := UserRecord([]byte("u2"), []byte(`{"user_id":"u1"}`)); rej == nil || rej.Reason != ReasonKey {
		t.Errorf("a user with the key of another: %v", rej)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"event_id":"e","user_id":"u","item_id":"i","type":"t","event_time":100000000001,"properties":{"a":[1]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, rej := Decode("", b)
		if rej != nil || e.Check() != nil {
			return
		}
		out, err := e.Encode()
		if err != nil {
			t.Fatalf("a valid event does not encode: %v", err)
		}
		again, rej := Decode("", out)
		if rej != nil {
			t.Fatalf("its encoding does not decode: %v", rej)
		}
		if d := cmp.Diff(e, again); d != "" {
			t.Fatal(d)
		}
	})
}

// TestPrintable: every byte at every place of a text.
func TestPrintable(t *testing.T) {
	for n := range 20 {
		if s := strings.Repeat("~ ", 10)[:n]; !printable(s) {
			t.Errorf("%q is not printable", s)
		}
		for i := range n {
			for c := range 256 {
				b := []byte(strings.Repeat("a", n))
				b[i] = byte(c)
				if got := printable(string(b)); got != (c >= 0x20 && c < 0x7f) {
					t.Fatalf("%q: %v", b, got)
				}
			}
		}
	}
}

// TestLeastKey: of several bad entries the least key is named, in whatever order a map is walked.
func TestLeastKey(t *testing.T) {
	long := strings.Repeat("x", MaxTextBytes+1)
	for range 20 {
		e := Event{Context: map[string]string{"d": long, "b": long, "a": "", "c": long}}
		if rej := e.checkMaps(); rej == nil || rej.Field != "context.b" {
			t.Fatalf("%v, want context.b", rej)
		}
	}
}
