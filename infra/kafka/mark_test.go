package kafka

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/schemas/event"
)

func TestMarksReachEveryPartitionBetweenEvents(t *testing.T) {
	broker := start(t, "")
	client := dial(t, broker.Addr())
	const partitions = 5
	ensure(t, client, Spec{Partitions: partitions})
	counts := make([]int64, partitions)
	for n := int64(1); n <= 3; n++ {
		for i := range 20 {
			user := fmt.Sprint(n, i)
			produce(t, client, &kgo.Record{Topic: EventsTopic, Key: []byte(user)})
			counts[PartitionOf(user, partitions)]++
		}
		for p := range int32(partitions) {
			offset, err := WriteMark(deadline(t), client, EventsTopic, p, n, fmt.Append(nil, "mark ", n))
			if err != nil {
				t.Fatal(err)
			}
			if offset != counts[p] {
				t.Errorf("mark %d in partition %d is at %d, want %d", n, p, offset, counts[p])
			}
			counts[p]++
		}
	}
	for p, records := range readAll(t, broker.Addr(), EventsTopic) {
		var last int64
		for _, r := range records {
			n, isMark := MarkNumber(r)
			if !isMark {
				continue
			}
			if last++; n != last || string(r.Value) != fmt.Sprint("mark ", n) || r.Key != nil {
				t.Errorf("partition %d offset %d: mark %d %q", p, r.Offset, n, r.Value)
			}
		}
		if last != 3 {
			t.Errorf("partition %d has %d marks", p, last)
		}
	}
}

func TestWriteMarkRefuses(t *testing.T) {
	broker := start(t, "")
	client := dial(t, broker.Addr())
	ensure(t, client, Spec{Partitions: 2})
	if _, err := WriteMark(deadline(t), client, EventsTopic, 0, 0, nil); err == nil {
		t.Error("mark 0 was written")
	}
	if _, err := WriteMark(deadline(t), client, EventsTopic, 2, 1, nil); err == nil {
		t.Error("a mark was written to a partition that does not exist")
	}
	other := dial(t, broker.Addr(), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if _, err := WriteMark(deadline(t), other, EventsTopic, 0, 1, nil); err == nil {
		t.Error("a client with a partitioner of its own wrote a mark somewhere")
	}
	end, err := EndOffsets(deadline(t), client, EventsTopic)
	if err != nil || end[0]+end[1] != 0 {
		t.Errorf("records were written: %v, %v", end, err)
	}
}

func TestMarkNumber(t *testing.T) {
	header := func(values ...string) (hs []kgo.RecordHeader) {
		for _, v := range values {
			hs = append(hs, kgo.RecordHeader{Key: event.MarkHeader, Value: []byte(v)})
		}
		return hs
	}
	for name, c := range map[string]struct {
		key     []byte
		headers []kgo.RecordHeader
		n       int64
		isMark  bool
	}{
		"mark":            {nil, header("12"), 12, true},
		"among others":    {nil, append(header("3"), kgo.RecordHeader{Key: "traceparent", Value: []byte("9")}), 3, true},
		"largest":         {nil, header("9223372036854775807"), 9223372036854775807, true},
		"no header":       {nil, nil, 0, false},
		"other header":    {nil, []kgo.RecordHeader{{Key: "Anabranch-Mark", Value: []byte("1")}}, 0, false},
		"with a key":      {[]byte("u"), header("1"), 0, true},
		"with empty key":  {[]byte{}, header("1"), 0, true},
		"repeated header": {nil, header("1", "1"), 0, true},
		"empty":           {nil, header(""), 0, true},
		"zero":            {nil, header("0"), 0, true},
		"negative":        {nil, header("-1"), 0, true},
		"leading zero":    {nil, header("01"), 0, true},
		"sign":            {nil, header("+1"), 0, true},
		"too large":       {nil, header("9223372036854775808"), 0, true},
		"space":           {nil, header("1 "), 0, true},
	} {
		if n, isMark := MarkNumber(&kgo.Record{Key: c.key, Headers: c.headers}); n != c.n || isMark != c.isMark {
			t.Errorf("%s: %d, %v, want %d, %v", name, n, isMark, c.n, c.isMark)
		}
	}
}
