package rawparquet

import (
	"fmt"
	"strconv"

	"github.com/anabranch/anabranch/schemas/event"
)

// Keys of the key-value pairs in a file's footer.
const (
	metaTopic     = "topic"
	metaPartition = "partition"
	metaEpoch     = "epoch"
	metaFirst     = "first"
	metaEnd       = "end"
	metaRows      = "rows"
	metaValidator = "validator"
)

// Span says which part of the log a file holds.
type Span struct {
	Topic     string // topic id in hex, or the SHA-256 of an imported file
	Partition int32
	Epoch     int64
	First     int64 // the first offset covered
	End       int64 // the offset after the last one covered
	Rows      int64
	Validator int // event.ValidatorVersion of the writer
}

// Meta returns the footer's key-value pairs.
func (s Span) Meta() map[string]string {
	return map[string]string{
		metaTopic:     s.Topic,
		metaPartition: strconv.Itoa(int(s.Partition)),
		metaEpoch:     strconv.FormatInt(s.Epoch, 10),
		metaFirst:     strconv.FormatInt(s.First, 10),
		metaEnd:       strconv.FormatInt(s.End, 10),
		metaRows:      strconv.FormatInt(s.Rows, 10),
		metaValidator: strconv.Itoa(s.Validator),
	}
}

// SpanOf returns the span of rows of one epoch and partition, of this validator version.
func SpanOf(topic string, partition int32, epoch, first, end int64, rows int) Span {
	return Span{
		Topic: topic, Partition: partition, Epoch: epoch, First: first, End: end,
		Rows: int64(rows), Validator: event.ValidatorVersion,
	}
}

// Footer is what a file says of itself.
type Footer struct {
	Rows int64             // of the Parquet footer
	Meta map[string]string // the key-value pairs
}

// Span parses the key-value pairs; every one must be there.
func (f Footer) Span() (Span, error) {
	s := Span{Topic: f.Meta[metaTopic]}
	if s.Topic == "" {
		return Span{}, fmt.Errorf("raw file: no %q in the footer", metaTopic)
	}
	var partition, validator int64
	for _, field := range []struct {
		key  string
		bits int
		into *int64
	}{
		{metaPartition, 32, &partition},
		{metaEpoch, 64, &s.Epoch},
		{metaFirst, 64, &s.First},
		{metaEnd, 64, &s.End},
		{metaRows, 64, &s.Rows},
		{metaValidator, 32, &validator},
	} {
		n, err := strconv.ParseInt(f.Meta[field.key], 10, field.bits)
		if err != nil || n < 0 {
			return Span{}, fmt.Errorf("raw file: footer key %q is %q, expected a number from 0", field.key, f.Meta[field.key])
		}
		*field.into = n
	}
	s.Partition, s.Validator = int32(partition), int(validator)
	if s.End < s.First || s.Rows != f.Rows {
		return Span{}, fmt.Errorf("raw file: the footer says [%d,%d) and %d rows, the file has %d rows", s.First, s.End, s.Rows, f.Rows)
	}
	return s, nil
}
