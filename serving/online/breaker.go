package online

import (
	"log/slog"
	"sync/atomic"
)

// breakAfter is how many failures in a row make requests leave Redis alone.
const breakAfter = 3

// breaker counts failures in a row. It closes again when the background loop gets through.
type breaker struct {
	failures atomic.Int32
}

func (b *breaker) open() bool { return b.failures.Load() >= breakAfter }

// note takes the outcome of a call.
func (b *breaker) note(err error, log *slog.Logger) {
	if err == nil {
		if b.failures.Swap(0) >= breakAfter {
			log.Info("redis is back")
		}
		return
	}
	if b.failures.Add(1) == breakAfter {
		log.Warn("redis cannot be reached; answers are degraded until it is back", "error", err)
	}
}
