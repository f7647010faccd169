package jobs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/anabranch/anabranch/schemas/api"

	"github.com/go-json-experiment/json"
)

// dataDir is the folder of the embedded parts. One process owns it at a time, by a lock that the
// kernel drops when the process dies; others find its servers through endpoints.json.
type dataDir struct {
	path string
	lock *os.File // nil when another process owns the folder
}

// endpoints says where the owner's embedded servers listen.
type endpoints struct {
	PID    int    `json:"pid"`
	Kafka  string `json:"kafka"`
	Redis  string `json:"redis"`
	Listen string `json:"listen,omitempty"`
}

// openDataDir creates the folder where it is missing and takes its lock if it is free.
func openDataDir(path string) (*dataDir, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, dirError(path, err)
	}
	f, err := os.OpenFile(filepath.Join(path, "LOCK"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, dirError(path, err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return &dataDir{path: path}, f.Close()
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock data folder %s: %w", path, err)
	}
	d := &dataDir{path: path, lock: f}
	if err := os.Remove(d.endpointsFile()); err != nil && !errors.Is(err, fs.ErrNotExist) { // of an owner that was killed
		return nil, errors.Join(dirError(path, err), f.Close())
	}
	return d, nil
}

func dirError(path string, err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return api.Errorf(api.Invalid, "data folder %s is not writable (%w): make it so, or choose another with --data", path, err)
	}
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrExist) {
		return api.Errorf(api.Invalid, "data folder %s cannot be made (%w): choose another with --data", path, err)
	}
	return fmt.Errorf("open data folder %s: %w", path, err)
}

// owned reports whether this process owns the folder.
func (d *dataDir) owned() bool { return d.lock != nil }

// close gives the folder back.
func (d *dataDir) close() error {
	if d.lock == nil {
		return nil
	}
	_ = os.Remove(d.endpointsFile())
	return d.lock.Close()
}

func (d *dataDir) endpointsFile() string { return filepath.Join(d.path, "endpoints.json") }

// announce tells other processes where the embedded servers are.
func (d *dataDir) announce(e endpoints) error {
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("announce endpoints: %w", err)
	}
	if err := replaceFile(d.endpointsFile(), b); err != nil {
		return dirError(d.path, err)
	}
	return nil
}

// replaceFile writes a file whole or not at all, whenever the process is killed.
func replaceFile(name string, content []byte) error {
	temp := name + ".tmp"
	if err := os.WriteFile(temp, content, 0o644); err != nil {
		return err
	}
	return os.Rename(temp, name)
}

// find returns the endpoints that the folder's owner announced.
func (d *dataDir) find() (endpoints, error) {
	var e endpoints
	b, err := os.ReadFile(d.endpointsFile())
	if errors.Is(err, fs.ErrNotExist) {
		return e, api.Errorf(api.Locked, "data folder %s is in use by another anabranch that has not announced its servers (it is starting, or is a short command): try again in a moment", d.path)
	}
	if err != nil {
		return e, fmt.Errorf("read endpoints of data folder %s: %w", d.path, err)
	}
	if err := json.Unmarshal(b, &e); err != nil {
		return e, fmt.Errorf("read %s: %w", d.endpointsFile(), err)
	}
	return e, nil
}
