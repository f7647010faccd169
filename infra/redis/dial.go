package redis

import (
	"errors"
	"fmt"
	"net"
	"strings"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Dial returns a client for one of
//
//	redis://[user:password@]host:port[/db]   one server; rediss:// for TLS; go-redis options as query
//	host:port                                one server
//	host:port,host:port[,…]                  a cluster, found through any of these nodes
//
// It does not connect yet: the first command does.
func Dial(address string) (goredis.UniversalClient, error) {
	if strings.Contains(address, "://") {
		opts, err := goredis.ParseURL(address)
		if err != nil {
			// The address may hold a password and url errors quote it.
			return nil, errors.New("dial redis: malformed URL, want redis://[user:password@]host:port[/db]")
		}
		opts.ContextTimeoutEnabled = true
		opts.MaintNotificationsConfig = noNotifications()
		return goredis.NewClient(opts), nil
	}
	nodes := strings.Split(address, ",")
	for _, node := range nodes {
		if _, _, err := net.SplitHostPort(node); err != nil {
			return nil, fmt.Errorf("dial redis: %w", err)
		}
	}
	return goredis.NewUniversalClient(&goredis.UniversalOptions{
		Addrs:                    nodes,
		ContextTimeoutEnabled:    true,
		MaintNotificationsConfig: noNotifications(),
	}), nil
}

// noNotifications switches off a handshake that only a managed product understands.
func noNotifications() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}
