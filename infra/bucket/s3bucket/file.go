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
	if size <= d.singleAtMost {
		return d.putIf(ctx, name, content{r, size}, cond)
	}
	// Servers that do not check the condition when the upload completes are asked before it begins.
	switch attrs, err := d.Head(ctx, key); {
	case err != nil && !errors.Is(err, bucket.ErrNotExist):
		return "", err
	case err == nil && cond.IfAbsent:
		return "", bucket.ErrExists
	case cond.IfMatch != "" && attrs.ETag != cond.IfMatch:
		return "", bucket.ErrPrecondition
	}
	return d.upload(ctx, name, io.NewSectionReader(r, 0, size), cond)
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
