//go:build integration

package live

import (
	"bytes"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/scripts/testenv/need"
)

// TestIntegrationGroupProtocols: runners share partitions, come and go by either group protocol of Apache Kafka, and
// during the change from one to the other, and every event counts once.
func TestIntegrationGroupProtocols(t *testing.T) {
	need.Kafka(t)
	need.Redis(t)
	classic, consumer := []kgo.Opt(nil), []kgo.Opt{kgo.ServerSideBalancer()}
	for _, tt := range []struct {
		name          string
		first, second []kgo.Opt
		want          string // the group's type at the end, as the broker calls it
	}{
		{"classic", classic, classic, "classic"},
		{"consumer", consumer, consumer, "consumer"},
		{"from one to the other", classic, consumer, "consumer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSystem(t, 8)
			runner := func(opts []kgo.Opt) (*Runner, func()) {
				cfg := s.config(s.dialRedis())
				cfg.KafkaOptions = append(cfg.KafkaOptions, opts...)
				return s.start(cfg)
			}
			made := 0
			// awaitShares waits until the runners have so many partitions, while events come in.
			awaitShares := func(want int, runners ...*Runner) {
				t.Helper()
				turn := 0
				s.await(fmt.Sprintf("%d partitions for each of %d runners", want, len(runners)), func() bool {
					if turn++; turn%8 == 1 {
						s.produce(manyEvents(made, 20)...)
						made += 20
					}
					for _, r := range runners {
						if len(r.Status()) != want {
							return false
						}
					}
					return true
				})
			}
			first, _ := runner(tt.first)
			awaitShares(8, first)
			second, stop := runner(tt.second)
			awaitShares(4, first, second)
			s.awaitCaughtUp()
			s.mark()
			stop()
			awaitShares(8, first)
			third, _ := runner(tt.second)
			awaitShares(4, first, third)
			s.produce(manyEvents(made, 200)...)
			s.awaitCaughtUp()
			groups, err := kadm.NewClient(s.client).ListGroupsByType(t.Context(), []string{tt.want})
			if err != nil {
				t.Fatal(err)
			}
			if _, listed := groups["live-"+s.topic]; !listed {
				t.Errorf("the broker lists no such group of type %s", tt.want)
			}
			s.check(0)
			t.Logf("%d events", made+200)
		})
	}
}

// manyEvents is someEvents of users in every partition.
func manyEvents(from, n int) []event.Event {
	events := someEvents(from, n)
	for i := range events {
		events[i].UserID = fmt.Sprint("u", (from+i)%13%2+(from+i)/13%40)
	}
	return events
}

// TestIntegrationTwoOfOneName: where two runners were given one name in the group by mistake the broker refuses one of
// them; the other works, and every event counts once.
func TestIntegrationTwoOfOneName(t *testing.T) {
	need.Kafka(t)
	need.Redis(t)
	s := newSystem(t, 4)
	var runners []*Runner
	refused := &sight{of: "FENCED_INSTANCE_ID"}
	for range 2 {
		cfg := s.config(s.dialRedis())
		cfg.KafkaOptions = append(cfg.KafkaOptions, kgo.InstanceID("twin"))
		cfg.Logger = slog.New(slog.NewTextHandler(refused, nil))
		r, _ := s.start(cfg)
		runners = append(runners, r)
		s.produce(manyEvents(100*len(runners), 100)...)
	}
	s.await("one to be refused, and the other to have all partitions", func() bool {
		a, b := len(runners[0].Status()), len(runners[1].Status())
		return refused.seen.Load() && max(a, b) == 4 && min(a, b) == 0
	})
	s.produce(manyEvents(300, 100)...)
	s.awaitCaughtUp()
	s.check(0)
}

// sight is a log that notes whether a text was in it.
type sight struct {
	of   string
	seen atomic.Bool
}

func (s *sight) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(s.of)) {
		s.seen.Store(true)
	}
	return len(line), nil
}
