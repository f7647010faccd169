package shop

import (
	"container/heap"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"time"

	"github.com/anabranch/anabranch/schemas/event"
)

// Columns lists the context and properties that the shop's events carry, named as in files.
func Columns() []string { return []string{"context.device", "context.page"} }

// History returns the events of the history in event-time order. It holds only the sessions that
// are under way. Context maps are shared between events: read them, do not change them.
func (s *Shop) History() iter.Seq[event.Event] {
	return func(yield func(event.Event) bool) {
		total := s.sessions()
		arrivals := newArrivals(s, total)
		f := newFloor(s, streamHistory, "s"+s.name+"-", "e"+s.name+"-")
		for {
			e, ok := f.next(arrivals.time)
			if !ok || int64(e.Time) >= s.end || !yield(e) {
				return
			}
		}
	}
}

// sessions returns how many sessions make Config.Events, with a little for those that the end cuts.
func (s *Shop) sessions() uint64 {
	target := float64(s.cfg.Events) * (1 + 0.005/float64(s.cfg.Days))
	r := &session{}
	var events, n uint64
	for events < uint64(math.Ceil(target)) {
		r.begin(s.cfg.Seed, streamHistory, n)
		events += uint64(r.left)
		n++
	}
	return n
}

// arrivals gives the times at which a known number of sessions begin: one in every equal share of
// the traffic, which follows the hour of the day and the day of the week.
type arrivals struct {
	r       *rand.Rand
	total   uint64
	start   int64
	traffic []float64 // running sums, one an hour of the history
	hour    int
}

func newArrivals(s *Shop, total uint64) *arrivals {
	a := &arrivals{r: newRand(s.cfg.Seed, streamArrivals, 0), total: total, start: s.start}
	var sum float64
	for h := range s.cfg.Days * 24 {
		sum += trafficAt(s.start + int64(h)*hourMS)
		a.traffic = append(a.traffic, sum)
	}
	return a
}

// trafficAt returns the relative traffic of the hour that t is in.
func trafficAt(t int64) float64 {
	w := float64(byHour[t%dayMS/hourMS])
	if day := (t/dayMS + 4) % 7; day == 0 || day == 6 { // 1970-01-01 was a Thursday
		w *= 1.2
	}
	return w
}

// time returns when session n begins; n must rise.
func (a *arrivals) time(n uint64) (int64, bool) {
	if n >= a.total {
		return 0, false
	}
	last := len(a.traffic) - 1
	x := (float64(n) + a.r.Float64()) / float64(a.total) * a.traffic[last]
	for a.hour < last && a.traffic[a.hour] <= x {
		a.hour++
	}
	before := 0.0
	if a.hour > 0 {
		before = a.traffic[a.hour-1]
	}
	part := math.Min(1, (x-before)/(a.traffic[a.hour]-before))
	return a.start + int64(a.hour)*hourMS + min(hourMS-1, int64(part*hourMS)), true
}

// LiveConfig says how the shop goes on after its history.
type LiveConfig struct {
	From time.Time // event time of the beginning; at the history's start at the earliest
	Rate float64   // events a second on average, up to MaxRate
	// Run makes the event ids of this run unlike those of every other: 1 to 64 of A-Z, a-z, 0-9, _ and -.
	Run string
	// Offset is the number of the first session. Equal offsets repeat what users do, so a run that
	// continues an earlier one passes another.
	Offset uint64
}

// MaxRate is the highest accepted LiveConfig.Rate, in events a second.
const MaxRate = 1_000_000

var runPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Validate returns an error that names the first field which is out of range.
func (c LiveConfig) Validate() error {
	if !(c.Rate > 0 && c.Rate <= MaxRate) {
		return fmt.Errorf("shop: rate is %v events a second; more than 0 and at most %d is accepted", c.Rate, MaxRate)
	}
	if !runPattern.MatchString(c.Run) {
		return fmt.Errorf("shop: run is %q; 1 to 64 characters out of A-Z, a-z, 0-9, _ and - are required", c.Run)
	}
	return nil
}

// Live returns the endless stream of events from c.From on, in event-time order, paced by their event
// times: the caller waits for each and may stamp its own time. The rate is even over the day. At
// high rates users click faster, so that no more than a quarter of them is in a session. Equal
// Configs and LiveConfigs give equal streams. Context maps are shared, as in History.
func (s *Shop) Live(c LiveConfig) (iter.Seq[event.Event], error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	from := c.From.UnixMilli()
	if from < s.start || c.From.Year() > 9000 {
		return nil, fmt.Errorf("shop: live traffic from %s is not accepted: the shop opens on %s", c.From.UTC().Format(time.RFC3339), s.Start().Format(time.RFC3339))
	}
	return func(yield func(event.Event) bool) {
		f := newFloor(s, streamLive, "s-"+c.Run+"-", "e-"+c.Run+"-")
		f.number = c.Offset
		between := sessionMean / c.Rate // seconds from one session to the next
		inside := between * float64(len(s.users)) / 4
		f.scale = math.Min(1, inside/(sessionMean*(gapLeast+gapMean)))
		// Start early, so that the stream begins with sessions at every stage.
		clock := float64(from) - sessionMean*4*(gapLeast+gapMean)*1000*f.scale
		r := newRand(s.cfg.Seed, streamLiveArrivals, c.Offset)
		arrive := func(uint64) (int64, bool) {
			clock += float64(between * 1000 * r.ExpFloat64())
			return int64(clock), true
		}
		f.after = from
		for {
			if e, _ := f.next(arrive); !yield(e) {
				return
			}
		}
	}, nil
}

// floor is the shop floor: the sessions under way, the one with the earliest event first.
type floor struct {
	s               *Shop
	stream          uint64
	session, prefix string // of session ids and event ids
	number          uint64 // of the next session
	events          uint64 // events given out
	after           int64  // events before this time happen, but are not given out
	scale           float64
	active          queue
	arriving        *session // has begun, is not active yet
	spare           []*session
	busy            []bool
}

func newFloor(s *Shop, stream uint64, session, prefix string) *floor {
	return &floor{s: s, stream: stream, session: session, prefix: prefix, scale: 1, busy: make([]bool, len(s.users))}
}

// next returns the next event in time order; arrive gives the time of session n, or false when there
// are no more. next reports false when nothing is left.
func (f *floor) next(arrive func(n uint64) (int64, bool)) (event.Event, bool) {
	for {
		f.admit(arrive)
		if len(f.active) == 0 {
			return event.Event{}, false
		}
		x := f.active[0]
		e, more := f.s.step(x)
		if more {
			heap.Fix(&f.active, 0)
		} else {
			heap.Pop(&f.active)
			f.busy[x.user] = false
			f.spare = append(f.spare, x)
		}
		if int64(e.Time) < f.after {
			continue
		}
		f.events++
		e.ID = f.prefix + strconv.FormatUint(f.events, 10)
		return e, true
	}
}

// admit lets in every session that begins before the earliest event of those under way.
func (f *floor) admit(arrive func(n uint64) (int64, bool)) {
	for {
		if f.arriving == nil {
			t, ok := arrive(f.number)
			if !ok {
				return
			}
			f.arriving = f.begin(t)
		}
		if len(f.active) > 0 && f.active[0].next < f.arriving.next {
			return
		}
		x := f.arriving
		f.arriving = nil
		f.s.enter(x, x.next, f.busy)
		f.busy[x.user] = true
		heap.Push(&f.active, x)
	}
}

func (f *floor) begin(t int64) *session {
	x := &session{}
	if n := len(f.spare); n > 0 {
		x, f.spare = f.spare[n-1], f.spare[:n-1]
	}
	x.begin(f.s.cfg.Seed, f.stream, f.number)
	x.id = f.session + strconv.FormatUint(f.number, 10)
	x.next, x.scale = t, f.scale
	f.number++
	return x
}

// queue is a heap of sessions by the time of their next event, then by number.
type queue []*session

func (q queue) Len() int { return len(q) }
func (q queue) Less(a, b int) bool {
	return q[a].next < q[b].next || q[a].next == q[b].next && q[a].number < q[b].number
}
func (q queue) Swap(a, b int) { q[a], q[b] = q[b], q[a] }
func (q *queue) Push(x any)   { *q = append(*q, x.(*session)) }
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}
