//go:build integration

package live

import (
	"testing"

	"github.com/anabranch/anabranch/scripts/testenv/need"
)

// TestIntegrationRunner runs the runner's stories on a real Kafka and a real Redis.
func TestIntegrationRunner(t *testing.T) {
	need.Kafka(t)
	need.Redis(t)
	for name, test := range map[string]func(*testing.T){
		"applies everything":       TestRunnerAppliesEverything,
		"buries invalid records":   TestRunnerBuriesInvalidRecords,
		"survives faults":          TestRunnerSurvivesFaultsAndKills,
		"waits for redis":          TestRunnerWaitsForRedis,
		"two fight":                TestTwoRunnersFight,
		"two share":                TestTwoRunnersShare,
		"redis loses everything":   TestRedisLosesEverything,
		"redis falls back":         TestRedisFallsBack,
		"ignores committed":        TestCommittedOffsetsAreIgnored,
		"floor raises the base":    TestFloorRaisesBase,
		"halts":                    TestHalts,
		"origin gone":              TestOriginGone,
		"an event is soon counted": TestFreshness,
		"a slow partition":         TestSlowPartitionHoldsUpNobody,
		"ending":                   TestStopEndsSteps,
	} {
		t.Run(name, test)
	}
}
