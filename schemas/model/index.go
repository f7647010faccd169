package model

import (
	"fmt"
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

// ParseRawKey takes a key of RawKey apart.
func ParseRawKey(key string) (topicID string, epoch int64, partition int32, first int64, err error) {
	rest, ok := strings.CutPrefix(key, RawPrefix)
	topicID, rest, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 {
		return "", 0, 0, 0, fmt.Errorf("archive key %q: not %s<topic>/…", key, RawPrefix)
	}
	if _, err := fmt.Sscanf(rest, "epoch=%d/p=%d/%d.parquet", &epoch, &partition, &first); err != nil {
		return "", 0, 0, 0, fmt.Errorf("archive key %q: %w", key, err)
	}
	return topicID, epoch, partition, first, nil
}

// IndexKey returns the key of an epoch's index.
func IndexKey(epoch int64) string { return fmt.Sprintf("raw/index/%010d.json", epoch) }

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
		if a.Partition != b.Partition {
			return int(a.Partition) - int(b.Partition)
		}
		return cmpInt64(a.First, b.First)
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
	for p, end := range to {
		if next[p] != end {
			return fmt.Errorf("epoch %d partition %d: the archive ends at offset %d, the epoch at %d", x.Epoch, p, next[p], end)
		}
	}
	return nil
}

// Import is the commit object of an imported file: it makes the file's rows part of history.
type Import struct {
	SHA256  string         `json:"sha256"` // of the source file
	Format  string         `json:"format"`
	Rows    int64          `json:"rows"`
	Objects []ImportObject `json:"objects"` // sorted by Day
}

// ImportObject is the raw file of one event day of an import.
type ImportObject struct {
	Key    string `json:"key"`
	Day    string `json:"day"` // YYYY-MM-DD, the epoch's label
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// ImportKey returns the key of an import's commit object.
func ImportKey(sha string) string { return ImportPrefix + sha + "/index.json" }

// ImportDayKey returns the key of an import's raw file for an event day.
func ImportDayKey(sha, day string) string {
	return ImportPrefix + sha + "/dt=" + day + "/part-00000.parquet"
}

func cmpInt64(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
