package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/anabranch/anabranch/infra/redis"
)

// The index of an epoch says which states it touched, so that trimming finds the idle ones. It is a set of the names of
// chunks, each a value of its own: what one commit touched first in the epoch, trimSlice suffixes at most. A set of all
// suffixes cost redis-server a tenth of what storing the states did, while most of them were new.
//
// A chunk is each suffix with its length (uvarint) before it. Its name is the commit's next offset and a number, so that who
// repeats a commit that was lost writes the same or another chunk and never adds to one.

// indexed adds to a commit what it touches in an epoch for the first time.
func indexed(c *redis.Changes, keys redis.Keys, fence redis.Fence, t Touched) {
	set := redis.SetChange{Key: keys.Index(fence.Incarnation, t.Epoch)}
	n := 0
	for part := range slices.Chunk(t.Suffixes, trimSlice) {
		name := fmt.Sprint(fence.Next, "-", n)
		c.Writes = append(c.Writes, redis.KV{Key: keys.Chunk(fence.Incarnation, t.Epoch, name), Value: encodeChunk(part)})
		set.Add = append(set.Add, name)
		n++
	}
	c.Sets = append(c.Sets, set, redis.SetChange{Key: keys.Epochs(fence.Incarnation), Add: []string{fmt.Sprint(t.Epoch)}})
}

func encodeChunk(suffixes []string) []byte {
	var b []byte
	for _, s := range suffixes {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

// errChunk says that a chunk is not what encodeChunk wrote.
var errChunk = errors.New("a chunk of an index ends in the middle of a suffix")

// decodeChunk appends the suffixes of a chunk to dst.
func decodeChunk(dst []string, b []byte) ([]string, error) {
	for len(b) > 0 {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return nil, errChunk
		}
		dst = append(dst, string(b[size:][:n]))
		b = b[size+int(n):]
	}
	return dst, nil
}
