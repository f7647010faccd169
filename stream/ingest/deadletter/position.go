package deadletter

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
)

// FormatPosition writes a position as <topic id>/<partition>/<offset>.
func FormatPosition(p event.Position) string {
	return p.TopicID + "/" + strconv.Itoa(int(p.Partition)) + "/" + strconv.FormatInt(p.Offset, 10)
}

// ParsePosition reads what FormatPosition wrote; anything else is api.Invalid.
func ParsePosition(text string) (event.Position, error) {
	topic, rest, _ := strings.Cut(text, "/")
	partition, offset, _ := strings.Cut(rest, "/")
	n, errPartition := strconv.ParseInt(partition, 10, 32)
	at, errOffset := strconv.ParseInt(offset, 10, 64)
	p := event.Position{TopicID: topic, Partition: int32(n), Offset: at}
	if errPartition != nil || errOffset != nil || len(topic) != topicIDLength || n < 0 || at < 0 || FormatPosition(p) != text {
		return event.Position{}, api.Errorf(api.Invalid, "position %s: <topic id>/<partition>/<offset> is accepted, as `anabranch dlq list` prints it: %s",
			api.Clip(text), fmt.Sprintf("%032x/0/17", 0x5eed))
	}
	return p, nil
}

// topicIDLength is the number of hex digits of a topic id.
const topicIDLength = 32
