package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/api"
)

// Label is what the ledger knows of a label.
type Label struct {
	Label    time.Time
	Holder   Holder // who works on it
	Attempts []Attempt
	Steps    []string // that have left an entry, by name
}

// State is how an attempt stands.
type State string

// The states.
const (
	StateRunning     State = "running"
	StateSilent      State = "silent" // runs by its own account, and has not said so for a while: it may be dead
	StateInterrupted State = "interrupted"
	StateFailed      State = "failed"
	StateDone        State = "done"
)

// State returns how an attempt of the label stands. Now is compared with another machine's clock, so that it takes minutes
// until a dead one looks silent.
func (l Label) State(a Attempt, now time.Time) State {
	switch {
	case a.Error != "":
		return StateFailed
	case !a.Ended.IsZero():
		return StateDone
	case l.Holder.Attempt != a.ID:
		return StateInterrupted
	}
	alive, known := l.Holder.here()
	switch {
	case known && !alive:
		return StateInterrupted
	case now.Sub(l.Holder.Seen) > silentAfter:
		return StateSilent
	}
	return StateRunning
}

// silentAfter is far more than the time between two beats and what clocks differ.
const silentAfter = 2 * time.Minute

// Read returns what the ledger knows of a label.
func Read(ctx context.Context, b *bucket.Bucket, label time.Time) (Label, error) {
	all, err := read(ctx, b, Key(label, ""))
	if err != nil {
		return Label{}, err
	}
	if len(all) == 0 {
		return Label{}, api.Errorf(api.NotFound, "nobody has run anything for %s: `anabranch runs list` shows what there is", label.Format(time.RFC3339))
	}
	return all[0], nil
}

// List returns what the ledger knows of every label, ascending.
func List(ctx context.Context, b *bucket.Bucket) ([]Label, error) { return read(ctx, b, Prefix) }

func read(ctx context.Context, b *bucket.Bucket, under string) ([]Label, error) {
	objects, err := b.List(ctx, under)
	if err != nil {
		return nil, fmt.Errorf("read the run ledger: %w", err)
	}
	// A lease is read before its attempts, so that one that ends in between does not look as if it had been killed.
	slices.SortStableFunc(objects, func(a, b bucket.Attrs) int { return cmp.Compare(order(a.Key), order(b.Key)) })
	var all []Label
	for _, o := range objects {
		name, rest, _ := strings.Cut(strings.TrimPrefix(o.Key, Prefix), "/")
		label, err := time.Parse(time.RFC3339, name)
		if err != nil {
			continue // partitions of the warehouse are noted below the same prefix
		}
		if len(all) == 0 || !all[len(all)-1].Label.Equal(label) {
			all = append(all, Label{Label: label})
		}
		if err := all[len(all)-1].add(ctx, b, o.Key, rest); err != nil {
			return nil, fmt.Errorf("read the run ledger: %w", err)
		}
	}
	for i := range all {
		all[i].addHolder()
		slices.SortFunc(all[i].Attempts, func(a, b Attempt) int { return cmp.Compare(a.ID, b.ID) })
	}
	return all, nil
}

// order is a key by which a label's lease comes first.
func order(key string) string {
	if label, found := strings.CutSuffix(key, "lease.json"); found {
		return label
	}
	return key
}

// addHolder adds the attempt that holds the lease and has not been noted: it has not found anything to do yet.
func (l *Label) addHolder() {
	h := l.Holder
	if h.Attempt == "" || slices.ContainsFunc(l.Attempts, func(a Attempt) bool { return a.ID == h.Attempt }) {
		return
	}
	l.Attempts = append(l.Attempts, Attempt{ID: h.Attempt, Command: h.Command, Host: h.Host, PID: h.PID, Started: h.Started})
}

// add reads an object of the label.
func (l *Label) add(ctx context.Context, b *bucket.Bucket, key, name string) (err error) {
	stem, isJSON := strings.CutSuffix(name, ".json")
	switch {
	case name == "lease.json":
		_, err = b.GetJSON(ctx, key, &l.Holder)
	case strings.HasPrefix(name, "attempts/") && isJSON:
		var a Attempt
		_, err = b.GetJSON(ctx, key, &a)
		l.Attempts = append(l.Attempts, a)
	case isJSON && !strings.Contains(stem, "/"):
		l.Steps = append(l.Steps, stem)
	}
	if errors.Is(err, bucket.ErrNotExist) { // gone since it was listed
		return nil
	}
	return err
}

// ReadLog returns what an attempt logged until its last step that began or ended.
func ReadLog(ctx context.Context, b *bucket.Bucket, label time.Time, id string) ([]byte, error) {
	text, _, err := b.Get(ctx, LogKey(label, id))
	if errors.Is(err, bucket.ErrNotExist) {
		return nil, api.Errorf(api.NotFound, "there is no attempt %s of %s: `anabranch runs show %[2]s` lists them", id, label.Format(time.RFC3339))
	}
	return text, err
}
