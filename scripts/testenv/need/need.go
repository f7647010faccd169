// Package need is how an integration test gets its server: each function returns where the server
// is, or ends the test.
//
//	func TestIntegrationProduce(t *testing.T) {
//		client, err := kgo.NewClient(kgo.SeedBrokers(need.Kafka(t)))
//
// Without the variable the test is skipped and says how to run it. Under ANABRANCH_INTEGRATION=1,
// which `make integration` sets, it fails instead: there, a test that did not run is an error.
package need

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/anabranch/anabranch/scripts/testenv/env"
)

// Kafka returns host:port of a real broker. Topics are shared with other tests: name yours uniquely.
func Kafka(t testing.TB) string {
	t.Helper()
	return variable(t, env.KafkaVar)
}

// Redis returns host:port of a real Redis. Keys are shared with other tests: prefix yours uniquely.
func Redis(t testing.TB) string {
	t.Helper()
	return variable(t, env.RedisVar)
}

// RedisCluster returns host:port,host:port,host:port of a cluster of three masters. Where no variable names
// one, it is started for this test: it takes a second or two, and few tests need it.
func RedisCluster(t testing.TB) string {
	t.Helper()
	if given := os.Getenv(env.RedisClusterVar); given != "" {
		return given
	}
	c, err := env.StartRedisCluster(t.Context(), OwnConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, c.Stop)
	return c.Addr
}

// S3 returns s3://bucket?endpoint=…&region=…&path_style=true of a real server; the keys are in
// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. The bucket is shared: prefix your keys uniquely.
func S3(t testing.TB) string {
	t.Helper()
	return variable(t, env.S3Var)
}

// Chromium returns the path of a Chromium or Chrome.
func Chromium(t testing.TB) string {
	t.Helper()
	return variable(t, env.ChromiumVar)
}

// Airflow returns the path of a Python that has Apache Airflow, to be run with `-m airflow`.
func Airflow(t testing.TB) string {
	t.Helper()
	return variable(t, env.AirflowVar)
}

// Data returns the folder of one real data set, such as "ml-100k", below $ANABRANCH_TESTDATA. The
// data sets are for research use and not part of the repository, so their absence always skips.
func Data(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("ANABRANCH_TESTDATA")
	if root == "" {
		t.Skipf("needs the data set %s: set ANABRANCH_TESTDATA to the folder that holds %[1]s/", name)
	}
	dir := filepath.Join(root, name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("needs the data set %s below ANABRANCH_TESTDATA: %v", name, err)
	}
	return dir
}

// Own starts servers of the test's own, to be killed, paused and restarted by name (see package env), and
// stops them when the test ends. Like the other functions it skips where integration tests do not run.
func Own(t testing.TB, parts ...string) *env.Set {
	t.Helper()
	set, err := env.Start(t.Context(), OwnConfig(t), parts)
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, set.Stop)
	return set
}

// OwnConfig is the configuration for a test that starts servers itself, by env.StartRedisReplica and so on.
// It skips the test where integration tests do not run; the test has to stop what it starts.
func OwnConfig(t testing.TB) env.Config {
	t.Helper()
	if os.Getenv(integration) != "1" {
		t.Skipf("needs servers of its own, which are started under %s=1: run `make integration`", integration)
	}
	return env.Config{Dir: t.TempDir(), Own: true}
}

func stopAtEnd(t testing.TB, stop func() error) {
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// integration is the variable under which servers have to be there.
const integration = "ANABRANCH_INTEGRATION"

func variable(t testing.TB, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value != "" {
		return value
	}
	if os.Getenv(integration) == "1" {
		t.Fatalf("%s is not set, and under %s=1 it must be: run `make integration`", name, integration)
	}
	t.Skipf("%s is not set: `make integration` installs and starts the real server", name)
	return ""
}
