package nightly

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/anabranch/anabranch/batch/ledger"
	"github.com/anabranch/anabranch/batch/materialize"
	"github.com/anabranch/anabranch/batch/publish"
	"github.com/anabranch/anabranch/batch/quality"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/warehouse"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
)

// Config is what every run of an installation shares.
type Config struct {
	Bucket    *bucket.Bucket
	Warehouse *warehouse.Warehouse
	Catalogue feature.Catalogue
	Train     model.TrainParams
	Weights   model.Weights
	Gates     quality.Gates

	// Snapshot returns catalog and profiles as they are now, as JSON lines sorted by id. It is called
	// when the mark has no snapshot yet; nil means that there are none.
	Snapshot func(context.Context) (items, users []byte, err error)

	Publisher publish.Publisher
	Clock     func() time.Time                     // for the timings of the ledger only
	Progress  func(step string, done, total int64) // may be nil
	Log       *slog.Logger
	Ledger    *ledger.Run // notes the steps; may be nil
	Threads   int         // 0 means one a CPU; never changes the result
	Memory    int64       // bytes that materialize may use; 0 means materialize.DefaultMemory
	Dir       string      // for temporary files; "" means the system's folder
	Version   string      // of the code, for the ledger
	Force     bool        // compute again what is done, from the whole history
}

// At is the place in the log that a run is for: a mark that the archive has reached.
type At struct {
	Mark    model.Mark
	TopicID string
	Cut     model.Cut
}

// Run is a run for one mark.
type Run struct {
	c      Config
	at     At
	source materialize.Source
	inputs model.Inputs
	id     string
}

// Open finds out what the run is about. It writes nothing but the mark's snapshot.
func Open(ctx context.Context, c Config, at At) (*Run, error) {
	source, err := materialize.Discover(ctx, c.Bucket, materialize.Target{TopicID: at.TopicID, N: at.Mark.N, Cut: at.Cut})
	if err != nil {
		return nil, err
	}
	snapshot, err := keepSnapshot(ctx, c, at.Mark.N)
	if err != nil {
		return nil, err
	}
	r := &Run{c: c, at: at, source: source}
	r.inputs = model.Inputs{
		CutN: at.Mark.N, Label: at.Mark.Label, AsOf: earlier(at.Mark.Label, at.Mark.Start),
		TopicID: at.TopicID, Cut: at.Cut,
		Definition: c.Catalogue.Hash(), Validator: event.ValidatorVersion, Format: model.Format,
		Indexes: source.Indexes, Imports: source.Imports, Snapshot: snapshot,
		Train: c.Train, Weights: c.Weights,
	}
	if r.id, err = r.inputs.ID(); err != nil {
		return nil, err
	}
	return r, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// ID returns the id of the generation that the run makes.
func (r *Run) ID() string { return r.id }

// Inputs returns what the generation is a function of.
func (r *Run) Inputs() model.Inputs { return r.inputs }

// Rows returns how many raw rows the run reads.
func (r *Run) Rows() int64 { return r.source.Rows }

// SnapshotKey returns the key of a mark's snapshot of items or users.
func SnapshotKey(n int64, what string) string {
	return fmt.Sprintf("snapshots/%020d/%s.jsonl", n, what)
}

// keepSnapshot takes the snapshot of mark n unless there is one, and returns a hash over it. Users are
// put last, so that a snapshot with users is whole.
func keepSnapshot(ctx context.Context, c Config, n int64) (string, error) {
	itemsKey, usersKey := SnapshotKey(n, "items"), SnapshotKey(n, "users")
	_, err := c.Bucket.Head(ctx, usersKey)
	if errors.Is(err, bucket.ErrNotExist) {
		err = takeSnapshot(ctx, c, itemsKey, usersKey)
	}
	if err != nil {
		return "", fmt.Errorf("snapshot of catalog and profiles for mark %d: %w", n, err)
	}
	items, _, err := c.Bucket.Get(ctx, itemsKey)
	if err != nil {
		return "", err
	}
	users, _, err := c.Bucket.Get(ctx, usersKey)
	if err != nil {
		return "", err
	}
	return model.SHA256Hex([]byte(model.SHA256Hex(items) + model.SHA256Hex(users))), nil
}

func takeSnapshot(ctx context.Context, c Config, itemsKey, usersKey string) error {
	var items, users []byte
	if c.Snapshot != nil {
		var err error
		if items, users, err = c.Snapshot(ctx); err != nil {
			return err
		}
	}
	for _, o := range []struct {
		key  string
		data []byte
	}{{itemsKey, items}, {usersKey, users}} {
		// What another run put first is as good, and is what everybody uses from then on.
		if _, err := c.Bucket.PutIfAbsent(ctx, o.key, o.data); err != nil && !errors.Is(err, bucket.ErrExists) {
			return err
		}
	}
	return nil
}
