package s3bucket

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Options say which bucket, and how to reach it.
type Options struct {
	// Bucket is the bucket's name. Required; it must exist.
	Bucket string
	// Prefix is put before every key, so that several stores share a bucket.
	// A '/' is added when it has none at its end.
	Prefix string
	// Endpoint is the URL of a server that is not AWS; empty: AWS.
	Endpoint string
	// Region is the bucket's region; empty: from the environment, or us-east-1
	// where an Endpoint is given.
	Region string
	// PathStyle addresses as http://host/bucket/key rather than http://bucket.host/key.
	PathStyle bool
	// Credentials; nil: the AWS default chain (environment, profile, role).
	Credentials aws.CredentialsProvider
	// HTTPClient; nil: the SDK's own.
	HTTPClient *http.Client
}

// ParseURL reads s3://bucket/prefix?endpoint=http://host:port&region=…&path_style=true.
// All parameters are optional; an unknown one is an error.
func ParseURL(raw string) (Options, error) {
	opts, err := parseURL(raw)
	if err != nil {
		return Options{}, fmt.Errorf("s3bucket: bucket URL %q: %w", raw, err)
	}
	return opts, nil
}

func parseURL(raw string) (Options, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return Options{}, errors.Unwrap(err) // without url.Error's copy of the URL
	case u.Scheme != "s3":
		return Options{}, errors.New("it does not begin with s3://")
	case u.Host == "":
		return Options{}, errors.New("it names no bucket (s3://bucket/prefix)")
	case u.User != nil:
		return Options{}, errors.New("credentials do not belong into it (use AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)")
	case u.Fragment != "":
		return Options{}, errors.New("it has a fragment (#…)")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Options{}, err
	}
	opts := Options{Bucket: u.Host, Prefix: strings.TrimPrefix(u.Path, "/")}
	for name, values := range query {
		if len(values) != 1 {
			return Options{}, fmt.Errorf("parameter %s is given %d times", name, len(values))
		}
		if err := opts.set(name, values[0]); err != nil {
			return Options{}, err
		}
	}
	return opts, nil
}

// set takes one parameter of the URL.
func (o *Options) set(name, value string) error {
	var err error
	switch name {
	case "endpoint":
		o.Endpoint = value
		return validEndpoint(value)
	case "region":
		o.Region = value
	case "path_style":
		o.PathStyle, err = strconv.ParseBool(value)
	default:
		return fmt.Errorf("unknown parameter %q (known: endpoint, region, path_style)", name)
	}
	if err != nil {
		return fmt.Errorf("parameter %s=%q: want true or false", name, value)
	}
	return nil
}

func validEndpoint(value string) error {
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("parameter endpoint=%q: want http://host:port or https://host", value)
	}
	return nil
}
