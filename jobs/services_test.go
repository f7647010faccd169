package jobs

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"
)

// TestSilentConnections ends a server just after a client connected without asking anything: the end
// does not wait for that client, whether the server heard of it before its listener was closed or after.
func TestSilentConnections(t *testing.T) {
	for range 200 {
		l, err := listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var logged bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- httpService(l, http.NotFoundHandler(), slog.New(slog.NewTextHandler(&logged, nil))).run(ctx)
		}()
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		if logged.Len() > 0 {
			t.Fatalf("the end of the server: %s", &logged)
		}
	}
}

// TestSilentConnectionTooLate tells of a connection after the silent ones were closed.
func TestSilentConnectionTooLate(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	var silent silentConns
	silent.close()
	silent.follow(ours, http.StateNew)
	if _, err := ours.Write([]byte{1}); err == nil {
		t.Error("the connection is still open")
	}
}
