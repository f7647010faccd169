package oracle

import (
	"os"
	"testing"
)

// Need returns the path of a judge's binary for a test, building it where needed. Without
// ANABRANCH_INTEGRATION=1 the test is skipped, unless [Variable] names a built binary; with it a
// judge that cannot be built fails the test.
func Need(t testing.TB, name string) string {
	t.Helper()
	if os.Getenv("ANABRANCH_INTEGRATION") != "1" && os.Getenv(Variable(name)) == "" {
		t.Skipf("needs the oracle %s, which takes long to build the first time: set ANABRANCH_INTEGRATION=1, or %s to its binary", name, Variable(name))
	}
	path, err := Build(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
