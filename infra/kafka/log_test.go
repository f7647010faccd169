package kafka

import (
	"log/slog"
	"testing"
)

// testLogger shows warnings of clients and brokers in the output of the test that caused them.
func testLogger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}
