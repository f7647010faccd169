package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/scripts/testenv/env"
)

// brokerVerb is the argument with which this program is a kfake broker, until its standard input ends.
const brokerVerb = "broker"

// broker is a Kafka in another process.
type broker struct {
	name string
	addr string
	pid  int
	stop func() error
}

// runBroker is the process: its address out, then nothing until in ends.
func runBroker(in io.Reader, out io.Writer) error {
	b, err := kafka.StartEmbedded(kafka.EmbeddedConfig{})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, b.Addr())
	if err == nil {
		_, err = io.Copy(io.Discard, in)
	}
	return errors.Join(err, b.Close())
}

// startKfake starts this program as a broker that keeps its log in memory.
func startKfake(_ context.Context, _ *streamSetup) (*broker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.Command(self, brokerVerb)
	cmd.Stderr, cmd.SysProcAttr = os.Stderr, env.OwnGroup()
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr); err != nil {
		return nil, fmt.Errorf("start kfake: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start kfake: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start kfake: %w", err), in.Close(), cmd.Wait())
	}
	stop := func() error { return errors.Join(in.Close(), cmd.Wait()) }
	return &broker{"kfake in its own process", strings.TrimSpace(line), cmd.Process.Pid, stop}, nil
}

func startApacheKafka(ctx context.Context, s *streamSetup) (*broker, error) {
	server, err := env.StartKafka(ctx, s.env)
	if err != nil {
		return nil, err
	}
	pid, err := pidOf(server.Dir())
	if err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	return &broker{"Apache Kafka", server.Addr, pid, server.Stop}, nil
}

// startStreamRedis starts a redis-server without an append-only file.
func startStreamRedis(ctx context.Context, s *streamSetup) (server *env.Server, pid int, err error) {
	if server, err = env.StartRedisWith(ctx, s.env, "--appendonly", "no"); err != nil {
		return nil, 0, err
	}
	if pid, err = pidOf(server.Addr[strings.LastIndexByte(server.Addr, ':'):]); err != nil {
		return nil, 0, errors.Join(err, server.Stop())
	}
	return server, pid, nil
}

// pidOf finds the process whose arguments contain a text, such as its folder.
func pidOf(text string) (int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, fmt.Errorf("list processes: %w", err)
	}
	for _, file := range files {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		line, readErr := os.ReadFile(file)
		if err == nil && readErr == nil && pid != os.Getpid() && bytes.Contains(line, []byte(text)) {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("there is no process with %s among its arguments; this needs /proc", text)
}

// cpuOf returns the CPU seconds that a process has used.
func cpuOf(pid int) (float64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read the CPU time of process %d: %w", pid, err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // from the third field on
	if len(fields) < 13 {
		return 0, fmt.Errorf("read the CPU time of process %d: %d fields", pid, len(fields))
	}
	user, userErr := strconv.ParseFloat(fields[11], 64)
	system, systemErr := strconv.ParseFloat(fields[12], 64)
	const ticks = 100 // a second, of Linux towards programs
	return (user + system) / ticks, errors.Join(userErr, systemErr)
}
