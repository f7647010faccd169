// Package errbucket decorates a bucket with faults, for tests that ask what a
// program leaves behind when storage fails or the process dies at any step.
//
//	faulty, inj := errbucket.Wrap(b, errbucket.Fault{
//		Match:  errbucket.Writes("generations/"),
//		Nth:    3,
//		Effect: errbucket.Crash,
//	})
//
// A typical crash test runs the program once without faults to learn how many
// operations it makes (inj.Ops), then once for each of them with Crash and
// CrashAfter at that operation, and each time runs it again on the undamaged
// bucket and compares the outcome.
package errbucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/anabranch/anabranch/infra/bucket"
)

// ErrInjected is wrapped by every error that comes from a fault.
var ErrInjected = errors.New("injected fault")

// Kind is an operation of a driver.
type Kind string

// The operations.
const (
	Open   Kind = "open"
	Head   Kind = "head"
	Put    Kind = "put"
	List   Kind = "list"
	Delete Kind = "delete"
)

// Op is one operation that reached the decorator. Key is the prefix of a List.
type Op struct {
	Kind Kind
	Key  string
}

// Effect is what a fault does to its operation.
type Effect int

// The effects.
const (
	// Fail returns an error without touching the bucket.
	Fail Effect = iota
	// FailAfter lets the operation happen and returns an error all the same,
	// like a response lost on the network.
	FailAfter
	// Crash is Fail for this operation and all later ones: the process died
	// just before it.
	Crash
	// CrashAfter is FailAfter, and Fail for all later operations: the process
	// died just after it.
	CrashAfter
	// Truncate lets an Open succeed with half of the content, ended by
	// io.ErrUnexpectedEOF. Other operations Fail.
	Truncate
	// Corrupt lets an Open succeed with one bit of the content flipped, without
	// any error. Other operations Fail.
	Corrupt
)

// Fault strikes one operation.
type Fault struct {
	// Match selects operations; nil selects all.
	Match func(Op) bool
	// Nth is which of the selected operations is struck, from 1. 0 strikes each.
	Nth int
	// Effect is what happens to it.
	Effect Effect
}

// Writes selects the Puts and Deletes of keys with the prefix.
func Writes(prefix string) func(Op) bool {
	return func(op Op) bool {
		return (op.Kind == Put || op.Kind == Delete) && strings.HasPrefix(op.Key, prefix)
	}
}

// Reads selects the Opens of keys with the prefix.
func Reads(prefix string) func(Op) bool {
	return func(op Op) bool { return op.Kind == Open && strings.HasPrefix(op.Key, prefix) }
}

// Injector decides the faults of one wrapped bucket and records what reached it.
type Injector struct {
	mu      sync.Mutex
	faults  []Fault
	seen    []int // selected operations so far, by fault
	ops     []Op
	crashed bool
}

// Wrap returns b with faults. b itself stays as it is.
func Wrap(b *bucket.Bucket, faults ...Fault) (*bucket.Bucket, *Injector) {
	inj := &Injector{faults: faults, seen: make([]int, len(faults))}
	return bucket.New(&driver{inner: b.Driver(), inj: inj}), inj
}

// Ops returns the operations so far, those that failed included.
func (inj *Injector) Ops() []Op {
	inj.mu.Lock()
	defer inj.mu.Unlock()
	return append([]Op(nil), inj.ops...)
}

// Crashed says whether a Crash or CrashAfter has struck.
func (inj *Injector) Crashed() bool {
	inj.mu.Lock()
	defer inj.mu.Unlock()
	return inj.crashed
}

// strike records an operation and returns the effect on it, if any.
func (inj *Injector) strike(op Op) (Effect, bool) {
	inj.mu.Lock()
	defer inj.mu.Unlock()
	inj.ops = append(inj.ops, op)
	if inj.crashed {
		return Fail, true
	}
	var effect Effect
	struck := false
	for i, fault := range inj.faults {
		if fault.Match != nil && !fault.Match(op) {
			continue
		}
		inj.seen[i]++
		if !struck && (fault.Nth == 0 || fault.Nth == inj.seen[i]) {
			effect, struck = fault.Effect, true
		}
	}
	if struck && (effect == Crash || effect == CrashAfter) {
		inj.crashed = true
	}
	return effect, struck
}

type driver struct {
	inner bucket.Driver
	inj   *Injector
}

// around runs an operation under the injector.
func (d *driver) around(op Op, run func() error) error {
	effect, struck := d.inj.strike(op)
	if !struck {
		return run()
	}
	if effect == FailAfter || effect == CrashAfter {
		if err := run(); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w in %s %q", ErrInjected, op.Kind, op.Key)
}

func (d *driver) Open(ctx context.Context, key string) (io.ReadCloser, bucket.Attrs, error) {
	effect, struck := d.inj.strike(Op{Open, key})
	if struck && effect != Truncate && effect != Corrupt {
		return nil, bucket.Attrs{}, fmt.Errorf("%w in open %q", ErrInjected, key)
	}
	r, attrs, err := d.inner.Open(ctx, key)
	if err != nil || !struck {
		return r, attrs, err
	}
	data, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, bucket.Attrs{}, err
	}
	if effect == Truncate {
		return io.NopCloser(io.MultiReader(bytes.NewReader(data[:len(data)/2]), cut{})), attrs, nil
	}
	if len(data) > 0 {
		data[len(data)/2] ^= 1
	}
	return io.NopCloser(bytes.NewReader(data)), attrs, nil
}

// cut is the end of a connection that broke.
type cut struct{}

func (cut) Read([]byte) (int, error) {
	return 0, fmt.Errorf("%w: %w", ErrInjected, io.ErrUnexpectedEOF)
}

func (d *driver) Head(ctx context.Context, key string) (attrs bucket.Attrs, err error) {
	err = d.around(Op{Head, key}, func() (err error) {
		attrs, err = d.inner.Head(ctx, key)
		return err
	})
	return attrs, err
}

func (d *driver) Put(ctx context.Context, key string, data []byte, cond bucket.Condition) (etag string, err error) {
	err = d.around(Op{Put, key}, func() (err error) {
		etag, err = d.inner.Put(ctx, key, data, cond)
		return err
	})
	return etag, err
}

// PutFile is a Put to the faults. There is no Path: what reads the bucket's files directly would not
// meet them.
func (d *driver) PutFile(ctx context.Context, key string, r io.ReaderAt, size int64, cond bucket.Condition) (etag string, err error) {
	err = d.around(Op{Put, key}, func() (err error) {
		etag, err = bucket.PutFile(ctx, d.inner, key, r, size, cond)
		return err
	})
	return etag, err
}

func (d *driver) List(ctx context.Context, prefix string) (objects []bucket.Attrs, err error) {
	err = d.around(Op{List, prefix}, func() (err error) {
		objects, err = d.inner.List(ctx, prefix)
		return err
	})
	return objects, err
}

func (d *driver) Delete(ctx context.Context, key string) error {
	return d.around(Op{Delete, key}, func() error { return d.inner.Delete(ctx, key) })
}
