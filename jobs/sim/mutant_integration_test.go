//go:build integration

package sim_test

import "testing"

// TestIntegrationMutants: every planted bug is noticed within 1,000 seeds.
func TestIntegrationMutants(t *testing.T) {
	for _, m := range readMutants(t) {
		t.Run(m.name, m.catch)
	}
}
