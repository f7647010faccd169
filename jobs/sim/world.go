package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
	"github.com/anabranch/anabranch/stream/archive"
	"github.com/anabranch/anabranch/stream/live"
)

// topicID is the id of the events topic.
var topicID = [16]byte{0: 0xa0, 15: 1}

// world is everything in a history: the log, the layers, what they keep, and what is true.
type world struct {
	ctx     context.Context //nolint:containedctx // of one history, which runs in one goroutine
	now     int64           // Unix ms
	started int64
	logSkew int64 // how far log times are off
	ahead   bool  // a live process's clock is days ahead
	counter int
	notes   []string // of the step that runs

	log      []topic
	ids      map[string][]string // event ids by user, as they were sent
	imported []oracle.Record
	files    map[string][]oracle.Record // imported files by checksum

	memory *memory
	bucket *bucket.Bucket
	redis  *server
	client *goredis.Client
	dir    string // for temporary files
	retain int    // generations

	catalogues []*catalogue
	configured *catalogue
	generation map[string]*generation // that were stored, by id
	pointer    model.Pointer          // as of the last move
	floor      int64                  // as the live runners last saw it
	marks      []model.Mark

	archivers map[int64]*archiver
	owners    map[ownerKey]*live.Driven
	torn      map[string]bool // fences that have fallen behind their states
	servers   [2]*front
}

// newWorld returns the world of a seed, in which nothing has happened.
func newWorld(seed uint64) (*world, error) {
	r := rand.New(rand.NewPCG(seed, 0x73696d))
	w := &world{
		ctx: context.Background(), now: gen.Base + r.Int64N(40*day), ids: map[string][]string{},
		files: map[string][]oracle.Record{}, memory: newMemory(), retain: 2 + r.IntN(2), ahead: r.IntN(2) == 0,
		generation: map[string]*generation{}, archivers: map[int64]*archiver{}, owners: map[ownerKey]*live.Driven{},
		torn: map[string]bool{},
	}
	w.started, w.log = w.now, make([]topic, 1+r.IntN(3))
	w.bucket = bucket.New(w.memory)
	w.redis = newServer()
	w.client = w.redis.dial()
	for i := range uint64(3) {
		c, err := newCatalogue(seed*8+i, i)
		if err != nil {
			return nil, err
		}
		w.catalogues = append(w.catalogues, c)
	}
	w.configured = w.catalogues[0]
	for i := range w.servers {
		if err := w.restart(i); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// close ends what the world began.
func (w *world) close() error {
	err := w.client.Close()
	for _, g := range w.generation {
		err = errors.Join(err, g.files.Close())
	}
	if w.dir != "" {
		err = errors.Join(err, os.RemoveAll(w.dir))
	}
	return err
}

// temp returns a folder for temporary files.
func (w *world) temp() (string, error) {
	if w.dir != "" {
		return w.dir, nil
	}
	var err error
	w.dir, err = os.MkdirTemp("", "anabranch-sim-")
	return w.dir, err
}

// clock is a host's clock that is off by some ms.
func (w *world) clock(skew int64) func() time.Time {
	return func() time.Time { return time.UnixMilli(w.now + skew).UTC() }
}

// note adds to what is told of the current step.
func (w *world) note(format string, args ...any) {
	w.notes = append(w.notes, fmt.Sprintf(format, args...))
}

// silent is where the layers log to.
var silent = slog.New(slog.DiscardHandler)

// eventAt makes a valid event of a user about an instant; it has no id yet.
func (w *world) eventAt(seed uint64, user string, at int64) event.Event {
	log := gen.New(seed).Log(w.catalogues[0].Catalogue, at, 1)
	e := log[0].Event
	e.UserID = user
	if len(e.ItemID) > 2 || e.ItemID > fmt.Sprintf("i%d", items-1) {
		e.ItemID = fmt.Sprintf("i%d", seed%items)
	}
	return e
}

// do plays one step.
func (w *world) do(o Op) error {
	a := o.Args
	switch o.Verb {
	case "event":
		return w.doEvent(a[0], a[1], a[2])
	case "far":
		return w.doFar(a[0], a[1], a[2])
	case "garbage":
		return w.doGarbage(a[0])
	case "header":
		w.doHeader(a[0])
	case "control":
		w.doControl(a[0])
	case "import":
		return w.doImport(a[0])
	case "wait":
		w.now += a[0]
		w.note("it is %s", stamp(w.now))
	case "logtime":
		if w.logSkew = a[0]; w.ahead {
			w.logSkew = min(w.logSkew, 0)
		}
	case "mark":
		return w.doMark(a[0], a[1])
	case "finish":
		return w.finishMarks(^int64(0))
	case "retain":
		return w.doRetain()
	case "archive":
		return w.doArchive(a[0], int32(a[1])%int32(len(w.log)), a[2], a[3])
	case "own":
		return w.doOwn(a[0], a[1], int32(a[2])%int32(len(w.log)), a[3], answer(a[4]), a[5] > 0)
	case "verify":
		return w.doVerify(a[0], a[1], int32(a[2])%int32(len(w.log)))
	case "define":
		w.configured = w.catalogues[a[0]%int64(len(w.catalogues))]
	case "night":
		return w.crashing(a[2], func() error { return w.doNight(int(a[0]), a[1] > 0) })
	case "rollback":
		return w.crashing(a[1], func() error { return w.doRollback(a[0]) })
	case "refresh":
		return w.doRefresh(int(a[0]) % len(w.servers))
	case "lose":
		w.note("%d are lost", w.redis.lose(int(a[0])))
	case "torn":
		w.doTear(int(a[0]))
	case "flush":
		w.redis.flush()
		clear(w.torn)
	case "redis":
		w.redis.down = a[0] > 0
	case "read":
		return w.doRead(int(a[0])%len(w.servers), entities[a[1]%3], a[2], a[3])
	case "asof":
		return w.doAsOf(entities[a[0]%3], a[1], a[2])
	case "settle":
		return w.doSettle()
	default:
		return fmt.Errorf("unknown step %q", o.Verb)
	}
	return nil
}

var entities = [3]feature.Entity{feature.User, feature.Item, feature.Global}

func (w *world) doTear(n int) {
	if fence, ok := w.redis.tear(n); ok {
		w.note("%s", fence)
		w.torn[fence] = true
	}
}

// Failure is a history that went wrong.
type Failure struct {
	History
	Notes []string // of the steps that were played
	What  string   // expected and got
}

// Error implements error: the history, which Read reads, and what went wrong at its last step.
func (f *Failure) Error() string {
	var b strings.Builder
	_ = f.Write(&b, f.Notes) // into memory
	return b.String() + "# " + strings.ReplaceAll(f.What, "\n", "\n# ") + "\n"
}

// Run plays a history; nil is that nothing went wrong. What did is the end of the returned history.
func (h History) Run() *Failure {
	_, failure := h.Play()
	return failure
}

// Play is Run, and tells what happened in each step.
func (h History) Play() (notes []string, failure *Failure) {
	w, err := newWorld(h.Seed)
	if err != nil {
		return nil, &Failure{History: h, What: err.Error()}
	}
	for i, o := range h.Ops {
		w.notes = w.notes[:0]
		err := w.guarded(o)
		notes = append(notes, strings.Join(w.notes, "; "))
		if err != nil {
			_ = w.close() // the failure says enough
			return notes, &Failure{History: History{h.Seed, h.Ops[:i+1]}, Notes: notes, What: err.Error()}
		}
	}
	if err := w.close(); err != nil {
		return notes, &Failure{History: h, Notes: notes, What: err.Error()}
	}
	return notes, nil
}

// guarded plays a step and makes an error of a panic.
func (w *world) guarded(o Op) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, panicStack())
		}
	}()
	return w.do(o)
}

// archiver is one archiving process.
type archiver struct {
	feeder *archive.Feeder
	next   []int64
}
