package live

import (
	"context"
	"fmt"
	"time"
)

// work is the life of a partition's worker: it takes what the loop puts into the inbox, and looks after the partition,
// until it is told to stop. ctx ends its waiting, io what it has begun.
func (o *owner) work(ctx, io context.Context) {
	defer close(o.done)
	defer o.hangUp()
	o.checkAt = o.r.cfg.Clock().Add(o.r.cfg.CheckEvery)
	for o.inbox.wait(ctx, o.idle()) {
		if o.phase == running {
			o.advance(io)
		} else {
			o.comeBack(ctx)
		}
	}
}

// hangUp gives up the connection for commits.
func (o *owner) hangUp() {
	if err := o.committer.Close(); err != nil {
		o.r.cfg.Logger.Warn("close a connection to redis", "partition", o.partition, "error", err)
	}
}

// idle returns for how long there is nothing to do unless something changes.
func (o *owner) idle() time.Duration {
	now := o.r.cfg.Clock()
	if o.phase != running {
		if _, asked := o.inbox.wanted(); asked || o.inbox.isReading() {
			return o.r.cfg.CheckEvery
		}
		return o.retry.Sub(now)
	}
	due := o.checkAt
	if o.trimmer.due {
		due = earlier(due, o.trimmer.next)
	}
	records, bytes, err := o.inbox.waiting()
	switch {
	case err != nil && records == 0, records >= o.r.cfg.BatchRecords, bytes >= o.r.cfg.BatchBytes:
		return 0
	case records > 0:
		due = earlier(due, o.began.Add(o.r.cfg.Linger))
	}
	return due.Sub(now)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// advance does one batch, if one is due, one slice of trimming and, now and then, a check.
func (o *owner) advance(ctx context.Context) {
	now := o.r.cfg.Clock()
	err := o.batch(ctx, now)
	if err == nil && o.trimmer.due && !now.Before(o.trimmer.next) {
		o.trimmer.next = now.Add(trimPause * time.Duration(o.r.cfg.Partitions))
		_, err = o.trim(ctx)
	}
	if err == nil && !now.Before(o.checkAt) {
		o.checkAt = now.Add(o.r.cfg.CheckEvery)
		err = o.verify(ctx)
	}
	if err != nil {
		o.inbox.drop()
		o.lose(err)
	}
}

// batch applies what waits. A batch that is not full is only due when the last one began long enough ago: so batches
// grow with the load, and an idle system answers at once.
func (o *owner) batch(ctx context.Context, now time.Time) error {
	records, bytes, err := o.inbox.waiting()
	if records == 0 && err != nil {
		return fmt.Errorf("fetch partition %d: %w", o.partition, err)
	}
	full := records >= o.r.cfg.BatchRecords || bytes >= o.r.cfg.BatchBytes
	if records == 0 || !full && now.Before(o.began.Add(o.r.cfg.Linger)) {
		return nil
	}
	o.began = now
	batch, high := o.inbox.take(o.r.cfg.BatchRecords, o.r.cfg.BatchBytes)
	if err := o.process(ctx, batch, high); err != nil {
		return err
	}
	o.delay = 0 // a step succeeded: the next trouble is a new one
	return nil
}

// comeBack finds out where the partition stands and lets the loop seek there, after which it runs.
func (o *owner) comeBack(ctx context.Context) {
	switch _, asked := o.inbox.wanted(); {
	case o.inbox.isReading():
		o.found()
		return
	case asked, o.retry.After(o.r.cfg.Clock()):
		return
	}
	if err := o.recover(ctx); err != nil {
		if ctx.Err() == nil {
			o.lose(err)
		}
		return
	}
	o.inbox.want(o.fence.Next)
	o.r.nudge()
}
