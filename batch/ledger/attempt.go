package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/api"
)

// Attempt is one call of a command for a label.
type Attempt struct {
	ID      string     `json:"id"`
	Command string     `json:"command"`
	Version string     `json:"version,omitzero"`
	Host    string     `json:"host"`
	PID     int        `json:"pid"`
	Started time.Time  `json:"started"`
	Ended   time.Time  `json:"ended,omitzero"`  // zero while it runs, and for ever where it was killed
	Steps   []StepNote `json:"steps,omitempty"` // in the order in which they were taken
	Code    api.Code   `json:"code,omitzero"`   // of the error that ended it
	Error   string     `json:"error,omitzero"`
	Cut     bool       `json:"log_cut,omitzero"` // the log was longer than is kept
}

// StepNote is what an attempt did of a step.
type StepNote struct {
	Step   string    `json:"step"`
	Status string    `json:"status"` // running, done, skipped, failed
	Began  time.Time `json:"began"`
	Millis int64     `json:"duration_ms,omitzero"`
}

// The statuses of a step that has no outcome.
const (
	Running = "running"
	Failed  = "failed"
)

// AttemptKey returns the key of an attempt, LogKey that of what it logged.
func AttemptKey(label time.Time, id string) string { return Key(label, "attempts/"+id+".json") }

// LogKey returns the key of what an attempt logged.
func LogKey(label time.Time, id string) string { return Key(label, "attempts/"+id+".log") }

// Key returns the key of something about a label; of no name, what all of its keys begin with.
func Key(label time.Time, name string) string {
	return Prefix + label.UTC().Format(time.RFC3339) + "/" + name
}

// Prefix is of the whole ledger.
const Prefix = "runs/"

// Timing is how often a holder says that it is there, and how long it may be silent.
type Timing struct{ Beat, Patience time.Duration }

// DefaultTiming is that of the commands.
var DefaultTiming = Timing{Beat: 5 * time.Second, Patience: 20 * time.Second}

// Options are what Begin needs.
type Options struct {
	Bucket  *bucket.Bucket
	Label   time.Time
	ID      string // new, and rising with time, such as a ULID
	Command string
	Version string
	Clock   func() time.Time // for what people read
	Timing  Timing           // zero means DefaultTiming
}

// Run is an attempt that holds the lease of its label. The methods may be called on nil, where nobody keeps a
// ledger.
type Run struct {
	o     Options
	lease *lease
	stop  context.CancelFunc
	ended chan struct{} // keep has ended

	mu      sync.Mutex
	attempt Attempt
	noted   bool
	log     tail
}

// Begin takes the lease of the label, which takes up to Options.Timing.Patience where another machine died. The
// attempt is noted when it works or fails: one that finds nothing to do leaves nothing. The context that it returns ends
// with ctx and when the lease is lost. End must be called.
func Begin(ctx context.Context, o Options) (*Run, context.Context, error) {
	if o.Timing == (Timing{}) {
		o.Timing = DefaultTiming
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, nil, fmt.Errorf("begin an attempt: %w", err)
	}
	r := &Run{o: o, ended: make(chan struct{})}
	r.attempt = Attempt{ID: o.ID, Command: o.Command, Version: o.Version, Host: host, PID: os.Getpid(), Started: o.Clock().UTC()}
	me := Holder{Attempt: o.ID, Command: o.Command, Started: r.attempt.Started, Host: host, Machine: machine(), PID: os.Getpid()}
	if r.lease, err = take(ctx, o.Bucket, o.Label, me, o.Timing, o.Clock); err != nil {
		return nil, nil, err
	}
	work, cancel := context.WithCancelCause(ctx)
	keep, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	go func() {
		defer close(r.ended)
		cancel(r.lease.keep(keep, o.Timing)) // nil, which is context.Canceled, after End
	}()
	return r, work, nil
}

// Step notes that a step begins to work; what it returns is called with its outcome when it ends. Steps follow each
// other.
func (r *Run) Step(ctx context.Context, name string) (end func(status string) error, err error) {
	if r == nil {
		return func(string) error { return nil }, nil
	}
	pass := r.Pass(name)
	end = func(status string) error {
		if pass(status); status == Failed {
			return nil // End notes it, with the error
		}
		return r.note(ctx)
	}
	return end, r.note(ctx)
}

// Pass is Step for what may turn out to be nothing: it is noted together with what comes after it, if anything does.
func (r *Run) Pass(name string) (end func(status string)) {
	if r == nil {
		return func(string) {}
	}
	began := r.o.Clock()
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.attempt.Steps)
	r.attempt.Steps = append(r.attempt.Steps, StepNote{Step: name, Status: Running, Began: began.UTC()})
	return func(status string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		s := &r.attempt.Steps[n]
		s.Status, s.Millis = status, r.o.Clock().Sub(began).Milliseconds()
	}
}

// Handler returns a slog handler that keeps what is logged in the ledger, beside another.
func (r *Run) Handler(beside slog.Handler) slog.Handler {
	if r == nil {
		return beside
	}
	return slog.NewMultiHandler(beside, slog.NewJSONHandler(&r.log, nil))
}

// End notes how the attempt ended and lets go of the lease.
func (r *Run) End(ctx context.Context, failure error) error {
	if r == nil {
		return nil
	}
	r.stop()
	<-r.ended
	r.mu.Lock()
	r.attempt.Ended = r.o.Clock().UTC()
	if failure != nil {
		r.attempt.Code, r.attempt.Error = api.CodeOf(failure), failure.Error()
	}
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.o.Timing.Patience)
	defer cancel()
	if !r.noted && failure == nil {
		return r.lease.release(ctx)
	}
	return errors.Join(r.note(ctx), r.lease.release(ctx))
}

// note writes the attempt and what it has logged.
func (r *Run) note(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	text, cut := r.log.text()
	r.noted, r.attempt.Cut = true, cut
	if _, err := r.o.Bucket.Put(ctx, LogKey(r.o.Label, r.o.ID), text); err != nil {
		return fmt.Errorf("note the log of attempt %s: %w", r.o.ID, err)
	}
	if _, err := r.o.Bucket.PutJSON(ctx, AttemptKey(r.o.Label, r.o.ID), r.attempt); err != nil {
		return fmt.Errorf("note attempt %s: %w", r.o.ID, err)
	}
	return nil
}
