package quality

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/schemas/api"
)

func TestDefault(t *testing.T) {
	g := Default()
	if len(g.Input) == 0 || len(g.Output) == 0 || g.Nights() != defaultNights {
		t.Errorf("%+v", g)
	}
	for _, x := range append(g.Input, g.Output...) {
		if x.Action != Warn {
			t.Errorf("the default gate %s does more than warn", x.Name)
		}
	}
}

// TestManual parses every example of the manual.
func TestManual(t *testing.T) {
	text, err := os.ReadFile("../../docs/gates.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1)
	for _, x := range examples {
		if _, err := Parse(x[1]); err != nil {
			t.Errorf("%v in\n%s", err, x[1])
		}
	}
	if len(examples) == 0 {
		t.Error("there are no examples")
	}
	for _, m := range append(inputMetrics(), outputMetrics()...) {
		if name, _, _ := strings.Cut(m, "."); !strings.Contains(string(text), "`"+name) {
			t.Errorf("the manual does not know %s", m)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"input: 5":                                                                                  "line 1: cannot unmarshal",
		"inputs: []":                                                                                "field inputs not found",
		"input:\n  - metric: rows\n    max: 1":                                                      `line 2: input gate 1: name ""`,
		"input:\n  - {name: A, metric: rows}":                                                       `name "A"`,
		"input:\n  - {name: a, metrics: rows}":                                                      "line 2: input gate 1: field metrics not found",
		"input:\n  - {name: a, max: x}":                                                             "line 2: input gate 1: cannot unmarshal",
		"input:\n  - {name: a}":                                                                     "exactly one of rows, metric and expr",
		"input:\n  - {name: a, metric: rowz, max: 1}":                                               `metric "rowz": accepted are rows, accepted`,
		"output:\n  - {name: a, metric: rows, max: 1}":                                              `metric "rows": accepted are cases`,
		"input: []\n---\ninput: []":                                                                 "one document is accepted",
		"input:\n- ":                                                                                "line 2: input gate 1: a mapping is required",
		"input:\n  - {name: a, metric: rows, max: .nan}":                                            "a bound of NaN",
		"input:\n  - {name: a, metric: rows, min: 2, max: 1}":                                       "min 2 is above max 1",
		"input:\n  - {name: a, metric: rows, of_median: {max: .inf}}":                               "of_median: a bound of +Inf",
		"input:\n  - {name: a, metric: age_hours, of_median: {max: 2}}":                             "may be below 0",
		"input:\n  - {name: a, rows: {column: value, min: 2, max: 1}}":                              "min 2 is above max 1",
		"input:\n  - {name: a, rows: {accepted: true, max_rate: .nan}}":                             "rows.max_rate NaN",
		"input:\n  - {name: a, expr: 'm.rows > 1.0 || m.rowz > 1.0'}":                               `there is no number "rowz"`,
		"input:\n  - {name: a, expr: \"m['rowz'] > 1.0\"}":                                          `there is no number "rowz"`,
		"input:\n  - {name: a, metric: rows}":                                                       "min, max or of_median is required",
		"input:\n  - {name: a, metric: rows, max: 1, action: stop}":                                 `action "stop": block and warn are accepted`,
		"input:\n  - {name: a, metric: rows, of_median: {nights: 3}}":                               "of_median: min or max is required",
		"input:\n  - {name: a, metric: rows, of_median: {min: 1, nights: 91}}":                      "of_median.nights 91: 1 to 90",
		"input:\n  - {name: a, metric: min.value, of_median: {min: 1}}":                             "may be below 0",
		"input:\n  - {name: a, rows: {column: value}}":                                              "exactly one of not_null",
		"input:\n  - {name: a, rows: {column: type, min: 1}}":                                       `rows.column "type": accepted are value, price`,
		"input:\n  - {name: a, rows: {column: user_id, known: true}}":                               `rows.column "user_id": accepted are item_id`,
		"input:\n  - {name: a, rows: {column: value, accepted: true}}":                              "accepted is about the whole row",
		"input:\n  - {name: a, rows: {column: value, not_null: true, max_rate: 1}}":                 "rows.max_rate 1",
		"input:\n  - {name: a, rows: {column: value, not_null: true}, max: 1}":                      "min, max and of_median belong to metric",
		"output:\n  - {name: a, rows: {accepted: true}}":                                            "rows are of the input",
		"input:\n  - {name: a, expr: 'm.rows'}":                                                     "a condition is required",
		"input:\n  - {name: a, expr: 'm.rows >'}":                                                   "Syntax error",
		"input:\n  - {name: a, expr: 'x > 1.0'}":                                                    "undeclared reference",
		"input:\n  - {name: a, metric: rows, max: 1}\noutput:\n  - {name: a, metric: hr20, max: 1}": "line 4: output gate 1: name \"a\": line 2 has it already",
	} {
		_, err := Parse([]byte(text))
		if api.CodeOf(err) != api.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nis refused with %v, want %s", text, err, want)
		}
	}
}

// TestHashes compares the set with a map.
func TestHashes(t *testing.T) {
	const seed = 11
	rng := rand.New(rand.NewPCG(seed, 0))
	var h hashes
	want := map[uint64]bool{}
	for range 100_000 {
		x := rng.Uint64N(60_000) // 0 and 1 are one
		if got := h.add(x); got == want[max(x, 1)] {
			t.Fatalf("%d is new: %v", x, got)
		}
		want[max(x, 1)] = true
	}
	if h.n != len(want) {
		t.Errorf("%d hashes, want %d", h.n, len(want))
	}
}

// TestDrift: nothing where nothing changed or where there is nothing to compare, the sum by hand, and the same for both.
func TestDrift(t *testing.T) {
	a, b := map[string]int64{"view": 70, "cart": 30}, map[string]int64{"view": 40, "cart": 60}
	p, q := 70.5/101, 40.5/101
	want := (p-q)*math.Log(p/q) + (q-p)*math.Log((1-p)/(1-q))
	if got := drift(a, b); math.Abs(got-want) > 1e-12 || math.Abs(got-drift(b, a)) > 1e-12 {
		t.Errorf("%v and %v, want %v", got, drift(b, a), want)
	}
	if drift(a, a) != 0 || drift(nil, a) != 0 || drift(a, nil) != 0 {
		t.Error("a drift of nothing")
	}
}

func TestBuckets(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 1: "2^0", 1.4: "2^0", 1.5: "2^0.5", 2: "2^1", -8: "-2^3", .25: "2^-2"} {
		if got := bucketOf(x); got != want {
			t.Errorf("%v is in %s, want %s", x, got, want)
		}
	}
	p := Profile{Shapes: map[string]map[string]int64{}}
	for i := range 2 * maxShape {
		p.count("type", fmt.Sprint(i))
	}
	if len(p.Shapes["type"]) != maxShape+1 || p.Shapes["type"][others] != maxShape {
		t.Errorf("%d buckets, %d others", len(p.Shapes["type"]), p.Shapes["type"][others])
	}
}

// TestBefore: nights that were blocked, that with imported history, later ones and other stages are no measure.
func TestBefore(t *testing.T) {
	b, err := filebucket.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	for i := range 5 {
		r := Report{Label: day.AddDate(0, 0, i), Stage: Input, Profile: &Profile{Metrics: map[string]float64{"rows": float64(i)}}}
		r.Profile.Imported = i == 0
		r.Verdicts = []Verdict{{Gate: "g", Action: Block, Holds: i != 2}}
		if err := Store(t.Context(), b, r); (err == nil) != (i != 2) {
			t.Fatal(err)
		}
	}
	if err := Store(t.Context(), b, Report{Label: day, Stage: Output, Metrics: map[string]float64{"hr20": .5}}); err != nil {
		t.Fatal(err)
	}
	if got, err := Before(t.Context(), b, day.AddDate(0, 0, 4), Input, 7); err != nil || len(got) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	got, err := Before(t.Context(), b, day.AddDate(0, 0, 4), Input, 2)
	if err != nil || len(got) != 2 || got[0].Profile.Metrics["rows"] != 3 || got[1].Profile.Metrics["rows"] != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if out, err := Before(t.Context(), b, day.AddDate(0, 0, 4), Output, 7); err != nil || len(out) != 1 || Numbers(out)[0]["hr20"] != .5 {
		t.Errorf("%+v, %v", out, err)
	}
}

// TestUnknownNumber: a gate about what could not be measured holds, and so does an expression.
func TestUnknownNumber(t *testing.T) {
	g, err := Parse([]byte("input:\n  - {name: a, metric: age_hours, max: 1}\n  - {name: b, expr: 'm.age_hours < 1.0'}\n"))
	if err != nil {
		t.Fatal(err)
	}
	v := g.Judge(Input, map[string]float64{"rows": 0}, nil, nil)
	if !v[0].Holds || !v[1].Holds || !strings.Contains(v[1].Says, "no such key") {
		t.Errorf("%+v", v)
	}
	if blocked := Blocked(v); len(blocked) != 0 {
		t.Errorf("%+v", blocked)
	}
}
