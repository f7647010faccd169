package filebucket

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lock waits for the exclusive lock of a key's shard. It holds between
// processes, and between goroutines because each call opens the file anew.
func (d *driver) lock(key string) (unlock func() error, err error) {
	h := fnv.New32a()
	h.Write([]byte(key))
	name := filepath.Join(d.locks, fmt.Sprintf("%02x", h.Sum32()%256))
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("flock %s: %w", name, err), f.Close())
	}
	return f.Close, nil // closing the only descriptor unlocks
}
