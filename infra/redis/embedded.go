package redis

import (
	"fmt"

	"github.com/alicebob/miniredis/v2"
)

// Embedded is a Redis in this process, in memory only: what it held is gone when it closes, and
// live state is then rebuilt from Kafka. It is for development and tests.
type Embedded struct {
	server *miniredis.Miniredis
}

// StartEmbedded starts a server on a loopback address ("127.0.0.1:6379"); "" takes a free port.
func StartEmbedded(addr string) (*Embedded, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr(addr); err != nil {
		return nil, fmt.Errorf("start embedded redis on %s: %w", addr, err)
	}
	return &Embedded{server: server}, nil
}

// Addr is the host:port to dial.
func (e *Embedded) Addr() string { return e.server.Addr() }

// Server is the real thing, for tests that inject faults or lose writes.
func (e *Embedded) Server() *miniredis.Miniredis { return e.server }

// Close stops the server and drops what it held.
func (e *Embedded) Close() { e.server.Close() }
