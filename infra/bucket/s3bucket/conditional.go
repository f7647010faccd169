package s3bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/anabranch/anabranch/infra/bucket"
)

// putIf writes under a condition. It retries like the SDK would, but after a lost answer it asks the server
// what became of the write before it sends it again (see the package comment).
func (d *driver) putIf(ctx context.Context, name *string, data content, cond bucket.Condition) (string, error) {
	maybeApplied := false
	for attempt := 1; ; attempt++ {
		etag, err := d.putOnce(ctx, name, data, cond, once)
		if err == nil {
			return etag, nil
		}
		if refused(err, cond) {
			if maybeApplied {
				return d.adopt(ctx, name, data, cond)
			}
			return "", refusal(cond)
		}
		// 409: another conditional write was in flight; ours was not applied.
		conflict := status(err) == http.StatusConflict
		if !conflict && !d.retry.IsErrorRetryable(err) {
			return "", err
		}
		if !conflict {
			maybeApplied = true
			if etag, settled, err := d.settle(ctx, name, data, cond, err); settled {
				return etag, err
			}
		}
		if attempt >= d.retry.MaxAttempts() {
			return "", err
		}
		if err := d.wait(ctx, attempt, err); err != nil {
			return "", err
		}
	}
}

// once leaves retries to putIf.
func once(o *s3.Options) { o.Retryer = aws.NopRetryer{} }

// settle asks the server what became of a write whose answer was lost. It is not settled where the
// condition still holds, so that the write may be sent again. A server that refuses a write may also just
// hang up while the body is under way, as often as it is sent: asking is then the only way to its answer.
func (d *driver) settle(ctx context.Context, name *string, data content, cond bucket.Condition, lost error) (etag string, settled bool, err error) {
	err = d.ask(ctx, name, cond)
	switch {
	case err == nil:
		return "", false, nil
	case errors.Is(err, refusal(cond)):
		etag, err = d.adopt(ctx, name, data, cond)
		return etag, true, err
	}
	return "", true, errors.Join(lost, fmt.Errorf("ask what became of it: %w", err))
}

// ask returns the error that a condition would end with now.
func (d *driver) ask(ctx context.Context, name *string, cond bucket.Condition) error {
	out, err := d.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &d.bucket, Key: name})
	missing := errors.Is(notExist(err), bucket.ErrNotExist)
	switch {
	case err != nil && !missing:
		return err
	case cond.IfAbsent && !missing, cond.IfMatch != "" && (missing || aws.ToString(out.ETag) != cond.IfMatch):
		return refusal(cond)
	}
	return nil
}

// adopt decides a write that was refused after a lost answer: stored content equal to ours is our write.
func (d *driver) adopt(ctx context.Context, name *string, data content, cond bucket.Condition) (string, error) {
	out, err := d.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &d.bucket, Key: name})
	if errors.Is(notExist(err), bucket.ErrNotExist) {
		return "", refusal(cond) // there was one when the server refused
	}
	if err != nil {
		return "", fmt.Errorf("read back after a lost answer: %w", err)
	}
	same, err := data.same(out)
	if err = errors.Join(err, out.Body.Close()); err != nil {
		return "", fmt.Errorf("read back after a lost answer: %w", err)
	}
	if !same {
		return "", refusal(cond)
	}
	return aws.ToString(out.ETag), nil
}

// same compares what the server sends with c.
func (c content) same(out *s3.GetObjectOutput) (bool, error) {
	if aws.ToInt64(out.ContentLength) != c.size {
		return false, nil
	}
	const piece = 64 << 10
	stored, ours := make([]byte, piece), make([]byte, piece)
	r := c.reader()
	for left := c.size; left > 0; left -= piece {
		n := min(left, piece)
		_, err := io.ReadFull(out.Body, stored[:n])
		if err == nil {
			_, err = io.ReadFull(r, ours[:n])
		}
		if err != nil {
			return false, err
		}
		if !bytes.Equal(stored[:n], ours[:n]) {
			return false, nil
		}
	}
	return true, nil
}

func refusal(cond bucket.Condition) error {
	if cond.IfAbsent {
		return bucket.ErrExists
	}
	return bucket.ErrPrecondition
}

// wait sleeps before the next attempt.
func (d *driver) wait(ctx context.Context, attempt int, cause error) error {
	delay, err := d.retry.RetryDelay(attempt, cause)
	if err != nil {
		return errors.Join(cause, err)
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return errors.Join(cause, ctx.Err())
	}
}
