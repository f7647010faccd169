package api_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/anabranch/anabranch/schemas/api"
)

func TestCodeOf(t *testing.T) {
	gate := api.Errorf(api.Gate, "no events: %w", io.EOF)
	for _, c := range []struct {
		err  error
		want api.Code
	}{
		{nil, ""},
		{io.EOF, api.Internal},
		{gate, api.Gate},
		{fmt.Errorf("nightly: %w", gate), api.Gate},
		{errors.Join(io.ErrUnexpectedEOF, gate), api.Gate},
		{api.Errorf(api.Unavailable, "outer: %w", gate), api.Unavailable},
	} {
		if got := api.CodeOf(c.err); got != c.want {
			t.Errorf("CodeOf(%v) = %q, want %q", c.err, got, c.want)
		}
	}
	if !errors.Is(gate, io.EOF) {
		t.Error("the cause is lost")
	}
}

func TestParseN(t *testing.T) {
	for s, want := range map[string]int{"": api.DefaultN, "1": 1, "1000": 1000, "007": 7} {
		if n, err := api.ParseN(s); err != nil || n != want {
			t.Errorf("ParseN(%q) = %d, %v", s, n, err)
		}
	}
	for _, s := range []string{"0", "-1", "1001", "1000000000", "99999999999999999999", "1.5", "ten", " 1", strings.Repeat("9", 10_000)} {
		_, err := api.ParseN(s)
		if api.CodeOf(err) != api.Invalid || !strings.Contains(err.Error(), "1 to 1000") || len(err.Error()) > 200 {
			t.Errorf("ParseN(%.20q): %v", s, err)
		}
	}
}

func TestClosest(t *testing.T) {
	names := []string{"listen", "kafka", "bucket", "period"}
	for name, want := range map[string]string{"lisen": "listen", "Kafka": "kafka", "periode": "period", "buckets": "bucket"} {
		if got, _ := api.Closest(name, names); got != want {
			t.Errorf("closest to %q: %q, want %q", name, got, want)
		}
	}
	if got, edits := api.Closest("kafka", names); got != "kafka" || edits != 0 {
		t.Errorf("closest to itself: %q after %d edits", got, edits)
	}
	if got, _ := api.Closest("x", nil); got != "" {
		t.Errorf("closest of none: %q", got)
	}
}
