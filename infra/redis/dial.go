package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Dial returns a client for one of
//
//	host:port                                                     one server
//	host:port,host:port[,…]                                       a cluster
//	redis://[user:password@]host[:port][/db]                      one server
//	redis+cluster://[user:password@]host[:port][,host[:port]…]    a cluster, found through any of these nodes
//	redis+sentinel://[user:password@]host[:port][,…]/master[/db]  the master that these sentinels name
//
// With rediss in place of redis all connections use TLS. The user is an ACL user; ":password@" alone is
// the user "default". What is special in a URL is percent-encoded in user and password. Behind ? come options:
//
//	tls_ca=FILE                    PEM, the authorities to trust instead of the system's
//	tls_cert=FILE&tls_key=FILE     PEM, the client's certificate
//	tls_server_name=NAME           the name in the servers' certificates, where it is not the host's
//	sentinel_user, sentinel_password  for the sentinels themselves, where they ask for it
//	client_name=NAME               what CLIENT LIST shows
//	dial_timeout, read_timeout, write_timeout, pool_timeout  durations, such as 500ms
//	pool_size, min_idle_conns, max_retries                   numbers
//
// Dial does not connect yet: the first command does. Every new connection asks its server whether it may
// evict keys, and fails with [ErrEvicts] if so: after a failover, too, nobody works with such a server.
// Connections are renewed within five minutes, so that a server whose policy is changed under us is noticed.
//
// Errors name what is wrong with the address and never quote what may be a password.
func Dial(text string) (goredis.UniversalClient, error) {
	a, err := parseAddress(text)
	if err != nil {
		return nil, fmt.Errorf("dial redis: %w", err)
	}
	opts, err := a.universal()
	if err != nil {
		return nil, fmt.Errorf("dial redis: %w", err)
	}
	if a.kind != cluster {
		return goredis.NewUniversalClient(opts), nil
	}
	nodes := opts.Cluster()
	nodes.ClusterStateReloadInterval = topologyAge
	return goredis.NewClusterClient(nodes), nil
}

// poolSize bounds the connections to a server. Each owner of a partition keeps one for its commits, beside those that
// come and go.
const poolSize = 1024

// topologyAge is how old a client's idea of who serves which slot may become. A node that is gone sends nobody to its
// successor, so for as long live state would stand still after a fail-over; by default that is a minute.
const topologyAge = 2 * time.Second

// connLifetime is how long a connection, and what it knows of its server's policy, is used.
const connLifetime = 4 * time.Minute

func (a *address) universal() (*goredis.UniversalOptions, error) {
	opts := &goredis.UniversalOptions{
		Addrs:                 a.hosts,
		Username:              a.user,
		Password:              a.password,
		IsClusterMode:         a.kind == cluster,
		ContextTimeoutEnabled: true,
		PoolSize:              poolSize,
		OnConnect:             refuseEviction,
		ConnMaxLifetime:       connLifetime,
		ConnMaxLifetimeJitter: time.Minute,
		// A handshake that only a managed product understands.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if err := a.applyPath(opts); err != nil {
		return nil, err
	}
	if err := a.applyOptions(opts); err != nil {
		return nil, err
	}
	if !a.tls {
		return opts, nil
	}
	var err error
	opts.TLSConfig, err = a.tlsConfig()
	return opts, err
}

// refuseEviction is run on every new connection.
func refuseEviction(ctx context.Context, conn *goredis.Conn) error {
	if _, err := checkServer(ctx, conn); err != nil {
		return fmt.Errorf("greet redis: %w", err) // go-redis takes one layer off
	}
	return nil
}

// applyPath reads what stands behind the hosts: a master's name and the number of a database.
func (a *address) applyPath(opts *goredis.UniversalOptions) error {
	path := a.path
	if a.kind == sentinel {
		if len(path) == 0 || path[0] == "" {
			return errors.New("the master's name is missing: want redis+sentinel://host:port/master")
		}
		opts.MasterName, path = path[0], path[1:]
	}
	switch {
	case len(path) == 0, len(path) == 1 && path[0] == "":
		return nil
	case a.kind == cluster:
		return fmt.Errorf("path /%s: a cluster has no databases to choose from", a.quote(path[0]))
	case len(path) > 1:
		return fmt.Errorf("%d parts behind the hosts: want the number of a database and nothing more", len(a.path))
	}
	var err error
	opts.DB, err = number(path[0])
	if err != nil {
		return fmt.Errorf("database %s: want a number from 0 on", a.quote(path[0]))
	}
	return nil
}
