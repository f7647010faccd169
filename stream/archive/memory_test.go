package archive

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/model"
)

// memory is a bucket without fsync, for tests that make thousands of buckets.
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
}

func newMemory() *bucket.Bucket { return bucket.New(&memory{objects: map[string][]byte{}}) }

func attrs(key string, data []byte) bucket.Attrs {
	return bucket.Attrs{Key: key, Size: int64(len(data)), ETag: model.SHA256Hex(data)}
}

func (m *memory) Open(ctx context.Context, key string) (io.ReadCloser, bucket.Attrs, error) {
	a, err := m.Head(ctx, key)
	m.mu.Lock()
	defer m.mu.Unlock()
	return io.NopCloser(bytes.NewReader(m.objects[key])), a, err
}

func (m *memory) Head(_ context.Context, key string) (bucket.Attrs, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.objects[key]
	if !ok {
		return bucket.Attrs{}, bucket.ErrNotExist
	}
	return attrs(key, data), nil
}

func (m *memory) Put(_ context.Context, key string, data []byte, cond bucket.Condition) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, ok := m.objects[key]
	switch {
	case cond.IfAbsent && ok:
		return "", bucket.ErrExists
	case cond.IfMatch != "" && (!ok || attrs(key, old).ETag != cond.IfMatch):
		return "", bucket.ErrPrecondition
	}
	m.objects[key] = data
	return attrs(key, data).ETag, nil
}

func (m *memory) List(_ context.Context, prefix string) ([]bucket.Attrs, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []bucket.Attrs
	for key, data := range m.objects {
		if strings.HasPrefix(key, prefix) {
			found = append(found, attrs(key, data))
		}
	}
	return found, nil
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return nil
}
