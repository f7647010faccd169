package redis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// The options of TLS, which are read apart from the others.
const (
	tlsCA         = "tls_ca"
	tlsCert       = "tls_cert"
	tlsKey        = "tls_key"
	tlsServerName = "tls_server_name"
)

// applyOptions sets what the address says behind the question mark.
func (a *address) applyOptions(opts *goredis.UniversalOptions) error {
	durations := map[string]*time.Duration{
		"dial_timeout": &opts.DialTimeout, "read_timeout": &opts.ReadTimeout,
		"write_timeout": &opts.WriteTimeout, "pool_timeout": &opts.PoolTimeout,
	}
	numbers := map[string]*int{
		"pool_size": &opts.PoolSize, "min_idle_conns": &opts.MinIdleConns, "max_retries": &opts.MaxRetries,
	}
	texts := map[string]*string{"client_name": &opts.ClientName}
	if a.kind == sentinel {
		texts["sentinel_user"], texts["sentinel_password"] = &opts.SentinelUsername, &opts.SentinelPassword
	}
	if a.tls {
		for _, name := range []string{tlsCA, tlsCert, tlsKey, tlsServerName} {
			texts[name] = new(string) // tlsConfig reads it from the address
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.options)) {
		value := a.options[name][0]
		if len(a.options[name]) > 1 {
			return fmt.Errorf("option %s is given twice", a.quote(name))
		}
		var err error
		switch {
		case durations[name] != nil:
			*durations[name], err = duration(value)
		case numbers[name] != nil:
			*numbers[name], err = number(value)
		case texts[name] != nil:
			*texts[name] = value
		default:
			known := slices.Concat(slices.Collect(maps.Keys(durations)), slices.Collect(maps.Keys(numbers)), slices.Collect(maps.Keys(texts)))
			slices.Sort(known)
			return fmt.Errorf("option %s is not known for %s: want one of %s", a.quote(name), a.form(), strings.Join(known, ", "))
		}
		if err != nil {
			return fmt.Errorf("option %s = %s: %w", name, a.quote(value), err)
		}
	}
	return nil
}

// form names the scheme of the address.
func (a *address) form() string {
	if a.tls {
		return strings.Replace(string(a.kind), "redis", "rediss", 1) + "://"
	}
	return string(a.kind) + "://"
}

func duration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, errors.New("want a duration above 0, such as 500ms or 3s")
	}
	return d, nil
}

func number(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, errors.New("want a whole number from 0 on")
	}
	return int(n), nil
}

// tlsConfig reads the files that the options name. The name that a certificate has to carry is the host
// that is dialled, unless tls_server_name says otherwise.
func (a *address) tlsConfig() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: a.options.Get(tlsServerName)}
	if file := a.options.Get(tlsCA); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("option %s: %w", tlsCA, err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("option %s: %s holds no certificate in PEM", tlsCA, file)
		}
	}
	cert, key := a.options.Get(tlsCert), a.options.Get(tlsKey)
	if (cert == "") != (key == "") {
		return nil, fmt.Errorf("options %s and %s: want both or none", tlsCert, tlsKey)
	}
	if cert == "" {
		return cfg, nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("options %s and %s: %w", tlsCert, tlsKey, err)
	}
	cfg.Certificates = []tls.Certificate{pair}
	return cfg, nil
}
