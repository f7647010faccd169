package env

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// Servers get ports below those that the kernel hands out to clients (from 32768 on Linux): a client of
// somebody else must not take the port of a server that is down for a moment.
const (
	firstPort = 20_000
	lastPort  = 32_000
)

// port is a port that is ours until it is released, also while nobody listens on it.
type port struct {
	number int
	lock   *os.File
}

func (p port) String() string { return strconv.Itoa(p.number) }

// addr is the port's host:port.
func (p port) addr() string { return net.JoinHostPort("127.0.0.1", p.String()) }

// release gives the port back.
func (p port) release() error { return p.lock.Close() }

// reservePorts takes n free ports, at random, so that test processes that start side by side do not meet.
// A lock on a file for each keeps them from one another, and ends with the process.
func reservePorts(n int) (ports []port, err error) {
	dir := filepath.Join(os.TempDir(), "anabranch-ports-"+strconv.Itoa(os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make a folder for the locks of ports: %w", err)
	}
	for range lastPort - firstPort {
		if len(ports) == n {
			return ports, nil
		}
		p, err := reserve(dir, firstPort+rand.IntN(lastPort-firstPort))
		if err != nil {
			return nil, errors.Join(err, releaseAll(ports))
		}
		if p != nil {
			ports = append(ports, *p)
		}
	}
	return nil, errors.Join(fmt.Errorf("no %d ports are free from %d to %d", n, firstPort, lastPort), releaseAll(ports))
}

func releaseAll(ports []port) error {
	var errs []error
	for _, p := range ports {
		errs = append(errs, p.release())
	}
	return errors.Join(errs...)
}

// reserve returns nil when the port is taken.
func reserve(dir string, number int) (*port, error) {
	lock, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(number)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of port %d: %w", number, err)
	}
	p := &port{number: number, lock: lock}
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return nil, lock.Close()
	}
	listener, err := net.Listen("tcp", p.addr())
	if err != nil {
		return nil, lock.Close()
	}
	return p, listener.Close()
}
