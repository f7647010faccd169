package jobs_test

import (
	"bufio"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// metricDoc is a row of docs/metrics.md.
type metricDoc struct {
	labels []string
	always bool // there from the start
}

// documentedMetrics reads the tables of docs/metrics.md: | name | labels | when | meaning |.
func documentedMetrics(t *testing.T) map[string]metricDoc {
	t.Helper()
	f, err := os.Open("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	docs := map[string]metricDoc{}
	row := regexp.MustCompile("^\\| `(anabranch_\\w+)` \\| ([^|]*) \\| ([^|]*) \\|")
	for s := bufio.NewScanner(f); s.Scan(); {
		if m := row.FindStringSubmatch(s.Text()); m != nil {
			labels := strings.Fields(strings.ReplaceAll(m[2], "`", ""))
			docs[m[1]] = metricDoc{labels, strings.TrimSpace(m[3]) == "always"}
		}
	}
	return docs
}

// closed says what a label's value may be. There is no pattern that a user id or a payload would match.
var closed = map[string]*regexp.Regexp{
	"namespace": regexp.MustCompile(`^[0-9a-f]{12}-v\d+$`),
	"partition": regexp.MustCompile(`^\d{1,3}$`),
	"reason":    regexp.MustCompile(`^(malformed|required|range|too_large|time|key|partition|reserved)$`),
	"client":    regexp.MustCompile(`^(live|archive|ingest|catalog)$`),
	"kind":      regexp.MustCompile(`^(events|items|users|ahead|behind|missing|replaced)$`),
	"status":    regexp.MustCompile(`^[1-5]\d\d$`),
	"route":     regexp.MustCompile(`^(other|((GET|POST|HEAD) )?/[a-z0-9_/{}.*$-]*)$`),
	"live":      regexp.MustCompile(`^(exact|degraded|absent)$`),
	"degraded":  regexp.MustCompile(`^(true|false)$`),
	"outcome":   regexp.MustCompile(`^(taken|refused)$`),
	"node_id":   regexp.MustCompile(`^(seed_)?\d{1,3}$`),
	"topic":     regexp.MustCompile(`^(events|items|users|events\.dlq)$`),
}

// parseMetrics returns the values of every label, by metric and label, of the text format. The bounds of
// histograms are left out.
func parseMetrics(text string) map[string]map[string]map[string]bool {
	label, family := regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`), ""
	out := map[string]map[string]map[string]bool{}
	for line := range strings.Lines(text) {
		if rest, isType := strings.CutPrefix(line, "# TYPE "); isType {
			family, _, _ = strings.Cut(rest, " ")
			out[family] = map[string]map[string]bool{}
			continue
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		for _, m := range label.FindAllStringSubmatch(line, -1) {
			if m[1] == "le" {
				continue
			}
			if out[family][m[1]] == nil {
				out[family][m[1]] = map[string]bool{}
			}
			out[family][m[1]][m[2]] = true
		}
	}
	return out
}

// TestMetrics scrapes a running dev: the metrics are those of docs/metrics.md, and every label has one of
// few values, none of which comes from a record.
func TestMetrics(t *testing.T) {
	d := startDev(t, t.TempDir())
	secret := "somebody-4711"
	for _, body := range []string{
		`{"event_id":"e1","user_id":"` + secret + `","item_id":"i1","type":"view"}`,
		`{"event_id":"e1","user_id":"` + secret + `","item_id":"i1","type":"` + secret + `!"}`,
	} {
		d.do("POST", "/v1/events", map[string]string{"Content-Type": "application/json"}, strings.NewReader(body))
	}
	d.get("/v1/users/" + secret + "/recommendations")
	docs := documentedMetrics(t)
	var text string
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !regexp.MustCompile(`(?m)^anabranch_live_events_applied_total\{.*\} [1-9]`).MatchString(text) {
		select {
		case <-tick.C:
			text = string(d.get("/metrics").body)
		case <-deadline.C:
			t.Fatal("the event was not applied within 20 s")
		}
	}
	if strings.Contains(text, secret) {
		t.Error("the metrics name a user")
	}
	families := parseMetrics(text)
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if !strings.HasPrefix(name, "anabranch_") {
			continue // of the Go runtime and the process
		}
		doc, known := docs[name]
		if !known {
			t.Errorf("docs/metrics.md lacks %s", name)
			continue
		}
		for label, values := range families[name] {
			for value := range values {
				if allowed := closed[label]; !slices.Contains(doc.labels, label) || allowed == nil || !allowed.MatchString(value) {
					t.Errorf("%s has the label %s=%q", name, label, value)
				}
			}
		}
	}
	for name, doc := range docs {
		if doc.always && families[name] == nil {
			t.Errorf("docs/metrics.md says that %s is always there", name)
		}
	}
}
