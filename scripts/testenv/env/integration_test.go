//go:build integration

package env_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/scripts/testenv/env"
	"github.com/anabranch/anabranch/scripts/testenv/need"
	"github.com/anabranch/anabranch/scripts/testenv/proxy"
)

// These tests show that the environment gives what it promises, with the clients that the product
// uses. They are the first place to look at when all other integration tests fail.

// within bounds one test.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// unique names a topic, key or prefix that no other test uses.
func unique() string { return "testenv-" + rand.Text() }

// roundTrip makes a topic, writes a record to it and reads it back.
func roundTrip(ctx context.Context, t *testing.T, broker string) {
	t.Helper()
	topic := unique()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(ctx, 1, 1, nil, topic); err != nil {
		t.Fatalf("create the topic: %v", err)
	}
	sent := &kgo.Record{Topic: topic, Key: []byte("u1"), Value: []byte("v")}
	if err := client.ProduceSync(ctx, sent).FirstErr(); err != nil {
		t.Fatalf("produce: %v", err)
	}
	fetches := client.PollRecords(ctx, 1)
	if err := fetches.Err0(); err != nil {
		t.Fatalf("consume: %v", err)
	}
	records := fetches.Records()
	if len(records) != 1 || !bytes.Equal(records[0].Key, sent.Key) || !bytes.Equal(records[0].Value, sent.Value) {
		t.Fatalf("consumed %v, want the one record that was produced", records)
	}
}

func TestIntegrationKafkaRoundTrip(t *testing.T) {
	t.Parallel()
	roundTrip(within(t, time.Minute), t, need.Kafka(t))
}

func TestIntegrationRedisRoundTrip(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	client := redis.NewClient(&redis.Options{Addr: need.Redis(t)})
	defer client.Close()
	if err := client.Ping(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	key := unique()
	if err := client.Set(ctx, key, "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := client.Get(ctx, key).Result(); err != nil || got != "1" {
		t.Fatalf("get: %q, %v", got, err)
	}
	policy, err := client.ConfigGet(ctx, "maxmemory-policy").Result()
	if err != nil || policy["maxmemory-policy"] != "noeviction" {
		t.Fatalf("eviction policy: %v, %v; want noeviction", policy, err)
	}
}

func TestIntegrationS3ConditionalPut(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	at, err := url.Parse(need.S3(t))
	if err != nil {
		t.Fatal(err)
	}
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(at.Query().Get("endpoint")),
		Region:       at.Query().Get("region"),
		UsePathStyle: at.Query().Get("path_style") == "true",
		Credentials: credentials.NewStaticCredentialsProvider(
			os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), ""),
	})
	key := unique()
	put := func() error {
		_, err := client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: aws.String(at.Host), Key: aws.String(key), IfNoneMatch: aws.String("*"), Body: bytes.NewReader([]byte("x")),
		})
		return err
	}
	if err := put(); err != nil {
		t.Fatalf("first put: %v", err)
	}
	if err := put(); err == nil {
		t.Fatal("a second put with If-None-Match succeeded")
	}
}

func TestIntegrationChromiumRendersAPage(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	chromium := need.Chromium(t)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`<p id=x></p><script>document.getElementById("x").textContent = 6 * 7</script>`))
	}))
	defer page.Close()
	cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--user-data-dir="+filepath.Join(t.TempDir(), "profile"), "--dump-dom", page.URL)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run %s: %v", chromium, err)
	}
	if !bytes.Contains(out, []byte(`<p id="x">42</p>`)) {
		t.Fatalf("the page's script did not run: %s", out)
	}
}

func TestIntegrationKafkaBehindAProxySurvivesKill(t *testing.T) {
	t.Parallel()
	ctx := within(t, 3*time.Minute)
	p := proxy.New(t, "")
	server := started[*env.Server](t)(env.StartKafkaBehind(ctx, need.OwnConfig(t), p.Addr()))
	p.SetUpstream(server.Addr)
	roundTrip(ctx, t, p.Addr())
	if p.Bytes(proxy.ToServer) == 0 {
		t.Error("nothing went through the proxy")
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := server.Start(ctx); err != nil {
		t.Fatalf("start again: %v", err)
	}
	roundTrip(ctx, t, p.Addr())
}
