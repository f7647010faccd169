// Package s3bucket keeps a bucket in Amazon S3 or a server that speaks its
// protocol and honours conditional writes (If-None-Match and If-Match of
// PutObject; bucket.Check tells).
//
// Conditional writes are a single PutObject and not a multipart upload, whose
// completion some servers do not check. Unconditional writes of more than 64 MiB
// go through the transfer manager in parallel parts, and so do conditional ones of
// more than 4 GiB, since S3 takes at most 5 GiB in one request: of several that race
// for such a key more than one may succeed on a server that does not check.
//
// # Answers that got lost
//
// The SDK's own retries would turn a conditional write whose answer was lost
// into a false "exists already", so this package retries those itself. The lost
// answer may have been a refusal, too: a server that will not store a large body
// may hang up while it is under way. So before a retry the server is asked (HEAD)
// whether the condition still holds. Where it does not, or where the retry is
// refused, the stored content is compared with our own: equal means that the write
// was applied. If somebody replaced the object in between, the refusal is returned
// although the write was applied for a moment; no S3 protocol can tell those apart.
package s3bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/anabranch/anabranch/infra/bucket"
)

// Sizes of parallel uploads, in bytes.
const (
	multipartAbove = 64 << 20
	singleAtMost   = 4 << 30 // of a conditional write
	partSize       = 16 << 20
)

// retryer is the part of the SDK's retry policy that conditional writes use.
type retryer interface {
	IsErrorRetryable(err error) bool
	RetryDelay(attempt int, err error) (time.Duration, error)
	MaxAttempts() int
}

type driver struct {
	client         *s3.Client
	uploads        *transfermanager.Client
	retry          retryer
	bucket, prefix string
	multipartAbove int64
	singleAtMost   int64
}

// Open returns the bucket that opts describe. It makes no request.
func Open(ctx context.Context, opts Options) (*bucket.Bucket, error) {
	d, err := open(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("s3bucket: open bucket %q: %w", opts.Bucket, err)
	}
	return bucket.New(d), nil
}

func open(ctx context.Context, opts Options) (*driver, error) {
	if opts.Bucket == "" {
		return nil, errors.New("no bucket name")
	}
	prefix := strings.Trim(opts.Prefix, "/")
	if prefix != "" {
		if err := bucket.ValidKey(prefix); err != nil {
			return nil, fmt.Errorf("prefix: %w", err)
		}
		prefix += "/"
	}
	cfg, err := loadConfig(ctx, opts)
	if err != nil {
		return nil, err
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = opts.PathStyle
		o.DisableLogOutputChecksumValidationSkipped = true // it would write to stderr
		if opts.Endpoint != "" {
			o.BaseEndpoint = aws.String(opts.Endpoint)
		}
	})
	uploads := transfermanager.New(client, func(o *transfermanager.Options) { o.PartSizeBytes = partSize })
	return &driver{
		client: client, uploads: uploads, retry: retry.NewStandard(),
		bucket: opts.Bucket, prefix: prefix, multipartAbove: multipartAbove, singleAtMost: singleAtMost,
	}, nil
}

func loadConfig(ctx context.Context, opts Options) (aws.Config, error) {
	var load []func(*config.LoadOptions) error
	if opts.Region != "" {
		load = append(load, config.WithRegion(opts.Region))
	}
	if opts.Credentials != nil {
		load = append(load, config.WithCredentialsProvider(opts.Credentials))
	}
	if opts.HTTPClient != nil {
		load = append(load, config.WithHTTPClient(opts.HTTPClient))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return aws.Config{}, err
	}
	if cfg.Region == "" {
		if opts.Endpoint == "" {
			return aws.Config{}, errors.New("no region (set AWS_REGION, or region=… in the bucket's URL)")
		}
		cfg.Region = "us-east-1" // other servers ignore it, but signatures need one
	}
	return cfg, nil
}

// name returns the S3 key of a key.
func (d *driver) name(key string) (*string, error) {
	if n := len(d.prefix) + len(key); n > bucket.MaxKey {
		return nil, fmt.Errorf("%w: with the prefix %q it has %d bytes, S3 allows %d",
			bucket.ErrInvalidKey, d.prefix, n, bucket.MaxKey)
	}
	return aws.String(d.prefix + key), nil
}

func (d *driver) Open(ctx context.Context, key string) (io.ReadCloser, bucket.Attrs, error) {
	name, err := d.name(key)
	if err != nil {
		return nil, bucket.Attrs{}, err
	}
	out, err := d.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &d.bucket, Key: name})
	if err != nil {
		return nil, bucket.Attrs{}, notExist(err)
	}
	attrs, err := attributes(key, out.ContentLength, out.ETag)
	if err != nil {
		return nil, bucket.Attrs{}, errors.Join(err, out.Body.Close())
	}
	return out.Body, attrs, nil
}

func (d *driver) Head(ctx context.Context, key string) (bucket.Attrs, error) {
	name, err := d.name(key)
	if err != nil {
		return bucket.Attrs{}, err
	}
	out, err := d.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &d.bucket, Key: name})
	if err != nil {
		return bucket.Attrs{}, notExist(err)
	}
	return attributes(key, out.ContentLength, out.ETag)
}

// attributes refuses answers that lack what every S3 server sends.
func attributes(key string, size *int64, etag *string) (bucket.Attrs, error) {
	if size == nil || aws.ToString(etag) == "" {
		return bucket.Attrs{}, errors.New("the server's answer has no size or no ETag")
	}
	return bucket.Attrs{Key: key, Size: *size, ETag: *etag}, nil
}

func (d *driver) List(ctx context.Context, prefix string) ([]bucket.Attrs, error) {
	var objects []bucket.Attrs
	pages := s3.NewListObjectsV2Paginator(d.client, &s3.ListObjectsV2Input{
		Bucket: &d.bucket, Prefix: aws.String(d.prefix + prefix),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, object := range page.Contents {
			name := aws.ToString(object.Key)
			if strings.HasSuffix(name, "/") {
				continue // a folder made by a console, no object of ours
			}
			attrs, err := attributes(strings.TrimPrefix(name, d.prefix), object.Size, object.ETag)
			if err != nil {
				return nil, fmt.Errorf("object %q: %w", name, err)
			}
			objects = append(objects, attrs)
		}
	}
	return objects, nil
}

func (d *driver) Delete(ctx context.Context, key string) error {
	name, err := d.name(key)
	if err != nil {
		return err
	}
	_, err = d.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &d.bucket, Key: name})
	if err = notExist(err); errors.Is(err, bucket.ErrNotExist) {
		return nil
	}
	return err
}

// notExist gives a missing object its portable name; a missing bucket is not one.
func notExist(err error) error {
	var api smithy.APIError
	if errors.As(err, &api) && (api.ErrorCode() == "NoSuchKey" || api.ErrorCode() == "NotFound") {
		return fmt.Errorf("%w: %w", bucket.ErrNotExist, err)
	}
	return err
}

// status returns the HTTP status of an error answer, 0 where none arrived.
func status(err error) int {
	var answer interface{ HTTPStatusCode() int }
	if errors.As(err, &answer) {
		return answer.HTTPStatusCode()
	}
	return 0
}

// refused says whether the server decided a condition against us.
func refused(err error, cond bucket.Condition) bool {
	return status(err) == http.StatusPreconditionFailed ||
		cond.IfMatch != "" && errors.Is(notExist(err), bucket.ErrNotExist)
}
