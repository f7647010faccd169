package deadletter_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/stream/ingest/deadletter"
)

var errDead = errors.New("this process is dead")

// mortal is the network of a process that dies at its nth request: before Kafka has it, or after, so
// that Kafka works on it and nobody hears the answer.
type mortal struct {
	nth   int
	after bool
	died  context.CancelFunc

	mu    sync.Mutex
	seen  int
	conns []net.Conn
}

func (m *mortal) dial(ctx context.Context, network, host string) (net.Conn, error) {
	if m.dead() {
		return nil, errDead
	}
	c, err := (&net.Dialer{}).DialContext(ctx, network, host)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns = append(m.conns, c)
	return &mortalConn{c, m}, nil
}

func (m *mortal) dead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen >= m.nth
}

func (m *mortal) bury() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.conns {
		_ = c.Close()
	}
}

type mortalConn struct {
	net.Conn
	m *mortal
}

func (c *mortalConn) Write(b []byte) (int, error) {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if c.m.seen >= c.m.nth {
		return 0, errDead
	}
	c.m.seen++
	if c.m.seen < c.m.nth {
		return c.Conn.Write(b)
	}
	c.m.died()
	if c.m.after {
		_, _ = c.Conn.Write(b)
	}
	return 0, errDead
}

// Close leaves the connection of the dead open, so that Kafka reads what was sent; bury closes it.
func (c *mortalConn) Close() error {
	if c.m.dead() {
		return nil
	}
	return c.Conn.Close()
}

// TestEveryRequestMayBeTheLast kills a replay at each of its requests, before and after Kafka has it. The
// next replay goes on, and every letter is replayed once.
func TestEveryRequestMayBeTheLast(t *testing.T) {
	w := newWorld(t)
	var all []event.Position
	struck, deaths := true, 0
	for nth := 1; struck; nth++ {
		for _, after := range []bool{false, true} {
			all = append(all, w.buryMany(3)...)
			ctx, cancel := context.WithCancel(t.Context())
			m := &mortal{nth: nth, after: after, died: cancel}
			dying := deadletter.Hasty(w.replayer())
			dying.Client = append(dying.Client, kgo.Dialer(m.dial))
			err := dying.Replay(ctx, deadletter.Filter{}, func(deadletter.Outcome) error { return nil })
			if struck = m.dead(); struck {
				deaths++
			} else if err != nil {
				t.Fatalf("request %d: %v", nth, err)
			}
			w.replay(w.replayer(), deadletter.Filter{Open: true})
			w.checkOnce(all...)
			cancel()
			m.bury()
			if t.Failed() {
				t.Fatalf("request %d, after=%v (%v)", nth, after, err)
			}
		}
	}
	if deaths < 20 {
		t.Errorf("a replay died only %d times, so most of it was not tried", deaths)
	}
	t.Logf("%d deaths, %d letters", deaths, len(all))
}

// TestSleeperIsFenced stops a replay in the middle, lets another do all the work, and wakes the first:
// it cannot commit any more and says so.
func TestSleeperIsFenced(t *testing.T) {
	w := newWorld(t)
	all := w.buryMany(6)
	first := true
	sleeper := w.replayer() // two letters a transaction: it sleeps after the first one
	err := sleeper.Replay(t.Context(), deadletter.Filter{}, func(deadletter.Outcome) error {
		if first {
			first = false
			w.replay(w.replayer(), deadletter.Filter{})
		}
		return nil
	})
	if api.CodeOf(err) != api.Locked {
		t.Errorf("the sleeper says %v", err)
	}
	w.checkOnce(all...)
}

// TestManyReplays run at once: all letters are replayed once, whoever wins.
func TestManyReplays(t *testing.T) {
	w := newWorld(t)
	all := w.buryMany(20)
	var g errgroup.Group
	for range 4 {
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			err := w.replayer().Replay(ctx, deadletter.Filter{}, func(deadletter.Outcome) error { return nil })
			if api.CodeOf(err) == api.Locked {
				return nil
			}
			return err
		})
	}
	must(t, g.Wait())
	w.replay(w.replayer(), deadletter.Filter{})
	w.checkOnce(all...)
}
