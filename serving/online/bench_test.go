package online

import (
	"fmt"
	"testing"
	"time"

	"github.com/anabranch/anabranch/serving/recommend"
)

// BenchmarkRecommend measures an answer for a user with history and live events, over a Redis on the
// same machine.
func BenchmarkRecommend(b *testing.B) {
	w := newWorld(b)
	w.history(1000)
	w.point(b, w.generation(b, 1, items()))
	for u := range 1000 {
		w.act(1, fmt.Sprint("u", u), fmt.Sprint(categories[(u+1)%3], u%perGroup), "view", time.Minute)
	}
	w.live(b, "A", 1)
	s := w.serve(b)
	for _, mode := range []recommend.Mode{recommend.ModeBatch, recommend.ModeMerged} {
		b.Run(string(mode), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				a := must(s.Recommend(b.Context(), Request{User: fmt.Sprint("u", i%1000), N: 20, ExcludeSeen: true, Mode: mode}))(b)
				if len(a.Items) != 20 || a.Receipt.Degraded {
					b.Fatalf("%d items, receipt %+v", len(a.Items), a.Receipt)
				}
			}
		})
	}
}
