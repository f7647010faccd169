package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
)

// entry is a record of the log with the truth about it.
type entry struct {
	record  *kgo.Record
	epoch   int64 // of the record, a mark's own among them
	valid   bool
	event   event.Event
	logTime int64
}

// topic is one partition of the log.
type topic struct {
	entries []entry // by offset
	start   int64   // of what Kafka still holds
	epoch   int64   // the last mark that counts
}

func (t *topic) end() int64 { return int64(len(t.entries)) }

// fetch returns up to n records from an offset on.
func (t *topic) fetch(from, n int64) []*kgo.Record {
	var out []*kgo.Record
	for o := max(from, t.start); o < min(t.end(), from+n); o++ {
		out = append(out, t.entries[o].record)
	}
	return out
}

// append adds a record and works out its epoch, as the first rules of DESIGN §3 say: a mark counts when it
// has no key, one header, and the number after the last counted one in plain decimal.
func (w *world) append(p int32, r *kgo.Record, e entry) {
	t := &w.log[p]
	e.logTime = w.now + w.logSkew
	r.Topic, r.Partition, r.Offset, r.Timestamp = "events", p, t.end(), time.UnixMilli(e.logTime)
	var marks []string
	for _, h := range r.Headers {
		if h.Key == event.MarkHeader {
			marks = append(marks, string(h.Value))
		}
	}
	if len(marks) == 1 && r.Key == nil && marks[0] == strconv.FormatInt(t.epoch+1, 10) {
		t.epoch++
	}
	e.record, e.epoch = r, t.epoch
	t.entries = append(t.entries, e)
}

// partitionOf is where Kafka's partitioner puts a user.
func (w *world) partitionOf(user string) int32 {
	return event.PartitionOf([]byte(user), int32(len(w.log)))
}

// produce appends a well-formed event to its user's partition. It is invalid where its time is more than
// five minutes after the record's.
func (w *world) produce(e event.Event) error {
	value, err := e.Encode()
	if err != nil {
		return err
	}
	p := w.partitionOf(e.UserID)
	w.note("%s of %s, %s %s at %s, p%d@%d", e.ID, e.UserID, e.Type, e.ItemID, stamp(int64(e.Time)), p, w.log[p].end())
	valid := int64(e.Time) <= w.now+w.logSkew+5*minute
	if !valid {
		w.note("is too early")
	}
	w.append(p, &kgo.Record{Key: []byte(e.UserID), Value: value}, entry{valid: valid, event: e})
	w.ids[e.UserID] = append(w.ids[e.UserID], e.ID)
	return nil
}

// event makes the event of a seed.
func (w *world) event(seed, user int64) event.Event {
	return w.eventAt(uint64(seed), userName(user), w.now)
}

func userName(n int64) string { return "u" + strconv.FormatInt(n, 10) }

func (w *world) doEvent(seed, user, back int64) error {
	e := w.event(seed, user)
	e.ID = fmt.Sprintf("e%d", w.fresh())
	if before := w.ids[e.UserID]; back > 0 && back <= int64(len(before)) {
		e.ID = before[int64(len(before))-back]
	}
	return w.produce(e)
}

// fresh returns a number that was not returned before.
func (w *world) fresh() int { w.counter++; return w.counter }

// doFar repeats an event after distance−1 records of its user. Most of those repeat each other, which is
// cheap for the oracle and counts for the rule all the same.
func (w *world) doFar(seed, user, distance int64) error {
	e := w.event(seed, user)
	e.ID = fmt.Sprintf("e%d", w.fresh())
	if err := w.produce(e); err != nil {
		return err
	}
	filler := w.event(seed+1, user)
	for i := range distance - 1 {
		if i%40 == 0 {
			filler.ID = fmt.Sprintf("e%d", w.fresh())
		}
		if err := w.produce(filler); err != nil {
			return err
		}
	}
	w.notes[len(w.notes)-1] = ""
	return w.produce(e)
}

// doGarbage appends a record that is invalid for one of several reasons.
func (w *world) doGarbage(seed int64) error {
	e := w.event(seed, seed%users)
	e.ID = fmt.Sprintf("e%d", w.fresh())
	p := w.partitionOf(e.UserID)
	key := e.UserID
	switch seed % 5 {
	case 0: // no JSON
		w.append(p, &kgo.Record{Key: []byte(key), Value: []byte(`{"event_id":`)}, entry{})
		return nil
	case 1: // in a partition that its key does not hash to
		if len(w.log) == 1 {
			e.Type = "" // there is no other
		}
		p = (p + 1) % int32(len(w.log))
	case 2: // somebody else's key
		key = userName(seed%users + 1)
		p = w.partitionOf(key)
	case 3:
		e.Time = event.Millis(w.now + w.logSkew + 5*minute + 1)
	case 4:
		e.ItemID = ""
	}
	value, err := e.Encode()
	if err != nil {
		return err
	}
	w.append(p, &kgo.Record{Key: []byte(key), Value: value}, entry{})
	return nil
}

// doHeader appends a record that carries the mark header and counts nowhere.
func (w *world) doHeader(seed int64) {
	p := int32(seed % int64(len(w.log)))
	next := strconv.FormatInt(w.log[p].epoch+1, 10)
	r := &kgo.Record{Value: []byte("{}")}
	header := func(value string) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: event.MarkHeader, Value: []byte(value)})
	}
	switch seed / 8 % 6 {
	case 0:
		header(strconv.FormatInt(w.log[p].epoch, 10)) // again, or mark 0
	case 1:
		header(strconv.FormatInt(w.log[p].epoch+2, 10)) // too early
	case 2:
		header("0" + next)
	case 3:
		r.Key = []byte(userName(0))
		header(next)
	case 4:
		header(next)
		header(next)
	default:
		header("mark")
	}
	w.append(p, r, entry{})
	w.note("p%d@%d", p, w.log[p].end()-1)
}

// doControl appends what a transaction leaves at its end.
func (w *world) doControl(p int64) {
	r := &kgo.Record{Key: []byte{0, 0, 0, 1}, Value: make([]byte, 6)}
	r.Attrs = controlAttrs()
	w.append(int32(p%int64(len(w.log))), r, entry{})
}

// before returns the valid records with offsets below the limit of their partition, and the imported ones.
func (w *world) before(limit map[int32]int64) []oracle.Record {
	records := slices.Clone(w.imported)
	for p := range w.log {
		for o := range min(limit[int32(p)], w.log[p].end()) {
			if e := &w.log[p].entries[o]; e.valid {
				records = append(records, oracle.Record{Event: e.event, Epoch: e.epoch, Seq: int64(p)<<44 | o, LogTime: e.logTime})
			}
		}
	}
	return records
}

const (
	minute int64 = 60_000
	hour         = 60 * minute
	day          = 24 * hour
	users        = 4
	items        = 5
)

func stamp(ms int64) string {
	return strings.TrimSuffix(time.UnixMilli(ms).UTC().Format("01-02T15:04:05.000"), ".000")
}
