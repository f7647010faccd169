package jobs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/infra/warehouse"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tables"
)

type doctorCmd struct {
	stores
	Listen string `default:"127.0.0.1:8080" help:"Address that dev and serve would listen on."`
	JSON   bool   `help:"Print one JSON object a check."`
}

// finding is the result of one check. Repair is one line that says what to do.
type finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Repair string `json:"repair,omitempty"`
}

// Run checks every dependency that the flags name and exits 1 when one fails.
func (c *doctorCmd) Run(rt *runtimeEnv) error {
	ctx, cancel := context.WithTimeout(rt.ctx, 60*time.Second)
	defer cancel()
	var found []finding
	if c.embedded() {
		found = append(found, c.checkData())
	}
	if len(found) == 0 || found[0].OK {
		found = append(found, c.checkServers(ctx, rt)...)
	}
	found = append(found, c.checkBucket(ctx)...)
	found = append(found, c.checkListen())
	return c.print(rt, found)
}

// embedded reports whether any part would live in the data folder.
func (c *doctorCmd) embedded() bool { return len(c.Kafka) == 0 || c.Redis == "" || c.Bucket == "" }

func (c *doctorCmd) print(rt *runtimeEnv, found []finding) error {
	for _, f := range found {
		if c.JSON {
			if err := printJSON(rt.stdout, f); err != nil {
				return err
			}
			continue
		}
		mark := "ok  "
		if !f.OK {
			mark = "FAIL"
		}
		_, _ = fmt.Fprintf(rt.stdout, "%s  %-10s %s\n", mark, f.Check, f.Detail)
		if !f.OK {
			_, _ = fmt.Fprintf(rt.stdout, "      repair:   %s\n", f.Repair)
		}
	}
	if slices.ContainsFunc(found, func(f finding) bool { return !f.OK }) {
		return exitWith{exitError}
	}
	return nil
}

func good(check, format string, args ...any) finding {
	return finding{Check: check, OK: true, Detail: fmt.Sprintf(format, args...)}
}

func bad(check string, err error, repair string) finding {
	return finding{Check: check, Detail: strings.ReplaceAll(err.Error(), "\n", "; "), Repair: repair}
}

func (c *doctorCmd) checkData() finding {
	d, err := openDataDir(c.Data)
	if err != nil {
		return bad("data", err, "make the folder writable, or choose another with --data")
	}
	if !d.owned() {
		return good("data", "%s is in use by a running anabranch", c.Data)
	}
	if err := d.close(); err != nil {
		return bad("data", err, "check the file system of the folder")
	}
	return good("data", "%s is writable and free", c.Data)
}

// checkServers looks at Kafka and Redis. Embedded ones that do not run now are fine: dev starts them.
func (c *doctorCmd) checkServers(ctx context.Context, rt *runtimeEnv) []finding {
	s, err := rt.openServers(&c.stores, need{redis: true, start: true})
	if err != nil {
		return []finding{bad("servers", err, "stop the process that uses the data folder, or choose another with --data")}
	}
	out := []finding{c.checkKafka(ctx, rt, s), c.checkRedis(ctx, s)}
	if err := s.close(); err != nil {
		out = append(out, bad("servers", err, "check the data folder"))
	}
	return out
}

func (c *doctorCmd) checkKafka(ctx context.Context, rt *runtimeEnv, s *servers) finding {
	kind := "Kafka at " + strings.Join(s.seeds, ",")
	if s.standalone {
		kind = "embedded Kafka"
	}
	client, err := kafka.Dial(s.seeds, rt.log, s.clientOptions()...)
	if err != nil {
		return bad("kafka", err, "correct --kafka: host:port of one or more brokers")
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	topics, err := kadm.NewClient(client).ListTopics(ctx)
	if err != nil {
		return bad("kafka", err, fmt.Sprintf("start a broker at %v, or correct --kafka", s.seeds))
	}
	t, exists := topics[kafka.EventsTopic]
	if !exists {
		return good("kafka", "%s answers; the topics will be created at the first start", kind)
	}
	if err := c.checkTopic(ctx, kafka.HexID(t.ID)); err != nil {
		return bad("kafka", err, "point --kafka and --bucket at stores that belong together, or begin with an empty bucket")
	}
	return good("kafka", "%s answers; topic %s has %d partitions", kind, kafka.EventsTopic, len(t.Partitions))
}

// checkTopic compares the events topic with the one that the archive was written from. A bucket that
// cannot be read is the bucket check's to tell.
func (c *doctorCmd) checkTopic(ctx context.Context, topicID string) error {
	b, err := c.openBucket(ctx)
	if err != nil {
		return nil
	}
	indexes, err := b.List(ctx, model.IndexPrefix)
	if err != nil || len(indexes) == 0 {
		return nil
	}
	var last model.Index
	if _, err := b.GetJSON(ctx, indexes[len(indexes)-1].Key, &last); err != nil {
		return fmt.Errorf("read the archive's last index: %w", err)
	}
	if last.TopicID != topicID {
		return fmt.Errorf("topic %s has the id %s, but the archive in the bucket was written from %s: the topic was recreated", kafka.EventsTopic, topicID, last.TopicID)
	}
	return nil
}

// redisForms are the addresses that --redis accepts.
const redisForms = "host:port, redis://[user:password@]host:port, redis+cluster://host:port,host:port or redis+sentinel://host:port/master (rediss for TLS)"

func (c *doctorCmd) checkRedis(ctx context.Context, s *servers) finding {
	client, err := redis.Dial(s.redis)
	if err != nil {
		return bad("redis", err, "correct --redis: "+redisForms)
	}
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	err = client.Ping(ctx).Err()
	if err == nil && c.Redis == "" {
		return good("redis", "embedded Redis answers")
	}
	var p redis.Policy
	if err == nil {
		p, err = redis.CheckPolicy(ctx, client)
	}
	switch {
	case errors.Is(err, redis.ErrEvicts):
		return bad("redis", err, "run on every master and replica: redis-cli CONFIG SET maxmemory-policy noeviction (and set it in redis.conf)")
	case err != nil:
		return bad("redis", err, "start Redis at "+redis.Redact(s.redis)+", or correct --redis")
	case !p.Known:
		return good("redis", "Redis answers; whether it may evict keys is unknown (%s)", p.Reason)
	}
	return good("redis", "Redis answers; maxmemory-policy is %s", p.Value)
}

func (c *doctorCmd) checkBucket(ctx context.Context) []finding {
	b, err := c.openBucket(ctx)
	if err != nil {
		return []finding{bad("bucket", err, "correct --bucket, its credentials, or the folder's permissions")}
	}
	if err := b.Check(ctx, "doctor/"+ulid.Make().String()+".json"); err != nil {
		return []finding{bad("bucket", err, "grant read and write, and use a store that honours conditional writes (If-None-Match, If-Match)")}
	}
	out := []finding{good("bucket", "reads, writes and honours conditional writes")}
	if err := c.checkWarehouse(ctx, b); err != nil {
		return append(out, bad("warehouse", err, "correct --warehouse: bigquery://project.dataset, and the credentials"))
	}
	out = append(out, good("warehouse", "answers"))
	var p model.Pointer
	switch _, err := b.GetJSON(ctx, model.PointerKey, &p); {
	case errors.Is(err, bucket.ErrNotExist):
		return append(out, good("generation", "none is published yet: anabranch nightly publishes one"))
	case err != nil:
		return append(out, bad("generation", err, "restore "+model.PointerKey+" from a backup or an older version of the bucket"))
	}
	return append(out, good("generation", "%s is current", p.Current))
}

// checkWarehouse asks the warehouse about a table; that there is none yet is an answer too.
func (c *doctorCmd) checkWarehouse(ctx context.Context, b *bucket.Bucket) error {
	w, err := c.openWarehouse(ctx, b)
	if err != nil {
		return err
	}
	_, err = w.Partitions(ctx, tables.UserDaily().Name)
	if errors.Is(err, warehouse.ErrNoTable) {
		err = nil
	}
	return errors.Join(err, w.Close())
}

func (c *doctorCmd) checkListen() finding {
	l, err := net.Listen("tcp", c.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return bad("listen", err, "stop the other process (is dev running?), or choose another address with --listen")
	}
	if err != nil {
		return bad("listen", err, "choose an address of this machine with --listen")
	}
	if err := l.Close(); err != nil {
		return bad("listen", err, "choose another address with --listen")
	}
	return good("listen", "%s is free", c.Listen)
}
