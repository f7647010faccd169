package event

import "fmt"

// MarkHeader is the header that makes a record of the events topic a mark (DESIGN §3). Only
// Anabranch writes it; ingest refuses it, and other records that carry it are no marks.
const MarkHeader = "anabranch-mark"

// ContentTypeHeader names the codec of a record's value. Absent means JSON.
const ContentTypeHeader = "content-type"

// The content types of an event, which are compared byte by byte.
const (
	ContentTypeJSON     = "application/json"
	ContentTypeProtobuf = "application/x-protobuf"
)

// Record is what a log tells of one record of the events topic, marks excepted.
type Record struct {
	Key         []byte
	Value       []byte
	ContentType string // the header's value, "" when absent
	Partition   int32
	LogTime     Millis // the record's own timestamp
}

// Validity judges records of a topic with a fixed number of partitions. It is the single function
// that ingest, stream, archive and batch agree by (ValidatorVersion numbers its rules).
type Validity struct {
	Partitions int32
	Texts      *Texts // optional: shares texts between the events of one goroutine
}

// Check decodes and judges one record. It returns the event, or the reason why it is invalid.
func (v Validity) Check(r Record) (Event, *Rejection) {
	e, clean, rej := decodeEvent(r.ContentType, r.Value, v.Texts)
	if rej == nil {
		rej = e.check(clean)
	}
	if rej != nil {
		return Event{}, rej
	}
	if string(r.Key) != e.UserID {
		return Event{}, reject(ReasonKey, "key", fmt.Sprintf("%q", clip(string(r.Key))), "the record's key must be the event's user_id")
	}
	if home := PartitionOf(r.Key, v.Partitions); home != r.Partition {
		return Event{}, reject(ReasonPartition, "partition", fmt.Sprint(r.Partition), fmt.Sprintf("the key belongs to partition %d of %d", home, v.Partitions))
	}
	if e.Time > r.LogTime+MaxClockSkew {
		return Event{}, reject(ReasonTime, "event_time", e.Time.String(), "at most 5 minutes after the record's own timestamp "+r.LogTime.String())
	}
	return e, nil
}

// PartitionOf returns the partition of a key among n, as Kafka's default partitioner does:
// murmur2 over the key, sign bit cleared, modulo n.
func PartitionOf(key []byte, n int32) int32 {
	return int32(murmur2(key)&0x7fffffff) % n
}

// murmur2 is MurmurHash2 (32 bit) with the seed that Kafka's clients share.
func murmur2(b []byte) uint32 {
	const (
		seed uint32 = 0x9747b28c
		m    uint32 = 0x5bd1e995
	)
	h := seed ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
		k *= m
		k ^= k >> 24
		k *= m
		h = h*m ^ k
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(b[0])) * m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}
