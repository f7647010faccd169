package bqwh

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"google.golang.org/api/option"
)

// Options say which dataset, and how to reach it.
type Options struct {
	// Project and Dataset name the dataset, which must exist.
	Project, Dataset string
	// Location of the dataset's jobs, such as europe-north1. May be empty only
	// for datasets in the multi-regions US and EU.
	Location string
	// Endpoint is the URL of a server other than Google's, such as an emulator.
	Endpoint string
	// NoAuth sends no credentials. Otherwise Google's default credentials are used.
	NoAuth bool
}

// ParseURL reads bigquery://project.dataset?location=…&endpoint=http://host:port&auth=none.
// All parameters are optional; an unknown one is an error.
func ParseURL(raw string) (Options, error) {
	opts, err := parseURL(raw)
	if err != nil {
		return Options{}, fmt.Errorf("bqwh: warehouse URL %q: %w", raw, err)
	}
	return opts, nil
}

func parseURL(raw string) (Options, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return Options{}, errors.Unwrap(err) // without url.Error's copy of the URL
	case u.Scheme != "bigquery":
		return Options{}, errors.New("it does not begin with bigquery://")
	case u.User != nil || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return Options{}, errors.New("it is not of the form bigquery://project.dataset?parameters")
	}
	dot := strings.LastIndexByte(u.Host, '.') // projects may contain dots, datasets not
	if dot <= 0 || dot == len(u.Host)-1 {
		return Options{}, errors.New("it names no project and dataset (bigquery://project.dataset)")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Options{}, err
	}
	opts := Options{Project: u.Host[:dot], Dataset: u.Host[dot+1:]}
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
	switch name {
	case "location":
		o.Location = value
	case "endpoint":
		u, err := url.Parse(value)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return fmt.Errorf("parameter endpoint=%q: want http://host:port or https://host", value)
		}
		o.Endpoint = value
	case "auth":
		if value != "none" {
			return fmt.Errorf("parameter auth=%q: want none, or leave it out", value)
		}
		o.NoAuth = true
	default:
		return fmt.Errorf("unknown parameter %q (known: location, endpoint, auth)", name)
	}
	return nil
}

func (o Options) client() []option.ClientOption {
	var opts []option.ClientOption
	if o.Endpoint != "" {
		opts = append(opts, option.WithEndpoint(o.Endpoint))
	}
	if o.NoAuth {
		opts = append(opts, option.WithoutAuthentication())
	}
	return opts
}
