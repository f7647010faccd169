package event

import (
	"testing"

	"pgregory.net/rapid"
)

// TestContextText: the text of a context is what the library writes.
func TestContextText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.MapOfN(rapid.String(), rapid.String(), 1, 20).Draw(t, "context")
		want, wantErr := jsonText(m)
		got, err := contextText(m)
		if (err == nil) != (wantErr == nil) || err == nil && *got != *want {
			t.Fatalf("got %v %v, want %v %v", got, err, want, wantErr)
		}
	})
}
