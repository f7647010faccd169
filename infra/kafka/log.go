package kafka

import (
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kslog"
)

// clientLog logs what a client has to say one level down: its INFO is about every metadata refresh,
// which is DEBUG to whoever runs a pipeline. Warnings and errors stay what they are.
type clientLog struct{ *kslog.Logger }

func newClientLog(logger *slog.Logger) kgo.Logger { return clientLog{kslog.New(logger)} }

// Level implements kgo.Logger.
func (l clientLog) Level() kgo.LogLevel {
	if level := l.Logger.Level(); level != kgo.LogLevelInfo {
		return level
	}
	return kgo.LogLevelWarn
}
