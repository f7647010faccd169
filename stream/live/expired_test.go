package live

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
)

// TestExpiredOpensAtWhatKafkaHolds lets retention take records that live state has not read: it goes on with what is left, in
// a new incarnation that says so by its base.
func TestExpiredOpensAtWhatKafkaHolds(t *testing.T) {
	s := newSystem(t, 1)
	s.produce(someEvents(0, 50)...)
	_, stop := s.start(s.config(s.redis))
	s.awaitCaughtUp()
	stop()
	before, _ := s.fences()
	s.produce(someEvents(50, 50)...)
	gone := kadm.Offsets{}
	gone.AddOffset(s.topic, 0, 80, -1)
	if _, err := kadm.NewClient(s.client).DeleteRecords(context.Background(), gone); err != nil {
		t.Fatal(err)
	}
	cfg := s.config(s.redis)
	asked := make(chan int64, 10)
	cfg.OriginAt = func(_ context.Context, _ int32, offset int64) (Origin, bool, error) {
		asked <- offset
		return Origin{Offset: offset, Epoch: 0, Base: 2}, true, nil
	}
	s.start(cfg)
	if at := <-asked; at != 80 {
		t.Errorf("the origin was asked for from offset %d on, want 80", at)
	}
	s.mark()
	s.produce(someEvents(90, 40)...) // some repeat what the epoch before has
	s.mark()
	s.produce(someEvents(120, 40)...)
	s.awaitCaughtUp()
	after, _ := s.fences()
	if after[0].Incarnation == before[0].Incarnation || after[0].Base != 2 {
		t.Errorf("the fence is %+v, want a new incarnation with base 2", after[0])
	}
	s.check(2)
}
