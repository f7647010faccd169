// Package env installs and starts the real servers that the integration tests talk to, and lets a test
// break them one by one.
//
// Every server gets free ports on 127.0.0.1, a folder of its own below a temporary one, and a
// process group of its own, which ends with the server. Nothing listens on another interface, and
// nothing is shared with servers that already run on the machine. Servers are stopped by process id.
//
//	set, err := env.Start(ctx, env.Config{Log: log}, env.Defaults())
//	defer set.Stop()
//	cmd.Env = append(os.Environ(), set.Environ()...)
//
// # Parts
//
// Each part is ready when Start returns. The variable tells tests where it is.
//
//	part            variable                      what runs                                          alone by
//	kafka           ANABRANCH_TEST_KAFKA          Apache Kafka, one KRaft node                       StartKafka
//	redis           ANABRANCH_TEST_REDIS          redis-server, AOF everysec, noeviction             StartRedis
//	s3              ANABRANCH_TEST_S3             versitygw on a folder                              StartS3
//	chromium        ANABRANCH_TEST_CHROMIUM       nothing: an executable                             FindChromium
//	airflow         ANABRANCH_TEST_AIRFLOW        nothing: a Python that has Apache Airflow          FindAirflow
//	oracles         ANABRANCH_ORACLE_…            nothing: executables                               BuildOracles
//	redis-replica   ANABRANCH_TEST_REDIS_REPLICA  a replica of the set's redis, in sync              StartRedisReplica
//	redis-cluster   ANABRANCH_TEST_REDIS_CLUSTER  3 masters, cluster_state:ok on each                StartRedisCluster
//
// The last two are not among the [Defaults]: few tests need them, and those start their own. A TCP proxy
// with faults to put in front of any of them is scripts/testenv/proxy; it lives in the test's process.
//
// What is missing is installed: Debian packages by apt-get when the user is root, the Kafka jars by
// Maven, versitygw by `go install` and Airflow by pip into Config.Cache, where the next run finds them. Where that
// is not possible the error says what to install. Linux and macOS; of the Debian packages, only on
// Debian and its relatives.
//
// # Servers of a test's own
//
// The shared servers are never harmed. A test that breaks a server starts its own, whatever the variables
// say (package need does this for a test, skips where it must, and stops them at the end):
//
//	set := need.Own(t, "kafka", "redis", "redis-replica", "s3")
//	server := set.Server("redis")
//
//	server.Addr                            // host:port, the same after a restart
//	server.Dir()                           // configuration, data, log
//	server.Kill()                          // SIGKILL, and waits until the process is gone
//	server.Start(ctx)                      // on the same port and data; returns when it answers
//	server.Restart(ctx)                    // Kill and Start
//	server.Pause(), server.Resume()        // SIGSTOP, SIGCONT
//	env.LoseTail(server, 4096)             // a killed redis forgets the last bytes of its AOF, as if the machine had failed
//
//	set.Server("redis-replica")            // REPLICAOF NO ONE promotes it
//
// What stands behind a proxy is started alone: StartRedisReplica(ctx, need.OwnConfig(t), p.Addr()) lags as
// the proxy says; [StartKafkaBehind] sends clients to the proxy; [StartRedisSentinel] watches a master.
//
// The nodes of a cluster are the servers redis-cluster-1 to -3; [StartRedisCluster] returns them with
// [RedisCluster.MoveSlot] and [RedisCluster.AddReplica].
package env

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
)

// The variables that tell a test where a server is. A variable that is already set is left alone,
// and no server is started for it: that is how one's own servers are used.
const (
	KafkaVar        = "ANABRANCH_TEST_KAFKA"         // host:port
	RedisVar        = "ANABRANCH_TEST_REDIS"         // host:port
	RedisReplicaVar = "ANABRANCH_TEST_REDIS_REPLICA" // host:port
	RedisClusterVar = "ANABRANCH_TEST_REDIS_CLUSTER" // host:port,host:port,host:port
	S3Var           = "ANABRANCH_TEST_S3"            // s3://bucket?endpoint=…&region=…&path_style=true
	ChromiumVar     = "ANABRANCH_TEST_CHROMIUM"      // path of the executable
)

// Config says where things go. The zero value of each field has a default.
type Config struct {
	Log    *slog.Logger // progress; discarded when nil
	Output io.Writer    // what installers print; os.Stderr when nil
	Cache  string       // kept downloads and builds; CacheDir() when empty
	Dir    string       // parent of each server's temporary folder; os.TempDir() when empty
	Own    bool         // start a server even where a variable names one
}

// CacheDir is where installed servers are kept between runs: $XDG_CACHE_HOME/anabranch-testenv, or
// its counterpart where that variable is not set.
func CacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	return filepath.Join(base, "anabranch-testenv"), nil
}

func (c Config) withDefaults() (Config, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Output == nil {
		c.Output = os.Stderr
	}
	c.Dir = cmp.Or(c.Dir, os.TempDir())
	if c.Cache == "" {
		dir, err := CacheDir()
		if err != nil {
			return c, err
		}
		c.Cache = dir
	}
	if err := os.MkdirAll(c.Cache, 0o755); err != nil {
		return c, fmt.Errorf("make the cache folder: %w", err)
	}
	return c, nil
}

// given returns where somebody else's server is, or "".
func (c Config) given(variable string) string {
	if c.Own {
		return ""
	}
	return os.Getenv(variable)
}
