package proxy

import "time"

// Cut resets all open connections and everything that is held back on them. New ones work.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.conns {
		l.close(true)
	}
	clear(p.conns)
}

// Refuse resets all open connections and every new one until [Proxy.Heal].
func (p *Proxy) Refuse() {
	p.mu.Lock()
	p.faults.refuse = true
	p.mu.Unlock()
	p.Cut()
}

// CutAfterBytes lets n more bytes pass in a direction, counted over all connections, and closes the
// connection that would carry the next one. The n bytes arrive. With 0 and [ToClient] the next request is
// carried out and its reply is lost. The channel is closed when it has happened; new connections then
// work. A second call in the same direction replaces the first, whose channel then stays open.
func (p *Proxy) CutAfterBytes(n int64, d Direction) <-chan struct{} {
	c := &cut{left: n, done: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults.cuts[d] = c
	return c.done
}

// Blackhole lets nothing through until [Proxy.Heal], in the given directions or, without any, in both.
func (p *Proxy) Blackhole(ways ...Direction) {
	if len(ways) == 0 {
		ways = []Direction{ToServer, ToClient}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range ways {
		if p.faults.holes[d] == nil {
			p.faults.holes[d] = make(chan struct{})
		}
	}
}

// Latency delays every chunk of at most 64 KB by d, in both directions, until [Proxy.Heal].
func (p *Proxy) Latency(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults.latency = d
}

// Heal ends all faults. Bytes that a black hole held back flow on.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, hole := range p.faults.holes {
		if hole != nil {
			close(hole)
		}
	}
	p.faults = faults{}
}
