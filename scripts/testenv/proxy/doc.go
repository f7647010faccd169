// Package proxy is a TCP proxy with faults, for tests that break the connection between a client and a
// real server.
//
//	p := proxy.New(t, server.Addr)          // closed when the test ends
//	client := dial(p.Addr())
//	lost := p.CutAfterBytes(0, proxy.ToClient) // the next reply is lost, its request was carried out
//	err := commit(client)
//	<-lost
//
// The faults, which all act on every connection of the proxy:
//
//   - [Proxy.Cut] resets the open connections, once. What is held back (see below) is lost with them.
//   - [Proxy.CutAfterBytes] closes the connection that would carry one byte more than n in a direction.
//   - [Proxy.Refuse] resets the open connections and every new one: the server is gone.
//   - [Proxy.Blackhole] lets nothing through, in both directions or in one: the network is gone. New
//     connections are taken, as a server's backlog would, and stay silent.
//   - [Proxy.Latency] delays every chunk of at most 64 KB by a time.
//   - [Proxy.Heal] ends all of these. What a black hole held back flows on, in order and complete, as
//     TCP's own retransmission has it; use Cut before Heal to lose it.
//
// The upstream may be changed while the proxy runs ([Proxy.SetUpstream]), so that a client that only
// knows one address fails over, or a server can be told its public address before it is started.
//
// Why not github.com/Shopify/toxiproxy/v2, which does all this: it is a server with a REST API, flags, a
// router, metrics and two logging libraries, and its faults are probabilistic pipelines of "toxics" that
// stop at chunk boundaries. A test needs four calls, a cut at an exact byte, and to know when it happened.
package proxy
