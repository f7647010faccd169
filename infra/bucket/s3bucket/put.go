package s3bucket

import (
	"bytes"
	"context"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
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

func (d *driver) Put(ctx context.Context, key string, data []byte, cond bucket.Condition) (string, error) {
	return d.put(ctx, key, content{bytes.NewReader(data), int64(len(data))}, cond)
}

// PutFile is Put in bounded memory.
func (d *driver) PutFile(ctx context.Context, key string, r io.ReaderAt, size int64, cond bucket.Condition) (string, error) {
	return d.put(ctx, key, content{r, size}, cond)
}

// askFirst is the size from which on the server is asked about the condition before anything is sent: what it
// would refuse need not be sent, and some do not check the condition when an upload in parts completes.
const askFirst = 256 << 10

// put stores content under a condition in one request where S3 allows that, so that the server decides.
func (d *driver) put(ctx context.Context, key string, data content, cond bucket.Condition) (string, error) {
	name, err := d.name(key)
	if err != nil {
		return "", err
	}
	conditional := cond != bucket.Condition{}
	if conditional && data.size > askFirst {
		if err := d.ask(ctx, name, cond); err != nil {
			return "", err
		}
	}
	switch {
	case conditional && data.size <= d.singleAtMost:
		return d.putIf(ctx, name, data, cond)
	case conditional || data.size > d.multipartAbove:
		return d.upload(ctx, name, data, cond)
	}
	return d.putOnce(ctx, name, data, cond)
}

// putOnce makes one request, which opts may change.
func (d *driver) putOnce(ctx context.Context, name *string, data content, cond bucket.Condition, opts ...func(*s3.Options)) (string, error) {
	in := &s3.PutObjectInput{Bucket: &d.bucket, Key: name, Body: data.reader(), ContentLength: &data.size}
	in.IfNoneMatch, in.IfMatch = headers(cond)
	out, err := d.client.PutObject(ctx, in, opts...)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ETag), nil
}

// upload stores a large object in parallel parts.
func (d *driver) upload(ctx context.Context, name *string, data content, cond bucket.Condition) (string, error) {
	in := &transfermanager.UploadObjectInput{Bucket: &d.bucket, Key: name, Body: data.reader()}
	in.IfNoneMatch, in.IfMatch = headers(cond)
	out, err := d.uploads.UploadObject(ctx, in)
	if err != nil && refused(err, cond) {
		return "", refusal(cond)
	}
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ETag), nil
}

// headers returns If-None-Match and If-Match, nil where there is none.
func headers(cond bucket.Condition) (ifNoneMatch, ifMatch *string) {
	if cond.IfAbsent {
		ifNoneMatch = aws.String("*")
	}
	if cond.IfMatch != "" {
		ifMatch = aws.String(cond.IfMatch)
	}
	return ifNoneMatch, ifMatch
}
