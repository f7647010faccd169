package archive

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/errbucket"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
)

// worker is an archiver without Kafka, clock and goroutines: it reads logs from memory.
type worker struct {
	store *store
	parts []*partition
	logs  [][]*kgo.Record
	at    []int // the next record to deliver, by partition
}

// newWorker starts as Run does: recover, then continue at the end of every chain.
func newWorker(b *bucket.Bucket, logs [][]*kgo.Record, limits Limits) (*worker, error) {
	w := &worker{store: &store{bucket: b, topicID: topicID}, logs: logs, at: make([]int, len(logs))}
	tails, err := w.store.recover(context.Background(), int32(len(logs)))
	if err != nil {
		return nil, err
	}
	for p, t := range tails {
		w.parts = append(w.parts, &partition{
			topic: topicID, id: int32(p), limits: limits.withDefaults(int32(len(logs))), valid: event.Validity{Partitions: int32(len(logs))},
			counter: model.Counter{Epoch: t.Epoch}, first: t.Next, next: t.Next,
		})
		for w.at[p] < len(logs[p]) && logs[p][w.at[p]].Offset < t.Next {
			w.at[p]++
		}
	}
	return w, nil
}

// deliver takes the next record of a partition and writes the file that it completes. It reports
// whether there was a record.
func (w *worker) deliver(p int) (bool, error) {
	if w.at[p] == len(w.logs[p]) {
		return false, nil
	}
	r := w.logs[p][w.at[p]]
	w.at[p]++
	f, complete, err := w.parts[p].step(r, start)
	if err != nil || !complete {
		return true, err
	}
	end, _, err := w.store.write(context.Background(), f)
	if err != nil {
		return true, err
	}
	w.parts[p].written(end)
	return true, nil
}

// finish delivers everything, one record of each partition in turn.
func (w *worker) finish() error {
	for busy := true; busy; {
		busy = false
		for p := range w.logs {
			more, err := w.deliver(p)
			if err != nil {
				return err
			}
			busy = busy || more
		}
	}
	return nil
}

func run(b *bucket.Bucket, logs [][]*kgo.Record, limits Limits) error {
	w, err := newWorker(b, logs, limits)
	if err != nil {
		return err
	}
	return w.finish()
}

func randomLogs(seed uint64, partitions, length int) [][]*kgo.Record {
	rng := rand.New(rand.NewPCG(seed, 0))
	logs := make([][]*kgo.Record, partitions)
	for p := range logs {
		logs[p] = randomLog(rng, int32(p), length)
	}
	return logs
}

// TestEveryOperationMayBeTheLast kills the archiver before and after each of its operations on the
// bucket, lets a successor with other limits finish, and compares with a naive recount.
func TestEveryOperationMayBeTheLast(t *testing.T) {
	logs := randomLogs(5, 2, 40)
	limits := Limits{Rows: 6}
	whole := newMemory()
	counted, inj := errbucket.Wrap(whole)
	if err := run(counted, logs, limits); err != nil {
		t.Fatal(err)
	}
	compare(t, whole, topicID, logs)
	t.Logf("%d operations", len(inj.Ops()))
	for n := 1; n <= len(inj.Ops()); n++ {
		for _, effect := range []errbucket.Effect{errbucket.Crash, errbucket.CrashAfter} {
			b := newMemory()
			faulty, _ := errbucket.Wrap(b, errbucket.Fault{Nth: n, Effect: effect})
			if err := run(faulty, logs, limits); !errors.Is(err, errbucket.ErrInjected) {
				t.Fatalf("operation %d: %v, want the injected fault", n, err)
			}
			if err := run(b, logs, Limits{Rows: 4}); err != nil {
				t.Fatalf("restart after operation %d (effect %d): %v", n, effect, err)
			}
			compare(t, b, topicID, logs)
		}
	}
}

// TestManyArchivers lets archivers with different limits work on the same partitions at the same
// time, in a random order of steps, some of them restarting.
func TestManyArchivers(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		logs := randomLogs(rapid.Uint64().Draw(rt, "log"), 2, 30)
		b := newMemory()
		workers := make([]*worker, 3)
		start := func(i int) {
			w, err := newWorker(b, logs, Limits{Rows: rapid.IntRange(1, 12).Draw(rt, "rows")})
			if err != nil {
				rt.Fatal(err)
			}
			workers[i] = w
		}
		for i := range workers {
			start(i)
		}
		for range rapid.IntRange(0, 150).Draw(rt, "steps") {
			i := rapid.IntRange(0, len(workers)-1).Draw(rt, "worker")
			if rapid.IntRange(0, 20).Draw(rt, "restart") == 0 {
				start(i)
			}
			if _, err := workers[i].deliver(rapid.IntRange(0, 1).Draw(rt, "partition")); err != nil {
				rt.Fatal(err)
			}
		}
		for _, w := range workers {
			if err := w.finish(); err != nil {
				rt.Fatal(err)
			}
		}
		compare(t, b, topicID, logs)
	})
}

// TestHalts damages an archive and expects the archiver to stop, naming what and what to do.
func TestHalts(t *testing.T) {
	logs := randomLogs(9, 1, 60)
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, b *bucket.Bucket, last model.Index)
		says   []string
	}{
		{"an object is gone", func(t *testing.T, b *bucket.Bucket, x model.Index) {
			must(t, b.Delete(t.Context(), x.Objects[0].Key))
		}, []string{"not in the bucket", "backup"}},
		{"an index is gone", func(t *testing.T, b *bucket.Bucket, x model.Index) {
			x.Epoch += 5
			_, err := b.PutJSON(t.Context(), model.IndexKey(x.Epoch), x)
			must(t, err)
		}, []string{model.IndexKey(0)[:12], "missing"}},
		{"a hole in the chain", func(t *testing.T, b *bucket.Bucket, x model.Index) {
			x.Objects[0].First++
			_, err := b.PutJSON(t.Context(), model.IndexKey(x.Epoch), x)
			must(t, err)
		}, []string{"chain continues", "backup"}},
		{"another topic", func(t *testing.T, b *bucket.Bucket, x model.Index) {
			x.TopicID = strings.Repeat("f", 32)
			_, err := b.PutJSON(t.Context(), model.IndexKey(x.Epoch), x)
			must(t, err)
		}, []string{"recreated", "doctor"}},
		{"an unlisted object is damaged", func(t *testing.T, b *bucket.Bucket, x model.Index) {
			_, err := b.Put(t.Context(), model.RawKey(topicID, x.Epoch, 0, 1<<40), []byte("PAR1"))
			must(t, err)
		}, []string{"damaged", "delete it"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newMemory()
			open := append(logs[0][:len(logs[0]):len(logs[0])], record(0, 1000, 1), record(0, 1001, 2))
			must(t, run(b, [][]*kgo.Record{open}, Limits{Rows: 1})) // an epoch stays open
			listed, err := b.List(t.Context(), model.IndexPrefix)
			must(t, err)
			last, _, err := ReadIndex(t.Context(), b, int64(len(listed)-1))
			must(t, err)
			c.damage(t, b, *last)
			_, err = newWorker(b, logs, Limits{})
			if !errors.Is(err, ErrHalted) {
				t.Fatalf("got %v, want it to halt", err)
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v\ndoes not say %q", err, part)
				}
			}
		})
	}
}

// TestOtherTopicWithoutIndex finds objects that a crash left of a topic that no longer exists.
func TestOtherTopicWithoutIndex(t *testing.T) {
	b := newMemory()
	faulty, _ := errbucket.Wrap(b, errbucket.Fault{Match: errbucket.Writes(model.IndexPrefix), Nth: 1, Effect: errbucket.Crash})
	if err := run(faulty, [][]*kgo.Record{{record(0, 0, 1), record(0, 1, 2)}}, Limits{Rows: 1}); !errors.Is(err, errbucket.ErrInjected) {
		t.Fatal(err)
	}
	other := &store{bucket: b, topicID: strings.Repeat("f", 32)}
	if _, err := other.recover(t.Context(), 1); !errors.Is(err, ErrHalted) {
		t.Errorf("got %v, want it to halt", err)
	}
}

func TestLimits(t *testing.T) {
	p := &partition{id: 0, valid: event.Validity{Partitions: 1}, limits: Limits{Bytes: 1000, Age: time.Minute}.withDefaults(1)}
	if _, due := p.tick(start.Add(time.Hour)); due {
		t.Error("a file of nothing was due")
	}
	for offset := range int64(20) {
		f, complete, err := p.step(record(0, offset, 1), start)
		must(t, err)
		if complete {
			if f.end != offset+1 || f.first != 0 || f.size() != int(offset)+1 || offset == 0 {
				t.Errorf("the file of at most 1000 bytes is [%d,%d) with %d rows", f.first, f.end, f.size())
			}
			break
		}
	}
	if _, _, err := p.step(mark(0, p.next, 7), start); err != nil { // does not count, but is covered
		t.Fatal(err)
	}
	if _, due := p.tick(start.Add(time.Minute - 1)); due {
		t.Error("due before its time")
	}
	if f, due := p.tick(start.Add(time.Minute)); !due || f.end != p.next || f.size() != 0 {
		t.Errorf("after a minute: %+v, %v", f, due)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
