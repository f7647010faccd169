//go:build integration

package faults

import (
	"os"
	"testing"
)

// TestMain lets the test binary be one of the processes that rows kill.
func TestMain(m *testing.M) {
	if raw := os.Getenv(childVar); raw != "" {
		os.Exit(childMain(raw))
	}
	os.Exit(m.Run())
}
