package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// guard runs transactions that depend on the fence of a partition. It has a connection of its own, on which it watches
// the fence from one transaction to the next: so each takes one round trip.
type guard struct {
	client   goredis.UniversalClient
	fence    string        // its key
	conn     *goredis.Conn // nil where there is none
	since    time.Time     // when conn was made
	watching bool
	stored   string // what the fence was when watching began; "" for none
}

func (s *Store) guard(fence string) guard { return guard{client: s.client, fence: fence} }

// transact executes the commands that queue adds, whole, while the stored fence is one that is wanted; it returns their
// replies. Where it is not, nothing is executed: replies are nil, and the stored fence is returned. After an error nobody knows.
func (g *guard) transact(
	ctx context.Context, wanted func(stored string) bool, queue func(goredis.Pipeliner),
) (replies []any, stored string, err error) {
	if replies, err = g.tryTransact(ctx, wanted, queue); err != nil {
		if cluster, ok := g.client.(*goredis.ClusterClient); ok {
			cluster.ReloadState(ctx) // the slot, or its master, may have moved
		}
		// Whatever it was, what is watched on this connection is no longer certain.
		return nil, "", errors.Join(err, g.Close())
	}
	return replies, g.stored, nil
}

func (g *guard) tryTransact(ctx context.Context, wanted func(string) bool, queue func(goredis.Pipeliner)) (replies []any, err error) {
	if err := g.connect(ctx); err != nil {
		return nil, err
	}
	if !g.watching || !wanted(g.stored) {
		if err := g.watch(ctx); err != nil {
			return nil, err
		}
	}
	for wanted(g.stored) {
		// Not executed, and the fence is as wanted nevertheless: it was another one for a while. It is watched anew.
		if replies, err := g.execute(ctx, queue); err != nil || replies != nil {
			return replies, err
		}
	}
	return nil, nil
}

// connect makes the connection, and a new one when it is as old as connections may become: see Dial.
func (g *guard) connect(ctx context.Context) error {
	if g.conn != nil && time.Since(g.since) < connLifetime {
		return nil
	}
	if err := g.Close(); err != nil {
		return err
	}
	node, err := g.node(ctx)
	if err != nil {
		return err
	}
	// Ephemeral, or a connection that still watches could be given to somebody else.
	g.conn, g.since = node.EphemeralConn(), time.Now()
	return nil
}

// node returns a client of the server that holds the partition's slot.
func (g *guard) node(ctx context.Context) (*goredis.Client, error) {
	switch client := g.client.(type) {
	case *goredis.Client:
		return client, nil
	case *goredis.ClusterClient:
		node, err := client.MasterForKey(ctx, g.fence)
		if err != nil {
			return nil, fmt.Errorf("find the node of its slot: %w", err)
		}
		return node, nil
	}
	return nil, fmt.Errorf("a client of type %T has no connection that it could keep", g.client)
}

// watch looks at the fence and watches it from then on.
func (g *guard) watch(ctx context.Context) error {
	p := g.conn.Pipeline()
	p.Do(ctx, "UNWATCH") // or a change since the last look would end the next transaction
	w := g.addWatch(ctx, p)
	_, err := p.Exec(ctx)
	if err != nil && !errors.Is(err, goredis.Nil) {
		return fmt.Errorf("watch it: %w", err)
	}
	return g.watched(w)
}

// addWatch adds the commands that watch the fence and read it, in this order: who changes it after the reading is noticed.
func (g *guard) addWatch(ctx context.Context, p goredis.Pipeliner) *goredis.StringCmd {
	p.Do(ctx, "WATCH", g.fence)
	return p.Get(ctx, g.fence)
}

func (g *guard) watched(get *goredis.StringCmd) error {
	stored, err := get.Result()
	if err != nil && !errors.Is(err, goredis.Nil) {
		return fmt.Errorf("read it: %w", err)
	}
	g.stored, g.watching = stored, true
	return nil
}

// execute runs the transaction, which Redis executes whole, or not at all when the fence has changed since it is watched:
// then there are no replies. The connection must be the one on which it is watched: go-redis never replaces that of a Conn.
func (g *guard) execute(ctx context.Context, queue func(goredis.Pipeliner)) (replies []any, err error) {
	g.watching = false // EXEC ends it
	p := g.conn.Pipeline()
	p.Do(ctx, "MULTI")
	p.Get(ctx, g.fence)
	queue(p)
	exec := p.Do(ctx, "EXEC")
	get := g.addWatch(ctx, p)
	commands, err := p.Exec(ctx)
	switch ended := exec.Err(); {
	case errors.Is(ended, goredis.Nil): // not executed
		return nil, g.watched(get)
	case ended != nil || err != nil && !errors.Is(err, goredis.Nil): // Nil: there is no fence now
		return nil, firstError(commands, err)
	}
	if replies, err = repliesOf(exec); err != nil {
		return nil, err
	}
	if at, _ := replies[0].(string); at != g.stored {
		return nil, g.giveUp(ctx)
	}
	return replies[1:], g.watched(get)
}

// giveUp deletes a fence that was another one than the watched when the transaction was executed nevertheless: what it speaks of is
// no longer certain, so it has to be made anew. No Redis does that, but the embedded one does not notice a FLUSHALL.
func (g *guard) giveUp(ctx context.Context) error {
	if err := g.conn.Del(ctx, g.fence).Err(); err != nil {
		return fmt.Errorf("delete a fence that was written over another one: %w", err)
	}
	return g.watch(ctx)
}

// firstError is the error of the first command that has one: that of EXEC only says that there was another.
func firstError(commands []goredis.Cmder, otherwise error) error {
	for _, cmd := range commands {
		if err := cmd.Err(); err != nil {
			return err
		}
	}
	return otherwise
}

// repliesOf returns the replies to the commands of the transaction. Where one of them is an error, those before and after it were
// executed. Only what others have put under our keys can cause one, such as a list in place of an index.
func repliesOf(exec *goredis.Cmd) ([]any, error) {
	replies, err := exec.Slice()
	if err != nil {
		return nil, fmt.Errorf("unexpected reply to EXEC: %w", err)
	}
	for _, r := range replies {
		if err, ok := r.(error); ok {
			return nil, fmt.Errorf("executed but for one command: %w", err)
		}
	}
	return replies, nil
}

// Close gives the connection up.
func (g *guard) Close() error {
	if g.conn == nil {
		return nil
	}
	conn := g.conn
	g.conn, g.watching = nil, false
	if err := conn.Close(); err != nil {
		return fmt.Errorf("close the connection of %s: %w", g.fence, err)
	}
	return nil
}
