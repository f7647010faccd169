package kafka

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrLocked says that another process uses the directory of an embedded broker.
var ErrLocked = errors.New("directory is in use by another embedded broker")

// lockDir creates dir where it is missing and locks it. The kernel releases the lock when the file
// is closed, also by kill -9; the file itself stays.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), f.Close())
	}
	return f, nil
}
