package deadletter

import (
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/schemas/event"
)

// Letter is a dead letter as the topic holds it. Detail, Key and Payload may hold what a user did; the
// other fields do not.
type Letter struct {
	Position event.Position // its identity
	Time     time.Time      // when it was written
	Source   string         // SourceLog or SourceHTTP
	Reason   string         // a Reason of schemas/event
	Field    string         // the field that is wrong; "" where it is none of ours
	Size     int            // of the record's payload, in bytes
	Replayed *event.Position

	Detail      string
	Key         []byte
	Payload     []byte
	ContentType string // of the payload; "" is JSON
}

// Truncated says that the payload had to be cut, so that it cannot be replayed.
func (l *Letter) Truncated() bool { return l.Size > len(l.Payload) }

// Filter says which letters are wanted. The zero value wants all.
type Filter struct {
	Position  *event.Position // this one alone
	Reason    string          // with this reason; "" is any
	Partition *int32          // found in this partition of the events topic; nil is anywhere
	Since     time.Time       // written at or after; zero is any
	Until     time.Time       // written before; zero is any
	Open      bool            // only those that were not replayed
}

// Wants reports whether a letter passes the filter.
func (f *Filter) Wants(l *Letter) bool {
	switch {
	case f.Position != nil && *f.Position != l.Position,
		f.Reason != "" && f.Reason != l.Reason,
		f.Partition != nil && (l.Source != SourceLog || *f.Partition != l.Position.Partition),
		!f.Since.IsZero() && l.Time.Before(f.Since),
		!f.Until.IsZero() && !l.Time.Before(f.Until),
		f.Open && l.Replayed != nil:
		return false
	}
	return true
}

// parsed is what a record of the dead-letter topic turned out to be: a letter, or the note of one.
type parsed struct {
	letter Letter
	note   bool // letter.Position was replayed as *letter.Replayed; nothing else is known
}

// parse reads a record; ok is false for one that is neither a letter nor a note. topicID is that of the
// dead-letter topic.
func parse(topicID string, r *kgo.Record) (p parsed, ok bool) {
	headers := map[string]string{}
	for _, h := range r.Headers {
		headers[h.Key] = string(h.Value)
		if h.Key == HeaderKey {
			p.letter.Key = h.Value
		}
	}
	l := &p.letter
	l.Position = event.Position{TopicID: topicID, Partition: r.Partition, Offset: r.Offset}
	if at, placed := headers[HeaderTopicID]; placed {
		position, err := ParsePosition(at + "/" + headers[HeaderPartition] + "/" + headers[HeaderOffset])
		if err != nil {
			return p, false
		}
		l.Position = position
	}
	if as, isNote := headers[HeaderReplayedAs]; isNote {
		position, err := ParsePosition(as)
		l.Replayed, p.note = &position, true
		return p, err == nil
	}
	l.Time, l.Source, l.Reason, l.Field = r.Timestamp.UTC(), headers[HeaderSource], headers[HeaderReason], knownField(headers[HeaderField])
	l.Detail, l.Payload, l.ContentType = headers[HeaderDetail], r.Value, headers[event.ContentTypeHeader]
	l.Size = len(r.Value)
	if size, err := strconv.Atoi(headers[HeaderTruncated]); err == nil {
		l.Size = max(size, l.Size)
	}
	return p, l.Reason != "" && (l.Source == SourceLog || l.Source == SourceHTTP)
}
