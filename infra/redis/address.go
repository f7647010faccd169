package redis

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// address is a parsed address of Redis, not yet judged by option.
type address struct {
	kind     kind
	tls      bool
	user     string
	password string
	hosts    []string // host:port
	path     []string // segments behind the hosts
	options  url.Values
	// secret says that parts of the text may be of a password, so that errors must not quote them.
	secret bool
}

// kind is how the servers behind an address work together.
type kind string

const (
	single   kind = "redis"
	cluster  kind = "redis+cluster"
	sentinel kind = "redis+sentinel"
)

const (
	redisPort    = "6379"
	sentinelPort = "26379"
)

// parseAddress takes an address apart; [Dial] documents the forms. It is not left to net/url, which knows
// one host and quotes what it does not understand, passwords included.
func parseAddress(text string) (address, error) {
	a := address{kind: single, secret: strings.Contains(text, "@") || strings.Contains(text, "password")}
	bare, rest := !strings.Contains(text, "://"), text
	if bare && strings.ContainsAny(text, "@/?") {
		return address{}, errors.New("user, path and options need a scheme, such as redis://, in front")
	}
	if scheme, after, ok := strings.Cut(text, "://"); ok {
		if err := a.readScheme(scheme); err != nil {
			return address{}, err
		}
		rest = after
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	if strings.Contains(path+query, "@") {
		return address{}, errors.New("an @ behind the hosts: in a password / ? and @ are written %2F %3F and %40")
	}
	if path != "" {
		a.path = strings.Split(path, "/")
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		if err := a.readUser(authority[:i]); err != nil {
			return address{}, err
		}
		authority = authority[i+1:]
	}
	var err error
	if a.options, err = url.ParseQuery(query); err != nil {
		return address{}, errors.New("the options behind ? are malformed: want name=value&name=value, % and & in values percent-encoded")
	}
	return a, a.readHosts(authority, bare)
}

func (a *address) readScheme(scheme string) error {
	secure := strings.HasPrefix(scheme, "rediss")
	k := kind(strings.Replace(scheme, "rediss", "redis", 1))
	if !slices.Contains([]kind{single, cluster, sentinel}, k) {
		return fmt.Errorf("scheme %s, want redis, redis+cluster or redis+sentinel, with rediss for TLS", a.quote(scheme))
	}
	a.kind, a.tls = k, secure
	return nil
}

func (a *address) readUser(text string) (err error) {
	user, password, _ := strings.Cut(text, ":")
	if a.user, err = url.PathUnescape(user); err == nil {
		a.password, err = url.PathUnescape(password)
	}
	if err != nil {
		return errors.New("user or password: a % that is not followed by two hex digits; write it as %25")
	}
	return nil
}

// readHosts splits the hosts. Without a scheme each has to name its port, and several are a cluster.
func (a *address) readHosts(text string, bare bool) error {
	if bare && strings.Contains(text, ",") {
		a.kind = cluster
	}
	for i, host := range strings.Split(text, ",") {
		full, err := a.withPort(host, bare)
		if err != nil {
			return fmt.Errorf("host %d, %s: %w", i+1, a.quote(host), err)
		}
		a.hosts = append(a.hosts, full)
	}
	if a.kind == single && len(a.hosts) > 1 {
		return fmt.Errorf("%d hosts in a redis:// address: want one, or redis+cluster:// or redis+sentinel://", len(a.hosts))
	}
	return nil
}

func (a *address) withPort(host string, bare bool) (string, error) {
	if !bare && !strings.Contains(host[strings.LastIndexByte(host, ']')+1:], ":") {
		port := redisPort
		if a.kind == sentinel {
			port = sentinelPort
		}
		host += ":" + port
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return "", errors.New("want host:port, an IPv6 address in brackets")
	}
	if name == "" {
		return "", errors.New("the host's name is missing")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", errors.New("the port is no number from 1 to 65535; / ? # and @ in a password are written %2F %3F %23 %40")
	}
	return host, nil
}

// quote shows a part of the address in an error, unless it may be a part of a password.
func (a *address) quote(part string) string {
	if a.secret {
		return "(not shown: there is a password in the address)"
	}
	return strconv.Quote(part)
}

// Redact returns an address without user, password and options, for logs and messages.
func Redact(text string) string {
	a, err := parseAddress(text)
	if err != nil {
		return "(malformed address)"
	}
	out := strings.Join(a.hosts, ",")
	if strings.Contains(text, "://") {
		out = a.form() + out
		for _, segment := range a.path {
			out += "/" + segment
		}
	}
	return out
}
