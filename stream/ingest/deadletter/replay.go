package deadletter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
)

// TransactionalID is the transactional id of every replay. A client with an ACL needs it.
const TransactionalID = "anabranch-dlq-replay"

// TransactionTimeout is after how long Kafka aborts what a dead replay left open. Until then readers of
// the partitions concerned may have to wait.
const TransactionTimeout = 10 * time.Second

// Replayer replays dead letters; see the package comment for how.
type Replayer struct {
	Log
	// Stamp returns what the catalog says about an item now, and whether it knows it. It is asked for
	// letters from the front door, whose events were never stamped. Nil knows no item.
	Stamp func(item string) (*event.Stamp, bool)
	// Set are fields that every payload gets. Use it with a filter for one position: two events with
	// one event_id would be one event.
	Set    []Field
	Now    func() time.Time
	DryRun bool // judge only
	Batch  int  // letters of a transaction; default 200

	grace time.Duration // how long an abort is tried; default abortGrace
}

// Outcome says what became of a letter.
type Outcome struct {
	Letter  Letter
	As      *event.Position  // where it lies now; nil when it was not replayed, and in a dry run
	Already bool             // by an earlier replay
	Invalid *event.Rejection // why it was left where it is: it is invalid still
}

// Replay replays the letters that the filter wants, each once for all time, and calls report for each:
// when its transaction is committed, or at once where nothing is written.
//
// Who is displaced by another replay gets api.Locked. After api.Unavailable, and after a crash, the same
// call goes on.
func (r Replayer) Replay(ctx context.Context, f Filter, report func(Outcome) error) error {
	r.Log = r.withDefaults()
	if r.Batch <= 0 {
		r.Batch = 200
	}
	if r.grace <= 0 {
		r.grace = abortGrace
	}
	run := &run{Replayer: r, filter: f, report: report, spoken: map[event.Position]place{}}
	if !r.DryRun {
		if err := run.begin(ctx); err != nil {
			return fmt.Errorf("replay dead letters: %w", err)
		}
		defer run.client.Close()
	}
	if err := run.all(ctx); err != nil {
		return fmt.Errorf("replay dead letters: %w", err)
	}
	return nil
}

// run is a replay at work.
type run struct {
	Replayer
	filter Filter
	report func(Outcome) error
	client *kgo.Client // of the transactions; nil in a dry run

	notes  map[event.Position]noted
	spoken map[event.Position]place // of the last copy of a letter that has a note
	batch  []Outcome
	writes []*kgo.Record
}

// begin takes the transactional id: from then on no other replay can commit, and none that did is
// unseen.
func (r *run) begin(ctx context.Context) (err error) {
	r.client, err = kafka.Dial(r.Seeds, r.Logger, append(slices.Clone(r.Client),
		kgo.TransactionalID(TransactionalID), kgo.TransactionTimeout(TransactionTimeout))...)
	if err != nil {
		return err
	}
	if _, _, err = r.client.ProducerID(ctx); err != nil {
		r.client.Close()
		return displaced(fmt.Errorf("take the transactional id %s: %w", TransactionalID, err))
	}
	return nil
}

// all goes through the topic.
func (r *run) all(ctx context.Context) (err error) {
	if r.notes, err = r.Log.notes(ctx); err != nil {
		return err
	}
	seen := map[event.Position]struct{}{}
	err = r.scan(ctx, func(rec *kgo.Record) error {
		p, ok := parse(kafka.HexID(r.Topics.DeadLettersID), rec)
		if !ok || p.note {
			return nil
		}
		position := p.letter.Position
		if _, replayed := r.notes[position]; replayed {
			r.spoken[position] = place{rec.Partition, rec.Offset}
		}
		if _, again := seen[position]; again {
			return nil
		}
		seen[position] = struct{}{}
		return r.letter(ctx, p.letter)
	})
	if err != nil {
		return err
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	return r.remind(ctx)
}

// letter takes one letter, if it is wanted.
func (r *run) letter(ctx context.Context, l Letter) error {
	if n, replayed := r.notes[l.Position]; replayed {
		l.Replayed = &n.as
	}
	if !r.filter.Wants(&l) {
		return nil
	}
	if l.Replayed != nil {
		return r.report(Outcome{Letter: l, As: l.Replayed, Already: true})
	}
	record, rejection := r.record(&l, r.Now())
	if rejection != nil || r.DryRun {
		return r.report(Outcome{Letter: l, Invalid: rejection})
	}
	r.batch, r.writes = append(r.batch, Outcome{Letter: l}), append(r.writes, record)
	if len(r.batch) < r.Batch {
		return nil
	}
	return r.flush(ctx)
}

// flush writes the pending letters and their notes in one transaction and reports them.
func (r *run) flush(ctx context.Context) error {
	if len(r.batch) == 0 {
		return nil
	}
	err := r.transact(ctx, func() error {
		if err := produce(ctx, r.client, r.writes); err != nil {
			return err
		}
		notes := make([]*kgo.Record, len(r.writes))
		for i, w := range r.writes {
			as := event.Position{TopicID: kafka.HexID(r.Topics.EventsID), Partition: w.Partition, Offset: w.Offset}
			r.batch[i].As = &as
			notes[i] = note(r.Topic, r.batch[i].Letter.Position, as)
		}
		return produce(ctx, r.client, notes)
	})
	if err != nil {
		return err
	}
	done := r.batch
	r.batch, r.writes = nil, nil
	for _, o := range done {
		if err := r.report(o); err != nil {
			return err
		}
	}
	return nil
}

// remind repeats the notes of letters that were buried again after them, so that retention does not
// take the note first.
func (r *run) remind(ctx context.Context) error {
	var again []*kgo.Record
	for position, last := range r.spoken {
		n := r.notes[position]
		if n.at.partition != last.partition || n.at.offset < last.offset {
			again = append(again, note(r.Topic, position, n.as))
		}
	}
	if r.DryRun || len(again) == 0 {
		return nil
	}
	return r.transact(ctx, func() error { return produce(ctx, r.client, again) })
}

// transact runs write in a transaction and commits it. After an error it aborts, as far as it can: else
// readers would wait for TransactionTimeout.
func (r *run) transact(ctx context.Context, write func() error) error {
	if err := r.client.BeginTransaction(); err != nil {
		return displaced(err)
	}
	err := write()
	if err == nil {
		if err = r.client.EndTransaction(ctx, kgo.TryCommit); err == nil {
			return nil
		}
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.grace)
	defer cancel()
	if abortErr := r.client.AbortBufferedRecords(grace); abortErr == nil {
		_ = r.client.EndTransaction(grace, kgo.TryAbort) // the first error tells more, and Kafka aborts by itself
	}
	return displaced(err)
}

// abortGrace is for an abort over a network that works.
const abortGrace = 3 * time.Second

// produce writes records and returns when Kafka has all of them, or as soon as ctx ends.
func produce(ctx context.Context, client *kgo.Client, records []*kgo.Record) error {
	results := make(chan error, len(records))
	for _, rec := range records {
		client.Produce(ctx, rec, func(_ *kgo.Record, err error) { results <- err })
	}
	for range records {
		select {
		case err := <-results:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// displaced gives an error the code that its cause asks for.
func displaced(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.InvalidProducerEpoch), errors.Is(err, kerr.InvalidTxnState),
		errors.Is(err, kerr.InvalidProducerIDMapping):
		return api.Errorf(api.Locked, "another replay has taken over; what this one had committed stays: %w", err)
	case errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		return api.Errorf(api.Invalid, "Kafka's ACLs must allow the transactional id %s: %w", TransactionalID, err)
	}
	return api.Errorf(api.Unavailable, "run the same command again, it goes on: %w", err)
}
