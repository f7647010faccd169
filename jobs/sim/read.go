package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/serving/online"
)

// The reasons that a receipt may have, as serving/online words them.
const (
	noGeneration = "no generation yet"
	clockBehind  = "this generation begins after now; a clock is wrong"
	unreachable  = "Redis cannot be reached"
	missing      = "live state is missing"
	filling      = "live state is being filled"
	trimmed      = "live state no longer holds every epoch since this generation"
)

// front is a server: it serves the generation that it saw last.
type front struct {
	*online.Service
	configured *catalogue
	at         int64 // of its clock, Unix ms
	failures   int   // of Redis, in a row
}

// restart starts a server anew. It serves no generation until it looks at the pointer.
func (w *world) restart(i int) error {
	f := &front{configured: w.configured}
	s, err := online.New(online.Config{
		Bucket: w.bucket, Features: w.configured.Catalogue, Redis: w.client, Partitions: int32(len(w.log)),
		LiveTimeout: time.Hour, Now: func() time.Time { return time.UnixMilli(f.at).UTC() }, Logger: silent,
	})
	if err != nil {
		return err
	}
	f.Service = s
	w.servers[i] = f
	return nil
}

// doRefresh lets a server look at the pointer. One that has given Redis up is started anew.
func (w *world) doRefresh(i int) error {
	if w.servers[i].failures >= 3 {
		if err := w.restart(i); err != nil {
			return err
		}
	}
	w.servers[i].at = w.now
	return w.servers[i].Refresh(w.ctx)
}

// served returns the generation of a server; nil before the first one.
func (w *world) served(f *front) *generation {
	if info := f.Generation(); info != nil {
		return w.generation[info.ID]
	}
	return nil
}

// question is a read of one member of an entity at an instant.
type question struct {
	front  *front
	entity feature.Entity
	who    string
	at     int64

	generation *generation // nil for none
	catalogue  *catalogue
	partitions []int32 // that may hold live state of the member
}

// given is an answer with what its receipt says.
type given struct {
	values  map[string]agg.Value
	live    online.LiveStatus
	reasons []string
	offsets map[int32]int64
}

// doRead asks a server whose clock is behind by lag.
func (w *world) doRead(server int, e feature.Entity, who, lag int64) error {
	_, err := w.ask(w.questionFor(w.servers[server], e, who, w.now-lag))
	return err
}

func (w *world) questionFor(f *front, e feature.Entity, who, at int64) question {
	q := question{front: f, entity: e, who: memberName(e, who), at: at, generation: w.served(f), catalogue: f.configured}
	if q.generation != nil {
		q.catalogue = q.generation.catalogue
		if begin := q.generation.asOf().UnixMilli(); q.at < begin && q.at+5000 >= begin {
			q.at = begin // between the two it may answer as if it were then
		}
	}
	for p := range w.log {
		if e != feature.User || w.partitionOf(q.who) == int32(p) {
			q.partitions = append(q.partitions, int32(p))
		}
	}
	return q
}

func memberName(e feature.Entity, n int64) string {
	switch e {
	case feature.User:
		return userName(n % users)
	case feature.Item:
		return fmt.Sprintf("i%d", n%items)
	}
	return feature.GlobalID
}

// ask asks and checks the answer. degraded is why it is not exact, where that is right.
func (w *world) ask(q question) (degraded []string, err error) {
	want := w.reasons(q)
	got, err := w.answer(q)
	if err != nil {
		return nil, err
	}
	if slices.Sort(got.reasons); !slices.Equal(want, got.reasons) {
		return nil, fmt.Errorf("%s %s at %s: the receipt says %q, true is %q", q.entity, q.who, stamp(q.at), got.reasons, want)
	}
	limit, known := w.limit(q, got)
	w.note("%s %s at %s: %s %v, %s", q.entity, q.who, stamp(q.at), got.live, got.offsets, strings.Join(want, "; "))
	if !known {
		return want, nil
	}
	records := w.before(limit)
	if q.generation == nil {
		records = records[len(w.imported):]
	}
	if err := compare(q, records, got.values); err != nil {
		return nil, err
	}
	return want, checkShare(q, got.values)
}

// answer asks the server.
func (w *world) answer(q question) (given, error) {
	q.front.at = q.at
	var r online.Receipt
	var values map[string]agg.Value
	switch q.entity {
	case feature.User:
		a, err := q.front.Features(w.ctx, q.who)
		if err != nil {
			return given{}, err
		}
		r, values = a.Receipt, a.Features
	case feature.Item:
		a, err := q.front.ItemFeatures(w.ctx, q.who)
		if api.CodeOf(err) == api.NotFound { // it is certain that nobody knows it
			return given{live: online.LiveExact, offsets: w.fences(q)}, nil
		}
		if err != nil {
			return given{}, err
		}
		r, values = a.Receipt, a.Features
	default:
		return w.global(q)
	}
	if w.redis.down {
		q.front.failures++
	} else if q.front.failures < 3 {
		q.front.failures = 0
	}
	var reasons []string
	if r.Reason != "" {
		reasons = strings.Split(r.Reason, "; ")
		if r.Reason == clockBehind || strings.HasPrefix(r.Reason, clockBehind+"; ") { // it has a semicolon itself
			reasons = append([]string{clockBehind}, reasons[2:]...)
		}
	}
	if r.Degraded != (len(reasons) > 0) {
		return given{}, fmt.Errorf("degraded is %v, the reasons are %q", r.Degraded, reasons)
	}
	return given{values, r.Live, reasons, r.LiveOffsets}, nil
}
