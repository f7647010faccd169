package model

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Keys of the raw archive.
const (
	RawPrefix    = "raw/events/"
	ImportPrefix = "raw/imports/"
)

// RawKey returns the key of the archive object that starts at offset first of a partition.
func RawKey(topicID string, epoch int64, partition int32, first int64) string {
	return fmt.Sprintf("%s%s/epoch=%010d/p=%05d/%020d.parquet", RawPrefix, topicID, epoch, partition, first)
}

// RawPartitionPrefix returns the prefix of all objects of one epoch and partition.
func RawPartitionPrefix(topicID string, epoch int64, partition int32) string {
	return fmt.Sprintf("%s%s/epoch=%010d/p=%05d/", RawPrefix, topicID, epoch, partition)
}

// RawEpochPrefix returns the prefix of all objects of one epoch.
func RawEpochPrefix(topicID string, epoch int64) string {
	return fmt.Sprintf("%s%s/epoch=%010d/", RawPrefix, topicID, epoch)
}

// ParseRawKey takes a key of RawKey apart. Any other spelling of the numbers is refused.
func ParseRawKey(key string) (topicID string, epoch int64, partition int32, first int64, err error) {
	rest, ok := strings.CutPrefix(key, RawPrefix)
	topicID, rest, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 {
		return "", 0, 0, 0, fmt.Errorf("archive key %q: not %s<topic>/…", key, RawPrefix)
	}
	if _, err := fmt.Sscanf(rest, "epoch=%d/p=%d/%d.parquet", &epoch, &partition, &first); err != nil {
		return "", 0, 0, 0, fmt.Errorf("archive key %q: %w", key, err)
	}
	if canonical := RawKey(topicID, epoch, partition, first); canonical != key || epoch < 0 || partition < 0 || first < 0 {
		return "", 0, 0, 0, fmt.Errorf("archive key %q: not spelled as %q", key, canonical)
	}
	return topicID, epoch, partition, first, nil
}

// IndexPrefix is where the indexes of the epochs live.
const IndexPrefix = "raw/index/"

// IndexKey returns the key of an epoch's index.
func IndexKey(epoch int64) string { return fmt.Sprintf("%s%010d.json", IndexPrefix, epoch) }

// ParseIndexKey returns the epoch of a key of IndexKey.
func ParseIndexKey(key string) (epoch int64, err error) {
	if _, err := fmt.Sscanf(key, IndexPrefix+"%d.json", &epoch); err != nil || epoch < 0 || IndexKey(epoch) != key {
		return 0, fmt.Errorf("index key %q: not spelled as %q", key, IndexKey(0))
	}
	return epoch, nil
}

// Index lists the archive objects of one epoch with their checksums. It is written by
// compare-and-swap; every change raises Version, so that a manifest can name what it read.
type Index struct {
	Epoch   int64    `json:"epoch"`
	Version int64    `json:"version"`
	TopicID string   `json:"topic_id"`
	Objects []Object `json:"objects"` // sorted by partition, then First

	// End is where the archive met the mark that ends this epoch, for the partitions in which it
	// did so far. It is complete when it names every partition: it is then the cut Epoch+1.
	End Cut `json:"end"`
}

// Object is one raw file. It covers the offsets [First, End) of its partition.
type Object struct {
	Key       string `json:"key"`
	Partition int32  `json:"partition"`
	First     int64  `json:"first"`
	End       int64  `json:"end"`
	Rows      int64  `json:"rows"`
	Bytes     int64  `json:"bytes"`
	SHA256    string `json:"sha256"`
}

// Add puts o into the index, or replaces the object of the same key, and reports whether anything changed.
func (x *Index) Add(o Object) bool {
	i, found := slices.BinarySearchFunc(x.Objects, o, func(a, b Object) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.First, b.First))
	})
	if found && x.Objects[i] == o {
		return false
	}
	if found {
		x.Objects[i] = o
	} else {
		x.Objects = slices.Insert(x.Objects, i, o)
	}
	x.Version++
	return true
}

// SetEnd notes that the mark which ends this epoch lies at offset in partition and reports whether
// that was news.
func (x *Index) SetEnd(partition int32, offset int64) bool {
	if at, known := x.End[partition]; known && at == offset {
		return false
	}
	if x.End == nil {
		x.End = Cut{}
	}
	x.End[partition] = offset
	x.Version++
	return true
}

// Missing returns the partitions, of those below n, in which the archive has not met the end of this
// epoch yet. None is missing when the index is complete.
func (x *Index) Missing(n int32) []int32 {
	var missing []int32
	for p := range n {
		if _, met := x.End[p]; !met {
			missing = append(missing, p)
		}
	}
	return missing
}

// Of returns the objects of one partition, by First.
func (x *Index) Of(partition int32) []Object {
	i, _ := slices.BinarySearchFunc(x.Objects, partition, func(o Object, p int32) int { return cmp.Compare(o.Partition, p) })
	j, _ := slices.BinarySearchFunc(x.Objects, partition+1, func(o Object, p int32) int { return cmp.Compare(o.Partition, p) })
	return x.Objects[i:j]
}

// CheckChain verifies that the objects cover [from[p], to[p]) of every partition without a gap or
// an overlap.
func (x *Index) CheckChain(from, to Cut) error {
	next := make(Cut, len(to))
	for p := range to {
		next[p] = from[p]
	}
	for _, o := range x.Objects {
		want, known := next[o.Partition]
		if !known {
			return fmt.Errorf("epoch %d: object %s is of partition %d, which the cut does not name", x.Epoch, o.Key, o.Partition)
		}
		if o.First != want {
			return fmt.Errorf("epoch %d partition %d: the archive continues at offset %d, expected %d (object %s)", x.Epoch, o.Partition, o.First, want, o.Key)
		}
		if o.End <= o.First {
			return fmt.Errorf("epoch %d partition %d: object %s covers nothing", x.Epoch, o.Partition, o.Key)
		}
		next[o.Partition] = o.End
	}
	for _, p := range slices.Sorted(maps.Keys(to)) {
		if next[p] != to[p] {
			return fmt.Errorf("epoch %d partition %d: the archive ends at offset %d, the epoch at %d", x.Epoch, p, next[p], to[p])
		}
	}
	return nil
}

// Import is the commit object of an imported file: it makes the file's rows part of history.
type Import struct {
	SHA256  string         `json:"sha256"` // of the source file
	Format  string         `json:"format"`
	Rows    int64          `json:"rows"`
	Objects []ImportObject `json:"objects"` // sorted by Day, then Key; a day may have several
}

// ImportObject is a raw file of one event day of an import.
type ImportObject struct {
	Key    string `json:"key"`
	Day    string `json:"day"` // YYYY-MM-DD, the epoch's label
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// ImportKey returns the key of an import's commit object.
func ImportKey(sha string) string { return ImportPrefix + sha + "/index.json" }

// ImportPartKey returns the key of an import's raw file number part for an event day, whose own
// SHA-256 is content. A day has more than one where the source is too large to be held in memory. The
// content is in the key because two imports of a file may differ in the catalog's attributes: neither
// can then replace what the other committed.
func ImportPartKey(sha, day string, part int, content string) string {
	return fmt.Sprintf("%s%s/dt=%s/part-%05d-%.12s.parquet", ImportPrefix, sha, day, part, content)
}
