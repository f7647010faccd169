package live

import "testing"

// TestFenceIsShown: the metrics say where each partition stands, also after an idle one's base has risen, and nothing
// of partitions that are somebody else's.
func TestFenceIsShown(t *testing.T) {
	s := newSystem(t, 2)
	s.produce(someEvents(0, 60)...)
	r, stop := s.start(s.config(s.redis))
	s.awaitCaughtUp()
	s.mark()
	s.produce(someEvents(60, 30)...)
	s.awaitCaughtUp()
	s.raiseFloor(1)
	shown := func(r *Runner) bool {
		fences, ok := s.fences()
		for p, f := range fences {
			label := partitionLabel(p)
			ok = ok && f.Base == 1 && f.Epoch == 1 && f.Target > 0 && metric(t, r, "fence_base_epoch", label) == float64(f.Base) &&
				metric(t, r, "fence_epoch", label) == float64(f.Epoch) && metric(t, r, "fence_next_offset", label) == float64(f.Next) &&
				metric(t, r, "fence_target_offset", label) == float64(f.Target)
		}
		return ok
	}
	s.await("the fences in the metrics", func() bool { return shown(r) })
	stop()
	if n := metric(t, r, "fence_next_offset", "0"); n != 0 {
		t.Errorf("a runner that has ended shows offset %v", n)
	}
}
