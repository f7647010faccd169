package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/api"
)

// Holder is who holds a lease. The empty one is nobody.
type Holder struct {
	Attempt string    `json:"attempt,omitzero"`
	Command string    `json:"command,omitzero"`
	Started time.Time `json:"started,omitzero"`
	Host    string    `json:"host,omitzero"`
	Machine string    `json:"machine,omitzero"` // see machine
	PID     int       `json:"pid,omitzero"`
	Beat    int64     `json:"beat,omitzero"` // how often it has said that it is there
	Seen    time.Time `json:"seen,omitzero"` // when it last said so, by its own clock: for people
}

// LeaseKey returns the key of a label's lease.
func LeaseKey(label time.Time) string { return Key(label, "lease.json") }

// machine names what process ids are unique in, since its last start: containers may share a host's name and not its
// processes. It is empty where that cannot be told.
func machine() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + " " + namespace
}

// held are the attempts of this process that hold a lease.
var held sync.Map

// here reports whether the holder is known to be dead or alive without watching it.
func (h Holder) here() (alive, known bool) {
	if h.Machine == "" || h.Machine != machine() || h.PID <= 0 {
		return false, false
	}
	if h.PID == os.Getpid() {
		_, alive = held.Load(h.Attempt)
		return alive, true
	}
	p, err := os.FindProcess(h.PID)
	if err != nil {
		return false, true
	}
	// A process that is there may be another one by now, so that only its absence says something.
	return false, errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

// lease is a lease that is held.
type lease struct {
	bucket *bucket.Bucket
	key    string
	etag   string
	me     Holder
	now    func() time.Time
}

// take gets the lease of a label, or says who has it.
func take(ctx context.Context, b *bucket.Bucket, label time.Time, me Holder, t Timing, now func() time.Time) (*lease, error) {
	l := &lease{bucket: b, key: LeaseKey(label), me: me, now: now}
	var watched Holder
	var since time.Time // when it was first seen, in the version seen
	for seen := ""; ; {
		var holder Holder
		attrs, err := b.GetJSON(ctx, l.key, &holder)
		if err != nil && !errors.Is(err, bucket.ErrNotExist) {
			return nil, fmt.Errorf("read the lease of %s: %w", label.Format(time.RFC3339), err)
		}
		alive, known := holder.here()
		switch {
		case seen != "" && seen != attrs.ETag && holder.Attempt != "": // it is alive, or somebody else was quicker
			return nil, locked(label, holder)
		case seen != "" && seen != attrs.ETag:
			return nil, locked(label, watched) // it was alive, and has just ended
		case err != nil, holder.Attempt == "", known && !alive, seen != "" && time.Since(since) >= t.Patience:
			if done, err := l.claim(ctx, attrs.ETag); done || err != nil {
				return l, err
			}
			continue
		case alive:
			return nil, locked(label, holder)
		case seen == "":
			seen, watched, since = attrs.ETag, holder, time.Now()
		}
		if err := pause(ctx, min(t.Beat/2, t.Patience/4)); err != nil {
			return nil, err
		}
	}
}

func locked(label time.Time, h Holder) error {
	at := label.Format(time.RFC3339)
	return api.Errorf(api.Locked, "attempt %s (process %d on %s) is working on %s, or was a moment ago: `anabranch runs show %s` says how far it is",
		h.Attempt, h.PID, h.Host, at, at)
}

// claim writes the lease where it is as etag says, or where there is none.
func (l *lease) claim(ctx context.Context, etag string) (done bool, err error) {
	held.Store(l.me.Attempt, true)
	if err = l.write(ctx, l.next(), etag); err == nil {
		return true, nil
	}
	held.Delete(l.me.Attempt)
	if errors.Is(err, bucket.ErrExists) || errors.Is(err, bucket.ErrPrecondition) {
		return false, nil
	}
	return false, fmt.Errorf("take the lease: %w", err)
}

func (l *lease) next() Holder {
	l.me.Beat++
	l.me.Seen = l.now().UTC()
	return l.me
}

func (l *lease) write(ctx context.Context, h Holder, etag string) error {
	put := l.bucket.PutJSONIfAbsent
	if etag != "" {
		put = func(ctx context.Context, key string, v any) (string, error) {
			return l.bucket.PutJSONIfMatch(ctx, key, v, etag)
		}
	}
	written, err := put(ctx, l.key, h)
	if err == nil {
		l.etag = written
	}
	return err
}

// keep rewrites the lease until ctx ends. It returns an error when somebody else has it, or when it could not be
// rewritten for so long that somebody else soon may.
func (l *lease) keep(ctx context.Context, t Timing) error {
	for last := time.Now(); pause(ctx, t.Beat) == nil; {
		err := l.beat(context.WithoutCancel(ctx), t.Patience/4) // what is begun ends: else nobody knew what the lease is
		switch {
		case err == nil:
			last = time.Now()
		case api.CodeOf(err) == api.Superseded:
			return err
		case time.Since(last) >= t.Patience/2:
			return api.Errorf(api.Unavailable, "the lease could not be renewed for %s: %w", t.Patience/2, err)
		}
	}
	return nil
}

// beat says that the holder is there.
func (l *lease) beat(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return l.rewrite(ctx, l.next())
}

// rewrite replaces the lease. Where its version is not the known one because an answer was lost, it is read first.
func (l *lease) rewrite(ctx context.Context, h Holder) error {
	err := l.write(ctx, h, l.etag)
	if !errors.Is(err, bucket.ErrPrecondition) {
		return err
	}
	var now Holder
	attrs, err := l.bucket.GetJSON(ctx, l.key, &now)
	switch {
	case err != nil:
		return err
	case now.Attempt == "":
		return api.Errorf(api.Superseded, "another attempt has taken over and ended, because this one had not been seen for a while")
	case now.Attempt != l.me.Attempt:
		return api.Errorf(api.Superseded, "attempt %s (process %d on %s) has taken over, because this one had not been seen for a while", now.Attempt, now.PID, now.Host)
	}
	return l.write(ctx, h, attrs.ETag)
}

// release lets go of the lease. That it is somebody else's by now is no error.
func (l *lease) release(ctx context.Context) error {
	defer held.Delete(l.me.Attempt)
	err := l.rewrite(ctx, Holder{})
	if err != nil && api.CodeOf(err) != api.Superseded {
		return fmt.Errorf("release the lease: %w", err)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
