package sim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/anabranch/anabranch/infra/bucket"
)

// errCrashed is what a process finds that dies in the middle of its writes.
var errCrashed = errors.New("the process has crashed")

// memory is a bucket in memory whose writer can die.
type memory struct {
	mu      sync.Mutex
	objects map[string]object
	version int

	dying bool
	after int  // writes that succeed before the crash
	done  bool // whether the write in which it crashes happens
}

type object struct {
	data []byte
	etag string
}

func newMemory() *memory { return &memory{objects: map[string]object{}} }

// crash lets the process that works next die: code 0 never, otherwise in its (code+1)/2-th write, which
// happens where the code is even.
func (m *memory) crash(code int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dying, m.after, m.done = code > 0, int(code+1)/2-1, code%2 == 0
}

// Open implements bucket.Driver.
func (m *memory) Open(_ context.Context, key string) (io.ReadCloser, bucket.Attrs, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	if !ok {
		return nil, bucket.Attrs{}, bucket.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(o.data)), o.attrs(key), nil
}

func (o object) attrs(key string) bucket.Attrs {
	return bucket.Attrs{Key: key, Size: int64(len(o.data)), ETag: o.etag}
}

// Head implements bucket.Driver.
func (m *memory) Head(_ context.Context, key string) (bucket.Attrs, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	if !ok {
		return bucket.Attrs{}, bucket.ErrNotExist
	}
	return o.attrs(key), nil
}

// Put implements bucket.Driver.
func (m *memory) Put(_ context.Context, key string, data []byte, cond bucket.Condition) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dying && m.after <= 0 {
		if m.done && m.after == 0 {
			_, _ = m.put(key, data, cond)
		}
		m.after = -1
		return "", errCrashed
	}
	m.after--
	return m.put(key, data, cond)
}

func (m *memory) put(key string, data []byte, cond bucket.Condition) (string, error) {
	o, exists := m.objects[key]
	switch {
	case cond.IfAbsent && exists:
		return "", bucket.ErrExists
	case cond.IfMatch != "" && o.etag != cond.IfMatch:
		return "", bucket.ErrPrecondition
	}
	m.version++
	o = object{bytes.Clone(data), "v" + strconv.Itoa(m.version)}
	m.objects[key] = o
	return o.etag, nil
}

// List implements bucket.Driver.
func (m *memory) List(_ context.Context, prefix string) ([]bucket.Attrs, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []bucket.Attrs
	for key, o := range m.objects {
		if strings.HasPrefix(key, prefix) {
			all = append(all, o.attrs(key))
		}
	}
	return all, nil
}

// Delete implements bucket.Driver.
func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return nil
}
