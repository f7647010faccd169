//go:build integration

package deadletter_test

import (
	"testing"

	"github.com/anabranch/anabranch/scripts/testenv/need"
)

// TestIntegrationReplay runs what depends on transactions on a real Kafka.
func TestIntegrationReplay(t *testing.T) {
	need.Kafka(t)
	for name, test := range map[string]func(*testing.T){
		"replay":                      TestReplay,
		"every request may be a last": TestEveryRequestMayBeTheLast,
		"sleeper":                     TestSleeperIsFenced,
		"many":                        TestManyReplays,
		"notes outlive letters":       TestNotesOutliveRepeatedLetters,
	} {
		t.Run(name, test)
	}
}
