package proxy

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

// Direction is which way bytes flow.
type Direction int

// The two directions.
const (
	ToServer Direction = iota // requests
	ToClient                  // replies
)

// dialTimeout bounds the connection to the upstream, which is on this machine.
const dialTimeout = 5 * time.Second

// Proxy forwards connections to an upstream. Its methods are safe for concurrent use.
type Proxy struct {
	listener net.Listener
	running  sync.WaitGroup

	mu       sync.Mutex
	upstream string
	conns    map[*link]struct{}
	faults   faults
	moved    [2]int64 // bytes forwarded, by direction
	closed   bool
}

// faults is what is broken now. The zero value is a healthy proxy.
type faults struct {
	refuse  bool
	latency time.Duration
	holes   [2]chan struct{} // nil, or closed when the direction is healed
	cuts    [2]*cut
}

// cut is a connection's end to come.
type cut struct {
	left int64         // bytes that still pass
	done chan struct{} // closed when the connection is closed
}

// New starts a proxy on a free loopback port, which is closed when the test ends. Upstream may be ""
// until [Proxy.SetUpstream] names one.
func New(t testing.TB, upstream string) *Proxy {
	t.Helper()
	p, err := Listen(upstream)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// Listen is New without a test: the caller closes the proxy.
func Listen(upstream string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the proxy of %s: %w", upstream, err)
	}
	p := &Proxy{listener: l, upstream: upstream, conns: map[*link]struct{}{}}
	p.running.Go(p.accept)
	return p, nil
}

// Addr is the host:port that clients dial.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// SetUpstream changes where new connections go. Open ones stay; use Cut to end them.
func (p *Proxy) SetUpstream(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.upstream = addr
}

// Open is how many connections are open.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

// Bytes is how many bytes were forwarded in a direction since the start, over all connections.
func (p *Proxy) Bytes(d Direction) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.moved[d]
}

// Close ends all connections and stops listening. A second call does nothing.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close() // it fails only when it is closed already
	p.Cut()
	p.running.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.running.Go(func() { p.serve(client.(*net.TCPConn)) })
	}
}

// serve connects a client to the upstream and carries bytes until one of them ends.
func (p *Proxy) serve(client *net.TCPConn) {
	p.mu.Lock()
	upstream, refuse := p.upstream, p.faults.refuse || p.closed
	p.mu.Unlock()
	if refuse {
		reset(client)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", upstream)
	cancel()
	if err != nil {
		reset(client) // what a client of a dead server sees
		return
	}
	l := &link{proxy: p, ends: [2]*net.TCPConn{server.(*net.TCPConn), client}, gone: make(chan struct{})}
	if !p.add(l) {
		l.close(true)
		return
	}
	l.run()
	p.mu.Lock()
	delete(p.conns, l)
	p.mu.Unlock()
}

// add registers an open connection, unless it is not wanted any more.
func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.faults.refuse {
		return false
	}
	p.conns[l] = struct{}{}
	return true
}

// reset closes a connection with RST, as a crashed peer's kernel does.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}
