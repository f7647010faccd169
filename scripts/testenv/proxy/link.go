package proxy

import (
	"net"
	"sync"
	"time"
)

// chunk is how many bytes are read at once.
const chunk = 64 << 10

// link is one forwarded connection.
type link struct {
	proxy *Proxy
	ends  [2]*net.TCPConn // by the direction that leads to it
	once  sync.Once
	gone  chan struct{} // closed with the connections
}

// run carries bytes both ways until both have ended.
func (l *link) run() {
	var ways sync.WaitGroup
	for _, d := range []Direction{ToServer, ToClient} {
		ways.Go(func() { l.carry(d) })
	}
	ways.Wait()
	l.close(false)
}

// close ends both connections: with RST, which a peer sees at once, or in order, so that what was sent
// arrives first.
func (l *link) close(abruptly bool) {
	l.once.Do(func() {
		close(l.gone)
		for _, c := range l.ends {
			if abruptly {
				reset(c)
			} else {
				_ = c.Close()
			}
		}
	})
}

// carry forwards one direction. Its end is passed on, and the other direction goes on: a client may have
// sent all it has and still wait for the answer.
func (l *link) carry(d Direction) {
	from, to := l.ends[1-d], l.ends[d]
	buf := make([]byte, chunk)
	for {
		n, err := from.Read(buf)
		if n > 0 && !l.forward(d, to, buf[:n]) {
			return
		}
		if err != nil {
			if l.wait(d) {
				_ = to.CloseWrite()
			}
			return
		}
	}
}

// forward writes a chunk under the faults of the moment; false says that the connection is over.
func (l *link) forward(d Direction, to *net.TCPConn, b []byte) bool {
	if !l.wait(d) {
		return false
	}
	pass, end := l.proxy.allow(d, len(b))
	if _, err := to.Write(b[:pass]); err != nil {
		l.close(true)
		return false
	}
	if end != nil {
		l.close(false)
		close(end.done)
		return false
	}
	return true
}

// wait holds a chunk back while the direction is a black hole, and for the latency.
func (l *link) wait(d Direction) bool {
	l.proxy.mu.Lock()
	latency := l.proxy.faults.latency
	l.proxy.mu.Unlock()
	if latency > 0 {
		timer := time.NewTimer(latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.gone:
			return false
		}
	}
	for {
		l.proxy.mu.Lock()
		hole := l.proxy.faults.holes[d]
		l.proxy.mu.Unlock()
		if hole == nil {
			return true
		}
		select {
		case <-hole:
		case <-l.gone:
			return false
		}
	}
}

// allow counts a chunk and tells how many of its bytes pass, and whether the connection ends after them.
func (p *Proxy) allow(d Direction, n int) (pass int, end *cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pass = n
	if c := p.faults.cuts[d]; c != nil {
		if int64(n) > c.left {
			pass, end = int(c.left), c
			p.faults.cuts[d] = nil
		}
		c.left -= int64(pass)
	}
	p.moved[d] += int64(pass)
	return pass, end
}
