package env

import (
	"cmp"
	"context"
	_ "embed" // the files that Maven and log4j read
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// minJava is the oldest Java that a broker of Kafka 4 runs on.
	minJava = 17
	// kafkaCluster is any 16 bytes in base64: the cluster is this one node.
	kafkaCluster = "YW5hYnJhbmNodGVzdGVudg"
)

// kafkaVersions are tried in this order; the first that can be downloaded is used.
func kafkaVersions() []string { return []string{"4.3.1", "4.1.1"} }

//go:embed kafka-pom.xml
var kafkaPOM []byte

//go:embed kafka-log4j2.properties
var kafkaLog []byte

// StartKafka starts one Kafka node that is broker and controller (KRaft). Topics have to be created
// explicitly, and records are kept however old their timestamps are.
func StartKafka(ctx context.Context, cfg Config) (*Server, error) {
	return StartKafkaBehind(ctx, cfg, "")
}

// StartKafkaBehind is StartKafka for a node that tells clients to come to another address, a proxy's
// (host:port), whose upstream is to be the server's Addr.
func StartKafkaBehind(ctx context.Context, cfg Config, advertised string) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	java, err := cfg.java(ctx)
	if err != nil {
		return nil, err
	}
	jars, err := cfg.kafkaJars(ctx)
	if err != nil {
		return nil, err
	}
	s, err := newServer(cfg, "kafka", 2)
	if err != nil {
		return nil, err
	}
	s.Env = []string{KafkaVar + "=" + s.Addr}
	s.probe = func(ctx context.Context) error { return askKafka(ctx, s.Addr) }
	s.spec, err = prepareKafka(ctx, cfg, s, java, jars, cmp.Or(advertised, s.Addr))
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s.launch(ctx)
}

// prepareKafka writes the node's configuration and formats its storage.
func prepareKafka(ctx context.Context, cfg Config, s *Server, java, jars, advertised string) (spec, error) {
	properties := filepath.Join(s.dir, "server.properties")
	logging := filepath.Join(s.dir, "log4j2.properties")
	data := filepath.Join(s.dir, "data")
	if err := errors.Join(
		os.WriteFile(properties, []byte(kafkaProperties(data, s.Addr, s.ports[1].addr(), advertised)), 0o644),
		os.WriteFile(logging, kafkaLog, 0o644),
		os.Mkdir(data, 0o755),
	); err != nil {
		return spec{}, fmt.Errorf("write the configuration: %w", err)
	}
	jvm := []string{
		"-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dlog4j2.configurationFile=" + logging, "-cp", filepath.Join(jars, "*"),
	}
	quiet := cfg
	var out strings.Builder
	quiet.Output = &out
	format := []string{"kafka.tools.StorageTool", "format", "--standalone", "-t", kafkaCluster, "-c", properties}
	if err := quiet.runInstaller(ctx, "", nil, java, slices.Concat(jvm, format)...); err != nil {
		return spec{}, fmt.Errorf("format the storage: %w; it printed:\n%s", err, out.String())
	}
	return spec{path: java, args: slices.Concat(jvm, []string{"kafka.Kafka", properties})}, nil
}

func kafkaProperties(data, broker, controller, advertised string) string {
	lines := []string{
		"process.roles=broker,controller",
		"node.id=1",
		"listeners=PLAINTEXT://" + broker + ",CONTROLLER://" + controller,
		"advertised.listeners=PLAINTEXT://" + advertised,
		"controller.listener.names=CONTROLLER",
		"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"controller.quorum.bootstrap.servers=" + controller,
		"log.dirs=" + data,
		"auto.create.topics.enable=false",
		"log.retention.ms=-1",
		"group.initial.rebalance.delay.ms=0",
		// The broker says so to members of the new protocol (KIP-848), by default 5 s and 45 s: tests would wait for that.
		"group.consumer.min.heartbeat.interval.ms=200",
		"group.consumer.heartbeat.interval.ms=200",
		"group.consumer.min.session.timeout.ms=6000",
		"group.consumer.session.timeout.ms=6000",
		"offsets.topic.replication.factor=1",
		"offsets.topic.num.partitions=4",
		"transaction.state.log.replication.factor=1",
		"transaction.state.log.min.isr=1",
		"transaction.state.log.num.partitions=4",
		"share.coordinator.state.topic.replication.factor=1",
		"share.coordinator.state.topic.min.isr=1",
		"share.coordinator.state.topic.num.partitions=1",
	}
	return strings.Join(lines, "\n") + "\n"
}

// askKafka succeeds when the broker has registered itself with its controller.
func askKafka(ctx context.Context, broker string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.RequestRetries(0))
	if err != nil {
		return fmt.Errorf("make a kafka client: %w", err)
	}
	defer client.Close()
	brokers, err := kadm.NewClient(client).ListBrokers(ctx)
	if err != nil {
		return fmt.Errorf("list the kafka brokers: %w", err)
	}
	if len(brokers) == 0 {
		return errors.New("kafka lists no broker")
	}
	return nil
}

// java finds a Java that is new enough.
func (c Config) java(ctx context.Context) (string, error) {
	path := filepath.Join(os.Getenv("JAVA_HOME"), "bin", "java")
	if os.Getenv("JAVA_HOME") == "" || look([]string{path}) == "" {
		var err error
		if path, err = c.command(ctx, "default-jre-headless", "java"); err != nil {
			return "", fmt.Errorf("kafka needs Java %d or newer: %w", minJava, err)
		}
	}
	out, err := exec.CommandContext(ctx, path, "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", path, err)
	}
	if major := javaMajor(string(out)); major < minJava {
		return "", fmt.Errorf("kafka needs Java %d or newer, and %s is Java %d: install one and set JAVA_HOME", minJava, path, major)
	}
	return path, nil
}

// javaMajor reads the output of `java -version`; 0 when it cannot.
func javaMajor(out string) int {
	m := regexp.MustCompile(`version "(\d+)`).FindStringSubmatch(out)
	if m == nil {
		return 0
	}
	major, err := strconv.Atoi(m[1])
	if err != nil {
		return 0
	}
	return major
}

// kafkaJars returns the folder of the broker's jars, downloading them on first use.
func (c Config) kafkaJars(ctx context.Context) (string, error) {
	for _, version := range kafkaVersions() {
		if _, err := os.Stat(filepath.Join(c.Cache, "kafka-"+version)); err == nil {
			return filepath.Join(c.Cache, "kafka-"+version), nil
		}
	}
	mvn, err := c.command(ctx, "maven", "mvn")
	if err != nil {
		return "", fmt.Errorf("kafka's jars are downloaded by Maven: %w", err)
	}
	var failures []error
	for _, version := range kafkaVersions() {
		dir, err := c.cached(ctx, "kafka-"+version, func(ctx context.Context, dir string) error {
			return c.downloadKafka(ctx, mvn, version, dir)
		})
		if err == nil {
			return dir, nil
		}
		failures = append(failures, err)
	}
	return "", errors.Join(failures...)
}

func (c Config) downloadKafka(ctx context.Context, mvn, version, dir string) error {
	project, err := os.MkdirTemp(c.Dir, "anabranch-kafka-pom-")
	if err != nil {
		return fmt.Errorf("make a folder for the project file: %w", err)
	}
	defer os.RemoveAll(project)
	if err := os.WriteFile(filepath.Join(project, "pom.xml"), kafkaPOM, 0o644); err != nil {
		return fmt.Errorf("write the project file: %w", err)
	}
	return c.runInstaller(ctx, project, nil, mvn, "--batch-mode", "--quiet", "--no-transfer-progress", "-Dstyle.color=never",
		"-Dkafka.version="+version, "-DoutputDirectory="+dir, "dependency:copy-dependencies")
}
