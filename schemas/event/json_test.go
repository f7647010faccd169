package event

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// sameJSON fails unless the fast path gives what the strict decoder gives, or leaves the record to it,
// and knows of no entry to be valid that is not.
func sameJSON(t interface{ Fatalf(string, ...any) }, value []byte) {
	want, rej := decodeStrict(value)
	for _, texts := range []*Texts{nil, {}} {
		got, ok := scanEvent(value, texts)
		if !ok {
			continue
		}
		if rej != nil {
			t.Fatalf("%q: the fast path accepts what is rejected: %v", value, rej)
		}
		if d := cmp.Diff(want, got, cmp.Comparer(sameBits)); d != "" {
			t.Fatalf("%q: -strict +fast\n%s", value, d)
		}
		if rej := got.checkMaps(); rej != nil {
			t.Fatalf("%q: the fast path takes for clean: %v", value, rej)
		}
	}
}

func sameBits(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }

// TestScanTakes: the usual record takes the fast path, or all the work was for nothing.
func TestScanTakes(t *testing.T) {
	for _, value := range []string{
		typicalJSON, good,
		"\n { \"event_id\" : \"e\" ,\t\"context\":{ },\"properties\": {\"a\":1,\"b\":true , \"c\":false,\"d\":\"x\"},\r\n\"item\":{ } } ",
		`{}`, `{"user_id":"日本"}`, `{"value":-0.5e-3,"event_time":1769853600000}`, `{"event_time":"2026-01-31T10:00:00+01:00"}`,
	} {
		if _, ok := scanEvent([]byte(value), nil); !ok {
			t.Errorf("%s: left to the strict decoder", value)
		}
		sameJSON(t, []byte(value))
	}
}

// TestScanSurprises: what the fast path must not decide alone, or must decide alike.
func TestScanSurprises(t *testing.T) {
	values := []string{
		`"x"`, "", " ", `{`, `{"`, `{"a`, `{}x`, `{}{}`, `{},`, `[]`, "null", "\ufeff{}", "{}\x00", "{}\u00a0",
		`{"event_id":"a","event_id":"a"}`, `{"event_id":null}`, `{"Event_id":"a"}`, `{"event_id":"a",}`, `{,}`, `{"event_id" "a"}`,
		`{"event_id":"\u0061\n\ud83d\ude00"}`, `{"event_id":"\ud800"}`, "{\"event_id\":\"\xff\"}", "{\"event_id\":\"a\nb\"}", "{\"event_id\":\"\x7f\"}",
		"{\"event_id\":\"\xed\xa0\x80\"}", `{"ev\u0065nt_id":"a"}`, `{"event_id":"aaaaaaa\"aaaaaaaaaaaaaaa"}`, `{"event_id":"éééééééééé\\"}`,
		`{"context":{"a":"b","a":"c"}}`, `{"context":{"a":null}}`, `{"context":null}`, `{"context":{"a":1}}`, `{"context":{"":"x"}}`, `{"context":[]}`,
		`{"properties":{"a":null}}`, `{"properties":{"a":[1]}}`, `{"properties":{"a":{}}}`, `{"properties":{"a":tru}}`, `{"properties":{"a":truee}}`,
		`{"properties":{"a":1,"a":2}}`, `{"properties":{"a":1e400}}`, `{"properties":{"a":NaN}}`, `{"properties":{"a":-}}`,
		`{"item":{"category":"a","category":"b"}}`, `{"item":null}`, `{"item":{"category":null}}`, `{"item":{"colour":"red"}}`, `{"item":{},"item":{}}`,
		`{"context":{"` + strings.Repeat("k", MaxKeyBytes+1) + `":"x"}}`, `{"context":{"k":"` + strings.Repeat("x", MaxTextBytes+1) + `"}}`,
		`{"properties":{"k":"` + strings.Repeat("é", MaxTextBytes) + `"}}`,
	}
	for n := MaxEntries; n <= MaxEntries+1; n++ {
		var entries []string
		for i := range n {
			entries = append(entries, fmt.Sprintf(`"k%d":"v"`, i))
		}
		values = append(values, `{"context":{`+strings.Join(entries, ",")+`}}`, `{"properties":{`+strings.Join(entries, ",")+`}}`)
	}
	for _, value := range values {
		sameJSON(t, []byte(value))
	}
}

// TestScanBytes: every byte at every place of a text, alone and before the end of the text.
func TestScanBytes(t *testing.T) {
	for n := range 19 {
		for i := range n {
			for c := range 256 {
				text := []byte(strings.Repeat("a", n))
				text[i] = byte(c)
				sameJSON(t, []byte(`{"user_id":"`+string(text)+`","type":"view"}`))
			}
		}
	}
}

// TestScanNumbers: the fast path and the strict decoder agree on every digit.
func TestScanNumbers(t *testing.T) {
	literals := []string{
		"0", "-0", "00", "01", "-01", "1.", ".5", "+1", "1e5", "1E-5", "1e", "1e+", "0.1", "0x1", "1_0", "Infinity",
		"999999999999999", "9999999999999999", "123456789012345.6", "0.000000000000001", "0.0000000000000001", "5e-324", "2e-324", "1.7976931348623159e308",
		"9007199254740993", "0.30000000000000004", "18446744073709551617", "1" + strings.Repeat("0", 400), "0." + strings.Repeat("0", 400) + "1",
	}
	for _, l := range literals {
		sameJSON(t, []byte(`{"value":`+l+`}`))
		sameJSON(t, []byte(`{"properties":{"x":`+l+`}}`))
		sameJSON(t, []byte(`{"event_time":`+l+`}`))
	}
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64().Draw(t, "x")
		form := rapid.SampledFrom([]byte("efg")).Draw(t, "form")
		sameJSON(t, []byte(`{"value":`+strconv.FormatFloat(x, form, rapid.IntRange(-1, 20).Draw(t, "digits"), 64)+`}`))
	})
}

// TestScanTimes: the fast path and ParseMillis agree on every calendar day and around every border.
func TestScanTimes(t *testing.T) {
	for day := int64(-719162); day <= 2932896; day += 13 { // 0001-01-01 to 9999-12-31
		m := Millis(day * 86_400_000)
		if got, ok := utcMillis([]byte(m.String())); !ok || got != m {
			t.Fatalf("%s: %d %v, want %d", m, got, ok, m)
		}
	}
	for _, s := range []string{
		"2024-02-29T00:00:00Z", "2023-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2000-02-29T23:59:59.999999999Z", "2026-04-31T00:00:00Z",
		"2026-00-10T00:00:00Z", "2026-13-10T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T00:60:00Z", "2026-01-31T00:00:60Z",
		"0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "2026-01-31T10:00:00.Z", "2026-01-31T10:00:00,5Z", "2026-01-31T10:00:00.1234567891Z",
		"2026-01-31T10:00:00z", "2026-01-31t10:00:00Z", "2026-01-31 10:00:00Z", "2026-01-31T10:00:00", "2026-01-31T10:00Z", "2026-1-31T10:00:00Z",
		"2026-01-31T10:00:00+00:00", "2026-01-31T10:00:00-23:59", "2026-01-31T1:00:00Z", "2026-01-31T10:00:00Z ", "1969-12-31T23:59:59.9999Z", "2026-01-31T10:00:00.123Z",
		"1769853600000", "1769853600", "-1769853600000", "99999999999", "100000000000", "0100000000001", "999999999999999999", "9223372036854775807", "9223372036854775808", "1.7e12", "0", "", "Z",
	} {
		sameJSON(t, []byte(`{"event_time":"`+s+`"}`))
		sameJSON(t, []byte(`{"event_time":`+s+`}`))
	}
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
		s := []byte(at.Format(rapid.SampledFrom([]string{time.RFC3339, time.RFC3339Nano, "2006-01-02T15:04:05.0Z07:00"}).Draw(t, "form")))
		if rapid.Bool().Draw(t, "damaged") {
			s[rapid.IntRange(0, len(s)-1).Draw(t, "at")] = rapid.ByteRange(0x20, 0x7e).Draw(t, "with")
		}
		sameJSON(t, []byte(`{"event_time":"`+string(s)+`"}`))
	})
}

// TestScanDamage: events that are cut, and events with bytes changed.
func TestScanDamage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawEvent(t)
		b, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.SampledFrom([]byte("\"\\{}[]:,0-.eE \n\x00\x7f\x80\xc3aZ")).Draw(t, "with")
		}
		sameJSON(t, b[:rapid.IntRange(0, len(b)).Draw(t, "cut")])
		sameJSON(t, b)
	})
}

// TestTexts: a shared text is the text, whatever it shares a slot with.
func TestTexts(t *testing.T) {
	texts := &Texts{}
	for i := range 3 << textBits {
		for _, s := range []string{strconv.Itoa(i), strings.Repeat("x", i%(2*maxSharedText)), fmt.Sprintf("category %d of a shop", i)} {
			if got := texts.text([]byte(s)); got != s {
				t.Fatalf("%q became %q", s, got)
			}
		}
	}
}

// FuzzScan compares the fast path with the strict decoder.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		typicalJSON, good, `{"event_id":"\u00e9","value":1e5,"event_time":100000000001,"properties":{"a":[1],"b":null,"c":-0}}`,
		`{"item":{"category":null,"price":0.1},"context":{"a":"b","a":"c"}}`, "{\"user_id\":\"\xff\"}", ` {"event_time":"2026-01-31T10:00:00+01:00"} x`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { sameJSON(t, b) })
}
