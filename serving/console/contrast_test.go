package console_test

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestContrast computes the contrast of every text colour on every ground it is used on, in both
// colour schemes, as WCAG 2.2 defines it; 4.5 is what level AA asks of normal text.
func TestContrast(t *testing.T) {
	light, dark, found := strings.Cut(asset(t, "console.css"), "@media (prefers-color-scheme: dark)")
	if !found {
		t.Fatal("the style sheet has no dark colours")
	}
	grounds := map[string][]string{
		"ground":    {"text", "soft", "accent", "good", "fair", "bad"}, // headings, notes, the skip link, the state
		"card":      {"text", "soft", "accent", "batch", "live", "merged", "good", "fair", "bad"},
		"wash":      {"text", "soft", "accent"}, // rows that are new, bars
		"accent":    {"on-accent"},
		"good-wash": {"good"}, "fair-wash": {"fair"}, "bad-wash": {"bad"},
	}
	for scheme, css := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(css, -1) {
			colours[m[1]] = luminance(t, m[2])
		}
		for ground, texts := range grounds {
			for _, text := range texts {
				a, okA := colours[text]
				b, okB := colours[ground]
				if !okA || !okB {
					t.Errorf("%s: no colour %s or %s", scheme, text, ground)
				} else if c := (max(a, b) + 0.05) / (min(a, b) + 0.05); c < 4.5 {
					t.Errorf("%s: %s on %s has a contrast of %.2f, want at least 4.5", scheme, text, ground, c)
				}
			}
		}
	}
}

// luminance returns the relative luminance of a colour of six hexadecimal digits, from 0 to 1.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		v, err := strconv.ParseUint(colour[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(v) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
