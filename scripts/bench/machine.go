package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
)

// machineTime is how long each probe of the machine runs.
const machineTime = 500 * time.Millisecond

// runMachine measures what bounds every other suite. Two virtual cores are at times one real core:
// then "scaling" is near 1, and no throughput measured beside it means much.
func runMachine(ctx context.Context, out *report) error {
	params := map[string]any{
		"cpu": cpuModel(), "cores": runtime.NumCPU(), "go": runtime.Version(), "arch": runtime.GOOS + "/" + runtime.GOARCH,
	}
	one := multiplyAdds(1)
	all := multiplyAdds(runtime.NumCPU())
	out.add("multiply-adds, one thread", one, "op/s", params)
	out.add("multiply-adds, all threads", all, "op/s", params)
	out.add("scaling", all/one, "1", params)
	out.add("memory copy, one thread", copyRate(), "B/s", params)
	rate, err := loopbackRate(ctx)
	if err != nil {
		return err
	}
	out.add("loopback round trips", rate, "op/s", params)
	return nil
}

// multiplyAdds returns the float32 multiply-adds a second of n goroutines together, in plain Go.
func multiplyAdds(n int) float64 {
	counts := make([]float64, n)
	began := time.Now()
	var group sync.WaitGroup
	for i := range counts {
		group.Go(func() { counts[i] = spin(began.Add(machineTime)) })
	}
	group.Wait()
	var sum float64
	for _, c := range counts {
		sum += c
	}
	return sum / time.Since(began).Seconds()
}

// spin multiplies and adds in four independent chains until the deadline and returns how often.
func spin(deadline time.Time) float64 {
	const block = 1 << 16
	a, b, c, d := float32(1), float32(2), float32(3), float32(4)
	count := 0.0
	for time.Now().Before(deadline) {
		for range block {
			a, b, c, d = a*.999+.5, b*.999+.5, c*.999+.5, d*.999+.5
		}
		count += 4 * block
	}
	// The chains' values are used, so that the compiler cannot drop them.
	if a+b+c+d == 0 {
		count = 0
	}
	return count
}

// copyRate returns the bytes a second that copy moves between buffers far larger than the caches.
func copyRate() float64 {
	const size = 256 << 20
	src, dst := make([]byte, size), make([]byte, size)
	copy(dst, src) // the first touch of a page is not a copy
	copied := 0.0
	began := time.Now()
	for time.Since(began) < machineTime {
		copied += float64(copy(dst, src))
	}
	return copied / time.Since(began).Seconds()
}

// loopbackRate returns the one-byte round trips a second over one TCP connection on 127.0.0.1.
func loopbackRate(ctx context.Context) (float64, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("listen on loopback: %w", err)
	}
	defer listener.Close()
	go echo(listener)
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", listener.Addr().String())
	if err != nil {
		return 0, fmt.Errorf("connect over loopback: %w", err)
	}
	defer conn.Close()
	buf := []byte{1}
	trips := 0.0
	began := time.Now()
	for time.Since(began) < machineTime {
		_, writeErr := conn.Write(buf)
		_, readErr := conn.Read(buf)
		if err := errors.Join(writeErr, readErr); err != nil {
			return 0, fmt.Errorf("round trip over loopback: %w", err)
		}
		trips++
	}
	return trips / time.Since(began).Seconds(), nil
}

// echo answers one connection until either end is closed.
func echo(listener net.Listener) {
	conn, err := listener.Accept()
	if err != nil {
		return
	}
	defer conn.Close()
	buf := make([]byte, 1)
	for {
		if _, err := conn.Read(buf); err != nil {
			return
		}
		if _, err := conn.Write(buf); err != nil {
			return
		}
	}
}

// cpuModel reads the processor's name where the system tells it.
func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(info)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
