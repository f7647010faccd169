package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/anabranch/anabranch/batch/ledger"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/errbucket"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/schemas/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var label = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func open(t *testing.T) *bucket.Bucket {
	t.Helper()
	b, err := filebucket.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var ids atomic.Int64

func options(b *bucket.Bucket) ledger.Options {
	return ledger.Options{Bucket: b, Label: label, ID: fmt.Sprintf("A%03d", ids.Add(1)), Command: "nightly", Version: "test", Clock: time.Now}
}

func mustBegin(t *testing.T, o ledger.Options) (*ledger.Run, context.Context) {
	t.Helper()
	r, ctx, err := ledger.Begin(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r, ctx
}

func mustEnd(t *testing.T, r *ledger.Run, failure error) {
	t.Helper()
	if err := r.End(t.Context(), failure); err != nil {
		t.Fatal(err)
	}
}

func holder(t *testing.T, b *bucket.Bucket) (h ledger.Holder) {
	t.Helper()
	if _, err := b.GetJSON(t.Context(), ledger.LeaseKey(label), &h); err != nil {
		t.Fatal(err)
	}
	return h
}

// elsewhere is a holder on another machine.
func elsewhere(beat int64) ledger.Holder {
	return ledger.Holder{Attempt: "A000", Host: "elsewhere", PID: 1, Beat: beat, Seen: label}
}

func putHolder(t *testing.T, b *bucket.Bucket, h ledger.Holder) {
	t.Helper()
	if _, err := b.PutJSON(t.Context(), ledger.LeaseKey(label), h); err != nil {
		t.Fatal(err)
	}
}

// TestOneWorks: of two attempts of one process the second is told who works, and may work after the first.
func TestOneWorks(t *testing.T) {
	b := open(t)
	first, _ := mustBegin(t, options(b))
	_, _, err := ledger.Begin(t.Context(), options(b))
	if api.CodeOf(err) != api.Locked || !strings.Contains(err.Error(), holder(t, b).Attempt) {
		t.Errorf("a second attempt: %v", err)
	}
	mustEnd(t, first, nil)
	second, _ := mustBegin(t, options(b))
	mustEnd(t, second, nil)
	if h := holder(t, b); h != (ledger.Holder{}) {
		t.Errorf("after all the lease is held by %+v", h)
	}
}

// TestHolderOnAnotherMachine: one that goes on is left alone, one that is silent for the patience of a lease is not.
func TestHolderOnAnotherMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t)
		putHolder(t, b, elsewhere(1))
		ctx, die := context.WithCancel(t.Context())
		go func() {
			for n := int64(2); ctx.Err() == nil; n++ {
				<-time.After(ledger.DefaultTiming.Beat) // virtual time
				if _, err := b.PutJSON(context.Background(), ledger.LeaseKey(label), elsewhere(n)); err != nil {
					t.Error(err)
				}
			}
		}()
		for range 3 {
			if _, _, err := ledger.Begin(t.Context(), options(b)); api.CodeOf(err) != api.Locked || !strings.Contains(err.Error(), "elsewhere") {
				t.Errorf("beside one that is alive: %v", err)
			}
		}
		die()
		<-time.After(2 * ledger.DefaultTiming.Beat) // virtual time
		began := time.Now()
		r, _ := mustBegin(t, options(b))
		if took := time.Since(began); took < ledger.DefaultTiming.Patience || took > 2*ledger.DefaultTiming.Patience {
			t.Errorf("the lease of a dead one was taken over after %s", took)
		}
		mustEnd(t, r, nil)
	})
}

// TestWatchingEndsWithItsContext while the holder is silent.
func TestWatchingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t)
		putHolder(t, b, elsewhere(1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := ledger.Begin(ctx, options(b)); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// TestDeadProcess: on the holder's machine nobody waits.
func TestDeadProcess(t *testing.T) {
	b := open(t)
	child := exec.Command(os.Args[0], "-test.run=^$")
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
	r, _ := mustBegin(t, options(b))
	me := holder(t, b)
	mustEnd(t, r, nil)
	if me.Machine == "" {
		t.Skip("this system does not tell what process ids mean: who finds a lease watches it")
	}
	for _, pid := range []int{child.Process.Pid, os.Getpid()} { // the latter as in a container that was started again
		putHolder(t, b, ledger.Holder{Attempt: "A000", Host: me.Host, Machine: me.Machine, PID: pid, Beat: 1, Seen: label})
		ctx, cancel := context.WithTimeout(t.Context(), ledger.DefaultTiming.Patience)
		r, _, err := ledger.Begin(ctx, options(b))
		if err != nil {
			t.Fatal(err)
		}
		mustEnd(t, r, nil)
		cancel()
	}
}

// TestSameNameElsewhere: a container may have the name of another one's host and its process id, too.
func TestSameNameElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t)
		r, _ := mustBegin(t, options(b))
		me := holder(t, b)
		mustEnd(t, r, nil)
		putHolder(t, b, ledger.Holder{Attempt: "A000", Host: me.Host, Machine: "another", PID: me.PID, Beat: 1, Seen: label})
		began := time.Now()
		r, _ = mustBegin(t, options(b))
		if took := time.Since(began); took < ledger.DefaultTiming.Patience {
			t.Errorf("its lease was taken after %s", took)
		}
		mustEnd(t, r, nil)
	})
}

// TestTakenOver: an attempt whose lease somebody else took ends, and leaves that lease alone.
func TestTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t)
		r, ctx := mustBegin(t, options(b))
		putHolder(t, b, elsewhere(7))
		<-ctx.Done()
		if err := context.Cause(ctx); api.CodeOf(err) != api.Superseded || !strings.Contains(err.Error(), "elsewhere") {
			t.Errorf("the cause: %v", err)
		}
		mustEnd(t, r, context.Cause(ctx))
		if h := holder(t, b); h != elsewhere(7) {
			t.Errorf("the lease is of %+v", h)
		}
	})
}

// TestAnswersLost: a beat whose answer is lost is no take-over, and a bucket that is away for long ends the attempt.
func TestAnswersLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t)
		lost, _ := errbucket.Wrap(b, errbucket.Fault{Match: errbucket.Writes(ledger.LeaseKey(label)), Nth: 3, Effect: errbucket.FailAfter})
		r, ctx := mustBegin(t, options(lost))
		<-time.After(10 * ledger.DefaultTiming.Beat) // virtual time
		if ctx.Err() != nil {
			t.Errorf("one lost answer ended it: %v", context.Cause(ctx))
		}
		mustEnd(t, r, nil)
		if h := holder(t, b); h != (ledger.Holder{}) {
			t.Errorf("the lease is of %+v", h)
		}

		away, _ := errbucket.Wrap(b, errbucket.Fault{Match: errbucket.Writes(ledger.LeaseKey(label)), Nth: 3, Effect: errbucket.Crash})
		r, ctx = mustBegin(t, options(away))
		<-ctx.Done()
		if err := context.Cause(ctx); api.CodeOf(err) != api.Unavailable || !errors.Is(err, errbucket.ErrInjected) {
			t.Errorf("the cause: %v", err)
		}
		if err := r.End(t.Context(), context.Cause(ctx)); !errors.Is(err, errbucket.ErrInjected) {
			t.Errorf("the end: %v", err)
		}
		r, _ = mustBegin(t, options(b))
		mustEnd(t, r, nil)
	})
}

// play is an attempt of two steps, of which the second fails.
func play(ctx context.Context, o ledger.Options) (err error) {
	r, ctx, err := ledger.Begin(ctx, o)
	if err != nil {
		return err
	}
	log := slog.New(r.Handler(slog.DiscardHandler))
	defer func() { err = errors.Join(err, r.End(ctx, err)) }()
	end, err := r.Step(ctx, "materialize")
	if err != nil {
		return err
	}
	log.Info("working", "rows", 7)
	if err := end("done"); err != nil {
		return err
	}
	if end, err = r.Step(ctx, "train"); err != nil {
		return err
	}
	return errors.Join(api.Errorf(api.Gate, "nothing to learn"), end(ledger.Failed))
}

// TestWhatIsRead reads what attempts left.
func TestWhatIsRead(t *testing.T) {
	b := open(t)
	if all, err := ledger.List(t.Context(), b); err != nil || len(all) != 0 {
		t.Errorf("an empty ledger: %+v, %v", all, err)
	}
	if _, err := ledger.Read(t.Context(), b, label); api.CodeOf(err) != api.NotFound {
		t.Errorf("a label that nobody ran: %v", err)
	}
	o := options(b)
	if err := play(t.Context(), o); api.CodeOf(err) != api.Gate {
		t.Fatal(err)
	}
	if _, err := b.Put(t.Context(), "runs/partitions/x.json", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	r, _ := mustBegin(t, options(b))
	all, err := ledger.List(t.Context(), b)
	if err != nil || len(all) != 1 || len(all[0].Attempts) != 2 || !all[0].Label.Equal(label) {
		t.Fatalf("%+v, %v", all, err)
	}
	first, second := all[0].Attempts[0], all[0].Attempts[1]
	if all[0].State(first, time.Now()) != ledger.StateFailed || first.Code != api.Gate || first.Error != "nothing to learn" ||
		len(first.Steps) != 2 || first.Steps[0].Status != "done" || first.Steps[1].Status != ledger.Failed {
		t.Errorf("the first attempt: %+v", first)
	}
	if got := all[0].State(second, time.Now()); got != ledger.StateRunning {
		t.Errorf("the second attempt is %s", got)
	}
	if got := all[0].State(second, time.Now().Add(time.Hour)); got != ledger.StateSilent {
		t.Errorf("an hour later the second attempt is %s", got)
	}
	mustEnd(t, r, nil)
	text, err := ledger.ReadLog(t.Context(), b, label, o.ID)
	if err != nil || !strings.Contains(string(text), `"msg":"working","rows":7`) {
		t.Errorf("the log %q, %v", text, err)
	}
	if _, err := ledger.ReadLog(t.Context(), b, label, "A999"); api.CodeOf(err) != api.NotFound {
		t.Errorf("the log of an attempt that was not: %v", err)
	}
}

// TestCrashAnywhere ends the process before and after each operation of an attempt: the next one begins at once, and
// the ledger can be read.
func TestCrashAnywhere(t *testing.T) {
	recorder, inj := errbucket.Wrap(open(t))
	if err := play(t.Context(), options(recorder)); api.CodeOf(err) != api.Gate {
		t.Fatal(err)
	}
	for n := range inj.Ops() {
		for _, effect := range []errbucket.Effect{errbucket.Crash, errbucket.CrashAfter} {
			b := open(t)
			faulty, _ := errbucket.Wrap(b, errbucket.Fault{Nth: n + 1, Effect: effect})
			if err := play(t.Context(), options(faulty)); !errors.Is(err, errbucket.ErrInjected) {
				t.Errorf("operation %d, effect %d: %v", n+1, effect, err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), ledger.DefaultTiming.Patience)
			if err := play(ctx, options(b)); api.CodeOf(err) != api.Gate {
				t.Errorf("after a crash at operation %d, effect %d: %v", n+1, effect, err)
			}
			cancel()
			if all, err := ledger.List(t.Context(), b); err != nil || len(all) != 1 {
				t.Errorf("after a crash at operation %d, effect %d: %+v, %v", n+1, effect, all, err)
			}
		}
	}
}

// TestLongLog: the last lines of a long log are kept, and that it was longer.
func TestLongLog(t *testing.T) {
	b := open(t)
	o := options(b)
	r, _ := mustBegin(t, o)
	log := slog.New(r.Handler(slog.DiscardHandler))
	for i := range 5000 {
		log.Info("a line of some length, so that many of them are more than is kept", "i", i)
	}
	if _, err := r.Step(t.Context(), "train"); err != nil {
		t.Fatal(err)
	}
	mustEnd(t, r, nil)
	text, err := ledger.ReadLog(t.Context(), b, label, o.ID)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if err != nil || len(lines) < 1000 || !strings.HasPrefix(lines[0], `{"time"`) || !strings.HasSuffix(lines[len(lines)-1], `"i":4999}`) {
		t.Fatalf("%d lines, the first %q, the last %q, %v", len(lines), lines[0], lines[len(lines)-1], err)
	}
	l, err := ledger.Read(t.Context(), b, label)
	if err != nil || !l.Attempts[0].Cut {
		t.Errorf("%+v, %v", l, err)
	}
}

// TestNothingToDo: an attempt that finds all done leaves nothing; while it looks, it is there.
func TestNothingToDo(t *testing.T) {
	b := open(t)
	r, _ := mustBegin(t, options(b))
	r.Pass("close")("done")
	r.Pass("train")("skipped")
	l, err := ledger.Read(t.Context(), b, label)
	if err != nil || len(l.Attempts) != 1 || l.Attempts[0].Command != "nightly" || l.State(l.Attempts[0], time.Now()) != ledger.StateRunning {
		t.Errorf("while it looks: %+v, %v", l, err)
	}
	mustEnd(t, r, nil)
	if l, err = ledger.Read(t.Context(), b, label); err != nil || len(l.Attempts) != 0 {
		t.Errorf("afterwards: %+v, %v", l, err)
	}
}

// TestNoLedger: where nobody keeps one, everything goes on.
func TestNoLedger(t *testing.T) {
	var r *ledger.Run
	end, err := r.Step(t.Context(), "train")
	if err != nil || end("done") != nil || r.End(t.Context(), nil) != nil || r.Handler(slog.DiscardHandler) != slog.DiscardHandler {
		t.Errorf("a ledger that is not there: %v", err)
	}
}
