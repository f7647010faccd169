package ledger

import (
	"bytes"
	"sync"
)

// maxLog is how many bytes of a log are kept: the last ones.
const maxLog = 256 << 10

// tail is the end of what was written to it, in whole lines.
type tail struct {
	mu  sync.Mutex
	buf []byte
	cut bool
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - maxLog; over > 0 {
		t.cut = true
		if line := bytes.IndexByte(t.buf[over:], '\n'); line >= 0 {
			over += line + 1
		}
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) text() (text []byte, cut bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.buf), t.cut
}
