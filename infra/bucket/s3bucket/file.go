package s3bucket

import (
	"context"
	"errors"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"

	"github.com/anabranch/anabranch/infra/bucket"
)

// PutFile stores a file in one request where S3 allows that, so that the server decides the condition.
func (d *driver) PutFile(ctx context.Context, key string, r io.ReaderAt, size int64, cond bucket.Condition) (string, error) {
	name, err := d.name(key)
	if err != nil {
		return "", err
	}
	if size > askFirst {
		if err := d.ask(ctx, key, cond); err != nil {
			return "", err
		}
	}
	if size <= d.singleAtMost {
		return d.putIf(ctx, name, content{r, size}, cond)
	}
	return d.upload(ctx, name, io.NewSectionReader(r, 0, size), cond)
}

// askFirst is the size from which on the server is asked about the condition before anything is sent: a server
// that refuses early resets the connection while a large body is under way, and some do not check the condition
// when an upload in parts completes.
const askFirst = 256 << 10

// ask returns the error that a condition would end with now.
func (d *driver) ask(ctx context.Context, key string, cond bucket.Condition) error {
	switch attrs, err := d.Head(ctx, key); {
	case err != nil && !errors.Is(err, bucket.ErrNotExist):
		return err
	case err == nil && cond.IfAbsent:
		return bucket.ErrExists
	case cond.IfMatch != "" && attrs.ETag != cond.IfMatch:
		return bucket.ErrPrecondition
	}
	return nil
}

// upload stores a large object in parallel parts.
func (d *driver) upload(ctx context.Context, name *string, body io.Reader, cond bucket.Condition) (string, error) {
	in := &transfermanager.UploadObjectInput{Bucket: &d.bucket, Key: name, Body: body}
	if cond.IfAbsent {
		in.IfNoneMatch = aws.String("*")
	}
	if cond.IfMatch != "" {
		in.IfMatch = aws.String(cond.IfMatch)
	}
	out, err := d.uploads.UploadObject(ctx, in)
	if err != nil && refused(err, cond) {
		return "", refusal(cond)
	}
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ETag), nil
}
