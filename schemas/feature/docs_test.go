package feature

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestManual keeps docs/features.md true: its examples parse, and it speaks of every key, aggregate,
// type and built-in field.
func TestManual(t *testing.T) {
	b, err := os.ReadFile("../../docs/features.md")
	if err != nil {
		t.Fatal(err)
	}
	manual := string(b)
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(manual, -1)
	if len(blocks) < 5 {
		t.Errorf("%d examples, at least 5 are expected", len(blocks))
	}
	for _, m := range blocks {
		if _, err := Parse([]byte(m[1])); err != nil {
			t.Errorf("%v in\n%s", err, m[1])
		}
	}
	words := append(append(names(definitionKeys), names(filterKeys)...), texts(Aggregates())...)
	words = append(words, (&catalogueReader{}).fields()...)
	for _, k := range kinds {
		words = append(words, strings.Replace(string(k), "decimal", "decimal(1)", 1))
	}
	for _, w := range words {
		if !strings.Contains(manual, "`"+w+"`") {
			t.Errorf("the manual does not speak of %s", w)
		}
	}
}
