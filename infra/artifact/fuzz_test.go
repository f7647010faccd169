package artifact

import (
	"bytes"
	"testing"
)

// FuzzSplitUser takes anything apart. What is accepted is put together again to an equal value, but for a length that
// was spelled in more bytes than needed.
func FuzzSplitUser(f *testing.F) {
	f.Add([]byte{})
	f.Add(AppendUser(nil, []byte("state"), make([]byte, 16)))
	f.Add([]byte{0x80, 0})
	f.Fuzz(func(t *testing.T, value []byte) {
		state, history, err := SplitUser(value)
		if err != nil {
			return
		}
		if again := AppendUser(nil, state, history); len(again) > len(value) || !bytes.HasSuffix(value, again[len(again)-len(state)-len(history):]) {
			t.Errorf("%x is split into %x and %x", value, state, history)
		}
	})
}
