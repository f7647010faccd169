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

// content is what is written. Every attempt reads it anew, through a reader of its own: the client may
// still read the body of a request that the server has answered.
type content struct {
	io.ReaderAt
	size int64
}

func (c content) reader() io.ReadSeeker { return io.NewSectionReader(c, 0, c.size) }

// putIf writes under a condition. It retries like the SDK would, but remembers
// whether an earlier attempt may have been applied (see the package comment).
func (d *driver) putIf(ctx context.Context, name *string, data content, cond bucket.Condition) (string, error) {
	maybeApplied := false
	for attempt := 1; ; attempt++ {
		etag, err := d.putOnce(ctx, name, data, cond)
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
		if attempt >= d.retry.MaxAttempts() || !conflict && !d.retry.IsErrorRetryable(err) {
			return "", err
		}
		maybeApplied = maybeApplied || !conflict
		if err := d.wait(ctx, attempt, err); err != nil {
			return "", err
		}
	}
}

// putOnce makes exactly one request.
func (d *driver) putOnce(ctx context.Context, name *string, data content, cond bucket.Condition) (string, error) {
	in := &s3.PutObjectInput{Bucket: &d.bucket, Key: name, Body: data.reader(), ContentLength: &data.size}
	if cond.IfAbsent {
		in.IfNoneMatch = aws.String("*")
	}
	if cond.IfMatch != "" {
		in.IfMatch = aws.String(cond.IfMatch)
	}
	out, err := d.client.PutObject(ctx, in, func(o *s3.Options) { o.Retryer = aws.NopRetryer{} })
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ETag), nil
}

// adopt decides a refused retry: stored content equal to ours is our write.
func (d *driver) adopt(ctx context.Context, name *string, data content, cond bucket.Condition) (string, error) {
	out, err := d.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &d.bucket, Key: name})
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
