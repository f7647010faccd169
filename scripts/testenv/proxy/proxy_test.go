package proxy_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/anabranch/anabranch/scripts/testenv/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for bytes; a healthy proxy needs microseconds.
const patience = 10 * time.Second

// echo starts a server that sends back what it gets, and closes with its client.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

func dial(t *testing.T, p *proxy.Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

// receive reads n bytes.
func receive(t *testing.T, conn net.Conn, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(conn, b); err != nil {
		t.Fatalf("read %d bytes: %v", n, err)
	}
	return string(b)
}

// ended reads until the connection ends, and fails when it does not.
func ended(t *testing.T, conn net.Conn) string {
	t.Helper()
	b, err := io.ReadAll(conn)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatalf("the connection did not end; it brought %q", b)
	}
	return string(b)
}

// refused fails unless a new connection is reset, while it is made or right after.
func refused(t *testing.T, p *proxy.Proxy) {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		return
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	ended(t, conn)
}

func TestForwardsMuchBothWaysAndTheEnd(t *testing.T) {
	t.Parallel()
	p := proxy.New(t, echo(t))
	conn := dial(t, p)
	sent := bytes.Repeat([]byte("0123456789"), 300_000)
	go func() {
		_, _ = conn.Write(sent)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d bytes came back, %v, want the %d that were sent", len(got), err, len(sent))
	}
	for _, d := range []proxy.Direction{proxy.ToServer, proxy.ToClient} {
		if n := p.Bytes(d); n != int64(len(sent)) {
			t.Errorf("direction %d counted %d bytes, want %d", d, n, len(sent))
		}
	}
}

func TestCutEndsOpenConnectionsOnly(t *testing.T) {
	t.Parallel()
	p := proxy.New(t, echo(t))
	conn := dial(t, p)
	send(t, conn, "a")
	receive(t, conn, 1)
	p.Cut()
	if got := ended(t, conn); got != "" {
		t.Errorf("a cut connection brought %q", got)
	}
	conn = dial(t, p)
	send(t, conn, "b")
	receive(t, conn, 1)
}

func TestCutAfterBytesOfReplies(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 5} {
		p := proxy.New(t, echo(t))
		conn := dial(t, p)
		done := p.CutAfterBytes(int64(n), proxy.ToClient)
		send(t, conn, "request")
		if got, want := ended(t, conn), "request"[:n]; got != want {
			t.Errorf("after %d bytes: got %q, want %q", n, got, want)
		}
		<-done
		if sent := p.Bytes(proxy.ToServer); sent != int64(len("request")) {
			t.Errorf("%d bytes of the request arrived, want all", sent)
		}
		conn = dial(t, p)
		send(t, conn, "again")
		receive(t, conn, 5)
	}
}

func TestCutAfterBytesOfRequests(t *testing.T) {
	t.Parallel()
	p := proxy.New(t, echo(t))
	done := p.CutAfterBytes(6, proxy.ToServer)
	first, second := dial(t, p), dial(t, p)
	send(t, first, "1234") // counted over all connections
	receive(t, first, 4)
	send(t, second, "5678")
	ended(t, second)
	<-done
	if n := p.Bytes(proxy.ToServer); n != 6 {
		t.Errorf("%d bytes reached the server, want 6", n)
	}
	send(t, first, "9")
	receive(t, first, 1)
}

func TestBlackholeHoldsBackUntilHealed(t *testing.T) {
	t.Parallel()
	p := proxy.New(t, echo(t))
	conn := dial(t, p)
	send(t, conn, "a")
	receive(t, conn, 1)
	p.Blackhole()
	send(t, conn, "later")
	silent(t, conn)
	p.Heal()
	if got := receive(t, conn, 5); got != "later" {
		t.Errorf("got %q after healing, want what was held back", got)
	}
}

func TestBlackholeOfRepliesLetsRequestsThrough(t *testing.T) {
	t.Parallel()
	p := proxy.New(t, echo(t))
	p.Blackhole(proxy.ToClient)
	conn := dial(t, p)
	send(t, conn, "abc")
	silent(t, conn)
	if n := p.Bytes(proxy.ToServer); n != 3 {
		t.Errorf("%d bytes reached the server, want 3", n)
	}
	p.Cut() // and the answer with it
	p.Heal()
	if got := ended(t, conn); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
}

// silent fails when bytes arrive within a short time.
func silent(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	n, err := conn.Read(make([]byte, 1))
	var timeout net.Error
	if n != 0 || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Fatalf("read %d bytes, %v, want silence", n, err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
}

func TestRefuseUntilHealed(t *testing.T) {
	t.Parallel()
	p := proxy.New(t, echo(t))
	conn := dial(t, p)
	send(t, conn, "a")
	receive(t, conn, 1)
	p.Refuse()
	ended(t, conn)
	refused(t, p)
	p.Heal()
	conn = dial(t, p)
	send(t, conn, "a")
	receive(t, conn, 1)
	if n := p.Open(); n != 1 {
		t.Errorf("%d connections are open, want 1", n)
	}
}

func TestUpstreamThatIsNotThereAndThenIs(t *testing.T) {
	t.Parallel()
	p := proxy.New(t, "")
	refused(t, p)
	p.SetUpstream(echo(t))
	conn := dial(t, p)
	send(t, conn, "a")
	receive(t, conn, 1)
}

func TestLatencyIsAddedBothWays(t *testing.T) {
	t.Parallel()
	p := proxy.New(t, echo(t))
	p.Latency(50 * time.Millisecond)
	conn := dial(t, p)
	began := time.Now()
	send(t, conn, "a")
	receive(t, conn, 1)
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("a round trip took %v, want two delays of 50ms at least", took)
	}
}
