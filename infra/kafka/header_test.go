package kafka

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestContentTypeIsTheLastHeader(t *testing.T) {
	header := func(key, value string) kgo.RecordHeader { return kgo.RecordHeader{Key: key, Value: []byte(value)} }
	for _, c := range []struct {
		want    string
		headers []kgo.RecordHeader
	}{
		{"", nil},
		{"", []kgo.RecordHeader{header("Content-Type", "a")}}, // names of headers have a case
		{"a", []kgo.RecordHeader{header("content-type", "a"), header("x", "b")}},
		{"b", []kgo.RecordHeader{header("content-type", "a"), header("content-type", "b")}},
		{"", []kgo.RecordHeader{header("content-type", "a"), header("content-type", "")}},
	} {
		if got := ContentType(&kgo.Record{Headers: c.headers}); got != c.want {
			t.Errorf("%v: got %q, want %q", c.headers, got, c.want)
		}
	}
}
