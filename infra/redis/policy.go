package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// ErrEvicts is wrapped by the error of [CheckPolicy] for a server that may evict keys.
var ErrEvicts = errors.New("redis may evict keys")

// evictionError is ErrEvicts with the policy that was found.
type evictionError struct{ policy string }

func (e evictionError) Error() string {
	return fmt.Sprintf("%v: maxmemory-policy is %q, set it to %q", ErrEvicts, e.policy, noEviction)
}

func (e evictionError) Unwrap() error { return ErrEvicts }

const noEviction = "noeviction"

// Policy is what a server told of its maxmemory-policy.
type Policy struct {
	// Known is false where the server tells it neither by CONFIG GET nor by INFO; the caller should
	// warn with Reason, for nothing then proves that keys are safe.
	Known bool
	// Value is the policy, such as "noeviction"; "" where it is unknown.
	Value string
	// Reason is the server's answer where the policy is unknown.
	Reason string
}

// CheckPolicy refuses a server, or a cluster with a master, whose maxmemory-policy is not
// noeviction: an evicted blob would be a silently wrong answer. The policy counts even while no
// maxmemory is set, because both can be changed while the server runs.
func CheckPolicy(ctx context.Context, client goredis.UniversalClient) (Policy, error) {
	cluster, ok := client.(*goredis.ClusterClient)
	if !ok {
		return checkServer(ctx, client)
	}
	var (
		mu    sync.Mutex
		worst = Policy{Known: true, Value: noEviction}
	)
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, master *goredis.Client) error {
		policy, err := checkServer(ctx, master)
		mu.Lock()
		defer mu.Unlock()
		if err != nil || !policy.Known {
			worst = policy
		}
		if err != nil {
			return fmt.Errorf("master %s: %w", master.Options().Addr, err)
		}
		return nil
	})
	return worst, err
}

func checkServer(ctx context.Context, client goredis.Cmdable) (Policy, error) {
	policy, err := readPolicy(ctx, client)
	if err != nil {
		return policy, err
	}
	if policy.Known && policy.Value != noEviction {
		return policy, evictionError{policy.Value}
	}
	return policy, nil
}

// readPolicy asks with CONFIG GET and, where managed servers forbid that, with INFO.
func readPolicy(ctx context.Context, client goredis.Cmdable) (Policy, error) {
	values, configErr := client.ConfigGet(ctx, "maxmemory-policy").Result()
	if refused := (evictionError{}); errors.As(configErr, &refused) { // by a connection that was made just now
		return Policy{Known: true, Value: refused.policy}, nil
	}
	if configErr == nil {
		if v := values["maxmemory-policy"]; v != "" {
			return Policy{Known: true, Value: v}, nil
		}
	}
	if configErr != nil && !isServerError(configErr) {
		return Policy{}, fmt.Errorf("read redis maxmemory-policy: %w", configErr)
	}
	info, infoErr := client.Info(ctx, "memory").Result()
	if infoErr == nil {
		if v := infoField(info, "maxmemory_policy"); v != "" {
			return Policy{Known: true, Value: v}, nil
		}
	}
	if infoErr != nil && !isServerError(infoErr) {
		return Policy{}, fmt.Errorf("read redis maxmemory-policy: %w", infoErr)
	}
	return Policy{Reason: fmt.Sprintf("CONFIG GET: %s; INFO memory: %s", answer(configErr), answer(infoErr))}, nil
}

// isServerError tells a server that does not answer this question (unknown command, no permission)
// from one that cannot be asked: unreachable, still loading, or refusing our credentials.
func isServerError(err error) bool {
	var answer goredis.Error
	return errors.As(err, &answer) &&
		!goredis.HasErrorPrefix(err, "LOADING") &&
		!goredis.HasErrorPrefix(err, "NOAUTH") &&
		!goredis.HasErrorPrefix(err, "WRONGPASS")
}

func infoField(info, field string) string {
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), field+":"); ok {
			return v
		}
	}
	return ""
}

func answer(err error) string {
	if err == nil {
		return "the field is missing"
	}
	return err.Error()
}
