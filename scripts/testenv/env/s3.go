package env

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const (
	versitygwVersion = "v1.8.0"
	s3Region         = "us-east-1"
	s3Bucket         = "anabranch-test"
	s3AccessKey      = "anabranch-test-key"
	s3SecretKey      = "anabranch-test-secret"
)

// StartS3 starts versitygw over a folder and makes one empty bucket in it. Its keys are constants:
// it holds nothing but what tests put there, and only loopback reaches it.
func StartS3(ctx context.Context, cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	path, err := cfg.versitygw(ctx)
	if err != nil {
		return nil, err
	}
	s, err := newServer(cfg, "s3", 1)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(s.dir, "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		return nil, errors.Join(fmt.Errorf("make the data folder: %w", err), s.Stop())
	}
	endpoint := "http://" + s.Addr
	query := url.Values{"endpoint": {endpoint}, "region": {s3Region}, "path_style": {"true"}}
	s.Env = []string{
		S3Var + "=s3://" + s3Bucket + "?" + query.Encode(),
		"AWS_ACCESS_KEY_ID=" + s3AccessKey,
		"AWS_SECRET_ACCESS_KEY=" + s3SecretKey,
	}
	s.spec = spec{
		path: path,
		args: []string{"--port", s.Addr, "--region", s3Region, "--quiet", "posix", data},
		env:  []string{"ROOT_ACCESS_KEY=" + s3AccessKey, "ROOT_SECRET_KEY=" + s3SecretKey},
	}
	s.probe = func(ctx context.Context) error { return makeBucket(ctx, endpoint) }
	return s.launch(ctx)
}

// makeBucket makes the bucket if it is not there; that it can is what ready means.
func makeBucket(ctx context.Context, endpoint string) error {
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(endpoint),
		Region:       s3Region,
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider(s3AccessKey, s3SecretKey, ""),
		Retryer:      aws.NopRetryer{},
	})
	_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(s3Bucket)})
	var owned *types.BucketAlreadyOwnedByYou
	if err != nil && !errors.As(err, &owned) {
		return fmt.Errorf("make the bucket %s: %w", s3Bucket, err)
	}
	return nil
}

// versitygw returns the server's executable, building it on first use (minutes).
func (c Config) versitygw(ctx context.Context) (string, error) {
	golang, err := c.command(ctx, "golang-go", "go")
	if err != nil {
		return "", err
	}
	dir, err := c.cached(ctx, "versitygw-"+versitygwVersion, func(ctx context.Context, dir string) error {
		return c.runInstaller(ctx, dir, []string{"GOBIN=" + dir, "CGO_ENABLED=0", "GOFLAGS="}, golang,
			"install", "github.com/versity/versitygw/cmd/versitygw@"+versitygwVersion)
	})
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "versitygw"), nil
}
