package jobs

import (
	"strings"
	"testing"
	"time"

	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/api"
)

// TestPartitionsArePinned uses a bucket with a topic, with the same again, with one that has grown, and with another topic.
func TestPartitionsArePinned(t *testing.T) {
	t.Parallel()
	b, err := filebucket.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		id         byte
		partitions int32
		refused    bool
	}{{1, 3, false}, {1, 3, false}, {1, 4, true}, {2, 4, false}, {1, 2, true}, {1, 3, false}} {
		err := pinPartitions(t.Context(), b, kafka.Topics{EventsID: [16]byte{tt.id}, Partitions: tt.partitions}, time.Now())
		if (err != nil) != tt.refused {
			t.Errorf("topic %d with %d partitions: %v", tt.id, tt.partitions, err)
		}
		if tt.refused && (api.CodeOf(err) != api.Invalid || !strings.Contains(err.Error(), "had 3") || !strings.Contains(err.Error(), "anabranch import FILE --partitions")) {
			t.Errorf("refused by %v", err)
		}
	}
}
